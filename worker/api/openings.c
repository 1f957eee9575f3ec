/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The statement and what becomes of its rows. Rules are days and minutes of local time; a day's clocks (ext.local_days) make instants of them: until they
 * change they run from midnight on, behind it from what they show then. So hours are open for as long as clocks show them: not in a gap, twice in an
 * overlap. */
#include "worker/api/openings.h"

#include "common/clock.h"
#include "common/str.h"
#include "worker/api/openings_sql.h"

/* Kinds of rows: what each is for is in the statement's last part. */
enum row {
    ROW_RULES,
    ROW_GRID,
    ROW_DAY,
    ROW_PERSON,
    ROW_WORK = OPENINGS_WORK,
    ROW_BREAK = OPENINGS_BREAK,
    ROW_EXCEPTION = OPENINGS_EXCEPTION,
    ROW_BUSY,
    ROW_CLIENT,
};

#define SECOND_US INT64_C(1000000)
#define DAY_S     INT64_C(86400)
#define DAY_MIN   1440

enum column_index { COL_WHAT, COL_WHO, COL_A, COL_B, COL_C, COL_D, COL_LABEL, COL_NAME };

#define TEXT_OF(n) #n
#define TEXT(n)    TEXT_OF(n)

/* What is asked for. */
#define ASKED                                                                                    \
    "a AS MATERIALIZED (SELECT b.time_zone AS zone, s.id AS service, s.duration_min,"            \
    " coalesce(:w_before::int, s.buffer_before_min) AS before,"                                  \
    " coalesce(:w_after::int, s.buffer_after_min) AS after, coalesce(s.grid_min, :w_step) AS"    \
    " step, s.grid_offset_min AS shift, f.day AS first, l.day AS last,"                          \
    " now() + make_interval(mins => (p.rules->>'notice_min')::int) AS earliest,"                 \
    " now() + make_interval(days => (p.rules->>'horizon_days')::int) AS latest,"                 \
    " " OPENINGS_PAD " AS pad FROM (SELECT (SELECT time_zone FROM business) AS time_zone) b"     \
    " JOIN service s ON s.id = :w_service CROSS JOIN LATERAL (SELECT coalesce(:w_policy::jsonb," \
    " (SELECT rules FROM booking_policy)) AS rules) p CROSS JOIN LATERAL (SELECT"                \
    " coalesce(:w_first, (coalesce(:w_at::timestamptz, now()) AT TIME ZONE b.time_zone)::date)"  \
    " AS day) f CROSS JOIN LATERAL (SELECT coalesce(:w_last, CASE WHEN :w_at IS NULL"            \
    " THEN f.day + 6 ELSE f.day END) AS day) l)"

/* Who offers the service and is within the caller's reach. */
#define PEOPLE                                                                                   \
    "people AS MATERIALIZED (SELECT row_number() OVER (ORDER BY ext.fold(t.name), t.id) - 1"     \
    " AS who, t.id, t.name, coalesce(:w_seconds::int,"                                           \
    " coalesce(o.duration_min, a.duration_min) * 60) AS seconds FROM a CROSS JOIN staff t"       \
    " LEFT JOIN service_staff o ON o.service_id = a.service AND o.staff_id = t.id"               \
    " WHERE t.archived_at IS NULL AND t.bookable AND :scope(staff t)"                            \
    " AND (:w_staff::uuid IS NULL OR t.id = :w_staff) AND (o.staff_id IS NOT NULL OR NOT EXISTS" \
    " (SELECT FROM service_staff x WHERE x.service_id = a.service)) ORDER BY 1 LIMIT " TEXT(     \
        OPENINGS_PEOPLE_MAX) ")"

/* Where somebody's visit may matter: a visit and its buffers are shorter than two days. */
#define AROUND                                                                      \
    "around AS MATERIALIZED (SELECT tstzrange(to_timestamp(min(d.from_s) - 86400)," \
    " to_timestamp(max(d.to_s) + 2 * 86400)) AS span FROM a JOIN days d"            \
    " ON d.day BETWEEN a.first AND a.last)"

