/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Names of schemas, roles and logins, made from checked codes and from nothing else. */
#include "common/tenant.h"

#include <sodium.h>
#include <stdio.h>

#include "common/str.h"

#define CODE_MIN  4
#define SLUG_MIN  3
#define IDENT_MAX 63 /* NAMEDATALEN - 1 */

static bool is_code_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool tenant_code_valid(struct slice code)
{
    if (code.n < CODE_MIN || code.n >= TENANT_CODE_MAX) {
        return false;
    }
    for (size_t i = 0; i < code.n; i++) {
        if (!is_code_char(code.p[i])) {
            return false;
        }
    }
    return true;
}

/* Words that could be taken for a part of the service itself. */
static bool slug_is_reserved(struct slice slug)
{
    static const char *const words[] = {
        "about", "account", "admin", "api",     "app",    "assets",    "auth",   "billing",
        "blog",  "docs",    "files", "gremio",  "health", "healthz",   "help",   "internal",
        "login", "logout",  "mail",  "metrics", "public", "readyz",    "root",   "security",
        "setup", "static",  "stats", "status",  "system", "support",   "tenant", "webhooks",
        "www",   "ftp",     "smtp",  "null",    "none",   "undefined",
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_eq(slug, slice_of(words[i]))) {
            return true;
        }
    }
    return false;
}

bool tenant_slug_valid(struct slice slug)
{
    if (slug.n < SLUG_MIN || slug.n >= TENANT_SLUG_MAX || slug.p[0] == '-' ||
        slug.p[slug.n - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < slug.n; i++) {
        bool dash = slug.p[i] == '-';
        if ((!dash && !is_code_char(slug.p[i])) || (dash && slug.p[i + 1] == '-')) {
            return false;
        }
    }
    return !slug_is_reserved(slug);
}

void tenant_code_make(char out[TENANT_CODE_MAX])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t i = 0; i < TENANT_CODE_MAX - 1; i++) {
        out[i] = alphabet[randombytes_uniform(sizeof(alphabet) - 1)];
    }
    out[TENANT_CODE_MAX - 1] = '\0';
}

enum err tenant_schema(struct slice code, char out[TENANT_NAME_MAX])
{
    if (!tenant_code_valid(code)) {
        return E_BAD_REQUEST;
    }
    memcpy(out, "t_", 2);
    memcpy(out + 2, code.p, code.n);
    out[2 + code.n] = '\0';
    return OK;
}

void tenant_role(const struct uuid *id, char out[TENANT_ROLE_MAX])
{
    char text[UUID_TEXT];
    char *to = out;
    uuid_format(id, text);
    *to++ = 'p';
    *to++ = '_';
    for (const char *from = text; *from; from++) {
        if (*from != '-') {
            *to++ = *from;
        }
    }
    *to = '\0';
}

enum err tenant_pool_login(unsigned pool, char out[24])
{
    if (pool >= TENANT_POOLS_MAX) {
        return E_BAD_REQUEST;
    }
    snprintf(out, 24, "gremio_pool_%02u", pool);
    return OK;
}

static bool is_role(struct slice name)
{
    static const char digits[] = "0123456789abcdef";
    return name.n == TENANT_ROLE_MAX - 1 && str_starts(name, SLICE("p_")) &&
           strspn(name.p + 2, digits) == name.n - 2;
}

/* "t_CODE", "p_ID", or one of the installation's own names: "gremio" and "gremio_" with more. */
static bool name_is_ours(struct slice name)
{
    if (is_role(name)) {
        return true;
    }
    if (str_starts(name, SLICE("t_"))) {
        return tenant_code_valid((struct slice){ name.p + 2, name.n - 2 });
    }
    if (name.n > IDENT_MAX || !str_starts(name, SLICE("gremio"))) {
        return false;
    }
    for (size_t i = 6; i < name.n; i++) {
        if (!is_code_char(name.p[i]) && name.p[i] != '_') {
            return false;
        }
    }
    return name.n == 6 || name.p[6] == '_';
}

enum err tenant_quote(const char *name, char out[68])
{
    if (!name_is_ours(slice_of(name))) {
        return E_BAD_REQUEST;
    }
    snprintf(out, 68, "\"%s\"", name);
    return OK;
}

const char *tenant_state_name(enum tenant_state s)
{
    switch (s) {
    case TENANT_PROVISIONING:
        return "provisioning";
    case TENANT_ACTIVE:
        return "active";
    case TENANT_READ_ONLY:
        return "read_only";
    case TENANT_SUSPENDED:
        return "suspended";
    case TENANT_MIGRATING:
        return "migrating";
    case TENANT_CLOSING:
        return "closing";
    case TENANT_STATE_COUNT:
        break;
    }
    return "unknown";
}

enum err tenant_state_parse(struct slice s, enum tenant_state *out)
{
    for (int i = 0; i < TENANT_STATE_COUNT; i++) {
        if (slice_eq(s, slice_of(tenant_state_name((enum tenant_state)i)))) {
            *out = (enum tenant_state)i;
            return OK;
        }
    }
    return E_BAD_REQUEST;
}
