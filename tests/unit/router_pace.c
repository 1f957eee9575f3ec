/* SPDX-License-Identifier: LicenseRef-Gremio */
/* How many may wait follows from how fast slots answer, once that is known. */
#include <criterion/criterion.h>

#include "router/pace.h"

static int64_t run(struct pace *p, int64_t from_us, unsigned ticks, unsigned answers)
{
    for (unsigned t = 0; t < ticks; t++) {
        for (unsigned i = 0; i < answers; i++) {
            pace_answer(p);
        }
        from_us += 20000;
        pace_tick(p, from_us, true);
    }
    return from_us;
}

Test(router_pace, room_is_pace_times_wait)
{
    struct pace p = { 0 };
    cr_assert_eq(pace_room(&p, 100, 10), 10 * PACE_BURST, "nothing is known");
    int64_t now = run(&p, 1000000, 60, 20);
    cr_assert_eq(pace_room(&p, 100, 10), 100, "1,000 a second");
    cr_assert_eq(pace_room(&p, 3000, 10), 3000);
    cr_assert_eq(pace_room(&p, 100, 200), 200);
    run(&p, now, 50, 200);
    cr_assert(pace_room(&p, 100, 10) > 990 && pace_room(&p, 100, 10) <= 1000);
}

Test(router_pace, a_burst_is_no_overload)
{
    struct pace p = { 0 };
    int64_t now = run(&p, 1000000, 40, 20);
    cr_assert_eq(pace_room(&p, 100, 100), 400);
    now = run(&p, now, 20, 20);
    cr_assert_eq(pace_room(&p, 100, 100), 100, "after a second it is one");
    pace_tick(&p, now + 20000, false);
    cr_assert_eq(pace_room(&p, 100, 100), 400, "until there is room again");
}

Test(router_pace, idle_slots_say_nothing_about_their_pace)
{
    struct pace p = { 0 };
    int64_t now = run(&p, 6000000, 60, 20);
    for (int i = 0; i < 500; i++) {
        pace_answer(&p);
        pace_tick(&p, now += 20000, i % 2 == 0);
    }
    cr_assert_eq(pace_room(&p, 100, 1), 100, "room now and then is no backlog");
}

Test(router_pace, slow_answers_are_measured_over_a_second)
{
    struct pace p = { 0 };
    int64_t now = 1000000;
    for (int i = 0; i < 500; i++) {
        if (i % 5 == 0) {
            pace_answer(&p);
        }
        pace_tick(&p, now += 20000, true);
    }
    cr_assert(pace_room(&p, 3000, 1) >= 27 && pace_room(&p, 3000, 1) <= 31, "10 a second: %zu",
              pace_room(&p, 3000, 1));
    run(&p, now, 1000, 0);
    cr_assert_leq(pace_room(&p, 3000, 1), 1, "nothing is answered any more");
}
