/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One router process: its event loop, the modules on it, its signals. SIGTERM drains, a second one stops at once,
 * SIGHUP reads the settings again, SIGUSR2 says that a successor serves the same socket. It takes connections once it is ready
 * to answer them, or after a second when nobody else would. */
#ifndef GREMIO_PROCESS_H
#define GREMIO_PROCESS_H

#include "router/settings.h"

/* Exit codes of every router process, the master's too. */
enum process_exit {
    PROCESS_OK = 0,      /* stopped as asked, nothing was cut off */
    PROCESS_START = 1,   /* could not start: port taken, out of memory */
    PROCESS_CONFIG = 2,  /* wrong command line, settings or certificate */
    PROCESS_CUT_OFF = 3, /* a second signal or drain_timeout ended it with requests in flight */
};

/* Shared with the master, one writer for each field. */
struct process_share {
    _Atomic bool open;  /* by the process: it takes connections */
    _Atomic bool alone; /* by the master: no older process serves the same socket */
};

struct process_start {
    unsigned index;                   /* from 0; names the process in log lines */
    int listen_fd, metrics_fd;        /* metrics_fd -1: none; both become the process's */
    struct process_share *share;      /* borrowed */
    const struct settings *settings;  /* copied */
    const struct conf_source *source; /* read again on SIGHUP; borrowed */
};

/* Runs until told to stop; returns the exit code. */
int process_run(const struct process_start *start);

#endif
