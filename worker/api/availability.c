/* SPDX-License-Identifier: LicenseRef-Gremio */
/* When a service can begin: the starts of some days, how many a day has, the next one; and why others are none. The rules are those for clients; staff
 * book whenever they like. Nothing is made beforehand, and reasons name no visit and no client. */
#include "worker/api/openings.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/str.h"

#define SLOTS_MAX  2000 /* starts and reasons, after which an answer ends with its day */
#define GRID_STAFF 15   /* minutes, of a service that says none */

/* ---- rows ---- */

static const struct column slots_columns[] = {
    { "time_zone", T_TEXT, "IANA zone of days and starts" },
    { "staff", T_JSON, "Who offers it: id, name, duration_min; at most 50, by name" },
    { "days", T_JSON,
      "Of each its date and starts: at (RFC 3339), with tz also local, the same there, and staff, "
      "who can then, by rank; of a group's service also seats, how many each of them has left. "
      "Explained also closed: staff_id, first and last start, why (closed, "
      "exception, break, busy, buffer, notice, horizon, limit, no_room, no_chair, no_device), "
      "alone: without that it would be open" },
    { "next_day", T_DATE, "Where to go on when there was too much for one answer; null: all" },
    { "next", T_JSON, "Explained: the first start from the first day on; null: none" },
    { 0 },
};

static const struct column days_columns[] = {
    { "time_zone", T_TEXT, "IANA zone of the days" },
    { "days", T_JSON, "Of each its date and how many starts it has" },
    { 0 },
};

static const struct column next_columns[] = {
    { "time_zone", T_TEXT, "IANA zone of the start" },
    { "next", T_JSON, "date, at (RFC 3339) and staff; null: none within the horizon" },
    { 0 },
};

#define WHO_PARAMS                                                               \
    { .name = "service_id", .in = IN_QUERY, .type = T_UUID, .required = true },  \
        { .name = "staff_id",                                                    \
          .in = IN_QUERY,                                                        \
          .type = T_UUID,                                                        \
          .doc = "Only theirs; absent: of everybody who offers it" },            \
        { .name = "duration_min",                                                \
          .in = IN_QUERY,                                                        \
          .type = T_INT,                                                         \
          .min = 1,                                                              \
          .max = 1440,                                                           \
          .doc = "As long as it takes them when absent" },                       \
    {                                                                            \
        .name = "ignore", .in = IN_QUERY, .type = T_UUID,                        \
        .doc = "An appointment whose time is as free, because it is to be moved" \
    }
#define DAY_PARAMS                                                                             \
    { .name = "from", .in = IN_QUERY, .type = T_DATE, .doc = "First day; today when absent" }, \
    {                                                                                          \
        .name = "to", .in = IN_QUERY, .type = T_DATE,                                          \
        .doc = "Last day, at most 61 later; six later when absent"                             \
    }

static const struct param slots_params[] = {
    WHO_PARAMS,
    DAY_PARAMS,
    { .name = "explain", .in = IN_QUERY, .type = T_BOOL, .fallback = "false" },
    { .name = "tz",
      .in = IN_QUERY,
      .type = T_ZONE,
      .doc = "The zone of who looks: each start is told in its time too" },
    { .name = "rank",
      .in = IN_QUERY,
      .type = T_CHOICE,
      .choices = "fair gaps",
      .fallback = "fair",
      .doc = "Of those who can: fair, who has the fewest visits that day first; gaps, whose day is "
             "left with the smallest gap" },
    { 0 },
};
static const struct param days_params[] = { WHO_PARAMS, DAY_PARAMS, { 0 } };
static const struct param next_params[] = { WHO_PARAMS, { 0 } };

static const struct param availability_vars[] = { OPENINGS_VARS, { 0 } };
static const struct param slots_vars[] = {
    OPENINGS_VARS,
    { .name = "first_day", .type = T_DATE },
    { .name = "last_day", .type = T_DATE },
    { 0 },
};

/* What the request names must be there, and within reach. */
static const struct stmt availability_check = {
    "check",
    "SELECT EXISTS (SELECT FROM service WHERE id = :service_id AND archived_at IS NULL) AS"
    " service_ok, :staff_id::uuid IS NULL OR EXISTS (SELECT FROM staff t WHERE t.id = :staff_id"
    " AND t.archived_at IS NULL AND t.bookable AND :scope(staff t)) AS staff_ok,"
    " :ignore::uuid IS NULL OR EXISTS (SELECT FROM appointment a WHERE a.id = :ignore"
    " AND :scope(appointment a)) AS ignore_ok",
};

/* Clocks of another zone while the days last. */
static const struct stmt availability_clocks = {
    "clocks",
    "SELECT d.from_s, d.to_s, coalesce(d.change_s, 0) AS change_s, d.shown_s,"
    " d.day - date '1970-01-01' AS day FROM ext.local_days(:first_day - 2, :last_day + 2, :tz) d"
    " WHERE ext.zone_known(:tz) ORDER BY d.day",
};

