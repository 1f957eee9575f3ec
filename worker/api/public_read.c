/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a practice shows to strangers: itself, what it offers, when, and the work that it asks for. */
#include "worker/api/public.h"

#include <stdio.h>

#include "common/clock.h"
#include "worker/slot_env.h"
#include "worker/work_proof.h"

#define DAYS_MAX 14

static const struct column profile_columns[] = {
    { "name", T_TEXT, NULL },
    { "sector", T_TEXT, NULL },
    { "country", T_TEXT, "ISO 3166" },
    { "time_zone", T_TEXT, "IANA zone of all times" },
    { "locale", T_TEXT, "BCP 47" },
    { "currency", T_TEXT, "ISO 4217" },
    { "phone", T_TEXT, "E.164" },
    { "address", T_TEXT, NULL },
    { "color", T_COLOR, "#rrggbb" },
    { "approval", T_BOOL, "What is booked is requested until the practice confirms it" },
    { 0 },
};

static const struct column service_columns[] = {
    { "id", T_UUID, NULL },
    { "name", T_TEXT, NULL },
    { "description", T_TEXT, NULL },
    { "category", T_TEXT, NULL },
    { "color", T_TEXT, "#rrggbb" },
    { "duration_min", T_INT, "As long as it usually takes" },
    { "price_minor", T_INT, "In the currency's minor unit" },
    { "currency", T_TEXT, "ISO 4217" },
    { "modality", T_TEXT, "in_person, video, phone or at_client" },
    { "group", T_BOOL, "Several people share a time: it is booked at once, not held" },
    { "questions", T_JSON, "What booking asks for: key, label (es, en), type, required, ..." },
    { 0 },
};

static const struct column slots_columns[] = {
    { "time_zone", T_TEXT, "IANA zone of the starts" },
    { "people", T_JSON, "Who offers it: id, name" },
    { "days", T_JSON, "One for each day: its date, and starts, the free times (RFC 3339)" },
    { 0 },
};

static const struct column next_columns[] = {
    { "time_zone", T_TEXT, "IANA zone of the start" },
    { "next", T_ZONED, "The next free time (RFC 3339); null: none within the horizon" },
    { 0 },
};

static const struct column challenge_columns[] = {
    { "challenge", T_TEXT, "null: no work is asked for" },
    { "bits", T_INT, "So many bits of zero SHA-256 begins with" },
    { "expires_in", T_INT, "Seconds" },
    { 0 },
};

static const struct param practice_params[] = { PUBLIC_SLUG_PARAM, { 0 } };

static const struct param service_params[] = {
    PUBLIC_SLUG_PARAM,
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct param slots_params[] = {
    PUBLIC_SLUG_PARAM,
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "from", .in = IN_QUERY, .type = T_DATE, .doc = "First day; today when absent" },
    { .name = "to",
      .in = IN_QUERY,
      .type = T_DATE,
      .doc = "Last day, at most 13 days later; six when absent" },
    { .name = "staff_id", .in = IN_QUERY, .type = T_UUID, .doc = "With that person" },
    { 0 },
};

static const struct param next_params[] = {
    PUBLIC_SLUG_PARAM,
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "staff_id", .in = IN_QUERY, .type = T_UUID, .doc = "With that person" },
    { 0 },
};

static const struct param slots_vars[] = { OPENINGS_VARS, { 0 } };

static const struct stmt profile_read = {
    "profile",
    "SELECT b.name, b.sector, b.country, b.time_zone, b.locale, b.currency, b.phone, b.address,"
    " g.color, (p.rules->'public_approval')::boolean AS approval"
    " FROM business b CROSS JOIN branding g CROSS JOIN booking_policy p",
};

#define SERVICE_OUT                                                                                \
    "s.id, s.name, s.description, s.category, s.color, s.duration_min, s.price_minor, s.currency," \
    " s.modality, s.seats > 1 AS for_group, s.intake AS questions"

