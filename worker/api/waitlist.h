/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the files about the waitlist share: waitlist.c (staff), waitlist_offer.c (who an offer is made to, by link), waitlist_work.c (the jobs slot makes
 * offers). An offer is an allocation that expires, and a token; taking it is a booking like any other. */
#ifndef GREMIO_WAITLIST_H
#define GREMIO_WAITLIST_H

#include "worker/api/appointment.h"
#include "worker/wait.h"

/* What taking an offer, or leaving it, needs besides. */
#define WAITLIST_OFFER_VARS                                                       \
    APPOINTMENT_BOOK_VARS, { .name = "notes", .type = T_TEXT },                   \
        { .name = "entry", .type = T_UUID }, { .name = "offer", .type = T_UUID }, \
        { .name = "offer_state", .type = T_TEXT },                                \
    {                                                                             \
        .name = "entry_state", .type = T_TEXT                                     \
    }

/* clang-format off */
#define WAITLIST_OFFER_STMTS                                                                 \
    &appointment_lock, &appointment_sweep, &appointment_check, &waitlist_use,                \
    &appointment_book, &waitlist_booked, &waitlist_left

/* Of entry w and its offer o: what waitlist_accept and waitlist_leave want to know. */
#define WAITLIST_FOUND                                                                       \
    "w.id AS entry, w.state, w.client_id, w.service_id, w.appointment_id, o.id AS offer,"    \
    " o.state AS offer_state, o.staff_id, o.starts_at,"                                      \
    " extract(epoch FROM o.ends_at - o.starts_at)::int / 60 AS minutes,"                     \
    " (SELECT array_agg(y.resource_id) FROM allocation y WHERE y.held_with = o.id) AS assets"
/* clang-format on */

extern const struct stmt waitlist_use, waitlist_booked, waitlist_left;

/* Books found's offer for its client and answers with the appointment. E_HOLD_EXPIRED when its time is over. */
MUST_USE enum err waitlist_accept(struct call *c, const PGresult *found);
/* Ends found's offer, if there is one, and moves the entry as step says; the time is free for the next. */
MUST_USE enum err waitlist_leave(struct call *c, const PGresult *found,
                                 const struct visit_step *step);

#endif
