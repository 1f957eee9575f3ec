/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The two clocks: monotonic for deadlines and durations, wall for tokens and what people read.
 * Local times and zones are PostgreSQL's work, never done here. */
#ifndef GREMIO_CLOCK_H
#define GREMIO_CLOCK_H

#include "common/err.h"

/* CLOCK_MONOTONIC in microseconds: the same for every process of this machine, untouched by clock jumps. */
int64_t clock_mono_us(void);
/* Seconds since 1970 UTC. */
int64_t clock_wall_s(void);
int64_t clock_wall_us(void);

#define CLOCK_RFC3339_MAX 40
/* "2026-07-01T15:00:00.123456Z"; the fraction only when not zero. */
void clock_format_utc(int64_t wall_us, char out[CLOCK_RFC3339_MAX]);
/* RFC 3339 date-time. With an offset: *has_offset true and *offset_min its minutes. Without one (local wall time,
 * "2026-07-01T09:00" or with seconds): *has_offset false. *local_us is the wall time read as if it were UTC.
 * Years 1970 to 2199; seconds may be left out, 60 is refused; a fraction is cut to microseconds. E_BAD_REQUEST otherwise. */
MUST_USE enum err clock_parse(struct slice s, int64_t *local_us, bool *has_offset, int *offset_min);

/* PostgreSQL's ISO output in a UTC session ("2026-07-01 15:00:00.12+00" or without zone) to microseconds. */
MUST_USE enum err clock_parse_pg(struct slice s, int64_t *us);
/* RFC 3339 with the offset that local_us - utc_us gives: "2026-07-01T09:00:00-06:00". */
void clock_format_offset(int64_t utc_us, int64_t local_us, char out[CLOCK_RFC3339_MAX]);

#endif
