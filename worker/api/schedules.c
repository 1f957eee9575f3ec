/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Schedules: the weeks in which somebody works or an asset is there, for all services or for one, for good or between two dates. Days on which none is
 * valid are the opening hours'; an asset is there around the clock then. */
#include "worker/api/current.h"
#include "worker/api/impact.h"
#include "worker/api/spans.h"

#define SCHEDULES_MAX 50  /* of one person or asset */
#define SPANS_MAX     100 /* of one schedule */
#define TEXT_OF(n)    #n
#define TEXT(n)       TEXT_OF(n)

#define DAYS "monday tuesday wednesday thursday friday saturday sunday"

/* Back to the texts that were given, by day and time. */
#define SPANS_OUT                                                                            \
    "(SELECT coalesce(jsonb_agg(o.name || ' ' || s.span || CASE s.parity WHEN 1 THEN ' odd'" \
    " WHEN 0 THEN ' even' ELSE '' END || CASE s.kind WHEN 'break' THEN ' break' ELSE '' END" \
    " ORDER BY s.weekday, s.starts, s.kind DESC, s.parity, s.span), '[]') FROM (SELECT "     \
    "weekday, " SPANS_TEXT                                                                   \
    " AS span, starts, parity, kind FROM schedule_span WHERE schedule_id = c.id) s"          \
    " JOIN unnest(string_to_array('" DAYS "', ' ')) WITH ORDINALITY o(name, weekday)"        \
    " USING (weekday)) AS spans"

#define SCHEDULE_OUT                                                                  \
    "c.id, c.name, c.staff_id, c.asset_id, c.service_id, c.time_zone, c.valid_from, " \
    "c.valid_to, " SPANS_OUT ", c.version, c.created_at, c.updated_at"

