/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The statements behind guest.c, which says when each is run. :me_session is the link, :me_member its client; every statement asks anew whether
 * the link is alive and covers what is asked for: one that was revoked opens nothing from then on. */
#ifndef GREMIO_GUEST_H
#define GREMIO_GUEST_H

#include "worker/api/appointment.h"
#include "worker/api/link.h"
#include "worker/api/openings.h"

/* One row when the link is alive: whether it has the scope :wanted. FOR SHARE: revoking waits for whoever acts. */
extern const struct stmt guest_link;
/* Who comes, to which practice, with which rights: the answer of /guest/me. */
extern const struct stmt guest_me;
/* The client's visits that the link covers: those to come, soonest first, or those of the past, latest first. */
extern const struct stmt guest_list;
/* One visit; what may be done with it is in can_... and the *_why columns (a problem's code, or null: it may). */
extern const struct stmt guest_one;
/* The same, locked, with what a move needs, and fresh: whether :version is the visit's or null. */
extern const struct stmt guest_find;
/* The visit as openings.h is asked for others of its kind: as long, with the buffers and by the rules that were agreed. */
extern const struct stmt guest_wish;
extern const struct stmt guest_profile;
/* Proposes contact data, on top of what is proposed already. */
extern const struct stmt guest_propose;
extern const struct stmt guest_logo;

#endif
