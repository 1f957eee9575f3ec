/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Messages from an outbox to where they are delivered: each is delivered and noted in one transaction, at least once and under one name. */
#ifndef GREMIO_JOBS_MAIL_H
#define GREMIO_JOBS_MAIL_H

#include "common/tenant.h"
#include "worker/db.h"

#define JOBS_MAIL_TIME_MAX 64

/* Some of what waits in a practice's outbox. next: when there is more to do ("infinity"-free timestamptz as text), "" for never. What cannot be
 * done now is logged, and next is some time ahead. */
void jobs_mail_practice(const struct slot_env *env, struct db *db, const struct tenant *t,
                        char next[JOBS_MAIL_TIME_MAX]);
/* Some of what waits in public.outbox. *more: there may be more. Anything but OK: pg is not to be used any more; why says it. */
MUST_USE enum err jobs_mail_accounts(const struct slot_env *env, PGconn *pg, bool *more,
                                     struct sbuf *why);

#endif
