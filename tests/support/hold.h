/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Keeps requests of a practice waiting inside the database for as long as a test needs them in flight. */
#ifndef GREMIO_TEST_HOLD_H
#define GREMIO_TEST_HOLD_H

#include <libpq-fe.h>

#include "common/base.h"

struct hold {
    PGconn *locker, *watcher;
    char since[40]; /* PostgreSQL's timestamp */
};

/* Locks a table of the practice against everybody. */
struct hold hold_begin(const char *slug, const char *table);
/* Do n statements of slots wait for a lock now? */
bool hold_has(struct hold *h, int n);
/* True once n statements of slots wait for a lock. A killed slot's connection waits on: hold_forget first where slots die. */
MUST_USE bool hold_wait_for(struct hold *h, int n);
/* From now on only connections that are made after this call count. */
void hold_forget(struct hold *h);
/* Lets everybody go on. */
void hold_end(struct hold *h);

#endif
