/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the jobs slot does with a waitlist when time was freed: a few entries at a time, in their order, each against the same rules as bookings by clients. The
 * first possible start within what was wished becomes an offer, which is an allocation that expires: nobody else gets that time meanwhile. Entries are
 * marked with the word by which they were looked at: a later one has all of them looked at again. */
#include <sodium.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/str.h"
#include "worker/api/link.h"
#include "worker/api/openings.h"
#include "worker/api/waitlist.h"
#include "worker/mail_seal.h"
#include "worker/slot_env.h"
#include "worker/stmt.h"

#define BATCH      "8"
#define GRID_GUEST 30 /* minutes, of a service that says none */
#define SECOND_US  INT64_C(1000000)
#define DAY_MIN    1440

static const struct param work_vars[] = {
    APPOINTMENT_PLACE_VARS,
    OPENINGS_VARS,
    { .name = "entry", .type = T_UUID },
    { .name = "secret_hash", .type = T_TEXT },
    { .name = "message", .type = T_UUID },
    { .name = "recipient", .type = T_TEXT },
    { .name = "language", .type = T_TEXT },
    { .name = "sealed", .type = T_TEXT },
    { .name = "raised", .type = T_INT }, /* which word of freed time it is: jobs.c sets it */
    { .name = "next", .type = T_TEXT },
    { 0 },
};

/* clang-format off */

/* What time alone does: offers that nobody answered, whose time is freed by that, who was offered enough, and days that are over. */
static const struct stmt work_settle = {
    "settle",
    "WITH late AS (UPDATE waitlist_offer SET state = 'missed' WHERE id IN (SELECT o.id"
    " FROM waitlist_offer o JOIN waitlist w ON w.id = o.waitlist_id WHERE o.state = 'open'"
    " AND o.until <= now() LIMIT 100 FOR UPDATE OF w SKIP LOCKED) RETURNING id, waitlist_id),"
    " gone AS (DELETE FROM allocation a USING late l WHERE a.id = l.id)"
    " UPDATE waitlist w SET state = 'waiting', offers = w.offers + 1, queued_at = now(),"
    " looked = NULL, version = w.version + 1, updated_at = now() FROM late l WHERE w.id = l.waitlist_id"
    " RETURNING ext.work_due('waitlist', now())",
};
static const struct stmt work_end = {
    "end",
    "UPDATE waitlist w SET state = CASE WHEN w.offers >= " WAIT_OFFERS_MAX " THEN 'passed'"
    " ELSE 'expired' END, version = w.version + 1, updated_at = now() WHERE w.id IN (SELECT x.id"
    " FROM waitlist x CROSS JOIN business b WHERE x.state = 'waiting' AND (x.offers >= " WAIT_OFFERS_MAX
    " OR x.last_day < (now() AT TIME ZONE b.time_zone)::date) LIMIT 100 FOR UPDATE OF x SKIP LOCKED)",
};

static const struct stmt work_pick = {
    "pick",
    "WITH picked AS (SELECT w.id FROM waitlist w WHERE w.state = 'waiting'"
    " AND w.looked IS DISTINCT FROM :raised"
    " ORDER BY w.queued_at, w.id LIMIT " BATCH " FOR UPDATE SKIP LOCKED),"
    " marked AS (UPDATE waitlist w SET looked = :raised FROM picked x WHERE w.id = x.id RETURNING w.id,"
    " w.client_id, w.service_id, w.staff_id, w.first_day, w.last_day, w.weekdays, w.from_min,"
    " w.to_min, w.queued_at)"
    " SELECT w.id, w.client_id, w.service_id, w.staff_id, greatest(w.first_day,"
    " (now() AT TIME ZONE b.time_zone)::date) AS first_day, w.last_day, (SELECT sum(1 << d)"
    " FROM unnest(w.weekdays) d) AS weekdays, w.from_min, w.to_min,"
    " CASE WHEN k.archived_at IS NULL THEN k.email END AS email,"
    " coalesce(k.locale, b.locale) AS locale, b.name AS practice, s.name AS service,"
    " k.archived_at IS NULL AND s.archived_at IS NULL AND s.seats = 1 AS wanted"
    " FROM marked w CROSS JOIN business b JOIN client k ON k.id = w.client_id AND :scope(client k)"
    " JOIN service s ON s.id = w.service_id ORDER BY w.queued_at, w.id",
};

