/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Time that is taken without a visit: an errand, a meeting, a chair under repair. It stands where visits stand, so neither is ever over the other. Whole days and hours
 * that recur are exceptions' and schedules'. */
#include "common/clock.h"
#include "worker/api/appointment.h"
#include "worker/visit_sql.h"

#define DAYS_MAX "31"

#define BLOCK_OUT                                                                       \
    "x.id, t.id AS staff_id, f.id AS asset_id, lower(x.busy) AS starts_at,"             \
    " lower(x.busy) AT TIME ZONE b.time_zone AS local_start, upper(x.busy) AS ends_at," \
    " upper(x.busy) AT TIME ZONE b.time_zone AS local_end, b.time_zone, x.reason"
/* An asset's is everybody's to see. */
#define BLOCK_OF                                                                           \
    " LEFT JOIN staff t ON t.id = x.resource_id LEFT JOIN asset f ON f.id = x.resource_id" \
    " CROSS JOIN (SELECT (SELECT time_zone FROM business) AS time_zone) b"

static const struct column block_columns[] = {
    { "id", T_UUID, NULL },       { "staff_id", T_UUID, NULL },
    { "asset_id", T_UUID, NULL }, { "starts_at", T_ZONED, NULL },
    { "ends_at", T_ZONED, NULL }, { "time_zone", T_TEXT, "IANA zone of starts_at and ends_at" },
    { "reason", T_TEXT, NULL },   { 0 },
};

static const struct param list_params[] = {
    { .name = "from",
      .in = IN_QUERY,
      .type = T_MOMENT,
      .doc = "Those that end later: a day of the practice's zone, or a date-time" },
    { .name = "to",
      .in = IN_QUERY,
      .type = T_MOMENT,
      .doc = "Those that begin on or before this day, or before this date-time" },
    { .name = "staff_id", .in = IN_QUERY, .type = T_UUID },
    { .name = "asset_id", .in = IN_QUERY, .type = T_UUID },
    { 0 },
};

static const struct sort list_sorts[] = {
    { "starts_at", "starts_at", "timestamptz", false },
    { 0 },
};

static const struct param one_params[] = { { .name = "id", .in = IN_PATH, .type = T_UUID }, { 0 } };

static const struct param make_params[] = {
    { .name = "staff_id", .in = IN_BODY, .type = T_UUID, .doc = "Either this or asset_id" },
    { .name = "asset_id", .in = IN_BODY, .type = T_UUID },
    { .name = "starts_at", .in = IN_BODY, .type = T_TIME, .required = true },
    { .name = "ends_at",
      .in = IN_BODY,
      .type = T_TIME,
      .required = true,
      .doc = "At most " DAYS_MAX " days later" },
    { .name = "reason", .in = IN_BODY, .type = T_TEXT, .max = 200, .nullable = true },
    { 0 },
};

static const struct param make_vars[] = {
    { .name = "to_client", .type = T_UUID },  { .name = "to_staff", .type = T_UUID },
    { .name = "to_service", .type = T_UUID }, { .name = "from_offset", .type = T_BOOL },
    { .name = "to_offset", .type = T_BOOL },  { .name = "from_at", .type = T_TIME },
    { .name = "to_at", .type = T_TIME },      { 0 },
};

static const struct param drop_vars[] = { { .name = "gone", .type = T_UUID }, { 0 } };

/* clang-format off */
#define INSTANTS(offset, time) \
    "(SELECT CASE WHEN :" offset " THEN ARRAY[:" time "::timestamptz]" \
    " ELSE ext.local_instants(:" time "::timestamp, b.time_zone) END AS instants)"

static const struct stmt block_check = {
    "check",
    "SELECT t.id IS NOT NULL AS staff_ok, f.id IS NOT NULL AS asset_ok, v.instants[1] AS from_at,"
    " w.instants[1] AS to_at, v.instants[2] IS NOT NULL OR w.instants[2] IS NOT NULL AS twice,"
    " w.instants[1] > v.instants[1] AND w.instants[1] <= v.instants[1] + interval '" DAYS_MAX " days'"
    " AS length_ok, v.instants[1] BETWEEN now() - interval '1 year' AND now() + interval '2 years'"
    " AS in_range FROM (SELECT (SELECT time_zone FROM business) AS time_zone) b"
    " LEFT JOIN staff t ON t.id = :staff_id AND t.archived_at IS NULL AND :scope(staff t)"
    " LEFT JOIN asset f ON f.id = :asset_id AND f.archived_at IS NULL CROSS JOIN LATERAL "
    INSTANTS("from_offset", "starts_at") " v CROSS JOIN LATERAL " INSTANTS("to_offset", "ends_at") " w",
};

static const struct stmt block_insert = {
    "insert",
    "WITH x AS (INSERT INTO allocation(id, resource_id, busy, kind, reason) SELECT :new_id, :to_staff,"
    " tstzrange(:from_at::timestamptz, :to_at::timestamptz), 'block', :reason"
    " RETURNING id, resource_id, busy, reason) SELECT " BLOCK_OUT " FROM x" BLOCK_OF,
};

