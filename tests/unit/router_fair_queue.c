/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Who is served next, and who gives way: turns of sources, never of requests. */
#include <criterion/criterion.h>

#include "router/fair_queue.h"

enum { MAX = 400 };

static struct fair_queue *q;
static struct fair_item items[MAX];
static size_t used;

static void setup(void)
{
    cr_assert_eq(fair_queue_new(MAX, &q), OK);
}

static void teardown(void)
{
    fair_queue_free(q);
}

TestSuite(router_fair_queue, .init = setup, .fini = teardown);

static struct fair_item *wait_of(unsigned source)
{
    struct uuid key = { { 0 } };
    memcpy(key.b, &source, sizeof(source));
    struct fair_item *item = &items[used++];
    fair_queue_join(q, item, &key);
    fair_queue_wait(q, item);
    return item;
}

static unsigned source_of(const struct fair_item *item)
{
    unsigned source;
    memcpy(&source, item->source->key.b, sizeof(source));
    return source;
}

/* Serves the next and returns whose it was. */
static unsigned serve(void)
{
    struct fair_item *item = fair_queue_first(q);
    cr_assert_not_null(item);
    unsigned source = source_of(item);
    fair_queue_enter(q, item, 1);
    fair_queue_leave(q, item);
    return source;
}

Test(router_fair_queue, a_backlog_stands_before_nobody_else)
{
    for (int i = 0; i < 50; i++) {
        wait_of(1);
    }
    wait_of(2);
    wait_of(3);
    cr_assert_eq(serve(), 1);
    cr_assert_eq(serve(), 2);
    cr_assert_eq(serve(), 3);
    for (int i = 0; i < 49; i++) {
        cr_assert_eq(serve(), 1);
    }
    cr_assert_null(fair_queue_first(q));
    cr_assert_eq(fair_queue_waiting(q), 0);
    cr_assert_eq(fair_queue_sources(q), 0);
}

Test(router_fair_queue, turns_go_round_and_lines_keep_their_order)
{
    struct fair_item *first = wait_of(1), *second = wait_of(1);
    wait_of(2);
    wait_of(2);
    cr_assert_eq(fair_queue_first(q), first);
    cr_assert_eq(source_of(fair_queue_after(first)), 2);
    cr_assert_null(fair_queue_after(fair_queue_after(first)));
    cr_assert_eq(serve(), 1);
    wait_of(3);
    cr_assert_eq(serve(), 2);
    cr_assert_eq(fair_queue_first(q), second, "1 waited before 3 came");
    cr_assert_eq(serve(), 1);
    cr_assert_eq(serve(), 3, "3 came before the turn of 2 was over");
    cr_assert_eq(serve(), 2);
}

/* Over any stretch two sources with a backlog are served alike, however long their lines are. */
Test(router_fair_queue, shares_are_even)
{
    unsigned served[4] = { 0 };
    for (int i = 0; i < 200; i++) {
        wait_of(i % 10 == 0 ? 2 : i % 10 == 1 ? 3 : 1);
    }
    for (int i = 0; i < 60; i++) {
        served[serve()]++;
    }
    cr_assert_eq(served[1], 20);
    cr_assert_eq(served[2], 20);
    cr_assert_eq(served[3], 20);
}

Test(router_fair_queue, the_newest_of_the_longest_line_gives_way)
{
    struct fair_item *newest = NULL;
    for (unsigned i = 0; i < FAIR_QUEUE_GAP + 2; i++) {
        newest = wait_of(1);
        wait_of(3);
    }
    newest = wait_of(1);
    struct fair_item *quiet = wait_of(2);
    cr_assert_eq(fair_queue_victim(q, quiet->source), newest);
    cr_assert_null(fair_queue_victim(q, newest->source), "nobody gives way to the longest itself");
    fair_queue_leave(q, newest);
    cr_assert_not_null(fair_queue_victim(q, quiet->source));
    wait_of(2);
    cr_assert_null(fair_queue_victim(q, quiet->source), "it is no longer so much shorter");
}

Test(router_fair_queue, what_is_inside_is_counted)
{
    struct fair_item *a = wait_of(1), *b = wait_of(1);
    struct fair_source *s = a->source;
    fair_queue_enter(q, a, 1);
    cr_assert_eq(s->inside, 1);
    cr_assert_eq(s->waiting, 1);
    fair_queue_enter(q, b, 8);
    cr_assert_eq(s->inside, 9);
    fair_queue_exit(a);
    fair_queue_exit(a);
    cr_assert_eq(s->inside, 8, "out twice counts once");
    fair_queue_leave(q, a);
    fair_queue_leave(q, a);
    fair_queue_leave(q, b);
    cr_assert_eq(source_of(wait_of(7)), 7, "its place is another's now");
}

/* Random joining, waiting, serving and leaving, against plain counters. */
Test(router_fair_queue, a_storm_leaves_nothing_behind)
{
    enum { SOURCES = 30 };
    size_t waiting[SOURCES] = { 0 }, all = 0;
    bool in[MAX] = { false };
    unsigned seed = 5;
    for (unsigned step = 0; step < 100000; step++) {
        seed = seed * 1103515245u + 12345u;
        unsigned r = seed >> 8, i = r / 8 % MAX;
        used = i;
        if (!in[i] && r % 8 < 4) {
            unsigned source = r / 8 / MAX % SOURCES;
            source = source < 20 ? 0 : source;
            wait_of(source);
            waiting[source]++;
            all++;
            in[i] = true;
        } else if (in[i] && r % 8 < 6) {
            unsigned source = source_of(&items[i]);
            waiting[source] -= items[i].is_waiting;
            all -= items[i].is_waiting;
            fair_queue_leave(q, &items[i]);
            in[i] = false;
        } else if (fair_queue_first(q)) {
            struct fair_item *item = fair_queue_first(q);
            waiting[source_of(item)]--;
            all--;
            fair_queue_enter(q, item, 1);
        }
        size_t longest = 0, sources = 0;
        for (unsigned s = 0; s < SOURCES; s++) {
            longest = waiting[s] > longest ? waiting[s] : longest;
            sources += waiting[s] > 0;
        }
        cr_assert_eq(fair_queue_waiting(q), all);
        cr_assert_eq(fair_queue_sources(q), sources);
        struct fair_source nobody = { .waiting = 0 };
        struct fair_item *victim = fair_queue_victim(q, &nobody);
        cr_assert_eq(victim != NULL, longest > FAIR_QUEUE_GAP);
        cr_assert(!victim ||
                  victim->source->waiting == (longest < 256 ? longest : victim->source->waiting));
    }
    for (size_t i = 0; i < MAX; i++) {
        if (in[i]) {
            fair_queue_leave(q, &items[i]);
        }
    }
    cr_assert_eq(fair_queue_waiting(q), 0);
    cr_assert_null(fair_queue_first(q));
}
