/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The rules as the judge of bookings has them (openings_sql.h, avail.h), of the days that have visits. What others change in between counts as it would behind
 * the change: the answer is of the moment. */
#include "worker/api/impact.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/str.h"
#include "worker/api/openings.h"
#include "worker/api/openings_sql.h"
#include "worker/visit.h"

#define SECOND_US  INT64_C(1000000)
#define TEXT_OF(n) #n
#define TEXT(n)    TEXT_OF(n)

const struct column impact_columns[] = {
    { "count", T_INT, "Visits that are within the rules now and would be no more" },
    { "checked", T_INT, "Visits that were looked at: those to come, at most 5000" },
    { "checked_until", T_INSTANT,
      "There are more: visits that begin then or later were not looked at" },
    { "visits", T_JSON,
      "The first 200 of them: id, starts_at, ends_at, time_zone, state, client, service, staff "
      "(id, "
      "name) and "
      "why: closed, exception, break" },
    { 0 },
};

/* A visit's kind of row; the others are enum openings_span. */
enum { ROW_VISIT = 1 };

enum column_index { COL_WHO, COL_WHAT, COL_FROM, COL_TO, COL_ID, COL_STARTS };

/* Everybody with visits, or the asset whose rules are to change, apart for each service that has a schedule of its own of theirs: one schedule a day holds for whom the rules are asked. Local days may be
 * another zone's: hence the days around those that are asked for. */
/* clang-format off */
const struct stmt impact_look = {
    "look",
    "WITH z AS MATERIALIZED (SELECT b.time_zone AS zone, " OPENINGS_PAD " AS pad"
    ", EXISTS (SELECT FROM asset f WHERE f.id = :of_id) AS asset"
    " FROM (SELECT (SELECT time_zone FROM business) AS time_zone) b),"
    " looked AS MATERIALIZED (SELECT v.id, o.id AS owner, v.starts_at, v.ends_at, k.service,"
    " (v.starts_at AT TIME ZONE z.zone)::date AS first, (v.ends_at AT TIME ZONE z.zone)::date AS last"
    " FROM z CROSS JOIN appointment v CROSS JOIN LATERAL (SELECT CASE WHEN z.asset THEN :of_id::uuid"
    " ELSE v.staff_id END AS id) o CROSS JOIN LATERAL (SELECT CASE WHEN EXISTS (SELECT"
    " FROM schedule h WHERE (h.staff_id = o.id OR h.asset_id = o.id) AND h.service_id = v.service_id)"
    " THEN v.service_id END AS service) k WHERE v.starts_at > now()"
    " AND v.starts_at < now() + interval '731 days' AND v.state = ANY ('" VISIT_OPEN "')"
    " AND CASE WHEN z.asset THEN v.assets @> jsonb_build_array(jsonb_build_object('id', :of_id))"
    " ELSE :of_id::uuid IS NULL OR v.staff_id = :of_id END"
    " AND (:of_first::date IS NULL OR v.starts_at > (:of_first - 3)::timestamp AT TIME ZONE z.zone)"
    " AND (:of_last::date IS NULL OR v.starts_at < (:of_last + 3)::timestamp AT TIME ZONE z.zone)"
    " AND :scope(appointment v) ORDER BY v.starts_at, v.id LIMIT " TEXT(IMPACT_LOOKED_MAX) " + 1),"
    " each AS MATERIALIZED (SELECT row_number() OVER () - 1 AS who, v.owner, v.service,"
    " min(v.first) AS first, max(v.last) AS last, array_agg(DISTINCT v.first + g.n) AS days"
    " FROM z CROSS JOIN looked v CROSS JOIN LATERAL generate_series(-z.pad, v.last - v.first + z.pad)"
    " g(n) GROUP BY v.owner, v.service),"
    " dated AS MATERIALIZED (SELECT d.day, d.from_s, d.to_s, nullif(d.change_s, 0) AS change_s,"
    " d.shown_s FROM z CROSS JOIN (SELECT min(first) AS first, max(last) AS last FROM looked) r"
    " CROSS JOIN LATERAL ext.local_days(r.first - z.pad, r.last + z.pad, z.zone) d)"
    " SELECT e.who, 1 AS what, " FIRST_SECOND("v.starts_at") " AS from_s, " LAST_SECOND("v.ends_at")
    " AS to_s, v.id, v.starts_at FROM looked v JOIN each e ON e.owner = v.owner"
    " AND e.service IS NOT DISTINCT FROM v.service"
    " UNION ALL SELECT e.who, s.what, s.from_s, s.to_s, NULL, NULL FROM each e CROSS JOIN LATERAL"
    " (WITH a AS MATERIALIZED (SELECT z.zone, e.service, e.first, e.last, z.pad FROM z),"
    " people AS MATERIALIZED (SELECT e.who, e.owner AS id, z.asset FROM z),"
    " days AS MATERIALIZED (SELECT d.day, d.from_s, d.to_s, d.change_s, d.shown_s"
    " FROM unnest(e.days) n(day) JOIN dated d ON d.day = n.day), "
    OPENINGS_RULES_OF_DAYS " SELECT r.what, r.from_s, r.to_s FROM spans r) s ORDER BY 1, 2",
};

