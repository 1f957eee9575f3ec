/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The loop of one slot: read every frame that has arrived, gate each, send all of them in one pipeline per connection,
 * collect, render, write the replies, repeat. One process, one thread, no callbacks. */
#ifndef GREMIO_SERVE_H
#define GREMIO_SERVE_H

#include "worker/score.h"
#include "worker/slot_env.h"

/* Runs until drained: after SIGTERM (blocked by the caller, who gives the signalfd) the slot says DRAIN, finishes what it was
 * sent and returns the exit status. listen_fd stays the caller's. */
int serve_run(const struct slot_env *env, int listen_fd, int signal_fd, struct score *score);

#endif
