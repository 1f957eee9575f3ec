/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every fate of a request between the router and the slots, with slots that are only a list of what was sent. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/fake_slots.h"

TestSuite(router_dispatch, .init = setup, .fini = teardown);

Test(router_dispatch, a_request_goes_out_and_comes_back)
{
    struct fake *f = slot_up(0, KIND_API, 4);
    struct exchange x = request(M_GET, 1);
    cr_assert_eq(dispatch_send(d, &x), OK);
    cr_assert_eq(x.state, X_SENT);
    cr_assert_eq(f->sent, 1);
    cr_assert_eq(done.count, 0);
    reply_last(f);
    cr_assert_eq(done.count, 1);
    cr_assert_eq(done.x, &x);
    cr_assert_eq(done.reply_status, 200);
    reply_last(f);
    cr_assert_eq(done.count, 1, "a second answer is nobody's");
    cr_assert_eq(dispatch_count(d), 0);
}

Test(router_dispatch, answers_of_another_slot_or_number_are_ignored)
{
    struct fake *a = slot_up(0, KIND_API, 4), *b = slot_up(1, KIND_API, 4);
    struct exchange x = request(M_GET, 1);
    cr_assert_eq(dispatch_send(d, &x), OK);
    struct fake *has = a->sent ? a : b, *other = a->sent ? b : a;
    reply_to(other, has->ids[0]);
    reply_to(has, has->ids[0] + 1);
    reply_to(has, has->ids[0] + (UINT64_C(1) << 16));
    reply_to(has, UINT64_MAX);
    reply_to(has, 0);
    cr_assert_eq(done.count, 0);
    reply_last(has);
    cr_assert_eq(done.count, 1);
}

Test(router_dispatch, without_a_slot_it_is_unavailable)
{
    struct exchange x = request(M_GET, 1);
    cr_assert_eq(dispatch_send(d, &x), E_UNAVAILABLE);
    slot_up(0, KIND_AUTH, 4);
    cr_assert_eq(dispatch_send(d, &x), E_UNAVAILABLE, "a slot of another kind is none");
    cr_assert_eq(x.state, X_READY);
}

Test(router_dispatch, window_queue_and_beyond)
{
    struct fake *f = slot_up(0, KIND_API, 2);
    struct exchange x[20];
    for (size_t i = 0; i < 15; i++) {
        x[i] = request(M_GET, 1);
        cr_assert_eq(dispatch_send(d, &x[i]), i < 14 ? OK : E_OVERLOADED, "request %zu", i);
    }
    cr_assert_eq(f->sent, 4, "twice the batch is in the slot");
    cr_assert_eq(x[4].state, X_QUEUED);
    reply_to(f, f->ids[0]);
    cr_assert_eq(f->sent, 5, "the longest waiting follows");
    cr_assert_eq(x[4].state, X_SENT);
    for (size_t i = 1; i < 14; i++) {
        reply_to(f, f->ids[i]);
    }
    cr_assert_eq(done.count, 14);
    cr_assert_eq(dispatch_count(d), 0);
}

Test(router_dispatch, a_tenant_keeps_its_slot_until_that_has_a_batch)
{
    size_t spread = 0;
    for (unsigned i = 0; i < 4; i++) {
        slot_up(i, KIND_API, 8);
    }
    for (unsigned t = 1; t <= 64; t++) {
        struct fake *first = NULL;
        for (unsigned k = 0; k < 3; k++) {
            struct exchange x = request(M_GET, t);
            size_t before[4];
            for (unsigned i = 0; i < 4; i++) {
                before[i] = fakes[i].sent;
            }
            cr_assert_eq(dispatch_send(d, &x), OK);
            struct fake *taken = NULL;
            for (unsigned i = 0; i < 4; i++) {
                taken = fakes[i].sent > before[i] ? &fakes[i] : taken;
            }
            cr_assert(!first || first == taken, "tenant %u wanders", t);
            first = taken;
            reply_last(taken);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        spread += fakes[i].sent > 15;
    }
    cr_assert_eq(spread, 4, "tenants are spread over all slots");
    struct exchange x[20];
    pass_ms(20000); /* nobody else is about any more */
    for (size_t i = 0; i < 20; i++) {
        x[i] = request(M_GET, 5);
        cr_assert_eq(dispatch_send(d, &x[i]), OK);
    }
    struct dispatch_stats s;
    dispatch_get_stats(d, &s);
    cr_assert_eq(s.inflight[KIND_API], 20);
    cr_assert_eq(s.queued[KIND_API], 0, "the rest went to the other slots");
}

/* Requests of one tenant until the first that waits; how many went to slots. */
static size_t fill(struct exchange *x, size_t n, unsigned tenant)
{
    size_t sent = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = request(M_GET, tenant);
        cr_assert_eq(dispatch_send(d, &x[i]), OK);
        sent += x[i].state == X_SENT;
    }
    return sent;
}

