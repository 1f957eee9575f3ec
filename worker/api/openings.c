/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The statement and what becomes of its rows. Rules are days and minutes of local time; a day's clocks (ext.local_days) make instants of them: until they
 * change they run from midnight on, behind it from what they show then. So hours are open for as long as clocks show them: not in a gap, twice in an
 * overlap. */
#include "worker/api/openings.h"

#include <limits.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/str.h"
#include "common/uuid.h"
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
    ROW_ASSET,
    ROW_NEED,
    ROW_CAPS,
    ROW_LOAD,
};

#define SECOND_US INT64_C(1000000)
#define DAY_S     INT64_C(86400)
#define DAY_MIN   1440

enum column_index { COL_WHAT, COL_WHO, COL_A, COL_B, COL_C, COL_D, COL_LABEL, COL_NAME };

#define TEXT_OF(n) #n
#define TEXT(n)    TEXT_OF(n)

/* clang-format off */

/* What is asked for. */
#define ASKED                                                                                    \
    "a AS MATERIALIZED (SELECT b.time_zone AS zone, s.id AS service, s.duration_min, s.seats,"   \
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

/* Who offers the service and is within the caller's reach, and what it needs besides. */
#define PEOPLE                                                                                   \
    "persons AS MATERIALIZED (SELECT row_number() OVER (ORDER BY ext.fold(t.name), t.id) - 1"    \
    " AS who, t.id, t.name, coalesce(:w_seconds::int,"                                           \
    " coalesce(o.duration_min, a.duration_min) * 60) AS seconds FROM a CROSS JOIN staff t"       \
    " LEFT JOIN service_staff o ON o.service_id = a.service AND o.staff_id = t.id"               \
    " WHERE t.archived_at IS NULL AND t.bookable AND :scope(staff t)"                            \
    " AND (:w_staff::uuid IS NULL OR t.id = :w_staff) AND (o.staff_id IS NOT NULL OR NOT EXISTS" \
    " (SELECT FROM service_staff x WHERE x.service_id = a.service)) ORDER BY 1"                  \
    " LIMIT " TEXT(OPENINGS_PEOPLE_MAX) "),"                                                     \
    " assets AS MATERIALIZED (SELECT (SELECT count(*) FROM persons) + row_number() OVER"         \
    " (ORDER BY ext.fold(f.name), f.id) - 1 AS who, f.id, f.name FROM asset f WHERE f.id IN"     \
    " (SELECT n.asset_id FROM service_need n WHERE n.service_id = :w_service)"                   \
    " AND f.archived_at IS NULL),"                                                               \
    " people AS MATERIALIZED (SELECT who, id, false AS asset FROM persons"                       \
    " UNION ALL SELECT who, id, true FROM assets)"

/* What one person is booked at most. */
#define CAP(name) "coalesce((r.rules->>'" name "')::int, 0)"
#define CAPS                                                                                     \
    "caps AS MATERIALIZED (SELECT " CAP("day_visits") " AS dv, " CAP("day_minutes") " AS dm, "   \
    CAP("week_visits") " AS wv, " CAP("week_minutes") " AS wm"                                   \
    " FROM (SELECT (SELECT rules FROM booking_policy) AS rules) r)"

/* What persons have on the days of the weeks that are asked for: visits, each group once, and what is held. */
#define LOADS                                                                                    \
    " FROM caps k CROSS JOIN a CROSS JOIN persons p CROSS JOIN LATERAL ("                        \
    "SELECT (g.from_at AT TIME ZONE a.zone)::date AS day, g.to_at - g.from_at AS length"         \
    " FROM allocation x LEFT JOIN appointment v ON v.id = x.appointment_id"                      \
    " LEFT JOIN hold h ON h.id = x.id CROSS JOIN LATERAL (SELECT coalesce(v.starts_at,"          \
    " lower(x.group_span), h.starts_at, lower(x.busy)) AS from_at, coalesce(v.ends_at,"          \
    " upper(x.group_span), h.ends_at, upper(x.busy)) AS to_at) g WHERE x.resource_id = p.id"     \
    " AND x.kind IN ('visit', 'hold', 'waitlist_offer') AND x.busy && tstzrange(a.first - 9,"    \
    " a.last + 10) AND (x.expires_at IS NULL OR x.expires_at > now())"                           \
    " AND (:w_ignore::uuid IS NULL OR x.appointment_id IS DISTINCT FROM :w_ignore"               \
    " AND NOT EXISTS (SELECT FROM appointment o WHERE o.id = :w_ignore AND o.group_id = x.id"    \
    " AND x.taken = 1))) v WHERE k.dv + k.dm + k.wv + k.wm > 0 GROUP BY p.who, v.day"

