/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Two statements per order, with and without a cursor, so that each has a plan that walks an index; "cursor is null or
 * ..." in one would hide the index from a generic plan. */
#include "worker/page.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/str.h"
#include "worker/stmt.h"

/* Bytes of a key's text: a name of 201 characters, each of which folds into three of four bytes, is 2,412. */
#define CURSOR_KEY_MAX 2560
#define CURSOR_VERSION 1

static char *sort_words(const struct sort *sorts)
{
    struct sbuf b;
    sbuf_init(&b);
    for (const struct sort *s = sorts; s->name; s++) {
        sbuf_fmt(&b, "%s%s", s == sorts ? "" : " ", s->name);
    }
    sbuf_char(&b, '\0');
    char *words = sbuf_failed(&b) ? NULL : strdup(b.data);
    sbuf_fini(&b);
    return words;
}

const struct param *page_params(const struct route *r, struct sbuf *why)
{
    static struct param rows[4];
    if (r->shape != SHAPE_PAGE || !r->sorts || !r->sorts[0].name) {
        return NULL;
    }
    memset(rows, 0, sizeof(rows));
    rows[0] = (struct param){ .name = "limit",
                              .in = IN_QUERY,
                              .type = T_INT,
                              .min = 1,
                              .max = ROUTE_PAGE_MAX,
                              .fallback = "50",
                              .doc = "Rows of one page" };
    rows[1] = (struct param){
        .name = "cursor", .in = IN_QUERY, .type = T_CURSOR, .doc = "next_cursor of the page before"
    };
    if (r->sorts[1].name) {
        rows[2] = (struct param){ .name = "sort",
                                  .in = IN_QUERY,
                                  .type = T_CHOICE,
                                  .choices = sort_words(r->sorts),
                                  .fallback = r->sorts[0].name,
                                  .doc = "Order of the list" };
        if (!rows[2].choices) {
            sbuf_text(why, "out of memory");
        }
    }
    return rows;
}

static bool key_type_ok(const char *type)
{
    static const char *const types[] = { "text", "timestamptz", "timestamp",
                                         "date", "bigint",      "uuid" };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (type && strcmp(types[i], type) == 0) {
            return true;
        }
    }
    return false;
}

enum err page_sql(const char *sql, const struct sort *s, bool with_cursor, struct sbuf *out,
                  struct sbuf *why)
{
    if (!s) {
        sbuf_fmt(out, "SELECT page.* FROM (%s) page LIMIT %d", sql, ROUTE_PAGE_MAX);
        return OK;
    }
    if (!s->key || !key_type_ok(s->type)) {
        sbuf_fmt(why, "sort \"%s\" needs a key and a type cursors can carry", s->name);
        return E_CONFIG;
    }
    sbuf_fmt(out, "SELECT page.* FROM (%s) page", sql);
    if (with_cursor) {
        sbuf_fmt(out, " WHERE (page.%s, page.id) %s (:cursor_key::%s, :cursor_id)", s->key,
                 s->desc ? "<" : ">", s->type);
    }
    const char *way = s->desc ? " DESC" : "";
    sbuf_fmt(out, " ORDER BY page.%s%s, page.id%s LIMIT :limit_plus", s->key, way, way);
    return OK;
}

void page_cursor(const struct sort *s, const char *key, const char *id, struct sbuf *out)
{
    uint8_t raw[2 + 32 + 16 + CURSOR_KEY_MAX];
    struct uuid u;
    size_t name = size_min(strlen(s->name), 32);
    size_t key_len = strlen(key);
    if (uuid_parse(slice_of(id), &u) != OK || key_len > CURSOR_KEY_MAX) {
        out->failed = true; /* a list that cannot be continued must not look complete */
        return;
    }
    raw[0] = CURSOR_VERSION;
    raw[1] = (uint8_t)name;
    memcpy(raw + 2, s->name, name);
    memcpy(raw + 2 + name, u.b, sizeof(u.b));
    memcpy(raw + 2 + name + sizeof(u.b), key, key_len);
    size_t n = 2 + name + sizeof(u.b) + key_len;
    char *room = sbuf_room(out, STR_BASE64_SIZE(n));
    if (room) {
        sbuf_added(out, str_base64url(raw, n, room));
    }
}

