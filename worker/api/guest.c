/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a client who came by a link sees and does: the visits that the link covers, and contact data as a proposal. What is not covered is not there
 * (404), what the link lacks the scope for is refused (403), and a link that is over ends everything (410). Changes are the staff's own
 * statements; the place in the agenda is given by the same constraint. */
#include "worker/api/guest.h"

#include "common/clock.h"
#include "common/str.h"
#include "worker/api/calendar.h"

#define DAYS_MAX   14
#define GRID_GUEST 30 /* minutes, of a service that says none */

/* ---- rows ---- */

static const struct column guest_me_columns[] = {
    { "name", T_TEXT, "The client's" },
    { "given_name", T_TEXT, NULL },
    { "practice.name", T_TEXT, NULL },
    { "practice.phone", T_TEXT, "E.164" },
    { "practice.time_zone", T_TEXT, "IANA zone of all times" },
    { "practice.locale", T_TEXT, NULL },
    { "practice.color", T_COLOR, "#rrggbb" },
    { "practice.logo_type", T_TEXT, "null: there is none" },
    { "scopes", T_JSON, "What the link allows" },
    { "can.see", T_BOOL, NULL },
    { "can.confirm", T_BOOL, NULL },
    { "can.cancel", T_BOOL, NULL },
    { "can.reschedule", T_BOOL, NULL },
    { "can.profile", T_BOOL, NULL },
    { "appointment_id", T_UUID, "The only visit the link opens; null: all of the client's" },
    { "expires_at", T_INSTANT, "When the link ends" },
    { 0 },
};

static const struct column guest_columns[] = {
    { "id", T_UUID, "Stays the same when the appointment is moved" },
    { "starts_at", T_ZONED, NULL },
    { "ends_at", T_ZONED, NULL },
    { "time_zone", T_TEXT, "IANA zone of starts_at and ends_at" },
    { "state", T_TEXT, NULL },
    { "version", T_INT, NULL },
    { "client_confirmed_at", T_INSTANT, "When the client confirmed the time it has now" },
    { "service.name", T_TEXT, NULL },
    { "staff.name", T_TEXT, NULL },
    { "can.confirm", T_BOOL, "Whether confirming is allowed; done twice, nothing changes" },
    { "can.cancel.allowed", T_BOOL, NULL },
    { "can.cancel.until", T_INSTANT, "Before this moment" },
    { "can.cancel.why", T_TEXT, "The code with which it would be refused; null: it is allowed" },
    { "can.reschedule.allowed", T_BOOL, NULL },
    { "can.reschedule.until", T_INSTANT, "Before this moment" },
    { "can.reschedule.left", T_INT, "So often" },
    { "can.reschedule.why", T_TEXT, "As for cancel" },
    { 0 },
};

static const struct column guest_slots_columns[] = {
    { "time_zone", T_TEXT, "IANA zone of the starts" },
    { "days", T_JSON, "One for each day: its date, and starts, the free times (RFC 3339)" },
    { 0 },
};

static const struct column guest_profile_columns[] = {
    { "given_name", T_TEXT, NULL },
    { "family_name", T_TEXT, NULL },
    { "email", T_TEXT, NULL },
    { "phone", T_TEXT, "E.164" },
    { "proposal.given_name", T_TEXT,
      "What is proposed and waits for the practice; null: as it is" },
    { "proposal.family_name", T_TEXT, NULL },
    { "proposal.email", T_TEXT, NULL },
    { "proposal.phone", T_TEXT, NULL },
    { "proposal.updated_at", T_INSTANT, "null: nothing is proposed" },
    { 0 },
};