/* All were looked at. null: only a word brings more. */
static const struct stmt work_over = {
    "over",
    "SELECT least((SELECT min(o.until) FROM waitlist_offer o WHERE o.state = 'open'),"
    " (SELECT (min(w.last_day) + 1)::timestamp AT TIME ZONE (SELECT time_zone FROM business)"
    " FROM waitlist w WHERE w.state = 'waiting')) AS next",
};

static const struct stmt work_offered = {
    "offered",
    "SELECT o.staff_id, extract(epoch FROM o.starts_at)::bigint AS start FROM waitlist_offer o"
    " WHERE o.waitlist_id = :entry",
};

/* Nothing was freed since the entries in front were looked at, by what is seen now. */
static const struct stmt work_word = {
    "word",
    "SELECT ext.work_raised('waitlist') = :raised AS same",
};

static const struct stmt work_offer = {
    "offer",
    "WITH held AS (INSERT INTO allocation(id, resource_id, busy, kind, expires_at)"
    " SELECT :new_id, t.id, tstzrange(v.starts_at - make_interval(mins => s.buffer_before_min),"
    " v.ends_at + make_interval(mins => s.buffer_after_min)), 'waitlist_offer',"
    " least(v.starts_at, now() + make_interval(mins => coalesce((SELECT (rules->>'offer_min')::int"
    " FROM booking_policy), 120))) FROM service s, staff t, LATERAL (SELECT :instant::timestamptz"
    " AS starts_at, :instant::timestamptz + make_interval(mins => :to_minutes::int) AS ends_at) v"
    " WHERE s.id = :to_service AND t.id = :to_staff RETURNING id, busy, expires_at),"
    " besides AS (INSERT INTO allocation(id, resource_id, busy, kind, expires_at, held_with)"
    " SELECT gen_random_uuid(), f.id, h.busy, 'waitlist_offer', h.expires_at, h.id FROM held h"
    " CROSS JOIN unnest(:assets::uuid[]) f(id)),"
    " told AS (UPDATE waitlist SET state = 'offered', version = version + 1, updated_at = now()"
    " WHERE id = :entry)"
    " INSERT INTO waitlist_offer(id, waitlist_id, staff_id, starts_at, ends_at, secret_hash, until)"
    " SELECT h.id, :entry, :to_staff, :instant::timestamptz, :instant::timestamptz"
    " + make_interval(mins => :to_minutes::int), :secret_hash::bytea, h.expires_at FROM held h",
};

static const struct stmt work_mail = {
    "mail",
    "WITH message AS (INSERT INTO outbox(id, topic, recipient, language, sealed, dedupe_key)"
    " VALUES (:message, 'waitlist_offer', :recipient, :language, :sealed::bytea, :message::text)"
    " RETURNING not_before) SELECT ext.work_due('outbox', not_before) FROM message",
};
/* clang-format on */

static const struct stmt *const work_stmts[] = {
    &work_word,        &work_settle,       &work_end,       &work_pick,  &work_over, &work_offered,
    &appointment_lock, &appointment_sweep, &openings_world, &work_offer, &work_mail, NULL,
};

/* ---- finding ---- */

/* What one entry wishes for. */
struct wish {
    int64_t weekdays, from_min, to_min; /* weekdays: a bit of 1 << isodow each */
    const PGresult *offered;            /* what was offered before */
};

static int64_t number(const PGresult *rows, int row, const char *column)
{
    int64_t v = 0;
    const char *text = call_cell(rows, row, column);
    return text && str_int(slice_of(text), INT64_MIN, INT64_MAX, &v) == OK ? v : 0;
}

