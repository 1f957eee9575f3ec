/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Appointments are booked, moved and cancelled by the statements of any other (appointment_sql.c); here is what makes them a series. */
#include "worker/api/series.h"

/* clang-format off */

#define KEY(column)  "to_char(" column ", '" SERIES_KEY_FORMAT "')"
/* RFC 3339 of an instant whose local time is known. */
#define RFC3339(at, local) \
    "to_char(" local ", 'YYYY-MM-DD\"T\"HH24:MI:SS') || CASE WHEN " local " < " at " AT TIME ZONE 'UTC'" \
    " THEN '-' ELSE '+' END || to_char(greatest(" local ", " at " AT TIME ZONE 'UTC')" \
    " - least(" local ", " at " AT TIME ZONE 'UTC'), 'HH24:MI')"
#define ZONE "(SELECT (SELECT time_zone FROM business) AS time_zone)"

#define SERIES_OUT \
    "s.id, s.client_id, s.service_id, s.staff_id, s.rrule, " KEY("s.starts_local") " AS starts_at," \
    " to_char(s.time_of_day, 'HH24:MI') AS time_of_day, s.time_zone, s.duration_min, s.notes," \
    " s.on_conflict, s.continues_id, s.version, s.created_at, s.updated_at"

#define OCCURRENCES \
    "(SELECT coalesce(json_agg(x.said ORDER BY x.series_key), '[]') FROM (SELECT a.series_key," \
    " json_build_object('series_key', " KEY("a.series_key") ", 'appointment_id', a.id, 'starts_at', " \
    RFC3339("a.starts_at", "a.local_start") ", 'staff_id', a.staff_id, 'state', a.state, 'version'," \
    " a.version, 'detached', a.detached) AS said FROM appointment a WHERE a.series_id = s.id" \
    " AND :scope(appointment a) UNION ALL SELECT e.series_key, json_build_object('series_key', " \
    KEY("e.series_key") ", 'appointment_id', NULL, 'starts_at', NULL, 'staff_id', NULL, 'state'," \
    " 'skipped', 'version', NULL, 'detached', false, 'why', e.why) FROM series_exception e" \
    " WHERE e.series_id = s.id) x) AS occurrences"

const char series_read_sql[] =
    "SELECT " SERIES_OUT ", " OCCURRENCES " FROM series s WHERE s.id = :series_id AND :scope(series s)";

const char series_list_sql[] =
    "SELECT " SERIES_OUT " FROM series s WHERE (:client_id::uuid IS NULL OR s.client_id = :client_id)"
    " AND :scope(series s)";

const struct stmt series_answer = {
    "answer",
    "SELECT " SERIES_OUT ", " OCCURRENCES ", :report::text AS outcomes FROM series s"
    " WHERE s.id = :shown AND :scope(series s)",
};

const struct stmt series_check = {
    "check",
    "SELECT floor(extract(epoch FROM w.instants[1]))::bigint AS start_s,"
    " w.instants[2] IS NOT NULL AS twice, coalesce(w.instants[1] BETWEEN now() - interval '1 year'"
    " AND now() + interval '2 years', true) AS in_range, floor(extract(epoch FROM now()))::bigint"
    " AS now_s, b.time_zone, c.id IS NOT NULL AS client_ok, s.id IS NOT NULL AS service_ok,"
    " t.id IS NOT NULL AS staff_ok, (SELECT (rules->>'pay_min')::int > 0 FROM booking_policy)"
    " AS pays FROM " ZONE " b"
    " LEFT JOIN client c ON c.id = :to_client AND c.archived_at IS NULL AND :scope(client c)"
    " LEFT JOIN service s ON s.id = :to_service AND s.archived_at IS NULL"
    " LEFT JOIN staff t ON t.id = :to_staff AND t.archived_at IS NULL AND t.bookable"
    " AND :scope(staff t)"
    " CROSS JOIN LATERAL unnest(:keys::timestamp[]) WITH ORDINALITY k(local, n)"
    " CROSS JOIN LATERAL (SELECT ext.local_instants(k.local, b.time_zone) AS instants) w"
    " ORDER BY k.n",
};

const struct stmt series_met = {
    "met",
    "SELECT floor(extract(epoch FROM lower(y.busy)))::bigint AS from_s,"
    " ceil(extract(epoch FROM upper(y.busy)))::bigint AS to_s FROM client_busy y"
    " WHERE y.client_id = :to_client AND y.busy && (SELECT tstzrange((min(k) - interval '4 days')"
    " AT TIME ZONE 'UTC', (max(k) + interval '4 days') AT TIME ZONE 'UTC')"
    " FROM unnest(:keys::timestamp[]) k)",
};

const struct stmt series_insert = {
    "insert",
    "INSERT INTO series(id, client_id, service_id, staff_id, rrule, starts_local, time_zone,"
    " time_of_day, duration_min, notes, on_conflict, made_by) SELECT :shown, :client_id, :service_id,"
    " :staff_id, :rule, :first::timestamp, b.time_zone, :first::timestamp::time, :length::int, :notes,"
    " :on_conflict, :me_member FROM " ZONE " b",
};

const struct stmt series_join = {
    "join",
    "UPDATE appointment a SET series_id = :shown, series_key = k.key"
    " FROM unnest(:ids::uuid[], :keys::timestamp[]) k(id, key) WHERE a.id = k.id",
};

