/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Text and JSON forms of records, tables and errors. */
#include "provisioning/output.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/str.h"

#define WIDTH_MAX 60 /* a column is never padded beyond it */

static const struct {
    enum output_exit number;
    const char *code;
    const char *doc;
} exits[] = {
#define EXIT_ROW(name, number, code, doc) { name, code, doc },
    OUTPUT_EXITS(EXIT_ROW)
#undef EXIT_ROW
};

static void print(FILE *to, struct sbuf *b)
{
    sbuf_char(b, '\n');
    if (!sbuf_failed(b)) {
        fwrite(b->data, 1, b->len, to);
        fflush(to);
    }
    sbuf_fini(b);
}

void output_json(struct sbuf *b)
{
    print(stdout, b);
}

void output_say(const struct output *o, const char *fmt, ...)
{
    if (o->json) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void output_value(struct sbuf *out, enum output_type type, const char *value)
{
    if (!value) {
        sbuf_text(out, "null");
        return;
    }
    switch (type) {
    case OUTPUT_TEXT:
        sbuf_json(out, slice_of(value));
        return;
    case OUTPUT_BOOL:
        sbuf_text(out, value[0] == 't' ? "true" : "false");
        return;
    case OUTPUT_NUMBER:
    case OUTPUT_JSON:
        sbuf_text(out, value);
        return;
    }
}

static const char *shown(enum output_type type, const char *value)
{
    if (!value || !*value) {
        return "-";
    }
    if (type == OUTPUT_BOOL) {
        return value[0] == 't' ? "yes" : "no";
    }
    return value;
}

static void pad(struct sbuf *b, const char *text, size_t width)
{
    sbuf_text(b, text);
    for (size_t n = str_utf8_len(slice_of(text)); n < width; n++) {
        sbuf_char(b, ' ');
    }
}

static void record_json(struct sbuf *b, const char *key, const struct output_field *fields)
{
    sbuf_fmt(b, "{\"%s\": {", key);
    for (const struct output_field *f = fields; f->name; f++) {
        sbuf_fmt(b, "%s\"%s\": ", f == fields ? "" : ", ", f->name);
        output_value(b, f->type, f->value);
    }
    sbuf_text(b, "}}");
}

static void record_text(struct sbuf *b, const struct output_field *fields)
{
    size_t width = 0;
    for (const struct output_field *f = fields; f->name; f++) {
        width = size_max(width, strlen(f->name));
    }
    for (const struct output_field *f = fields; f->name; f++) {
        if (f != fields) {
            sbuf_char(b, '\n');
        }
        pad(b, f->name, width + 2);
        sbuf_text(b, shown(f->type, f->value));
    }
}

void output_record(const struct output *o, const char *key, const struct output_field *fields)
{
    struct sbuf b;
    sbuf_init(&b);
    if (o->json) {
        record_json(&b, key, fields);
    } else {
        record_text(&b, fields);
    }
    print(stdout, &b);
}

static const char *cell(const PGresult *r, int row, int column)
{
    return PQgetisnull(r, row, column) ? NULL : PQgetvalue(r, row, column);
}

static void table_json(struct sbuf *b, const char *key, const struct output_column *columns,
                       const PGresult *r)
{
    sbuf_fmt(b, "{\"%s\": [", key);
    for (int row = 0; row < PQntuples(r); row++) {
        sbuf_text(b, row ? ",\n  {" : "\n  {");
        for (int i = 0; columns[i].name; i++) {
            sbuf_fmt(b, "%s\"%s\": ", i ? ", " : "", columns[i].name);
            output_value(b, columns[i].type, cell(r, row, i));
        }
        sbuf_char(b, '}');
    }
    sbuf_text(b, "]}");
}

static size_t column_width(const struct output_column *column, const PGresult *r, int at)
{
    size_t width = strlen(column->name);
    for (int row = 0; row < PQntuples(r); row++) {
        width = size_max(width, str_utf8_len(slice_of(shown(column->type, cell(r, row, at)))));
    }
    return size_min(width, WIDTH_MAX);
}

/* row -1 writes the heading. */
static void table_line(struct sbuf *b, const struct output_column *columns, const PGresult *r,
                       int row)
{
    for (int i = 0; columns[i].name; i++) {
        const char *text = row < 0 ? columns[i].name : shown(columns[i].type, cell(r, row, i));
        bool last = !columns[i + 1].name;
        pad(b, text, last ? 0 : column_width(&columns[i], r, i) + 2);
    }
}

void output_table(const struct output *o, const char *key, const struct output_column *columns,
                  const PGresult *r)
{
    struct sbuf b;
    sbuf_init(&b);
    if (o->json) {
        table_json(&b, key, columns, r);
    } else if (PQntuples(r) == 0) {
        sbuf_text(&b, "None.");
    } else {
        table_line(&b, columns, r, -1);
        for (int row = 0; row < PQntuples(r); row++) {
            sbuf_char(&b, '\n');
            table_line(&b, columns, r, row);
        }
    }
    print(stdout, &b);
}

static const char *exit_code_name(enum output_exit code)
{
    for (size_t i = 0; i < ARRAY_LEN(exits); i++) {
        if (exits[i].number == code) {
            return exits[i].code;
        }
    }
    return "failed";
}

static int error_text(const struct output *o, enum output_exit code, const char *text)
{
    struct sbuf b;
    sbuf_init(&b);
    if (o->json) {
        sbuf_fmt(&b,
                 "{\"error\": {\"code\": \"%s\", \"exit\": %d, \"message\": ", exit_code_name(code),
                 (int)code);
        sbuf_json(&b, slice_of(text));
        sbuf_text(&b, "}}");
    } else {
        sbuf_fmt(&b, "gremioctl: %s", text);
    }
    print(o->json ? stdout : stderr, &b);
    return (int)code;
}

int output_error(const struct output *o, enum output_exit code, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return error_text(o, code, text);
}

enum output_exit output_exit_of(enum err e)
{
    static const struct {
        enum err err;
        enum output_exit exit;
    } map[] = {
        { OK, EXIT_OK },
        { E_INVALID, EXIT_USAGE },
        { E_CONFIG, EXIT_USAGE },
        { E_NOT_FOUND, EXIT_NOT_FOUND },
        { E_ALREADY_EXISTS, EXIT_CONFLICT },
        { E_STATE_CONFLICT, EXIT_CONFLICT },
        { E_BUSY, EXIT_CONFLICT },
        { E_PRECONDITION_FAILED, EXIT_REFUSED },
        { E_DB_UNAVAILABLE, EXIT_UNREACHABLE },
    };
    for (size_t i = 0; i < ARRAY_LEN(map); i++) {
        if (map[i].err == e) {
            return map[i].exit;
        }
    }
    return EXIT_FAILED;
}

int output_failed(const struct output *o, enum err e, const struct sbuf *why)
{
    struct slice text = sbuf_slice(why);
    if (text.n == 0) {
        return error_text(o, output_exit_of(e), err_info(e)->title[LANG_EN]);
    }
    return output_error(o, output_exit_of(e), "%.*s", (int)text.n, text.p);
}

void output_exits_help(struct sbuf *out)
{
    sbuf_text(out, "Exit codes:\n");
    for (size_t i = 0; i < ARRAY_LEN(exits); i++) {
        sbuf_fmt(out, "  %d  %s\n", (int)exits[i].number, exits[i].doc);
    }
}
