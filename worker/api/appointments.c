/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The agenda: reading, booking, moving. Time is taken in allocation, whose exclusion constraint makes an overlap impossible, by staff too; what is here
 * only asks nicely first. The statements are in appointment_sql.c, the other steps of a visit in visit_steps.c. */
#include "worker/api/appointment.h"

#include "worker/api/current.h"
#include "worker/api/openings.h"

const struct column appointment_columns[] = {
    { "id", T_UUID, "Stays the same when the appointment is moved" },
    { "starts_at", T_ZONED, NULL },
    { "ends_at", T_ZONED, NULL },
    { "time_zone", T_TEXT, "IANA zone of starts_at and ends_at" },
    { "state", T_TEXT, NULL },
    { "version", T_INT, NULL },
    { "client.id", T_UUID, NULL },
    { "client.name", T_TEXT, NULL },
    { "service.id", T_UUID, NULL },
    { "service.name", T_TEXT, NULL },
    { "staff.id", T_UUID, NULL },
    { "staff.name", T_TEXT, NULL },
    { "price_minor", T_INT, "As agreed when it was booked; in the currency's minor unit" },
    { "currency", T_TEXT, "ISO 4217" },
    { "notes", T_TEXT, NULL },
    { "cancel_reason", T_TEXT, NULL },
    { "reschedules", T_INT, "How often time or staff changed" },
    { "client_confirmed_at", T_INSTANT, "When the client confirmed the time it has now" },
    { "expires_at", T_INSTANT, "A state that waits for an answer is over then" },
    { "overbooked", T_BOOL, "Beside another visit of the same person, on purpose" },
    { "assets", T_JSON, "Rooms, chairs and devices that it has: id, kind, name" },
    { "group_id", T_UUID, "The same of all visits that share its time; null: it has its own" },
    { "created_at", T_INSTANT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { "series_id", T_UUID, "The series that it is an occurrence of" },
    { "series_key", T_TEXT, "The local time that the series' rule gave it, wherever it is now" },
    { "detached", T_BOOL, "Changed by itself: changes of the series leave it as it is" },
    { 0 },
};

static const struct column appointment_event_columns[] = {
    { "seq", T_INT, "The appointment's version after the event" },
    { "at", T_INSTANT, NULL },
    { "actor.kind", T_TEXT, "staff, client, key or system" },
    { "actor.id", T_UUID, NULL },
    { "actor.name", T_TEXT, NULL },
    { "actor.link_id", T_UUID, "The link by which the client came" },
    { "from_state", T_TEXT, "null for the first" },
    { "to_state", T_TEXT, NULL },
    { "change", T_JSON, "What else changed: member name to [before, after]" },
    { 0 },
};

#define TIME_DOC                                                                                \
    "With an offset: that instant. Without: the practice's wall-clock time; one that does not " \
    "exist is refused, one that happens twice needs an offset. From a year ago to two years ahead"

static const struct param appointment_list_params[] = {
    { .name = "from",
      .in = IN_QUERY,
      .type = T_MOMENT,
      .doc = "Starts at or after: a day of the practice's zone, or a date-time" },
    { .name = "to",
      .in = IN_QUERY,
      .type = T_MOMENT,
      .doc = "Starts on or before this day (the whole day counts), or before this date-time" },
    { .name = "staff_id", .in = IN_QUERY, .type = T_UUID },
    { .name = "client_id", .in = IN_QUERY, .type = T_UUID },
    { .name = "group_id", .in = IN_QUERY, .type = T_UUID },
    { .name = "state", .in = IN_QUERY, .type = T_CHOICE, .choices = APPOINTMENT_STATES },
    { 0 },
};

static const struct sort appointment_sorts[] = {
    { "starts_at", "starts_at", "timestamptz", false },
    { "-starts_at", "starts_at", "timestamptz", true },
    { 0 },
};

static const struct param appointment_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

#define OVERRIDE_PARAMS                                                                     \
    { .name = "override",                                                                   \
      .in = IN_BODY,                                                                        \
      .type = T_TEXT,                                                                       \
      .max = 500,                                                                           \
      .doc = "The reason why it is booked against the rules; needs appointment.override" }, \
    {                                                                                       \
        .name = "overbook", .in = IN_BODY, .type = T_BOOL, .fallback = "false",             \
        .doc = "Beside another visit of the same person, if need be; with override"         \
    }

static const struct param appointment_create_params[] = {
    { .name = "client_id", .in = IN_BODY, .type = T_UUID, .required = true },
    { .name = "service_id", .in = IN_BODY, .type = T_UUID, .required = true },
    { .name = "staff_id", .in = IN_BODY, .type = T_UUID, .required = true },
    { .name = "starts_at", .in = IN_BODY, .type = T_TIME, .required = true, .doc = TIME_DOC },
    { .name = "duration_min",
      .in = IN_BODY,
      .type = T_INT,
      .min = 1,
      .max = 1440,
      .nullable = true,
      .doc = "As long as it takes them when absent" },
    APPOINTMENT_BOOK_PARAMS,
    OVERRIDE_PARAMS,
    { 0 },
};

static const struct param appointment_propose_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "starts_at", .in = IN_BODY, .type = T_TIME, .required = true, .doc = TIME_DOC },
    { .name = "staff_id", .in = IN_BODY, .type = T_UUID },
    { .name = "service_id", .in = IN_BODY, .type = T_UUID },
    { .name = "duration_min", .in = IN_BODY, .type = T_INT, .min = 1, .max = 1440 },
    { .name = "notes", .in = IN_BODY, .type = T_TEXT, .max = 2000, .nullable = true },
    OVERRIDE_PARAMS,
    { 0 },
};

