/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Where the occurrences of a series will be: openings.h brings the days, as many as one statement may, and judges each start; what the plan itself has taken is laid
 * over them. */
#include "worker/api/series.h"

#include "common/str.h"

#define SECOND_US   INT64_C(1000000)
#define MINUTE      60
#define DATE_LENGTH 10
/* Too soon and too far are rules for clients. */
#define CLIENT_RULES ((unsigned)(AVAIL_HORIZON | AVAIL_NOTICE))

/* ---- texts ---- */

const char *series_plan_text(struct call *c, struct sbuf *out)
{
    const char *text = sbuf_failed(out) ? NULL : arena_text(c->arena, sbuf_slice(out));
    sbuf_fini(out);
    return text;
}

const char *series_plan_key(struct call *c, const char *text)
{
    int64_t us;
    bool has_offset;
    int offset;
    char utc[CLOCK_RFC3339_MAX];
    if (clock_parse(slice_of(text), &us, &has_offset, &offset) != OK || has_offset ||
        us % (MINUTE * SECOND_US) != 0) {
        return NULL;
    }
    clock_format_utc(us, utc);
    return arena_text(c->arena, (struct slice){ utc, RRULE_KEY_SIZE - 1 });
}

enum series_policy series_plan_policy(const char *word)
{
    return strcmp(word, "skip") == 0      ? SERIES_SKIP
           : strcmp(word, "nearest") == 0 ? SERIES_NEAREST
                                          : SERIES_REJECT;
}

const char *series_plan_array(struct call *c, const void *of, size_t n,
                              const char *(*nth)(const void *of, size_t i))
{
    struct sbuf out;
    size_t written = 0;
    sbuf_init(&out);
    sbuf_char(&out, '{');
    for (size_t i = 0; i < n; i++) {
        const char *text = nth(of, i);
        if (text) {
            sbuf_fmt(&out, "%s%s", written++ ? "," : "", text);
        }
    }
    sbuf_char(&out, '}');
    return series_plan_text(c, &out);
}

static void write_why(struct sbuf *out, unsigned why)
{
    static const struct {
        enum series_why bit;
        const char *name;
    } more[] = {
        { SERIES_CLIENT_BUSY, "client_busy" },
        { SERIES_NONEXISTENT, "nonexistent_time" },
        { SERIES_AMBIGUOUS, "ambiguous_time" },
    };
    avail_write_why(out, why);
    for (size_t i = 0; i < ARRAY_LEN(more) && out->len > 0; i++) {
        if (why & more[i].bit) {
            out->len--; /* the bracket that ends the list */
            sbuf_fmt(out, "%s\"%s\"]", out->data[out->len - 1] == '[' ? "" : ",", more[i].name);
        }
    }
}

void series_plan_write(struct sbuf *out, const struct series_wish *w, const char *booked,
                       const char *left)
{
    bool moved = w->taken && w->taken != w->start;
    sbuf_fmt(out, "{\"series_key\":\"%s\",\"outcome\":\"%s\",\"starts_at\":", w->key,
             moved      ? "moved"
             : w->taken ? booked
                        : left);
    if (w->taken) {
        sbuf_fmt(out, "\"%s\"", w->text);
    } else {
        sbuf_text(out, "null");
    }
    sbuf_text(out, ",\"why\":");
    write_why(out, w->why);
    sbuf_char(out, '}');
}

/* ---- instants ---- */

static int64_t number(const PGresult *rows, int row, const char *column)
{
    int64_t v = 0;
    const char *text = call_cell(rows, row, column);
    return text && str_int(slice_of(text), INT64_MIN, INT64_MAX, &v) == OK ? v : 0;
}

static const char *nth_local(const void *of, size_t i)
{
    return ((const struct series_wish *)of)[i].local;
}

enum err series_plan_ask(struct call *c, struct series_plan *p)
{
    const char *keys = series_plan_array(c, p->wishes, p->count, nth_local);
    call_set(c, "keys", keys);
    return keys ? OK : E_NOMEM;
}

static enum err refuse_far(struct call *c, bool first)
{
    return call_refuse_field(c, first ? "/starts_at" : "/rrule", "out_of_range",
                             "Debe estar entre hace un año y dentro de dos",
                             "It must be between a year ago and two years ahead");
}

