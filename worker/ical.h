/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Visits as iCalendar (RFC 5545, RFC 7986), written by libical: for calendars that are subscribed to (METHOD:PUBLISH) or take one visit in. Times are UTC, so
 * that nobody's zone tables matter. Pure: the same events give the same bytes. */
#ifndef GREMIO_ICAL_H
#define GREMIO_ICAL_H

#include "common/err.h"
#include "common/sbuf.h"

struct ical_event {
    const char *uid;   /* the same for as long as the visit lives */
    const char *state; /* of the appointment: what STATUS says */
    const char
        *summary; /* any text; what iCalendar cannot hold (control characters) becomes a blank */
    const char *location;                /* NULL: none */
    int sequence;                        /* rises with every change */
    int64_t starts_s, ends_s, changed_s; /* seconds since 1970 */
};

/* Appends one VCALENDAR of that name with the events in order. E_NOMEM: out is not to be used then. */
MUST_USE enum err ical_write(const char *name, const struct ical_event *events, size_t n,
                             struct sbuf *out);

#endif
