/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Which slot takes a request: the one its tenant prefers (so that plans and catalogue caches of a backend serve few
 * tenants), or the least loaded once that one has a whole batch. Pure. */
#ifndef GREMIO_SLOT_PICK_H
#define GREMIO_SLOT_PICK_H

#include "common/base.h"

#define SLOT_PICK_STALL_US 10000 /* a slot that has owed an answer for so long gets no more */

struct slot_load {
    uint64_t name_hash; /* of the slot's name: a respawned slot keeps its tenants */
    uint32_t inflight;  /* requests it has not answered */
    uint32_t taken;     /* places they take: a slow one takes several */
    uint32_t batch;     /* places of what it runs at once */
    uint32_t places;
    int64_t since_us; /* when the oldest of those in flight was sent; anything with none */
    bool closed;      /* takes nothing any more */
    bool kept;        /* takes nothing now: a retry is to run there alone */
};

/* The slot with the highest weight for the key (rendezvous); -1 when all are closed. */
int slot_pick_preferred(struct slot_load *const *slots, size_t n, uint64_t key);
/* Gives each of so many keys a slot by the same weights, but no slot more than its even part: home[key] is the index, -1
 * when all are closed. When a slot goes, mostly its own keys move; they come back with it. */
void slot_pick_homes(struct slot_load *const *slots, size_t n, int16_t *home, size_t keys);

/* May it take one more? Not when its oldest request has been there for long: what is behind a slow one only waits. */
bool slot_pick_has_room(const struct slot_load *s, int64_t now_us);
/* Index of the chosen slot, -1 when none has room. first: the preferred one; -1: none is. */
int slot_pick(struct slot_load *const *slots, size_t n, int first, int64_t now_us);
/* The least loaded that is not closed, full or not; -1 when all are closed. */
int slot_pick_idlest(struct slot_load *const *slots, size_t n);

#endif
