/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The compiler is one pass over the text: outside quotes, dollar quotes and comments, ":name" becomes $n, "::"
 * stays a cast. The same name gives the same $n every time. */
#include "worker/stmt.h"

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>

#include "common/str.h"
#include "worker/scope.h"

enum { OID_BOOL = 16, OID_INT8 = 20, OID_TEXT = 25, OID_DATE = 1082, OID_UUID = 2950 };

static const struct {
    const char *name;
    Oid type;
} builtins[BUILTIN_COUNT] = {
    [BUILTIN_NEW_ID] = { "new_id", OID_UUID },
    [BUILTIN_ME_MEMBER] = { "me_member", OID_UUID },
    [BUILTIN_ME_ACCOUNT] = { "me_account", OID_UUID },
    [BUILTIN_ME_SESSION] = { "me_session", OID_UUID },
    [BUILTIN_ME_ROLE] = { "me_role", OID_TEXT },
    [BUILTIN_TENANT_ID] = { "tenant_id", OID_UUID },
    [BUILTIN_IF_VERSION] = { "if_version", OID_INT8 },
    [BUILTIN_REACH_ALL] = { "reach_all", OID_BOOL },
    [BUILTIN_REACH_TEAM] = { "reach_team", OID_BOOL },
    [BUILTIN_LIMIT_PLUS] = { "limit_plus", OID_INT8 },
    [BUILTIN_CURSOR_KEY] = { "cursor_key", OID_TEXT },
    [BUILTIN_CURSOR_ID] = { "cursor_id", OID_UUID },
};

const char *stmt_builtin_name(enum stmt_builtin b)
{
    return builtins[b].name;
}

static Oid type_oid(enum type t)
{
    switch (t) {
    case T_INT:
        return OID_INT8;
    case T_BOOL:
        return OID_BOOL;
    case T_UUID:
        return OID_UUID;
    case T_DATE:
        return OID_DATE;
    case T_TEXT:
    case T_TIME: /* the statement casts it: with or without an offset */
    case T_MOMENT:
    case T_LOCALE:
    case T_EMAIL:
    case T_PHONE:
    case T_CURRENCY:
    case T_COLOR:
    case T_ZONE:
    case T_CHOICE:
    case T_CURSOR:
    case T_PASSWORD:
    case T_FILE:
    case T_WORDS:
    case T_SPANS:
    case T_IDS:
    case T_DOCUMENT:
    case T_INSTANT:
    case T_ZONED:
    case T_JSON:
    case T_ADDED:
        break;
    }
    return OID_TEXT;
}

struct compiler {
    const struct stmt_scope *scope;
    struct stmt_plan *out;
    struct sbuf text;
    struct sbuf *why;
    uint64_t used;
};

static int find_row(const struct param *rows, struct slice name)
{
    for (int i = 0; rows && rows[i].name; i++) {
        if (slice_eq(slice_of(rows[i].name), name)) {
            return i;
        }
    }
    return -1;
}

static int find_builtin(struct slice name)
{
    for (int i = 0; i < BUILTIN_COUNT; i++) {
        if (slice_eq(slice_of(builtins[i].name), name)) {
            return i;
        }
    }
    return -1;
}

/* Where name comes from and what type it has; false when nobody declares it. */
static bool resolve(struct compiler *k, struct slice name, bool presence, enum stmt_source *source,
                    int *index, Oid *type)
{
    *index = find_row(k->scope->params, name);
    if (*index >= 0) {
        *source = presence ? FROM_PRESENT : FROM_PARAM;
        *type = presence ? OID_BOOL : type_oid(k->scope->params[*index].type);
        k->used |= UINT64_C(1) << *index;
        return true;
    }
    if (presence) {
        return false;
    }
    *index = find_row(k->scope->vars, name);
    if (*index >= 0) {
        *source = FROM_VAR;
        *type = type_oid(k->scope->vars[*index].type);
        return true;
    }
    *index = find_builtin(name);
    if (*index >= 0) {
        *source = FROM_BUILTIN;
        *type = builtins[*index].type;
        return true;
    }
    return false;
}

