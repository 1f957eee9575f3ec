/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Joins the tables: a slot's word about its own kind's routes goes before that of others. */
#include "router/routes.h"

#include <stdlib.h>

struct routes {
    struct route_map all;
    struct route_map said[KIND_COUNT]; /* by the kind of the slot that said it */
};

enum err routes_new(struct routes **out)
{
    struct routes *r = calloc(1, sizeof(*r));
    if (!r) {
        return E_NOMEM;
    }
    *out = r;
    return OK;
}

void routes_free(struct routes *r)
{
    free(r);
}

static bool has(const struct route_map *map, const struct route_entry *row)
{
    for (size_t i = 0; i < map->count; i++) {
        if (map->rows[i].method == row->method && strcmp(map->rows[i].pattern, row->pattern) == 0) {
            return true;
        }
    }
    return false;
}

/* own: only rows of the kind that said them; otherwise only those of others. */
static void join(struct routes *r, enum slot_kind kind, bool own)
{
    const struct route_map *map = &r->said[kind];
    for (size_t i = 0; i < map->count && r->all.count < ROUTE_MAP_MAX; i++) {
        const struct route_entry *row = &map->rows[i];
        if ((row->kind == kind) == own && !has(&r->all, row)) {
            r->all.rows[r->all.count++] = *row;
        }
    }
}

void routes_learn(struct routes *r, enum slot_kind kind, const struct route_map *map)
{
    r->said[kind] = *map;
    r->all.count = 0;
    for (size_t k = 0; k < KIND_COUNT; k++) {
        join(r, (enum slot_kind)k, true);
    }
    for (size_t k = 0; k < KIND_COUNT; k++) {
        join(r, (enum slot_kind)k, false);
    }
}

const struct route_map *routes_map(const struct routes *r)
{
    return &r->all;
}
