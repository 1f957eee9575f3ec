/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The table of what a change of a series does, held against what a practice expects of it, written down a second time. */
#include <criterion/criterion.h>

#include "common/str.h"
#include "worker/api/appointment.h"
#include "worker/series_rule.h"

static enum series_fate fate(enum series_scope scope, enum series_change change,
                             enum series_where where, enum series_when when, enum series_bond bond,
                             const char *state)
{
    const struct series_occurrence o = { where, when, bond, state };
    return series_rule_fate(scope, change, &o);
}

static bool is_open(const char *state)
{
    static const char *const open[] = { "requested", "awaiting_client", "awaiting_payment",
                                        "confirmed" };
    for (size_t i = 0; i < ARRAY_LEN(open); i++) {
        if (strcmp(open[i], state) == 0) {
            return true;
        }
    }
    return false;
}

/* In words: whom the change is about; then what has begun; then what is over; then what stands for itself. */
static enum series_fate expected(enum series_scope scope, enum series_change change,
                                 enum series_where where, enum series_when when,
                                 enum series_bond bond, const char *state)
{
    if ((scope == SERIES_ONE && where != SERIES_AT) ||
        (scope == SERIES_FOLLOWING && where == SERIES_BEFORE)) {
        return SERIES_OUTSIDE;
    }
    if (when == SERIES_PAST) {
        return SERIES_IS_PAST;
    }
    if (!is_open(state)) {
        return SERIES_IS_OVER;
    }
    if (change == SERIES_CANCEL) {
        return SERIES_CANCELS;
    }
    if (scope == SERIES_ONE) {
        return SERIES_DETACHES;
    }
    return bond == SERIES_DETACHED ? SERIES_IS_DETACHED : SERIES_CHANGES;
}

Test(series_rule, every_case)
{
    size_t cases = 0;
    for (unsigned scope = SERIES_ONE; scope <= SERIES_ALL; scope <<= 1) {
        for (unsigned change = SERIES_MOVE; change <= SERIES_CANCEL; change <<= 1) {
            for (unsigned rest = 0; rest < 12; rest++) {
                char states[] = APPOINTMENT_STATES, *left = states, *state;
                while ((state = strsep(&left, " "))) {
                    unsigned where = 1u << rest % 3, when = 1u << rest / 3 % 2,
                             bond = 1u << rest / 6;
                    cr_expect_eq(fate(scope, change, where, when, bond, state),
                                 expected(scope, change, where, when, bond, state),
                                 "%u %u %u %u %u %s", scope, change, where, when, bond, state);
                    cases++;
                }
            }
        }
    }
    cr_expect_eq(cases, 3 * 3 * 12 * 12);
}

/* A row that is behind one which takes all of its cases says nothing. */
Test(series_rule, every_row_is_met)
{
    for (const struct series_rule *r = series_rules; r->fate; r++) {
        bool met = false;
        for (unsigned rest = 0; rest < 108 && !met; rest++) {
            unsigned scope = 1u << rest % 3, change = 1u << rest / 3 % 3,
                     where = 1u << rest / 9 % 3, when = 1u << rest / 27 % 2, bond = 1u << rest / 54;
            bool fits = (r->scopes & scope) && (r->changes & change) && (r->where & where) &&
                        (r->when & when) && (r->bonds & bond);
            met = fits && fate(scope, change, where, when, bond,
                               r->fate == SERIES_IS_OVER ? "completed" : "confirmed") == r->fate;
        }
        cr_expect(met, "row %zu", (size_t)(r - series_rules));
    }
}

/* Written by hand: what must never come of any change. */
Test(series_rule, forbidden)
{
    static const char *const over[] = { "checked_in", "in_progress",        "completed", "no_show",
                                        "cancelled",  "declined",           "expired",   "held",
                                        "",           "confirmed,cancelled" };
    for (size_t i = 0; i < ARRAY_LEN(over); i++) {
        cr_expect_eq(fate(SERIES_ALL, SERIES_MOVE, SERIES_AT, SERIES_FUTURE, SERIES_BOUND, over[i]),
                     SERIES_IS_OVER, "%s", over[i]);
        cr_expect_eq(
            fate(SERIES_ALL, SERIES_CANCEL, SERIES_AT, SERIES_FUTURE, SERIES_BOUND, over[i]),
            SERIES_IS_OVER, "%s", over[i]);
        cr_expect_eq(fate(SERIES_ONE, SERIES_NOTE, SERIES_AT, SERIES_FUTURE, SERIES_BOUND, over[i]),
                     SERIES_IS_OVER, "%s", over[i]);
    }
    cr_expect_eq(fate(SERIES_ALL, SERIES_CANCEL, SERIES_AT, SERIES_PAST, SERIES_BOUND, "confirmed"),
                 SERIES_IS_PAST);
    cr_expect_eq(fate(SERIES_FOLLOWING, SERIES_CANCEL, SERIES_BEFORE, SERIES_FUTURE, SERIES_BOUND,
                      "confirmed"),
                 SERIES_OUTSIDE);
    cr_expect_str_eq(series_rule_why(SERIES_IS_PAST), "past");
    cr_expect_str_eq(series_rule_why(SERIES_IS_OVER), "state");
    cr_expect_str_eq(series_rule_why(SERIES_IS_DETACHED), "detached");
    cr_expect_null(series_rule_why(SERIES_CHANGES));
    cr_expect_null(series_rule_why(SERIES_OUTSIDE));
}