static const struct column guest_proposal_columns[] = {
    { "state", T_TEXT, "pending: somebody of the practice decides" },
    { "given_name", T_TEXT, NULL },
    { "family_name", T_TEXT, NULL },
    { "email", T_TEXT, NULL },
    { "phone", T_TEXT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct column guest_logo_columns[] = {
    { "logo_type", T_TEXT, "image/png, image/jpeg, image/webp; null: there is none" },
    { "logo", T_TEXT, "Base64 (RFC 4648 4)" },
    { 0 },
};

#define ID_PARAM .name = "id", .in = IN_PATH, .type = T_UUID
#define VERSION_PARAM                                                                              \
    .name = "version", .in = IN_BODY, .type = T_INT, .min = 1, .max = INT32_MAX, .nullable = true, \
    .doc = "As it was read: 412 when it was changed meanwhile"

static const struct param guest_list_params[] = {
    { .name = "past",
      .in = IN_QUERY,
      .type = T_BOOL,
      .fallback = "false",
      .doc = "Those that are over, the latest first, instead of those to come" },
    { 0 },
};

static const struct param guest_one_params[] = { { ID_PARAM }, { 0 } };

static const struct param guest_slots_params[] = {
    { ID_PARAM },
    { .name = "day", .in = IN_QUERY, .type = T_DATE, .doc = "That day alone" },
    { .name = "from", .in = IN_QUERY, .type = T_DATE, .doc = "First day; today when absent" },
    { .name = "to", .in = IN_QUERY, .type = T_DATE, .doc = "Last day, at most 13 days later" },
    { 0 },
};

static const struct param guest_confirm_params[] = { { ID_PARAM }, { VERSION_PARAM }, { 0 } };

static const struct param guest_cancel_params[] = {
    { ID_PARAM },
    { .name = "reason", .in = IN_BODY, .type = T_TEXT, .max = 500, .nullable = true },
    { VERSION_PARAM },
    { 0 },
};

static const struct param guest_move_params[] = {
    { ID_PARAM },
    { .name = "starts_at",
      .in = IN_BODY,
      .type = T_TIME,
      .required = true,
      .doc = "One of the slots; without an offset it is the practice's wall-clock time" },
    { VERSION_PARAM },
    { 0 },
};

static const struct param guest_profile_params[] = {
    { .name = "given_name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 100 },
    { .name = "family_name", .in = IN_BODY, .type = T_TEXT, .min = 0, .max = 100 },
    { .name = "email", .in = IN_BODY, .type = T_EMAIL },
    { .name = "phone", .in = IN_BODY, .type = T_PHONE },
    { 0 },
};

#define WANTED_VAR                       \
    {                                    \
        .name = "wanted", .type = T_TEXT \
    }
const struct param guest_vars[] = { WANTED_VAR, { 0 } };
const struct param guest_step_vars[] = { WANTED_VAR, APPOINTMENT_STEP_VARS, { 0 } };
const struct param guest_move_vars[] = { WANTED_VAR, APPOINTMENT_PLACE_VARS, OPENINGS_VARS, { 0 } };
static const struct param guest_feed_vars[] = { WANTED_VAR,
                                                { .name = "secret_hash", .type = T_TEXT },
                                                { 0 } };
static const struct param guest_slots_vars[] = { WANTED_VAR, OPENINGS_VARS, { 0 } };

static const struct stmt *const guest_me_stmts[] = { &guest_me, NULL };
static const struct stmt *const guest_list_stmts[] = { &guest_link, &guest_list, NULL };
static const struct stmt *const guest_one_stmts[] = { &guest_link, &guest_one, NULL };
static const struct stmt *const guest_slots_stmts[] = { &guest_link, &guest_wish, &openings_world,
                                                        NULL };
const struct stmt *const guest_step_stmts[] = { &guest_link, &guest_find, &guest_one,
                                                &appointment_step, NULL };
const struct stmt *const guest_move_stmts[] = {
    &guest_link,
    &guest_find,
    &guest_one,
    &guest_wish,
    &openings_world,
    &appointment_lock,
    &appointment_sweep,
    &appointment_check,
    &appointment_place,
    &appointment_group,
    NULL,
};
static const struct stmt *const guest_profile_stmts[] = { &guest_link, &guest_profile, NULL };
const struct stmt *const guest_propose_stmts[] = { &guest_link, &guest_propose, NULL };
static const struct stmt *const guest_ics_stmts[] = { &guest_link, &guest_ics, NULL };
static const struct stmt *const guest_feed_stmts[] = { &guest_link, &guest_feed, NULL };
static const struct stmt *const guest_logo_stmts[] = { &guest_logo, NULL };

/* ---- may they ---- */

static enum err over(struct call *c)
{
    return call_refuse(c, E_LINK_EXPIRED, NULL, NULL);
}

/* The first step of all: the link is alive and has the scope. */
static enum err enter(struct call *c, const char *scope)
{
    PGresult *rows;
    call_set(c, "wanted", scope);
    TRY(call_query(c, &guest_link, &rows));
    if (PQntuples(rows) == 0) {
        return over(c);
    }
    return call_cell(rows, 0, "allowed")[0] == 't' ? OK : call_refuse(c, E_SCOPE, NULL, NULL);
}

/* What a *_why column of the statements says. */
enum err guest_judge(struct call *c, const char *why)
{
    static const enum err all[] = { E_SCOPE, E_POLICY, E_STATE_CONFLICT, E_CUTOFF, E_MOVES };
    for (size_t i = 0; why && i < ARRAY_LEN(all); i++) {
        if (strcmp(err_info(all[i])->code, why) == 0) {
            return call_refuse(c, all[i], NULL, NULL);
        }
    }
    return why ? E_INTERNAL : OK;
}

/* A link that was revoked between two statements covers nothing either. */
static enum err find(struct call *c, const struct stmt *s, PGresult **rows)
{
    TRY(call_query(c, s, rows));
    return PQntuples(*rows) > 0 ? OK : call_refuse(c, E_NOT_FOUND, NULL, NULL);
}

/* The visit, locked, as the client knows it, and free for what why_column is about. */
static enum err begin(struct call *c, const char *scope, const char *why_column, PGresult **found)
{
    TRY(enter(c, scope));
    TRY(find(c, &guest_find, found));
    if (call_cell(*found, 0, "fresh")[0] != 't') {
        return call_refuse(c, E_PRECONDITION_FAILED, NULL, NULL);
    }
    return guest_judge(c, call_cell(*found, 0, why_column));
}

static enum err answer_one(struct call *c)
{
    PGresult *rows;
    TRY(find(c, &guest_one, &rows));
    return call_answer(c, rows);
}

/* ---- reading ---- */

static enum err read_me(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &guest_me, &rows));
    return PQntuples(rows) ? call_answer(c, rows) : over(c);
}

static enum err read_logo(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &guest_logo, &rows));
    return PQntuples(rows) ? call_answer(c, rows) : over(c);
}

