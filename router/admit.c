/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Open addressing by source, twice as many cells as requests can be in flight: it can never be full. */
#include "router/admit.h"

#include <stdlib.h>

#include "common/str.h"

struct cell {
    struct uuid source;
    uint32_t count; /* 0: empty */
};

struct admit {
    size_t max, count, sources, mask;
    struct cell *cells;
};

enum err admit_new(size_t max, struct admit **out)
{
    struct admit *a = calloc(1, sizeof(*a));
    size_t cells = 16;
    while (cells < max * 2) {
        cells *= 2;
    }
    if (!a) {
        return E_NOMEM;
    }
    a->max = max;
    a->mask = cells - 1;
    a->cells = calloc(cells, sizeof(*a->cells));
    if (!a->cells) {
        free(a);
        return E_NOMEM;
    }
    *out = a;
    return OK;
}

void admit_free(struct admit *a)
{
    if (a) {
        free(a->cells);
        free(a);
    }
}

static size_t home_of(const struct admit *a, const struct uuid *source)
{
    return (size_t)str_hash((struct slice){ (const char *)source->b, sizeof(source->b) }) & a->mask;
}

static struct cell *find(const struct admit *a, const struct uuid *source)
{
    size_t at = home_of(a, source);
    while (a->cells[at].count > 0 && !uuid_eq(&a->cells[at].source, source)) {
        at = (at + 1) & a->mask;
    }
    return &a->cells[at];
}

static void close_hole(struct admit *a, size_t hole)
{
    for (size_t at = (hole + 1) & a->mask; a->cells[at].count > 0; at = (at + 1) & a->mask) {
        size_t home = home_of(a, &a->cells[at].source);
        if (((at - home) & a->mask) >= ((at - hole) & a->mask)) {
            a->cells[hole] = a->cells[at];
            hole = at;
        }
    }
    a->cells[hole].count = 0;
}

enum err admit_enter(struct admit *a, struct exchange *x, size_t per_source)
{
    if (admit_is_full(a)) {
        return E_OVERLOADED;
    }
    struct cell *cell = find(a, &x->source);
    if (cell->count >= per_source) {
        return E_RATE_LIMITED;
    }
    if (cell->count++ == 0) {
        cell->source = x->source;
        a->sources++;
    }
    a->count++;
    x->admitted = true;
    return OK;
}

void admit_leave(struct admit *a, struct exchange *x)
{
    if (!x->admitted) {
        return;
    }
    x->admitted = false;
    a->count--;
    struct cell *cell = find(a, &x->source);
    if (--cell->count == 0) {
        a->sources--;
        close_hole(a, (size_t)(cell - a->cells));
    }
}

size_t admit_count(const struct admit *a)
{
    return a->count;
}

size_t admit_sources(const struct admit *a)
{
    return a->sources;
}

bool admit_is_full(const struct admit *a)
{
    return a->count >= a->max;
}