/* Where somebody's visit may matter: a visit and its buffers are shorter than two days. */
#define AROUND                                                                      \
    "around AS MATERIALIZED (SELECT tstzrange(to_timestamp(min(d.from_s) - 86400)," \
    " to_timestamp(max(d.to_s) + 2 * 86400)) AS span FROM a JOIN days d"            \
    " ON d.day BETWEEN a.first AND a.last)"

/* A row of enum row: what, whose, up to four numbers (of spans their ends), up to two texts. */
#define ROWS                                                                                     \
    " SELECT 0 AS what, 0 AS who, " LAST_SECOND("a.earliest") " AS a, " FIRST_SECOND("a.latest") \
    " AS b, a.before * 60::bigint AS c, a.after * 60::bigint AS d, a.zone AS label,"             \
    " NULL AS name FROM a"                                                                       \
    " UNION ALL SELECT 1, 0, a.step, mod(a.shift, a.step), coalesce(:w_seconds::int,"            \
    " a.duration_min * 60), a.seats, NULL, NULL FROM a"                                               \
    " UNION ALL SELECT 2, 0, d.from_s, d.to_s, coalesce(d.change_s, 0), d.shown_s,"              \
    " to_char(d.day, 'YYYY-MM-DD'), (d.day - date '1970-01-01')::text FROM a JOIN days d"                                     \
    " ON d.day BETWEEN a.first AND a.last"                                                       \
    " UNION ALL SELECT 3, p.who, p.seconds, 0, 0, 0, p.id::text, p.name FROM persons p"          \
    " UNION ALL SELECT s.what, s.who, s.from_s, s.to_s, 0, 0, NULL, NULL FROM spans s"           \
    " UNION ALL SELECT 7, p.who, " FIRST_SECOND("lower(x.busy)") ", "                            \
    LAST_SECOND("upper(x.busy)") ", "                                                            \
    FIRST_SECOND("coalesce(v.starts_at, lower(x.group_span), lower(x.busy))") ", "               \
    LAST_SECOND("coalesce(v.ends_at, upper(x.group_span), upper(x.busy))") ", x.kind,"           \
    " CASE WHEN x.group_service = :w_service THEN x.id || ' ' || x.seats - x.taken"              \
    " + (x.id IS NOT DISTINCT FROM i.own)::int END FROM around w"                                \
    " CROSS JOIN (SELECT (SELECT group_id FROM appointment WHERE id = :w_ignore) AS own) i"      \
    " CROSS JOIN people p JOIN allocation x ON x.resource_id = p.id AND x.busy && w.span"        \
    " AND (:w_ignore::uuid IS NULL OR x.appointment_id IS DISTINCT FROM :w_ignore"               \
    " AND (coalesce(x.held_with, x.id) IS DISTINCT FROM i.own OR x.taken > 1"                    \
    " OR EXISTS (SELECT FROM allocation g WHERE g.id = x.held_with AND g.taken > 1)))"           \
    " AND (x.expires_at IS NULL OR x.expires_at > now())"                                        \
    " LEFT JOIN appointment v ON v.id = x.appointment_id"                                        \
    " UNION ALL SELECT 8, p.who, " FIRST_SECOND("lower(y.busy)") ", "                            \
    LAST_SECOND("upper(y.busy)") ", 0, 0, NULL, NULL FROM around w CROSS JOIN persons p"         \
    " JOIN client_busy y ON y.client_id = :w_client AND y.busy && w.span"                        \
    " AND y.appointment_id IS DISTINCT FROM :w_ignore"                                           \
    " UNION ALL SELECT 9, f.who, 0, 0, 0, 0, f.id::text, f.name FROM assets f"                  \
    " UNION ALL SELECT 10, coalesce(f.who, 0), n.need, (f.who IS NOT NULL)::int,"                \
    " array_position(ARRAY['room', 'chair', 'device'], g.kind), 0, NULL, NULL"                   \
    " FROM service_need n JOIN asset g ON g.id = n.asset_id"                                     \
    " LEFT JOIN assets f ON f.id = n.asset_id WHERE n.service_id = :w_service"                                                           \
    " UNION ALL SELECT 11, 0, k.dv, k.dm, k.wv, k.wm, NULL, NULL FROM caps k"                    \
    " UNION ALL SELECT 12, p.who, v.day - date '1970-01-01', count(*), sum(ceil(extract(epoch"    \
    " FROM v.length) / 60))::int, 0, NULL, NULL" LOADS                           \
    " ORDER BY 1, 2, 3"
