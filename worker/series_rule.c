/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Visits that have begun or are over never change, cancelled ones never come back; one that somebody changed by itself keeps that, and goes with the others only when
 * they are cancelled. */
#include "worker/series_rule.h"

#include "worker/visit.h"

#define ANY_SCOPE  (SERIES_ONE | SERIES_FOLLOWING | SERIES_ALL)
#define ANY_CHANGE (SERIES_MOVE | SERIES_NOTE | SERIES_CANCEL)
#define EDIT       (SERIES_MOVE | SERIES_NOTE)
#define MANY       (SERIES_FOLLOWING | SERIES_ALL)
#define ANYWHERE   (SERIES_BEFORE | SERIES_AT | SERIES_AFTER)
#define ANYTIME    (SERIES_FUTURE | SERIES_PAST)
#define ANY_BOND   (SERIES_BOUND | SERIES_DETACHED)

/* clang-format off */
const struct series_rule series_rules[] = {
    { SERIES_ONE, ANY_CHANGE, SERIES_BEFORE | SERIES_AFTER, ANYTIME, ANY_BOND, false, SERIES_OUTSIDE },
    { SERIES_FOLLOWING, ANY_CHANGE, SERIES_BEFORE, ANYTIME, ANY_BOND, false, SERIES_OUTSIDE },
    { ANY_SCOPE, ANY_CHANGE, ANYWHERE, SERIES_PAST, ANY_BOND, false, SERIES_IS_PAST },
    { SERIES_ONE, EDIT, SERIES_AT, SERIES_FUTURE, ANY_BOND, true, SERIES_DETACHES },
    { MANY, EDIT, ANYWHERE, SERIES_FUTURE, SERIES_BOUND, true, SERIES_CHANGES },
    { MANY, EDIT, ANYWHERE, SERIES_FUTURE, SERIES_DETACHED, true, SERIES_IS_DETACHED },
    { ANY_SCOPE, SERIES_CANCEL, ANYWHERE, SERIES_FUTURE, ANY_BOND, true, SERIES_CANCELS },
    { ANY_SCOPE, ANY_CHANGE, ANYWHERE, ANYTIME, ANY_BOND, false, SERIES_IS_OVER },
    { 0, 0, 0, 0, 0, false, 0 },
};
/* clang-format on */

static bool fits(const struct series_rule *r, enum series_scope scope, enum series_change change,
                 const struct series_occurrence *o)
{
    return (r->scopes & scope) && (r->changes & change) && (r->where & o->where) &&
           (r->when & o->when) && (r->bonds & o->bond) &&
           (!r->open || visit_may(visit_step("cancel", VISIT_STAFF), o->state));
}

enum series_fate series_rule_fate(enum series_scope scope, enum series_change change,
                                  const struct series_occurrence *o)
{
    const struct series_rule *r = series_rules;
    while (r->fate && !fits(r, scope, change, o)) {
        r++;
    }
    return r->fate ? r->fate : SERIES_IS_OVER;
}

const char *series_rule_why(enum series_fate fate)
{
    switch (fate) {
    case SERIES_IS_PAST:
        return "past";
    case SERIES_IS_OVER:
        return "state";
    case SERIES_IS_DETACHED:
        return "detached";
    case SERIES_OUTSIDE:
    case SERIES_CHANGES:
    case SERIES_DETACHES:
    case SERIES_CANCELS:
        break;
    }
    return NULL;
}