static const struct param appointment_change_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "starts_at", .in = IN_BODY, .type = T_TIME, .doc = TIME_DOC },
    { .name = "staff_id", .in = IN_BODY, .type = T_UUID },
    { .name = "service_id",
      .in = IN_BODY,
      .type = T_UUID,
      .doc = "Another service brings its duration, buffers and price along" },
    { .name = "duration_min", .in = IN_BODY, .type = T_INT, .min = 1, .max = 1440 },
    { .name = "notes", .in = IN_BODY, .type = T_TEXT, .max = 2000, .nullable = true },
    OVERRIDE_PARAMS,
    { 0 },
};

static const struct param appointment_book_vars[] = {
    APPOINTMENT_BOOK_VARS,
    OPENINGS_VARS,
    { 0 },
};

static const struct param appointment_place_vars[] = { APPOINTMENT_PLACE_VARS,
                                                       OPENINGS_VARS,
                                                       { 0 } };

static const struct stmt *const appointment_create_stmts[] = {
    &appointment_lock, &appointment_sweep, &appointment_check,
    &openings_world,   &appointment_book,  NULL,
};
static const struct stmt *const appointment_change_stmts[] = {
    &appointment_find,  &appointment_lock,  &appointment_sweep,
    &appointment_check, &openings_world,    &appointment_place,
    &appointment_note,  &appointment_group, NULL,
};
static const struct stmt *const appointment_events_stmts[] = { &appointment_history, NULL };

/* ---- booking ---- */

static void ask_override(struct call *c)
{
    call_set(c, "excuse", call_get(c, "override")->text);
    call_set(c, "beside", call_get(c, "overbook")->text);
}

static enum err appointment_create(struct call *c)
{
    PGresult *rows;
    appointment_ask_book(c);
    TRY(appointment_ask_payment(c));
    ask_override(c);
    call_set(c, "to_service", call_get(c, "service_id")->text);
    call_set(c, "to_staff", call_get(c, "staff_id")->text);
    call_set(c, "to_minutes", call_get(c, "duration_min")->text);
    TRY(appointment_ask_time(c, call_get(c, "starts_at")->text));
    TRY(appointment_check_place(c, (struct appointment_ask){ true, true, true, true }));
    TRY(appointment_judge(c, NULL));
    TRY(call_query(c, &appointment_book, &rows));
    return call_answer(c, rows);
}

/* ---- moving ---- */

static void set_or_keep(struct call *c, const char *var, const char *param, const PGresult *found,
                        const char *column)
{
    const struct value *v = call_get(c, param);
    call_set(c, var, v->present ? v->text : call_cell(found, 0, column));
}