/* clang-format on */

const struct stmt openings_world = {
    "world",
    "WITH " ASKED ", " PEOPLE ", " OPENINGS_RULES ", " AROUND ", " CAPS ROWS,
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
    size_t all = o->person_count + o->asset_count;
    o->people = arena_take(c->arena, (all + 1) * sizeof(*o->people));
    if (!o->people) {
        return E_NOMEM;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        int64_t kind = number(rows, i, COL_WHAT);
        struct openings_person *p = &o->people[number(rows, i, COL_WHO)];
        p->time.open_count += kind == ROW_WORK;
        p->time.taken_count += (size_t)(is_taken(kind) + (kind == ROW_BUSY));
        p->visit_count += kind == ROW_BUSY;
        p->load_count += kind == ROW_LOAD;
    }
    o->assets = o->people + o->person_count;
    for (size_t i = 0; i < all; i++) {
        struct openings_person *p = &o->people[i];
        p->time.open = arena_take(c->arena, (p->time.open_count + 1) * sizeof(*p->time.open));
        p->time.taken = arena_take(c->arena, (p->time.taken_count + 1) * sizeof(*p->time.taken));
        p->visits = arena_take(c->arena, (p->visit_count + 1) * sizeof(*p->visits));
        p->groups = arena_take(c->arena, (p->visit_count + 1) * sizeof(*p->groups));
        p->loads = arena_take(c->arena, (p->load_count + OPENINGS_LOADS_MORE) * sizeof(*p->loads));
        if (!p->time.open || !p->time.taken || !p->visits || !p->loads || !p->groups) {
            return E_NOMEM;
        }
        p->time.open_count = p->time.taken_count = p->visit_count = p->load_count = 0;
    }
    return OK;
}

static void take(struct avail_resource *r, struct avail_span span, unsigned why)
{
    r->taken[r->taken_count++] = (struct avail_taken){ .span = span, .why = why };
}

/* "ID 3": a group with three seats left, which a visit may join; false: it is none that has any. */
static bool take_group(struct openings_person *p, const PGresult *rows, int row)
{
    struct slice rest = slice_of(PQgetvalue(rows, row, COL_NAME)), id = str_cut(&rest, ' ');
    int64_t left = 0;
    if (id.n != UUID_TEXT - 1 || str_int(rest, 1, INT16_MAX, &left) != OK) {
        return false;
    }
    p->groups[p->group_count++] = (struct openings_group){
        .id = id.p,
        .left = (int)left,
        .span = span_at(rows, row, COL_C),
        .wide = span_at(rows, row, COL_A),
    };
    return true;
}

static void take_busy(struct openings_person *p, const PGresult *rows, int row)
{
    struct avail_span wide = span_at(rows, row, COL_A), visit = span_at(rows, row, COL_C);
    if (take_group(p, rows, row)) {
        return;
    }
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
    o->visit.before = number(rows, row, COL_C);
    o->visit.after = number(rows, row, COL_D);
    for (size_t i = 0; i < o->person_count; i++) {
        o->people[i].visit.before = number(rows, row, COL_C);
        o->people[i].visit.after = number(rows, row, COL_D);
    }
}

static unsigned lack_of(int64_t kind)
{
    return kind == 1 ? AVAIL_ROOM : kind == 2 ? AVAIL_CHAIR : AVAIL_DEVICE;
}

/* One that is archived meets nothing, but it is needed all the same. */
static void take_need(struct openings *o, const PGresult *rows, int row)
{
    int64_t need = number(rows, row, COL_A) - 1;
    if (need < 0 || need >= AVAIL_NEEDS_MAX) {
        return;
    }
    o->needs |= 1u << need;
    o->lack[need] = lack_of(number(rows, row, COL_C));
    if (number(rows, row, COL_B)) {
        o->people[number(rows, row, COL_WHO)].needs |= 1u << need;
    }
}

static void take_caps(struct openings *o, const PGresult *rows, int row)
{
    o->caps = (struct avail_caps){
        .day_visits = (int)number(rows, row, COL_A),
        .day_minutes = (int)number(rows, row, COL_B),
        .week_visits = (int)number(rows, row, COL_C),
        .week_minutes = (int)number(rows, row, COL_D),
    };
}

