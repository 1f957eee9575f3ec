/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What staff (calendar.c) and guests (guest.c) share of calendars. */
#ifndef GREMIO_CALENDAR_H
#define GREMIO_CALENDAR_H

#include "worker/api/link.h"

/* What an event is made of, of appointment a and business b. */
#define CALENDAR_EVENT                                                                        \
    "a.id, a.state, a.version, extract(epoch FROM a.starts_at)::bigint AS starts,"            \
    " extract(epoch FROM a.ends_at)::bigint AS ends, floor(extract(epoch FROM a.updated_at))" \
    "::bigint AS changed, a.service_name, a.client_name, a.staff_name, b.name AS practice,"   \
    " b.address"

/* Answers with a calendar of rows, with an ETag of its bytes. for_client: events are called by the practice, else by the client. */
MUST_USE enum err calendar_answer(struct call *c, const PGresult *rows, const char *name,
                                  bool for_client);
/* Makes the address of a feed: sets :secret_hash, runs insert (one row, or none when there are too many) and answers, the address shown once. */
MUST_USE enum err calendar_make_feed(struct call *c, const struct stmt *insert);

extern const struct column calendar_feed_columns[], calendar_columns[];

#endif
