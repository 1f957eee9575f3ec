/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A table of small rows: a source lives in the row of its hash and in no other, so looking is always short. */
#include "router/rate.h"

#include <stdlib.h>

#include "common/str.h"

#define ROW 8

struct cell {
    struct uuid source;
    int64_t full_us; /* in the past: as good as empty */
};

struct rate {
    size_t mask;
    struct cell (*rows)[ROW];
};

enum err rate_new(size_t sources, struct rate **out)
{
    struct rate *r = calloc(1, sizeof(*r));
    size_t rows = 1;
    while (rows * ROW < sources) {
        rows *= 2;
    }
    if (!r) {
        return E_NOMEM;
    }
    r->mask = rows - 1;
    r->rows = calloc(rows, sizeof(*r->rows));
    if (!r->rows) {
        free(r);
        return E_NOMEM;
    }
    *out = r;
    return OK;
}

void rate_free(struct rate *r)
{
    if (r) {
        free(r->rows);
        free(r);
    }
}

/* The source's cell, or the one it takes over. */
static struct cell *find(struct rate *r, const struct uuid *source)
{
    uint64_t h = str_hash((struct slice){ (const char *)source->b, sizeof(source->b) });
    struct cell *row = r->rows[(h ^ h >> 32) & r->mask], *fullest = row;
    for (size_t i = 0; i < ROW; i++) {
        if (uuid_eq(&row[i].source, source)) {
            return &row[i];
        }
        fullest = row[i].full_us < fullest->full_us ? &row[i] : fullest;
    }
    *fullest = (struct cell){ .source = *source };
    return fullest;
}

enum err rate_take(struct rate *r, const struct rate_rules *rules, const struct uuid *source,
                   int64_t now_us)
{
    if (rules->per_s == 0) {
        return OK;
    }
    struct cell *c = find(r, source);
    int64_t each = INT64_C(1000000) / rules->per_s;
    int64_t full = c->full_us > now_us ? c->full_us : now_us;
    if (full - now_us > each * (rules->burst - 1)) {
        return E_RATE_LIMITED;
    }
    c->full_us = full + each;
    return OK;
}