const struct stmt series_skip = {
    "skip",
    "INSERT INTO series_exception(series_id, series_key, why)"
    " SELECT :shown, (x->>'series_key')::timestamp, x->'why' FROM jsonb_array_elements(:report::jsonb) x"
    " WHERE x->>'outcome' = 'skipped'",
};

const struct stmt series_find = {
    "find",
    "SELECT s.version = :if_version AS fresh, s.client_id, s.service_id, s.staff_id, s.rrule, "
    KEY("s.starts_local") " AS starts_at, EXISTS (SELECT FROM series_exception e WHERE e.series_id = s.id"
    " AND e.series_key = :from_key::timestamp) AS skips_from FROM series s WHERE s.id = :series_id"
    " AND :scope(series s) FOR UPDATE OF s",
};

const struct stmt series_occurrences = {
    "occurrences",
    "SELECT a.id, " KEY("a.series_key") " AS key, a.state, a.detached, a.starts_at <= now() AS past,"
    " a.service_id, a.staff_id, " KEY("a.local_start") " AS local, floor(extract(epoch FROM a.starts_at))::bigint"
    " AS start_s, extract(epoch FROM a.ends_at - a.starts_at)::bigint AS seconds,"
    " a.buffer_before_min, a.buffer_after_min FROM appointment a WHERE a.series_id = :series_id"
    " AND :scope(appointment a) ORDER BY a.series_key FOR UPDATE",
};

/* The key is appointment_lock's. */
const struct stmt series_lock = {
    "lock",
    "SELECT pg_advisory_xact_lock(k.key)"
    " FROM (SELECT DISTINCT hashtextextended(:tenant_id::text || id::text, 0) AS key"
    " FROM (SELECT unnest(:lock_ids::uuid[]) AS id UNION SELECT asset_id FROM service_need"
    " WHERE service_id = :to_service) ids ORDER BY 1) k",
};

const struct stmt series_sweep = {
    "sweep",
    "DELETE FROM allocation WHERE (resource_id = ANY (:lock_ids::uuid[]) OR resource_id IN (SELECT"
    " asset_id FROM service_need WHERE service_id = :to_service)) AND expires_at <= now()",
};

const struct stmt series_groups = {
    "groups",
    "SELECT l.id FROM allocation l WHERE l.id IN (SELECT a.group_id FROM appointment a"
    " WHERE a.id = ANY (:ids::uuid[]) AND :scope(appointment a)) ORDER BY l.id FOR UPDATE",
};

const struct stmt series_aside = {
    "aside",
    "WITH met AS (UPDATE client_busy SET busy = tstzrange(lower(busy) + make_interval(days => :shift::int),"
    " upper(busy) + make_interval(days => :shift::int)) WHERE appointment_id = ANY (:ids::uuid[]))"
    " UPDATE allocation SET busy = tstzrange(lower(busy) + make_interval(days => :shift::int),"
    " upper(busy) + make_interval(days => :shift::int)) WHERE appointment_id = ANY (:ids::uuid[])",
};

const struct stmt series_settle = {
    "settle",
    "UPDATE appointment SET detached = false WHERE id = ANY (:ids::uuid[])",
};

const struct stmt series_split = {
    "split",
    "WITH made AS (INSERT INTO series(id, client_id, service_id, staff_id, rrule, starts_local,"
    " time_zone, time_of_day, duration_min, notes, on_conflict, continues_id, made_by)"
    " SELECT :shown, s.client_id, s.service_id, s.staff_id, :rule_rest, :from_key::timestamp,"
    " s.time_zone, s.time_of_day, s.duration_min, s.notes, s.on_conflict, s.id, :me_member FROM series s"
    " WHERE s.id = :series_id),"
    " cut AS (UPDATE series SET rrule = :rule, version = version + 1, updated_at = now()"
    " WHERE id = :series_id),"
    " skipped AS (UPDATE series_exception SET series_id = :shown WHERE series_id = :series_id"
    " AND series_key >= :from_key::timestamp)"
    " UPDATE appointment SET series_id = :shown WHERE series_id = :series_id"
    " AND series_key >= :from_key::timestamp",
};

const struct stmt series_revise = {
    "revise",
    "UPDATE series s SET time_of_day = coalesce(:time_of_day::time, s.time_of_day),"
    " time_zone = b.time_zone, staff_id = coalesce(:staff_id, s.staff_id),"
    " duration_min = coalesce(:duration_min::int, s.duration_min), " PATCH_COLUMN("notes") ","
    " version = s.version + 1, updated_at = now() FROM " ZONE " b WHERE s.id = :shown",
};

const struct stmt series_touch = {
    "touch",
    "UPDATE series SET version = version + 1, updated_at = now() WHERE id = :shown",
};
/* clang-format on */

#define OCCURRENCES_COLUMN                                                                       \
    {                                                                                            \
        "occurrences", T_JSON,                                                                   \
            "Of each series_key (the local time that the rule gave it), appointment_id, "        \
            "starts_at "                                                                         \
            "(RFC 3339), staff_id, state, version, detached; skipped ones have no appointment, " \
            "but "                                                                               \
            "why"                                                                                \
    }

const struct column series_columns[] = { SERIES_COLUMNS, OCCURRENCES_COLUMN, { 0 } };

const struct column series_done_columns[] = {
    SERIES_COLUMNS,
    OCCURRENCES_COLUMN,
    { "outcomes", T_JSON,
      "What was done, of each: series_key, outcome (booked, moved, skipped, changed, kept, "
      "cancelled, untouched), starts_at and why" },
    { 0 },
};
