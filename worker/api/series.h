/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What making a series (series.c) and changing one (series_change.c) share: its statements, and the plan of where each occurrence is to be. A plan is judged as a
 * whole before anything is booked or moved; times that it takes itself count as taken. Everything lives in the request's arena. */
#ifndef GREMIO_SERIES_H
#define GREMIO_SERIES_H

#include "common/clock.h"
#include "worker/api/appointment.h"
#include "worker/api/openings.h"
#include "worker/rrule.h"

/* Why an occurrence cannot be, beside the bits of enum avail_why. */
enum series_why {
    SERIES_CLIENT_BUSY = 1u << 28, /* the client is somewhere else then */
    SERIES_NONEXISTENT = 1u << 29, /* clocks leave that time out */
    SERIES_AMBIGUOUS = 1u << 30,   /* and show that one twice */
};

/* What becomes of occurrences that cannot be where they should. */
enum series_policy { SERIES_REJECT = 1, SERIES_SKIP, SERIES_NEAREST };

/* Where one occurrence is to be, and what was found. */
struct series_wish {
    const char *key;   /* "2027-03-01T09:00" */
    const char *local; /* wanted, as key */
    const char *staff;
    int64_t minutes;                /* 0: as long as it takes them */
    const char *before, *after;     /* buffers in minutes; NULL: the service's */
    const char *id;                 /* of the appointment that is to be moved; NULL: a new one */
    int64_t old_start, old_seconds; /* and where that is */
    bool stays;                     /* its start is not asked for: old_start it is */
    int64_t start;                  /* the instant of local, seconds; 0: there is none */
    unsigned odd;                   /* enum series_why of local itself */
    unsigned why;                   /* all that was found against start */
    int64_t taken;                  /* where it will be; 0: nowhere, or where it is */
    int64_t seconds, before_s, after_s; /* it takes */
    const char *assets, *group;         /* what it will have, as openings_assign says */
    char text[CLOCK_RFC3339_MAX];       /* taken */
};

struct series_plan {
    struct series_wish *wishes; /* by key */
    size_t count, impossible;   /* those that are not taken */
    enum series_policy policy;
    bool override; /* hours do not count */
    int64_t now;
    struct avail_resource client;     /* the client's other visits */
    const struct series_wish *loaded; /* days from its on are in world, for it and the like */
    const char *loaded_last;
    struct openings world;
};

#define SERIES_COLUMNS                                                                            \
    { "id", T_UUID, NULL }, { "client_id", T_UUID, NULL }, { "service_id", T_UUID, NULL },        \
        { "staff_id", T_UUID, "Whose its occurrences are; of single ones it may differ" },        \
        { "rrule", T_TEXT, "RFC 5545, as it was when the series was made or split" },             \
        { "starts_at", T_TEXT, "Local time of the first occurrence, by the rule" },               \
        { "time_of_day", T_TEXT, "Local, of its occurrences now" },                               \
        { "time_zone", T_TEXT, "IANA zone of the local times" }, { "duration_min", T_INT, NULL }, \
        { "notes", T_TEXT, NULL }, { "on_conflict", T_TEXT, "By which it was made" },             \
        { "continues_id", T_UUID, "The series that it was split off from" },                      \
        { "version", T_INT, "For If-Match" }, { "created_at", T_INSTANT, NULL },                  \
    {                                                                                             \
        "updated_at", T_INSTANT, NULL                                                             \
    }

#define SERIES_POLICIES "reject skip nearest"
#define SERIES_POLICY_PARAM(text)                                                           \
    {                                                                                       \
        .name = "on_conflict", .in = IN_BODY, .type = T_CHOICE, .choices = SERIES_POLICIES, \
        .fallback = "reject", .doc = text                                                   \
    }