/* A row of enum row: what, whose, up to four numbers (of spans their ends), up to two texts. */
/* clang-format off */
#define ROWS                                                                                     \
    " SELECT 0 AS what, 0 AS who, " LAST_SECOND("a.earliest") " AS a, " FIRST_SECOND("a.latest") \
    " AS b, a.before * 60::bigint AS c, a.after * 60::bigint AS d, a.zone AS label,"             \
    " NULL AS name FROM a"                                                                       \
    " UNION ALL SELECT 1, 0, a.step, mod(a.shift, a.step), 0, 0, NULL, NULL FROM a"              \
    " UNION ALL SELECT 2, 0, d.from_s, d.to_s, coalesce(d.change_s, 0), d.shown_s,"              \
    " to_char(d.day, 'YYYY-MM-DD'), (d.day - date '1970-01-01')::text FROM a JOIN days d"                                     \
    " ON d.day BETWEEN a.first AND a.last"                                                       \
    " UNION ALL SELECT 3, p.who, p.seconds, 0, 0, 0, p.id::text, p.name FROM people p"           \
    " UNION ALL SELECT s.what, s.who, s.from_s, s.to_s, 0, 0, NULL, NULL FROM spans s"           \
    " UNION ALL SELECT 7, p.who, " FIRST_SECOND("lower(x.busy)") ", "                            \
    LAST_SECOND("upper(x.busy)") ", " FIRST_SECOND("coalesce(v.starts_at, lower(x.busy))") ", "  \
    LAST_SECOND("coalesce(v.ends_at, upper(x.busy))") ", x.kind, NULL FROM around w"             \
    " CROSS JOIN people p JOIN allocation x ON x.resource_id = p.id AND x.busy && w.span"        \
    " AND (:w_ignore::uuid IS NULL OR x.appointment_id IS DISTINCT FROM :w_ignore)"              \
    " AND (x.expires_at IS NULL OR x.expires_at > now())"                                        \
    " LEFT JOIN appointment v ON v.id = x.appointment_id"                                        \
    " UNION ALL SELECT 8, p.who, " FIRST_SECOND("lower(y.busy)") ", "                            \
    LAST_SECOND("upper(y.busy)") ", 0, 0, NULL, NULL FROM around w CROSS JOIN people p"          \
    " JOIN client_busy y ON y.client_id = :w_client AND y.busy && w.span"                        \
    " AND y.appointment_id IS DISTINCT FROM :w_ignore"                                           \
    " ORDER BY 1, 2, 3"
/* clang-format on */

const struct stmt openings_world = {
    "world",
    "WITH " ASKED ", " PEOPLE ", " OPENINGS_RULES ", " AROUND ROWS,
};

/* ---- rows ---- */

static int64_t number(const PGresult *rows, int row, enum column_index column)
{
    int64_t v = 0;
    return str_int(slice_of(PQgetvalue(rows, row, column)), INT64_MIN, INT64_MAX, &v) == OK ? v : 0;
}

static struct avail_span span_at(const PGresult *rows, int row, enum column_index from)
{
    return (struct avail_span){ number(rows, row, from), number(rows, row, from + 1) };
}

static size_t count_kind(const PGresult *rows, enum row kind)
{
    size_t n = 0;
    for (int i = 0; i < PQntuples(rows); i++) {
        n += number(rows, i, COL_WHAT) == kind;
    }
    return n;
}

static bool is_taken(int64_t kind)
{
    return kind >= ROW_BREAK && kind <= ROW_CLIENT;
}

/* Room for what each person has: a busy row becomes two spans. */
static enum err make_room(struct call *c, const PGresult *rows, struct openings *o)
{
    o->people = arena_take(c->arena, (o->person_count + 1) * sizeof(*o->people));
    if (!o->people) {
        return E_NOMEM;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        int64_t kind = number(rows, i, COL_WHAT);
        struct openings_person *p = &o->people[number(rows, i, COL_WHO)];
        p->time.open_count += kind == ROW_WORK;
        p->time.taken_count += (size_t)(is_taken(kind) + (kind == ROW_BUSY));
        p->visit_count += kind == ROW_BUSY;
    }
    for (size_t i = 0; i < o->person_count; i++) {
        struct openings_person *p = &o->people[i];
        p->time.open = arena_take(c->arena, (p->time.open_count + 1) * sizeof(*p->time.open));
        p->time.taken = arena_take(c->arena, (p->time.taken_count + 1) * sizeof(*p->time.taken));
        p->visits = arena_take(c->arena, (p->visit_count + 1) * sizeof(*p->visits));
        if (!p->time.open || !p->time.taken || !p->visits) {
            return E_NOMEM;
        }
        p->time.open_count = p->time.taken_count = p->visit_count = 0;
    }
    return OK;
}

static void take(struct avail_resource *r, struct avail_span span, unsigned why)
{
    r->taken[r->taken_count++] = (struct avail_taken){ .span = span, .why = why };
}

static void take_busy(struct openings_person *p, const PGresult *rows, int row)
{
    struct avail_span wide = span_at(rows, row, COL_A), visit = span_at(rows, row, COL_C);
    take(&p->time, visit, AVAIL_BUSY);
    take(&p->time, wide,
         AVAIL_BUFFER); /* even without buffers: the new visit's must stay clear of it */
    if (strcmp(PQgetvalue(rows, row, COL_LABEL), "visit") == 0) {
        p->visits[p->visit_count++] = visit.from;
    }
}

