/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the calendar on the practice's screen shows: some days, and of each member of staff hours, breaks, closed time, visits and other taken time. One
 * statement brings all of it in the order in which it is written; who has seen it already gets 304. */
#include <stdio.h>

#include "common/clock.h"
#include "common/str.h"
#include "worker/api/appointment.h"
#include "worker/api/openings.h"
#include "worker/api/openings_sql.h"

#define VISITS_MAX 2000
#define PEOPLE_MAX 200
#define SECOND_US  INT64_C(1000000)
#define WEEK       7

#define TEXT_OF(n) #n
#define TEXT(n)    TEXT_OF(n)

static const struct column agenda_columns[] = {
    { "time_zone", T_TEXT, "IANA zone of days and times" },
    { "staff", T_JSON,
      "Who can be booked or has visits then: id, name, color; at most 200, by name" },
    { "days", T_JSON,
      "Of each its date and staff: id, work, breaks, closed and blocks (from, to, and of blocks "
      "kind: "
      "hold, block, external, waitlist_offer), and visits. A visit stands on each day that it "
      "touches; "
      "continues says that it began on an earlier one" },
    { 0 },
};

static const struct param agenda_params[] = {
    { .name = "view",
      .in = IN_QUERY,
      .type = T_CHOICE,
      .choices = "day week",
      .fallback = "week",
      .doc = "A week is Monday to Sunday" },
    { .name = "date", .in = IN_QUERY, .type = T_DATE, .doc = "A day of it; today when absent" },
    { .name = "staff_id", .in = IN_QUERY, .type = T_UUID },
    { 0 },
};

/* Kinds of rows; spans between them are enum openings_span. */
enum row { ROW_ZONE, ROW_DAY, ROW_PERSON, ROW_VISIT = 7, ROW_BLOCK };

enum column_index { COL_WHO, COL_WHAT, COL_A, COL_B, COL_C, COL_D, COL_TEXT, COL_ID };

/* clang-format off */
static const struct stmt agenda_read = {
    "read",
    "WITH a AS MATERIALIZED (SELECT b.time_zone AS zone, NULL::uuid AS service, f.first,"
    " f.first + CASE :view WHEN 'week' THEN 6 ELSE 0 END AS last, " OPENINGS_PAD " AS pad"
    " FROM (SELECT (SELECT time_zone FROM business) AS time_zone) b CROSS JOIN LATERAL (SELECT"
    " coalesce(:date, (now() AT TIME ZONE b.time_zone)::date) AS day) d CROSS JOIN LATERAL (SELECT"
    " d.day - CASE :view WHEN 'week' THEN extract(isodow FROM d.day)::int - 1 ELSE 0 END AS first) f),"
    " span AS MATERIALIZED (SELECT min(d.from_s) AS from_s, max(d.to_s) AS to_s FROM a"
    " CROSS JOIN LATERAL ext.local_days(a.first, a.last, a.zone) d),"
    " people AS MATERIALIZED (SELECT row_number() OVER (ORDER BY ext.fold(t.name), t.id) - 1 AS who,"
    " t.id, t.name, t.color, false AS asset FROM staff t CROSS JOIN span s WHERE :scope(staff t)"
    " AND (:staff_id::uuid IS NULL OR t.id = :staff_id) AND (t.archived_at IS NULL AND t.bookable"
    " OR EXISTS (SELECT FROM appointment v WHERE v.staff_id = t.id"
    " AND v.starts_at >= to_timestamp(s.from_s - 86400) AND v.starts_at < to_timestamp(s.to_s)"
    " AND v.ends_at > to_timestamp(s.from_s))) ORDER BY 1 LIMIT " TEXT(PEOPLE_MAX) "), "
    OPENINGS_RULES
    " SELECT -1 AS who, 0 AS what, 0::bigint AS a, 0::bigint AS b, 0::bigint AS c, 0::bigint AS d,"
    " a.zone AS text, NULL AS id FROM a"
    " UNION ALL SELECT -1, 1, d.from_s, d.to_s, coalesce(d.change_s, 0), d.shown_s,"
    " to_char(d.day, 'YYYY-MM-DD'), NULL FROM a JOIN days d ON d.day BETWEEN a.first AND a.last"
    " UNION ALL SELECT p.who, 2, 0, 0, 0, 0, json_build_object('id', p.id, 'name', p.name,"
    " 'color', p.color)::text, p.id::text FROM people p"
    " UNION ALL SELECT s.who, s.what, s.from_s, s.to_s, 0, 0, NULL, NULL FROM spans s"
    " UNION ALL (SELECT p.who, 7, " FIRST_SECOND("v.starts_at") ", "
    LAST_SECOND("v.ends_at") ", " FIRST_SECOND("v.local_start") ", " LAST_SECOND("v.local_end") ","
    " json_build_object('id', v.id, 'state', v.state, 'version', v.version, 'client',"
    " json_build_object('id', v.client_id, 'name', v.client_name), 'service', json_build_object("
    "'id', v.service_id, 'name', v.service_name, 'color', e.color), 'buffer_before_min',"
    " v.buffer_before_min, 'buffer_after_min', v.buffer_after_min, 'overbooked', v.lane > 1,"
    " 'assets', coalesce(v.assets, '[]'), 'group_id', v.group_id)::text, NULL"
    " FROM people p CROSS JOIN span s JOIN appointment v ON v.staff_id = p.id"
    " AND v.starts_at >= to_timestamp(s.from_s - 86400) AND v.starts_at < to_timestamp(s.to_s)"
    " AND v.ends_at > to_timestamp(s.from_s) JOIN service e ON e.id = v.service_id"
    " WHERE v.state NOT IN ('cancelled', 'declined', 'expired') AND :scope(appointment v)"
    " LIMIT " TEXT(VISITS_MAX) " + 1)"
    " UNION ALL SELECT p.who, 8, " FIRST_SECOND("lower(x.busy)") ", " LAST_SECOND("upper(x.busy)") ","
    " 0, 0, x.kind, NULL FROM people p CROSS JOIN span s JOIN allocation x ON x.resource_id = p.id"
    " AND x.busy && tstzrange(to_timestamp(s.from_s), to_timestamp(s.to_s))"
    " WHERE x.appointment_id IS NULL AND x.seats IS NULL AND (x.expires_at IS NULL OR x.expires_at > now())"
    " ORDER BY 1, 2, 3, 4",
};
/* clang-format on */

