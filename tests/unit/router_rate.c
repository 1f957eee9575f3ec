/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Buckets: a burst, then the rate, each source for itself, and no attacker's flood of sources refills another's. */
#include <criterion/criterion.h>

#include "router/rate.h"

static struct uuid source_of(unsigned n)
{
    struct uuid u = { { 0 } };
    memcpy(u.b, &n, sizeof(n));
    return u;
}

static unsigned take_many(struct rate *r, const struct rate_rules *rules, unsigned source,
                          unsigned times, int64_t now_us)
{
    struct uuid u = source_of(source);
    unsigned taken = 0;
    for (unsigned i = 0; i < times; i++) {
        taken += rate_take(r, rules, &u, now_us) == OK;
    }
    return taken;
}

Test(router_rate, a_burst_then_the_rate)
{
    struct rate *r;
    struct rate_rules rules = { .per_s = 100, .burst = 20 };
    int64_t now = 5000000;
    cr_assert_eq(rate_new(64, &r), OK);
    cr_assert_eq(take_many(r, &rules, 1, 50, now), 20);
    cr_assert_eq(take_many(r, &rules, 2, 50, now), 20, "another's bucket is its own");
    cr_assert_eq(take_many(r, &rules, 1, 50, now + 100000), 10);
    cr_assert_eq(take_many(r, &rules, 1, 50, now + 100000), 0);
    cr_assert_eq(take_many(r, &rules, 1, 50, now + 60000000), 20, "never more than the burst");
    rate_free(r);
}

Test(router_rate, zero_is_no_limit_and_one_is_one)
{
    struct rate *r;
    struct rate_rules rules = { .per_s = 0, .burst = 1 };
    cr_assert_eq(rate_new(64, &r), OK);
    cr_assert_eq(take_many(r, &rules, 1, 1000, 1), 1000);
    rules.per_s = 1;
    cr_assert_eq(take_many(r, &rules, 1, 1000, 1), 1);
    cr_assert_eq(take_many(r, &rules, 1, 1000, 1000001), 1);
    rate_free(r);
}

Test(router_rate, a_flood_of_sources_does_not_refill_an_empty_bucket)
{
    struct rate *r;
    struct rate_rules rules = { .per_s = 10, .burst = 100 };
    cr_assert_eq(rate_new(64, &r), OK);
    cr_assert_eq(take_many(r, &rules, 1, 200, 1000), 100);
    for (unsigned s = 2; s < 100000; s++) {
        cr_assert_eq(take_many(r, &rules, s, 1, 1000), 1, "there is always room for a new one");
    }
    cr_assert_eq(take_many(r, &rules, 1, 200, 1000), 0);
    rate_free(r);
}
