/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a slot's death means for the requests in it: who is sent again, who runs alone, who is refused. */
#include <criterion/criterion.h>

#include "tests/unit/fake_slots.h"

TestSuite(router_dispatch_death, .init = setup, .fini = teardown);

/* Somebody kills it from outside: it names nobody. */
Test(router_dispatch_death, a_slots_death_retries_or_says_so)
{
    struct fake *a = slot_up(0, KIND_API, 8);
    struct exchange safe = request(M_GET, 1), unsafe = request(M_POST, 1),
                    begun = request(M_PATCH, 1);
    cr_assert_eq(dispatch_send(d, &safe), OK);
    cr_assert_eq(dispatch_send(d, &unsafe), OK);
    cr_assert_eq(dispatch_send(d, &begun), OK);
    dispatch_on_started(d, a->slot, a->ids[0]);
    cr_assert_eq(safe.state, X_SENT, "safe methods do not start");
    dispatch_on_started(d, a->slot, a->ids[2]);
    struct fake *b = slot_up(1, KIND_API, 8);
    dispatch_slot_down(d, a->slot);
    cr_assert_eq(done.count, 1);
    cr_assert_eq(done.x, &begun);
    cr_assert_eq(done.status, E_OUTCOME_UNKNOWN);
    cr_assert_eq(b->sent, 2, "both at once: nothing is held against them");
    cr_assert_not(b->alone);
    reply_to(b, b->ids[0]);
    reply_to(b, b->ids[1]);
    cr_assert_eq(done.count, 3);
}

/* One after another is killed from outside with everything in it. */
Test(router_dispatch_death, nobody_is_convicted_without_evidence)
{
    struct exchange x[4];
    for (unsigned i = 0; i < ARRAY_LEN(x); i++) {
        x[i] = request(M_GET, 1 + i % 2);
    }
    struct fake *a = slot_up(0, KIND_API, 8);
    for (size_t i = 0; i < ARRAY_LEN(x); i++) {
        cr_assert_eq(dispatch_send(d, &x[i]), OK);
    }
    dispatch_slot_down(d, a->slot);
    struct fake *b = slot_up(1, KIND_API, 8);
    cr_assert_eq(b->sent, 4);
    dispatch_slot_down(d, b->slot);
    cr_assert_eq(done.count, 4, "not into a third");
    cr_assert_eq(done.status, E_UNAVAILABLE);
    slot_up(2, KIND_API, 8);
    struct exchange again = request(M_GET, 1);
    cr_assert_eq(dispatch_send(d, &again), OK);
    cr_assert_eq(again.state, X_SENT);
    cr_assert_not(fakes[2].alone);
}

/* a crashes while it runs the first two; the third only waited in its socket. */
Test(router_dispatch_death, what_crashed_a_slot_runs_alone_and_the_second_time_is_refused)
{
    struct exchange poison = request(M_GET, 1), by = request(M_GET, 2), later = request(M_GET, 3);
    struct fake *a = slot_up(0, KIND_API, 8);
    poison.body = SLICE("x");
    cr_assert_eq(dispatch_send(d, &by), OK);
    cr_assert_eq(dispatch_send(d, &poison), OK);
    cr_assert_eq(dispatch_send(d, &later), OK);
    dispatch_on_dying(d, a->slot, a->ids[0]);
    dispatch_on_dying(d, a->slot, a->ids[1]);
    dispatch_slot_down(d, a->slot);
    cr_assert_eq(later.harm, 0);
    struct fake *b = slot_up(1, KIND_API, 8);
    cr_assert_eq(by.state, X_SENT);
    cr_assert(b->alone);
    cr_assert_eq(poison.state, X_QUEUED, "one after another");
    cr_assert_eq(later.state, X_QUEUED, "the slot is kept for the suspects");
    struct fake *c = slot_up(2, KIND_API, 8);
    cr_assert_eq(later.state, X_SENT, "who is no suspect goes anywhere else");
    cr_assert_not(c->alone);
    reply_last(c);
    reply_to(b, b->ids[0]);
    cr_assert_eq(done.x, &by);
    cr_assert_eq(poison.state, X_SENT);
    cr_assert(b->alone);
    struct exchange copy = poison;
    copy.state = X_READY;
    cr_assert_eq(dispatch_send(d, &copy), OK);
    cr_assert_eq(copy.state, X_QUEUED, "its like waits for its own turn to be tried");
    dispatch_on_dying(d, b->slot, b->ids[1]);
    dispatch_slot_down(d, b->slot);
    cr_assert_eq(done.status, E_POISON);
    cr_assert_eq(done.count, 4, "and its like is not tried any more");
    struct exchange again = request(M_GET, 1), other = request(M_GET, 3), body = again;
    again.body = SLICE("x");
    body.body = SLICE("y");
    other.body = SLICE("x");
    cr_assert_eq(dispatch_send(d, &again), E_POISON);
    cr_assert_eq(dispatch_send(d, &other), OK, "of another tenant it is another request");
    cr_assert_eq(dispatch_send(d, &body), OK, "another body is another request");
    pass_ms(61000);
    cr_assert_eq(dispatch_send(d, &again), OK, "not for ever");
}

