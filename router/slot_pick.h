/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Which slot takes a request: the one its tenant prefers (rendezvous hash, so that plans and catalogue caches of a
 * backend serve few tenants), or the least loaded once that one has a whole batch. Pure. */
#ifndef GREMIO_SLOT_PICK_H
#define GREMIO_SLOT_PICK_H

#include "common/base.h"

struct slot_load {
    uint64_t name_hash; /* of the slot's name: a respawned slot keeps its tenants */
    uint32_t inflight;  /* requests it has not answered */
    uint32_t batch_max; /* at most twice that many are in flight */
    bool closed;        /* takes nothing now: draining or kept for a retry */
};

/* Index of the chosen slot, -1 when none has room. key 0: no preference, the least loaded. */
int slot_pick(struct slot_load *const *slots, size_t n, uint64_t key);
/* The least loaded that is not closed, full or not; -1 when all are closed. */
int slot_pick_idlest(struct slot_load *const *slots, size_t n);

#endif