static const struct stmt *const agenda_stmts[] = { &agenda_read, NULL };

/* ---- rows ---- */

/* A span, a visit or a block of somebody's. */
struct mark {
    int64_t who, what, from, to, local_from, local_to;
    const char *text, *id; /* id: of a person's own row */
};

struct agenda {
    const char *zone;
    struct openings_day days[WEEK];
    size_t day_count, visits;
    struct mark *marks; /* by person, kind and time; a person's own row comes first */
    size_t mark_count;
};

static int64_t number(const PGresult *rows, int row, enum column_index column)
{
    int64_t v = 0;
    return str_int(slice_of(PQgetvalue(rows, row, column)), INT64_MIN, INT64_MAX, &v) == OK ? v : 0;
}

static void take_day(struct agenda *a, const struct mark *m)
{
    int64_t us = 0;
    bool has_offset;
    int offset;
    char midnight[24];
    snprintf(midnight, sizeof(midnight), "%.10sT00:00", m->text);
    if (a->day_count < WEEK && clock_parse(slice_of(midnight), &us, &has_offset, &offset) == OK) {
        a->days[a->day_count++] = (struct openings_day){
            .date = m->text,
            .midnight = us / SECOND_US,
            .day = { { m->from, m->to }, m->local_from, m->local_to }
        };
    }
}

static enum err read_rows(struct call *c, const PGresult *rows, struct agenda *a)
{
    size_t n = (size_t)PQntuples(rows);
    *a = (struct agenda){ .marks = arena_take(c->arena, (n + 1) * sizeof(*a->marks)) };
    if (!a->marks) {
        return E_NOMEM;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        struct mark m = { number(rows, i, COL_WHO),      number(rows, i, COL_WHAT),
                          number(rows, i, COL_A),        number(rows, i, COL_B),
                          number(rows, i, COL_C),        number(rows, i, COL_D),
                          PQgetvalue(rows, i, COL_TEXT), PQgetvalue(rows, i, COL_ID) };
        if (m.what == ROW_ZONE) {
            a->zone = m.text;
        } else if (m.what == ROW_DAY) {
            take_day(a, &m);
        } else {
            a->visits += m.what == ROW_VISIT;
            a->marks[a->mark_count++] = m;
        }
    }
    return OK;
}

/* ---- writing ---- */

/* The marks of one kind that touch the day; written by its function. */
struct part {
    struct sbuf *out;
    const struct openings_day *day;
    bool first;
};

static void separate(struct part *p)
{
    sbuf_text(p->out, p->first ? "" : ",");
    p->first = false;
}

static void write_span(struct part *p, int64_t from, int64_t to, const char *kind)
{
    const struct avail_span *day = &p->day->day.span;
    separate(p);
    sbuf_text(p->out, "{\"from\":");
    openings_write(p->out, p->day, from > day->from ? from : day->from);
    sbuf_text(p->out, ",\"to\":");
    openings_write(p->out, p->day, to < day->to ? to : day->to);
    sbuf_fmt(p->out, kind ? ",\"kind\":\"%s\"}" : "}", kind);
}

static void write_instant(struct sbuf *out, const char *name, int64_t at, int64_t local)
{
    char text[CLOCK_RFC3339_MAX];
    clock_format_offset(at * SECOND_US, local * SECOND_US, text);
    sbuf_fmt(out, "\"%s\":\"%s\",", name, text);
}

