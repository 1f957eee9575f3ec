/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Holidays as authorities and calendar programs publish them become closed days of everybody's. What is imported again changes what was imported before, and adds nothing
 * twice. */
#include "worker/call.h"
#include "worker/ical_days.h"

#define TEXT_OF(n) #n
#define TEXT(n)    TEXT_OF(n)
#define TO_COME    "1000" /* as for exceptions made by hand */

static const struct column import_columns[] = {
    { "added", T_INT, "Days, or spans of days, that are closed now" },
    { "changed", T_INT, "Those of which date or name is another" },
    { "removed", T_INT, "Those that the file says are cancelled" },
    { "skipped", T_JSON,
      "What is no holiday for us: uid, and why (no_uid, not_whole_days, recurrence, too_long)" },
    { 0 },
};

static const struct param import_params[] = {
    { .name = "ics",
      .in = IN_BODY,
      .type = T_FILE,
      .min = 1,
      .max = ICAL_DAYS_TEXT_MAX,
      .required = true,
      .doc = "An iCalendar file (RFC 5545). Its events of whole days until two years from now "
             "count, yearly ones too: at most 400" },
    { 0 },
};

static const struct param import_vars[] = { { .name = "days", .type = T_TEXT }, { 0 } };

static const struct stmt import_bounds = {
    "bounds",
    "SELECT to_char(t.day, 'YYYY-MM-DD') AS first, to_char(t.day + interval '2 years',"
    " 'YYYY-MM-DD') AS until FROM (SELECT (now() AT TIME ZONE time_zone)::date AS day FROM "
    "business) t",
};

/* Of an event that is there twice the last counts. */
static const struct stmt import_days = {
    "import",
    "WITH e AS MATERIALIZED (SELECT DISTINCT ON (j.uid) j.uid, j.first, j.last, j.reason, j.gone"
    " FROM ROWS FROM (jsonb_to_recordset(:days::jsonb) AS (uid text, first date, last date, reason "
    "text,"
    " gone boolean)) WITH ORDINALITY j(uid, first, last, reason, gone, n) ORDER BY j.uid, j.n "
    "DESC),"
    " removed AS (DELETE FROM schedule_exception x USING e WHERE x.uid = e.uid AND e.gone"
    " RETURNING x.id),"
    " put AS (INSERT INTO schedule_exception AS x(id, effect, first_day, last_day, reason, source, "
    "uid)"
    " SELECT gen_random_uuid(), 'closed', e.first, e.last, nullif(e.reason, ''), 'ical', e.uid"
    " FROM e WHERE NOT e.gone ON CONFLICT (uid) WHERE uid IS NOT NULL DO UPDATE SET"
    " first_day = excluded.first_day, last_day = excluded.last_day, reason = excluded.reason,"
    " version = x.version + 1, updated_at = now() WHERE (x.first_day, x.last_day, x.reason)"
    " IS DISTINCT FROM (excluded.first_day, excluded.last_day, excluded.reason)"
    " RETURNING x.version = 1 AS added)"
    " SELECT (SELECT count(*) FROM put WHERE added) AS added,"
    " (SELECT count(*) FROM put WHERE NOT added) AS changed,"
    " (SELECT count(*) FROM removed) AS removed",
};

static const struct stmt import_count = {
    "count",
    "SELECT count(*) <= " TO_COME " AS fits FROM schedule_exception WHERE last_day >= current_date",
};

static const struct stmt *const import_stmts[] = { &import_bounds, &import_days, &import_count,
                                                   NULL };

static void write_days(struct sbuf *out, const struct ical_days *days)
{
    sbuf_char(out, '[');
    for (size_t i = 0; i < days->count; i++) {
        const struct ical_day *d = &days->rows[i];
        sbuf_text(out, i ? ",{\"uid\":" : "{\"uid\":");
        sbuf_json(out, slice_of(d->uid));
        sbuf_fmt(out, ",\"first\":\"%s\",\"last\":\"%s\",\"gone\":%s,\"reason\":", d->first,
                 d->last, d->gone ? "true" : "false");
        sbuf_json(out, slice_of(d->reason));
        sbuf_char(out, '}');
    }
    sbuf_char(out, ']');
}

static void write_answer(struct sbuf *out, const PGresult *counts, const struct ical_days *days)
{
    sbuf_fmt(out, "{\"added\":%s,\"changed\":%s,\"removed\":%s,\"skipped\":[",
             call_cell(counts, 0, "added"), call_cell(counts, 0, "changed"),
             call_cell(counts, 0, "removed"));
    for (size_t i = 0; i < days->skipped_count; i++) {
        sbuf_text(out, i ? ",{\"uid\":" : "{\"uid\":");
        sbuf_json(out, slice_of(days->skipped[i].uid));
        sbuf_fmt(out, ",\"why\":\"%s\"}", days->skipped[i].why);
    }
    sbuf_text(out, "]}");
}

/* Days out of the file, within the next two years. */
static enum err read_file(struct call *c, struct ical_days *days)
{
    PGresult *bounds;
    TRY(call_query(c, &import_bounds, &bounds));
    enum err e = ical_days_read(slice_of(call_get(c, "ics")->text), call_cell(bounds, 0, "first"),
                                call_cell(bounds, 0, "until"), days);
    if (e == E_BAD_REQUEST) {
        return call_refuse_field(c, "/ics", "no_calendar", "No es un archivo iCalendar",
                                 "It is no iCalendar file");
    }
    if (e == E_LIMIT) {
        return call_refuse_field(c, "/ics", "too_many",
                                 "Tiene más de " TEXT(ICAL_DAYS_MAX) " días o " TEXT(
                                     ICAL_DAYS_YEARLY_MAX) " eventos anuales",
                                 "It has more than " TEXT(ICAL_DAYS_MAX) " days or " TEXT(
                                     ICAL_DAYS_YEARLY_MAX) " yearly events");
    }
    return e;
}

static enum err import(struct call *c)
{
    static struct ical_days days; /* a slot does one request at a time */
    PGresult *counts, *fits;
    struct sbuf text;
    TRY(read_file(c, &days));
    sbuf_init(&text);
    write_days(&text, &days);
    const char *list = sbuf_failed(&text) ? NULL : arena_text(c->arena, sbuf_slice(&text));
    sbuf_fini(&text);
    if (!list) {
        return E_NOMEM;
    }
    call_set(c, "days", list);
    TRY(call_query(c, &import_days, &counts));
    TRY(call_query(c, &import_count, &fits));
    if (!call_true(fits, 0, "fits")) {
        return call_refuse(c, E_LIMIT, "A lo más " TO_COME " excepciones por venir: borre algunas",
                           "At most " TO_COME " exceptions to come: delete some");
    }
    sbuf_init(&text);
    write_answer(&text, counts, &days);
    enum err e = sbuf_failed(&text) ? E_NOMEM : call_answer_raw(c, CONTENT_JSON, sbuf_slice(&text));
    sbuf_fini(&text);
    return e;
}

const struct route holiday_routes[] = {
    {
        .method = M_POST,
        .path = "/api/v1/schedule-exceptions/import",
        .summary = "Close the practice on the days of an iCalendar file: holidays",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .max_body = 640 * 1024,
        .params = import_params,
        .vars = import_vars,
        .columns = import_columns,
        .stmts = import_stmts,
        .handler = import,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    { 0 },
};
