/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Whole days out of an iCalendar file (RFC 5545), read by libical: holidays as authorities and calendar programs publish them. Events that are not of whole days, or recur
 * otherwise than yearly, are left out and named. Pure. */
#ifndef GREMIO_ICAL_DAYS_H
#define GREMIO_ICAL_DAYS_H

#include "common/err.h"
#include "common/str.h"

#define ICAL_DAYS_TEXT_MAX   262144 /* bytes of a file */
#define ICAL_DAYS_MAX        400    /* days and spans of days that one file may come to */
#define ICAL_DAYS_YEARLY_MAX 50     /* events with a yearly rule */
#define ICAL_DAYS_UID_MAX    200
#define ICAL_DAYS_REASON_MAX 200 /* bytes; longer names are cut */

struct ical_day {
    char uid[ICAL_DAYS_UID_MAX + 12]; /* of a yearly event with its date behind a slash */
    char first[11], last[11];         /* "2027-01-01"; both count */
    char reason[ICAL_DAYS_REASON_MAX + 1];
    bool gone; /* STATUS:CANCELLED: what was imported of it goes */
};

struct ical_days {
    struct ical_day rows[ICAL_DAYS_MAX];
    size_t count;
    struct ical_skipped {
        char uid[ICAL_DAYS_UID_MAX + 1];
        const char *why; /* "no_uid", "not_whole_days", "recurrence", "too_long" */
    } skipped[ICAL_DAYS_MAX];
    size_t skipped_count, yearly;
};

/* Reads what ends on from or later and begins before to ("2027-01-01"). E_BAD_REQUEST: text is no calendar; E_LIMIT: it comes to more than is taken. */
MUST_USE enum err ical_days_read(struct slice text, const char *from, const char *to,
                                 struct ical_days *out);

#endif
