/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Strangers hold and book. Whoever books becomes a client of its own, even with the e-mail of one who is there: an e-mail proves nothing, and a family shares
 * it. What the answer has is what the stranger said, and a link to that one visit. */
#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>

#include "common/secret.h"
#include "common/str.h"
#include "worker/api/holds.h"
#include "worker/api/link.h"
#include "worker/api/public.h"
#include "worker/api/service_intake.h"
#include "worker/mail_seal.h"
#include "worker/slot_env.h"

#define URL_MAX (CONF_TEXT_MAX + LINK_TOKEN_TEXT + 4)

static const struct column booked_columns[] = {
    { "id", T_UUID, NULL },
    { "starts_at", T_ZONED, NULL },
    { "ends_at", T_ZONED, NULL },
    { "time_zone", T_TEXT, "IANA zone of starts_at and ends_at" },
    { "state", T_TEXT, "confirmed, or requested: the practice confirms it" },
    { "expires_at", T_INSTANT, "A request that nobody confirms is over then" },
    { "service.name", T_TEXT, NULL },
    { "staff.name", T_TEXT, NULL },
    { "price_minor", T_INT, "In the currency's minor unit" },
    { "currency", T_TEXT, "ISO 4217" },
    { "token", T_ADDED,
      "Opens this visit (/api/v1/links/open), to see, move or cancel it; shown only now" },
    { "url", T_ADDED, "The same for people: the visit's page" },
    { 0 },
};

#define STAFF_PARAM                                    \
    .name = "staff_id", .in = IN_BODY, .type = T_UUID, \
    .doc = "With that person; anybody who is free when absent"

static const struct param hold_params[] = {
    PUBLIC_SLUG_PARAM,
    { .name = "service_id", .in = IN_BODY, .type = T_UUID, .required = true },
    { STAFF_PARAM },
    { .name = "starts_at", .in = IN_BODY, .type = T_TIME, .required = true, .doc = "A free time" },
    PUBLIC_PROOF_PARAMS,
    { 0 },
};