Test(router_dispatch, while_others_are_about_nobody_has_more_than_an_eighth)
{
    static struct exchange flood[60], more[20];
    queue_max = 100;
    struct fake *f = slot_up(0, KIND_API, 8);
    cr_assert_eq(fill(flood, 30, 1), 16, "alone it has all places");
    struct exchange other = request(M_GET, 2);
    cr_assert_eq(dispatch_send(d, &other), OK);
    cr_assert_eq(other.state, X_QUEUED);
    reply_to(f, f->ids[0]);
    cr_assert_eq(other.state, X_SENT, "the next place is the other's, before the backlog");
    for (size_t i = 1; i < 16; i++) {
        reply_to(f, f->ids[i]);
    }
    struct dispatch_stats s;
    dispatch_get_stats(d, &s);
    cr_assert_eq(s.inflight[KIND_API], 2 + 1, "an eighth of 16, and the other's one");
    cr_assert_eq(s.queued[KIND_API], 12);
    cr_assert_eq(s.queued_sources[KIND_API], 1);
    cr_assert_eq(fill(more, 6, 3), 2, "there is room for others");
    pass_ms(2000);
    dispatch_get_stats(d, &s);
    cr_assert_eq(s.inflight[KIND_API], 5, "what is in the slot is slow now");
    reply_to(f, other.id);
    for (size_t i = 17; f->sent > i; i++) {
        reply_to(f, f->ids[i]);
    }
    cr_assert_eq(dispatch_count(d), 0);
}

/* Who stands behind somebody else's slow request is answered by another slot, and by that one only. */
Test(router_dispatch, a_slot_that_stands_still_keeps_nobody_but_its_own)
{
    struct fake *a = slot_up(0, KIND_API, 8);
    struct exchange slow = request(M_GET, 1), own = request(M_GET, 1), read = request(M_GET, 2),
                    write = request(M_POST, 2), other = request(M_GET, 3);
    cr_assert_eq(dispatch_send(d, &slow), OK);
    cr_assert_eq(dispatch_send(d, &own), OK);
    cr_assert_eq(dispatch_send(d, &read), OK);
    cr_assert_eq(dispatch_send(d, &write), OK);
    uint64_t before = read.id;
    pass_ms(200);
    cr_assert_eq(read.id, before, "there is no other slot");
    struct fake *b = slot_up(1, KIND_API, 8);
    cr_assert_eq(dispatch_send(d, &other), OK);
    pass_ms(5);
    cr_assert_eq(b->sent, 2, "its own wait, and a change may have begun");
    cr_assert_eq(a->cancelled, 1);
    cr_assert_eq(a->cancels[0], before);
    cr_assert_eq(b->ids[0], other.id);
    cr_assert_eq(b->ids[1], read.id);
    reply_to(a, before);
    cr_assert_eq(done.count, 0, "what the first slot says of it is nobody's");
    struct fake *c = slot_up(2, KIND_API, 8);
    pass_ms(200);
    cr_assert_eq(c->sent, 0, "once is enough");
    reply_to(b, other.id);
    reply_to(b, read.id);
    cr_assert_eq(done.x, &read);
    reply_to(a, slow.id);
    reply_to(a, own.id);
    reply_to(a, write.id);
    cr_assert_eq(done.count, 5);
    cr_assert_eq(dispatch_count(d), 0);
    struct dispatch_stats s;
    dispatch_get_stats(d, &s);
    cr_assert_eq(s.inflight[KIND_API], 0);
    cr_assert_eq(s.moved, 1);
}

Test(router_dispatch, a_change_takes_half_a_batch)
{
    struct exchange x[6];
    struct fake *f = slot_up(0, KIND_API, 8);
    for (size_t i = 0; i < 6; i++) {
        x[i] = request(M_POST, 1);
        cr_assert_eq(dispatch_send(d, &x[i]), OK);
    }
    cr_assert_eq(f->sent, 4);
    reply_to(f, f->ids[1]);
    cr_assert_eq(f->sent, 5);
    dispatch_gone(d, &x[5]);
    reply_to(f, f->ids[0]);
    reply_to(f, f->ids[2]);
    reply_to(f, f->ids[3]);
    reply_to(f, f->ids[4]);
    cr_assert_eq(dispatch_count(d), 0);
    struct exchange read[20];
    cr_assert_eq(fill(read, 20, 1), 16, "no place was lost");
}

