/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What anybody may see of a practice that takes bookings from the public: who it is, what it offers, when that can begin. Starts are those the rules for clients give;
 * of days without any it is said in one word why, and nothing of anybody's visits. */
#include "worker/api/public.h"

#include "common/clock.h"
#include "worker/slot_env.h"
#include "worker/work_proof.h"

#define DAYS_MAX 31

#define SLUG_PARAM                                               \
    {                                                            \
        .name = "slug", .in = IN_PATH, .type = T_TEXT, .max = 40 \
    }

static const struct param practice_params[] = { SLUG_PARAM, { 0 } };

static const struct param slots_params[] = {
    SLUG_PARAM,
    { .name = "service_id", .in = IN_QUERY, .type = T_UUID, .required = true },
    { .name = "staff_id", .in = IN_QUERY, .type = T_UUID, .doc = "Only theirs" },
    { .name = "from", .in = IN_QUERY, .type = T_DATE, .doc = "First day; today when absent" },
    { .name = "to",
      .in = IN_QUERY,
      .type = T_DATE,
      .doc = "Last day, at most 30 later; six later when absent" },
    { 0 },
};

static const struct param slots_vars[] = { OPENINGS_VARS, { 0 } };

static const struct column practice_columns[] = {
    { "name", T_TEXT, NULL },        { "sector", T_TEXT, NULL },     { "country", T_TEXT, NULL },
    { "time_zone", T_TEXT, "IANA" }, { "locale", T_TEXT, "BCP 47" }, { "phone", T_TEXT, NULL },
    { "address", T_TEXT, NULL },     { "color", T_TEXT, "#rrggbb" }, { 0 },
};

static const struct column service_columns[] = {
    { "id", T_UUID, NULL },
    { "name", T_TEXT, NULL },
    { "description", T_TEXT, NULL },
    { "category", T_TEXT, NULL },
    { "duration_min", T_INT, NULL },
    { "price_minor", T_INT, "In the currency's minor unit" },
    { "currency", T_TEXT, "ISO 4217" },
    { "modality", T_TEXT, "in_person, video, phone or at_client" },
    { "seats", T_INT, "Clients who share one visit" },
    { "intake", T_JSON, "Questions to be answered: key, label, type, required, choices, max" },
    { 0 },
};

static const struct column slots_columns[] = {
    { "time_zone", T_TEXT, "IANA zone of days and starts" },
    { "staff", T_JSON, "Who offers it: id, name" },
    { "days", T_JSON,
      "Of each its date and starts: at (RFC 3339) and staff, who can then; of one without starts "
      "why: closed, full, too_soon, too_far" },
    { 0 },
};

static const struct column challenge_columns[] = {
    { "challenge", T_TEXT, NULL },
    { "bits", T_INT,
      "The proof is the challenge, a dot and a text of [A-Za-z0-9_-] so that SHA-256 of the whole "
      "begins with so many zero bits" },
    { "expires_in", T_INT, "Seconds" },
    { 0 },
};

/* clang-format off */
static const char practice_sql[] =
    "SELECT b.name, b.sector, b.country, b.time_zone, b.locale, b.phone, b.address, g.color"
    " FROM business b CROSS JOIN branding g WHERE " PUBLIC_OPEN " AND :slug IS NOT NULL";

static const struct stmt open_check = { "open", "SELECT 1 WHERE " PUBLIC_OPEN };

static const struct stmt service_list = {
    "list",
    "SELECT s.id, s.name, s.description, s.category, s.duration_min, s.price_minor, s.currency,"
    " s.modality, s.seats, s.intake FROM service s WHERE s.archived_at IS NULL"
    " AND s.visibility = 'public' ORDER BY ext.fold(coalesce(s.category, '')), ext.fold(s.name), s.id"
    " LIMIT 200",
};

static const struct stmt slots_check = {
    "check",
    "SELECT 1 FROM service s WHERE s.id = :service_id AND " PUBLIC_SERVICE("s"),
};
/* clang-format on */

static const struct stmt *const service_stmts[] = { &open_check, &service_list, NULL };
static const struct stmt *const slots_stmts[] = { &slots_check, &openings_world, NULL };
static const struct stmt *const challenge_stmts[] = { &open_check, NULL };

static enum err must_be_there(struct call *c, const struct stmt *s)
{
    PGresult *rows;
    TRY(call_query(c, s, &rows));
    return PQntuples(rows) ? OK : call_refuse(c, E_NOT_FOUND, NULL, NULL);
}

static enum err list_services(struct call *c)
{
    PGresult *rows;
    TRY(must_be_there(c, &open_check));
    TRY(call_query(c, &service_list, &rows));
    return call_answer(c, rows);
}

/* ---- slots ---- */

enum err public_ask_days(struct call *c)
{
    const struct value *from = call_get(c, "from"), *to = call_get(c, "to");
    if (to->present && !from->present) {
        return call_refuse_field(c, "from", "required", "Indique from y to", "Say from and to");
    }
    int64_t n = from->present
                    ? openings_days_between(from->text, to->present ? to->text : from->text)
                    : 1;
    if (n < 1 || n > DAYS_MAX) {
        return call_refuse_field(c, n < 1 && !to->present ? "from" : "to", "out_of_range",
                                 "Debe estar en los 31 días desde from",
                                 "It must be within the 31 days from from on");
    }
    call_set(c, "w_first", from->text);
    call_set(c, "w_last", to->text);
    return OK;
}

