/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The router's master: binds every socket, keeps `processes` children running, passes signals on, execs the program on disk
 * upon SIGUSR2 while all of them go on. Handles no request and holds no client's data. */
#ifndef GREMIO_MASTER_H
#define GREMIO_MASTER_H

#include "router/process.h"

/* Checks what only a start shows: TLS files, folder of static files. E_CONFIG with one sentence in why. */
MUST_USE enum err master_check(const struct settings *s, struct sbuf *why);
/* For --check-upgrade: may a master of this program take over from the one that is our parent? E_CONFIG with one sentence. */
MUST_USE enum err master_check_upgrade(struct settings *settings, struct sbuf *why);
/* Runs until told to stop; the exit code (enum process_exit). On PROCESS_START and PROCESS_CONFIG why holds one
 * sentence. settings is changed by SIGHUP. */
MUST_USE int master_run(struct settings *settings, const struct conf_source *source,
                        struct sbuf *why);

#endif
