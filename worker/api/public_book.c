/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Booking by anybody: a time is held or booked for a proof of work, by the rules for clients, and becomes a visit of a new client, whatever address they give: nobody's data
 * is shown or changed by who only knows it. They get a link to their visit, by the answer and by mail. */
#include <json-c/json.h>
#include <sodium.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/secret.h"
#include "common/str.h"
#include "worker/api/appointment.h"
#include "worker/api/link.h"
#include "worker/api/public.h"
#include "worker/intake.h"
#include "worker/mail_seal.h"
#include "worker/slot_env.h"
#include "worker/stmt.h"
#include "worker/visit_sql.h"
#include "worker/work_proof.h"

#define HOLDS_MAX    "200" /* of the public in one practice at a time */
#define SECRET_BYTES 32
#define NOBODY       "00000000-0000-0000-0000-000000000000"
#define SECOND_US    INT64_C(1000000)
#define ANSWERS_MAX  16384
#define URL_MAX      400

#define SLUG_PARAM                                               \
    {                                                            \
        .name = "slug", .in = IN_PATH, .type = T_TEXT, .max = 40 \
    }
#define PROOF_PARAM                                                                   \
    {                                                                                 \
        .name = "proof", .in = IN_BODY, .type = T_TEXT, .max = 120, .required = true, \
        .doc = "Of a challenge; good once"                                            \
    }

/* clang-format off */
static const struct param hold_params[] = {
    SLUG_PARAM,
    PROOF_PARAM,
    { .name = "service_id", .in = IN_BODY, .type = T_UUID, .required = true },
    { .name = "staff_id", .in = IN_BODY, .type = T_UUID, .doc = "Whoever can when absent" },
    { .name = "starts_at", .in = IN_BODY, .type = T_TIME, .required = true },
    { 0 },
};