static const struct param book_params[] = {
    PUBLIC_SLUG_PARAM,
    { .name = "hold",
      .in = IN_BODY,
      .type = T_TEXT,
      .max = 100,
      .doc = "A hold's token, instead of service_id, staff_id and starts_at" },
    { .name = "service_id", .in = IN_BODY, .type = T_UUID },
    { STAFF_PARAM },
    { .name = "starts_at", .in = IN_BODY, .type = T_TIME, .doc = "A free time" },
    { .name = "given_name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 100, .required = true },
    { .name = "family_name", .in = IN_BODY, .type = T_TEXT, .min = 0, .max = 100, .fallback = "" },
    { .name = "email", .in = IN_BODY, .type = T_EMAIL, .doc = "This or phone" },
    { .name = "phone", .in = IN_BODY, .type = T_PHONE },
    { .name = "locale", .in = IN_BODY, .type = T_LOCALE },
    { .name = "notes", .in = IN_BODY, .type = T_TEXT, .max = 1000 },
    { .name = "answers",
      .in = IN_BODY,
      .type = T_DOCUMENT,
      .max = INTAKE_JSON_MAX,
      .doc = "By the questions' keys" },
    PUBLIC_PROOF_PARAMS,
    { 0 },
};

static const struct param hold_vars[] = {
    APPOINTMENT_PLACE_VARS, OPENINGS_VARS, HOLD_MAKE_VARS, PUBLIC_PROOF_VAR, { 0 },
};

static const struct param book_vars[] = {
    APPOINTMENT_BOOK_VARS,
    OPENINGS_VARS,
    PUBLIC_PROOF_VAR,
    { .name = "secret_hash", .type = T_TEXT }, /* the hold's */
    { .name = "made_from", .type = T_TEXT },   /* the address, as a bytea */
    { .name = "link_hash", .type = T_TEXT },
    { .name = "answered", .type = T_TEXT },
    { .name = "message", .type = T_UUID },
    { .name = "language", .type = T_TEXT },
    { .name = "sealed", .type = T_TEXT },
    { 0 },
};

/* ---- statements ---- */

/* Those of strangers are counted one after another. */
static const struct stmt line_up = {
    "line_up",
    "SELECT pg_advisory_xact_lock(hashtextextended(:tenant_id::text || ' strangers', 0))",
};

/* So are bookings with one e-mail or phone, or from one address: before any time is locked, and in one order for everybody. */
static const struct stmt contact_lock = {
    "contact_lock",
    "SELECT pg_advisory_xact_lock(k.key) FROM (SELECT hashtextextended(:tenant_id::text || v.who, "
    "0)"
    " AS key FROM (VALUES (:email), (:phone), (:made_from)) v(who) WHERE v.who IS NOT NULL ORDER "
    "BY 1) k",
};

/* Only what strangers booked is counted: it must not be found out here who is a client. */
static const struct stmt contact_full = {
    "contact_full",
    "SELECT 1 FROM booking_policy p WHERE (p.rules->>'open_per_client')::int > 0"
    " AND (p.rules->>'open_per_client')::int <= (SELECT count(*) FROM client k JOIN appointment a"
    " ON a.client_id = k.id WHERE k.source = 'public' AND (k.email = :email OR k.phone = :phone)"
    " AND a.starts_at > now() AND a.state = ANY ('" VISIT_OPEN "'))",
};

/* Of a day, whatever became of it. Whoever is refused is not counted. */
/* clang-format off */
static const struct stmt count_day = {
    "count_day",
    "WITH old AS (DELETE FROM public_count WHERE id IN (SELECT id FROM public_count"
    " WHERE made_at <= now() - interval '1 day' LIMIT 100 FOR UPDATE SKIP LOCKED))"
    " INSERT INTO public_count(id, made_from) SELECT gen_random_uuid(), :made_from::bytea"
    " WHERE (SELECT count(*) FROM public_count o WHERE o.made_from = :made_from::bytea"
    " AND o.made_at > now() - interval '1 day') < " PUBLIC_ADDRESS_DAY
    " AND (SELECT count(*) FROM client k WHERE k.source = 'public'"
    " AND (k.email = :email OR k.phone = :phone)"
    " AND k.created_at > now() - interval '1 day') < " PUBLIC_CONTACT_DAY " RETURNING id",
};
/* clang-format on */

static const struct stmt client_insert = {
    "client",
    "INSERT INTO client(id, given_name, family_name, email, phone, locale, source)"
    " VALUES (:to_client, :given_name, :family_name, :email, :phone, :locale, 'public')",
};

static const struct stmt how_state = {
    "state",
    "SELECT CASE WHEN (rules->'public_approval')::boolean THEN 'requested' ELSE 'confirmed' END"
    " AS state FROM booking_policy",
};

static const struct stmt answers_insert = {
    "answers",
    "INSERT INTO appointment_intake(appointment_id, answers) VALUES (:new_id, :answered::jsonb)",
};

/* Until the visit is over, wherever its client may move it. */
static const struct stmt link_insert = {
    "link",
    "INSERT INTO access_link(id, client_id, appointment_id, secret_hash, scopes, step_up,"
    " expires_at, created_by) SELECT gen_random_uuid(), a.client_id, a.id, :link_hash::bytea,"
    " '{see,confirm,cancel,reschedule}', 'none', least(now() + interval '365 days', a.ends_at"
    " + make_interval(days => 1 + (a.policy->>'horizon_days')::int)), a.client_id"
    " FROM appointment a WHERE a.id = :new_id",
};

static const struct stmt booked = {
    "booked",
    "SELECT a.id, a.starts_at, a.local_start, a.ends_at, a.local_end, a.time_zone, a.state,"
    " a.expires_at, a.service_name, a.staff_name, a.price_minor, a.currency, b.name AS practice,"
    " coalesce(:locale, b.locale) AS locale FROM appointment a CROSS JOIN business b"
    " WHERE a.id = :new_id",
};

static const struct stmt mail_insert = {
    "mail",
    "WITH message AS (INSERT INTO outbox(id, topic, recipient, language, sealed, dedupe_key)"
    " VALUES (:message, 'booked', :email, :language, :sealed::bytea, :message::text)"
    " RETURNING not_before) SELECT ext.work_due('outbox', not_before) FROM message",
};

static const struct stmt *const hold_stmts[] = {
    &public_door,       &public_spend,      &public_service, &line_up,   &appointment_lock,
    &appointment_sweep, &appointment_check, &openings_world, &hold_make, NULL,
};
static const struct stmt *const book_stmts[] = {
    &public_door,       &public_spend,   &public_service, &contact_lock,     &contact_full,
    &count_day,         &hold_find,      &hold_use,       &appointment_lock, &appointment_sweep,
    &appointment_check, &openings_world, &client_insert,  &how_state,        &appointment_book,
    &answers_insert,    &link_insert,    &booked,         &mail_insert,      NULL,
};

/* ---- holding ---- */

/* Whose address it is is not kept; whoever has the key can tell whether two are the same. An IPv6 address counts as its /64. */
static enum err set_address(struct call *c)
{
    uint8_t mac[32];
    char text[160], hex[2 * sizeof(mac) + 3] = "\\x", part[17] = "";
    const char *peer = arena_text(c->arena, c->req->peer);
    struct in6_addr six;
    if (peer && inet_pton(AF_INET6, peer, &six) == 1) {
        str_hex(six.s6_addr, 8, part);
    }
    int n = snprintf(text, sizeof(text), "address %s %.64s", c->req->tenant.code,
                     part[0] || !peer ? part : peer);
    TRY(secret_mac(c->env->secrets->proof_key, (struct slice){ text, (size_t)n }, mac));
    str_hex(mac, sizeof(mac), hex + 2);
    call_set(c, "made_from", hex);
    return OK;
}

/* The service, if strangers may know it: one that is staff's alone is as if it were not there. */
static enum err find_service(struct call *c, const char *id, PGresult **rows)
{
    call_set(c, "w_service", id);
    TRY(call_query(c, &public_service, rows));
    return PQntuples(*rows) ? OK
                            : call_refuse_field(c, "/service_id", "not_found",
                                                "No existe ese servicio o no se reserva así",
                                                "There is no such service, or it is not booked "
                                                "this way");
}

static enum err hold(struct call *c)
{
    PGresult *rows;
    const char *service = call_get(c, "service_id")->text;
    TRY(public_enter(c));
    TRY(public_prove(c));
    TRY(find_service(c, service, &rows));
    TRY(set_address(c));
    TRY(call_post(c, &line_up));
    TRY(public_place(c, service, call_get(c, "staff_id")->text, call_get(c, "starts_at")->text));
    return hold_take(c);
}

/* ---- booking ---- */

/* Sets :answered. */
static enum err take_answers(struct call *c, const PGresult *service)
{
    struct intake_fault fault;
    const char *out;
    enum err e = intake_answers(call_cell(service, 0, "questions"), call_get(c, "answers")->text,
                                c->arena, &out, &fault);
    TRY(e == OK ? OK : service_intake_refuse(c, "/answers", e, &fault));
    call_set(c, "answered", out);
    return OK;
}

static enum err check_contact(struct call *c)
{
    PGresult *rows;
    if (!call_get(c, "email")->text && !call_get(c, "phone")->text) {
        return call_refuse_field(c, "/email", "required", "Indique correo o teléfono",
                                 "Say an e-mail address or a phone number");
    }
    TRY(set_address(c));
    TRY(call_post(c, &contact_lock));
    TRY(call_query(c, &contact_full, &rows));
    if (PQntuples(rows)) {
        return call_refuse(c, E_LIMIT, "A lo más tantas citas por venir por persona",
                           "No more visits to come for one person");
    }
    TRY(call_query(c, &count_day, &rows));
    return PQntuples(rows) ? OK
                           : call_refuse(c, E_LIMIT, "Son demasiadas citas en un día; llame",
                                         "Too many visits were booked in a day; call");
}

/* What is held is what is booked. */
static enum err place_held(struct call *c)
{
    static const struct {
        const char *var, *column;
    } same[] = {
        { "to_service", "service_id" }, { "to_staff", "staff_id" }, { "to_time", "starts_at" },
        { "to_minutes", "minutes" },    { "assets", "assets" },
    };
    PGresult *held, *service, *rows;
    call_set_digest(c, "secret_hash", slice_of(call_get(c, "hold")->text));
    TRY(call_query(c, &hold_find, &held));
    if (!call_true(held, 0, "by_stranger")) {
        return call_refuse(c, E_HOLD_EXPIRED, NULL, NULL);
    }
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        call_set(c, same[i].var, call_cell(held, 0, same[i].column));
    }
    call_set(c, "has_offset", "t");
    call_set(c, "w_service", call_get(c, "to_service")->text);
    TRY(call_query(c, &public_service, &service));
    if (PQntuples(service) == 0) {
        return call_refuse(c, E_HOLD_EXPIRED, NULL, NULL);
    }
    TRY(take_answers(c, service));
    TRY(appointment_check_place(c, (struct appointment_ask){ .service = true, .staff = true }));
    TRY(call_query(c, &hold_use, &rows));
    return PQntuples(rows) ? OK : call_refuse(c, E_HOLD_EXPIRED, NULL, NULL);
}