static const struct column schedule_columns[] = {
    { "id", T_UUID, NULL },
    { "name", T_TEXT, NULL },
    { "staff_id", T_UUID, "Whose it is; null: an asset's" },
    { "asset_id", T_UUID, "The room, chair or device whose it is" },
    { "service_id", T_TEXT, "Only for this service; null: for all" },
    { "time_zone", T_TEXT, "IANA zone of its times; null: the practice's" },
    { "valid_from", T_DATE, "First day; null: always" },
    { "valid_to", T_DATE, "Last day; null: for ever" },
    { "spans", T_JSON, "Like [\"monday 09:00-14:00\",\"monday 11:00-11:15 odd break\"]" },
    { "version", T_INT, NULL },
    { "created_at", T_INSTANT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param schedule_list_params[] = {
    { .name = "staff_id", .in = IN_QUERY, .type = T_UUID },
    { .name = "asset_id", .in = IN_QUERY, .type = T_UUID },
    { 0 },
};

static const struct sort schedule_sorts[] = {
    { "created_at", "created_at", "timestamptz", false },
    { 0 },
};

static const struct param schedule_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

#define SCHEDULE_BODY                                                                            \
    { .name = "service_id", .in = IN_BODY, .type = T_UUID, .nullable = true },                   \
        { .name = "time_zone", .in = IN_BODY, .type = T_ZONE, .nullable = true },                \
        { .name = "valid_from", .in = IN_BODY, .type = T_DATE, .nullable = true },               \
        { .name = "valid_to", .in = IN_BODY, .type = T_DATE, .nullable = true },                 \
    {                                                                                            \
        .name = "spans", .in = IN_BODY, .type = T_SPANS, .choices = DAYS, .max = SPANS_MAX,      \
        .doc = "All of them: a day that is not named is free. Those that end before they begin " \
               "end on the next day; odd and even are ISO weeks"                                 \
    }

static const struct param schedule_create_params[] = {
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 80, .required = true },
    { .name = "staff_id", .in = IN_BODY, .type = T_UUID, .doc = "Either this or asset_id" },
    { .name = "asset_id", .in = IN_BODY, .type = T_UUID },
    SCHEDULE_BODY,
    { 0 },
};

#define SCHEDULE_CHANGE                              \
    { .name = "id", .in = IN_PATH, .type = T_UUID }, \
        { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 80 }, SCHEDULE_BODY

static const struct param schedule_change_params[] = { SCHEDULE_CHANGE, { 0 } };
static const struct param schedule_change_impact_params[] = { SCHEDULE_CHANGE,
                                                              IMPACT_DELETED,
                                                              { 0 } };

#define SCHEDULE_VARS                   \
    {                                   \
        .name = "to_id", .type = T_UUID \
    }
static const struct param schedule_vars[] = { SCHEDULE_VARS, { 0 } };
static const struct param schedule_impact_vars[] = { SCHEDULE_VARS, IMPACT_VARS, { 0 } };

/* ---- statements ---- */

#define NAMED_OK                                                                               \
    "(:service_id::uuid IS NULL OR EXISTS (SELECT FROM service s WHERE s.id = :service_id"     \
    " AND s.archived_at IS NULL)) AS service_ok, (:time_zone::text IS NULL OR ext.zone_known(" \
    ":time_zone)) AS zone_ok"

/* Who makes schedules of one person or asset at once does it one after the other, so that they are counted. */
static const struct stmt schedule_check = {
    "check",
    "SELECT t.id IS NOT NULL OR f.id IS NOT NULL AS owner_ok, " NAMED_OK
    ", coalesce(:valid_from <= :valid_to, true) AS dates_ok"
    " FROM (VALUES (1)) one(row) LEFT JOIN LATERAL (SELECT id FROM staff WHERE id = :staff_id"
    " AND archived_at IS NULL FOR NO KEY UPDATE) t ON true LEFT JOIN LATERAL (SELECT id FROM asset"
    " WHERE id = :asset_id AND archived_at IS NULL FOR NO KEY UPDATE) f ON true",
};

static const struct stmt schedule_insert = {
    "insert",
    "INSERT INTO schedule(id, name, staff_id, asset_id, service_id, time_zone, valid_from,"
    " valid_to) SELECT :new_id, :name, :staff_id, :asset_id, :service_id, :time_zone, :valid_from,"
    " :valid_to WHERE (SELECT count(*) FROM schedule o WHERE o.staff_id = :staff_id"
    " OR o.asset_id = :asset_id)"
    " < " TEXT(SCHEDULES_MAX) " RETURNING id",
};

static const struct stmt schedule_find = {
    "find",
    "SELECT version = :if_version AS fresh, coalesce(staff_id, asset_id) AS of_id,"
    " true AS owner_ok, " NAMED_OK
    ", coalesce(CASE WHEN :valid_from? THEN :valid_from ELSE valid_from END"
    " <= CASE WHEN :valid_to? THEN :valid_to ELSE valid_to END, true) AS dates_ok"
    " FROM schedule WHERE id = :id FOR UPDATE",
};

/* clang-format off */
static const struct stmt schedule_update = {
    "update",
    "UPDATE schedule SET "
    PATCH_COLUMN("name") ", "
    PATCH_COLUMN("service_id") ", "
    PATCH_COLUMN("time_zone") ", "
    PATCH_COLUMN("valid_from") ", "
    PATCH_COLUMN("valid_to") ", "
    "version = version + 1, updated_at = now() WHERE id = :id",
};
/* clang-format on */

static const struct stmt schedule_clear = {
    "clear",
    "DELETE FROM schedule_span WHERE schedule_id = :to_id",
};

/* Two texts may say the same: 00:00-24:00 and 00:00-00:00. */
static const struct stmt schedule_fill = {
    "fill",
    "INSERT INTO schedule_span(schedule_id, kind, weekday, starts, minutes, parity)"
    " SELECT DISTINCT :to_id, CASE WHEN s.text LIKE '% break' THEN 'break' ELSE 'work' END,"
    " array_position(string_to_array('" DAYS "', ' '), split_part(s.text, ' ', 1)), " SPANS_PARSED
    ", CASE split_part(s.text, ' ', 3) WHEN 'odd' THEN 1 WHEN 'even' THEN 0 END"
    " FROM (SELECT x.text, split_part(x.text, ' ', 2) AS span FROM unnest(:spans::text[]) x(text)"
    ") s",
};

#define SCHEDULE_DELETE "DELETE FROM schedule WHERE id = :id AND version = :if_version RETURNING id"
static const struct stmt schedule_delete = { "delete", SCHEDULE_DELETE };

static const struct stmt schedule_read = {
    "read",
    "SELECT " SCHEDULE_OUT " FROM schedule c WHERE c.id = :to_id",
};

static const struct stmt *const schedule_create_stmts[] = {
    &schedule_check, &schedule_insert, &schedule_fill, &schedule_read, NULL,
};
static const struct stmt *const schedule_change_stmts[] = {
    &schedule_find, &schedule_update, &schedule_clear, &schedule_fill, &schedule_read, NULL,
};
static const struct stmt *const schedule_create_impact_stmts[] = {
    &schedule_check, &schedule_insert, &schedule_fill, &impact_look, &impact_show, NULL,
};
static const struct stmt *const schedule_change_impact_stmts[] = {
    &schedule_find,   &schedule_update, &schedule_clear, &schedule_fill,
    &schedule_delete, &impact_look,     &impact_show,    NULL,
};

/* ---- handlers ---- */

/* owner: the pointer of whose it is. */
static enum err judge(struct call *c, const PGresult *check, const char *owner)
{
    if (!call_true(check, 0, "owner_ok")) {
        return call_refuse_field(c, owner, "not_found", "No existe o está archivado",
                                 "There is none of that id, or it is archived");
    }
    if (call_cell(check, 0, "service_ok")[0] != 't') {
        return call_refuse_field(c, "/service_id", "not_found",
                                 "No existe ese servicio o está archivado",
                                 "There is no such service, or it is archived");
    }
    if (call_cell(check, 0, "zone_ok")[0] != 't') {
        return call_refuse_field(c, "/time_zone", "unknown_zone", "No se conoce esa zona horaria",
                                 "That time zone is not known");
    }
    if (call_cell(check, 0, "dates_ok")[0] != 't') {
        return call_refuse_field(c, "/valid_to", "out_of_range", "Es anterior al primer día",
                                 "It is before the first day");
    }
    return OK;
}

static enum err answer(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &schedule_read, &rows));
    return call_answer(c, rows);
}

