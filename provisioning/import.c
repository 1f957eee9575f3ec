/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Columns as rows of one table; every wrong line is collected, so that an operator mends the file once. */
#include "provisioning/import.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/str.h"
#include "provisioning/csv.h"

const char import_columns[] = "slug,name,owner_email,owner_name,sector,country,time_zone,locale,"
                              "currency,password";

static const struct column {
    const char *name;
    size_t offset; /* of a const char * in struct practice_spec */
    bool needed;   /* as a value; NULL is allowed otherwise */
} columns[] = {
    { "slug", offsetof(struct practice_spec, slug), true },
    { "name", offsetof(struct practice_spec, name), true },
    { "owner_email", offsetof(struct practice_spec, owner_email), true },
    { "owner_name", offsetof(struct practice_spec, owner_name), false },
    { "sector", offsetof(struct practice_spec, sector), true },
    { "country", offsetof(struct practice_spec, country), true },
    { "time_zone", offsetof(struct practice_spec, time_zone), true },
    { "locale", offsetof(struct practice_spec, locale), true },
    { "currency", offsetof(struct practice_spec, currency), true },
    { "password", offsetof(struct practice_spec, password), false },
};

#define COLUMNS ARRAY_LEN(columns)

/* State of one reading. */
struct reading {
    struct import *out;
    const struct practice_spec *defaults;
    size_t capacity;
    size_t order[COLUMNS]; /* column of the file's n-th field */
    size_t fields;
    size_t wrong;
    struct sbuf *why;
};

static const char **value_at(struct practice_spec *spec, size_t column)
{
    return (const char **)(void *)((char *)spec + columns[column].offset);
}

static void complain(struct reading *r, size_t line, const char *text)
{
    if (r->wrong++ < IMPORT_SHOWN_MAX) {
        sbuf_fmt(r->why, "%sline %zu: %s", r->wrong > 1 ? "\n" : "", line, text);
    }
}

static size_t column_of(const char *name)
{
    size_t i = 0;
    while (i < COLUMNS && strcmp(columns[i].name, name) != 0) {
        i++;
    }
    return i;
}

/* The first record names the columns, in any order, each once. */
static enum err read_header(struct reading *r, struct csv *csv)
{
    char *names[COLUMNS];
    bool seen[COLUMNS] = { false };
    enum err e = csv_next(csv, names, COLUMNS, &r->fields, r->why);
    if (e == E_CLOSED) {
        sbuf_text(r->why, "The file is empty.");
    }
    if (e != OK) {
        return E_INVALID;
    }
    for (size_t i = 0; i < r->fields; i++) {
        size_t column = column_of(names[i]);
        if (column == COLUMNS || seen[column]) {
            sbuf_fmt(r->why, "The first line must name columns, each once, of %s; \"%.60s\" is %s.",
                     import_columns, names[i], column == COLUMNS ? "none" : "there twice");
            return E_INVALID;
        }
        seen[column] = true;
        r->order[i] = column;
    }
    return OK;
}

/* E-mails are compared with those of the database, which are in lower case; it never gets longer. */
static void lower(char *text)
{
    for (; *text; text++) {
        *text = *text >= 'A' && *text <= 'Z' ? (char)(*text + 32) : *text;
    }
}

static bool complete(struct reading *r, struct practice_spec *spec, size_t line)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        const char **value = value_at(spec, i);
        if (!*value && columns[i].needed) {
            char text[80];
            snprintf(text, sizeof(text), "%s is missing.", columns[i].name);
            complain(r, line, text);
            return false;
        }
    }
    return true;
}

static void check(struct reading *r, const struct practice_spec *spec, size_t line)
{
    struct sbuf why;
    sbuf_init(&why);
    enum err e = practice_check(spec, &why);
    if (e == OK && spec->password) {
        e = account_password_check(slice_of(spec->password), &why);
    }
    sbuf_char(&why, '\0');
    if (e != OK) {
        complain(r, line, sbuf_failed(&why) ? "wrong" : why.data);
    }
    sbuf_fini(&why);
}

static void fill_row(struct reading *r, struct import_row *row, char **fields)
{
    struct practice_spec *spec = &row->spec;
    *spec = *r->defaults;
    spec->slug = spec->name = spec->owner_email = spec->owner_name = spec->password = NULL;
    for (size_t i = 0; i < r->fields; i++) {
        if (fields[i][0]) {
            *value_at(spec, r->order[i]) = fields[i];
        }
        if (columns[r->order[i]].offset == offsetof(struct practice_spec, owner_email)) {
            lower(fields[i]);
        }
    }
    if (complete(r, spec, row->line)) {
        check(r, spec, row->line);
    }
    r->out->needs_passwords |= !spec->password;
}