static enum err place_asked(struct call *c)
{
    const struct value *service = call_get(c, "service_id"), *at = call_get(c, "starts_at");
    PGresult *rows;
    if (!service->text || !at->text) {
        return call_refuse_field(c, service->text ? "/starts_at" : "/service_id", "required",
                                 "Falta este dato, o un apartado (hold)",
                                 "This field is missing, or a hold");
    }
    TRY(find_service(c, service->text, &rows));
    TRY(take_answers(c, rows));
    return public_place(c, service->text, call_get(c, "staff_id")->text, at->text);
}

static enum err find_place(struct call *c)
{
    if (!call_get(c, "hold")->text) {
        return place_asked(c);
    }
    if (call_get(c, "service_id")->text || call_get(c, "staff_id")->text ||
        call_get(c, "starts_at")->text) {
        return call_refuse_field(c, "/hold", "conflict",
                                 "El apartado ya dice qué, con quién y cuándo",
                                 "The hold says what, with whom and when already");
    }
    return place_held(c);
}

static void set_id(struct call *c, const char *var)
{
    char text[UUID_TEXT];
    struct uuid id = uuid_v7();
    uuid_format(&id, text);
    call_set(c, var, text);
}

/* The visit, its client and what was answered. */
static enum err write_down(struct call *c)
{
    PGresult *rows;
    set_id(c, "to_client");
    set_id(c, "allocation_id");
    TRY(call_post(c, &client_insert));
    TRY(call_query(c, &how_state, &rows));
    call_set(c, "to_state", call_cell(rows, 0, "state"));
    call_act_as_client(c, call_get(c, "to_client")->text);
    TRY(call_query(c, &appointment_book, &rows));
    return strcmp(call_get(c, "answered")->text, "[]") ? call_post(c, &answers_insert) : OK;
}

