/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Messages from an outbox to where they are delivered: each is delivered and noted in one transaction, at least once and under one name. A practice's
 * outbox is a kind of its work (jobs_kind.h). */
#ifndef GREMIO_JOBS_MAIL_H
#define GREMIO_JOBS_MAIL_H

#include "worker/jobs_kind.h"

/* Some of what waits in public.outbox. *more: there may be more. Anything but OK: pg is not to be used any more; why says it. */
MUST_USE enum err jobs_mail_accounts(const struct slot_env *env, PGconn *pg, bool *more,
                                     struct sbuf *why);

#endif
