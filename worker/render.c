/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Values come in PostgreSQL's text form and leave as JSON: numbers as they are, texts escaped in one pass, times
 * in RFC 3339. No number is ever parsed, no text copied twice. */
#include "worker/render.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/str.h"

/* ---- boot ---- */

/* The length of the object part of "a.b.c": 3; 0 when nothing nests. */
static size_t prefix_len(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) : 0;
}

/* How much of the open path a (n bytes) is also the path of b, at a dot or an end. */
static size_t shared_len(const char *a, size_t n, const char *b, size_t m)
{
    size_t keep = 0;
    for (size_t i = 0; i <= n && i <= m; i++) {
        bool a_ends = i == n || a[i] == '.', b_ends = i == m || b[i] == '.';
        if (a_ends && b_ends) {
            keep = i;
        }
        if (i == n || i == m || a[i] != b[i]) {
            break;
        }
    }
    return keep;
}

static size_t depth_of(const char *path, size_t from, size_t to)
{
    size_t depth = to > from;
    for (size_t i = from + 1; i < to; i++) {
        depth += path[i] == '.';
    }
    return depth;
}

static void add_name(struct sbuf *text, const char *name, size_t n)
{
    sbuf_char(text, '"');
    sbuf_add(text, (struct slice){ .p = name, .n = n });
    sbuf_text(text, "\":");
}

/* What goes between the column before (NULL for none) and this one. */
static void add_between(struct sbuf *text, const char *before, const char *name)
{
    size_t open = before ? prefix_len(before) : 0, want = prefix_len(name);
    size_t keep = before ? shared_len(before, open, name, want) : 0;
    for (size_t i = before ? depth_of(before, keep, open) : 0; i; i--) {
        sbuf_char(text, '}');
    }
    sbuf_char(text, before ? ',' : '{');
    const char *p = name + (keep ? keep + 1 : 0);
    for (const char *dot = strchr(p, '.'); dot; dot = strchr(p, '.')) {
        add_name(text, p, (size_t)(dot - p));
        sbuf_char(text, '{');
        p = dot + 1;
    }
    add_name(text, p, strlen(p));
}

/* Whether column i opens an object that was already closed, or has a name that was there. */
static const char *name_fault(const struct column *columns, size_t i)
{
    const char *name = columns[i].name;
    size_t n = prefix_len(name);
    for (size_t j = 0; j < i; j++) {
        if (strcmp(columns[j].name, name) == 0) {
            return "is there twice";
        }
        size_t m = strlen(columns[j].name);
        if (strncmp(columns[j].name, name, m) == 0 && name[m] == '.') {
            return "nests in a column that is a value";
        }
        size_t shared = shared_len(columns[j].name, prefix_len(columns[j].name), name, n);
        size_t latest = shared_len(columns[i - 1].name, prefix_len(columns[i - 1].name), name, n);
        if (shared > latest) {
            return "opens an object again that was closed: keep its members together";
        }
    }
    return NULL;
}

static bool type_is_output(enum type t)
{
    return t >= T_TEXT && t <= T_JSON && t != T_CURSOR && t != T_PASSWORD && t != T_FILE &&
           t != T_WORDS && t != T_SPANS && t != T_IDS && t != T_DOCUMENT;
}

static enum err compile_column(const struct column *columns, size_t i, struct render_plan *out,
                               struct sbuf *why)
{
    const struct column *c = &columns[i];
    const char *fault = name_fault(columns, i);
    if (i == ROUTE_COLUMNS_LIMIT || fault || !type_is_output(c->type)) {
        sbuf_fmt(why, "column \"%s\" %s", c->name,
                 fault ? fault : "is one too many, or its type is not one of columns");
        return E_CONFIG;
    }
    out->cells[i].type = c->type;
    out->cells[i].field = out->fields;
    if (strcmp(c->name, "version") == 0) {
        out->version = out->fields;
    } else if (strcmp(c->name, "id") == 0) {
        out->id = out->fields;
    }
    out->fields = (uint16_t)(out->fields + (c->type == T_ZONED ? 2 : 1));
    out->count++;
    return OK;
}

/* Cuts the one text into the cells' slices; ends holds where each one stops. */
static void cut_text(struct render_plan *p, const size_t *ends, size_t len)
{
    size_t from = 0;
    for (size_t i = 0; i < p->count; i++) {
        p->cells[i].before = (struct slice){ .p = p->text + from, .n = ends[i] - from };
        from = ends[i];
    }
    p->after = (struct slice){ .p = p->text + from, .n = len - from };
}