static const struct stmt block_drop = {
    "drop",
    "DELETE FROM allocation x WHERE x.id = :id AND x.kind = 'block' AND (EXISTS (SELECT FROM staff t"
    " WHERE t.id = x.resource_id AND :scope(staff t)) OR EXISTS (SELECT FROM asset f"
    " WHERE f.id = x.resource_id)) RETURNING x.resource_id",
};
static const struct stmt block_wake = { "wake", "SELECT " VISIT_WAKES_WAITLIST " AND :gone IS NOT NULL" };
/* clang-format on */

static const struct stmt *const make_stmts[] = { &block_check, &appointment_lock,
                                                 &appointment_sweep, &block_insert, NULL };
static const struct stmt *const drop_stmts[] = { &block_drop, &block_wake, NULL };

static enum err refuse_owner(struct call *c, bool of_asset)
{
    return of_asset ? call_refuse_field(c, "/asset_id", "not_found", "No existe o está archivado",
                                        "There is none of that id, or it is archived")
                    : call_refuse_field(c, "/staff_id", "not_found",
                                        "No existe esa persona o está archivada",
                                        "There is nobody of that id, or they are archived");
}

static enum err ask_time(struct call *c, const char *name, const char *offset)
{
    int64_t local;
    bool has_offset;
    int minutes;
    TRY(clock_parse(slice_of(call_get(c, name)->text), &local, &has_offset, &minutes));
    call_set(c, offset, has_offset ? "t" : "f");
    return OK;
}

static enum err judge(struct call *c, const PGresult *check, bool of_asset)
{
    if (!call_true(check, 0, of_asset ? "asset_ok" : "staff_ok")) {
        return refuse_owner(c, of_asset);
    }
    if (!call_cell(check, 0, "from_at") || !call_cell(check, 0, "to_at")) {
        return call_refuse(c, E_TIME_NONEXISTENT, NULL, NULL);
    }
    if (call_true(check, 0, "twice")) {
        return call_refuse(c, E_TIME_AMBIGUOUS, NULL, NULL);
    }
    if (!call_true(check, 0, "length_ok")) {
        return call_refuse_field(c, "/ends_at", "out_of_range",
                                 "Debe ser después, a lo más " DAYS_MAX " días",
                                 "It must be later, by at most " DAYS_MAX " days");
    }
    return call_true(check, 0, "in_range")
               ? OK
               : call_refuse_field(c, "/starts_at", "out_of_range",
                                   "Debe estar entre hace un año y dentro de dos",
                                   "It must be between a year ago and two years ahead");
}

/* Behind the lock of bookings; what is there already the constraint says. */
static enum err make(struct call *c)
{
    PGresult *rows;
    bool of_asset = call_get(c, "asset_id")->text != NULL;
    if (of_asset == (call_get(c, "staff_id")->text != NULL)) {
        return call_refuse_field(c, "/staff_id", "required",
                                 "Indique staff_id o asset_id, solo uno",
                                 "Say staff_id or asset_id, one of them");
    }
    if (of_asset && c->reach != REACH_ALL) { /* it is nobody's own */
        return refuse_owner(c, true);
    }
    TRY(ask_time(c, "starts_at", "from_offset"));
    TRY(ask_time(c, "ends_at", "to_offset"));
    TRY(call_query(c, &block_check, &rows));
    TRY(judge(c, rows, of_asset));
    call_set(c, "to_staff", call_get(c, of_asset ? "asset_id" : "staff_id")->text);
    call_set(c, "from_at", call_cell(rows, 0, "from_at"));
    call_set(c, "to_at", call_cell(rows, 0, "to_at"));
    TRY(call_post(c, &appointment_lock));
    TRY(call_post(c, &appointment_sweep));
    TRY(call_query(c, &block_insert, &rows));
    return call_answer(c, rows);
}

static enum err drop(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &block_drop, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    call_set(c, "gone", PQgetvalue(rows, 0, 0));
    TRY(call_post(c, &block_wake));
    return call_answer_none(c);
}

const struct route block_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/blocks",
        .summary = "List time that is taken without a visit",
        .need = PERM_APPOINTMENT_READ,
        .cost = COST_FAST,
        .params = list_params,
        .columns = block_columns,
        .sorts = list_sorts,
        .sql = "SELECT " BLOCK_OUT " FROM allocation x" BLOCK_OF
               " WHERE x.kind = 'block' AND (f.id IS NOT NULL OR :scope(staff t))"
               " AND (:from::text IS NULL OR upper(x.busy) > ext.moment(:from, b.time_zone, 0))"
               " AND (:to::text IS NULL OR lower(x.busy) < ext.moment(:to, b.time_zone, 1))"
               " AND (:staff_id::uuid IS NULL OR t.id = :staff_id)"
               " AND (:asset_id::uuid IS NULL OR f.id = :asset_id)",
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/blocks",
        .summary = "Take time of somebody's, or of an asset's, without a visit",
        .need = PERM_APPOINTMENT_CHANGE,
        .cost = COST_FAST,
        .params = make_params,
        .vars = make_vars,
        .columns = block_columns,
        .stmts = make_stmts,
        .handler = make,
        .shape = SHAPE_ONE,
        .success = 201,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/blocks/{id}",
        .summary = "Give the time back",
        .need = PERM_APPOINTMENT_CHANGE,
        .cost = COST_FAST,
        .params = one_params,
        .vars = drop_vars,
        .stmts = drop_stmts,
        .handler = drop,
        .shape = SHAPE_NONE,
        .success = 204,
        .any_version = true,
    },
    { 0 },
};