Test(router_dispatch, the_longest_line_gives_way_not_the_newcomer)
{
    static struct exchange flood[40];
    struct fake *f = slot_up(0, KIND_API, 1);
    cr_assert_eq(fill(flood, 12, 1), 2);
    struct exchange one_more = request(M_GET, 1), other = request(M_GET, 2);
    cr_assert_eq(dispatch_send(d, &one_more), E_OVERLOADED);
    cr_assert_eq(one_more.id, 0);
    cr_assert_eq(one_more.state, X_READY);
    cr_assert_eq(done.count, 0);
    cr_assert_eq(dispatch_send(d, &other), OK);
    cr_assert_eq(done.count, 1);
    cr_assert_eq(done.x, &flood[11], "the newest of the flood was refused instead");
    cr_assert_eq(done.status, E_OVERLOADED);
    reply_to(f, f->ids[0]);
    cr_assert_eq(other.state, X_SENT, "next in turn, not eleventh");
    struct dispatch_stats s;
    dispatch_get_stats(d, &s);
    cr_assert_eq(s.pushed_out, 1);
}

Test(router_dispatch, while_others_are_about_everybody_keeps_to_half_of_the_slots)
{
    static struct exchange slow[8];
    queue_max = 100;
    for (unsigned i = 0; i < 4; i++) {
        slot_up(i, KIND_API, 4);
    }
    struct exchange other = request(M_GET, 2), third = request(M_GET, 3), next = request(M_GET, 1);
    cr_assert_eq(fill(slow, 1, 1), 1);
    cr_assert_eq(dispatch_send(d, &other), OK);
    for (unsigned i = 0; i < 4; i++) {
        reply_to(&fakes[i], other.id);
    }
    pass_ms(50);
    cr_assert_eq(fill(slow + 1, 6, 1), 3,
                 "an eighth of 32, in other slots, where they stand still too");
    pass_ms(50);
    cr_assert_eq(dispatch_send(d, &next), OK);
    cr_assert_eq(next.state, X_QUEUED, "its slots do not answer, the others are not for it");
    cr_assert_eq(dispatch_send(d, &third), OK);
    cr_assert_eq(third.state, X_SENT, "nobody waits behind it");
    pass_ms(9000);
    cr_assert_eq(done.count, 1);
    struct dispatch_stats s;
    dispatch_get_stats(d, &s);
    cr_assert_eq(s.queued[KIND_API], 4, "however long it takes");
}

/* One slow request is enough: what follows it waits for its slot, though there is an empty one. */
Test(router_dispatch, what_follows_a_slow_request_does_not_spread)
{
    struct exchange other = request(M_GET, 2), slow = request(M_GET, 1), next = request(M_GET, 1),
                    third = request(M_GET, 2);
    slot_up(0, KIND_API, 16);
    slot_up(1, KIND_API, 16);
    cr_assert_eq(dispatch_send(d, &other), OK);
    reply_to(&fakes[0], other.id);
    reply_to(&fakes[1], other.id);
    cr_assert_eq(dispatch_send(d, &slow), OK);
    pass_ms(50);
    cr_assert_eq(dispatch_send(d, &next), OK);
    cr_assert_eq(next.state, X_QUEUED);
    pass_ms(500);
    cr_assert_eq(next.state, X_QUEUED);
    cr_assert_eq(dispatch_send(d, &third), OK);
    cr_assert_eq(third.state, X_SENT);
}

/* Slots that answer 1,000 a second let 200 wait for 200 ms, once it is no burst any more. */
Test(router_dispatch, so_many_wait_as_are_served_in_time)
{
    static struct exchange x[500];
    struct dispatch_stats s;
    size_t sent = 0;
    queue_max = 1000;
    queue_wait = 200;
    struct fake *f = slot_up(0, KIND_API, 4);
    cr_assert_eq(fill(x, 8 + 256, 1), 8);
    x[300] = request(M_GET, 1);
    cr_assert_eq(dispatch_send(d, &x[300]), E_OVERLOADED, "as many as in a burst wait already");
    for (unsigned tick = 0; tick < 60; tick++) {
        for (unsigned i = 0; i < 2; i++) {
            reply_to(f, f->ids[sent++]);
        }
        pass_ms(2);
    }
    dispatch_get_stats(d, &s);
    cr_assert_eq(s.queue_room[KIND_API], 256, "it may be a burst");
    clock_us += 1000000;
    for (unsigned tick = 0; tick < 60; tick++) {
        for (unsigned i = 0; i < 2; i++) {
            reply_to(f, f->ids[sent++]);
        }
        pass_ms(2);
    }
    dispatch_get_stats(d, &s);
    cr_assert(s.queue_room[KIND_API] > 150 && s.queue_room[KIND_API] < 220, "%zu",
              s.queue_room[KIND_API]);
    queue_wait = 1;
    dispatch_get_stats(d, &s);
    cr_assert_eq(s.queue_room[KIND_API], 64, "fewer is no queue");
    queue_wait = 100;
}

