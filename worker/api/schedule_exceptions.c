/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What is otherwise on certain days: closed (a holiday, an absence), open besides the usual hours, or special hours instead of them; for one person, for
 * one asset or for everybody. Closed wins over everything. */
#include "worker/api/current.h"
#include "worker/api/impact.h"
#include "worker/api/spans.h"

#define EXCEPTIONS_MAX 1000 /* that are not over */
#define TEXT_OF(n)     #n
#define TEXT(n)        TEXT_OF(n)

#define EXCEPTION_OUT                                                                            \
    "id, staff_id, asset_id, effect, first_day, last_day, CASE WHEN starts IS NULL THEN "        \
    "'[]'::jsonb"                                                                                \
    " ELSE jsonb_build_array(" SPANS_TEXT ") END AS hours, reason, source, version, created_at," \
    " updated_at"

static const struct column exception_columns[] = {
    { "id", T_UUID, NULL },
    { "staff_id", T_UUID, "null: everybody, unless it is an asset's" },
    { "asset_id", T_UUID, NULL },
    { "effect", T_TEXT, "closed, open or special" },
    { "first_day", T_DATE, "Of the practice's zone" },
    { "last_day", T_DATE, NULL },
    { "hours", T_JSON, "Of each of these days, like [\"09:00-12:00\"]; none: the whole day" },
    { "reason", T_TEXT, NULL },
    { "source", T_TEXT, "manual, or ical: it was imported" },
    { "version", T_INT, NULL },
    { "created_at", T_INSTANT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param exception_list_params[] = {
    { .name = "from",
      .in = IN_QUERY,
      .type = T_DATE,
      .doc = "Those that end on this day or later" },
    { .name = "to",
      .in = IN_QUERY,
      .type = T_DATE,
      .doc = "Those that begin on this day or before" },
    { .name = "staff_id",
      .in = IN_QUERY,
      .type = T_UUID,
      .doc = "What is about this person; those about everybody too" },
    { .name = "asset_id", .in = IN_QUERY, .type = T_UUID },
    { 0 },
};

static const struct sort exception_sorts[] = {
    { "first_day", "first_day", "date", false },
    { "-first_day", "first_day", "date", true },
    { 0 },
};

static const struct param exception_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

#define EXCEPTION_BODY(must)                                                                       \
    { .name = "effect",                                                                            \
      .in = IN_BODY,                                                                               \
      .type = T_CHOICE,                                                                            \
      .choices = "closed open special",                                                            \
      .required = must },                                                                          \
        { .name = "first_day", .in = IN_BODY, .type = T_DATE, .required = must },                  \
        { .name = "last_day",                                                                      \
          .in = IN_BODY,                                                                           \
          .type = T_DATE,                                                                          \
          .doc = "At most 730 days later; the first one when absent" },                            \
        { .name = "hours",                                                                         \
          .in = IN_BODY,                                                                           \
          .type = T_SPANS,                                                                         \
          .max = 1,                                                                                \
          .doc = "One span; only closed days may have none. Several exceptions of a day add up" }, \
    {                                                                                              \
        .name = "reason", .in = IN_BODY, .type = T_TEXT, .max = 200, .nullable = true              \
    }

static const struct param exception_create_params[] = {
    { .name = "staff_id",
      .in = IN_BODY,
      .type = T_UUID,
      .nullable = true,
      .doc = "null: everybody, unless there is asset_id" },
    { .name = "asset_id", .in = IN_BODY, .type = T_UUID, .nullable = true },
    EXCEPTION_BODY(true),
    { 0 },
};

#define EXCEPTION_CHANGE { .name = "id", .in = IN_PATH, .type = T_UUID }, EXCEPTION_BODY(false)

static const struct param exception_change_params[] = { EXCEPTION_CHANGE, { 0 } };
static const struct param exception_change_impact_params[] = { EXCEPTION_CHANGE,
                                                               IMPACT_DELETED,
                                                               { 0 } };

#define EXCEPTION_VARS                                                               \
    { .name = "to_effect", .type = T_TEXT }, { .name = "to_first", .type = T_DATE }, \
    {                                                                                \
        .name = "to_last", .type = T_DATE                                            \
    }
static const struct param exception_vars[] = { EXCEPTION_VARS, { 0 } };
static const struct param exception_impact_vars[] = { EXCEPTION_VARS, IMPACT_VARS, { 0 } };

/* ---- statements ---- */

/* What it would be: effect, first and last day, whether it would have hours. */
static const struct stmt exception_check = {
    "check",
    "SELECT :staff_id::uuid IS NULL OR EXISTS (SELECT FROM staff WHERE id = :staff_id"
    " AND archived_at IS NULL) AS staff_ok, :asset_id::uuid IS NULL OR :staff_id::uuid IS NULL"
    " AND EXISTS (SELECT FROM asset WHERE id = :asset_id AND archived_at IS NULL) AS asset_ok,"
    " :effect AS effect, :first_day AS first_day,"
    " coalesce(:last_day, :first_day) AS last_day, coalesce(:last_day, :first_day) - :first_day"
    " BETWEEN 0 AND 730 AS days_ok, coalesce(:hours, '{}') <> '{}' AS hours_given",
};

static const struct stmt exception_find = {
    "find",
    "SELECT version = :if_version AS fresh, true AS staff_ok, true AS asset_ok, n.effect,"
    " n.first_day, n.last_day, coalesce(e.staff_id, e.asset_id) AS of_id,"
    " least(e.first_day, n.first_day) AS from_day, greatest(e.last_day, n.last_day) AS to_day,"
    " n.last_day - n.first_day BETWEEN 0 AND 730 AS days_ok,"
    " CASE WHEN :hours? THEN coalesce(:hours, '{}') <> '{}' ELSE e.starts IS NOT NULL END"
    " AS hours_given FROM schedule_exception e CROSS JOIN LATERAL (SELECT"
    " coalesce(:effect, e.effect) AS effect, coalesce(:first_day, e.first_day) AS first_day,"
    " coalesce(:last_day, e.last_day) AS last_day) n WHERE e.id = :id FOR UPDATE OF e",
};

#define HOURS "(SELECT " SPANS_PARSED " FROM unnest(:hours::text[]) s(span)) h(starts, minutes)"

/* clang-format off */
static const struct stmt exception_insert = {
    "insert",
    "INSERT INTO schedule_exception(id, staff_id, asset_id, effect, first_day, last_day, starts,"
    " minutes, reason) SELECT :new_id, :staff_id, :asset_id, :to_effect, :to_first, :to_last,"
    " h.starts, h.minutes, :reason FROM (VALUES (1)) one(row) LEFT JOIN " HOURS " ON true"
    " WHERE (SELECT count(*) FROM schedule_exception WHERE last_day >= current_date)"
    " < " TEXT(EXCEPTIONS_MAX) " RETURNING " EXCEPTION_OUT,
};

static const struct stmt exception_update = {
    "update",
    "UPDATE schedule_exception e SET effect = :to_effect, first_day = :to_first,"
    " last_day = :to_last, " PATCH_COLUMN("reason") ","
    " starts = CASE WHEN :hours? THEN n.starts ELSE e.starts END,"
    " minutes = CASE WHEN :hours? THEN n.minutes ELSE e.minutes END,"
    " version = version + 1, updated_at = now() FROM (SELECT h.starts, h.minutes"
    " FROM (VALUES (1)) one(row) LEFT JOIN " HOURS " ON true) n(starts, minutes)"
    " WHERE id = :id RETURNING id",
};
/* clang-format on */

#define EXCEPTION_DELETE \
    "DELETE FROM schedule_exception WHERE id = :id AND version = :if_version RETURNING id"
static const struct stmt exception_delete = { "delete", EXCEPTION_DELETE };

static const struct stmt exception_read = {
    "read",
    "SELECT " EXCEPTION_OUT " FROM schedule_exception WHERE id = :id",
};

static const struct stmt *const exception_create_stmts[] = { &exception_check, &exception_insert,
                                                             NULL };
static const struct stmt *const exception_change_stmts[] = { &exception_find, &exception_update,
                                                             &exception_read, NULL };
static const struct stmt *const exception_create_impact_stmts[] = {
    &exception_check, &exception_insert, &impact_look, &impact_show, NULL,
};
static const struct stmt *const exception_change_impact_stmts[] = {
    &exception_find, &exception_update, &exception_delete, &impact_look, &impact_show, NULL,
};

/* ---- handlers ---- */

static enum err judge(struct call *c, const PGresult *check)
{
    if (call_cell(check, 0, "staff_ok")[0] != 't') {
        return call_refuse_field(c, "/staff_id", "not_found",
                                 "No existe esa persona o está archivada",
                                 "There is nobody of that id, or they are archived");
    }
    if (!call_true(check, 0, "asset_ok")) {
        return call_refuse_field(c, "/asset_id", "not_found",
                                 "No existe o está archivado, o es además de una persona",
                                 "There is none of that id, or it is archived, or there is"
                                 " somebody's staff_id too");
    }
    if (call_cell(check, 0, "days_ok")[0] != 't') {
        return call_refuse_field(c, "/last_day", "out_of_range",
                                 "Debe estar en los 730 días después del primero",
                                 "It must be within the 730 days after the first");
    }
    if (call_cell(check, 0, "hours_given")[0] != 't' &&
        strcmp(call_cell(check, 0, "effect"), "closed") != 0) {
        return call_refuse_field(c, "/hours", "required", "Indique las horas", "Say the hours");
    }
    call_set(c, "to_effect", call_cell(check, 0, "effect"));
    call_set(c, "to_first", call_cell(check, 0, "first_day"));
    call_set(c, "to_last", call_cell(check, 0, "last_day"));
    return OK;
}

static enum err insert(struct call *c, PGresult **rows)
{
    TRY(call_query(c, &exception_insert, rows));
    return PQntuples(*rows)
               ? OK
               : call_refuse(c, E_STATE_CONFLICT,
                             "Ya hay " TEXT(EXCEPTIONS_MAX) " excepciones por venir: "
                                                            "borre alguna",
                             "There are " TEXT(EXCEPTIONS_MAX) " exceptions to come: delete one");
}

static enum err create(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &exception_check, &rows));
    TRY(judge(c, rows));
    TRY(insert(c, &rows));
    return call_answer(c, rows);
}

