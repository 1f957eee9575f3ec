/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The parent of all slots: binds their sockets before forking and keeps them open, so that a respawn leaves no gap;
 * starts the dead again with back-off; kills those that make no progress; drains, stops, re-reads settings (SIGHUP) and goes on as
 * the program on disk (SIGUSR2) on signals. Serves no request itself. */
#ifndef GREMIO_SUPERVISOR_H
#define GREMIO_SUPERVISOR_H

#include "common/conf.h"
#include "worker/routes.h"
#include "worker/settings.h"

struct supervisor_start {
    struct worker_settings *settings; /* changed by a reload */
    struct worker_secrets *secrets;
    const struct routes *routes, *work;
    const struct conf_source *source; /* what a reload reads again */
};

/* For --check-upgrade: may a supervisor of this program take over from the one that is our parent? E_CONFIG with one sentence. */
MUST_USE enum err supervisor_check_upgrade(const struct supervisor_start *start, struct sbuf *why);
/* Runs until SIGTERM or SIGINT (drain; a second one stops at once). Returns the exit status: 0 after a drain, 1 when it could not
 * start, with a sentence on standard error. */
int supervisor_run(const struct supervisor_start *start);

#endif