bool public_can(const struct openings *o, int64_t start)
{
    for (size_t i = 0; i < o->person_count; i++) {
        if (openings_judge(o, &o->people[i], start) == 0) {
            return true;
        }
    }
    return false;
}

/* What stands in the way of the start that is nearest to being one. */
static const char *why_none(struct openings *o, const struct openings_day *d)
{
    const unsigned hours = AVAIL_CLOSED | AVAIL_EXCEPTION | AVAIL_BREAK;
    const char *why = "closed";
    size_t n = openings_starts(o, d);
    for (size_t i = 0; i < n; i++) {
        for (size_t p = 0; p < o->person_count; p++) {
            unsigned bits = openings_judge(o, &o->people[p], o->starts[i]);
            if (!(bits & (hours | AVAIL_NOTICE | AVAIL_HORIZON))) {
                return "full";
            }
            why = bits & hours ? why : bits & AVAIL_NOTICE ? "too_soon" : "too_far";
        }
    }
    return why;
}

static void write_start(struct sbuf *out, const struct openings *o, const struct openings_day *d,
                        int64_t start)
{
    bool first = true;
    sbuf_text(out, "{\"at\":");
    openings_write(out, d, start);
    sbuf_text(out, ",\"staff\":[");
    for (size_t i = 0; i < o->person_count; i++) {
        if (openings_judge(o, &o->people[i], start) == 0) {
            sbuf_fmt(out, "%s\"%s\"", first ? "" : ",", o->people[i].id);
            first = false;
        }
    }
    sbuf_text(out, "]}");
}

static void write_day(struct sbuf *out, struct openings *o, const struct openings_day *d)
{
    size_t n = openings_starts(o, d), shown = 0;
    sbuf_fmt(out, "{\"date\":\"%s\",\"starts\":[", d->date);
    for (size_t i = 0; i < n; i++) {
        if (public_can(o, o->starts[i])) {
            sbuf_text(out, shown++ ? "," : "");
            write_start(out, o, d, o->starts[i]);
        }
    }
    sbuf_char(out, ']');
    if (shown == 0) {
        sbuf_fmt(out, ",\"why\":\"%s\"", why_none(o, d));
    }
    sbuf_char(out, '}');
}

static void write_slots(struct sbuf *out, struct openings *o)
{
    sbuf_text(out, "{\"time_zone\":");
    sbuf_json(out, slice_of(o->zone));
    sbuf_text(out, ",\"staff\":[");
    for (size_t i = 0; i < o->person_count; i++) {
        sbuf_fmt(out, "%s{\"id\":\"%s\",\"name\":", i ? "," : "", o->people[i].id);
        sbuf_json(out, slice_of(o->people[i].name));
        sbuf_char(out, '}');
    }
    sbuf_text(out, "],\"days\":[");
    for (size_t i = 0; i < o->day_count; i++) {
        sbuf_text(out, i ? "," : "");
        write_day(out, o, &o->days[i]);
    }
    sbuf_text(out, "]}");
}

static enum err read_slots(struct call *c)
{
    struct openings o;
    struct sbuf body;
    TRY(must_be_there(c, &slots_check));
    TRY(public_ask_days(c));
    c->reach = REACH_ALL;
    call_set(c, "w_service", call_get(c, "service_id")->text);
    call_set(c, "w_staff", call_get(c, "staff_id")->text);
    call_set_int(c, "w_step", PUBLIC_GRID);
    TRY(openings_load(c, &o));
    if (!o.zone) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    sbuf_init(&body);
    write_slots(&body, &o);
    enum err e = sbuf_failed(&body) ? E_NOMEM : call_answer_raw(c, CONTENT_JSON, sbuf_slice(&body));
    sbuf_fini(&body);
    return e;
}

/* ---- work ---- */

static enum err make_challenge(struct call *c)
{
    char challenge[WORK_PROOF_TEXT], text[200];
    int bits = (int)c->env->settings->proof_bits;
    TRY(must_be_there(c, &open_check));
    work_proof_make(c->env->secrets->proof_key, &c->req->tenant.id, bits, clock_wall_us() / 1000000,
                    challenge);
    int n = snprintf(text, sizeof(text), "{\"challenge\":\"%s\",\"bits\":%d,\"expires_in\":%d}",
                     challenge, bits, WORK_PROOF_LIFE_S);
    c->reply.no_store = true;
    return call_answer_raw(c, CONTENT_JSON, (struct slice){ text, (size_t)n });
}

#define LOOK(where, text, its_params, its_columns, its_shape)                              \
    .method = M_GET, .path = "/api/v1/public/{slug}" where, .summary = text, .open = true, \
    .by_link = true, .cost = COST_FAST, .params = its_params, .columns = its_columns,      \
    .shape = its_shape, .success = 200

const struct route public_routes[] = {
    {
        LOOK("", "Who a practice is that anybody may book with", practice_params, practice_columns,
             SHAPE_ONE),
        .sql = practice_sql,
    },
    {
        LOOK("/services", "What it offers to anybody", practice_params, service_columns,
             SHAPE_PAGE),
        .stmts = service_stmts,
        .handler = list_services,
    },
    {
        LOOK("/slots", "When a service can begin", slots_params, slots_columns, SHAPE_RAW),
        .vars = slots_vars,
        .stmts = slots_stmts,
        .handler = read_slots,
    },
    {
        LOOK("/challenge", "A small piece of work that booking asks for", practice_params,
             challenge_columns, SHAPE_RAW),
        .stmts = challenge_stmts,
        .handler = make_challenge,
    },
    { 0 },
};
