/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Migrates many practices with a few child processes, each with a connection of its own and one practice in hand.
 * The parent never talks to the database: whatever dies, a practice is at its old version or at its new one. */
#ifndef GREMIO_FLEET_H
#define GREMIO_FLEET_H

#include "provisioning/apply.h"
#include "provisioning/settings.h"

#define FLEET_PARALLEL_MAX 64
#define FLEET_ATTEMPTS     5 /* tries of one practice whose locks are taken, in one run */

enum fleet_state {
    FLEET_WAITING,
    FLEET_RUNNING,
    FLEET_DONE,    /* migrated now */
    FLEET_SKIPPED, /* current already, or dropped meanwhile */
    FLEET_FAILED,
};

struct fleet_item {
    struct apply_target target;
    char slug[TENANT_SLUG_MAX];
    bool canary;
    enum fleet_state state;
    unsigned attempts;
    int64_t not_before_us;
    struct apply_fault fault; /* of the last attempt */
};

/* Numbers of one run so far. */
struct fleet_count {
    size_t total, done, skipped, failed;
    bool interrupted; /* a signal stopped the run */
    bool stopped;     /* stop_after was reached */
    bool lost;        /* the database went away */
};

struct fleet_options {
    const struct settings *settings;
    const struct migrations *files;
    unsigned parallel;   /* 1 .. FLEET_PARALLEL_MAX */
    unsigned stop_after; /* failures after which nothing more is handed out; 0: never */
    /* After every answer (item) and several times a second (NULL). */
    void (*on_progress)(void *context, const struct fleet_count *count,
                        const struct fleet_item *item);
    void *context;
};

/* Runs every item to an end, or until a signal or stop_after; practices in hand are always finished. Items keep their
 * state. SIGINT and SIGTERM stop it, a second one ends the children at once. E_IO when no child could be started. */
MUST_USE enum err fleet_run(struct fleet_item *items, size_t n, const struct fleet_options *options,
                            struct fleet_count *count);

#endif