const struct stmt impact_show = {
    "show",
    "SELECT v.id, v.starts_at, v.local_start, v.ends_at, v.local_end, json_build_object('time_zone',"
    " v.time_zone, 'state', v.state, 'client', json_build_object('id', v.client_id, 'name',"
    " v.client_name), 'service', json_build_object('id', v.service_id, 'name', v.service_name),"
    " 'staff', json_build_object('id', v.staff_id, 'name', v.staff_name))::text AS about"
    " FROM appointment v WHERE v.id = ANY (:of_ids::uuid[]) AND :scope(appointment v)"
    " ORDER BY v.starts_at, v.id LIMIT " TEXT(IMPACT_SHOWN_MAX),
};
/* clang-format on */

struct impact_visit {
    const char *id, *starts; /* as PostgreSQL wrote them */
    int64_t from, to;
    unsigned why; /* 0: it is inside */
};

/* ---- judging ---- */

static int64_t number(const PGresult *rows, int row, enum column_index column)
{
    int64_t v = 0;
    return str_int(slice_of(PQgetvalue(rows, row, column)), INT64_MIN, INT64_MAX, &v) == OK ? v : 0;
}

static struct impact_visit visit_at(const PGresult *rows, int row)
{
    return (struct impact_visit){ .id = PQgetvalue(rows, row, COL_ID),
                                  .starts = PQgetvalue(rows, row, COL_STARTS),
                                  .from = number(rows, row, COL_FROM),
                                  .to = number(rows, row, COL_TO) };
}

/* Rows from first on that are of one person: their visits come first. Returns where the next one's begin. */
static int judge_one(const PGresult *rows, int first, struct avail_resource *time,
                     struct impact *out)
{
    static const struct avail_limits any = { INT64_MIN, INT64_MAX };
    size_t begin = out->count;
    int i = first;
    time->open_count = time->taken_count = 0;
    for (; i < PQntuples(rows) && number(rows, i, COL_WHO) == number(rows, first, COL_WHO); i++) {
        struct avail_span span = { number(rows, i, COL_FROM), number(rows, i, COL_TO) };
        int64_t what = number(rows, i, COL_WHAT);
        if (what == ROW_VISIT) {
            out->visits[out->count++] = visit_at(rows, i);
        } else if (what == OPENINGS_WORK) {
            time->open[time->open_count++] = span;
        } else {
            time->taken[time->taken_count++] = (struct avail_taken){
                .span = span, .why = what == OPENINGS_BREAK ? AVAIL_BREAK : AVAIL_EXCEPTION
            };
        }
    }
    avail_sort(time);
    for (size_t k = begin; k < out->count; k++) {
        struct impact_visit *v = &out->visits[k];
        const struct avail_visit length = { .length = v->to - v->from };
        v->why = avail_judge(time, &length, &any, v->from);
    }
    return i;
}

static int by_id(const void *a, const void *b)
{
    const struct impact_visit *x = a, *y = b;
    return strcmp(x->id, y->id);
}

/* Where there are more than are looked at, those that begin with the last one are not either. */
static void cut(struct impact *out)
{
    int64_t last = INT64_MIN;
    size_t kept = 0;
    for (size_t i = 0; i < out->count && out->count > IMPACT_LOOKED_MAX; i++) {
        if (out->visits[i].from > last) {
            last = out->visits[i].from;
            out->until = out->visits[i].starts;
        }
    }
    for (size_t i = 0; i < out->count; i++) {
        if (!out->until || out->visits[i].from < last) {
            out->visits[kept++] = out->visits[i];
        }
    }
    out->count = kept;
}

static enum err judge(struct call *c, struct impact *out)
{
    PGresult *rows;
    TRY(call_query(c, &impact_look, &rows));
    size_t n = (size_t)PQntuples(rows) + 1;
    *out = (struct impact){ .visits = arena_take(c->arena, n * sizeof(*out->visits)) };
    struct avail_resource time = { .open = arena_take(c->arena, n * sizeof(*time.open)),
                                   .taken = arena_take(c->arena, n * sizeof(*time.taken)) };
    if (!out->visits || !time.open || !time.taken) {
        return E_NOMEM;
    }
    for (int i = 0; i < PQntuples(rows);) {
        i = judge_one(rows, i, &time, out);
    }
    cut(out);
    qsort(out->visits, out->count, sizeof(*out->visits), by_id);
    return OK;
}

