/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Running one admitted request: batched (its one statement goes out with others) or alone (a handler, an
 * Idempotency-Key). Either way c->reply is the answer at the end, and nothing of a refusal is kept. */
#ifndef GREMIO_RUN_H
#define GREMIO_RUN_H

#include "worker/unit.h"

/* Whether it can share a batch. */
bool run_is_batched(const struct call *c);

/* Batched, first half: queues its unit; flush: its results do not wait for those of its group. On failure c->reply is the
 * refusal. */
MUST_USE enum err run_send(struct call *c, bool flush);
/* Second half. E_AGAIN: it failed in a way that a second run may not (run_alone after db_settle); otherwise OK and
 * c->reply is the answer. */
MUST_USE enum err run_collect(struct call *c);

/* The whole request, retried once after a serialization failure. c->reply is the answer. */
void run_alone(struct call *c, struct db *db);

#endif