static enum err read_list(struct call *c)
{
    PGresult *rows;
    TRY(enter(c, "see"));
    TRY(call_query(c, &guest_list, &rows));
    return call_answer(c, rows);
}

static enum err read_one(struct call *c)
{
    TRY(enter(c, "see"));
    return answer_one(c);
}

static enum err read_ics(struct call *c)
{
    PGresult *rows;
    TRY(enter(c, "see"));
    TRY(find(c, &guest_ics, &rows));
    return calendar_answer(c, rows, call_cell(rows, 0, "practice"), true);
}

/* The link was opened, with all that it asks for: the feed lives as long as the link. */
static enum err make_feed(struct call *c)
{
    TRY(enter(c, "see"));
    return calendar_make_feed(c, &guest_feed);
}

/* ---- slots ---- */

/* Sets the first and the last day. */
static enum err ask_days(struct call *c)
{
    const struct value *day = call_get(c, "day"), *from = call_get(c, "from"),
                       *to = call_get(c, "to");
    if ((day->present && (from->present || to->present)) || (to->present && !from->present)) {
        return call_refuse_field(c, day->present ? "day" : "to", "conflict",
                                 "Indique day, o from y to", "Say day, or from and to");
    }
    const char *first = day->present ? day->text : from->text;
    const char *last = day->present ? day->text : to->text;
    int64_t n = first ? openings_days_between(first, last ? last : first) : 1;
    call_set(c, "w_first", first);
    call_set(c, "w_last", last);
    if (n < 1 || n > DAYS_MAX) {
        return call_refuse_field(c, "to", "out_of_range", "Debe estar en los 14 días desde from",
                                 "It must be within the 14 days from from on");
    }
    return OK;
}

/* What else the visit could be: the same service by the same person. */
enum err guest_load_openings(struct call *c, const char *visit, const PGresult *wish,
                             struct openings *o)
{
    static const struct {
        const char *var, *column;
    } same[] = {
        { "w_service", "service_id" },     { "w_staff", "staff_id" },
        { "w_client", "client_id" },       { "w_before", "buffer_before_min" },
        { "w_after", "buffer_after_min" }, { "w_policy", "policy" },
        { "w_seconds", "seconds" },
    };
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        call_set(c, same[i].var, call_cell(wish, 0, same[i].column));
    }
    call_set(c, "w_ignore", visit);
    call_set_int(c, "w_step", GRID_GUEST);
    TRY(openings_load(c, o));
    return str_int(slice_of(call_cell(wish, 0, "start")), 0, INT64_MAX, &o->start);
}

/* Nobody is there who would give the visit: no start is possible. */
bool guest_is_open(const struct openings *o, int64_t start)
{
    return o->person_count > 0 && openings_judge(o, &o->people[0], start) == 0;
}