static const struct stmt *const availability_stmts[] = { &availability_check, &openings_world,
                                                         NULL };
static const struct stmt *const slots_stmts[] = { &availability_check, &openings_world,
                                                  &availability_clocks, NULL };

/* ---- asking ---- */

static enum err check_named(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &availability_check, &rows));
    if (call_cell(rows, 0, "service_ok")[0] != 't') {
        return call_refuse_field(c, "service_id", "not_found",
                                 "No existe ese servicio o está archivado",
                                 "There is no such service, or it is archived");
    }
    if (call_cell(rows, 0, "staff_ok")[0] != 't') {
        return call_refuse_field(c, "staff_id", "not_found",
                                 "Esa persona no existe, no da citas o está archivada",
                                 "There is nobody of that id who takes appointments");
    }
    if (call_cell(rows, 0, "ignore_ok")[0] != 't') {
        return call_refuse_field(c, "ignore", "not_found", "No existe esa cita",
                                 "There is no such appointment");
    }
    return OK;
}

static enum err ask(struct call *c)
{
    const struct value *minutes = call_get(c, "duration_min");
    TRY(check_named(c));
    call_set(c, "w_service", call_get(c, "service_id")->text);
    call_set(c, "w_staff", call_get(c, "staff_id")->text);
    call_set(c, "w_ignore", call_get(c, "ignore")->text);
    call_set_int(c, "w_step", GRID_STAFF);
    if (minutes->present) {
        call_set_int(c, "w_seconds", minutes->number * 60);
    }
    return OK;
}

/* Sets the first and the last day. */
static enum err ask_days(struct call *c)
{
    const struct value *from = call_get(c, "from"), *to = call_get(c, "to");
    if (to->present && !from->present) {
        return call_refuse_field(c, "from", "required", "Indique from y to", "Say from and to");
    }
    int64_t n = from->present
                    ? openings_days_between(from->text, to->present ? to->text : from->text)
                    : 1;
    if (n < 1 || n > OPENINGS_DAYS_MAX) {
        return call_refuse_field(c, n < 1 && !to->present ? "from" : "to", "out_of_range",
                                 "Debe estar en los 62 días desde from",
                                 "It must be within the 62 days from from on");
    }
    call_set(c, "w_first", from->text);
    call_set(c, "w_last", to->text);
    return OK;
}

/* ---- ranking ---- */

/* What somebody is ranked by, the least first, and who it is. */
struct rank {
    int64_t by;
    size_t who;
};

static int by_rank(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    return x->by != y->by ? (x->by > y->by) - (x->by < y->by)
                          : (x->who > y->who) - (x->who < y->who);
}

static void sort_ranks(struct rank *ranks, size_t n)
{
    if (n > 1) {
        qsort(ranks, n, sizeof(*ranks), by_rank);
    }
}

static int64_t visits_on(const struct openings_person *p, const struct openings_day *d)
{
    int64_t n = 0;
    for (size_t i = 0; i < p->visit_count; i++) {
        n += p->visits[i] >= d->day.span.from && p->visits[i] < d->day.span.to;
    }
    return n;
}

/* The same for all starts of a day. */
static void rank_by_visits(const struct openings *o, const struct openings_day *d, struct rank *out)
{
    for (size_t i = 0; i < o->person_count; i++) {
        out[i] = (struct rank){ visits_on(&o->people[i], d), i };
    }
    sort_ranks(out, o->person_count);
}

static void rank_by_gaps(const struct openings *o, int64_t start, struct rank *out)
{
    for (size_t i = 0; i < o->person_count; i++) {
        const struct openings_person *p = &o->people[i];
        out[i] = (struct rank){ avail_gap(&p->time, &p->visit, start), i };
    }
    sort_ranks(out, o->person_count);
}

/* ---- writing ---- */

struct writer {
    struct openings *o;
    struct sbuf *out;
    struct rank ranks[OPENINGS_PEOPLE_MAX]; /* of each person on the day, or at the start */
    bool by_gaps;
    const struct openings_day *clocks; /* of the caller's zone */
    size_t clock_count;
    size_t written; /* starts and reasons */
};

static void write_local(struct writer *w, int64_t start)
{
    for (size_t i = 0; i < w->clock_count; i++) {
        if (start >= w->clocks[i].day.span.from && start < w->clocks[i].day.span.to) {
            sbuf_text(w->out, ",\"local\":");
            openings_write(w->out, &w->clocks[i], start);
            return;
        }
    }
}

