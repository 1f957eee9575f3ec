/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Bump allocation in blocks that double from 8 KiB to 64 KiB. A piece too big for that gets a block of its own,
 * linked behind the one being filled. Under AddressSanitizer what is not handed out is poisoned. */
#include "common/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif
#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define BLOCK_MIN ((size_t)8 << 10)
#define BLOCK_MAX ((size_t)64 << 10)
#define ALIGN     ((size_t)16)

struct arena_block {
    struct arena_block *next;
    size_t cap;
    size_t fill;
    alignas(ALIGN) char data[];
};

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){ .limit = limit };
}

static struct arena_block *block_new(size_t cap)
{
    struct arena_block *b = malloc(sizeof(*b) + cap);
    if (b) {
        b->next = NULL;
        b->cap = cap;
        b->fill = 0;
        POISON(b->data, cap);
    }
    return b;
}

static void block_free(struct arena_block *b)
{
    UNPOISON(b->data, b->cap);
    free(b);
}

/* A block with room for n: the head, a new head, or one of its own behind the head. */
static struct arena_block *block_for(struct arena *a, size_t n)
{
    struct arena_block *head = a->head;
    if (head && head->cap - head->fill >= n) {
        return head;
    }
    bool own = n > BLOCK_MAX / 4;
    size_t usual = head ? size_min(size_max(head->cap * 2, BLOCK_MIN), BLOCK_MAX) : BLOCK_MIN;
    struct arena_block *b = block_new(own ? n : size_max(usual, n));
    if (!b) {
        return NULL;
    }
    if (own && head) {
        b->next = head->next;
        head->next = b;
    } else {
        b->next = head;
        a->head = b;
    }
    return b;
}

void *arena_take(struct arena *a, size_t n)
{
    if (n > SIZE_MAX / 2 || (a->limit && (a->used > a->limit || n > a->limit - a->used))) {
        return NULL;
    }
    size_t padded = (size_max(n, 1) + ALIGN - 1) & ~(ALIGN - 1);
    struct arena_block *b = block_for(a, padded);
    if (!b) {
        return NULL;
    }
    char *p = b->data + b->fill;
    b->fill += padded;
    a->used += padded;
    UNPOISON(p, n);
    return memset(p, 0, n);
}

char *arena_text(struct arena *a, struct slice s)
{
    char *copy = s.n < SIZE_MAX ? arena_take(a, s.n + 1) : NULL;
    if (copy && s.n > 0) {
        memcpy(copy, s.p, s.n);
    }
    return copy;
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = NULL;
    struct arena_block *next;
    for (struct arena_block *b = a->head; b; b = next) {
        next = b->next;
        if (!keep && b->cap <= BLOCK_MAX) {
            keep = b;
        } else {
            block_free(b);
        }
    }
    if (keep) {
        keep->next = NULL;
        keep->fill = 0;
        POISON(keep->data, keep->cap);
    }
    a->head = keep;
    a->used = 0;
}

void arena_fini(struct arena *a)
{
    struct arena_block *next;
    for (struct arena_block *b = a->head; b; b = next) {
        next = b->next;
        block_free(b);
    }
    *a = (struct arena){ .limit = a->limit };
}
