/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Staff's side of the waitlist: who waits for what, and taking or leaving an offer for them. */
#include "worker/api/waitlist.h"

#include <stdio.h>

#include "common/str.h"
#include "worker/api/current.h"
#include "worker/api/openings.h"
#include "worker/api/spans.h"

#define WAITING_MAX "200" /* of a practice */
#define CLIENT_MAX  "5"   /* of one client */
#define DAYS        "monday tuesday wednesday thursday friday saturday sunday"

/* clang-format off */
#define ENTRY_OUT                                                                                   \
    "w.id, w.state, w.version, w.client_id, k.name AS client_name, w.service_id,"                   \
    " s.name AS service_name, w.staff_id, w.first_day, w.last_day, (SELECT jsonb_agg((string_to_array(" \
    "'" DAYS "', ' '))[d] ORDER BY d) FROM unnest(w.weekdays) d) AS weekdays,"                      \
    " to_char(make_interval(mins => w.from_min), 'HH24:MI') || '-'"                                 \
    " || lpad((w.to_min / 60)::text, 2, '0') || ':' || lpad((w.to_min % 60)::text, 2, '0') AS hours,"  \
    " w.note, w.offers, (SELECT jsonb_build_object('staff_id', o.staff_id, 'starts_at', o.starts_at," \
    " 'ends_at', o.ends_at, 'until', o.until) FROM waitlist_offer o WHERE o.waitlist_id = w.id"     \
    " AND o.state = 'open') AS offer, w.appointment_id, w.created_at, w.updated_at"
#define ENTRY_FROM " FROM waitlist w JOIN client k ON k.id = w.client_id AND :scope(client k)"      \
    " JOIN service s ON s.id = w.service_id"
/* clang-format on */

