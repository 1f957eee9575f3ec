/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A fixed array of cells with chained buckets; the hand of a clock picks the cell that gives way. */
#include "router/token_cache.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "common/clock.h"

#define NONE         UINT32_MAX
#define DIGEST_BYTES 32

struct cell {
    uint8_t digest[DIGEST_BYTES];
    struct token_claims claims;
    uint32_t next; /* in its bucket */
    bool used, recent;
};

struct token_cache {
    size_t capacity;
    uint32_t mask, hand;
    const struct revoked *revoked;
    EVP_MD *sha256;
    EVP_MD_CTX *md;
    uint32_t *buckets;
    struct cell *cells;
    struct token_cache_stats stats;
};

enum err token_cache_new(size_t capacity, const struct revoked *revoked, struct token_cache **out)
{
    struct token_cache *c = calloc(1, sizeof(*c));
    size_t buckets = 16;
    while (buckets < capacity * 2) {
        buckets *= 2;
    }
    if (!c) {
        return E_NOMEM;
    }
    c->capacity = capacity;
    c->mask = (uint32_t)(buckets - 1);
    c->revoked = revoked;
    c->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    c->md = EVP_MD_CTX_new();
    c->buckets = malloc(buckets * sizeof(*c->buckets));
    c->cells = calloc(capacity, sizeof(*c->cells));
    if (!c->sha256 || !c->md || !c->buckets || !c->cells) {
        token_cache_free(c);
        return E_NOMEM;
    }
    token_cache_clear(c);
    *out = c;
    return OK;
}

void token_cache_free(struct token_cache *c)
{
    if (c) {
        EVP_MD_CTX_free(c->md);
        EVP_MD_free(c->sha256);
        free(c->buckets);
        free(c->cells);
        free(c);
    }
}

void token_cache_clear(struct token_cache *c)
{
    memset(c->buckets, 0xff, ((size_t)c->mask + 1) * sizeof(*c->buckets));
    for (size_t i = 0; i < c->capacity; i++) {
        c->cells[i].used = false;
    }
    c->stats.entries = 0;
}

struct token_cache_stats token_cache_stats(const struct token_cache *c)
{
    return c->stats;
}

static bool digest(struct token_cache *c, struct slice token, uint8_t out[DIGEST_BYTES])
{
    return EVP_DigestInit_ex2(c->md, c->sha256, NULL) == 1 &&
           EVP_DigestUpdate(c->md, token.p, token.n) == 1 &&
           EVP_DigestFinal_ex(c->md, out, NULL) == 1;
}

static uint32_t *bucket_of(const struct token_cache *c, const uint8_t *d)
{
    uint32_t h;
    memcpy(&h, d, sizeof(h));
    return &c->buckets[h & c->mask];
}

static void drop(struct token_cache *c, uint32_t at)
{
    uint32_t *link = bucket_of(c, c->cells[at].digest);
    while (*link != at) {
        link = &c->cells[*link].next;
    }
    *link = c->cells[at].next;
    c->cells[at].used = false;
    c->stats.entries--;
}

static uint32_t find(const struct token_cache *c, const uint8_t *d)
{
    uint32_t at = *bucket_of(c, d);
    while (at != NONE && memcmp(c->cells[at].digest, d, DIGEST_BYTES) != 0) {
        at = c->cells[at].next;
    }
    return at;
}

/* An empty cell: the hand spares each recently used cell once. */
static uint32_t take_cell(struct token_cache *c)
{
    for (;;) {
        uint32_t at = c->hand;
        c->hand = (uint32_t)((c->hand + 1u) % c->capacity);
        if (!c->cells[at].used) {
            return at;
        }
        if (!c->cells[at].recent) {
            drop(c, at);
            return at;
        }
        c->cells[at].recent = false;
    }
}

static void keep(struct token_cache *c, const uint8_t *d, const struct token_claims *claims)
{
    uint32_t at = take_cell(c);
    uint32_t *bucket = bucket_of(c, d);
    struct cell *cell = &c->cells[at];
    memcpy(cell->digest, d, DIGEST_BYTES);
    cell->claims = *claims;
    cell->used = true;
    cell->recent = false;
    cell->next = *bucket;
    *bucket = at;
    c->stats.entries++;
}

/* What may have changed since the token was verified; the clock may also have gone back. */
static enum err check_now(const struct token_cache *c, const struct token_claims *claims,
                          int64_t now_s)
{
    if (revoked_has(c->revoked, &claims->principal.session) || claims->iat > now_s + TOKEN_SKEW_S) {
        return E_UNAUTHENTICATED;
    }
    bool forgotten = claims->iat <= revoked_floor_s(c->revoked);
    return forgotten || now_s >= claims->exp + TOKEN_SKEW_S ? E_TOKEN_EXPIRED : OK;
}

static enum err verify(struct token_cache *c, const struct token_rules *rules, struct slice token,
                       struct principal *out)
{
    uint8_t d[DIGEST_BYTES];
    int64_t now_s = clock_wall_s();
    struct token_claims claims;
    if (token.n == 0 || token.n > TOKEN_MAX || !digest(c, token, d)) {
        return E_UNAUTHENTICATED;
    }
    uint32_t at = find(c, d);
    if (at == NONE) {
        c->stats.misses++;
        TRY(token_verify(rules, token, now_s, &claims));
        TRY(check_now(c, &claims, now_s));
        keep(c, d, &claims);
        *out = claims.principal;
        return OK;
    }
    enum err e = check_now(c, &c->cells[at].claims, now_s);
    if (e != OK) {
        drop(c, at);
        return e;
    }
    c->stats.hits++;
    c->cells[at].recent = true;
    *out = c->cells[at].claims.principal;
    return OK;
}

enum err token_cache_verify(struct token_cache *c, const struct token_rules *rules,
                            struct slice token, struct principal *out)
{
    enum err e = verify(c, rules, token, out);
    c->stats.refused += e != OK;
    return e;
}