/* A change that began is never sent twice, but its like is known when it comes again. */
Test(router_dispatch_death, a_change_that_crashed_a_slot_is_known_when_it_comes_again)
{
    struct exchange x = request(M_POST, 1), second = x, third = x;
    struct fake *a = slot_up(0, KIND_API, 8);
    cr_assert_eq(dispatch_send(d, &x), OK);
    dispatch_on_started(d, a->slot, a->ids[0]);
    dispatch_on_dying(d, a->slot, a->ids[0]);
    dispatch_slot_down(d, a->slot);
    cr_assert_eq(done.status, E_OUTCOME_UNKNOWN);
    struct fake *b = slot_up(1, KIND_API, 8);
    cr_assert_eq(dispatch_send(d, &second), OK);
    pass_ms(20);
    cr_assert(b->sent == 1 && b->alone);
    dispatch_on_started(d, b->slot, b->ids[0]);
    dispatch_on_dying(d, b->slot, b->ids[0]);
    dispatch_slot_down(d, b->slot);
    cr_assert_eq(done.status, E_OUTCOME_UNKNOWN, "it may have been done");
    slot_up(2, KIND_API, 8);
    cr_assert_eq(dispatch_send(d, &third), E_POISON);
}

/* An endless loop: its client has its 504 long before the supervisor ends the slot. */
Test(router_dispatch_death, what_was_given_up_is_still_known)
{
    struct exchange x = request(M_GET, 1), second = x, third = x;
    struct fake *a = slot_up(0, KIND_API, 8);
    cr_assert_eq(dispatch_send(d, &x), OK);
    pass_ms(10001);
    cr_assert_eq(done.status, E_DEADLINE);
    dispatch_on_dying(d, a->slot, a->ids[0]);
    dispatch_slot_down(d, a->slot);
    struct fake *b = slot_up(1, KIND_API, 8);
    second.deadline_us = third.deadline_us = clock_us + 10000000;
    cr_assert_eq(dispatch_send(d, &second), OK);
    pass_ms(20);
    cr_assert(b->sent == 1 && b->alone);
    dispatch_gone(d, &second);
    dispatch_on_dying(d, b->slot, b->ids[0]);
    dispatch_slot_down(d, b->slot);
    slot_up(2, KIND_API, 8);
    cr_assert_eq(dispatch_send(d, &third), E_POISON);
}

/* It was in a batch that crashed, but its like is answered elsewhere. */
Test(router_dispatch_death, a_popular_request_is_cleared_by_an_answer)
{
    struct fake *a = slot_up(0, KIND_API, 8);
    struct exchange unlucky = request(M_GET, 1), like = request(M_GET, 1), next = request(M_GET, 1);
    cr_assert_eq(dispatch_send(d, &like), OK);
    struct fake *b = slot_up(1, KIND_API, 1);
    dispatch_slot_drain(d, a->slot);
    cr_assert_eq(dispatch_send(d, &unlucky), OK);
    dispatch_on_dying(d, b->slot, b->ids[0]);
    dispatch_slot_down(d, b->slot);
    reply_to(a, a->ids[0]);
    struct fake *c = slot_up(2, KIND_API, 8);
    cr_assert_eq(unlucky.state, X_SENT);
    cr_assert_not(c->alone);
    cr_assert_eq(dispatch_send(d, &next), OK);
    cr_assert_eq(c->sent, 2);
}

Test(router_dispatch_death, suspects_wait_for_a_slot_to_become_empty)
{
    struct fake *a = slot_up(0, KIND_API, 8);
    struct exchange x = request(M_GET, 1), y = request(M_GET, 2), z = request(M_GET, 3);
    cr_assert_eq(dispatch_send(d, &x), OK);
    struct fake *b = slot_up(1, KIND_API, 8);
    dispatch_slot_drain(d, a->slot);
    cr_assert_eq(dispatch_send(d, &y), OK);
    cr_assert_eq(b->sent, 1, "a draining slot gets nothing");
    dispatch_on_dying(d, a->slot, a->ids[0]);
    dispatch_slot_down(d, a->slot);
    cr_assert_eq(x.state, X_QUEUED);
    cr_assert_eq(dispatch_send(d, &z), OK);
    cr_assert_eq(z.state, X_QUEUED, "nobody shares the slot with a suspect");
    reply_to(b, b->ids[0]);
    cr_assert_eq(x.state, X_SENT);
    cr_assert_eq(z.state, X_QUEUED);
    reply_to(b, b->ids[1]);
    cr_assert_eq(z.state, X_SENT, "then the slot is everybody's again");
    reply_to(b, b->ids[2]);
    cr_assert_eq(done.count, 3);
}
