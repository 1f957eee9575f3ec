/* SPDX-License-Identifier: LicenseRef-Gremio */
/* 40 bytes, 54 characters, one way to write each. */
#include "common/link_token.h"

#include <sodium.h>

#include "common/secret.h"
#include "common/str.h"

#define TENANT_BYTES sizeof(((struct uuid *)0)->b)

_Static_assert(STR_BASE64_SIZE(LINK_TOKEN_BYTES) <= LINK_TOKEN_TEXT + 2, "54 characters");

struct link_token link_token_make(const struct uuid *tenant)
{
    struct link_token t;
    memcpy(t.b, tenant->b, TENANT_BYTES);
    randombytes_buf(t.b + TENANT_BYTES, sizeof(t.b) - TENANT_BYTES);
    return t;
}

enum err link_token_parse(struct slice text, struct link_token *out)
{
    struct link_token t = { { 0 } };
    size_t n = 0;
    if (text.n != LINK_TOKEN_TEXT - 1 || str_base64url_decode(text, t.b, sizeof(t.b), &n) != OK ||
        n != sizeof(t.b)) {
        return E_BAD_REQUEST;
    }
    *out = t;
    return OK;
}

void link_token_format(const struct link_token *t, char out[LINK_TOKEN_TEXT])
{
    char text[STR_BASE64_SIZE(LINK_TOKEN_BYTES)];
    str_base64url(t->b, sizeof(t->b), text);
    memcpy(out, text, LINK_TOKEN_TEXT);
    sodium_memzero(text, sizeof(text));
}

struct uuid link_token_tenant(const struct link_token *t)
{
    struct uuid id;
    memcpy(id.b, t->b, TENANT_BYTES);
    return id;
}

void link_token_hash(const struct link_token *t, uint8_t out[LINK_TOKEN_HASH])
{
    secret_digest((struct slice){ (const char *)t->b, sizeof(t->b) }, out);
}
