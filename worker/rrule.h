/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Rules of a series of visits: the part of RFC 5545's RRULE that a practice needs, read strictly and stepped through by libical. Days and times are local; which
 * instants they are is not known here. Pure. */
#ifndef GREMIO_RRULE_H
#define GREMIO_RRULE_H

#include "common/err.h"
#include "common/str.h"

#define RRULE_TEXT_MAX     200 /* bytes */
#define RRULE_MAX          100 /* occurrences of one rule */
#define RRULE_YEARS        2   /* how long it goes on, from its start */
#define RRULE_INTERVAL_MAX 99
#define RRULE_KEY_SIZE     17 /* "2027-03-01T09:00" and its NUL */

enum rrule_freq { RRULE_DAILY = 1, RRULE_WEEKLY, RRULE_MONTHLY };

struct rrule {
    enum rrule_freq freq;
    int interval;
    int count;                  /* 0: it has an end instead */
    char until[RRULE_KEY_SIZE]; /* counts too; of a day its last minute */
    bool until_day;             /* it was said as a day */
    struct rrule_day {
        int nth,
            weekday; /* nth: of the month, from its end when negative, 0 of weekly rules; weekday: 1 Monday to 7 */
    } days[14];
    size_t day_count;
    int month_days[31]; /* from the month's end when negative */
    size_t month_day_count;
};

struct rrule_dates {
    char keys[RRULE_MAX][RRULE_KEY_SIZE]; /* ascending; the first is the start */
    size_t count;
};

/* What is wrong with a rule, or with its start. */
struct rrule_fault {
    const char *code, *text[2]; /* by enum lang */
    bool start;                 /* the start is to blame, not the rule */
};

/* FREQ=DAILY, WEEKLY with BYDAY=MO,.., MONTHLY with BYMONTHDAY or BYDAY=2TU,-1FR; INTERVAL; one of COUNT and UNTIL (a day, or a local time). NULL: *out is the
 * rule; otherwise why it is not taken. */
MUST_USE const struct rrule_fault *rrule_read(struct slice text, struct rrule *out);
/* All local times of r from start ("2027-03-01T09:00") on, start included, which must be one of them. NULL: they are in *out. */
MUST_USE const struct rrule_fault *rrule_expand(const struct rrule *r, const char *start,
                                                struct rrule_dates *out);
/* The rule as text, parts in one order. */
void rrule_write(const struct rrule *r, char out[RRULE_TEXT_MAX + 1]);

#endif