static void take_rules(struct openings *o, const PGresult *rows, int row)
{
    o->limits = (struct avail_limits){ number(rows, row, COL_A), number(rows, row, COL_B) };
    o->zone = PQgetvalue(rows, row, COL_LABEL);
    for (size_t i = 0; i < o->person_count; i++) {
        o->people[i].visit.before = number(rows, row, COL_C);
        o->people[i].visit.after = number(rows, row, COL_D);
    }
}

static void take_day(struct openings *o, const PGresult *rows, int row)
{
    o->days[o->day_count++] = (struct openings_day){
        .date = PQgetvalue(rows, row, COL_LABEL),
        .midnight = number(rows, row, COL_NAME) * DAY_S,
        .day = { span_at(rows, row, COL_A), number(rows, row, COL_C), number(rows, row, COL_D) },
    };
}

static void take_row(struct openings *o, const PGresult *rows, int row)
{
    struct openings_person *p = &o->people[number(rows, row, COL_WHO)];
    switch ((enum row)number(rows, row, COL_WHAT)) {
    case ROW_RULES:
        take_rules(o, rows, row);
        break;
    case ROW_GRID:
        o->step = (int)number(rows, row, COL_A);
        o->offset = (int)number(rows, row, COL_B);
        break;
    case ROW_DAY:
        take_day(o, rows, row);
        break;
    case ROW_PERSON:
        p->id = PQgetvalue(rows, row, COL_LABEL);
        p->name = PQgetvalue(rows, row, COL_NAME);
        p->visit.length = number(rows, row, COL_A);
        break;
    case ROW_WORK:
        p->time.open[p->time.open_count++] = span_at(rows, row, COL_A);
        break;
    case ROW_BREAK:
        take(&p->time, span_at(rows, row, COL_A), AVAIL_BREAK);
        break;
    case ROW_EXCEPTION:
        take(&p->time, span_at(rows, row, COL_A), AVAIL_EXCEPTION);
        break;
    case ROW_BUSY:
        take_busy(p, rows, row);
        break;
    case ROW_CLIENT:
        take(&p->time, span_at(rows, row, COL_A), AVAIL_BUSY);
        break;
    }
}

/* Each part of a day, before and behind a change of its clocks, has at most so many starts. */
static size_t starts_max(const struct openings *o)
{
    return o->step > 0 ? 2 * (size_t)(DAY_MIN / o->step + 1) : 1;
}

enum err openings_load(struct call *c, struct openings *out)
{
    PGresult *rows;
    *out = (struct openings){ 0 };
    TRY(call_query(c, &openings_world, &rows));
    out->person_count = count_kind(rows, ROW_PERSON);
    TRY(make_room(c, rows, out));
    out->days = arena_take(c->arena, (count_kind(rows, ROW_DAY) + 1) * sizeof(*out->days));
    if (!out->days) {
        return E_NOMEM;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        take_row(out, rows, i);
    }
    for (size_t i = 0; i < out->person_count; i++) {
        avail_sort(&out->people[i].time);
    }
    out->starts = arena_take(c->arena, starts_max(out) * sizeof(*out->starts));
    return out->starts ? OK : E_NOMEM;
}

/* ---- asking ---- */

size_t openings_starts(struct openings *o, const struct openings_day *d)
{
    size_t max = starts_max(o), n = avail_grid(&d->day, o->step, o->offset, o->starts, max);
    return size_min(n, max);
}

unsigned openings_judge(const struct openings *o, const struct openings_person *p, int64_t start)
{
    unsigned why = avail_judge(&p->time, &p->visit, &o->limits, start);
    return start == o->start ? why | AVAIL_CLOSED : why;
}

unsigned openings_judge_any(struct openings *o, const struct openings_person *p, int64_t start)
{
    bool on_grid = false;
    for (size_t i = 0; i < o->day_count; i++) {
        size_t n = openings_starts(o, &o->days[i]);
        for (size_t k = 0; k < n; k++) {
            on_grid |= o->starts[k] == start;
        }
    }
    return openings_judge(o, p, start) | (on_grid ? 0 : AVAIL_CLOSED);
}

void openings_write(struct sbuf *out, const struct openings_day *d, int64_t start)
{
    char text[CLOCK_RFC3339_MAX];
    bool behind = d->day.change && start >= d->day.change;
    int64_t shown = behind ? d->day.shown + start - d->day.change : start - d->day.span.from;
    clock_format_offset(start * SECOND_US, (d->midnight + shown) * SECOND_US, text);
    sbuf_json(out, slice_of(text));
}

static int64_t midnight_of(const char *date)
{
    char text[32];
    int64_t us;
    bool has_offset;
    int offset;
    snprintf(text, sizeof(text), "%sT00:00", date);
    return clock_parse(slice_of(text), &us, &has_offset, &offset) == OK ? us / SECOND_US : -1;
}

int64_t openings_days_between(const char *first, const char *last)
{
    int64_t from = midnight_of(first), to = midnight_of(last);
    return from < 0 || to < from ? 0 : (to - from) / DAY_S + 1;
}
