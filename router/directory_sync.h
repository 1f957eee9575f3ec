/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Keeps the directory as the database has it, over libpq's asynchronous calls on the event loop: LISTEN first, then a
 * full load, then one row at a time as notifications come. Never blocks; while the database is away the directory
 * stays as it was. */
#ifndef GREMIO_DIRECTORY_SYNC_H
#define GREMIO_DIRECTORY_SYNC_H

#include <event2/event.h>

#include "router/directory.h"
#include "router/revoked.h"

struct directory_sync;

/* Texts are borrowed until directory_sync_free and read anew for each connection. */
struct directory_sync_config {
    const char *host, *port, *dbname, *user, *password;
    struct directory *directory; /* borrowed */
    struct revoked *revoked;     /* borrowed */
    /* Something changed; keys: the set of signing keys did. */
    void (*changed)(bool keys, void *arg);
    void *arg;
};

struct directory_sync_stats {
    bool connected; /* in step with the database: loaded, listening, answering */
    int64_t age_ms; /* since the database last answered; -1: never */
    uint64_t connects, notifications;
};

/* Starts connecting at once. */
MUST_USE enum err directory_sync_new(struct event_base *base,
                                     const struct directory_sync_config *config,
                                     struct directory_sync **out);
void directory_sync_free(struct directory_sync *s);
struct directory_sync_stats directory_sync_stats(const struct directory_sync *s);

#endif
