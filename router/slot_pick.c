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

static uint64_t weight(const struct slot_load *s, uint64_t key)
{
    return mix(key ^ mix(s->name_hash));
}

/* Of the slots with fewer than most keys, the preferred one. taken NULL: of all. */
static int preferred_below(struct slot_load *const *slots, size_t n, uint64_t key,
                           const uint32_t *taken, size_t most)
{
    int best = -1;
    for (size_t i = 0; i < n; i++) {
        if (!slots[i]->closed && (!taken || taken[i] < most) &&
            (best < 0 || weight(slots[i], key) > weight(slots[best], key))) {
            best = (int)i;
        }
    }
    return best;
}

int slot_pick_preferred(struct slot_load *const *slots, size_t n, uint64_t key)
{
    return preferred_below(slots, n, key, NULL, 0);
}

void slot_pick_homes(struct slot_load *const *slots, size_t n, int16_t *home, size_t keys)
{
    uint32_t taken[256] = { 0 };
    size_t open = 0;
    n = n < ARRAY_LEN(taken) ? n : ARRAY_LEN(taken);
    for (size_t i = 0; i < n; i++) {
        open += !slots[i]->closed;
    }
    for (size_t key = 0; key < keys; key++) {
        size_t most = open > 0 ? (keys + open - 1) / open : 0;
        int at = preferred_below(slots, n, key + 1, taken, most);
        home[key] = (int16_t)at;
        if (at >= 0) {
            taken[at]++;
        }
    }
}

bool slot_pick_has_room(const struct slot_load *s, int64_t now_us)
{
    bool answers = now_us - s->since_us < SLOT_PICK_STALL_US;
    return !s->closed && !s->kept && (s->inflight == 0 || (s->taken < s->places && answers));
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

int slot_pick(struct slot_load *const *slots, size_t n, int first, int64_t now_us)
{
    int best = -1;
    if (first >= 0 && slots[first]->taken < slots[first]->batch &&
        slot_pick_has_room(slots[first], now_us)) {
        return first;
    }
    for (size_t i = 0; i < n; i++) {
        if (slot_pick_has_room(slots[i], now_us) &&
            (best < 0 || slots[i]->taken < slots[best]->taken)) {
            best = (int)i;
        }
    }
    return best;
}