Test(router_dispatch, with_many_pools_whole_pools_are_hashed)
{
    struct exchange a = request(M_GET, 1), b = request(M_GET, 2);
    for (unsigned i = 0; i < 4; i++) {
        slot_up(i, KIND_API, 8);
    }
    dispatch_set_pools(d, 100);
    for (uint16_t pool = 0; pool < 50; pool++) {
        struct exchange one = a, two = b;
        one.tenant.pool = two.tenant.pool = pool;
        cr_assert_eq(dispatch_send(d, &one), OK);
        cr_assert_eq(dispatch_send(d, &two), OK);
        unsigned both = 0;
        for (unsigned i = 0; i < 4; i++) {
            both += fakes[i].sent == 2;
            while (fakes[i].sent > 0) {
                reply_last(&fakes[i]);
                fakes[i].sent--;
            }
        }
        cr_assert_eq(both, 1, "two tenants of pool %u went to two slots", pool);
    }
}

Test(router_dispatch, deadlines_are_kept_and_places_freed_by_the_answer)
{
    struct fake *f = slot_up(0, KIND_API, 1);
    struct exchange x[4];
    int64_t now = clock_us;
    for (size_t i = 0; i < 4; i++) {
        x[i] = request(M_GET, 1);
        x[i].deadline_us = now + 1000 * (int64_t)(4 - i);
        cr_assert_eq(dispatch_send(d, &x[i]), OK);
    }
    dispatch_tick(d, now);
    cr_assert_eq(done.count, 0);
    dispatch_tick(d, now + 1500);
    cr_assert_eq(done.count, 1);
    cr_assert_eq(done.x, &x[3]);
    cr_assert_eq(done.status, E_DEADLINE);
    dispatch_tick(d, now + 5000);
    cr_assert_eq(done.count, 4);
    cr_assert_eq(f->cancelled, 2, "those in the slot were cancelled");
    cr_assert_eq(dispatch_count(d), 0);
    struct exchange y = request(M_GET, 1);
    cr_assert_eq(dispatch_send(d, &y), OK);
    cr_assert_eq(y.state, X_QUEUED, "a slot that does not answer gets no more");
    reply_to(f, f->ids[0]);
    cr_assert_eq(y.state, X_SENT);
    cr_assert_eq(done.count, 4, "a late answer is nobody's");
    pass_ms(DISPATCH_HELD_MS + 1000);
    struct dispatch_stats s;
    dispatch_get_stats(d, &s);
    cr_assert_eq(s.expired, 5, "y too");
    cr_assert_leq(s.inflight[KIND_API], 1, "the other place was taken back in the end");
}

Test(router_dispatch, a_gone_client_cancels_what_has_not_started)
{
    struct fake *f = slot_up(0, KIND_API, 1);
    struct exchange sent = request(M_POST, 1), begun = request(M_POST, 1),
                    queued = request(M_POST, 1);
    cr_assert_eq(dispatch_send(d, &sent), OK);
    cr_assert_eq(dispatch_send(d, &begun), OK);
    cr_assert_eq(dispatch_send(d, &queued), OK);
    dispatch_on_started(d, f->slot, f->ids[1]);
    cr_assert_eq(begun.state, X_STARTED);
    dispatch_gone(d, &queued);
    dispatch_gone(d, &sent);
    dispatch_gone(d, &begun);
    cr_assert_eq(f->cancelled, 1);
    cr_assert_eq(f->cancels[0], f->ids[0]);
    reply_to(f, f->ids[0]);
    reply_to(f, f->ids[1]);
    cr_assert_eq(done.count, 0);
    cr_assert_eq(f->sent, 2, "the queued one was never sent");
    dispatch_gone(d, &queued);
    struct dispatch_stats s;
    dispatch_get_stats(d, &s);
    cr_assert_eq(s.inflight[KIND_API], 0);
}