static const struct column entry_columns[] = {
    { "id", T_UUID, NULL },
    { "state", T_TEXT, "waiting, offered, booked, passed (nothing was taken), cancelled, expired" },
    { "version", T_INT, NULL },
    { "client.id", T_UUID, NULL },
    { "client.name", T_TEXT, NULL },
    { "service.id", T_UUID, NULL },
    { "service.name", T_TEXT, NULL },
    { "staff_id", T_UUID, "null: whoever offers the service" },
    { "first_day", T_DATE, NULL },
    { "last_day", T_DATE, NULL },
    { "weekdays", T_JSON, NULL },
    { "hours", T_TEXT, "A start is within them: 09:00-14:00" },
    { "note", T_TEXT, NULL },
    { "offers", T_INT, "How many were left" },
    { "offer", T_JSON, "The open one: staff_id, starts_at, ends_at, until" },
    { "appointment_id", T_UUID, "What came of it" },
    { "created_at", T_INSTANT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param list_params[] = {
    { .name = "state",
      .in = IN_QUERY,
      .type = T_CHOICE,
      .choices = "waiting offered booked passed cancelled expired" },
    { .name = "service_id", .in = IN_QUERY, .type = T_UUID },
    { .name = "client_id", .in = IN_QUERY, .type = T_UUID },
    { 0 },
};

static const struct sort list_sorts[] = {
    { "created_at", "created_at", "timestamptz", false },
    { "-created_at", "created_at", "timestamptz", true },
    { 0 },
};

static const struct param one_params[] = { { .name = "id", .in = IN_PATH, .type = T_UUID }, { 0 } };

static const struct param make_params[] = {
    { .name = "client_id", .in = IN_BODY, .type = T_UUID, .required = true },
    { .name = "service_id", .in = IN_BODY, .type = T_UUID, .required = true },
    { .name = "staff_id",
      .in = IN_BODY,
      .type = T_UUID,
      .nullable = true,
      .doc = "null: whoever offers it" },
    { .name = "first_day", .in = IN_BODY, .type = T_DATE, .required = true },
    { .name = "last_day",
      .in = IN_BODY,
      .type = T_DATE,
      .required = true,
      .doc = "Not past, and at most 61 days after the first" },
    { .name = "weekdays",
      .in = IN_BODY,
      .type = T_WORDS,
      .choices = DAYS,
      .doc = "All when absent" },
    { .name = "hours",
      .in = IN_BODY,
      .type = T_SPANS,
      .max = 1,
      .doc = "Within which a start may be, of one day; any when absent" },
    { .name = "note", .in = IN_BODY, .type = T_TEXT, .max = 500, .nullable = true },
    { 0 },
};

static const struct param make_vars[] = {
    { .name = "to_id", .type = T_UUID },
    { 0 },
};
static const struct param step_vars[] = { WAITLIST_OFFER_VARS, { 0 } };

/* clang-format off */

/* Who is put on the list at once is counted one after the other. */
static const struct stmt wait_check = {
    "check",
    "SELECT k.id IS NOT NULL AS client_ok, s.id IS NOT NULL AS service_ok, coalesce(s.seats, 1) = 1"
    " AS single, :staff_id::uuid IS NULL OR EXISTS (SELECT FROM staff t WHERE t.id = :staff_id"
    " AND t.archived_at IS NULL AND t.bookable AND :scope(staff t)) AS staff_ok,"
    " :last_day - :first_day BETWEEN 0 AND 61 AND :last_day >= (now() AT TIME ZONE b.time_zone)::date"
    " AS days_ok, (SELECT count(*) FROM waitlist w WHERE w.state IN ('waiting','offered'))"
    " < " WAITING_MAX " AND (SELECT count(*) FROM waitlist w WHERE w.client_id = :client_id"
    " AND w.state IN ('waiting','offered')) < " CLIENT_MAX " AS few"
    " FROM (SELECT time_zone FROM business FOR NO KEY UPDATE) b LEFT JOIN client k"
    " ON k.id = :client_id AND k.archived_at IS NULL AND :scope(client k)"
    " LEFT JOIN service s ON s.id = :service_id AND s.archived_at IS NULL",
};

/* What is free already is offered at once. */
static const struct stmt wait_insert = {
    "insert",
    "WITH made AS (INSERT INTO waitlist(id, client_id, service_id, staff_id, first_day, last_day,"
    " weekdays, from_min, to_min, note) SELECT :new_id, :client_id, :service_id, :staff_id,"
    " :first_day, :last_day, coalesce((SELECT array_agg(array_position(string_to_array('" DAYS "',"
    " ' '), x)::smallint) FROM unnest(:weekdays::text[]) x), '{1,2,3,4,5,6,7}'),"
    " coalesce(extract(epoch FROM h.starts)::int / 60, 0),"
    " coalesce(least(1440, extract(epoch FROM h.starts)::int / 60 + h.minutes), 1440), :note"
    " FROM (VALUES (1)) one(row) LEFT JOIN (SELECT " SPANS_PARSED
    " FROM unnest(:hours::text[]) s(span)) h(starts, minutes) ON true RETURNING id)"
    " SELECT id FROM made WHERE ext.work_due('waitlist', now())",
};

static const struct stmt wait_read = {
    "read",
    "SELECT " ENTRY_OUT ENTRY_FROM " WHERE w.id = :to_id",
};

static const struct stmt wait_find = {
    "find",
    "SELECT w.version = :if_version AS fresh, " WAITLIST_FOUND " FROM waitlist w"
    " JOIN client k ON k.id = w.client_id AND :scope(client k)"
    " LEFT JOIN waitlist_offer o ON o.waitlist_id = w.id AND o.state = 'open'"
    " WHERE w.id = :id FOR UPDATE OF w",
};

const struct stmt waitlist_use = {
    "use",
    "DELETE FROM allocation WHERE id = :offer AND expires_at > now() RETURNING id",
};

const struct stmt waitlist_booked = {
    "booked",
    "WITH o AS (UPDATE waitlist_offer SET state = 'accepted' WHERE id = :offer)"
    " UPDATE waitlist SET state = 'booked', appointment_id = :new_id, version = version + 1,"
    " updated_at = now() WHERE id = :entry",
};

/* Who leaves an offer is last in line from then on. */
const struct stmt waitlist_left = {
    "left",
    "WITH o AS (UPDATE waitlist_offer SET state = :offer_state WHERE id = :offer),"
    " gone AS (DELETE FROM allocation WHERE id = :offer)"
    " UPDATE waitlist SET state = :entry_state, version = version + 1, updated_at = now(),"
    " offers = offers + (:offer_state = 'declined')::int, looked = NULL,"
    " queued_at = CASE WHEN :offer_state = 'declined' THEN now() ELSE queued_at END"
    " WHERE id = :entry RETURNING ext.work_due('waitlist', now())",
};
/* clang-format on */

static const struct stmt *const make_stmts[] = { &wait_check, &wait_insert, &wait_read, NULL };
static const struct stmt *const step_stmts[] = { &wait_find, WAITLIST_OFFER_STMTS, NULL };

/* ---- joining ---- */

static enum err judge(struct call *c, const PGresult *check)
{
    static const struct {
        const char *column, *pointer, *code, *es, *en;
    } faults[] = {
        { "client_ok", "/client_id", "not_found", "No existe ese cliente o está archivado",
          "There is no such client, or it is archived" },
        { "service_ok", "/service_id", "not_found", "No existe ese servicio o está archivado",
          "There is no such service, or it is archived" },
        { "single", "/service_id", "group", "Para un grupo no se espera: dé la cita si hay lugar",
          "Nobody waits for a group: book where there is a seat" },
        { "staff_ok", "/staff_id", "not_found",
          "Esa persona no existe, no da citas o está archivada",
          "There is nobody of that id who takes appointments" },
        { "days_ok", "/last_day", "out_of_range",
          "No debe haber pasado, y estar en los 61 días después del primero",
          "It must not be past, and within the 61 days after the first" },
    };
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        if (!call_true(check, 0, faults[i].column)) {
            return call_refuse_field(c, faults[i].pointer, faults[i].code, faults[i].es,
                                     faults[i].en);
        }
    }
    return call_true(check, 0, "few")
               ? OK
               : call_refuse(c, E_LIMIT,
                             "A lo más " WAITING_MAX " en espera, " CLIENT_MAX " por cliente",
                             "At most " WAITING_MAX " waiting, " CLIENT_MAX " of one client");
}

static enum err make(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &wait_check, &rows));
    TRY(judge(c, rows));
    TRY(call_post(c, &wait_insert));
    call_set(c, "to_id", call_get(c, "new_id")->text);
    TRY(call_query(c, &wait_read, &rows));
    return call_answer(c, rows);
}