enum err render_compile(const struct column *columns, struct render_plan *out, struct sbuf *why)
{
    *out = (struct render_plan){ .version = -1, .id = -1 };
    size_t ends[ROUTE_COLUMNS_LIMIT];
    struct sbuf text;
    sbuf_init(&text);
    enum err e = OK;
    for (size_t i = 0; e == OK && columns[i].name && columns[i].type != T_ADDED; i++) {
        e = compile_column(columns, i, out, why);
        if (e == OK) {
            add_between(&text, i ? columns[i - 1].name : NULL, columns[i].name);
            ends[i] = text.len;
        }
    }
    if (e == OK && out->count == 0) {
        sbuf_text(why, "it has no columns");
        e = E_CONFIG;
    }
    if (e == OK) {
        const char *last = columns[out->count - 1].name;
        for (size_t i = depth_of(last, 0, prefix_len(last)) + 1; i; i--) {
            sbuf_char(&text, '}');
        }
        out->text = sbuf_failed(&text) ? NULL : malloc(text.len);
        e = out->text ? OK : E_NOMEM;
    }
    if (e == OK) {
        memcpy(out->text, text.data, text.len);
        cut_text(out, ends, text.len);
    }
    sbuf_fini(&text);
    return e;
}

void render_free(struct render_plan *p)
{
    free(p->text);
    p->text = NULL;
}

/* ---- rows ---- */

static void put_quoted(struct sbuf *out, struct slice s)
{
    char *room = sbuf_room(out, s.n + 2);
    if (room) {
        room[0] = '"';
        memcpy(room + 1, s.p, s.n);
        room[s.n + 1] = '"';
        sbuf_added(out, s.n + 2);
    }
}

/* "2026-07-01 15:00:00.5+00" becomes "2026-07-01T15:00:00.5Z": the session's zone is UTC. */
static void put_instant(struct sbuf *out, struct slice s)
{
    if (s.n < 22 || s.p[10] != ' ' || memcmp(s.p + s.n - 3, "+00", 3) != 0) {
        out->failed = true;
        return;
    }
    char *room = sbuf_room(out, s.n + 2);
    if (!room) {
        return;
    }
    size_t n = s.n - 3;
    *room = '"';
    memcpy(room + 1, s.p, n);
    room[11] = 'T';
    room[n + 1] = 'Z';
    room[n + 2] = '"';
    sbuf_added(out, n + 3);
}

static void put_zoned(struct sbuf *out, struct slice utc, struct slice local)
{
    int64_t utc_us, local_us;
    char text[CLOCK_RFC3339_MAX];
    if (clock_parse_pg(utc, &utc_us) != OK || clock_parse_pg(local, &local_us) != OK) {
        out->failed = true;
        return;
    }
    clock_format_offset(utc_us, local_us, text);
    put_quoted(out, slice_of(text));
}

static struct slice cell_text(const PGresult *rows, int row, int field)
{
    return (struct slice){ .p = PQgetvalue(rows, row, field),
                           .n = (size_t)PQgetlength(rows, row, field) };
}

static void put_cell(const struct render_cell *c, const PGresult *rows, int row, struct sbuf *out)
{
    if (PQgetisnull(rows, row, c->field)) {
        sbuf_add(out, SLICE("null"));
        return;
    }
    struct slice s = cell_text(rows, row, c->field);
    switch (c->type) {
    case T_INT:
    case T_JSON:
        sbuf_add(out, s);
        break;
    case T_BOOL:
        sbuf_add(out, s.p[0] == 't' ? SLICE("true") : SLICE("false"));
        break;
    case T_UUID:
    case T_DATE:
        put_quoted(out, s);
        break;
    case T_INSTANT:
        put_instant(out, s);
        break;
    case T_ZONED:
        put_zoned(out, s, cell_text(rows, row, c->field + 1));
        break;
    case T_TEXT:
    case T_TIME:
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
    case T_ADDED:
        sbuf_json(out, s);
        break;
    }
}

void render_row(const struct render_plan *p, const PGresult *rows, int row, struct sbuf *out)
{
    for (size_t i = 0; i < p->count; i++) {
        sbuf_add(out, p->cells[i].before);
        put_cell(&p->cells[i], rows, row, out);
    }
    sbuf_add(out, p->after);
}
