/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The waitlist's table once more by hand: what leads where, and that nothing else does. */
#include <criterion/criterion.h>

#include "worker/wait.h"

static const struct {
    const char *verb;
    unsigned who;
    const char *from, *to;
} cases[] = {
    { "offer", VISIT_SYSTEM, "waiting", "offered" },
    { "accept", VISIT_STAFF, "offered", "booked" },
    { "accept", VISIT_CLIENT, "offered", "booked" },
    { "decline", VISIT_STAFF, "offered", "waiting" },
    { "decline", VISIT_CLIENT, "offered", "waiting" },
    { "miss", VISIT_SYSTEM, "offered", "waiting" },
    { "pass", VISIT_SYSTEM, "waiting", "passed" },
    { "expire", VISIT_SYSTEM, "waiting", "expired" },
    { "cancel", VISIT_STAFF, "waiting", "cancelled" },
    { "cancel", VISIT_STAFF, "offered", "cancelled" },
};
static const char *const states[] = { "waiting", "offered",   "booked",
                                      "passed",  "cancelled", "expired" };
static const unsigned whos[] = { VISIT_STAFF, VISIT_CLIENT, VISIT_SYSTEM };

static const char *expected(const char *verb, unsigned who, const char *from)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (strcmp(cases[i].verb, verb) == 0 && cases[i].who == who &&
            strcmp(cases[i].from, from) == 0) {
            return cases[i].to;
        }
    }
    return NULL;
}

Test(wait, leads_where_it_should_and_nowhere_else)
{
    size_t n = 0;
    for (const struct visit_step *s = wait_steps; s->verb; s++) {
        for (size_t w = 0; w < ARRAY_LEN(whos); w++) {
            for (size_t k = 0; k < ARRAY_LEN(states); k++) {
                const struct visit_step *step = wait_step(s->verb, (enum visit_who)whos[w]);
                bool may = step && visit_may(step, states[k]);
                const char *to = expected(s->verb, whos[w], states[k]);
                cr_expect_eq(may, to != NULL, "%s of %u from %s", s->verb, whos[w], states[k]);
                cr_expect(!may || !to || strcmp(step->to, to) == 0, "%s leads to %s", s->verb,
                          step->to);
                n += may;
            }
        }
    }
    cr_expect_eq(n, ARRAY_LEN(cases));
    cr_expect_null(wait_step("complete", VISIT_STAFF));
}

Test(wait, names_what_is_legal)
{
    struct sbuf out;
    sbuf_init(&out);
    wait_legal(&out, "offered", VISIT_STAFF);
    wait_legal(&out, "booked", VISIT_STAFF);
    cr_expect(slice_eq(sbuf_slice(&out), SLICE("[\"accept\",\"decline\",\"cancel\"][]")));
    sbuf_fini(&out);
}