static enum err change(struct call *c)
{
    PGresult *rows;
    TRY(current_row(c, &exception_find, &rows));
    TRY(judge(c, rows));
    TRY(call_post(c, &exception_update));
    TRY(call_query(c, &exception_read, &rows));
    return call_answer(c, rows);
}

static enum err create_impact(struct call *c)
{
    PGresult *rows;
    struct impact i;
    TRY(call_query(c, &exception_check, &rows));
    TRY(judge(c, rows));
    call_set(c, "of_id",
             call_get(c, call_get(c, "asset_id")->text ? "asset_id" : "staff_id")->text);
    call_set(c, "of_first", call_get(c, "to_first")->text);
    call_set(c, "of_last", call_get(c, "to_last")->text);
    TRY(impact_begin(c, &i));
    TRY(insert(c, &rows));
    return impact_answer(c, &i);
}

static enum err change_impact(struct call *c)
{
    PGresult *rows;
    struct impact i;
    bool deleted;
    TRY(impact_deletes(c, &deleted));
    TRY(current_row(c, &exception_find, &rows));
    TRY(judge(c, rows));
    call_set(c, "of_id", call_cell(rows, 0, "of_id"));
    call_set(c, "of_first", call_cell(rows, 0, "from_day"));
    call_set(c, "of_last", call_cell(rows, 0, "to_day"));
    TRY(impact_begin(c, &i));
    TRY(call_post(c, deleted ? &exception_delete : &exception_update));
    return impact_answer(c, &i);
}