static void take_load(struct openings_person *p, const PGresult *rows, int row)
{
    p->loads[p->load_count++] = (struct avail_load){
        .day = number(rows, row, COL_A),
        .visits = (int)number(rows, row, COL_B),
        .minutes = (int)number(rows, row, COL_C),
    };
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
        o->visit.length = number(rows, row, COL_C);
        o->seats = (int)number(rows, row, COL_D);
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
    case ROW_ASSET:
        p->id = PQgetvalue(rows, row, COL_LABEL);
        p->name = PQgetvalue(rows, row, COL_NAME);
        break;
    case ROW_NEED:
        take_need(o, rows, row);
        break;
    case ROW_CAPS:
        take_caps(o, rows, row);
        break;
    case ROW_LOAD:
        take_load(p, rows, row);
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
    out->asset_count = count_kind(rows, ROW_ASSET);
    TRY(make_room(c, rows, out));
    out->days = arena_take(c->arena, (count_kind(rows, ROW_DAY) + 1) * sizeof(*out->days));
    if (!out->days) {
        return E_NOMEM;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        take_row(out, rows, i);
    }
    for (size_t i = 0; i < out->person_count + out->asset_count; i++) {
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

/* The assets that each need can choose from then: those without a reason against them but the ones that are ignored. Returns how many needs there are. */
static size_t find_pools(const struct openings *o, const struct avail_visit *v, int64_t start,
                         unsigned ignored, uint64_t pools[AVAIL_NEEDS_MAX],
                         unsigned lacks[AVAIL_NEEDS_MAX])
{
    static const struct avail_limits always = { INT64_MIN, INT64_MAX };
    uint64_t able = 0;
    size_t n = 0;
    for (size_t i = 0; i < o->asset_count; i++) {
        unsigned why = avail_judge(&o->assets[i].time, v, &always, start);
        able |= (why & ~ignored) == 0 ? UINT64_C(1) << i : 0;
    }
    for (unsigned need = 0; need < AVAIL_NEEDS_MAX; need++) {
        if (!(o->needs & 1u << need)) {
            continue;
        }
        pools[n] = 0;
        lacks[n] = o->lack[need];
        for (size_t i = 0; i < o->asset_count; i++) {
            pools[n] |= o->assets[i].needs & 1u << need ? able & UINT64_C(1) << i : 0;
        }
        n++;
    }
    return n;
}

/* One asset for each need, in chosen. Returns the bits of what there is none for; 0: all are met. */
static unsigned meet_needs(const struct openings *o, const struct avail_visit *v, int64_t start,
                           unsigned ignored, int chosen[AVAIL_NEEDS_MAX], size_t *needs)
{
    uint64_t pools[AVAIL_NEEDS_MAX];
    unsigned lacks[AVAIL_NEEDS_MAX], why = 0;
    size_t n = o->needs ? find_pools(o, v, start, ignored, pools, lacks) : 0;
    size_t met = avail_assign(pools, n, chosen);
    *needs = n;
    if (met == n) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        why |= pools[i] ? 0 : lacks[i];
    }
    return why ? why : lacks[met]; /* each has some, but not each one of its own */
}

static bool is_over(const struct openings *o, const struct openings_person *p, int64_t start)
{
    const struct avail_caps *k = &o->caps;
    if (k->day_visits + k->day_minutes + k->week_visits + k->week_minutes == 0) {
        return false;
    }
    for (size_t i = 0; i < o->day_count; i++) {
        const struct openings_day *d = &o->days[i];
        if (start >= d->day.span.from && start < d->day.span.to) {
            return avail_over(p->loads, p->load_count, k, d->midnight / DAY_S,
                              (int)(p->visit.length / 60));
        }
    }
    return false;
}

const struct openings_group *openings_group_at(const struct openings_person *p, int64_t start)
{
    for (size_t i = 0; i < p->group_count; i++) {
        const struct avail_span *s = &p->groups[i].span;
        if (s->from == start && s->to - s->from == p->visit.length) {
            return &p->groups[i];
        }
    }
    return NULL;
}

/* Other groups are in the way, as whole visits are. */
static unsigned judge_groups(const struct openings_person *p, int64_t start)
{
    const struct openings_group *mine = openings_group_at(p, start);
    unsigned why = 0;
    for (size_t i = 0; i < p->group_count; i++) {
        const struct openings_group *g = &p->groups[i];
        why |= g == mine ? 0 : avail_meet(&g->span, &g->wide, &p->visit, start);
    }
    return why;
}

/* A group that is there has its assets, and is counted. */
unsigned openings_judge(const struct openings *o, const struct openings_person *p, int64_t start)
{
    int chosen[AVAIL_NEEDS_MAX];
    size_t needs;
    unsigned why = avail_judge(&p->time, &p->visit, &o->limits, start) | judge_groups(p, start);
    if (!openings_group_at(p, start)) {
        why |= meet_needs(o, &p->visit, start, 0, chosen, &needs);
        why |= is_over(o, p, start) ? AVAIL_LIMIT : 0;
    }
    why = why & AVAIL_BUSY ? why & ~(unsigned)AVAIL_BUFFER : why;
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

unsigned openings_assign(struct call *c, const struct openings *o, const struct openings_person *p,
                         int64_t start, enum openings_force most)
{
    static const unsigned ignored[] = {
        [OPENINGS_FREE] = 0,
        [OPENINGS_ANY_HOUR] = AVAIL_CLOSED | AVAIL_EXCEPTION | AVAIL_BREAK,
        [OPENINGS_BESIDE] = UINT_MAX,
    };
    int chosen[AVAIL_NEEDS_MAX];
    char text[AVAIL_NEEDS_MAX * (UUID_TEXT + 1) + 2] = "{";
    size_t n = 0, length = 1;
    unsigned why = UINT_MAX;
    const struct openings_group *g = p ? openings_group_at(p, start) : NULL;
    call_set(c, "assets", NULL);
    call_set(c, "to_group",
             g ? arena_text(c->arena, (struct slice){ g->id, UUID_TEXT - 1 }) : NULL);
    if (g) {
        return 0;
    }
    for (enum openings_force f = OPENINGS_FREE; f <= most && why; f++) {
        why = meet_needs(o, p ? &p->visit : &o->visit, start, ignored[f], chosen, &n);
    }
    for (size_t i = 0; !why && i < n; i++) { /* a comma, and in the end a brace, behind each */
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%c",
                                   o->assets[chosen[i]].id, i + 1 < n ? ',' : '}');
    }
    call_set(c, "assets", !why && n ? arena_text(c->arena, (struct slice){ text, length }) : NULL);
    return why;
}

void openings_add_load(struct openings_person *p, const char *date)
{
    p->loads[p->load_count++] = (struct avail_load){
        .day = openings_days_between("1970-01-01", date) - 1,
        .visits = 1,
        .minutes = (int)(p->visit.length / 60)
    };
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

/* ---- the next one ---- */

bool openings_anybody_can(const struct openings *o, int64_t start)
{
    for (size_t i = 0; i < o->person_count; i++) {
        if (openings_judge(o, &o->people[i], start) == 0) {
            return true;
        }
    }
    return false;
}

/* The first start that somebody can, and its day; false: none. */
static bool find_start(struct openings *o, const struct openings_day **day, int64_t *start)
{
    for (size_t i = 0; i < o->day_count; i++) {
        size_t n = openings_starts(o, &o->days[i]);
        for (size_t k = 0; k < n; k++) {
            if (openings_anybody_can(o, o->starts[k])) {
                *day = &o->days[i];
                *start = o->starts[k];
                return true;
            }
        }
    }
    return false;
}

/* The day n days after date. */
static const char *later(struct call *c, const struct openings_day *d, int n)
{
    char text[CLOCK_RFC3339_MAX];
    clock_format_utc((d->midnight + n * INT64_C(86400)) * 1000000, text);
    return arena_text(c->arena, (struct slice){ text, 10 });
}

/* Loads the days behind those of o; when these are too soon altogether, the first day that is not. */
static enum err load_later(struct call *c, struct openings *o)
{
    const struct openings_day *last = &o->days[o->day_count - 1];
    bool too_soon = last->day.span.to <= o->limits.earliest;
    char earliest[CLOCK_RFC3339_MAX];
    clock_format_utc(o->limits.earliest * 1000000, earliest);
    call_set(c, "w_at", earliest);
    call_set(c, "w_first", too_soon ? NULL : later(c, last, 1));
    call_set(c, "w_last", too_soon ? NULL : later(c, last, OPENINGS_DAYS_MAX));
    return openings_load(c, o);
}

enum err openings_find_next(struct call *c, struct openings *o, const struct openings_day **day,
                            int64_t *start)
{
    *day = NULL;
    while (o->day_count > 0 && o->person_count > 0 && !find_start(o, day, start)) {
        if (o->days[o->day_count - 1].day.span.to > o->limits.latest) {
            return OK;
        }
        TRY(load_later(c, o));
    }
    return OK;
}
