/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What staff (appointments.c, visit_steps.c, holds.c) and guests (guest.c) share: the statements that change an appointment, and finding its place in the
 * agenda. Who does it is what the token says. */
#ifndef GREMIO_APPOINTMENT_H
#define GREMIO_APPOINTMENT_H

#include "worker/call.h"
#include "worker/visit.h"

#define APPOINTMENT_STATES                                                                        \
    "held requested awaiting_client awaiting_payment confirmed checked_in in_progress completed " \
    "cancelled declined expired no_show"

/* The local time that a series' rule gave an occurrence. */
#define SERIES_KEY_FORMAT "YYYY-MM-DD\"T\"HH24\":\"MI" /* to pgbench a bare colon is a variable */

/* The answer's columns, of appointment a. The names are the row's own: foreign keys keep them as client, service and
 * staff have them, so that reading touches one table. */
#define APPOINTMENT_OUT                                                                          \
    "a.id, a.starts_at, a.local_start, a.ends_at, a.local_end, a.time_zone, a.state, a.version," \
    " a.client_id, a.client_name, a.service_id, a.service_name, a.staff_id, a.staff_name,"       \
    " a.price_minor, a.currency, a.notes,"                                                       \
    " a.cancel_reason, a.reschedules, a.client_confirmed_at, a.expires_at,"                      \
    " a.lane > 1 AS overbooked, coalesce(a.assets, '[]') AS assets, a.group_id, a.created_at,"   \
    " a.updated_at, a.series_id, to_char(a.series_key, '" SERIES_KEY_FORMAT "')"                 \
    " AS series_key_text, a.detached"

#define APPOINTMENT_ONE_SQL \
    "SELECT " APPOINTMENT_OUT " FROM appointment a WHERE a.id = :id AND :scope(appointment a)"

/* An end that is not asked for is not in the plan, so an open range walks the index in its order. */
#define APPOINTMENT_LIST_SQL                                                         \
    "SELECT " APPOINTMENT_OUT " FROM appointment a WHERE (:from::text IS NULL"       \
    " OR a.starts_at >= (SELECT ext.moment(:from, b.time_zone, 0) FROM business b))" \
    " AND (:to::text IS NULL"                                                        \
    " OR a.starts_at < (SELECT ext.moment(:to, b.time_zone, 1) FROM business b))"    \
    " AND (:staff_id::uuid IS NULL OR a.staff_id = :staff_id)"                       \
    " AND (:client_id::uuid IS NULL OR a.client_id = :client_id)"                    \
    " AND (:group_id::uuid IS NULL OR a.group_id = :group_id)"                       \
    " AND (:state::text IS NULL OR a.state = :state) AND :scope(appointment a)"

/* What appointment_check is asked and the others do with its answer. to_minutes: null keeps the length. */
#define APPOINTMENT_PLACE_VARS                                                             \
    { .name = "to_client", .type = T_UUID }, { .name = "to_service", .type = T_UUID },     \
        { .name = "to_staff", .type = T_UUID }, { .name = "to_time", .type = T_TIME },     \
        { .name = "has_offset", .type = T_BOOL }, { .name = "instant", .type = T_TIME },   \
        { .name = "to_minutes", .type = T_INT }, { .name = "note_given", .type = T_BOOL }, \
        { .name = "to_notes", .type = T_TEXT }, { .name = "to_state", .type = T_TEXT },    \
        { .name = "beside", .type = T_BOOL }, { .name = "excuse", .type = T_TEXT },        \
        { .name = "assets", .type = T_IDS },    /* rooms, chairs and devices it has */     \
        { .name = "to_group", .type = T_UUID }, /* the group that it joins */              \
    {                                                                                      \
        .name = "told", .type = T_TEXT /* what the history says besides, as JSON */        \
    }

/* What a booking says beside its place. */
#define APPOINTMENT_BOOK_PARAMS                                                        \
    { .name = "notes", .in = IN_BODY, .type = T_TEXT, .max = 2000, .nullable = true }, \
        { .name = "ask_client",                                                        \
          .in = IN_BODY,                                                               \
          .type = T_BOOL,                                                              \
          .fallback = "false",                                                         \
          .doc = "Book it as awaiting_client: the client confirms it by link" },       \
    {                                                                                  \
        .name = "ask_payment", .in = IN_BODY, .type = T_BOOL, .fallback = "false",     \
        .doc = "Book it as awaiting_payment: it is over after pay_min of the policy "  \
               "unless it is paid"                                                     \
    }
/* What appointment_book needs: appointment_ask_book sets some. */
#define APPOINTMENT_BOOK_VARS                   \
    APPOINTMENT_PLACE_VARS,                     \
    {                                           \
        .name = "allocation_id", .type = T_UUID \
    }

