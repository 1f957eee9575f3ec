/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Rows to JSON Schema (2020-12, as OpenAPI 3.1 has it). */
#include "worker/openapi_schema.h"

#include <ctype.h>

#include "common/str.h"

/* ---- words ---- */

void openapi_schema_key(struct sbuf *b, const char *name)
{
    sbuf_json(b, slice_of(name));
    sbuf_char(b, ':');
}

void openapi_schema_text(struct sbuf *b, const char *name, const char *value)
{
    sbuf_char(b, ',');
    openapi_schema_key(b, name);
    sbuf_json(b, slice_of(value));
}

/* The path's words without "api", the version and {names}: "appointments_history". */
void openapi_schema_words(const char *path, char out[OPENAPI_NAME_MAX])
{
    struct slice rest = slice_of(path);
    size_t n = 0;
    while (rest.p) {
        struct slice part = str_cut(&rest, '/');
        bool version = part.n == 2 && part.p[0] == 'v' && isdigit((unsigned char)part.p[1]);
        if (part.n == 0 || part.p[0] == '{' || version || slice_eq(part, SLICE("api"))) {
            continue;
        }
        if (n > 0) {
            out[n++] = '_';
        }
        for (size_t i = 0; i < part.n; i++) {
            out[n++] = (char)(isalnum((unsigned char)part.p[i]) ? part.p[i] : '_');
        }
    }
    out[n] = '\0';
}

/* ---- types ---- */

/* What a type is in JSON Schema besides its bounds. */
static const struct {
    const char *json;
    const char *more; /* further members */
} types[] = {
    [T_TEXT] = { "string", "" },
    [T_INT] = { "integer", "" },
    [T_BOOL] = { "boolean", "" },
    [T_UUID] = { "string", ",\"format\":\"uuid\"" },
    [T_DATE] = { "string", ",\"format\":\"date\"" },
    [T_TIME] = { "string", ",\"examples\":[\"2026-07-01T09:00\",\"2026-07-01T09:00:00-06:00\"]" },
    [T_MOMENT] = { "string", ",\"examples\":[\"2026-07-01\",\"2026-07-01T09:00:00-06:00\"]" },
    [T_LOCALE] = { "string", ",\"pattern\":\"^[a-z]{2,3}(-[A-Z]{2})?$\",\"examples\":[\"es-MX\"]" },
    [T_EMAIL] = { "string", ",\"format\":\"email\",\"maxLength\":254" },
    [T_PHONE] = { "string", ",\"examples\":[\"+52 55 1234 5678\"]" },
    [T_CURRENCY] = { "string", ",\"pattern\":\"^[A-Z]{3}$\",\"examples\":[\"MXN\"]" },
    [T_COLOR] = { "string", ",\"pattern\":\"^#[0-9A-Fa-f]{6}$\"" },
    [T_ZONE] = { "string", ",\"examples\":[\"America/Mexico_City\"]" },
    [T_CHOICE] = { "string", "" },
    [T_CURSOR] = { "string", "" },
    [T_PASSWORD] = { "string", ",\"format\":\"password\",\"minLength\":1,\"maxLength\":256" },
    [T_FILE] = { "string", "" },
    [T_WORDS] = { "array", ",\"minItems\":1,\"uniqueItems\":true" },
    [T_SPANS] = { "array", "" },
    [T_IDS] = { "array", ",\"maxItems\":200,\"items\":{\"type\":\"string\",\"format\":\"uuid\","
                         "\"description\":"
                         "\"A number may follow behind a colon: ID:45\"}" },
    [T_DOCUMENT] = { NULL, "" },
    [T_INSTANT] = { "string", ",\"format\":\"date-time\"" },
    [T_ZONED] = { "string", ",\"format\":\"date-time\"" },
    [T_JSON] = { NULL, "" },
    [T_ADDED] = { "string", "" },
};

/* "type":"string" or "type":["string","null"], and what belongs to it. */
static void write_type(struct sbuf *b, enum type t, bool nullable)
{
    if (types[t].json) {
        sbuf_fmt(b, nullable ? "\"type\":[\"%s\",\"null\"]" : "\"type\":\"%s\"", types[t].json);
        sbuf_text(b, types[t].more);
    } else {
        sbuf_text(b, nullable ? "\"type\":[\"object\",\"array\",\"null\"]"
                              : "\"type\":[\"object\",\"array\"]");
    }
}

static void write_choices(struct sbuf *b, const struct param *p)
{
    struct slice rest = slice_of(p->choices);
    bool first = true;
    sbuf_text(b, ",\"enum\":[");
    while (rest.p) {
        struct slice word = str_cut(&rest, ' ');
        if (word.n) {
            sbuf_text(b, first ? "" : ",");
            sbuf_json(b, word);
            first = false;
        }
    }
    sbuf_text(b, p->nullable ? ",null]" : "]");
}

#define SPAN_PATTERN "[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}"

