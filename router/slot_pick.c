/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Highest random weight over a handful of slots: a few multiplications each. */
#include "router/slot_pick.h"

/* splitmix64's finaliser: every bit of v reaches every bit of the weight. */
static uint64_t mix(uint64_t v)
{
    v = (v ^ (v >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    v = (v ^ (v >> 27)) * UINT64_C(0x94d049bb133111eb);
    return v ^ (v >> 31);
}

static int preferred(struct slot_load *const *slots, size_t n, uint64_t key)
{
    int best = -1;
    uint64_t best_weight = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t weight = mix(key ^ mix(slots[i]->name_hash));
        if (!slots[i]->closed && (best < 0 || weight > best_weight)) {
            best = (int)i;
            best_weight = weight;
        }
    }
    return best;
}

int slot_pick_idlest(struct slot_load *const *slots, size_t n)
{
    int best = -1;
    for (size_t i = 0; i < n; i++) {
        if (!slots[i]->closed && (best < 0 || slots[i]->inflight < slots[best]->inflight)) {
            best = (int)i;
        }
    }
    return best;
}

int slot_pick(struct slot_load *const *slots, size_t n, uint64_t key)
{
    int first = key ? preferred(slots, n, key) : -1;
    if (first >= 0 && slots[first]->inflight < slots[first]->batch_max) {
        return first;
    }
    int best = slot_pick_idlest(slots, n);
    return best >= 0 && slots[best]->inflight < 2 * slots[best]->batch_max ? best : -1;
}