/* What appointment_step is told. */
#define APPOINTMENT_STEP_VARS                                                          \
    { .name = "from_states", .type = T_TEXT }, { .name = "to_state", .type = T_TEXT }, \
        { .name = "frees", .type = T_BOOL }, { .name = "why", .type = T_TEXT },        \
    {                                                                                  \
        .name = "payment", .type = T_TEXT /* how it was paid, as JSON */               \
    }

/* Locks the client's and the staff's agenda and those of the assets that the service may need, in one order for everybody: two bookings that share some never
 * wait for each other crosswise, as they could inside the exclusion constraints. */
extern const struct stmt appointment_lock;
/* One row: client_ok, service_ok, staff_ok (there and active), local, first and second (the instants that
 * :to_time can mean), in_range, pays (the policy lets visits wait for payment). */
extern const struct stmt appointment_check;
/* Deletes what was held of :to_staff's time and of what :to_service needs, and nobody booked in time: before anything takes time. */
extern const struct stmt appointment_sweep;
/* Writes the appointment, its time and its first event; gives the answer's columns. The request runs again when the group that it joins is over meanwhile. */
extern const struct stmt appointment_book;
/* Locks the group that :id is in, behind appointment_lock: before it is placed elsewhere. */
extern const struct stmt appointment_group;
/* Locks the appointment :id and reads what a change needs: fresh, movable, state, client_id, service_id,
 * staff_id, starts_at. */
extern const struct stmt appointment_find;
/* Moves :id to :instant, :to_staff, :to_service in place: the same rows, so it never conflicts with
 * itself. :to_state null: it stays as it is. The request runs again when the group that it joins is over meanwhile. */
extern const struct stmt appointment_place;
/* Changes only what takes no time. Staff's. */
extern const struct stmt appointment_note;
/* One step of the visit when state and version (If-Match, where the route asks for it) allow it; no row otherwise. */
extern const struct stmt appointment_step;
/* The same for steps from and to states in which a client's visits are counted (visit_counts). appointment_count locks the client's row: it comes first. */
extern const struct stmt appointment_count, appointment_counted_step;
/* The same where the time has to be taken again, too. Locks come first. */
extern const struct stmt appointment_reopen;
/* What happened to :id, the latest 200 events, oldest first; an appointment has at least one. */
extern const struct stmt appointment_history;

/* The columns of APPOINTMENT_OUT. */
extern const struct column appointment_columns[];

/* Sets what a booking has for certain: whose it is, its state, the id of its time. */
void appointment_ask_new(struct call *c, const char *client, const char *state);
/* The same as the request's body says. */
void appointment_ask_book(struct call *c);
/* The same for a booking that may be asked to be paid first: "ask_payment". E_INVALID: the client cannot be asked to confirm as well. */
MUST_USE enum err appointment_ask_payment(struct call *c);
/* Sets :to_time and :has_offset from the text of a T_TIME. */
MUST_USE enum err appointment_ask_time(struct call *c, const char *text);
/* Which of them must be there and active: whoever stays as agreed need not be. time: it is new, and so within the years that are taken. */
struct appointment_ask {
    bool client, service, staff, time;
};
/* Takes the locks, then reads what the place in the agenda needs and sets :instant. E_INVALID, E_TIME_NONEXISTENT, E_TIME_AMBIGUOUS. Needs
 * APPOINTMENT_PLACE_VARS, appointment_lock and appointment_check. */
MUST_USE enum err appointment_check_place(struct call *c, struct appointment_ask ask);
/* Refuses by name what check (a row with client_ok, service_ok, staff_ok) does not find. */
MUST_USE enum err appointment_check_there(struct call *c, const PGresult *check,
                                          struct appointment_ask ask);
/* What staff are bound by, unless they say why not: of enum avail_why. */
#define APPOINTMENT_STAFF_RULES                                                           \
    ((unsigned)(AVAIL_CLOSED | AVAIL_EXCEPTION | AVAIL_BREAK | AVAIL_LIMIT | AVAIL_ROOM | \
                AVAIL_CHAIR | AVAIL_DEVICE))
#define APPOINTMENT_GRID_STAFF 15 /* minutes; staff are not bound to it */
/* Whether the practice's rules let staff put the visit there, own being its row while it moves (appointment_find's), NULL for a new one. Who may
 * override them says why in :excuse, which goes into :told; :beside wants a lane of its own. Sets :assets and :to_group. E_OUTSIDE_HOURS, E_NO_ASSET, E_LIMIT, E_INVALID, E_FORBIDDEN. Needs APPOINTMENT_PLACE_VARS, OPENINGS_VARS and openings_world. */
MUST_USE enum err appointment_judge(struct call *c, const PGresult *own);
/* 409 that names found's state and the steps that are open in it. */
enum err appointment_refuse_state(struct call *c, const PGresult *found);

#endif
