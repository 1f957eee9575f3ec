/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Request-lived memory: many small pieces, freed at once. Blocks are kept on reset, up to a bound.
 * Not thread-safe; every process has its own. */
#ifndef GREMIO_ARENA_H
#define GREMIO_ARENA_H

#include "common/base.h"

struct arena_block;
struct arena {
    struct arena_block *head; /* block being filled */
    size_t used;              /* bytes handed out since the last reset */
    size_t limit;             /* arena_take beyond it returns NULL; 0 = no limit */
};

/* Starts empty; takes no memory until first use. limit in bytes, 0 for none. */
void arena_init(struct arena *a, size_t limit);
/* Zeroed memory, 16-byte aligned, until arena_reset or arena_fini; NULL when out of memory or past the limit. */
MUST_USE void *arena_take(struct arena *a, size_t n);
/* A NUL-terminated copy of s in the arena; NULL as above. */
MUST_USE char *arena_text(struct arena *a, struct slice s);
/* Forgets every piece, keeps at most one block for the next request. */
void arena_reset(struct arena *a);
/* Frees all. Fine on an arena that was only initialised. */
void arena_fini(struct arena *a);

#endif