/* How many seats each of them has left. */
static void write_seats(struct writer *w, int64_t start)
{
    bool first = true;
    sbuf_text(w->out, ",\"seats\":[");
    for (size_t i = 0; i < w->o->person_count; i++) {
        const struct openings_person *p = &w->o->people[w->ranks[i].who];
        if (openings_judge(w->o, p, start) == 0) {
            const struct openings_group *g = openings_group_at(p, start);
            sbuf_fmt(w->out, "%s%d", first ? "" : ",", g ? g->left : w->o->seats);
            first = false;
        }
    }
    sbuf_char(w->out, ']');
}

/* "at":...,"staff":[...]} */
static void write_start(struct writer *w, const struct openings_day *d, int64_t start)
{
    bool first = true;
    sbuf_text(w->out, "\"at\":");
    openings_write(w->out, d, start);
    write_local(w, start);
    if (w->by_gaps) {
        rank_by_gaps(w->o, start, w->ranks);
    }
    sbuf_text(w->out, ",\"staff\":[");
    for (size_t i = 0; i < w->o->person_count; i++) {
        const struct openings_person *p = &w->o->people[w->ranks[i].who];
        if (openings_judge(w->o, p, start) == 0) {
            sbuf_fmt(w->out, "%s\"%s\"", first ? "" : ",", p->id);
            first = false;
        }
    }
    sbuf_char(w->out, ']');
    if (w->o->seats > 1) {
        write_seats(w, start);
    }
    sbuf_char(w->out, '}');
}

static void write_starts(struct writer *w, const struct openings_day *d)
{
    size_t n = openings_starts(w->o, d), shown = 0;
    sbuf_text(w->out, "\"starts\":[");
    for (size_t i = 0; i < n; i++) {
        if (openings_anybody_can(w->o, w->o->starts[i])) {
            sbuf_text(w->out, shown++ ? ",{" : "{");
            write_start(w, d, w->o->starts[i]);
        }
    }
    sbuf_char(w->out, ']');
    w->written += shown;
}

static void write_reasons(struct sbuf *out, unsigned why)
{
    sbuf_text(out, ",\"why\":");
    avail_write_why(out, why);
    sbuf_fmt(out, ",\"alone\":%s}", (why & (why - 1)) == 0 ? "true" : "false");
}

/* Starts behind one another that have the same reasons are one interval. */
static void write_closed(struct writer *w, const struct openings_day *d,
                         const struct openings_person *p, bool *first)
{
    size_t n = openings_starts(w->o, d);
    for (size_t i = 0, last; i < n; i = last + 1) {
        unsigned why = openings_judge(w->o, p, w->o->starts[i]);
        for (last = i; last + 1 < n && openings_judge(w->o, p, w->o->starts[last + 1]) == why;) {
            last++;
        }
        if (why == 0) {
            continue;
        }
        sbuf_fmt(w->out, "%s{\"staff_id\":\"%s\",\"first\":", *first ? "" : ",", p->id);
        openings_write(w->out, d, w->o->starts[i]);
        sbuf_text(w->out, ",\"last\":");
        openings_write(w->out, d, w->o->starts[last]);
        write_reasons(w->out, why);
        *first = false;
        w->written++;
    }
}

static void write_day(struct writer *w, const struct openings_day *d, bool explain)
{
    rank_by_visits(w->o, d, w->ranks);
    sbuf_fmt(w->out, "{\"date\":\"%s\",", d->date);
    write_starts(w, d);
    if (explain) {
        bool first = true;
        sbuf_text(w->out, ",\"closed\":[");
        for (size_t i = 0; i < w->o->person_count; i++) {
            write_closed(w, d, &w->o->people[i], &first);
        }
        sbuf_char(w->out, ']');
    }
    sbuf_char(w->out, '}');
}

static void write_zone(struct writer *w)
{
    sbuf_text(w->out, "{\"time_zone\":");
    sbuf_json(w->out, slice_of(w->o->zone));
}

static void write_people(struct writer *w)
{
    sbuf_text(w->out, ",\"staff\":[");
    for (size_t i = 0; i < w->o->person_count; i++) {
        const struct openings_person *p = &w->o->people[i];
        sbuf_fmt(w->out, "%s{\"id\":\"%s\",\"name\":", i ? "," : "", p->id);
        sbuf_json(w->out, slice_of(p->name));
        sbuf_fmt(w->out, ",\"duration_min\":%lld}", (long long)(p->visit.length / 60));
    }
    sbuf_char(w->out, ']');
}

/* ,"next":{...} */
static enum err write_next(struct call *c, struct writer *w)
{
    const struct openings_day *day;
    int64_t start;
    TRY(openings_find_next(c, w->o, &day, &start));
    sbuf_text(w->out, ",\"next\":");
    if (!day) {
        sbuf_text(w->out, "null");
        return OK;
    }
    rank_by_visits(w->o, day, w->ranks);
    sbuf_fmt(w->out, "{\"date\":\"%s\",", day->date);
    write_start(w, day, start);
    return OK;
}