static void write_days(struct sbuf *out, struct openings *o)
{
    sbuf_text(out, "{\"time_zone\":");
    sbuf_json(out, slice_of(o->zone));
    sbuf_text(out, ",\"days\":[");
    for (size_t i = 0; i < o->day_count; i++) {
        size_t n = openings_starts(o, &o->days[i]), shown = 0;
        sbuf_fmt(out, "%s{\"date\":\"%s\",\"starts\":[", i ? "," : "", o->days[i].date);
        for (size_t k = 0; k < n; k++) {
            if (guest_is_open(o, o->starts[k])) {
                sbuf_text(out, shown++ ? "," : "");
                openings_write(out, &o->days[i], o->starts[k]);
            }
        }
        sbuf_text(out, "]}");
    }
    sbuf_text(out, "]}");
}

static enum err read_slots(struct call *c)
{
    PGresult *wish;
    struct openings o;
    TRY(enter(c, "reschedule"));
    TRY(ask_days(c));
    TRY(find(c, &guest_wish, &wish));
    TRY(guest_judge(c, call_cell(wish, 0, "move_why")));
    TRY(guest_load_openings(c, call_get(c, "id")->text, wish, &o));
    struct sbuf body;
    sbuf_init(&body);
    write_days(&body, &o);
    enum err e = sbuf_failed(&body) ? E_INTERNAL
                                    : call_answer_raw(c, CONTENT_JSON, sbuf_slice(&body));
    sbuf_fini(&body);
    return e;
}

/* ---- acting ---- */

static enum err step(struct call *c, const char *verb, const char *why)
{
    const struct visit_step *s = visit_step(verb, VISIT_CLIENT);
    PGresult *rows;
    call_set(c, "from_states", s->from);
    call_set(c, "to_state", s->to);
    call_set(c, "frees", s->time == VISIT_FREES ? "t" : "f");
    call_set(c, "why", why);
    TRY(find(c, &appointment_step, &rows));
    return answer_one(c);
}

enum err guest_do_confirm(struct call *c)
{
    PGresult *found;
    TRY(begin(c, "confirm", "confirm_why", &found));
    if (strcmp(call_cell(found, 0, "state"), "confirmed") == 0 &&
        call_cell(found, 0, "client_confirmed_at")) {
        return answer_one(c);
    }
    return step(c, "confirm", NULL);
}

enum err guest_do_cancel(struct call *c)
{
    PGresult *found;
    TRY(begin(c, "cancel", "cancel_why", &found));
    return step(c, "cancel", call_get(c, "reason")->text);
}

/* The practice offers that time. Whether somebody has it already is left to the database, which says who. */
static enum err check_offered(struct call *c)
{
    PGresult *wish;
    struct openings o;
    int64_t us;
    const char *instant = call_get(c, "instant")->text;
    TRY(clock_parse_pg(slice_of(instant), &us));
    call_set(c, "w_at", instant);
    TRY(find(c, &guest_wish, &wish));
    TRY(guest_load_openings(c, call_get(c, "id")->text, wish, &o));
    unsigned why = o.person_count > 0 && us % 1000000 == 0
                       ? openings_judge_any(&o, &o.people[0], us / 1000000)
                       : AVAIL_CLOSED;
    if (why & ~(unsigned)(AVAIL_BUSY | AVAIL_BUFFER) ||
        openings_assign(c, &o, &o.people[0], us / 1000000, OPENINGS_FREE)) {
        return call_refuse_field(c, "/starts_at", "not_offered",
                                 "La práctica no ofrece ese horario",
                                 "The practice does not offer that time");
    }
    return OK;
}

enum err guest_do_move(struct call *c)
{
    PGresult *found, *rows;
    TRY(begin(c, "reschedule", "move_why", &found));
    call_set(c, "to_client", call_cell(found, 0, "client_id"));
    call_set(c, "to_service", call_cell(found, 0, "service_id"));
    call_set(c, "to_staff", call_cell(found, 0, "staff_id"));
    TRY(appointment_ask_time(c, call_get(c, "starts_at")->text));
    TRY(appointment_check_place(
        c, (struct appointment_ask){ .time = true })); /* openings ask for staff */
    TRY(call_post(c, &appointment_group));
    TRY(check_offered(c));
    call_set(c, "note_given", "f");
    call_set(c, "to_state", call_true(found, 0, "approve") ? "requested" : NULL);
    TRY(call_query(c, &appointment_place, &rows));
    return answer_one(c);
}

/* ---- contact data ---- */

static enum err read_profile(struct call *c)
{
    PGresult *rows;
    TRY(enter(c, "profile"));
    TRY(find(c, &guest_profile, &rows));
    return call_answer(c, rows);
}