static enum err insert(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &schedule_insert, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_STATE_CONFLICT,
                           "Ya hay " TEXT(SCHEDULES_MAX) " horarios: borre alguno",
                           "There are " TEXT(SCHEDULES_MAX) " schedules already: delete one");
    }
    call_set(c, "to_id", call_get(c, "new_id")->text);
    return call_post(c, &schedule_fill);
}

/* Whose it is to be is there, and everything else that it names. */
static enum err check_new(struct call *c)
{
    PGresult *rows;
    bool of_asset = call_get(c, "asset_id")->present;
    if (of_asset == call_get(c, "staff_id")->present) {
        return call_refuse_field(c, "/staff_id", "required",
                                 "Indique staff_id o asset_id, solo uno",
                                 "Say staff_id or asset_id, one of them");
    }
    TRY(call_query(c, &schedule_check, &rows));
    return judge(c, rows, of_asset ? "/asset_id" : "/staff_id");
}

static enum err create(struct call *c)
{
    TRY(check_new(c));
    TRY(insert(c));
    return answer(c);
}

static enum err update(struct call *c)
{
    call_set(c, "to_id", call_get(c, "id")->text);
    TRY(call_post(c, &schedule_update));
    if (call_get(c, "spans")->present) {
        TRY(call_post(c, &schedule_clear));
        TRY(call_post(c, &schedule_fill));
    }
    return OK;
}

