/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The times of a rule found another way than by libical: every day of two years is asked whether the rule means it. */
#ifndef GREMIO_TEST_RRULE_WALK_H
#define GREMIO_TEST_RRULE_WALK_H

#include <stdio.h>
#include <time.h>

#include "worker/rrule.h"

static inline int rrule_walk_month(const struct tm *t)
{
    struct tm next = {
        .tm_year = t->tm_year, .tm_mon = t->tm_mon + 1, .tm_mday = 0, .tm_hour = 12
    };
    timegm(&next);
    return next.tm_mday;
}

/* By day names or numbers; of a rule without them the start's own. */
static inline bool rrule_walk_named(const struct rrule *r, const struct tm *first,
                                    const struct tm *t)
{
    int weekday = (t->tm_wday + 6) % 7 + 1, length = rrule_walk_month(t), day = t->tm_mday;
    if (r->day_count + r->month_day_count == 0) {
        return r->freq == RRULE_DAILY    ? true
               : r->freq == RRULE_WEEKLY ? t->tm_wday == first->tm_wday
                                         : day == first->tm_mday;
    }
    for (size_t i = 0; i < r->month_day_count; i++) {
        if (r->month_days[i] == day || r->month_days[i] == day - length - 1) {
            return true;
        }
    }
    for (size_t i = 0; i < r->day_count; i++) {
        int nth = r->days[i].nth;
        bool in = nth == 0 || (nth > 0 ? day > (nth - 1) * 7 && day <= nth * 7
                                       : length - day >= (-nth - 1) * 7 && length - day < -nth * 7);
        if (r->days[i].weekday == weekday && in) {
            return true;
        }
    }
    return false;
}

/* Start must be one of its times. Stops at what rrule_expand takes. */
static inline void rrule_walk(const struct rrule *r, const char *start, struct rrule_dates *out)
{
    int year = 0, month = 0, day = 0;
    out->count = 0;
    if (sscanf(start, "%d-%d-%d", &year, &month, &day) != 3) {
        return;
    }
    struct tm first = {
        .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = 12
    };
    time_t at = timegm(&first), begin = at;
    for (int n = 0; n < 366 * RRULE_YEARS + 1; n++, at += 86400) {
        struct tm t;
        char key[80];
        gmtime_r(&at, &t);
        int months = (t.tm_year - first.tm_year) * 12 + t.tm_mon - first.tm_mon;
        int monday = (int)((at / 86400 + 3) / 7 -
                           (begin / 86400 + 3) / 7); /* weeks begin on Monday */
        int periods = r->freq == RRULE_DAILY ? n : r->freq == RRULE_WEEKLY ? monday : months;
        snprintf(key, sizeof key, "%04d-%02d-%02d%s", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                 start + 10);
        if (periods % r->interval != 0 || !rrule_walk_named(r, &first, &t)) {
            continue;
        }
        bool over = (r->until[0] && strcmp(key, r->until) > 0) ||
                    (r->count && out->count == (size_t)r->count) || out->count == RRULE_MAX;
        if (over) {
            return;
        }
        memcpy(out->keys[out->count++], key, RRULE_KEY_SIZE);
    }
}

#endif
