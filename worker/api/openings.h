/* SPDX-License-Identifier: LicenseRef-Gremio */
/* When a service can begin: one statement brings the rules of some days and the time that is taken, as instants, and avail.h judges each start of the grid.
 * Listing, explaining and moving ask here. Everything lives in the request's arena. */
#ifndef GREMIO_OPENINGS_H
#define GREMIO_OPENINGS_H

#include "worker/avail.h"
#include "worker/call.h"

#define OPENINGS_DAYS_MAX   62
#define OPENINGS_PEOPLE_MAX 50  /* who are looked at, by name */
#define OPENINGS_LOADS_MORE 100 /* that openings_add_load may add */

struct openings_day {
    const char *date; /* of the practice's zone */
    int64_t midnight; /* of that date, as if it were UTC: seconds */
    struct avail_day day;
};

/* A visit of several clients that has seats left. */
struct openings_group {
    const char *id; /* 36 characters, no NUL behind them */
    int left;
    struct avail_span span, wide; /* without buffers, and with them */
};

/* Somebody who offers the service, or an asset that it needs. */
struct openings_person {
    const char *id, *name;
    struct avail_visit visit; /* how long it takes them, and the service's buffers */
    struct avail_resource time;
    int64_t *visits; /* when those begin that they have */
    size_t visit_count;
    struct openings_group *groups; /* of this service */
    size_t group_count;
    struct avail_load *loads; /* of days and weeks with a limit */
    size_t load_count;
    unsigned needs; /* an asset's: a bit for each need that it would do for */
};

struct openings {
    const char *zone;
    struct avail_limits limits;
    int step, offset; /* of the grid, in minutes */
    int seats;        /* of one visit */
    struct openings_day *days;
    struct openings_person *people; /* by name, at most OPENINGS_PEOPLE_MAX */
    struct openings_person *assets; /* by name, at most AVAIL_POOL_MAX */
    size_t day_count, person_count, asset_count;
    struct avail_visit visit; /* as the service is, whoever it is by */
    struct avail_caps caps;
    unsigned needs;                 /* a bit for each that the service has */
    unsigned lack[AVAIL_NEEDS_MAX]; /* of each: the bit for want of it */
    int64_t *starts;                /* openings_starts': room for one day */
    int64_t start;                  /* where the visit is, which is no other time; 0: nowhere yet */
};

/* What the statement is asked for; null unless set. */
#define OPENINGS_VARS                                                                          \
    { .name = "w_service", .type = T_UUID },    /* must be there */                            \
        { .name = "w_staff", .type = T_UUID },  /* null: anybody */                            \
        { .name = "w_first", .type = T_DATE },  /* null: the day of w_at, or today */          \
        { .name = "w_last", .type = T_DATE },   /* null: six days later, or the day of w_at */ \
        { .name = "w_at", .type = T_TEXT },     /* an instant */                               \
        { .name = "w_step", .type = T_INT },    /* the grid of a service that says none */     \
        { .name = "w_seconds", .type = T_INT }, /* null: as long as it takes them */           \
        { .name = "w_before", .type = T_INT },  /* null: the service's buffers, in minutes */  \
        { .name = "w_after", .type = T_INT },                                                  \
        { .name = "w_policy", .type = T_TEXT }, /* null: the practice's rules */               \
        { .name = "w_ignore", .type = T_UUID }, /* an appointment whose time is free */        \
    {                                                                                          \
        .name = "w_client", .type = T_UUID /* whose time counts too */                         \
    }

extern const struct stmt openings_world;

/* How many days from first to last, both counted: 0 when last is before first or a date is out of 1970 to 2199. */
int64_t openings_days_between(const char *first, const char *last);
/* Runs the statement. day_count is 0 when there is no such service. */
MUST_USE enum err openings_load(struct call *c, struct openings *out);
/* The grid's starts of a day, in o->starts. */
size_t openings_starts(struct openings *o, const struct openings_day *d);
/* The reasons why it cannot begin with p then; 0: it can. */
unsigned openings_judge(const struct openings *o, const struct openings_person *p, int64_t start);
/* The same for any instant; AVAIL_CLOSED when it is off the grid of the days there are. */
unsigned openings_judge_any(struct openings *o, const struct openings_person *p, int64_t start);
/* Whether anybody can begin then. */
bool openings_anybody_can(const struct openings *o, int64_t start);
/* The first start that anybody can, within the horizon: of o, or of days behind it, which it then loads into o. day is NULL when there is none. */
MUST_USE enum err openings_find_next(struct call *c, struct openings *o,
                                     const struct openings_day **day, int64_t *start);
/* How much stands back for a visit's assets. */
enum openings_force {
    OPENINGS_FREE = 1,
    OPENINGS_ANY_HOUR, /* their hours */
    OPENINGS_BESIDE,   /* and whoever has them then */
};
/* The group that a visit at start would join; NULL: none. */
const struct openings_group *openings_group_at(const struct openings_person *p, int64_t start);
/* Sets :to_group to the group that the visit would join then, else :assets to what it would have, as an array; those that are free first. Returns the bits of
 * what there is none for; 0: it has all that it needs. p: NULL as the service is. */
unsigned openings_assign(struct call *c, const struct openings *o, const struct openings_person *p,
                         int64_t start, enum openings_force most);
/* p will have a visit more on that day, which counts for limits from here on. At most OPENINGS_LOADS_MORE times. */
void openings_add_load(struct openings_person *p, const char *date);
/* A start as RFC 3339, with the offset that the day's clocks have then, quoted. */
void openings_write(struct sbuf *out, const struct openings_day *d, int64_t start);

#endif
