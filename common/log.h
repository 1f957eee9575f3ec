/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One line of JSON per event on standard error (or a file), written with a single write(2) that never waits: a line
 * that the reader of a pipe or a full disk does not take is dropped and counted. Never give it tokens, passwords, names of people or SQL values. */
#ifndef GREMIO_LOG_H
#define GREMIO_LOG_H

#include "common/sbuf.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* program names the process in every line ("router", "worker/api-1"); level is the least that is written.
 * fd stays the caller's. A reader that goes away is no reason to end: SIGPIPE is ignored from here on. */
void log_init(const char *program, enum log_level level, int fd);
/* The descriptor that lines go to, for those that are written in other ways (the access log). */
int log_fd(void);
/* Lines dropped so far. The next line that gets through says how many were before it ("dropped"). */
uint64_t log_dropped(void);
/* Renames after a fork. The text is copied (at most 31 bytes). */
void log_rename(const char *program);

/* Adds the pairs to one line: log_event(LOG_LEVEL_WARN, "slot_died", "slot", name, "route", route, NULL).
 * Names and values alternate, all const char *, ended by NULL; a NULL value ends the list as well. */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
/* A line already rendered as a JSON object body without braces ("\"a\":1"), for the access log. */
void log_raw(enum log_level level, const char *event, struct slice body);
/* At most one line per event name and second, for what can repeat without a bound (descriptor limit).
 * Lines swallowed are counted in the next one as "suppressed". */
void log_seldom(enum log_level level, const char *event, const char *detail);

#endif