static bool was_offered(const struct wish *w, const char *staff, int64_t start)
{
    for (int i = 0; i < PQntuples(w->offered); i++) {
        if (number(w->offered, i, "start") == start &&
            strcmp(call_cell(w->offered, i, "staff_id"), staff) == 0) {
            return true;
        }
    }
    return false;
}

/* The day's clocks say when it is. */
static bool is_wished(const struct wish *w, const struct openings_day *d, int64_t start)
{
    bool behind = d->day.change && start >= d->day.change;
    int64_t shown = behind ? d->day.shown + start - d->day.change : start - d->day.span.from;
    int64_t isodow = (d->midnight / (DAY_MIN * 60) + 3) % 7 + 1, minute = shown / 60;
    return (w->weekdays >> isodow & 1) && minute >= w->from_min && minute < w->to_min;
}

/* The first start of somebody's that is possible, wished and new. */
static bool find_start(struct openings *o, const struct wish *w, const struct openings_person **who,
                       int64_t *start)
{
    for (size_t i = 0; i < o->day_count; i++) {
        size_t n = openings_starts(o, &o->days[i]);
        for (size_t k = 0; k < n; k++) {
            for (size_t p = 0; p < o->person_count; p++) {
                *who = &o->people[p];
                *start = o->starts[k];
                if (is_wished(w, &o->days[i], *start) && openings_judge(o, *who, *start) == 0 &&
                    !was_offered(w, (*who)->id, *start)) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* ---- offering ---- */

static void ask(struct call *c, const PGresult *picked, int row)
{
    static const struct {
        const char *var, *column;
    } same[] = {
        { "entry", "id" },
        { "w_service", "service_id" },
        { "w_staff", "staff_id" },
        { "w_first", "first_day" },
        { "w_last", "last_day" },
        { "w_client", "client_id" },
        { "to_client", "client_id" },
        { "to_service", "service_id" },
    };
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        call_set(c, same[i].var, call_cell(picked, row, same[i].column));
    }
    call_set_int(c, "w_step", GRID_GUEST);
    call_set(c, "w_at", NULL);
}

/* Under the locks of a booking the start may be taken: then the entry waits on. *late: something was freed meanwhile, which may be for who is in front. */
static enum err is_free_still(struct call *c, const struct openings_person *who, int64_t start,
                              bool *yes, bool *late)
{
    char instant[CLOCK_RFC3339_MAX];
    struct openings o;
    PGresult *word;
    clock_format_utc(start * SECOND_US, instant);
    call_set(c, "to_staff", who->id);
    call_set(c, "instant", instant);
    call_set_int(c, "to_minutes", who->visit.length / 60);
    TRY(call_post(c, &appointment_lock));
    TRY(call_post(c, &appointment_sweep));
    TRY(call_query(c, &work_word, &word));
    *late = !call_true(word, 0, "same");
    call_set(c, "w_staff", who->id);
    call_set(c, "w_at", instant);
    call_set(c, "w_first", NULL);
    call_set(c, "w_last", NULL);
    TRY(openings_load(c, &o));
    *yes = o.person_count == 1 && openings_judge(&o, &o.people[0], start) == 0 &&
           openings_assign(c, &o, &o.people[0], start, OPENINGS_FREE) == 0 &&
           !call_get(c, "to_group")->text;
    return OK;
}

static enum err write_mail(struct call *c, const PGresult *picked, int row, const char *token,
                           const char *local)
{
    enum lang lang = mail_text_lang(call_cell(picked, row, "locale"));
    struct sbuf value, sealed;
    sbuf_init(&value);
    sbuf_init(&sealed);
    sbuf_fmt(&value, "%s, %.10s %.5s", call_cell(picked, row, "service"), local, local + 11);
    sbuf_char(&value, '\0');
    const struct mail_values values = { .public_url = c->env->settings->public_url,
                                        .code = token,
                                        .value = value.data,
                                        .practice = call_cell(picked, row, "practice") };
    enum err e = sbuf_failed(&value)
                     ? E_NOMEM
                     : mail_seal(c->env->secrets->mail_key, MAIL_OFFER, lang, &values, &sealed);
    sbuf_char(&sealed, '\0');
    if (e == OK && !sbuf_failed(&sealed)) {
        call_set(c, "message", call_get(c, "new_id")->text);
        call_set(c, "recipient", call_cell(picked, row, "email"));
        call_set(c, "language", lang == LANG_ES ? "es" : "en");
        call_set(c, "sealed", sealed.data);
        e = call_post(c, &work_mail);
    }
    sbuf_fini(&value);
    sbuf_fini(&sealed);
    return e;
}

static enum err make_offer(struct call *c, const PGresult *picked, int row, const char *local)
{
    struct link_token t = link_token_make(&c->req->tenant.id);
    char token[LINK_TOKEN_TEXT];
    link_token_format(&t, token);
    link_set_hash(c, "secret_hash", &t);
    enum err e = call_renew_id(c); /* every offer has one of its own */
    e = e == OK ? call_post(c, &work_offer) : e;
    if (e == OK && call_cell(picked, row, "email")) {
        e = write_mail(c, picked, row, token, local);
    }
    sodium_memzero(&t, sizeof(t));
    sodium_memzero(token, sizeof(token));
    return e;
}

/* "2027-03-02T10:00:00-06:00" */
static const char *local_text(struct call *c, const struct openings *o, int64_t start)
{
    struct sbuf text;
    sbuf_init(&text);
    for (size_t i = 0; i < o->day_count; i++) {
        if (start >= o->days[i].day.span.from && start < o->days[i].day.span.to) {
            openings_write(&text, &o->days[i], start);
        }
    }
    const char *kept = sbuf_failed(&text) || text.len < 18
                           ? NULL
                           : arena_text(c->arena, (struct slice){ text.data + 1, text.len - 2 });
    sbuf_fini(&text);
    return kept;
}

static enum err look_at(struct call *c, const PGresult *picked, int row, bool *late)
{
    struct wish w = { number(picked, row, "weekdays"), number(picked, row, "from_min"),
                      number(picked, row, "to_min"), NULL };
    struct openings o;
    const struct openings_person *who;
    PGresult *offered;
    int64_t start;
    bool yes = false;
    if (!call_true(picked, row, "wanted")) {
        return OK;
    }
    ask(c, picked, row);
    TRY(call_query(c, &work_offered, &offered));
    w.offered = offered;
    TRY(openings_load(c, &o));
    if (!find_start(&o, &w, &who, &start)) {
        return OK;
    }
    const char *local = local_text(c, &o, start);
    TRY(is_free_still(c, who, start, &yes, late));
    return yes && local && !*late ? make_offer(c, picked, row, local) : OK;
}

static enum err work(struct call *c)
{
    PGresult *picked, *over;
    TRY(call_post(c, &work_settle));
    TRY(call_post(c, &work_end));
    TRY(call_query(c, &work_pick, &picked));
    if (PQntuples(picked) == 0) {
        TRY(call_query(c, &work_over, &over));
        call_set(c, "next", call_cell(over, 0, "next"));
        return OK;
    }
    bool late = false; /* then all begins again, with the new word */
    for (int i = 0; i < PQntuples(picked) && !late; i++) {
        TRY(look_at(c, picked, i, &late));
    }
    call_set(c, "next", "1970-01-01"); /* there may be more */
    return OK;
}

const struct route waitlist_work_routes[] = {
    {
        .method = M_POST,
        .path = "/waitlist",
        .summary = "Offer what is free to who waits for it",
        .need = PERM_APPOINTMENT_BOOK,
        .cost = COST_FAST,
        .vars = work_vars,
        .stmts = work_stmts,
        .handler = work,
        .shape = SHAPE_NONE,
        .success = 204,
    },
    { 0 },
};
