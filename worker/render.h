/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Rows of a result to JSON. What stands between the values (names, braces, commas) is put together once at boot, so that
 * a row is a walk over its cells. */
#ifndef GREMIO_RENDER_H
#define GREMIO_RENDER_H

#include <libpq-fe.h>

#include "common/sbuf.h"
#include "worker/route.h"

struct render_cell {
    struct slice before; /* everything between the value before and this one: ,"client":{"name": */
    enum type type;
    uint16_t field; /* column of the result; T_ZONED takes this and the next */
};

struct render_plan {
    size_t count;
    struct render_cell cells[ROUTE_COLUMNS_LIMIT];
    struct slice after; /* closing braces */
    uint16_t fields;    /* result columns needed */
    int version, id;    /* result columns "version" and "id"; -1 when there is none */
    char *text;         /* owned: what the slices point into */
};

/* E_CONFIG with a sentence: no columns, a name twice, a nested object that is opened twice, types only for parameters. */
MUST_USE enum err render_compile(const struct column *columns, struct render_plan *out,
                                 struct sbuf *why);
void render_free(struct render_plan *p);

/* Appends one row as an object. rows must have at least plan->fields columns (the caller checked). A value that is not
 * what its column says (a timestamp without a year) sets out->failed. */
void render_row(const struct render_plan *p, const PGresult *rows, int row, struct sbuf *out);

#endif
