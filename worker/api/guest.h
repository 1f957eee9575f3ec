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
extern const struct stmt guest_ics;
extern const struct stmt guest_feed;
extern const struct stmt guest_profile;
/* Proposes contact data, on top of what is proposed already: what is as the practice has it is no part of it. No row: nothing differs. */
extern const struct stmt guest_propose;
extern const struct stmt guest_logo;

/* What programs do by /api/v1/guest and people by the forms of their pages: the same handlers. Their rows name :id and :version, for
 * cancelling :reason, for moving :starts_at, for proposing the fields of contact data, and these vars and statements. */
enum err guest_do_confirm(struct call *c);
enum err guest_do_cancel(struct call *c);
enum err guest_do_move(struct call *c);
enum err guest_do_propose(struct call *c);
extern const struct param guest_vars[], guest_step_vars[], guest_move_vars[];
extern const struct stmt *const guest_step_stmts[], *const guest_move_stmts[],
                                                        *const guest_propose_stmts[];
/* What else a visit could be: the same service by the same person. wish: of guest_wish. Needs OPENINGS_VARS and openings_world. */
MUST_USE enum err guest_load_openings(struct call *c, const char *visit, const PGresult *wish,
                                      struct openings *o);
/* The visit could begin then. */
bool guest_is_open(const struct openings *o, int64_t start);
/* Refuses with the problem that a *_why column names; OK when it is null. */
enum err guest_judge(struct call *c, const char *why);

#endif
