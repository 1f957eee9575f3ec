/* SPDX-License-Identifier: LicenseRef-Gremio */
/* All rows of worker/api/ checked and compiled at boot: the map routers are told, statements with $n, JSON plans.
 * A row that cannot work stops the worker with a sentence that names it. Compiled once, before any fork. */
#ifndef GREMIO_ROUTES_H
#define GREMIO_ROUTES_H

#include "worker/page.h"
#include "worker/params.h"
#include "worker/render.h"
#include "worker/stmt.h"

struct route_plan {
    const struct route *row;
    uint16_t index; /* in the map and in routes.plans */
    enum slot_kind kind;
    bool by_slug; /* .by_link, and the practice is named by its {slug} */
    bool paged;   /* SHAPE_PAGE with sorts: limit and cursor are at params.rows[page_at] */
    size_t page_at;
    struct params_plan params;
    size_t var_count;
    struct stmt_plan
        *sql; /* sorts: [2 * sort + with_cursor]; otherwise one; NULL without row->sql */
    size_t sql_count;
    struct stmt_plan *probe; /* NULL without */
    struct stmt_plan *stmts; /* in the order of row->stmts */
    size_t stmt_count;
    unsigned builtins;         /* bit per enum stmt_builtin that a request must have filled */
    struct render_plan render; /* count 0 for SHAPE_NONE and SHAPE_RAW */
};

struct routes {
    size_t count;
    struct route_plan *plans; /* owned, [ROUTE_MAP_MAX] at most */
    struct route_map map;
};

/* The biggest body of a route that does not say. */
#define ROUTES_BODY_DEFAULT (64u << 10)

/* Compiles every row of the tables (ended by NULL; each ended by a zeroed row). E_CONFIG with a sentence naming the route. *out
 * is heavy: keep it static or on the heap. routes_free takes it after success and after failure. */
MUST_USE enum err routes_compile(const struct route *const *tables, struct routes *out,
                                 struct sbuf *why);
void routes_free(struct routes *r);

enum slot_kind routes_kind(enum cost cost);
/* The plan of one of the row's stmts; NULL when the row does not list it. */
const struct stmt_plan *routes_stmt(const struct route_plan *p, const struct stmt *s);

#endif