static enum err place_again(struct call *c, const struct visit_step *step, const PGresult *found)
{
    if (!visit_may(step, call_cell(found, 0, "state"))) {
        return appointment_refuse_state(c, found);
    }
    call_set(c, "to_state", step->to);
    call_set(c, "w_ignore", call_get(c, "id")->text);
    ask_override(c);
    call_set(c, "to_client", call_cell(found, 0, "client_id"));
    set_or_keep(c, "to_service", "service_id", found, "service_id");
    set_or_keep(c, "to_staff", "staff_id", found, "staff_id");
    if (call_get(c, "starts_at")->present) {
        TRY(appointment_ask_time(c, call_get(c, "starts_at")->text));
    } else {
        call_set(c, "to_time", call_cell(found, 0, "starts_at"));
        call_set(c, "has_offset", "t");
    }
    call_set(c, "to_minutes", call_get(c, "duration_min")->text);
    call_set(c, "note_given", call_get(c, "notes")->present ? "t" : "f");
    call_set(c, "to_notes", call_get(c, "notes")->text);
    const struct appointment_ask ask = { .service = call_get(c, "service_id")->present,
                                         .staff = true,
                                         .time = call_get(c, "starts_at")->present };
    TRY(appointment_check_place(c, ask));
    TRY(call_post(c, &appointment_group));
    TRY(appointment_judge(c, found));
    PGresult *rows;
    TRY(call_query(c, &appointment_place, &rows));
    return call_answer(c, rows);
}

static enum err appointment_change(struct call *c)
{
    PGresult *found, *rows;
    TRY(current_row(c, &appointment_find, &found));
    if (call_get(c, "starts_at")->present || call_get(c, "staff_id")->present ||
        call_get(c, "service_id")->present || call_get(c, "duration_min")->present) {
        return place_again(c, visit_step("reschedule", VISIT_STAFF), found);
    }
    TRY(call_query(c, &appointment_note, &rows));
    return call_answer(c, rows);
}

static enum err appointment_propose(struct call *c)
{
    PGresult *found;
    TRY(current_row(c, &appointment_find, &found));
    return place_again(c, visit_step("propose", VISIT_STAFF), found);
}

/* ---- history ---- */

/* A list without rows would not say that there is no such appointment. */
static enum err appointment_events(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &appointment_history, &rows));
    return PQntuples(rows) ? call_answer(c, rows) : call_refuse(c, E_NOT_FOUND, NULL, NULL);
}

const struct route appointment_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/appointments",
        .summary = "List appointments: a day's agenda, a client's visits",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = appointment_list_params,
        .columns = appointment_columns,
        .sorts = appointment_sorts,
        .sql = APPOINTMENT_LIST_SQL,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/appointments",
        .summary = "Book an appointment",
        .need = PERM_APPOINTMENT_BOOK,
        .cost = COST_FAST,
        .params = appointment_create_params,
        .vars = appointment_book_vars,
        .columns = appointment_columns,
        .stmts = appointment_create_stmts,
        .handler = appointment_create,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
        .location = "/api/v1/appointments/{id}",
    },
    {
        .method = M_GET,
        .path = "/api/v1/appointments/{id}",
        .summary = "Read an appointment",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = appointment_one_params,
        .columns = appointment_columns,
        .sql = APPOINTMENT_ONE_SQL,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/appointments/{id}",
        .summary = "Move an appointment or change it; it keeps its id",
        .need = PERM_APPOINTMENT_CHANGE,
        .cost = COST_FAST,
        .params = appointment_change_params,
        .vars = appointment_place_vars,
        .columns = appointment_columns,
        .stmts = appointment_change_stmts,
        .handler = appointment_change,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    {
        .method = M_POST,
        .path = "/api/v1/appointments/{id}/propose",
        .summary = "Move it to another time and ask the client to confirm that",
        .need = PERM_APPOINTMENT_CHANGE,
        .cost = COST_FAST,
        .params = appointment_propose_params,
        .vars = appointment_place_vars,
        .columns = appointment_columns,
        .stmts = appointment_change_stmts,
        .handler = appointment_propose,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    {
        .method = M_GET,
        .path = "/api/v1/appointments/{id}/history",
        .summary = "What happened to an appointment: the latest 200 events, oldest first",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = appointment_one_params,
        .columns = appointment_event_columns,
        .stmts = appointment_events_stmts,
        .handler = appointment_events,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    { 0 },
};
