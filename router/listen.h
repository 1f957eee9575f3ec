/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The listening sockets of every router process: bound by the master before any process runs, or inherited from the program
 * it takes over from. Each process has its own on the shared port (SO_REUSEPORT) and its own port for metrics. */
#ifndef GREMIO_LISTEN_H
#define GREMIO_LISTEN_H

#include "common/upgrade.h"
#include "router/settings.h"

struct listen_pair {
    int http, metrics; /* -1: not open, or no metrics asked for */
};

#define LISTEN_NONE ((struct listen_pair){ .http = -1, .metrics = -1 })

/* E_CONFIG with one sentence when the port is taken by another router: the kernel alone would let both share it. */
MUST_USE enum err listen_alone(const struct settings *s, struct sbuf *why);
/* Binds the sockets of process index. On failure, one sentence in why, what is open stays in *out. */
MUST_USE enum err listen_open(const struct settings *s, size_t index, struct listen_pair *out,
                              struct sbuf *why);
void listen_close(struct listen_pair *p);
/* Adds the sockets of process index to what a successor gets; pid serves them. */
void listen_put(const struct settings *s, size_t index, const struct listen_pair *p, pid_t pid,
                struct upgrade_list *l);
/* The same from the successor's side; *pid is the process that serves them now, 0 for none. */
MUST_USE enum err listen_take(const struct settings *s, size_t index, struct upgrade_list *l,
                              struct listen_pair *out, pid_t *pid, struct sbuf *why);

#endif