static void write_spans(struct sbuf *b, const struct param *p)
{
    if (p->max) {
        sbuf_fmt(b, ",\"maxItems\":%lld", (long long)p->max);
    }
    sbuf_text(b, ",\"items\":{\"type\":\"string\",");
    sbuf_text(b, p->choices ? "\"pattern\":\"^[a-z]+ " SPAN_PATTERN "( odd| even)?( break)?$\","
                              "\"examples\":[\"monday 09:00-14:00\"]}"
                            : "\"pattern\":\"^" SPAN_PATTERN "$\",\"examples\":[\"09:00-14:00\"]}");
}

static void write_bounds(struct sbuf *b, const struct param *p)
{
    int64_t min, max;
    if (p->type == T_CHOICE) {
        write_choices(b, p);
    }
    if (p->type == T_WORDS) {
        sbuf_text(b, ",\"items\":{\"type\":\"string\"");
        write_choices(b, p);
        sbuf_char(b, '}');
    }
    if (p->type == T_SPANS) {
        write_spans(b, p);
    }
    if (p->type != T_TEXT && p->type != T_INT) {
        return;
    }
    params_bounds(p, &min, &max);
    bool text = p->type == T_TEXT;
    sbuf_fmt(b, ",\"%s\":%lld,\"%s\":%lld", text ? "minLength" : "minimum", (long long)min,
             text ? "maxLength" : "maximum", (long long)max);
}

/* "see,cancel" as a list. */
static void write_default_list(struct sbuf *b, const char *fallback)
{
    struct slice rest = slice_of(fallback);
    sbuf_char(b, '[');
    while (rest.n) {
        sbuf_json(b, str_cut(&rest, ','));
        sbuf_text(b, rest.n ? "," : "");
    }
    sbuf_char(b, ']');
}

void openapi_schema_param(struct sbuf *b, const struct param *p)
{
    sbuf_char(b, '{');
    write_type(b, p->type, p->nullable);
    write_bounds(b, p);
    if (p->fallback) {
        sbuf_text(b, ",\"default\":");
        if (p->type == T_INT || p->type == T_BOOL) {
            sbuf_text(b, p->fallback);
        } else if (p->type == T_WORDS || p->type == T_SPANS) {
            write_default_list(b, p->fallback);
        } else {
            sbuf_json(b, slice_of(p->fallback));
        }
    }
    if (p->doc && p->in == IN_BODY) {
        openapi_schema_text(b, "description", p->doc);
    }
    sbuf_char(b, '}');
}

void openapi_schema_body(struct sbuf *b, const struct route_plan *plan)
{
    struct sbuf required;
    bool first = true;
    sbuf_init(&required);
    sbuf_text(b, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < plan->params.count; i++) {
        const struct param *p = &plan->params.rows[i];
        if (p->in != IN_BODY) {
            continue;
        }
        sbuf_text(b, first ? "" : ",");
        openapi_schema_key(b, p->name);
        openapi_schema_param(b, p);
        first = false;
        if (p->required) {
            sbuf_fmt(&required, "%s\"%s\"", required.len ? "," : "", p->name);
        }
    }
    sbuf_char(b, '}');
    if (required.len) {
        sbuf_text(b, ",\"required\":[");
        sbuf_add(b, sbuf_slice(&required));
        sbuf_char(b, ']');
    }
    sbuf_char(b, '}');
    b->failed |= required.failed;
    sbuf_fini(&required);
}

/* ---- columns ---- */

/* Numbers, ids and an appointment's times are always there; texts, dates and the time of archiving may be null. */
static bool column_nullable(enum type t)
{
    return t != T_INT && t != T_BOOL && t != T_UUID && t != T_ZONED && t != T_ADDED;
}

static void write_column(struct sbuf *b, const struct column *c, const char *name)
{
    openapi_schema_key(b, name);
    sbuf_char(b, '{');
    write_type(b, c->type, column_nullable(c->type));
    if (c->doc) {
        openapi_schema_text(b, "description", c->doc);
    }
    sbuf_char(b, '}');
}

/* The columns from *at on whose names begin with the same n bytes, as members of one object; *at moves behind them. */
static void write_members(struct sbuf *b, const struct column *rows, size_t *at, size_t n)
{
    const char *prefix = rows[*at].name;
    for (bool first = true; rows[*at].name && strncmp(rows[*at].name, prefix, n) == 0;
         first = false) {
        const char *name = rows[*at].name + n, *dot = strchr(name, '.');
        sbuf_text(b, first ? "" : ",");
        if (!dot) {
            write_column(b, &rows[(*at)++], name);
            continue;
        }
        sbuf_json(b, (struct slice){ name, (size_t)(dot - name) });
        sbuf_text(b, ":{\"type\":\"object\",\"properties\":{");
        write_members(b, rows, at, (size_t)(dot - rows[*at].name) + 1);
        sbuf_text(b, "}}");
    }
}

void openapi_schema_columns(struct sbuf *b, const struct column *columns)
{
    size_t at = 0;
    sbuf_text(b, "{\"type\":\"object\",\"properties\":{");
    write_members(b, columns, &at, 0);
    sbuf_text(b, "}}");
}