/* The link once more, for who loses the answer. */
static enum err send_mail(struct call *c, const PGresult *visit, const char *token)
{
    enum lang lang = mail_text_lang(call_cell(visit, 0, "locale"));
    const char *local = call_cell(visit, 0, "local_start");
    char value[600];
    struct sbuf sealed;
    snprintf(value, sizeof(value), "%.400s, %.10s %.5s", call_cell(visit, 0, "service_name"), local,
             local + 11);
    const struct mail_values values = { .public_url = c->env->settings->public_url,
                                        .code = token,
                                        .value = value,
                                        .practice = call_cell(visit, 0, "practice") };
    sbuf_init(&sealed);
    enum err e = mail_seal(c->env->secrets->mail_key, MAIL_BOOKED, lang, &values, &sealed);
    sbuf_char(&sealed, '\0');
    if (e == OK && !sbuf_failed(&sealed)) {
        set_id(c, "message");
        call_set(c, "language", lang == LANG_ES ? "es" : "en");
        call_set(c, "sealed", sealed.data);
        e = call_post(c, &mail_insert);
    }
    sbuf_fini(&sealed);
    return e;
}

static enum err answer_with_link(struct call *c)
{
    char token[LINK_TOKEN_TEXT], members[URL_MAX + LINK_TOKEN_TEXT + 32];
    struct link_token t = link_token_make(&c->req->tenant.id);
    PGresult *rows = NULL;
    link_token_format(&t, token);
    link_set_hash(c, "link_hash", &t);
    int n = snprintf(members, sizeof(members), "\"token\":\"%s\",\"url\":\"%s/i/%s\"", token,
                     c->env->settings->public_url, token);
    enum err e = call_post(c, &link_insert);
    e = e == OK ? call_query(c, &booked, &rows) : e;
    e = e == OK && call_get(c, "email")->text ? send_mail(c, rows, token) : e;
    e = e == OK ? call_answer(c, rows) : e;
    e = e == OK ? call_answer_once(c, (struct slice){ members, (size_t)n }) : e;
    sodium_memzero(&t, sizeof(t));
    sodium_memzero(token, sizeof(token));
    sodium_memzero(members, sizeof(members));
    return e;
}

static enum err book(struct call *c)
{
    TRY(public_enter(c));
    TRY(public_prove(c));
    TRY(check_contact(c));
    TRY(find_place(c));
    TRY(write_down(c));
    return answer_with_link(c);
}

const struct route public_book_routes[] = {
    {
        .method = M_POST,
        .path = "/api/v1/public/{slug}/holds",
        .summary = "Keep a time free for some minutes, without an account",
        .open = true,
        .by_link = true,
        .cost = COST_FAST,
        .params = hold_params,
        .vars = hold_vars,
        .columns = hold_columns,
        .stmts = hold_stmts,
        .handler = hold,
        .shape = SHAPE_ONE,
        .success = 201,
    },
    {
        .method = M_POST,
        .path = "/api/v1/public/{slug}/book",
        .summary = "Book what is held, or a free time, without an account",
        .open = true,
        .by_link = true,
        .cost = COST_FAST,
        .params = book_params,
        .vars = book_vars,
        .columns = booked_columns,
        .stmts = book_stmts,
        .handler = book,
        .shape = SHAPE_ONE,
        .success = 201,
    },
    { 0 },
};