/* A key that PostgreSQL would refuse to cast must be refused here, as the client's fault. */
static bool key_ok(const char *type, struct slice key)
{
    int64_t v;
    struct uuid u;
    if (memchr(key.p, '\0', key.n) || !str_utf8_valid(key)) {
        return false;
    }
    if (strcmp(type, "text") == 0) {
        return true;
    }
    if (strcmp(type, "bigint") == 0) {
        return str_int(key, INT64_MIN, INT64_MAX, &v) == OK;
    }
    if (strcmp(type, "uuid") == 0) {
        return uuid_parse(key, &u) == OK;
    }
    if (strcmp(type, "date") == 0) {
        char text[32] = "";
        if (key.n != 10) {
            return false;
        }
        memcpy(text, key.p, 10);
        memcpy(text + 10, " 00:00:00", 10);
        return clock_parse_pg(slice_of(text), &v) == OK;
    }
    return clock_parse_pg(key, &v) == OK;
}

enum err page_decode(const struct sort *s, struct slice cursor, struct arena *arena,
                     const char **key, const char **id)
{
    uint8_t raw[2 + 32 + 16 + CURSOR_KEY_MAX];
    size_t n;
    size_t name = size_min(strlen(s->name), 32);
    if (str_base64url_decode(cursor, raw, sizeof(raw), &n) != OK || n < 2 + name + 16 ||
        raw[0] != CURSOR_VERSION || raw[1] != name || memcmp(raw + 2, s->name, name) != 0) {
        return E_BAD_REQUEST;
    }
    struct uuid u;
    memcpy(u.b, raw + 2 + name, sizeof(u.b));
    struct slice text = { .p = (const char *)raw + 2 + name + 16, .n = n - 2 - name - 16 };
    if (!key_ok(s->type, text)) {
        return E_BAD_REQUEST;
    }
    char *id_text = arena_take(arena, UUID_TEXT);
    *key = arena_text(arena, text);
    if (!id_text || !*key) {
        return E_NOMEM;
    }
    uuid_format(&u, id_text);
    *id = id_text;
    return OK;
}

static size_t sort_index(const struct sort *sorts, const char *name)
{
    for (size_t i = 0; sorts[i].name; i++) {
        if (strcmp(sorts[i].name, name) == 0) {
            return i;
        }
    }
    return 0;
}

/* v > 0 in decimal. */
static char *int_text(struct arena *arena, int64_t v)
{
    char *out = arena_take(arena, 24);
    char *p = out ? out + 22 : NULL;
    for (; p && v; v /= 10) {
        *p-- = (char)('0' + v % 10);
    }
    return p ? p + 1 : NULL;
}

enum err page_ask(struct call *c, size_t params_at, size_t *sort, bool *with_cursor)
{
    const struct sort *sorts = c->route->sorts;
    const struct value *p = &c->params[params_at];
    *sort = sorts[1].name && p[2].text ? sort_index(sorts, p[2].text) : 0;
    *with_cursor = p[1].present;
    char *limit = int_text(c->arena, p[0].number + 1);
    if (!limit) {
        return E_NOMEM;
    }
    c->builtins[BUILTIN_LIMIT_PLUS] = (struct value){ .text = limit, .number = p[0].number + 1 };
    if (!*with_cursor) {
        return OK;
    }
    enum err e = page_decode(&sorts[*sort], slice_of(p[1].text), c->arena,
                             &c->builtins[BUILTIN_CURSOR_KEY].text,
                             &c->builtins[BUILTIN_CURSOR_ID].text);
    if (e == E_BAD_REQUEST) {
        problem_add(&c->problem, "cursor", "invalid_cursor",
                    "El cursor no es válido para este orden",
                    "The cursor is not valid for this order");
        return E_INVALID;
    }
    return e;
}
