/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the files about booking by anybody share: public.c (looking), public_book.c (taking time). The practice is known by its public name; unless it opens itself to the
 * public, nothing of it is there. */
#ifndef GREMIO_PUBLIC_H
#define GREMIO_PUBLIC_H

#include "worker/api/openings.h"

#define PUBLIC_GRID 30 /* minutes, of a service that says none */

/* The practice has opened itself to the public. */
#define PUBLIC_OPEN "(SELECT (rules->>'public_booking')::boolean FROM booking_policy)"

/* The public may book service s. */
#define PUBLIC_SERVICE(s) \
    "(" s ".archived_at IS NULL AND " s ".visibility IN ('public', 'link') AND " PUBLIC_OPEN ")"

/* Whether somebody in o can begin then by the rules for clients. */
bool public_can(const struct openings *o, int64_t start);
/* Days between from and to (today when absent), at most 31: sets w_first and w_last. */
MUST_USE enum err public_ask_days(struct call *c);

#endif
