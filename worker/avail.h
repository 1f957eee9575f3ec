/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Whether a visit can begin at a time, and why not: the one judge that listing, moving and booking ask. Pure: no I/O, no clock and no zone
 * rules; all times are seconds since 1970 (UTC) and all spans half-open. The database expands rules of local time to spans. */
#ifndef GREMIO_AVAIL_H
#define GREMIO_AVAIL_H

#include "common/sbuf.h"

/* Each is a bit of the answer; what has one bit only would be opened by changing that alone. */
enum avail_why {
    AVAIL_HORIZON = 1u << 0,   /* too far ahead */
    AVAIL_NOTICE = 1u << 1,    /* too soon, or past */
    AVAIL_CLOSED = 1u << 2,    /* not within working hours */
    AVAIL_EXCEPTION = 1u << 3, /* closed on that day: a holiday, an absence */
    AVAIL_BREAK = 1u << 4,
    AVAIL_BUSY = 1u << 5, /* somebody else is there then */
    AVAIL_BUFFER =
        1u << 6, /* not then, but too near: this visit's buffers, or the other's, reach over */
    AVAIL_LIMIT = 1u << 7,   /* that day or week has as much as the practice wants */
    AVAIL_ROOM = 1u << 8,    /* all that would do are taken or closed */
    AVAIL_CHAIR = 1u << 9,   /* so are chairs */
    AVAIL_DEVICE = 1u << 10, /* and devices */
};
#define AVAIL_WHYS 11

struct avail_span {
    int64_t from, to;
};

/* A span that is taken away, and the bit that says by what. AVAIL_BUSY spans are visits without their buffers; AVAIL_BUFFER spans the same with
 * them. */
struct avail_taken {
    struct avail_span span;
    unsigned why;
    int64_t reach; /* avail_sort's: the latest end of this and all before it */
};

/* One member of staff (or room, or chair). Arrays are the caller's; avail_sort orders them in place. */
struct avail_resource {
    struct avail_span *open;
    size_t open_count;
    struct avail_taken *taken;
    size_t taken_count;
};

struct avail_visit {
    int64_t length, before, after; /* seconds; buffers are taken, too, but need no working hours */
};

/* Starts outside [earliest, latest] are too soon or too far. */
struct avail_limits {
    int64_t earliest, latest;
};

/* A day of a zone. Where its clocks change on it: at that instant, from when on they show shown, in seconds since midnight. A day whose
 * midnight is left out changes with its first instant. */
struct avail_day {
    struct avail_span span;
    int64_t change; /* 0: they do not */
    int64_t shown;
};

/* Orders and joins open spans, orders taken ones. Needed once, before avail_judge. */
void avail_sort(struct avail_resource *r);
/* 0: a visit can begin at start. Otherwise all the reasons why not. */
unsigned avail_judge(const struct avail_resource *r, const struct avail_visit *v,
                     const struct avail_limits *l, int64_t start);
/* How much somebody has on a day of the practice: days are counted from 1970-01-01. */
struct avail_load {
    int64_t day;
    int visits, minutes;
};

/* How much of it there may be; 0: as much as one likes. Weeks are Monday to Sunday. */
struct avail_caps {
    int day_visits, day_minutes, week_visits, week_minutes;
};

/* Whether one more visit on day would be too much. loads: of the days that have any. */
bool avail_over(const struct avail_load *loads, size_t n, const struct avail_caps *caps,
                int64_t day, int minutes);

#define AVAIL_NEEDS_MAX 5
#define AVAIL_POOL_MAX  64

/* One of each pool, none for two: chosen[i] is the lowest of the bits in pools[i] that lets the later ones have one too. Returns how many pools come out
 * with one; fewer than n: not all can, and the one of that index is the first without. n <= AVAIL_NEEDS_MAX. */
size_t avail_assign(const uint64_t *pools, size_t n, int *chosen);

/* Seconds between a visit and its nearest neighbour, which is another visit or the end of working hours: 0 leaves no gap on one side. */
int64_t avail_gap(const struct avail_resource *r, const struct avail_visit *v, int64_t start);

/* What another visit (without its buffers, and with them) is to one at start: AVAIL_BUSY, AVAIL_BUFFER or 0. */
unsigned avail_meet(const struct avail_span *visit, const struct avail_span *wide,
                    const struct avail_visit *v, int64_t start);

/* The starts that the grid offers on a day: local midnight + offset + n * step minutes, each as many times as clocks show it (not at all in a gap,
 * twice in an overlap), ascending. Returns how many there are; writes at most cap. step >= 1, 0 <= offset < step. */
size_t avail_grid(const struct avail_day *day, int step_min, int offset_min, int64_t *out,
                  size_t cap);
/* "closed": the stable name of one bit. */
const char *avail_why_name(unsigned bit);
/* Appends the names of all bits as JSON: ["closed","break"]. */
void avail_write_why(struct sbuf *out, unsigned why);

#endif