static const struct stmt service_list = {
    "list",
    "SELECT " SERVICE_OUT " FROM service s WHERE s.archived_at IS NULL"
    " AND s.visibility = 'public' ORDER BY ext.fold(s.name), s.id LIMIT 200",
};

static const struct stmt service_read = {
    "read",
    "SELECT " SERVICE_OUT " FROM service s WHERE s.id = :id AND s.archived_at IS NULL"
    " AND s.visibility IN ('public', 'link')",
};

static const struct stmt *const profile_stmts[] = { &public_door, &profile_read, NULL };
static const struct stmt *const service_list_stmts[] = { &public_door, &service_list, NULL };
static const struct stmt *const service_stmts[] = { &public_door, &service_read, NULL };
static const struct stmt *const slots_stmts[] = { &public_door, &public_service, &openings_world,
                                                  NULL };
static const struct stmt *const challenge_stmts[] = { &public_door, NULL };

static enum err show(struct call *c, const struct stmt *s)
{
    PGresult *rows;
    TRY(public_enter(c));
    TRY(call_query(c, s, &rows));
    return PQntuples(rows) || c->route->shape == SHAPE_PAGE
               ? call_answer(c, rows)
               : call_refuse(c, E_NOT_FOUND, NULL, NULL);
}

static enum err read_profile(struct call *c)
{
    return show(c, &profile_read);
}

static enum err list_services(struct call *c)
{
    return show(c, &service_list);
}

static enum err read_service(struct call *c)
{
    return show(c, &service_read);
}

/* ---- times ---- */

static enum err ask_days(struct call *c)
{
    const struct value *from = call_get(c, "from"), *to = call_get(c, "to");
    if (to->present && !from->present) {
        return call_refuse_field(c, "from", "required", "Indique from y to", "Say from and to");
    }
    int64_t n = to->present ? openings_days_between(from->text, to->text) : 1;
    call_set(c, "w_first", from->text);
    call_set(c, "w_last", to->text);
    return n >= 1 && n <= DAYS_MAX
               ? OK
               : call_refuse_field(c, "to", "out_of_range", "Debe estar en los 14 días desde from",
                                   "It must be within the 14 days from from on");
}

static void write_people(struct sbuf *out, const struct openings *o)
{
    for (size_t i = 0; i < o->person_count; i++) {
        sbuf_fmt(out, "%s{\"id\":\"%s\",\"name\":", i ? "," : "", o->people[i].id);
        sbuf_json(out, slice_of(o->people[i].name));
        sbuf_char(out, '}');
    }
}

static void write_days(struct sbuf *out, struct openings *o)
{
    for (size_t i = 0; i < o->day_count; i++) {
        size_t n = openings_starts(o, &o->days[i]), shown = 0;
        sbuf_fmt(out, "%s{\"date\":\"%s\",\"starts\":[", i ? "," : "", o->days[i].date);
        for (size_t k = 0; k < n; k++) {
            if (openings_anybody_can(o, o->starts[k])) {
                sbuf_text(out, shown++ ? "," : "");
                openings_write(out, &o->days[i], o->starts[k]);
            }
        }
        sbuf_text(out, "]}");
    }
}

static enum err answer(struct call *c, struct sbuf *body)
{
    enum err e = sbuf_failed(body) ? E_NOMEM : call_answer_raw(c, CONTENT_JSON, sbuf_slice(body));
    sbuf_fini(body);
    return e;
}

/* What strangers may know of the service, if anything. */
static enum err find_service(struct call *c)
{
    PGresult *rows;
    TRY(public_enter(c));
    call_set(c, "w_service", call_get(c, "id")->text);
    TRY(call_query(c, &public_service, &rows));
    return PQntuples(rows) ? OK : call_refuse(c, E_NOT_FOUND, NULL, NULL);
}