const struct route schedule_exception_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/schedule-exceptions",
        .summary = "List closed days, absences and special hours",
        .need = PERM_STAFF_READ,
        .cost = COST_FAST,
        .params = exception_list_params,
        .columns = exception_columns,
        .sorts = exception_sorts,
        .sql = "SELECT " EXCEPTION_OUT " FROM schedule_exception"
               " WHERE (:from::date IS NULL OR last_day >= :from)"
               " AND (:to::date IS NULL OR first_day <= :to)"
               " AND (:staff_id::uuid IS NULL OR staff_id = :staff_id OR num_nonnulls(staff_id,"
               " asset_id) = 0) AND (:asset_id::uuid IS NULL OR asset_id = :asset_id)",
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/schedule-exceptions",
        .summary = "Close days, or open them at other hours, for somebody or for everybody",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = exception_create_params,
        .vars = exception_vars,
        .columns = exception_columns,
        .stmts = exception_create_stmts,
        .handler = create,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
        .location = "/api/v1/schedule-exceptions/{id}",
    },
    {
        .method = M_GET,
        .path = "/api/v1/schedule-exceptions/{id}",
        .summary = "Read an exception",
        .need = PERM_STAFF_READ,
        .cost = COST_FAST,
        .params = exception_one_params,
        .columns = exception_columns,
        .sql = "SELECT " EXCEPTION_OUT " FROM schedule_exception WHERE id = :id",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/schedule-exceptions/{id}",
        .summary = "Change an exception; it stays the same person's",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = exception_change_params,
        .vars = exception_vars,
        .columns = exception_columns,
        .stmts = exception_change_stmts,
        .handler = change,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/schedule-exceptions/{id}",
        .summary = "Delete an exception; what is booked stays",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = exception_one_params,
        .sql = EXCEPTION_DELETE,
        .probe = "SELECT 1 FROM schedule_exception WHERE id = :id",
        .shape = SHAPE_NONE,
        .success = 204,
        .if_match = true,
    },
    {
        .method = M_POST,
        .path = "/api/v1/schedule-exceptions/impact",
        .summary = "What if these days were so: visits that would be outside of hours",
        .need = PERM_APPOINTMENT_READ,
        .also = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = exception_create_params,
        .vars = exception_impact_vars,
        .columns = impact_columns,
        .stmts = exception_create_impact_stmts,
        .handler = create_impact,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/schedule-exceptions/{id}/impact",
        .summary = "What if it was changed so, or deleted: visits that would be outside of hours",
        .need = PERM_APPOINTMENT_READ,
        .also = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = exception_change_impact_params,
        .vars = exception_impact_vars,
        .columns = impact_columns,
        .stmts = exception_change_impact_stmts,
        .handler = change_impact,
        .shape = SHAPE_RAW,
        .success = 200,
        .if_match = true,
    },
    { 0 },
};
