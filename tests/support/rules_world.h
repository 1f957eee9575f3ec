/* SPDX-License-Identifier: LicenseRef-Gremio */
/* An oracle for when somebody can be booked that knows nothing but minutes and the C library's clocks: random worlds of schedules, exceptions and visits, painted minute by
 * minute. Nothing of the product is in it. */
#ifndef GREMIO_TEST_RULES_WORLD_H
#define GREMIO_TEST_RULES_WORLD_H

#include "common/base.h"

enum {
    MINUTE = 60,
    DAY = 86400,
    DAYS = 5,   /* asked for */
    MARGIN = 4, /* days on both sides that may matter */
    MINUTES = (DAYS + 2 * MARGIN) * 1440,
    PEOPLE = 2,
    ROOMS = 2, /* come behind the people */
    ALL = PEOPLE + ROOMS,
    MOST = 6, /* of schedules, exceptions and visits of a world, and spans of a schedule */
    ZONES = 2,
    ROUNDS = 8,
};

enum bits {
    HORIZON = 1,
    NOTICE = 2,
    CLOSED = 4,
    EXCEPTION = 8,
    BREAK = 16,
    BUSY = 32,
    BUFFER = 64,
    LIMIT = 128,
    NO_ROOM = 256,
};
#define OPEN      0x8000 /* of a minute, beside them */
#define BIT_COUNT 9
extern const char *const bit_names[BIT_COUNT]; /* as the API calls them, from bit 0 on */

struct moment {
    int64_t day;
    int minute;
};

struct span {
    bool is_break;
    int weekday, starts, minutes, parity; /* parity -1: every week */
};

struct schedule {
    int person, zone; /* of all; zone 0: the practice's, as null */
    bool for_service;
    int64_t from, to; /* days; 0: open */
    struct span spans[MOST];
    size_t span_count;
};

struct exception {
    int person, effect; /* person -1: everybody, no room; 0 closed, 1 open, 2 special */
    int64_t first, last;
    int starts, minutes; /* minutes 0: whole days */
};

struct visit {
    int person;
    int64_t from, to;
    int before, after;
};

struct world {
    const char *zones[ZONES];
    int64_t first_day;
    struct schedule schedules[MOST];
    struct exception exceptions[MOST];
    struct visit visits[MOST];
    struct span hours[MOST]; /* the opening hours */
    size_t schedule_count, exception_count, visit_count, hour_count;
    int length[PEOPLE], before, after, step, offset; /* minutes */
    int notice_min, horizon_days;
    unsigned pool; /* rooms of which a visit takes one, as bits; 0: it needs none */
    int day_visits, day_minutes, week_visits, week_minutes; /* of a person at most; 0: no limit */
    int64_t start;                                          /* first minute that is looked at */
    struct moment *clocks[ZONES];                           /* what they show in each minute */
    unsigned short *strip[ALL];                             /* OPEN and enum bits */
};

/* The next random worlds. */
extern unsigned world_seed;
/* Somewhere within what rules may say of a day on which the zone's clocks change; the round says which. */
void make_world(struct world *w, const char *zone, int round);
/* What each minute of it is, and back to nothing painted. */
void paint(struct world *w);
void wipe(struct world *w);
bool on_grid(const struct world *w, int64_t at);
/* The reasons why nobody can begin at that minute; 0: they can. */
unsigned look(const struct world *w, int person, int64_t at, int64_t now);
/* "2027-03-01"; good for a handful of calls. */
const char *date_text(int64_t day);

#endif