/* ---- offers ---- */

/* What is offered was judged when it was made: it is booked as a hold is. */
enum err waitlist_accept(struct call *c, const PGresult *found)
{
    static const struct {
        const char *var, *column;
    } same[] = {
        { "to_service", "service_id" }, { "to_staff", "staff_id" }, { "to_time", "starts_at" },
        { "to_minutes", "minutes" },    { "assets", "assets" },     { "entry", "entry" },
        { "offer", "offer" },
    };
    PGresult *rows;
    appointment_ask_new(c, call_cell(found, 0, "client_id"), "confirmed");
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        call_set(c, same[i].var, call_cell(found, 0, same[i].column));
    }
    call_set(c, "has_offset", "t");
    TRY(appointment_check_place(c, (struct appointment_ask){ true, true, true, false }));
    TRY(call_query(c, &waitlist_use, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_HOLD_EXPIRED, NULL, NULL);
    }
    TRY(call_query(c, &appointment_book, &rows));
    TRY(call_post(c, &waitlist_booked));
    return call_answer(c, rows);
}

enum err waitlist_leave(struct call *c, const PGresult *found, const struct visit_step *step)
{
    bool declined = strcmp(step->verb, "decline") == 0;
    call_set(c, "entry", call_cell(found, 0, "entry"));
    call_set(c, "offer", call_cell(found, 0, "offer"));
    call_set(c, "offer_state", declined ? "declined" : "withdrawn");
    call_set(c, "entry_state", step->to);
    return call_post(c, &waitlist_left);
}

static enum err refuse_state(struct call *c, const char *state)
{
    struct sbuf extra;
    sbuf_init(&extra);
    sbuf_fmt(&extra, "\"state\":\"%s\",\"legal\":", state);
    wait_legal(&extra, state, VISIT_STAFF);
    const char *text = sbuf_failed(&extra) ? NULL : arena_text(c->arena, sbuf_slice(&extra));
    sbuf_fini(&extra);
    if (!text) {
        return E_NOMEM;
    }
    c->problem.extra = slice_of(text);
    return call_refuse(c, E_STATE_CONFLICT, NULL, NULL);
}

static enum err take_step(struct call *c)
{
    const struct visit_step *s = wait_step(strrchr(c->route->path, '/') + 1, VISIT_STAFF);
    PGresult *found;
    TRY(current_row(c, &wait_find, &found));
    if (!visit_may(s, call_cell(found, 0, "state"))) {
        return refuse_state(c, call_cell(found, 0, "state"));
    }
    if (s->time == VISIT_KEEPS) {
        return waitlist_accept(c, found);
    }
    TRY(waitlist_leave(c, found, s));
    return call_answer_none(c);
}

#define LEAVE(verb, text)                                                                          \
    {                                                                                              \
        .method = M_POST, .path = "/api/v1/waitlist/{id}/" verb, .summary = text,                  \
        .need = PERM_APPOINTMENT_BOOK, .cost = COST_FAST, .params = one_params, .vars = step_vars, \
        .stmts = step_stmts, .handler = take_step, .shape = SHAPE_NONE, .success = 204,            \
        .if_match = true,                                                                          \
    }

const struct route waitlist_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/waitlist",
        .summary = "List who waits, waited, and what came of it",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = list_params,
        .columns = entry_columns,
        .sorts = list_sorts,
        .sql = "SELECT " ENTRY_OUT ENTRY_FROM " WHERE (:state::text IS NULL OR w.state = :state)"
               " AND (:service_id::uuid IS NULL OR w.service_id = :service_id)"
               " AND (:client_id::uuid IS NULL OR w.client_id = :client_id)",
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/waitlist",
        .summary = "Have a client wait for time that is free, or will be",
        .need = PERM_APPOINTMENT_BOOK,
        .cost = COST_FAST,
        .params = make_params,
        .vars = make_vars,
        .columns = entry_columns,
        .stmts = make_stmts,
        .handler = make,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
        .location = "/api/v1/waitlist/{id}",
    },
    {
        .method = M_GET,
        .path = "/api/v1/waitlist/{id}",
        .summary = "Read who waits",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = one_params,
        .columns = entry_columns,
        .sql = "SELECT " ENTRY_OUT ENTRY_FROM " WHERE w.id = :id",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_POST,
        .path = "/api/v1/waitlist/{id}/accept",
        .summary = "Book what is offered, for the client",
        .need = PERM_APPOINTMENT_BOOK,
        .cost = COST_FAST,
        .params = one_params,
        .vars = step_vars,
        .columns = appointment_columns,
        .stmts = step_stmts,
        .handler = take_step,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
        .location = "/api/v1/appointments/{id}",
        .if_match = true,
    },
    LEAVE("decline", "Leave what is offered to the next, and wait on behind them"),
    LEAVE("cancel", "Wait no more"),
    { 0 },
};
