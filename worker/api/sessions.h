/* SPDX-License-Identifier: LicenseRef-Gremio */
/* When a session lives and how it ends: with the login it comes from and every session that was switched to from there. */
#ifndef GREMIO_SESSIONS_H
#define GREMIO_SESSIONS_H

#include "worker/call.h"

/* Of public.session s. */
#define SESSION_LIVE "s.revoked_at IS NULL AND now() < s.idle_deadline AND now() < s.hard_deadline"

/* Ends the session :session and what belongs to it for :reason. Its row is locked by a statement before, so that one that is being
 * switched to is seen. */
extern const struct stmt session_end_login;

/* 401: the session is over. */
enum err session_over(struct call *c);

#endif
