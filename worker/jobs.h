/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a jobs slot does between two looks at its sockets: it waits for word of work (NOTIFY gremio_work, or a look every few seconds), takes a
 * practice that has some (public.due_work, leased) and does it under the practice's own locks. Messages to accounts have a table of
 * their own. Logs in as gremio_jobs for the shared tables and as the pool's login for a practice. */
#ifndef GREMIO_JOBS_H
#define GREMIO_JOBS_H

#include "worker/db.h"

struct jobs {
    const struct slot_env *env;
    struct db *db; /* the slot's connections to practices */
    PGconn *pg;    /* as gremio_jobs; NULL: not connected */
    int64_t retry_us;
};

/* Opens nothing. env and db stay the caller's and must outlive *j. */
void jobs_init(struct jobs *j, const struct slot_env *env, struct db *db);
void jobs_fini(struct jobs *j);
/* To be polled for reading; -1: nothing to poll. */
int jobs_fd(const struct jobs *j);
/* Does some of what is due. True: there may be more, look again at once. */
bool jobs_turn(struct jobs *j);

#endif