static enum err add_row(struct reading *r, size_t line, char **fields)
{
    struct import *m = r->out;
    if (m->count == r->capacity) {
        size_t more = r->capacity ? 2 * r->capacity : 256;
        void *rows = realloc(m->rows, more * sizeof(*m->rows));
        if (!rows) {
            return E_NOMEM;
        }
        m->rows = rows;
        r->capacity = more;
    }
    m->rows[m->count] = (struct import_row){ .line = line };
    fill_row(r, &m->rows[m->count++], fields);
    return OK;
}

static enum err read_rows(struct reading *r, struct csv *csv)
{
    char *fields[COLUMNS];
    size_t n;
    enum err e;
    while ((e = csv_next(csv, fields, r->fields, &n, r->why)) == OK) {
        if (n < r->fields) {
            complain(r, csv->line, "there are fewer fields than columns");
            continue;
        }
        TRY(add_row(r, csv->line, fields));
    }
    return e == E_CLOSED ? OK : e;
}

static int by_slug(const void *a, const void *b)
{
    const struct import_row *x = *(const struct import_row *const *)a;
    const struct import_row *y = *(const struct import_row *const *)b;
    int order = strcmp(x->spec.slug, y->spec.slug);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* Only when every row is whole: each slug once. */
static enum err check_slugs(struct reading *r)
{
    const struct import *m = r->out;
    const struct import_row **sorted = calloc(m->count + 1, sizeof(*sorted));
    if (!sorted) {
        return E_NOMEM;
    }
    for (size_t i = 0; i < m->count; i++) {
        sorted[i] = &m->rows[i];
    }
    qsort(sorted, m->count, sizeof(*sorted), by_slug);
    for (size_t i = 1; i < m->count; i++) {
        if (strcmp(sorted[i]->spec.slug, sorted[i - 1]->spec.slug) == 0) {
            char text[120];
            snprintf(text, sizeof(text), "the slug %s is on line %zu as well.",
                     sorted[i]->spec.slug, sorted[i - 1]->line);
            complain(r, sorted[i]->line, text);
        }
    }
    free(sorted);
    return OK;
}

static enum err verdict(struct reading *r)
{
    if (r->wrong == 0 && r->out->count == 0) {
        sbuf_text(r->why, "The file names no practice.");
        return E_INVALID;
    }
    if (r->wrong > IMPORT_SHOWN_MAX) {
        sbuf_fmt(r->why, "\nand %zu more", r->wrong - IMPORT_SHOWN_MAX);
    }
    return r->wrong ? E_INVALID : OK;
}

enum err import_parse(char *text, const struct practice_spec *defaults, struct import *out,
                      struct sbuf *why)
{
    struct csv csv;
    struct reading r = { .out = out, .defaults = defaults, .why = why };
    *out = (struct import){ .text = text, .length = strlen(text) };
    csv_init(&csv, text);
    enum err e = read_header(&r, &csv);
    e = e == OK ? read_rows(&r, &csv) : e;
    e = e == OK && r.wrong == 0 ? check_slugs(&r) : e;
    e = e == OK ? verdict(&r) : e;
    if (e != OK) {
        import_free(out);
    }
    return e;
}

/* All of f, which may be a pipe, and a NUL. */
static enum err read_all(FILE *f, struct sbuf *out, struct sbuf *why)
{
    size_t n;
    do {
        char *room = sbuf_room(out, 65536);
        n = room ? fread(room, 1, 65536, f) : 0;
        sbuf_added(out, n);
    } while (n > 0 && out->len <= IMPORT_FILE_MAX);
    bool broken = ferror(f) || sbuf_failed(out);
    struct slice text = sbuf_slice(out);
    if (broken || text.n > IMPORT_FILE_MAX || (text.n && memchr(text.p, '\0', text.n))) {
        sbuf_text(why,
                  broken ? "The file cannot be read." : "The file is no CSV text, or too long.");
        return E_INVALID;
    }
    sbuf_char(out, '\0');
    return sbuf_failed(out) ? E_NOMEM : OK;
}

enum err import_load(const char *file, const struct practice_spec *defaults, struct import *out,
                     struct sbuf *why)
{
    struct sbuf text;
    *out = (struct import){ 0 };
    FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
    if (!f) {
        sbuf_fmt(why, "The file %s cannot be opened.", file);
        return E_INVALID;
    }
    sbuf_init(&text);
    enum err e = read_all(f, &text, why);
    if (f != stdin) {
        fclose(f);
    }
    if (e != OK) {
        sbuf_fini(&text);
        return e;
    }
    return import_parse(text.data, defaults, out, why);
}

void import_free(struct import *m)
{
    if (m->text) {
        sodium_memzero(m->text, m->length);
    }
    free(m->text);
    free(m->rows);
    *m = (struct import){ 0 };
}