static void write_visit(struct part *p, const struct mark *m)
{
    separate(p);
    sbuf_char(p->out, '{');
    write_instant(p->out, "starts_at", m->from, m->local_from);
    write_instant(p->out, "ends_at", m->to, m->local_to);
    sbuf_fmt(p->out, "\"continues\":%s,", m->from < p->day->day.span.from ? "true" : "false");
    sbuf_text(p->out, m->text + 1); /* an object goes on */
}

static bool touches(const struct mark *m, const struct openings_day *d)
{
    return m->from < d->day.span.to && m->to > d->day.span.from;
}

/* Hours that meet are one; blocks are not, as they may be of different kinds. */
static void write_spans(struct part *p, const struct mark *m, size_t n, int64_t what)
{
    for (size_t i = 0; i < n; i++) {
        if (m[i].what != what || !touches(&m[i], p->day)) {
            continue;
        }
        int64_t from = m[i].from, to = m[i].to;
        while (i + 1 < n && m[i + 1].what == what && m[i + 1].from <= to) {
            to = m[++i].to > to ? m[i].to : to;
        }
        write_span(p, from, to, NULL);
    }
}

static void write_taken(struct part *p, const struct mark *m, size_t n, int64_t what)
{
    for (size_t i = 0; i < n; i++) {
        if (m[i].what != what || !touches(&m[i], p->day)) {
            continue;
        }
        if (what == ROW_VISIT) {
            write_visit(p, &m[i]);
        } else {
            write_span(p, m[i].from, m[i].to, m[i].text);
        }
    }
}

/* m: the person's own row and what follows of theirs. */
static void write_person(struct sbuf *out, const struct openings_day *d, const struct mark *m,
                         size_t n)
{
    static const struct {
        const char *name;
        int64_t what;
        void (*write)(struct part *p, const struct mark *m, size_t n, int64_t what);
    } parts[] = {
        { "work", OPENINGS_WORK, write_spans },        { "breaks", OPENINGS_BREAK, write_spans },
        { "closed", OPENINGS_EXCEPTION, write_spans }, { "visits", ROW_VISIT, write_taken },
        { "blocks", ROW_BLOCK, write_taken },
    };
    sbuf_fmt(out, "{\"id\":\"%s\"", m[0].id);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct part p = { .out = out, .day = d, .first = true };
        sbuf_fmt(out, ",\"%s\":[", parts[i].name);
        parts[i].write(&p, m, n, parts[i].what);
        sbuf_char(out, ']');
    }
    sbuf_char(out, '}');
}

/* How many marks are of whoever the first is of. */
static size_t count_of_one(const struct agenda *a, size_t first)
{
    size_t n = 0;
    while (first + n < a->mark_count && a->marks[first + n].who == a->marks[first].who) {
        n++;
    }
    return n;
}

static void write_agenda(struct sbuf *out, const struct agenda *a)
{
    sbuf_text(out, "{\"time_zone\":");
    sbuf_json(out, slice_of(a->zone));
    sbuf_text(out, ",\"staff\":[");
    for (size_t i = 0; i < a->mark_count; i += count_of_one(a, i)) {
        sbuf_fmt(out, "%s%s", i ? "," : "", a->marks[i].text);
    }
    sbuf_text(out, "],\"days\":[");
    for (size_t d = 0; d < a->day_count; d++) {
        sbuf_fmt(out, "%s{\"date\":\"%s\",\"staff\":[", d ? "," : "", a->days[d].date);
        for (size_t i = 0, n = 0; i < a->mark_count; i += n) {
            n = count_of_one(a, i);
            sbuf_text(out, i ? "," : "");
            write_person(out, &a->days[d], &a->marks[i], n);
        }
        sbuf_text(out, "]}");
    }
    sbuf_text(out, "]}");
}

static enum err read_agenda(struct call *c)
{
    PGresult *rows;
    struct agenda a;
    struct sbuf body;
    TRY(call_query(c, &agenda_read, &rows));
    TRY(read_rows(c, rows, &a));
    if (call_get(c, "staff_id")->present && a.mark_count == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    if (a.visits > VISITS_MAX) {
        return call_refuse_field(c, "view", "too_many",
                                 "Hay más de 2000 citas; pida un día o una persona",
                                 "There are more than 2000 visits; ask for a day or a person");
    }
    sbuf_init(&body);
    write_agenda(&body, &a);
    enum err e = sbuf_failed(&body) ? E_NOMEM
                                    : call_answer_digested(c, CONTENT_JSON, sbuf_slice(&body));
    sbuf_fini(&body);
    return e;
}

const struct route agenda_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/agenda",
        .summary = "A day or a week of the practice's calendar: hours, visits and other taken time",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = agenda_params,
        .columns = agenda_columns,
        .stmts = agenda_stmts,
        .handler = read_agenda,
        .shape = SHAPE_RAW,
        .success = 200,
        .etag = true,
    },
    { 0 },
};