Test(router_dispatch, a_lost_kind_waits_a_moment_then_refuses)
{
    struct fake *a = slot_up(0, KIND_API, 8);
    struct exchange x = request(M_GET, 1), y = request(M_GET, 1);
    cr_assert_eq(dispatch_send(d, &x), OK);
    dispatch_slot_down(d, a->slot);
    cr_assert_eq(dispatch_send(d, &y), OK, "a slot is about to come back");
    pass_ms(0);
    cr_assert_eq(done.count, 0);
    pass_ms(DISPATCH_GRACE_MS + 100);
    cr_assert_eq(done.count, 1);
    cr_assert_eq(done.x, &y);
    cr_assert_eq(done.status, E_UNAVAILABLE);
    pass_ms(DISPATCH_AGAIN_MS - DISPATCH_GRACE_MS);
    cr_assert_eq(done.count, 2, "what was already in a slot waits longer for another");
    cr_assert_eq(done.status, E_UNAVAILABLE);
    cr_assert_eq(dispatch_count(d), 0);
}

Test(router_dispatch, a_slot_found_closed_while_sending_loses_nothing)
{
    struct fake *a = slot_up(0, KIND_API, 8);
    struct exchange x = request(M_POST, 1);
    a->answer = E_CLOSED;
    cr_assert_eq(dispatch_send(d, &x), OK);
    cr_assert_eq(x.state, X_QUEUED);
    dispatch_slot_down(d, a->slot);
    cr_assert_eq(x.harm, 0);
    struct fake *b = slot_up(1, KIND_API, 8);
    cr_assert_eq(x.state, X_SENT);
    reply_last(b);
    cr_assert_eq(done.status, OK);
    struct exchange bad = request(M_GET, 1);
    b->answer = E_BAD_REQUEST;
    cr_assert_eq(dispatch_send(d, &bad), E_BAD_REQUEST);
    cr_assert_eq(dispatch_count(d), 0);
}

/* Random traffic, deaths, cancels and deadlines: every exchange ends exactly once and nothing stays behind. */
Test(router_dispatch, nothing_is_lost_in_a_storm)
{
    enum { N = 300, STEPS = 60000 };
    static struct exchange x[N];
    static bool in[N];
    size_t begun = 0, ended = 0, given_back = 0;
    unsigned seed = 3;
    for (unsigned i = 0; i < 4; i++) {
        slot_up(i, KIND_API, 4);
    }
    queue_max = 100;
    for (unsigned step = 0; step < STEPS; step++) {
        seed = seed * 1103515245u + 12345u;
        unsigned r = seed >> 10, i = r / 16 % N, s = r / 16 % 4;
        size_t before = done.count;
        if (r % 16 < 6 && !in[i]) {
            x[i] = request(r & 64 ? M_GET : M_POST, 1 + r % 9);
            in[i] = dispatch_send(d, &x[i]) == OK;
            begun += in[i];
        } else if (r % 16 < 13 && fakes[s].sent > 0) {
            reply_to(&fakes[s], fakes[s].ids[--fakes[s].sent]);
        } else if (r % 16 == 13 && in[i] && x[i].pending) {
            dispatch_gone(d, &x[i]);
            given_back++;
        } else if (r % 16 == 14 && fakes[s].sent > 0) {
            dispatch_on_started(d, fakes[s].slot, fakes[s].ids[r / 64 % fakes[s].sent]);
        } else if (r % 997 == 0) {
            for (size_t k = 0; k < fakes[s].sent && r & 32768; k++) {
                dispatch_on_dying(d, fakes[s].slot, fakes[s].ids[k]);
            }
            dispatch_slot_down(d, fakes[s].slot);
            fakes[s].sent = 0;
            slot_up(s, KIND_API, 4);
        }
        ended += done.count - before;
        for (size_t k = 0; k < N; k++) {
            in[k] = in[k] && x[k].pending;
        }
        cr_assert_lt(fakes[s].sent, SENT_MAX - 8);
        clock_us += r % 3000;
        cr_assert_eq(dispatch_count(d), begun - ended - given_back, "step %u", step);
    }
    pass_ms(20000);
    pass_ms(40000);
    struct dispatch_stats stats;
    dispatch_get_stats(d, &stats);
    cr_assert_eq(dispatch_count(d), 0);
    cr_assert_eq(stats.inflight[KIND_API], 0);
    cr_assert_eq(stats.queued[KIND_API], 0);
    cr_assert_gt(begun, 1000);
}