enum err guest_do_propose(struct call *c)
{
    PGresult *rows;
    TRY(enter(c, "profile"));
    if (!call_get(c, "given_name")->present && !call_get(c, "family_name")->present &&
        !call_get(c, "email")->present && !call_get(c, "phone")->present) {
        return call_refuse_field(c, "", "required", "Indique al menos un dato",
                                 "Say at least one of the fields");
    }
    TRY(call_query(c, &guest_propose, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse_field(c, "", "unchanged", "Son los datos que la práctica ya tiene",
                                 "These are the details that the practice has already");
    }
    return call_answer(c, rows);
}

#define ACTION(verb, text, action_params, action_vars, action_stmts, action_handler)         \
    {                                                                                        \
        .method = M_POST, .path = "/api/v1/guest/appointments/{id}/" verb, .summary = text,  \
        .need = PERM_GUEST, .cost = COST_FAST, .params = action_params, .vars = action_vars, \
        .columns = guest_columns, .stmts = action_stmts, .handler = action_handler,          \
        .shape = SHAPE_ONE, .success = 200,                                                  \
    }

const struct route guest_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/guest/me",
        .summary = "Who came by the link, to which practice, and what the link allows",
        .need = PERM_GUEST,
        .cost = COST_FAST,
        .columns = guest_me_columns,
        .stmts = guest_me_stmts,
        .handler = read_me,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_GET,
        .path = "/api/v1/guest/logo",
        .summary = "Read the practice's logo",
        .need = PERM_GUEST,
        .cost = COST_FAST,
        .columns = guest_logo_columns,
        .stmts = guest_logo_stmts,
        .handler = read_logo,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_GET,
        .path = "/api/v1/guest/appointments",
        .summary = "List the appointments that the link opens, at most 200",
        .need = PERM_GUEST,
        .cost = COST_FAST,
        .params = guest_list_params,
        .vars = guest_vars,
        .columns = guest_columns,
        .stmts = guest_list_stmts,
        .handler = read_list,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_GET,
        .path = "/api/v1/guest/appointments/{id}",
        .summary = "Read an appointment and what may be done with it",
        .need = PERM_GUEST,
        .cost = COST_FAST,
        .params = guest_one_params,
        .vars = guest_vars,
        .columns = guest_columns,
        .stmts = guest_one_stmts,
        .handler = read_one,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_GET,
        .path = "/api/v1/guest/appointments/{id}/slots",
        .summary = "When the appointment could be instead: half hours, or the service's grid, that "
                   "are free",
        .need = PERM_GUEST,
        .cost = COST_FAST,
        .params = guest_slots_params,
        .vars = guest_slots_vars,
        .columns = guest_slots_columns,
        .stmts = guest_slots_stmts,
        .handler = read_slots,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    ACTION("confirm", "Confirm that one will come", guest_confirm_params, guest_step_vars,
           guest_step_stmts, guest_do_confirm),
    ACTION("cancel", "Cancel: the time is free again", guest_cancel_params, guest_step_vars,
           guest_step_stmts, guest_do_cancel),
    ACTION("reschedule", "Move the appointment to a slot; it keeps its id", guest_move_params,
           guest_move_vars, guest_move_stmts, guest_do_move),
    {
        .method = M_GET,
        .path = "/api/v1/guest/appointments/{id}/ics",
        .summary = "The appointment as an iCalendar file",
        .need = PERM_GUEST,
        .cost = COST_FAST,
        .params = guest_one_params,
        .vars = guest_vars,
        .columns = calendar_columns,
        .stmts = guest_ics_stmts,
        .handler = read_ics,
        .shape = SHAPE_RAW,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_POST,
        .path = "/api/v1/guest/calendar-feeds",
        .summary =
            "Make a calendar of the link's visits to subscribe to: it lives as long as the link",
        .need = PERM_GUEST,
        .cost = COST_FAST,
        .vars = guest_feed_vars,
        .columns = calendar_feed_columns,
        .stmts = guest_feed_stmts,
        .handler = make_feed,
        .shape = SHAPE_ONE,
        .success = 201,
    },
    {
        .method = M_GET,
        .path = "/api/v1/guest/profile",
        .summary = "Read one's contact data, and what is proposed",
        .need = PERM_GUEST,
        .cost = COST_FAST,
        .vars = guest_vars,
        .columns = guest_profile_columns,
        .stmts = guest_profile_stmts,
        .handler = read_profile,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/guest/profile",
        .summary = "Propose other contact data: they change when the practice accepts",
        .need = PERM_GUEST,
        .cost = COST_FAST,
        .params = guest_profile_params,
        .vars = guest_vars,
        .columns = guest_proposal_columns,
        .stmts = guest_propose_stmts,
        .handler = guest_do_propose,
        .shape = SHAPE_ONE,
        .success = 202,
        .any_version = true,
    },
    { 0 },
};