/* ---- handlers ---- */

typedef enum err (*write_fn)(struct call *c, struct writer *w);

/* Loads what is asked for and answers with what write makes of it. */
static enum err answer(struct call *c, write_fn write)
{
    struct openings o;
    struct sbuf body;
    TRY(openings_load(c, &o));
    struct writer w = { .o = &o, .out = &body };
    if (!o.zone) { /* the service has gone meanwhile */
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    sbuf_init(&body);
    write_zone(&w);
    enum err e = write(c, &w);
    sbuf_char(&body, '}');
    if (e == OK) {
        e = sbuf_failed(&body) ? E_NOMEM : call_answer_raw(c, CONTENT_JSON, sbuf_slice(&body));
    }
    sbuf_fini(&body);
    return e;
}

/* The clocks of the zone that the caller asks for. */
static enum err load_clocks(struct call *c, struct writer *w)
{
    PGresult *rows;
    struct openings_day *days;
    call_set(c, "first_day", w->o->days[0].date);
    call_set(c, "last_day", w->o->days[w->o->day_count - 1].date);
    TRY(call_query(c, &availability_clocks, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse_field(c, "tz", "unknown_zone", "No se conoce esa zona horaria",
                                 "That time zone is not known");
    }
    days = arena_take(c->arena, (size_t)PQntuples(rows) * sizeof(*days));
    if (!days) {
        return E_NOMEM;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        int64_t cell[5];
        for (int k = 0; k < 5; k++) {
            TRY(str_int(slice_of(PQgetvalue(rows, i, k)), INT64_MIN, INT64_MAX, &cell[k]));
        }
        days[i] = (struct openings_day){
            .midnight = cell[4] * INT64_C(86400),
            .day = { { cell[0], cell[1] }, cell[2], cell[3] },
        };
    }
    w->clocks = days;
    w->clock_count = (size_t)PQntuples(rows);
    return OK;
}

static enum err write_slots(struct call *c, struct writer *w)
{
    bool explain = call_get(c, "explain")->number != 0;
    size_t i = 0;
    w->by_gaps = strcmp(call_get(c, "rank")->text, "gaps") == 0;
    if (call_get(c, "tz")->present && w->o->day_count > 0) {
        TRY(load_clocks(c, w));
    }
    write_people(w);
    sbuf_text(w->out, ",\"days\":[");
    for (; i < w->o->day_count && w->written < SLOTS_MAX; i++) {
        sbuf_text(w->out, i ? "," : "");
        write_day(w, &w->o->days[i], explain);
    }
    sbuf_text(w->out, "],\"next_day\":");
    sbuf_fmt(w->out, i < w->o->day_count ? "\"%s\"" : "null", w->o->days[i].date);
    return explain ? write_next(c, w) : OK;
}

static enum err write_days(struct call *c, struct writer *w)
{
    UNUSED(c);
    sbuf_text(w->out, ",\"days\":[");
    for (size_t i = 0; i < w->o->day_count; i++) {
        size_t n = openings_starts(w->o, &w->o->days[i]), possible = 0;
        for (size_t k = 0; k < n; k++) {
            possible += openings_anybody_can(w->o, w->o->starts[k]);
        }
        sbuf_fmt(w->out, "%s{\"date\":\"%s\",\"starts\":%zu}", i ? "," : "", w->o->days[i].date,
                 possible);
    }
    sbuf_char(w->out, ']');
    return OK;
}

static enum err read_slots(struct call *c)
{
    TRY(ask(c));
    TRY(ask_days(c));
    return answer(c, write_slots);
}

static enum err read_days(struct call *c)
{
    TRY(ask(c));
    TRY(ask_days(c));
    return answer(c, write_days);
}

static enum err read_next(struct call *c)
{
    TRY(ask(c));
    return answer(c, write_next);
}

#define ROUTE(what, text, its_params, its_vars, its_stmts, its_columns, its_handler)              \
    {                                                                                             \
        .method = M_GET, .path = "/api/v1/availability/" what, .summary = text,                   \
        .need = PERM_APPOINTMENT_READ, .cost = COST_FAST, .params = its_params, .vars = its_vars, \
        .columns = its_columns, .stmts = its_stmts, .handler = its_handler, .shape = SHAPE_RAW,   \
        .success = 200,                                                                           \
    }

const struct route availability_routes[] = {
    ROUTE("slots", "When a service can begin, and why not at other times", slots_params, slots_vars,
          slots_stmts, slots_columns, read_slots),
    ROUTE("days", "How many starts each day has", days_params, availability_vars,
          availability_stmts, days_columns, read_days),
    ROUTE("next", "The next start from now on", next_params, availability_vars, availability_stmts,
          next_columns, read_next),
    { 0 },
};