static enum err load(struct call *c, struct openings *o)
{
    call_set(c, "w_staff", call_get(c, "staff_id")->text);
    call_set_int(c, "w_step", PUBLIC_GRID);
    TRY(openings_load(c, o));
    return o->zone ? OK : call_refuse(c, E_NOT_FOUND, NULL, NULL); /* it has gone meanwhile */
}

static void write_zone(struct sbuf *out, const struct openings *o)
{
    sbuf_text(out, "{\"time_zone\":");
    sbuf_json(out, slice_of(o->zone));
}

static enum err read_slots(struct call *c)
{
    struct openings o;
    struct sbuf body;
    TRY(find_service(c));
    TRY(ask_days(c));
    TRY(load(c, &o));
    sbuf_init(&body);
    write_zone(&body, &o);
    sbuf_text(&body, ",\"people\":[");
    write_people(&body, &o);
    sbuf_text(&body, "],\"days\":[");
    write_days(&body, &o);
    sbuf_text(&body, "]}");
    return answer(c, &body);
}

static enum err read_next(struct call *c)
{
    struct openings o;
    struct sbuf body;
    const struct openings_day *day;
    int64_t start;
    TRY(find_service(c));
    TRY(load(c, &o));
    const char *zone = o.zone;
    TRY(openings_find_next(c, &o, &day, &start));
    o.zone = zone; /* the service may be gone from the days that were loaded last */
    sbuf_init(&body);
    write_zone(&body, &o);
    sbuf_text(&body, ",\"next\":");
    if (day) {
        openings_write(&body, day, start);
    } else {
        sbuf_text(&body, "null");
    }
    sbuf_char(&body, '}');
    return answer(c, &body);
}

/* ---- work ---- */

static enum err make_challenge(struct call *c)
{
    char challenge[WORK_PROOF_TEXT];
    int bits = (int)c->env->settings->proof_bits;
    struct sbuf body;
    TRY(public_enter(c));
    TRY(work_proof_make(c->env->secrets->proof_key, &c->req->tenant.id, bits, clock_wall_s(),
                        challenge));
    c->reply.no_store = true;
    sbuf_init(&body);
    sbuf_text(&body, "{\"challenge\":");
    sbuf_fmt(&body, bits ? "\"%s\"" : "null", challenge);
    sbuf_fmt(&body, ",\"bits\":%d,\"expires_in\":%d}", bits, WORK_PROOF_LIFE_S);
    return answer(c, &body);
}

#define SHOWS(tail, text, row_params, row_columns, row_stmts, row_handler, row_shape)     \
    .method = M_GET, .path = "/api/v1/public/{slug}" tail, .summary = text, .open = true, \
    .by_link = true, .cost = COST_FAST, .params = row_params, .columns = row_columns,     \
    .stmts = row_stmts, .handler = row_handler, .shape = row_shape, .success = 200

const struct route public_read_routes[] = {
    { SHOWS("", "What a practice says of itself to people without an account", practice_params,
            profile_columns, profile_stmts, read_profile, SHAPE_ONE) },
    { SHOWS("/services", "List what people without an account may book, at most 200",
            practice_params, service_columns, service_list_stmts, list_services, SHAPE_PAGE) },
    { SHOWS("/services/{id}", "Read a service that is public, or was linked to", service_params,
            service_columns, service_stmts, read_service, SHAPE_ONE) },
    { SHOWS("/services/{id}/slots", "When a service is free: half hours, or its own grid",
            slots_params, slots_columns, slots_stmts, read_slots, SHAPE_RAW),
      .vars = slots_vars },
    { SHOWS("/services/{id}/next", "The next time that a service is free", next_params,
            next_columns, slots_stmts, read_next, SHAPE_RAW),
      .vars = slots_vars },
    { SHOWS("/challenge", "The work that a hold or a booking asks for", practice_params,
            challenge_columns, challenge_stmts, make_challenge, SHAPE_RAW) },
    { 0 },
};