enum err series_plan_check(struct call *c, struct series_plan *p, struct appointment_ask ask)
{
    PGresult *rows;
    TRY(series_plan_ask(c, p));
    TRY(call_query(c, &series_check, &rows));
    if (PQntuples(rows) != (int)p->count) {
        return E_INTERNAL;
    }
    TRY(appointment_check_there(c, rows, ask));
    p->now = number(rows, 0, "now_s");
    for (size_t i = 0; i < p->count; i++) {
        struct series_wish *w = &p->wishes[i];
        bool twice = call_true(rows, (int)i, "twice");
        if (ask.time && !call_true(rows, (int)i, "in_range")) {
            return refuse_far(c, i == 0);
        }
        w->start = twice ? 0 : number(rows, (int)i, "start_s");
        w->odd = twice ? SERIES_AMBIGUOUS : w->start ? 0 : SERIES_NONEXISTENT;
        if (w->stays) {
            w->start = w->old_start;
            w->odd = 0;
        }
    }
    return OK;
}

/* ---- what is taken ---- */

static void take(struct avail_resource *r, int64_t from, int64_t to, unsigned why)
{
    r->taken[r->taken_count++] = (struct avail_taken){ .span = { from, to }, .why = why };
}

/* Room for n spans more than there are. */
static enum err grow(struct call *c, struct avail_resource *r, size_t n)
{
    struct avail_taken *more = arena_take(c->arena, (r->taken_count + n + 1) * sizeof(*more));
    if (!more) {
        return E_NOMEM;
    }
    if (r->taken_count > 0) {
        memcpy(more, r->taken, r->taken_count * sizeof(*more));
    }
    r->taken = more;
    return OK;
}

static enum err load_client(struct call *c, struct series_plan *p)
{
    PGresult *rows;
    TRY(call_query(c, &series_met, &rows));
    p->client = (struct avail_resource){ 0 };
    TRY(grow(c, &p->client, (size_t)PQntuples(rows) + p->count));
    for (int i = 0; i < PQntuples(rows); i++) {
        take(&p->client, number(rows, i, "from_s"), number(rows, i, "to_s"), AVAIL_BUSY);
    }
    avail_sort(&p->client);
    return OK;
}

/* Where w will be, or is left; false: nowhere. */
static bool span_of(const struct series_wish *w, int64_t *from, int64_t *to)
{
    *from = w->taken ? w->taken : w->old_start;
    *to = *from + (w->taken ? w->seconds : w->old_seconds);
    return *from != 0;
}

static void take_staff(struct avail_resource *r, const struct series_wish *w)
{
    int64_t from, to;
    if (span_of(w, &from, &to)) {
        take(r, from, to, AVAIL_BUSY);
        take(r, from - w->before_s, to + w->after_s, AVAIL_BUFFER);
    }
}

/* ---- days ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_like(const struct series_wish *a, const struct series_wish *b)
{
    return strcmp(a->staff, b->staff) == 0 && a->minutes == b->minutes &&
           same_text(a->before, b->before) && same_text(a->after, b->after);
}

static const char *date_of(struct call *c, const struct series_wish *w)
{
    return arena_text(c->arena, (struct slice){ w->local, DATE_LENGTH });
}

/* The day of w, when it is loaded; NULL otherwise. */
static const struct openings_day *day_of(const struct series_plan *p, const struct series_wish *w)
{
    if (!p->loaded || !is_like(w, p->loaded)) {
        return NULL;
    }
    for (size_t i = 0; i < p->world.day_count; i++) {
        if (strncmp(p->world.days[i].date, w->local, DATE_LENGTH) == 0) {
            return &p->world.days[i];
        }
    }
    return NULL;
}