static enum err change(struct call *c)
{
    PGresult *rows;
    TRY(current_row(c, &schedule_find, &rows));
    TRY(judge(c, rows, "/id"));
    TRY(update(c));
    return answer(c);
}

/* A new one changes nothing but the days on which it is valid. */
static enum err create_impact(struct call *c)
{
    struct impact i;
    TRY(check_new(c));
    call_set(c, "of_id",
             call_get(c, call_get(c, "asset_id")->present ? "asset_id" : "staff_id")->text);
    call_set(c, "of_first", call_get(c, "valid_from")->text);
    call_set(c, "of_last", call_get(c, "valid_to")->text);
    TRY(impact_begin(c, &i));
    TRY(insert(c));
    return impact_answer(c, &i);
}

static enum err change_impact(struct call *c)
{
    PGresult *rows;
    struct impact i;
    bool deleted;
    TRY(impact_deletes(c, &deleted));
    TRY(current_row(c, &schedule_find, &rows));
    TRY(judge(c, rows, "/id"));
    call_set(c, "of_id", call_cell(rows, 0, "of_id"));
    TRY(impact_begin(c, &i));
    TRY(deleted ? call_post(c, &schedule_delete) : update(c));
    return impact_answer(c, &i);
}

const struct route schedule_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/schedules",
        .summary = "List schedules, the oldest first",
        .need = PERM_STAFF_READ,
        .cost = COST_FAST,
        .params = schedule_list_params,
        .columns = schedule_columns,
        .sorts = schedule_sorts,
        .sql = "SELECT " SCHEDULE_OUT " FROM schedule c"
               " WHERE (:staff_id::uuid IS NULL OR c.staff_id = :staff_id)"
               " AND (:asset_id::uuid IS NULL OR c.asset_id = :asset_id)",
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/schedules",
        .summary = "Make a schedule: from when on somebody works, or an asset is there, when",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = schedule_create_params,
        .vars = schedule_vars,
        .columns = schedule_columns,
        .stmts = schedule_create_stmts,
        .handler = create,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
        .location = "/api/v1/schedules/{id}",
    },
    {
        .method = M_GET,
        .path = "/api/v1/schedules/{id}",
        .summary = "Read a schedule",
        .need = PERM_STAFF_READ,
        .cost = COST_FAST,
        .params = schedule_one_params,
        .columns = schedule_columns,
        .sql = "SELECT " SCHEDULE_OUT " FROM schedule c WHERE c.id = :id",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/schedules/{id}",
        .summary = "Change a schedule; spans that are given replace all",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = schedule_change_params,
        .vars = schedule_vars,
        .columns = schedule_columns,
        .stmts = schedule_change_stmts,
        .handler = change,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/schedules/{id}",
        .summary = "Delete a schedule; what is booked stays",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = schedule_one_params,
        .sql = SCHEDULE_DELETE,
        .probe = "SELECT 1 FROM schedule WHERE id = :id",
        .shape = SHAPE_NONE,
        .success = 204,
        .if_match = true,
    },
    {
        .method = M_POST,
        .path = "/api/v1/schedules/impact",
        .summary = "What if this schedule was made: visits that would be outside of hours",
        .need = PERM_APPOINTMENT_READ,
        .also = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = schedule_create_params,
        .vars = schedule_impact_vars,
        .columns = impact_columns,
        .stmts = schedule_create_impact_stmts,
        .handler = create_impact,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/schedules/{id}/impact",
        .summary = "What if it was changed so, or deleted: visits that would be outside of hours",
        .need = PERM_APPOINTMENT_READ,
        .also = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = schedule_change_impact_params,
        .vars = schedule_impact_vars,
        .columns = impact_columns,
        .stmts = schedule_change_impact_stmts,
        .handler = change_impact,
        .shape = SHAPE_RAW,
        .success = 200,
        .if_match = true,
    },
    { 0 },
};
