/* SPDX-License-Identifier: LicenseRef-Gremio */
/* How far a long run is, on standard error: a bar on a terminal, a line every few seconds elsewhere. */
#ifndef GREMIO_PROGRESS_H
#define GREMIO_PROGRESS_H

#include "common/base.h"

struct progress {
    bool bar;           /* standard error is a terminal */
    bool quiet;         /* --json */
    int64_t started_us; /* monotonic */
    int64_t shown_us;
};

/* Starts the clock. */
void progress_init(struct progress *p, bool quiet);
/* Shows done of total when it is time to; finished shows it in any case and ends the bar's line. */
void progress_show(struct progress *p, size_t done, size_t total, size_t failed, bool finished);
/* One line of its own ("practice: why"), above the bar. */
void progress_line(struct progress *p, const char *what, const char *text);
/* Seconds since progress_init. */
double progress_seconds(const struct progress *p);

#endif