/* As many of the days from w's on as one statement brings, up to the last that somebody asks for. */
static enum err load_days(struct call *c, struct series_plan *p, const struct series_wish *w)
{
    const char *first = date_of(c, w), *last = first;
    for (const struct series_wish *x = w; x < p->wishes + p->count && last; x++) {
        const char *date = date_of(c, x);
        if (!date) {
            return E_NOMEM;
        }
        int64_t days = openings_days_between(first, date);
        if (is_like(w, x) && days <= OPENINGS_DAYS_MAX && strcmp(date, last) > 0) {
            last = date;
        }
    }
    call_set(c, "w_service", call_get(c, "to_service")->text);
    call_set(c, "w_staff", w->staff);
    call_set(c, "w_first", first);
    call_set(c, "w_last", last);
    call_set_int(c, "w_step", APPOINTMENT_GRID_STAFF);
    call_set(c, "w_seconds", NULL);
    if (w->minutes) {
        call_set_int(c, "w_seconds", w->minutes * MINUTE);
    }
    call_set(c, "w_before", w->before);
    call_set(c, "w_after", w->after);
    TRY(openings_load(c, &p->world));
    p->loaded = w;
    if (p->world.person_count == 0) {
        return call_refuse_field(c, "/staff_id", "not_offered",
                                 "Esa persona no ofrece ese servicio",
                                 "That person does not offer that service");
    }
    struct avail_resource *r = &p->world.people[0].time;
    TRY(grow(c, r, 2 * p->count));
    for (const struct series_wish *x = p->wishes; x < w; x++) {
        if (strcmp(x->staff, w->staff) == 0) {
            take_staff(r, x);
            if (x->taken) {
                openings_add_load(&p->world.people[0], date_of(c, x));
            }
        }
    }
    avail_sort(r);
    return OK;
}

/* ---- judging ---- */

/* All reasons against start, for staff. */
static unsigned judge(const struct series_plan *p, int64_t start)
{
    const struct openings_person *who = &p->world.people[0];
    const struct avail_visit met = { .length = who->visit.length };
    unsigned why = openings_judge(&p->world, who, start) & ~CLIENT_RULES;
    unsigned client = avail_judge(&p->client, &met, &p->world.limits, start);
    return why | (client & AVAIL_BUSY ? SERIES_CLIENT_BUSY : 0);
}

/* Those that nobody says away. */
static unsigned binding(const struct series_plan *p, unsigned why)
{
    return p->override ? why & ~APPOINTMENT_STAFF_RULES : why;
}

/* Seconds since midnight that the day's clocks show at start. */
static int64_t shown_at(const struct openings_day *d, int64_t start)
{
    bool behind = d->day.change && start >= d->day.change;
    return behind ? d->day.shown + start - d->day.change : start - d->day.span.from;
}

/* Of the grid's starts of the day the one nearest by the clock, of two the earlier; what is to come does not become past. 0: there is none. */
static int64_t find_nearest(struct series_plan *p, const struct openings_day *d,
                            const struct series_wish *w)
{
    int64_t best = 0, best_away = INT64_MAX;
    int64_t want = ((w->local[11] - '0') * 10 + w->local[12] - '0') * 3600 +
                   ((w->local[14] - '0') * 10 + w->local[15] - '0') * 60;
    bool past = w->start && w->start <= p->now;
    size_t n = openings_starts(&p->world, d);
    for (size_t i = 0; i < n; i++) {
        int64_t start = p->world.starts[i], away = shown_at(d, start) - want;
        away = away < 0 ? -away : away;
        if (away < best_away && (past || start > p->now) && binding(p, judge(p, start)) == 0) {
            best = start;
            best_away = away;
        }
    }
    return best;
}

static enum err may_override(struct call *c)
{
    if (c->perms.reach[PERM_APPOINTMENT_OVERRIDE] < c->reach) {
        return call_refuse(c, E_FORBIDDEN, "Falta el permiso appointment.override",
                           "The permission appointment.override is missing");
    }
    return OK;
}

/* What it will have there; false: a room, chair or device is missing. Where rules are overridden hours of these do not count either. */
static bool assign(struct call *c, struct series_plan *p, struct series_wish *w)
{
    if (openings_assign(c, &p->world, &p->world.people[0], w->taken,
                        p->override ? OPENINGS_ANY_HOUR : OPENINGS_FREE)) {
        return false;
    }
    w->assets = call_get(c, "assets")->text;
    w->group = call_get(c, "to_group")->text;
    return true;
}

static void note_start(struct series_wish *w, const struct openings_day *d)
{
    clock_format_offset(w->taken * SECOND_US, (d->midnight + shown_at(d, w->taken)) * SECOND_US,
                        w->text);
}