#define WHO_PARAMS                                                                             \
    { .name = "given_name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 80,                \
      .required = true },                                                                      \
    { .name = "family_name", .in = IN_BODY, .type = T_TEXT, .max = 120, .fallback = "" },      \
    { .name = "email", .in = IN_BODY, .type = T_EMAIL, .doc = "This or phone" },               \
    { .name = "phone", .in = IN_BODY, .type = T_PHONE },                                       \
    { .name = "notes", .in = IN_BODY, .type = T_TEXT, .max = 2000, .nullable = true },         \
    { .name = "answers", .in = IN_BODY, .type = T_DOC, .choices = "object", .max = ANSWERS_MAX, \
      .doc = "To the service's questions, by their keys" }

static const struct param book_params[] = {
    SLUG_PARAM,
    PROOF_PARAM,
    { .name = "service_id", .in = IN_BODY, .type = T_UUID, .required = true },
    { .name = "staff_id", .in = IN_BODY, .type = T_UUID, .doc = "Whoever can when absent" },
    { .name = "starts_at", .in = IN_BODY, .type = T_TIME, .required = true },
    WHO_PARAMS,
    { 0 },
};
static const struct param book_held_params[] = {
    SLUG_PARAM,
    { .name = "token", .in = IN_PATH, .type = T_TEXT, .max = 100 },
    WHO_PARAMS,
    { 0 },
};
/* clang-format on */

static const struct param public_vars[] = {
    APPOINTMENT_BOOK_VARS,
    OPENINGS_VARS,
    { .name = "proof_hash", .type = T_TEXT },
    { .name = "proof_ends", .type = T_INT },
    { .name = "secret_hash", .type = T_TEXT },
    { .name = "service", .type = T_UUID },
    { .name = "client", .type = T_UUID },
    { .name = "link_id", .type = T_UUID },
    { .name = "link_hash", .type = T_TEXT },
    { .name = "message", .type = T_UUID },
    { .name = "language", .type = T_TEXT },
    { .name = "sealed", .type = T_TEXT },
    { 0 },
};

static const struct column hold_columns[] = {
    { "staff_id", T_UUID, NULL },
    { "starts_at", T_ZONED, NULL },
    { "ends_at", T_ZONED, NULL },
    { "time_zone", T_TEXT, NULL },
    { "expires_at", T_INSTANT, "It is free again then" },
    { "token", T_ADDED, "Books it" },
    { 0 },
};

static const struct column book_columns[] = {
    { "id", T_UUID, NULL },
    { "state", T_TEXT, "confirmed, or requested: it waits for the practice" },
    { "starts_at", T_ZONED, NULL },
    { "ends_at", T_ZONED, NULL },
    { "time_zone", T_TEXT, NULL },
    { "service", T_TEXT, NULL },
    { "staff", T_TEXT, NULL },
    { "link", T_ADDED, "To see, confirm, move and cancel it; it is mailed, too" },
    { 0 },
};

/* ---- statements ---- */

/* clang-format off */

/* Proofs that would be over are nobody's any more. */
static const struct stmt proof_use = {
    "proof",
    "WITH old AS (DELETE FROM work_proof WHERE expires_at < now())"
    " INSERT INTO work_proof(hash, expires_at) VALUES (:proof_hash::bytea, to_timestamp(:proof_ends))"
    " ON CONFLICT (hash) DO NOTHING RETURNING 1",
};

static const struct stmt service_find = {
    "service",
    "SELECT s.intake, s.name, (SELECT (rules->>'public_approval')::boolean FROM booking_policy) AS"
    " approval FROM service s WHERE s.id = :service AND " PUBLIC_SERVICE("s"),
};

/* Whoever books by themselves with one contact at once is counted one after the other. Clients whom staff know are not looked at: a stranger learns nothing of them. */
static const struct stmt open_count = {
    "count",
    "SELECT (SELECT (rules->>'open_per_client')::int FROM booking_policy) AS most, (SELECT count(*)"
    " FROM appointment a JOIN client k ON k.id = a.client_id WHERE k.source = 'public'"
    " AND (k.email = :email OR k.phone = :phone) AND a.ends_at > now()"
    " AND a.state = ANY ('" VISIT_OPEN "') AND :scope(appointment a)) AS open"
    " FROM (SELECT pg_advisory_xact_lock(hashtextextended(:tenant_id::text || coalesce(:email, '')"
    " || coalesce(:phone, ''), 1))) one",
};

static const struct stmt client_insert = {
    "client",
    "INSERT INTO client(id, given_name, family_name, email, phone, locale, source)"
    " SELECT :client, :given_name, :family_name, :email, :phone, b.locale, 'public' FROM business b",
};

static const struct stmt hold_insert = {
    "hold",
    "WITH taken AS (INSERT INTO allocation AS x(id, resource_id, busy, kind, expires_at)"
    " SELECT :new_id, t.id, tstzrange(v.starts_at - make_interval(mins => s.buffer_before_min),"
    " v.ends_at + make_interval(mins => s.buffer_after_min)), 'hold',"
    " now() + make_interval(mins => (SELECT (rules->>'hold_min')::int FROM booking_policy))"
    " FROM service s, staff t, LATERAL (SELECT :instant::timestamptz AS starts_at,"
    " :instant::timestamptz + make_interval(mins => :to_minutes::int) AS ends_at) v"
    " WHERE s.id = :to_service AND t.id = :to_staff AND :scope(staff t) AND (SELECT count(*)"
    " FROM hold o JOIN allocation y ON y.id = o.id WHERE o.made_by = '" NOBODY "' AND y.expires_at > now())"
    " < " HOLDS_MAX " RETURNING x.id, x.expires_at, x.busy),"
    " besides AS (INSERT INTO allocation(id, resource_id, busy, kind, expires_at, held_with)"
    " SELECT gen_random_uuid(), f.id, x.busy, 'hold', x.expires_at, x.id FROM taken x"
    " CROSS JOIN unnest(:assets::uuid[]) f(id)),"
    " h AS (INSERT INTO hold AS h(id, secret_hash, service_id, staff_id, starts_at, ends_at,"
    " made_by) SELECT x.id, :secret_hash::bytea, :to_service, :to_staff, :instant::timestamptz,"
    " :instant::timestamptz + make_interval(mins => :to_minutes::int), '" NOBODY "' FROM taken x"
    " RETURNING h.id, h.staff_id, h.starts_at, h.ends_at)"
    " SELECT h.staff_id, h.starts_at, h.starts_at AT TIME ZONE b.time_zone AS local, h.ends_at,"
    " h.ends_at AT TIME ZONE b.time_zone AS local_end, b.time_zone, x.expires_at FROM h"
    " JOIN taken x ON x.id = h.id CROSS JOIN business b WHERE ext.work_due('agenda', x.expires_at)",
};

static const struct stmt hold_take = {
    "take",
    "WITH h AS (SELECT h.id, h.service_id, h.staff_id, h.starts_at, extract(epoch FROM h.ends_at"
    " - h.starts_at)::int / 60 AS minutes, (SELECT array_agg(y.resource_id) FROM allocation y"
    " WHERE y.held_with = h.id) AS assets FROM hold h JOIN staff t ON t.id = h.staff_id"
    " AND :scope(staff t) WHERE h.secret_hash = :secret_hash::bytea AND h.made_by = '" NOBODY "'),"
    " gone AS (DELETE FROM allocation l USING h WHERE l.id = h.id AND l.expires_at > now() RETURNING l.id)"
    " SELECT h.service_id, h.staff_id, h.starts_at, h.minutes, h.assets FROM h JOIN gone g ON g.id = h.id",
};

static const struct stmt intake_insert = {
    "intake",
    "INSERT INTO appointment_intake(appointment_id, questions, answers)"
    " SELECT :new_id, s.intake, coalesce(:answers::jsonb, '{}') FROM service s WHERE s.id = :to_service"
    " AND s.intake <> '[]'",
};

static const struct stmt link_insert = {
    "link",
    "INSERT INTO access_link(id, client_id, appointment_id, secret_hash, scopes, step_up, expires_at,"
    " created_by) SELECT :link_id, a.client_id, a.id, :link_hash::bytea,"
    " '{see,confirm,cancel,reschedule}', 'none', a.ends_at + interval '30 days', '" NOBODY "'"
    " FROM appointment a WHERE a.id = :new_id AND :scope(appointment a)",
};

static const struct stmt mail_insert = {
    "mail",
    "WITH message AS (INSERT INTO outbox(id, topic, recipient, language, sealed, dedupe_key)"
    " VALUES (:message, 'booked', :email, :language, :sealed::bytea, :message::text)"
    " RETURNING not_before) SELECT ext.work_due('outbox', not_before) FROM message",
};

static const struct stmt book_read = {
    "read",
    "SELECT a.id, a.state, a.starts_at, a.local_start, a.ends_at, a.local_end, a.time_zone,"
    " a.service_name, a.staff_name, b.name AS practice, b.locale FROM appointment a"
    " CROSS JOIN business b WHERE a.id = :new_id AND :scope(appointment a)",
};
/* clang-format on */

#define PLACE_STMTS \
    &service_find, &openings_world, &appointment_lock, &appointment_sweep, &appointment_check
#define BOOK_STMTS                                                                              \
    &open_count, &client_insert, &appointment_book, &intake_insert, &link_insert, &mail_insert, \
        &book_read

static const struct stmt *const hold_stmts[] = { PLACE_STMTS, &proof_use, &hold_insert, NULL };
static const struct stmt *const book_stmts[] = { PLACE_STMTS, &proof_use, BOOK_STMTS, NULL };
static const struct stmt *const book_held_stmts[] = { PLACE_STMTS, &hold_take, BOOK_STMTS, NULL };

/* ---- who may ---- */

static enum err use_proof(struct call *c)
{
    struct slice proof = slice_of(call_get(c, "proof")->text);
    PGresult *rows;
    int64_t ends;
    enum err e = work_proof_check(c->env->secrets->proof_key, &c->req->tenant.id, proof,
                                  clock_wall_us() / SECOND_US, &ends);
    if (e != OK) {
        return e == E_LINK_EXPIRED
                   ? call_refuse_field(c, "/proof", "proof_expired", "Pida otro reto (challenge)",
                                       "Ask for another challenge")
                   : call_refuse_field(c, "/proof", "proof_wrong", "No resuelve un reto de aquí",
                                       "It solves no challenge of ours");
    }
    call_set_digest(c, "proof_hash", proof);
    call_set_int(c, "proof_ends", ends);
    TRY(call_query(c, &proof_use, &rows));
    return PQntuples(rows)
               ? OK
               : call_refuse_field(c, "/proof", "proof_used",
                                   "Ya se usó: si no vio la respuesta, mire su correo",
                                   "It was used: if you saw no answer, look at your mail");
}

/* Acts for the practice within what is public; a client's booking is the client's. */
static enum err find_service(struct call *c, const char *id, PGresult **service)
{
    c->reach = REACH_ALL;
    call_set(c, "service", id);
    TRY(call_query(c, &service_find, service));
    return PQntuples(*service) ? OK : call_refuse(c, E_NOT_FOUND, NULL, NULL);
}

/* ---- where ---- */

static size_t visits_on_day(const struct openings *o, const struct openings_person *p)
{
    const struct avail_span *day = &o->days[0].day.span;
    size_t n = 0;
    for (size_t i = 0; i < p->visit_count; i++) {
        n += p->visits[i] >= day->from && p->visits[i] < day->to;
    }
    return n;
}

/* Who can, those with the fewest visits that day first; NULL: nobody. */
static const char *choose_staff(struct openings *o, int64_t start)
{
    const struct openings_person *best = NULL;
    for (size_t i = 0; i < o->person_count; i++) {
        const struct openings_person *p = &o->people[i];
        if (openings_judge_any(o, p, start) == 0 &&
            (!best || visits_on_day(o, p) < visits_on_day(o, best))) {
            best = p;
        }
    }
    return best ? best->id : NULL;
}

static enum err refuse_start(struct call *c)
{
    return call_refuse_field(c, "/starts_at", "not_offered", "La práctica no ofrece ese horario",
                             "The practice does not offer that time");
}

/* Loads the day of :instant for :to_staff, or for everybody. */
static enum err load(struct call *c, struct openings *o)
{
    call_set(c, "w_service", call_get(c, "to_service")->text);
    call_set(c, "w_staff", call_get(c, "to_staff")->text);
    call_set(c, "w_at", call_get(c, "instant")->text);
    call_set_int(c, "w_step", PUBLIC_GRID);
    return openings_load(c, o);
}

/* Under the locks of a booking: what is free then stays so. */
static enum err judge(struct call *c)
{
    struct openings o;
    int64_t us;
    TRY(clock_parse_pg(slice_of(call_get(c, "instant")->text), &us));
    TRY(load(c, &o));
    unsigned why = o.person_count == 1 && us % SECOND_US == 0
                       ? openings_judge_any(&o, &o.people[0], us / SECOND_US)
                       : AVAIL_CLOSED;
    if (why & (AVAIL_BUSY | AVAIL_BUFFER)) {
        return call_refuse(c, E_SLOT_TAKEN, NULL, NULL);
    }
    if (why || openings_assign(c, &o, &o.people[0], us / SECOND_US, OPENINGS_FREE)) {
        return refuse_start(c);
    }
    call_set_int(c, "to_minutes", o.people[0].visit.length / 60);
    return OK;
}

/* Sets where it is to be, from what the request says. */
static enum err find_place(struct call *c)
{
    struct openings o;
    PGresult *check;
    int64_t us;
    const char *staff = call_get(c, "staff_id")->text;
    call_set(c, "to_service", call_get(c, "service_id")->text);
    TRY(appointment_ask_time(c, call_get(c, "starts_at")->text));
    if (!staff) { /* the instant first: then who can */
        TRY(call_query(c, &appointment_check, &check));
        if (!call_cell(check, 0, "first") || call_cell(check, 0, "second")) {
            return refuse_start(c);
        }
        call_set(c, "instant", call_cell(check, 0, "first"));
        TRY(clock_parse_pg(slice_of(call_get(c, "instant")->text), &us));
        TRY(load(c, &o));
        staff = o.day_count ? choose_staff(&o, us / SECOND_US) : NULL;
        if (!staff) {
            return refuse_start(c);
        }
    }
    call_set(c, "to_staff", staff);
    TRY(appointment_check_place(
        c, (struct appointment_ask){ .service = true, .staff = true, .time = true }));
    return judge(c);
}

/* ---- holding ---- */

static enum err hold(struct call *c)
{
    uint8_t secret[SECRET_BYTES];
    char token[STR_BASE64_SIZE(SECRET_BYTES)], member[100];
    PGresult *rows;
    TRY(find_service(c, call_get(c, "service_id")->text, &rows));
    TRY(use_proof(c));
    TRY(find_place(c));
    if (call_get(c, "to_group")->text) {
        return call_refuse_field(c, "/starts_at", "group",
                                 "Un grupo no se aparta: dé la cita, que toma un lugar",
                                 "A group is not held: book, which takes a seat");
    }
    randombytes_buf(secret, sizeof(secret));
    str_base64url(secret, sizeof(secret), token);
    call_set_digest(c, "secret_hash", slice_of(token));
    TRY(call_query(c, &hold_insert, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_LIMIT, "Hay demasiados apartados: intente en unos minutos",
                           "There are too many holds: try again in some minutes");
    }
    TRY(call_answer(c, rows));
    int n = snprintf(member, sizeof(member), "\"token\":\"%s\"", token);
    return call_answer_once(c, (struct slice){ member, (size_t)n });
}

/* ---- booking ---- */

static enum err check_contact(struct call *c)
{
    if (!call_get(c, "email")->text && !call_get(c, "phone")->text) {
        return call_refuse_field(c, "/email", "required", "Indique correo o teléfono",
                                 "Say an e-mail address or a phone number");
    }
    return OK;
}

static enum err check_answers(struct call *c, const PGresult *service)
{
    struct intake_fault fault;
    const char *text = call_get(c, "answers")->text;
    struct json_object *questions = json_tokener_parse(call_cell(service, 0, "intake"));
    struct json_object *answers = text ? json_tokener_parse(text) : NULL;
    char pointer[100];
    intake_check_answers(questions, answers, &fault);
    json_object_put(questions);
    json_object_put(answers);
    snprintf(pointer, sizeof(pointer), "/answers%s", fault.pointer);
    return fault.es ? call_refuse_field(c, arena_text(c->arena, slice_of(pointer)),
                                        "invalid_answer", fault.es, fault.en)
                    : OK;
}

static enum err check_count(struct call *c)
{
    PGresult *rows;
    int64_t most = 0, open = 0;
    TRY(call_query(c, &open_count, &rows));
    TRY(str_int(slice_of(call_cell(rows, 0, "most")), 0, INT32_MAX, &most));
    TRY(str_int(slice_of(call_cell(rows, 0, "open")), 0, INT32_MAX, &open));
    return most && open >= most
               ? call_refuse(c, E_LIMIT, "Ya tiene las citas por venir que se permiten: llame",
                             "You have as many visits to come as are allowed: call")
               : OK;
}

/* The link's mail, in the practice's language. */
static enum err send_mail(struct call *c, const PGresult *visit, const char *token)
{
    enum lang lang = mail_text_lang(call_cell(visit, 0, "locale"));
    struct uuid id = uuid_v7();
    char message[UUID_TEXT], value[600];
    const char *local = call_cell(visit, 0, "local_start");
    struct sbuf sealed;
    snprintf(value, sizeof(value), "%.300s, %.10s %.5s", call_cell(visit, 0, "service_name"), local,
             local + 11);
    const struct mail_values values = { .public_url = c->env->settings->public_url,
                                        .code = token,
                                        .value = value,
                                        .practice = call_cell(visit, 0, "practice") };
    sbuf_init(&sealed);
    enum err e = mail_seal(c->env->secrets->mail_key, MAIL_BOOKED, lang, &values, &sealed);
    sbuf_char(&sealed, '\0');
    if (e == OK && !sbuf_failed(&sealed)) {
        uuid_format(&id, message);
        call_set(c, "message", message);
        call_set(c, "language", lang == LANG_ES ? "es" : "en");
        call_set(c, "sealed", sealed.data);
        e = call_post(c, &mail_insert);
    }
    sbuf_fini(&sealed);
    return e;
}

static enum err give_link(struct call *c)
{
    struct link_token t = link_token_make(&c->req->tenant.id);
    struct uuid id = uuid_v7();
    char token[LINK_TOKEN_TEXT], text[UUID_TEXT], member[URL_MAX];
    PGresult *rows = NULL;
    link_token_format(&t, token);
    uuid_format(&id, text);
    call_set(c, "link_id", text);
    link_set_hash(c, "link_hash", &t);
    enum err e = call_post(c, &link_insert);
    e = e == OK ? call_query(c, &book_read, &rows) : e;
    e = e == OK && call_get(c, "email")->text ? send_mail(c, rows, token) : e;
    e = e == OK ? call_answer(c, rows) : e;
    int n = snprintf(member, sizeof(member), "\"link\":\"%s/i/%s\"", c->env->settings->public_url,
                     token);
    e = e == OK ? call_answer_once(c, (struct slice){ member, (size_t)n }) : e;
    sodium_memzero(&t, sizeof(t));
    sodium_memzero(token, sizeof(token));
    sodium_memzero(member, sizeof(member));
    return e;
}

/* A new client, and the history says that it was they who booked. */
static enum err ask_as_client(struct call *c, const PGresult *service)
{
    struct uuid id = uuid_v7();
    char text[UUID_TEXT];
    uuid_format(&id, text);
    call_set(c, "client", text);
    c->builtins[BUILTIN_ME_ROLE] = (struct value){ .present = true, .text = "guest" };
    c->builtins[BUILTIN_ME_MEMBER] = (struct value){ .present = true,
                                                     .text = call_get(c, "client")->text };
    appointment_ask_new(c, text, call_true(service, 0, "approval") ? "requested" : "confirmed");
    return call_get(c, "client")->text ? OK : E_NOMEM;
}

static enum err finish(struct call *c)
{
    PGresult *rows;
    TRY(check_count(c));
    TRY(call_post(c, &client_insert));
    TRY(call_query(c, &appointment_book, &rows));
    TRY(call_post(c, &intake_insert));
    return give_link(c);
}

static enum err book(struct call *c)
{
    PGresult *service;
    TRY(find_service(c, call_get(c, "service_id")->text, &service));
    TRY(check_contact(c));
    TRY(check_answers(c, service));
    TRY(use_proof(c));
    TRY(find_place(c));
    TRY(ask_as_client(c, service));
    return finish(c);
}

/* What is held was judged, and worked for, when it was held. */
static enum err book_held(struct call *c)
{
    static const struct {
        const char *var, *column;
    } same[] = {
        { "to_service", "service_id" }, { "to_staff", "staff_id" }, { "to_time", "starts_at" },
        { "to_minutes", "minutes" },    { "assets", "assets" },
    };
    PGresult *held, *service;
    c->reach = REACH_ALL;
    TRY(check_contact(c));
    call_set_digest(c, "secret_hash", slice_of(call_get(c, "token")->text));
    TRY(call_query(c, &hold_take, &held));
    if (PQntuples(held) == 0) {
        return call_refuse(c, E_HOLD_EXPIRED, NULL, NULL);
    }
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        call_set(c, same[i].var, call_cell(held, 0, same[i].column));
    }
    call_set(c, "has_offset", "t");
    TRY(find_service(c, call_get(c, "to_service")->text, &service));
    TRY(check_answers(c, service));
    TRY(appointment_check_place(c, (struct appointment_ask){ .service = true, .staff = true }));
    TRY(ask_as_client(c, service));
    return finish(c);
}

#define TAKE(where, text, its_params, its_columns, its_stmts, its_handler)                      \
    {                                                                                           \
        .method = M_POST, .path = "/api/v1/public/{slug}" where, .summary = text, .open = true, \
        .by_link = true, .cost = COST_FAST, .params = its_params, .vars = public_vars,          \
        .columns = its_columns, .stmts = its_stmts, .handler = its_handler, .shape = SHAPE_ONE, \
        .success = 201,                                                                         \
    }

const struct route public_book_routes[] = {
    TAKE("/holds", "Keep a time free for some minutes", hold_params, hold_columns, hold_stmts,
         hold),
    TAKE("/holds/{token}/book", "Book what is held", book_held_params, book_columns,
         book_held_stmts, book_held),
    TAKE("/book", "Book a time", book_params, book_columns, book_stmts, book),
    { 0 },
};