#define SERIES_OVERRIDE_PARAM                                                              \
    {                                                                                      \
        .name = "override", .in = IN_BODY, .type = T_TEXT, .max = 500,                     \
        .doc = "The reason why hours do not count; needs appointment.override. Time that " \
               "is taken stays taken"                                                      \
    }

/* Beside APPOINTMENT_BOOK_VARS and OPENINGS_VARS. */
#define SERIES_VARS                                                            \
    { .name = "keys", .type = T_TEXT },       /* local times, as an array */   \
        { .name = "ids", .type = T_TEXT },    /* appointments, as an array */  \
        { .name = "report", .type = T_TEXT }, /* what was done, as JSON */     \
    {                                                                          \
        .name = "shown", .type = T_UUID /* the series that is answered with */ \
    }

/* One row for each of :keys, in their order: start_s, twice, in_range, now_s, and client_ok, service_ok, staff_ok of :to_client, :to_service, :to_staff. */
extern const struct stmt series_check;
/* When :to_client is somewhere, around :keys. */
extern const struct stmt series_met;
/* The series :shown with its occurrences and :report. */
extern const struct stmt series_answer;
/* The columns of series_answer; without the last one, of reading. */
extern const struct column series_done_columns[], series_columns[];
extern const char series_read_sql[], series_list_sql[];
/* Makes a series of what the request says, for :shown; joins appointments :ids to it as :keys; notes what :report says was skipped. */
extern const struct stmt series_insert, series_join, series_skip;

/* Locks the series :series_id and reads it, with fresh. */
extern const struct stmt series_find;
/* Locks its occurrences within reach, by key, before anything else of theirs is touched: who changes one of them locks it first as well. */
extern const struct stmt series_occurrences;
/* Locks the agendas of all of :lock_ids in the one order that bookings have; deletes what they held and nobody booked. */
extern const struct stmt series_lock, series_sweep;
/* Locks the groups that :ids are in, behind series_lock. */
extern const struct stmt series_groups;
/* Takes the time of :ids out of everybody's way, :shift days off, and back: so that a series which moves does not stand in its own way. */
extern const struct stmt series_aside;
/* :ids belong to the series as before. */
extern const struct stmt series_settle;
/* Gives the rest of :series_id, from :from_key on, to a new series :shown. */
extern const struct stmt series_split;
/* :shown is as the request says; only its version rises. */
extern const struct stmt series_revise, series_touch;

/* "2027-03-01T09:00" of a T_TIME without offset, to the minute; NULL otherwise. */
const char *series_plan_key(struct call *c, const char *text);
enum series_policy series_plan_policy(const char *word);
/* A PostgreSQL array of n texts that next gives; NULL: no memory. */
const char *series_plan_array(struct call *c, const void *of, size_t n,
                              const char *(*nth)(const void *of, size_t i));
/* Sets :keys from the wishes. */
MUST_USE enum err series_plan_ask(struct call *c, struct series_plan *p);
/* Finds the instants of all wishes; refuses who is not there. first, when not NULL, is named when a time is too far away. Needs series_check. */
MUST_USE enum err series_plan_check(struct call *c, struct series_plan *p,
                                    struct appointment_ask ask);
/* Judges all wishes by the one judge of times (openings.h) and says where each will be. Refuses who may not override. Needs series_met and openings_world. */
MUST_USE enum err series_plan_judge(struct call *c, struct series_plan *p);
/* 409 with all that cannot be. */
enum err series_plan_refuse(struct call *c, const struct series_plan *p);
/* Appends what became of w: booked is what it is called where it was wanted, left when it is nowhere new. */
void series_plan_write(struct sbuf *out, const struct series_wish *w, const char *booked,
                       const char *left);
/* Sets :instant, :to_staff, :to_minutes and :told for w, which is taken. */
MUST_USE enum err series_plan_place(struct call *c, const struct series_wish *w);
/* The text of out in the arena, which is freed; NULL: no memory. */
const char *series_plan_text(struct call *c, struct sbuf *out);

#endif