static enum err judge_wish(struct call *c, struct series_plan *p, struct series_wish *w)
{
    const struct openings_day *d = day_of(p, w);
    if (!d) {
        TRY(load_days(c, p, w));
        d = day_of(p, w);
    }
    if (!d) {
        return E_INTERNAL;
    }
    struct openings_person *who = &p->world.people[0];
    w->seconds = who->visit.length;
    w->before_s = who->visit.before;
    w->after_s = who->visit.after;
    w->why = w->start ? judge(p, w->start) : w->odd;
    w->taken = w->start && binding(p, w->why) == 0 ? w->start : 0;
    if (!w->taken && p->policy == SERIES_NEAREST) {
        w->taken = find_nearest(p, d, w);
    }
    w->taken = w->taken && assign(c, p, w) ? w->taken : 0;
    if (w->taken && p->override && w->why & APPOINTMENT_STAFF_RULES) {
        TRY(may_override(c));
    }
    if (w->taken) {
        note_start(w, d);
        openings_add_load(who, d->date);
    } else {
        p->impossible++;
    }
    take_staff(&who->time, w);
    avail_sort(&who->time);
    int64_t from, to;
    if (span_of(w, &from, &to)) {
        take(&p->client, from, to, AVAIL_BUSY);
        avail_sort(&p->client);
    }
    return OK;
}

enum err series_plan_judge(struct call *c, struct series_plan *p)
{
    p->impossible = 0;
    p->loaded = NULL;
    TRY(load_client(c, p));
    for (size_t i = 0; i < p->count; i++) {
        TRY(judge_wish(c, p, &p->wishes[i]));
    }
    return OK;
}

enum err series_plan_refuse(struct call *c, const struct series_plan *p)
{
    struct sbuf es, en, extra;
    size_t written = 0;
    sbuf_init(&es);
    sbuf_init(&en);
    sbuf_init(&extra);
    sbuf_fmt(&es, "%zu de %zu fechas no son posibles; nada cambió", p->impossible, p->count);
    sbuf_fmt(&en, "%zu of %zu dates are not possible; nothing was changed", p->impossible,
             p->count);
    sbuf_text(&extra, "\"conflicts\":[");
    for (size_t i = 0; i < p->count; i++) {
        if (!p->wishes[i].taken) {
            sbuf_text(&extra, written++ ? "," : "");
            series_plan_write(&extra, &p->wishes[i], "", "conflict");
        }
    }
    sbuf_char(&extra, ']');
    const char *more = series_plan_text(c, &extra), *text_es = series_plan_text(c, &es),
               *text_en = series_plan_text(c, &en);
    if (!more) {
        return E_NOMEM;
    }
    c->problem.extra = slice_of(more);
    return call_refuse(c, E_SERIES_CONFLICT, text_es, text_en);
}

/* ---- placing ---- */

/* For the history: against which rules, and why. */
static enum err tell(struct call *c, const struct series_wish *w)
{
    const char *reason = call_get(c, "override")->text;
    unsigned rules = w->taken == w->start ? w->why & APPOINTMENT_STAFF_RULES : 0;
    struct sbuf told;
    if (!reason || !rules) {
        call_set(c, "told", NULL);
        return OK;
    }
    sbuf_init(&told);
    sbuf_text(&told, "{\"override\":{\"reason\":");
    sbuf_json(&told, slice_of(reason));
    sbuf_text(&told, ",\"rules\":");
    avail_write_why(&told, rules);
    sbuf_text(&told, "}}");
    const char *text = series_plan_text(c, &told);
    call_set(c, "told", text);
    return text ? OK : E_NOMEM;
}

enum err series_plan_place(struct call *c, const struct series_wish *w)
{
    char instant[CLOCK_RFC3339_MAX];
    clock_format_utc(w->taken * SECOND_US, instant);
    call_set(c, "instant", instant);
    call_set(c, "to_staff", w->staff);
    call_set_int(c, "to_minutes", w->seconds / MINUTE);
    call_set(c, "assets", w->assets);
    call_set(c, "to_group", w->group);
    return tell(c, w);
}
