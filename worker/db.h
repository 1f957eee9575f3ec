/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The connections of one slot, one per pool login, in pipeline mode and never blocking without a deadline. Queues
 * messages, flushes them, hands results out in the order they were asked for. Knows no tenant and no request; a
 * connection whose state is in doubt is closed at the end of the batch, never reused. */
#ifndef GREMIO_DB_H
#define GREMIO_DB_H

#include <libpq-fe.h>
#include <poll.h>

#include "worker/slot_env.h"
#include "worker/stmt.h"

#define DB_STEPS_MAX   1024 /* answers one connection may owe us; a power of two */
#define DB_STALE_MAX   256  /* evicted statements not yet deallocated */
#define DB_WEIGH_EVERY 16   /* statements prepared between two looks at the backend's memory */
#define DB_LIVE_MAX    128 /* open connections of one slot; the least recently used one makes room */

/* One message that will be answered by one result. */
enum db_step_kind {
    STEP_DEALLOCATE,
    STEP_PREPARE,
    STEP_BEGIN,
    STEP_REPLAN,
    STEP_TENANT,
    STEP_STATEMENT,
    STEP_COMMIT,
    STEP_ROLLBACK,
    STEP_SYNC
};
struct db_step {
    enum db_step_kind kind;
    uint32_t serial; /* STEP_PREPARE: the cache's entry */
    uint32_t id;
    uint64_t code;
};

struct db_conn {
    PGconn *pg; /* NULL: closed */
    unsigned pool;
    bool lost;         /* nothing more will come */
    const char *doubt; /* why it will be closed; NULL when it is fine */
    bool grouped;      /* a group is open: its Sync is not yet confirmed */
    int64_t opened_us, used_us;
    uint32_t weighed; /* cache.serial when its backend's memory was last looked at */
    struct stmt_cache cache;
    uint32_t stale[DB_STALE_MAX]; /* serials to deallocate before the next unit */
    unsigned stale_count;
    struct db_step steps[DB_STEPS_MAX];
    unsigned first, next; /* steps[first % MAX] is answered next; next - first are owed */
    unsigned failures;    /* failed connects in a row */
    int64_t retry_us;     /* no connect before */
    int64_t wait_us;      /* what one result may take */
};

struct db {
    const struct slot_env *env;
    struct db_conn *pools[TENANT_POOLS_MAX]; /* made when first needed */
    struct db_conn *live[DB_LIVE_MAX];       /* those with a connection */
    size_t live_count;
};

/* env stays the caller's and must outlive *db. Opens nothing. */
void db_init(struct db *db, const struct slot_env *env);
void db_fini(struct db *db);

/* The pool's connection, opened when needed. E_DB_UNAVAILABLE at once while a failed connect backs off (100 ms to 2 s), or
 * when the connect fails now. Auth slots have one connection, whatever the pool. */
MUST_USE enum err db_take(struct db *db, unsigned pool, struct db_conn **out);

/* Deallocates what had to leave the cache. To be called before a unit's first message: there nothing can skip it. */
MUST_USE bool db_send_stale(struct db_conn *c);
/* Queue one message each; false: the connection is lost. plan is prepared first when this connection has not yet done so
 * for code. */
MUST_USE bool db_send(struct db_conn *c, enum db_step_kind kind, uint64_t code,
                      const struct stmt_plan *plan, const char *const *values);
MUST_USE bool db_send_rollback(struct db_conn *c);
/* A group: read-only transactions behind each other that share one Sync, since libpq 15 writes to the socket at every Sync and
 * the server answers at each. begin opens a group that is not open yet; next commits and opens the following transaction, of
 * which db_sync_groups ends the last, empty one. An error makes the server skip the rest of the group. */
MUST_USE bool db_send_begin(struct db_conn *c);
MUST_USE bool db_send_next(struct db_conn *c);
MUST_USE bool db_send_sync(struct db_conn *c);
/* Asks the server to send what it has without a Sync. */
MUST_USE bool db_send_flush(struct db_conn *c);
/* Steps owed. */
unsigned db_owed(const struct db_conn *c);

/* Whether the database lets us in: opens the connection of the first pool, which every installation has. */
MUST_USE enum err db_reach(struct db *db);

/* Queues the end of every group and its Sync. */
void db_sync_groups(struct db *db);
/* Once the results of all transactions were taken: takes the Syncs, and rolls back where an error left one open. */
void db_end_groups(struct db *db);

/* Sends everything queued on every connection, reading what comes meanwhile so that neither side blocks the other. A
 * connection that cannot take it in time is marked lost. */
void db_flush(struct db *db);
/* The oldest owed step and its result (PQclear is the caller's). E_CLOSED: the connection is lost or did not answer in
 * time; the step is taken off all the same, *out NULL. */
MUST_USE enum err db_next(struct db_conn *c, struct db_step *step, PGresult **out);

/* Marks the connection for closing; why is static text for the log. */
void db_doubt(struct db_conn *c, const char *why);
/* Whether it is in doubt because an answer took too long. */
bool db_timed_out(const struct db_conn *c);
/* End of a batch: closes what is in doubt, too old or too big. */
void db_settle(struct db *db);

/* Descriptors of idle connections, to see the server close them: at most max; returns how many. */
size_t db_poll_fds(const struct db *db, struct pollfd *fds, size_t max);
/* fds as filled above, after poll. */
void db_poll_done(struct db *db, const struct pollfd *fds, size_t n);

#endif
