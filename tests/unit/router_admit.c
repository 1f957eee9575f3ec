/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Counting in and out: the limits hold, nobody is counted twice, many tenants come and go without a trace. */
#include <criterion/criterion.h>

#include "router/admit.h"

static struct exchange exchange_of(unsigned tenant)
{
    struct exchange x = { 0 };
    memcpy(x.source.b, &tenant, sizeof(tenant));
    return x;
}

Test(router_admit, the_tenant_limit_is_its_own)
{
    struct admit *a;
    struct exchange one[3], two = exchange_of(2);
    cr_assert_eq(admit_new(100, &a), OK);
    for (size_t i = 0; i < 3; i++) {
        one[i] = exchange_of(1);
    }
    cr_assert_eq(admit_enter(a, &one[0], 2), OK);
    cr_assert_eq(admit_enter(a, &one[1], 2), OK);
    cr_assert_eq(admit_enter(a, &one[2], 2), E_RATE_LIMITED);
    cr_assert_not(one[2].admitted);
    cr_assert_eq(admit_enter(a, &two, 2), OK);
    cr_assert_eq(admit_sources(a), 2);
    admit_leave(a, &one[2]);
    cr_assert_eq(admit_count(a), 3, "what did not enter does not leave");
    admit_leave(a, &one[0]);
    admit_leave(a, &one[0]);
    cr_assert_eq(admit_count(a), 2, "leaving twice counts once");
    cr_assert_eq(admit_enter(a, &one[2], 2), OK);
    admit_free(a);
}

Test(router_admit, the_process_limit_counts_open_routes_too)
{
    struct admit *a;
    struct exchange x[4];
    cr_assert_eq(admit_new(3, &a), OK);
    for (unsigned i = 0; i < 4; i++) {
        x[i] = exchange_of(i % 2 ? i : 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(admit_enter(a, &x[i], 10), OK);
    }
    cr_assert_eq(admit_enter(a, &x[3], 10), E_OVERLOADED);
    admit_leave(a, &x[0]);
    cr_assert_eq(admit_enter(a, &x[3], 10), OK);
    admit_free(a);
}

/* Random entering and leaving, compared with plain counters. */
Test(router_admit, many_tenants_leave_no_trace)
{
    enum { MAX = 64, TENANTS = 500, STEPS = 200000 };
    struct admit *a;
    static struct exchange in[MAX];
    unsigned counts[TENANTS + 1] = { 0 };
    size_t n = 0;
    unsigned seed = 7;
    cr_assert_eq(admit_new(MAX, &a), OK);
    for (unsigned step = 0; step < STEPS; step++) {
        seed = seed * 1103515245u + 12345u;
        unsigned r = seed >> 8;
        if (n > 0 && (r & 1 || n == MAX)) {
            size_t at = r / 2 % n;
            unsigned tenant;
            memcpy(&tenant, in[at].source.b, sizeof(tenant));
            admit_leave(a, &in[at]);
            in[at] = in[--n];
            counts[tenant]--;
            continue;
        }
        unsigned tenant = 1 + r / 2 % TENANTS;
        in[n] = exchange_of(tenant);
        enum err want = counts[tenant] >= 2 ? E_RATE_LIMITED : OK;
        cr_assert_eq(admit_enter(a, &in[n], 2), want, "step %u", step);
        if (want == OK) {
            n++;
            counts[tenant]++;
        }
        cr_assert_eq(admit_count(a), n);
    }
    while (n > 0) {
        admit_leave(a, &in[--n]);
    }
    cr_assert_eq(admit_count(a), 0);
    cr_assert_eq(admit_sources(a), 0);
    admit_free(a);
}
