/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The cache of prepared statements of one connection: a hash table over an array of fixed size, in order of use.
 * Links are index + 1, so that zeroed memory is an empty cache. */
#include <stdio.h>
#include <stdlib.h>

#include "worker/stmt.h"

uint64_t stmt_code(const char *code)
{
    uint64_t v = 0;
    memcpy(&v, code, strnlen(code, sizeof(v)));
    return v;
}

void stmt_name(uint32_t serial, char out[STMT_NAME_MAX])
{
    char digits[STMT_NAME_MAX];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + serial % 10);
        serial /= 10;
    } while (serial);
    *out++ = 's';
    while (n) {
        *out++ = digits[--n];
    }
    *out = '\0';
}

enum err stmt_cache_init(struct stmt_cache *c, uint32_t max)
{
    *c = (struct stmt_cache){ .max = max };
    uint32_t buckets = 16;
    while (buckets < max + max / 2) {
        buckets *= 2;
    }
    c->bucket_mask = buckets - 1;
    c->buckets = calloc(buckets, sizeof(*c->buckets));
    c->entries = calloc(max, sizeof(*c->entries));
    if (!c->buckets || !c->entries) {
        stmt_cache_fini(c);
        return E_NOMEM;
    }
    return OK;
}

void stmt_cache_fini(struct stmt_cache *c)
{
    free(c->buckets);
    free(c->entries);
    *c = (struct stmt_cache){ 0 };
}

void stmt_cache_clear(struct stmt_cache *c)
{
    memset(c->buckets, 0, (c->bucket_mask + 1) * sizeof(*c->buckets));
    memset(c->entries, 0, c->max * sizeof(*c->entries));
    c->count = c->serial = c->newest = c->oldest = c->free_list = 0;
}

static uint32_t *bucket_of(struct stmt_cache *c, uint64_t code, uint32_t id)
{
    uint64_t h = (code ^ ((uint64_t)id << 40) ^ id) * UINT64_C(0x9e3779b97f4a7c15);
    return &c->buckets[(h >> 32) & c->bucket_mask];
}

static uint32_t lookup(struct stmt_cache *c, uint64_t code, uint32_t id)
{
    uint32_t at = *bucket_of(c, code, id);
    while (at && (c->entries[at - 1].code != code || c->entries[at - 1].id != id)) {
        at = c->entries[at - 1].next_hash;
    }
    return at;
}

static void unlink_use(struct stmt_cache *c, uint32_t at)
{
    struct stmt_entry *e = &c->entries[at - 1];
    *(e->newer ? &c->entries[e->newer - 1].older : &c->newest) = e->older;
    *(e->older ? &c->entries[e->older - 1].newer : &c->oldest) = e->newer;
}

static void link_newest(struct stmt_cache *c, uint32_t at)
{
    struct stmt_entry *e = &c->entries[at - 1];
    e->newer = 0;
    e->older = c->newest;
    *(c->newest ? &c->entries[c->newest - 1].newer : &c->oldest) = at;
    c->newest = at;
}

static void remove_entry(struct stmt_cache *c, uint32_t at)
{
    struct stmt_entry *e = &c->entries[at - 1];
    uint32_t *link = bucket_of(c, e->code, e->id);
    while (*link != at) {
        link = &c->entries[*link - 1].next_hash;
    }
    *link = e->next_hash;
    unlink_use(c, at);
    *e = (struct stmt_entry){ .next_hash = c->free_list };
    c->free_list = at;
    c->count--;
}

uint32_t stmt_cache_find(struct stmt_cache *c, uint64_t code, uint32_t id)
{
    uint32_t at = lookup(c, code, id);
    if (!at) {
        return 0;
    }
    if (c->newest != at) {
        unlink_use(c, at);
        link_newest(c, at);
    }
    return c->entries[at - 1].serial;
}

static uint32_t unused_entry(struct stmt_cache *c)
{
    uint32_t at = c->free_list;
    if (at) {
        c->free_list = c->entries[at - 1].next_hash;
        return at;
    }
    return c->count + 1; /* entries are handed out in order until the first removal */
}

uint32_t stmt_cache_add(struct stmt_cache *c, uint64_t code, uint32_t id, uint32_t *evicted)
{
    *evicted = 0;
    if (c->count == c->max) {
        *evicted = c->entries[c->oldest - 1].serial;
        remove_entry(c, c->oldest);
    }
    uint32_t at = unused_entry(c);
    uint32_t *bucket = bucket_of(c, code, id);
    c->entries[at - 1] = (struct stmt_entry){
        .code = code, .id = id, .serial = ++c->serial, .next_hash = *bucket
    };
    *bucket = at;
    c->count++;
    link_newest(c, at);
    return c->serial;
}

void stmt_cache_drop(struct stmt_cache *c, uint64_t code, uint32_t id, uint32_t serial)
{
    uint32_t at = lookup(c, code, id);
    if (at && c->entries[at - 1].serial == serial) {
        remove_entry(c, at);
    }
}