/* ---- before and behind ---- */

enum err impact_deletes(struct call *c, bool *out)
{
    *out = call_get(c, "deleted")->number != 0;
    for (const struct param *p = c->route->params; *out && p->name; p++) {
        bool other = p->in == IN_BODY && strcmp(p->name, "deleted") != 0;
        if (other && call_get(c, p->name)->present) {
            return call_refuse_field(c, "/deleted", "conflict",
                                     "Lo que se borra no se cambia a la vez",
                                     "What is deleted is not changed at once");
        }
    }
    return OK;
}

enum err impact_begin(struct call *c, struct impact *i)
{
    c->undo = true;
    return judge(c, i);
}

static const struct impact_visit *find(const struct impact *i, const char *id)
{
    const struct impact_visit key = { .id = id };
    return i->count ? bsearch(&key, i->visits, i->count, sizeof(*i->visits), by_id) : NULL;
}

static bool is_left_out(const struct impact *before, const struct impact_visit *after)
{
    const struct impact_visit *was = after->why ? find(before, after->id) : NULL;
    return was && was->why == 0;
}

static void write_time(struct sbuf *out, const PGresult *rows, int row, const char *name,
                       const char *local_name)
{
    char text[CLOCK_RFC3339_MAX];
    int64_t at = 0, local = 0;
    if (clock_parse_pg(slice_of(call_cell(rows, row, name)), &at) == OK &&
        clock_parse_pg(slice_of(call_cell(rows, row, local_name)), &local) == OK) {
        clock_format_offset(at, local, text);
        sbuf_fmt(out, "\"%s\":\"%s\",", name, text);
    }
}

static void write_visit(struct sbuf *out, const PGresult *rows, int row, unsigned why)
{
    sbuf_fmt(out, "%s{\"id\":\"%s\",", row ? "," : "", call_cell(rows, row, "id"));
    write_time(out, rows, row, "starts_at", "local_start");
    write_time(out, rows, row, "ends_at", "local_end");
    sbuf_text(out, "\"why\":");
    avail_write_why(out, why);
    sbuf_char(out, ',');
    sbuf_text(out, call_cell(rows, row, "about") + 1); /* an object goes on */
}

static enum err write_until(struct sbuf *out, const char *until)
{
    char text[CLOCK_RFC3339_MAX];
    int64_t us = 0;
    if (!until) {
        sbuf_text(out, "null");
        return OK;
    }
    TRY(clock_parse_pg(slice_of(until), &us));
    clock_format_utc(us, text);
    sbuf_json(out, slice_of(text));
    return OK;
}

/* Sets :of_ids. */
static enum err name_left_out(struct call *c, const struct impact *before,
                              const struct impact *after, size_t *count)
{
    struct sbuf ids;
    *count = 0;
    sbuf_init(&ids);
    sbuf_char(&ids, '{');
    for (size_t i = 0; i < after->count; i++) {
        if (is_left_out(before, &after->visits[i])) {
            sbuf_fmt(&ids, "%s%s", *count ? "," : "", after->visits[i].id);
            ++*count;
        }
    }
    sbuf_text(&ids, "}");
    const char *text = sbuf_failed(&ids) ? NULL : arena_text(c->arena, sbuf_slice(&ids));
    sbuf_fini(&ids);
    call_set(c, "of_ids", text);
    return text ? OK : E_NOMEM;
}

enum err impact_answer(struct call *c, const struct impact *before)
{
    struct impact after;
    PGresult *rows;
    size_t count;
    struct sbuf body;
    TRY(judge(c, &after));
    TRY(name_left_out(c, before, &after, &count));
    TRY(call_query(c, &impact_show, &rows));
    sbuf_init(&body);
    sbuf_fmt(&body, "{\"count\":%zu,\"checked\":%zu,\"checked_until\":", count, before->count);
    enum err e = write_until(&body, before->until);
    sbuf_text(&body, ",\"visits\":[");
    for (int i = 0; i < PQntuples(rows); i++) {
        write_visit(&body, rows, i, find(&after, call_cell(rows, i, "id"))->why);
    }
    sbuf_text(&body, "]}");
    e = e == OK && sbuf_failed(&body) ? E_NOMEM : e;
    e = e == OK ? call_answer_raw(c, CONTENT_JSON, sbuf_slice(&body)) : e;
    sbuf_fini(&body);
    return e;
}
