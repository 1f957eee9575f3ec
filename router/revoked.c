/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A ring in the order of arrival and a chained hash table over its cells: nothing moves, nothing is allocated later. */
#include "router/revoked.h"

#include <stdlib.h>

#include "common/str.h"
#include "router/token.h"

#define NONE UINT32_MAX

struct cell {
    struct uuid session;
    int64_t at_s;
    uint32_t next; /* in its bucket */
};

struct revoked {
    size_t capacity, count, first; /* the ring: count cells from first on */
    uint32_t mask;
    int64_t floor_s;
    uint32_t *buckets;
    struct cell *cells;
};

enum err revoked_new(size_t capacity, struct revoked **out)
{
    struct revoked *r = calloc(1, sizeof(*r));
    size_t buckets = 16;
    while (buckets < capacity * 2) {
        buckets *= 2;
    }
    if (!r) {
        return E_NOMEM;
    }
    r->capacity = capacity;
    r->mask = (uint32_t)(buckets - 1);
    r->buckets = malloc(buckets * sizeof(*r->buckets));
    r->cells = calloc(capacity, sizeof(*r->cells));
    if (!r->buckets || !r->cells) {
        revoked_free(r);
        return E_NOMEM;
    }
    memset(r->buckets, 0xff, buckets * sizeof(*r->buckets));
    *out = r;
    return OK;
}

void revoked_free(struct revoked *r)
{
    if (r) {
        free(r->buckets);
        free(r->cells);
        free(r);
    }
}

static uint32_t *bucket_of(const struct revoked *r, const struct uuid *session)
{
    struct slice key = { (const char *)session->b, sizeof(session->b) };
    return &r->buckets[(uint32_t)str_hash(key) & r->mask];
}

bool revoked_has(const struct revoked *r, const struct uuid *session)
{
    if (r->count == 0) {
        return false;
    }
    uint32_t at = *bucket_of(r, session);
    while (at != NONE && !uuid_eq(&r->cells[at].session, session)) {
        at = r->cells[at].next;
    }
    return at != NONE;
}

static void drop_first(struct revoked *r)
{
    uint32_t gone = (uint32_t)r->first;
    uint32_t *link = bucket_of(r, &r->cells[gone].session);
    while (*link != gone) {
        link = &r->cells[*link].next;
    }
    *link = r->cells[gone].next;
    r->first = (r->first + 1) % r->capacity;
    r->count--;
}

/* Tokens as old as the session that is forgotten are refused from now on: for lack of room, or, when all of them have
 * expired, against a clock that comes back. */
static void forget_first(struct revoked *r)
{
    int64_t at_s = r->cells[r->first].at_s;
    r->floor_s = at_s > r->floor_s ? at_s : r->floor_s;
    drop_first(r);
}

void revoked_add(struct revoked *r, const struct uuid *session, int64_t at_s)
{
    if (revoked_has(r, session)) {
        return;
    }
    if (r->count == r->capacity) {
        forget_first(r);
    }
    uint32_t at = (uint32_t)((r->first + r->count) % r->capacity);
    uint32_t *bucket = bucket_of(r, session);
    r->cells[at] = (struct cell){ .session = *session, .at_s = at_s, .next = *bucket };
    *bucket = at;
    r->count++;
}

int64_t revoked_floor_s(const struct revoked *r)
{
    return r->floor_s;
}

void revoked_expire(struct revoked *r, int64_t now_s)
{
    int64_t horizon = now_s - TOKEN_LIFETIME_MAX_S - 2 * TOKEN_SKEW_S;
    while (r->count > 0 && r->cells[r->first].at_s < horizon) {
        forget_first(r);
    }
}

size_t revoked_count(const struct revoked *r)
{
    return r->count;
}
