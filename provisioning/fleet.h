/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Does one piece of work to each of many practices with a few child processes, each with a connection of its own and
 * one practice in hand. The parent never talks to the database: whatever dies, a transaction is whole or not there. */
#ifndef GREMIO_FLEET_H
#define GREMIO_FLEET_H

#include "provisioning/apply.h"
#include "provisioning/settings.h"

#define FLEET_PARALLEL_MAX 64
#define FLEET_ATTEMPTS     5  /* tries of one practice whose locks are taken, in one run */
#define FLEET_PATIENCE_S   60 /* how long a run waits for a database that went away */

enum fleet_state {
    FLEET_WAITING,
    FLEET_RUNNING,
    FLEET_DONE,    /* done now */
    FLEET_SKIPPED, /* done already, or dropped meanwhile */
    FLEET_FAILED,
};

struct fleet_item {
    const char *name; /* slug, for messages; borrowed */
    const void *what; /* the work's own; borrowed */
    enum fleet_state state;
    unsigned attempts;
    int64_t not_before_us;
    struct apply_fault fault; /* of the last attempt */
};

/* In a child: one whole transaction on an idle connection. fault is empty when it is called. */
typedef enum apply_outcome (*fleet_work_fn)(PGconn *db, const struct fleet_item *item,
                                            void *context, struct apply_fault *fault);

/* Numbers of one run so far. */
struct fleet_count {
    size_t total, done, skipped, failed;
    int64_t longest_us; /* of one practice's work: an upper bound of how long its locks were held */
    bool interrupted;   /* a signal stopped the run */
    bool stopped;       /* stop_after was reached */
    bool lost;          /* the database went away and did not come back in time */
};

struct fleet_options {
    const struct settings *settings;
    unsigned parallel;   /* 1 .. FLEET_PARALLEL_MAX */
    unsigned stop_after; /* failures after which nothing more is handed out; 0: never */
    fleet_work_fn work;
    /* After every answer (item) and several times a second (NULL). */
    void (*on_progress)(void *context, const struct fleet_count *count,
                        const struct fleet_item *item);
    void *context; /* of both */
};

/* Runs every item to an end, or until a signal or stop_after; practices in hand are always finished. Items that are
 * done, skipped or failed already are left alone. A database that went away is waited for. SIGINT and SIGTERM stop
 * the run, a second one ends the children at once. E_IO when no child could be started. */
MUST_USE enum err fleet_run(struct fleet_item *items, size_t n, const struct fleet_options *options,
                            struct fleet_count *count);

#endif
