/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The kinds of work that a practice has for the jobs slot (public.due_work). jobs.c opens the unit, commits or undoes it, and looks again when more is due. */
#ifndef GREMIO_JOBS_KIND_H
#define GREMIO_JOBS_KIND_H

#include "worker/unit.h"

#define JOBS_TIME_MAX 64

/* Does some of what is due. next: when there will be more ("infinity"-free timestamptz as text, the past included), "" for never. Anything but OK undoes it: it is
 * tried again some time later. */
typedef enum err (*jobs_kind_fn)(const struct slot_env *env, struct unit *u,
                                 char next[JOBS_TIME_MAX]);

/* Messages in the practice's outbox. */
MUST_USE enum err jobs_mail_practice(const struct slot_env *env, struct unit *u,
                                     char next[JOBS_TIME_MAX]);
/* What time alone ends in the agenda: requests and proposed times that nobody answered, holds that nobody booked. */
MUST_USE enum err jobs_agenda(const struct slot_env *env, struct unit *u, char next[JOBS_TIME_MAX]);

#endif
