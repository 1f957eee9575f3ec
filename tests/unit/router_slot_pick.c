/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Keys are spread evenly, stay where they are, and come back with their slot. */
#include <criterion/criterion.h>

#include "router/slot_pick.h"

enum { MAX = 16 };

static struct slot_load loads[MAX], *slots[MAX];

static void make(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        loads[i] = (struct slot_load){ .name_hash = (i + 1) * UINT64_C(0x9e3779b97f4a7c15),
                                       .batch = 4,
                                       .places = 8 };
        slots[i] = &loads[i];
    }
}

Test(router_slot_pick, pools_are_spread_evenly_over_any_number_of_slots)
{
    for (size_t n = 1; n <= MAX; n++) {
        for (size_t pools = n + 1; pools < 200; pools += 3) {
            int16_t home[200];
            size_t keys[MAX] = { 0 };
            make(n);
            slot_pick_homes(slots, n, home, pools);
            for (size_t p = 0; p < pools; p++) {
                cr_assert(home[p] >= 0 && (size_t)home[p] < n);
                keys[home[p]]++;
            }
            for (size_t i = 0; i < n; i++) {
                cr_assert_leq(keys[i], (pools + n - 1) / n, "%zu pools, %zu slots", pools, n);
            }
        }
    }
}

Test(router_slot_pick, pools_come_back_with_their_slot)
{
    int16_t before[10], without[10], after[10];
    size_t moved = 0, own = 0;
    make(4);
    slot_pick_homes(slots, 4, before, 10);
    loads[2].closed = true;
    slot_pick_homes(slots, 4, without, 10);
    loads[2].closed = false;
    slot_pick_homes(slots, 4, after, 10);
    for (size_t p = 0; p < 10; p++) {
        cr_assert_eq(before[p], after[p]);
        cr_assert_neq(without[p], 2);
        moved += before[p] != without[p];
        own += before[p] == 2;
    }
    cr_assert_leq(moved, own + 3, "%zu moved, %zu of them its own", moved, own);
    for (size_t i = 0; i < 4; i++) {
        loads[i].closed = true;
    }
    slot_pick_homes(slots, 4, after, 10);
    cr_assert_eq(after[0], -1);
}

Test(router_slot_pick, the_order_of_slots_means_nothing)
{
    int16_t one[30], other[30];
    make(3);
    slot_pick_homes(slots, 3, one, 30);
    struct slot_load *turned[3] = { slots[2], slots[0], slots[1] };
    slot_pick_homes(turned, 3, other, 30);
    for (size_t p = 0; p < 30; p++) {
        cr_assert_eq(slots[one[p]], turned[other[p]]);
    }
}

Test(router_slot_pick, the_preferred_slot_until_it_has_a_batch)
{
    make(3);
    loads[0].inflight = loads[1].inflight = loads[2].inflight = 1;
    loads[0].since_us = loads[1].since_us = loads[2].since_us = 0;
    loads[1].taken = 3;
    cr_assert_eq(slot_pick(slots, 3, 1, 0), 1);
    loads[1].taken = 4;
    loads[0].taken = 2;
    cr_assert_eq(slot_pick(slots, 3, 1, 0), 2, "then the least loaded");
    loads[0].taken = loads[1].taken = loads[2].taken = 8;
    cr_assert_eq(slot_pick(slots, 3, 1, 0), -1);
    loads[0].taken = 7;
    cr_assert_eq(slot_pick(slots, 3, -1, 0), 0);
    loads[0].kept = true;
    cr_assert_eq(slot_pick(slots, 3, -1, 0), -1);
    cr_assert_eq(slot_pick_idlest(slots, 3), 0);
}

Test(router_slot_pick, nothing_is_put_behind_a_slow_request)
{
    make(2);
    loads[0].inflight = 1;
    loads[0].since_us = 1000;
    cr_assert_eq(slot_pick(slots, 2, 0, 1000 + SLOT_PICK_STALL_US - 1), 0);
    cr_assert_eq(slot_pick(slots, 2, 0, 1000 + SLOT_PICK_STALL_US), 1);
    loads[1].inflight = 1;
    loads[1].since_us = 2000;
    cr_assert_eq(slot_pick(slots, 2, 0, 900000), -1);
    loads[1].inflight = 0;
    cr_assert_eq(slot_pick(slots, 2, 0, 900000), 1, "an empty one owes nothing");
}
