/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Slots of one release say the same: equal tables are kept once. What a kind says of its own routes is final; of a kind
 * that no slot has spoken for, the others are believed, so that its routes answer "unavailable" rather than "not found". */
#include "router/routes.h"

#include <stdlib.h>

#define SPEAKERS_MAX 512

struct table {
    unsigned users;
    struct route_map map;
};

struct speaker {
    const void *who;
    enum slot_kind kind;
    struct table *table;
};

struct routes {
    struct route_map all;
    size_t count;
    struct speaker speakers[SPEAKERS_MAX];
    struct table *last
        [KIND_COUNT]; /* of the last slot of a kind that went; NULL while there are slots, or never were */
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

static void release(struct table *t)
{
    if (t && --t->users == 0) {
        free(t);
    }
}

void routes_free(struct routes *r)
{
    for (size_t i = 0; r && i < r->count; i++) {
        release(r->speakers[i].table);
    }
    for (size_t k = 0; r && k < KIND_COUNT; k++) {
        release(r->last[k]);
    }
    free(r);
}

/* ---- tables ---- */

static struct route_entry *find(struct route_map *map, const struct route_entry *row)
{
    for (size_t i = 0; i < map->count; i++) {
        struct route_entry *e = &map->rows[i];
        if (e->method == row->method && strcmp(e->pattern, row->pattern) == 0) {
            return e;
        }
    }
    return NULL;
}

static bool equal(const struct route_map *a, const struct route_map *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        const struct route_entry *x = &a->rows[i], *y = &b->rows[i];
        same = x->method == y->method && x->kind == y->kind && x->open == y->open &&
               x->by_link == y->by_link && x->form == y->form && x->page == y->page &&
               x->max_body == y->max_body && strcmp(x->pattern, y->pattern) == 0;
    }
    return same;
}

/* The table with that content, one user more; NULL when out of memory. */
static struct table *keep(struct routes *r, const struct route_map *map)
{
    for (size_t i = 0; i < r->count; i++) {
        if (equal(&r->speakers[i].table->map, map)) {
            r->speakers[i].table->users++;
            return r->speakers[i].table;
        }
    }
    struct table *t = malloc(sizeof(*t));
    if (t) {
        t->users = 1;
        t->map = *map;
    }
    return t;
}

/* ---- joining ---- */

/* The slot has the row too; what they differ in is decided for the stricter. False: it has not. */
static bool agrees(struct speaker *s, struct route_entry *row)
{
    const struct route_entry *own = find(&s->table->map, row);
    if (!own || own->kind != row->kind || own->by_link != row->by_link) {
        return false;
    }
    row->open = row->open && own->open;
    row->form = row->form && own->form;
    row->page = row->page && own->page;
    row->max_body = row->max_body < own->max_body ? row->max_body : own->max_body;
    return true;
}

static void add(struct routes *r, const struct route_entry *row)
{
    if (r->all.count < ROUTE_MAP_MAX && !find(&r->all, row)) {
        r->all.rows[r->all.count++] = *row;
    }
}

/* The rows of kind in one table of its slots, if all the others have them. */
static void join_own(struct routes *r, enum slot_kind kind, const struct table *t)
{
    for (size_t i = 0; i < t->map.count; i++) {
        struct route_entry row = t->map.rows[i];
        bool all = row.kind == kind;
        for (size_t s = 0; all && s < r->count; s++) {
            struct speaker *speaker = &r->speakers[s];
            all = speaker->kind != kind || speaker->table == t || agrees(speaker, &row);
        }
        if (all) {
            add(r, &row);
        }
    }
}

static void join_others(struct routes *r, const struct table *t, const bool spoken[KIND_COUNT])
{
    for (size_t i = 0; i < t->map.count; i++) {
        if (!spoken[t->map.rows[i].kind]) {
            add(r, &t->map.rows[i]);
        }
    }
}

static void join(struct routes *r)
{
    const struct table *own[KIND_COUNT];
    bool spoken[KIND_COUNT];
    memcpy(own, r->last, sizeof(own));
    for (size_t i = 0; i < r->count; i++) {
        own[r->speakers[i].kind] = r->speakers[i].table;
    }
    r->all.count = 0;
    for (size_t k = 0; k < KIND_COUNT; k++) {
        spoken[k] = own[k] != NULL;
        if (own[k]) {
            join_own(r, (enum slot_kind)k, own[k]);
        }
    }
    for (size_t k = 0; k < KIND_COUNT; k++) {
        if (own[k]) {
            join_others(r, own[k], spoken);
        }
    }
    route_map_index(&r->all);
}

enum err routes_learn(struct routes *r, const void *who, enum slot_kind kind,
                      const struct route_map *map)
{
    struct table *t = r->count < SPEAKERS_MAX ? keep(r, map) : NULL;
    if (!t) {
        return E_NOMEM;
    }
    r->speakers[r->count++] = (struct speaker){ .who = who, .kind = kind, .table = t };
    release(r->last[kind]);
    r->last[kind] = NULL;
    join(r);
    return OK;
}

static bool has_speaker(const struct routes *r, enum slot_kind kind)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->speakers[i].kind == kind) {
            return true;
        }
    }
    return false;
}

void routes_forget(struct routes *r, const void *who)
{
    for (size_t i = 0; i < r->count; i++) {
        struct speaker s = r->speakers[i];
        if (s.who != who) {
            continue;
        }
        r->speakers[i] = r->speakers[--r->count];
        if (has_speaker(r, s.kind)) {
            release(s.table);
        } else {
            r->last[s.kind] = s.table;
        }
        join(r);
        return;
    }
}

const struct route_map *routes_map(const struct routes *r)
{
    return &r->all;
}