/* The $ number of a source, added when it is new; 0 when there are too many. */
static int number_of(struct stmt_plan *p, enum stmt_source source, int index, Oid type)
{
    for (int i = 0; i < p->count; i++) {
        if (p->from[i].source == source && p->from[i].index == index) {
            return i + 1;
        }
    }
    if (p->count == STMT_PARAMS_MAX) {
        return 0;
    }
    p->types[p->count] = type;
    p->from[p->count].source = source;
    p->from[p->count].index = (uint16_t)index;
    return ++p->count;
}

static enum err take_name(struct compiler *k, const char **at)
{
    const char *p = *at + 1;
    while (islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_') {
        p++;
    }
    struct slice name = { .p = *at + 1, .n = (size_t)(p - *at - 1) };
    bool presence = *p == '?';
    enum stmt_source source;
    int index;
    Oid type;
    if (!resolve(k, name, presence, &source, &index, &type)) {
        sbuf_fmt(k->why, "placeholder :%.*s%s is not declared", (int)name.n, name.p,
                 presence ? "?" : "");
        return E_CONFIG;
    }
    int number = number_of(k->out, source, index, type);
    if (number == 0) {
        sbuf_fmt(k->why, "more than %d placeholders", STMT_PARAMS_MAX);
        return E_CONFIG;
    }
    sbuf_char(&k->text, '$');
    sbuf_int(&k->text, number);
    *at = p + presence;
    return OK;
}

/* The end of what must be copied untouched at p (a quoted text or name, a comment, a cast); p itself when nothing starts
 * there, NULL when it is never closed. */
