/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Keeps requests of a practice waiting inside the database for as long as a test needs them in flight. */
#ifndef GREMIO_TEST_HOLD_H
#define GREMIO_TEST_HOLD_H

#include <libpq-fe.h>

#include "common/base.h"

struct hold {
    PGconn *locker, *watcher;
};

/* Locks a table of the practice against everybody. */
struct hold hold_begin(const char *slug, const char *table);
/* True once n statements of slots wait for a lock. */
MUST_USE bool hold_wait_for(struct hold *h, int n);
/* Lets everybody go on. */
void hold_end(struct hold *h);

#endif
