/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One JSON line per request, gathered over a loop turn and written without ever waiting: when the reader of a pipe is
 * slow, lines are dropped and counted. Tokens, bodies and query strings are never written. */
#ifndef GREMIO_ACCESS_LOG_H
#define GREMIO_ACCESS_LOG_H

#include <event2/event.h>

#include "router/exchange.h"

struct access_log;

/* fd is borrowed; program names the process in each line (copied). */
MUST_USE enum err access_log_new(struct event_base *base, int fd, const char *program,
                                 struct access_log **out);
/* Writes what is gathered. */
void access_log_free(struct access_log *log);
void access_log_write(struct access_log *log, const struct exchange *x, int status, size_t bytes,
                      int64_t total_us);
/* Lines dropped so far. */
uint64_t access_log_dropped(const struct access_log *log);
/* Appends the line of one request, newline included. Pure; access_log_write's core. */
void access_log_line(struct sbuf *out, const char *program, const struct exchange *x, int status,
                     size_t bytes, int64_t total_us);

#endif