static const char *skip_opaque(const char *p)
{
    if (p[0] == ':' && p[1] == ':') {
        return p + 2;
    }
    if (p[0] == '\'' || p[0] == '"') {
        const char *end = strchr(p + 1, p[0]);
        return end ? end + 1 : NULL; /* a doubled quote simply starts the next one */
    }
    if (p[0] == '-' && p[1] == '-') {
        return p + strcspn(p, "\n");
    }
    if (p[0] == '/' && p[1] == '*') {
        const char *end = strstr(p + 2, "*/");
        return end ? end + 2 : NULL;
    }
    if (p[0] == '$' && p[1] == '$') {
        const char *end = strstr(p + 2, "$$");
        return end ? end + 2 : NULL;
    }
    return p;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* "select" followed by blanks and a star, in any case. */
static bool selects_star(const char *start, const char *p)
{
    if (strncasecmp(p, "select", 6) != 0 || (p > start && is_word(p[-1]))) {
        return false;
    }
    p += 6;
    const char *q = p + strspn(p, " \t\n");
    return *q == '*' && q > p;
}

static enum err compile_step(struct compiler *k, const char *start, const char **at)
{
    const char *p = *at;
    const char *end = skip_opaque(p);
    if (!end) {
        sbuf_text(k->why, "a quote or comment is not closed");
        return E_CONFIG;
    }
    if (end > p) {
        sbuf_add(&k->text, (struct slice){ .p = p, .n = (size_t)(end - p) });
        *at = end;
        return OK;
    }
    if (*p == ':' && islower((unsigned char)p[1])) {
        return take_name(k, at);
    }
    if (*p == ';') {
        sbuf_text(k->why, "one statement only: it contains ';'");
        return E_CONFIG;
    }
    if (selects_star(start, p)) {
        sbuf_text(k->why, "\"select *\" is not allowed: list the columns");
        return E_CONFIG;
    }
    sbuf_char(&k->text, *p);
    *at = p + 1;
    return OK;
}

#define KNOWN_MAX 2048

/* Routes that run the same text with the same types share its id, and so one plan on each connection. What there is no room to remember gets an id
 * of its own, which is never wrong. */
static uint32_t id_of(const struct stmt_plan *p)
{
    static struct {
        uint8_t hash[crypto_generichash_BYTES];
        uint32_t id;
    } known[KNOWN_MAX];
    static uint32_t known_count, last_id = STMT_ID_ROUTES;
    uint8_t hash[crypto_generichash_BYTES];
    crypto_generichash_state s;
    crypto_generichash_init(&s, NULL, 0, sizeof(hash));
    crypto_generichash_update(&s, (const uint8_t *)p->text, strlen(p->text) + 1);
    crypto_generichash_update(&s, (const uint8_t *)p->types,
                              (size_t)p->count * sizeof(p->types[0]));
    crypto_generichash_final(&s, hash, sizeof(hash));
    for (uint32_t i = 0; i < known_count; i++) {
        if (memcmp(known[i].hash, hash, sizeof(hash)) == 0) {
            return known[i].id;
        }
    }
    last_id++;
    if (known_count < KNOWN_MAX) {
        memcpy(known[known_count].hash, hash, sizeof(hash));
        known[known_count++].id = last_id;
    }
    return last_id;
}

/* sql without marks. */
static enum err compile_plain(const char *sql, const struct stmt_scope *scope,
                              struct stmt_plan *out, uint64_t *used, struct sbuf *why)
{
    struct compiler k = { .scope = scope, .out = out, .why = why };
    sbuf_init(&k.text);
    out->count = 0;
    enum err e = OK;
    for (const char *p = sql; *p && e == OK;) {
        e = compile_step(&k, sql, &p);
    }
    if (e == OK) {
        sbuf_char(&k.text, '\0');
        out->text = sbuf_failed(&k.text) ? NULL : strdup(k.text.data);
        e = out->text ? OK : E_NOMEM;
    }
    sbuf_fini(&k.text);
    if (e == OK) {
        out->id = id_of(out);
        if (used) {
            *used |= k.used;
        }
    }
    return e;
}

static enum err compile_scoped(const char *sql, bool narrow, const struct stmt_scope *scope,
                               struct stmt_plan *out, uint64_t *used, struct sbuf *why)
{
    struct sbuf text;
    sbuf_init(&text);
    enum err e = scope_expand(sql, narrow, &text, why);
    sbuf_char(&text, '\0');
    if (e == OK) {
        e = sbuf_failed(&text) ? E_NOMEM : compile_plain(text.data, scope, out, used, why);
    }
    sbuf_fini(&text);
    return e;
}

enum err stmt_compile(const char *sql, const struct stmt_scope *scope, struct stmt_plan *out,
                      uint64_t *used, struct sbuf *why)
{
    if (!scope_marked(sql)) {
        return compile_plain(sql, scope, out, used, why);
    }
    out->narrow = calloc(1, sizeof(*out->narrow));
    if (!out->narrow) {
        return E_NOMEM;
    }
    out->narrow->name = out->name;
    enum err e = compile_scoped(sql, false, scope, out, used, why);
    if (e == OK) {
        e = compile_scoped(sql, true, scope, out->narrow, used, why);
    }
    if (e != OK) {
        stmt_free(out);
    }
    return e;
}

void stmt_free(struct stmt_plan *p)
{
    free(p->text);
    p->text = NULL;
    if (p->narrow) {
        stmt_free(p->narrow);
        free(p->narrow);
        p->narrow = NULL;
    }
}

/* Who was never asked how far they reach, reaches nothing. */
const struct stmt_plan *stmt_for(const struct stmt_plan *p, const struct call *c)
{
    return p && p->narrow && c->reach != REACH_ALL ? p->narrow : p;
}

void stmt_bind(const struct stmt_plan *p, const struct call *c, const char *values[STMT_PARAMS_MAX])
{
    for (int i = 0; i < p->count; i++) {
        uint16_t index = p->from[i].index;
        switch (p->from[i].source) {
        case FROM_PARAM:
            values[i] = c->params[index].text;
            break;
        case FROM_PRESENT:
            values[i] = c->params[index].present ? "t" : "f";
            break;
        case FROM_VAR:
            values[i] = c->vars[index].text;
            break;
        case FROM_BUILTIN:
            values[i] = c->builtins[index].text;
            break;
        }
    }
}
