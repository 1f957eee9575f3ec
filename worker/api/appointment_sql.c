/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Each change is one statement: the appointment, its time and its history move together, and the answer
 * comes back with it. */
#include "worker/api/appointment.h"

#include "worker/visit_sql.h"

/* Fragments and texts stand as the statements read. */
/* clang-format off */

/* What the statements below hand from their writing part to their answer. */
#define ROW APPOINTMENT_OUT ", a.lane, a.buffer_before_min, a.buffer_after_min, a.auto_at, a.series_key"

/* What it is shown with, of the assets it takes or shares with its group; null: none. */
#define ASSETS                                                                            \
    "(SELECT jsonb_agg(jsonb_build_object('id', f.id, 'kind', f.kind, 'name', f.name)"    \
    " ORDER BY f.name, f.id) FROM asset f WHERE f.id = ANY (:assets::uuid[])"             \
    " OR f.id IN (SELECT x.resource_id FROM allocation x WHERE x.held_with = :to_group))"

/* The staff's time is taken with its buffers, the client's without. */
#define STAFF_TIME                                                        \
    "tstzrange(m.starts_at - make_interval(mins => m.buffer_before_min)," \
    " m.ends_at + make_interval(mins => m.buffer_after_min))"
#define CLIENT_TIME "tstzrange(m.starts_at, m.ends_at)"

/* One row for certain: of a table without statistics the planner expects hundreds and hashes whole tables. */
#define ZONE "(SELECT (SELECT time_zone FROM business) AS time_zone)"

/* Who does it, for the history: the token says. A guest is the client, come by a link, which is the session. */
#define SIDE "CASE :me_role WHEN 'guest' THEN 'client' ELSE 'staff' END"
#define ACTOR                                                                            \
    "CASE WHEN :me_role = 'guest' THEN 'client' WHEN :me_role LIKE 'key\\_%' THEN 'key'" \
    " ELSE 'staff' END, :me_member, CASE :me_role WHEN 'guest' THEN :me_session END"

/* What time alone will end is the jobs slot's to end. */
#define ANSWER_WHEN(got_time)                                                                      \
    " SELECT " APPOINTMENT_OUT " FROM moved a WHERE " got_time " AND CASE WHEN least(a.expires_at," \
    " a.auto_at) IS NULL THEN true ELSE ext.work_due('agenda', least(a.expires_at, a.auto_at)) END"
#define ANSWER ANSWER_WHEN("true")
/* The group that was there when it was looked for may be over. */
#define HAS_SEAT(has) "(:to_group::uuid IS NULL OR ext.retry_unless(" has "))"

/* When a state that waits for an answer is over without one: null for the others. */
#define EXPIRES(state, policy, starts)                                                             \
    "CASE WHEN " state " = ANY ('" VISIT_WAITING "') THEN least(" starts                           \
    ", now() + make_interval(mins => coalesce(CASE " state " WHEN 'awaiting_payment' THEN"         \
    " nullif((" policy "->>'pay_min')::int, 0) END, (" policy "->>'answer_min')::int, " ANSWER_MIN \
    "))) END"
#define ANSWER_MIN "2880" /* of visits agreed before the policy said */

/* The first lane that is free then, where somebody wants the visit beside others; else the one lane of everybody. */
#define LANE(staff, self, from, to)                                                          \
    "CASE WHEN :beside THEN coalesce((SELECT min(k) FROM generate_series(1, 20) k WHERE NOT" \
    " EXISTS (SELECT FROM allocation x WHERE x.resource_id = " staff " AND x.lane = k"       \
    " AND x.appointment_id IS DISTINCT FROM " self " AND x.busy && tstzrange(" from ", " to  \
    "))), 1)"                                                                                \
    " ELSE 1 END"

/* The staff's time is one visit's, or its group's, which the first of them opens; so are assets, which are as long. */
#define OPENS(id)                                                                               \
    "INSERT INTO allocation(id, resource_id, lane, busy, kind, appointment_id, group_service,"  \
    " group_span, seats, taken) SELECT " id ", m.staff_id, m.lane, " STAFF_TIME ", 'visit',"    \
    " CASE WHEN m.group_id IS NULL THEN m.id END, g.id, g.span, g.seats, g.taken FROM moved m"  \
    " LEFT JOIN LATERAL (SELECT s.id, " CLIENT_TIME " AS span, s.seats, 1 AS taken"             \
    " FROM service s WHERE s.id = m.service_id AND m.group_id IS NOT NULL) g ON true"
#define TAKES_ASSETS                                                                            \
    "INSERT INTO allocation(id, resource_id, lane, busy, kind, appointment_id, held_with)"      \
    " SELECT gen_random_uuid(), f.id, " LANE("f.id", "m.id",                                    \
        "m.starts_at - make_interval(mins => m.buffer_before_min)",                             \
        "m.ends_at + make_interval(mins => m.buffer_after_min)") ", " STAFF_TIME                \
    ", 'visit', CASE WHEN m.group_id IS NULL THEN m.id END, m.group_id FROM moved m"            \
    " CROSS JOIN unnest(:assets::uuid[]) f(id)"
/* A seat of a group that is there. */
#define JOINS(more)                                                                             \
    "UPDATE allocation l SET taken = l.taken + 1 FROM moved m WHERE l.id = m.group_id"          \
    " AND l.taken < l.seats AND l.expires_at IS NULL AND " more " RETURNING l.id"
/* The group that a visit is in: one there is, or its own, for which this is the id of its time. */
#define GROUP_OF(seats, id) \
    "coalesce(:to_group::uuid, CASE WHEN " seats " > 1 THEN " id "::uuid END)"
/* What stands in the history besides. */
#define TOLD "coalesce(:told::jsonb, '{}')"

/* Advisory locks are the whole database's: the practice is part of the key, so that nobody waits for another's ids. */
const struct stmt appointment_lock = {
    "lock",
    "SELECT pg_advisory_xact_lock(k.key)"
    " FROM (SELECT hashtextextended(:tenant_id::text || id::text, 0) AS key"
    " FROM (SELECT unnest(ARRAY[:to_client, :to_staff]) AS id UNION SELECT asset_id"
    " FROM service_need WHERE service_id = :to_service) ids ORDER BY 1) k",
};

const struct stmt appointment_check = {
    "check",
    "SELECT c.id IS NOT NULL AS client_ok, s.id IS NOT NULL AS service_ok,"
    " t.id IS NOT NULL AS staff_ok, w.instants[1] AT TIME ZONE b.time_zone AS local,"
    " w.instants[1] AS first, w.instants[2] AS second,"
    " w.instants[1] BETWEEN now() - interval '1 year' AND now() + interval '2 years' AS in_range,"
    " (SELECT (rules->>'pay_min')::int > 0 FROM booking_policy) AS pays"
    " FROM " ZONE " b"
    " LEFT JOIN client c ON c.id = :to_client AND c.archived_at IS NULL"
    " AND :scope(client c) LEFT JOIN service s ON s.id = :to_service AND s.archived_at IS NULL"
    " LEFT JOIN staff t ON t.id = :to_staff AND t.archived_at IS NULL AND t.bookable"
    " AND :scope(staff t)"
    " CROSS JOIN LATERAL (SELECT CASE WHEN :has_offset THEN ARRAY[:to_time::timestamptz]"
    " ELSE ext.local_instants(:to_time::timestamp, b.time_zone) END AS instants) w",
};

const struct stmt appointment_sweep = {
    "sweep",
    "DELETE FROM allocation WHERE resource_id IN (SELECT :to_staff::uuid UNION ALL SELECT asset_id"
    " FROM service_need WHERE service_id = :to_service) AND expires_at <= now()",
};

/* The staff's time is taken first (met waits for taken), so that a slot which is taken is called so even when the client
 * is busy then as well. The names are read as the foreign keys will: a renaming is waited for. */
const struct stmt appointment_book = {
    "book",
    "WITH moved AS ("
    "INSERT INTO appointment AS a(id, client_id, client_name, service_id, service_name, staff_id,"
    " staff_name, state, starts_at, ends_at, local_start, local_end, time_zone, buffer_before_min,"
    " buffer_after_min, price_minor, currency, notes, policy, expires_at, auto_at, lane, assets,"
    " group_id)"
    " SELECT :new_id, c.id, c.name, s.id, s.name, t.id, t.name, :to_state, v.starts_at,"
    " v.ends_at, v.starts_at AT TIME ZONE b.time_zone, v.ends_at AT TIME ZONE b.time_zone,"
    " b.time_zone, s.buffer_before_min, s.buffer_after_min, s.price_minor, s.currency, :notes,"
    " p.rules, " EXPIRES(":to_state", "p.rules", "v.starts_at") ", "
    VISIT_AUTO(":to_state", "p.rules", "v.starts_at", "v.ends_at") ", "
    LANE("t.id", ":new_id", "v.starts_at - make_interval(mins => s.buffer_before_min)",
         "v.ends_at + make_interval(mins => s.buffer_after_min)") ", " ASSETS ", "
    GROUP_OF("s.seats", ":allocation_id")
    " FROM client c, service s, staff t,"
    " (SELECT (SELECT rules FROM booking_policy) AS rules) p, " ZONE " b, LATERAL (SELECT"
    " :instant::timestamptz AS starts_at, :instant::timestamptz"
    " + make_interval(mins => coalesce(:to_minutes::int, s.duration_min)) AS ends_at) v"
    " WHERE c.id = :to_client AND s.id = :to_service AND t.id = :to_staff"
    " FOR KEY SHARE OF c, s, t RETURNING " ROW "),"
    " taken AS (" OPENS(":allocation_id") " WHERE :to_group::uuid IS NULL RETURNING id),"
    " joined AS (" JOINS(":to_group::uuid IS NOT NULL") "),"
    " besides AS (" TAKES_ASSETS "),"
    " met AS (INSERT INTO client_busy(appointment_id, client_id, busy)"
    " SELECT m.id, m.client_id, " CLIENT_TIME " FROM moved m JOIN taken ON true),"
    " met_all AS (INSERT INTO client_busy(appointment_id, client_id, busy)"
    " SELECT m.id, m.client_id, " CLIENT_TIME " FROM moved m JOIN joined ON true),"
    " told AS (INSERT INTO appointment_event(appointment_id, seq, actor_kind, actor_id, link_id,"
    " to_state, change) SELECT m.id, m.version, " ACTOR ", m.state, " TOLD " FROM moved m)"
    ANSWER_WHEN(HAS_SEAT("EXISTS (SELECT FROM joined)")),
};

const struct stmt appointment_find = {
    "find",
    "SELECT version = :if_version AS fresh, state, client_id, service_id, staff_id, starts_at,"
    " extract(epoch FROM ends_at - starts_at)::bigint AS seconds, buffer_before_min,"
    " buffer_after_min"
    " FROM appointment WHERE id = :id AND :scope(appointment appointment) FOR UPDATE",
};

/* Time and assets are taken anew: that the old ones are counted has them given back before. Of a group nobody else may leave meanwhile
 * (appointment_group). Occurrences of a series stand for themselves from then on; series_change.c says otherwise of those that change with it.
 * Duration, buffers and price stay as agreed unless another service or another duration is asked for. */
const struct stmt appointment_place = {
    "place",
    "WITH moved AS ("
    "UPDATE appointment a SET staff_id = :to_staff, staff_name = n.staff_name,"
    " service_id = n.service_id, service_name = n.service_name,"
    " starts_at = n.starts_at, ends_at = n.starts_at + n.length, time_zone = n.time_zone,"
    " local_start = n.starts_at AT TIME ZONE n.time_zone,"
    " local_end = (n.starts_at + n.length) AT TIME ZONE n.time_zone,"
    " buffer_before_min = n.before, buffer_after_min = n.after,"
    " price_minor = CASE WHEN n.other THEN n.price_minor ELSE a.price_minor END,"
    " currency = CASE WHEN n.other THEN n.currency ELSE a.currency END,"
    " notes = CASE WHEN :note_given THEN :to_notes ELSE a.notes END,"
    " client_moves = a.client_moves"
    " + (:me_role = 'guest' AND a.starts_at <> n.starts_at)::int,"
    " client_confirmed_at = CASE WHEN a.starts_at = n.starts_at THEN a.client_confirmed_at END,"
    " reschedules = a.reschedules + (a.starts_at <> n.starts_at OR a.staff_id <> :to_staff)::int,"
    " state = coalesce(:to_state, a.state),"
    " expires_at = CASE WHEN :to_state IS NULL AND a.state = 'awaiting_payment'" /* moving it pays nothing */
    " THEN least(a.expires_at, n.starts_at) ELSE "
    EXPIRES("coalesce(:to_state, a.state)", "a.policy", "n.starts_at") " END,"
    " auto_at = " VISIT_AUTO("coalesce(:to_state, a.state)", "a.policy", "n.starts_at",
                             "(n.starts_at + n.length)") ","
    " lane = " LANE(":to_staff", ":id", "n.starts_at - make_interval(mins => n.before)",
                    "n.starts_at + n.length + make_interval(mins => n.after)") ","
    " assets = " ASSETS ", group_id = " GROUP_OF("n.seats", ":new_id") ","
    " detached = a.series_id IS NOT NULL, version = a.version + 1, updated_at = now()"
    " FROM (SELECT o.id, s.id AS service_id, s.name AS service_name, t.name AS staff_name,"
    " s.id <> o.service_id AS other, s.price_minor, s.currency, s.seats,"
    " CASE WHEN s.id <> o.service_id THEN s.buffer_before_min ELSE o.buffer_before_min END"
    " AS before,"
    " CASE WHEN s.id <> o.service_id THEN s.buffer_after_min ELSE o.buffer_after_min END AS after,"
    " b.time_zone, :instant::timestamptz AS starts_at,"
    " CASE WHEN :to_minutes IS NOT NULL THEN make_interval(mins => :to_minutes::int)"
    " WHEN s.id <> o.service_id THEN make_interval(mins => s.duration_min)"
    " ELSE o.ends_at - o.starts_at END AS length,"
    " o.starts_at AS old_start, o.ends_at AS old_end, o.staff_id AS old_staff,"
    " o.service_id AS old_service, o.state AS old_state, o.assets AS old_assets,"
    " o.group_id AS old_group"
    " FROM appointment o, service s, staff t, " ZONE " b"
    " WHERE o.id = :id AND s.id = :to_service AND t.id = :to_staff) n"
    " WHERE a.id = :id"
    " RETURNING " ROW ", n.old_start, n.old_end, n.old_staff, n.old_service, n.old_state, n.old_assets,"
    " n.old_group),"
    " gone AS (DELETE FROM allocation l WHERE l.appointment_id = :id OR l.id IN (SELECT x.id"
    " FROM moved m JOIN allocation g ON g.id = m.old_group AND g.taken = 1"
    " AND g.id IS DISTINCT FROM :to_group JOIN allocation x ON x.id = g.id OR x.held_with = g.id)"
    " RETURNING l.id),"
    " left_group AS (UPDATE allocation l SET taken = l.taken - 1 FROM moved m"
    " WHERE l.id = m.old_group AND l.id IS DISTINCT FROM :to_group AND l.taken > 1),"
    " taken AS (" OPENS(":new_id") " WHERE :to_group::uuid IS NULL"
    " AND (SELECT count(*) FROM gone) >= 0 RETURNING id),"
    " joined AS (" JOINS(":to_group::uuid IS DISTINCT FROM m.old_group"
    " AND :to_group::uuid IS NOT NULL") "),"
    " besides AS (" TAKES_ASSETS " WHERE (SELECT count(*) FROM gone) >= 0),"
    " met AS (UPDATE client_busy y SET busy = " CLIENT_TIME " FROM moved m"
    " WHERE y.appointment_id = :id AND (SELECT count(*) FROM taken) >= 0),"
    " told AS (INSERT INTO appointment_event(appointment_id, seq, actor_kind, actor_id, link_id,"
    " from_state, to_state, change) SELECT m.id, m.version, " ACTOR ", m.old_state, m.state, " TOLD
    " || jsonb_strip_nulls(jsonb_build_object("
    " 'starts_at', CASE WHEN m.starts_at <> m.old_start"
    " THEN jsonb_build_array(m.old_start, m.starts_at) END,"
    " 'ends_at', CASE WHEN m.ends_at <> m.old_end"
    " THEN jsonb_build_array(m.old_end, m.ends_at) END,"
    " 'staff_id', CASE WHEN m.staff_id <> m.old_staff"
    " THEN jsonb_build_array(m.old_staff, m.staff_id) END,"
    " 'service_id', CASE WHEN m.service_id <> m.old_service"
    " THEN jsonb_build_array(m.old_service, m.service_id) END,"
    " 'assets', CASE WHEN m.assets <> coalesce(m.old_assets, '[]')"
    " THEN jsonb_build_array(coalesce(m.old_assets, '[]'), m.assets) END)) FROM moved m)"
    ANSWER_WHEN(HAS_SEAT("EXISTS (SELECT FROM joined) OR a.group_id = a.old_group")
    " AND " VISIT_WAKES_WAITLIST),
};

const struct stmt appointment_group = {
    "group",
    "SELECT l.id FROM allocation l WHERE l.id = (SELECT a.group_id FROM appointment a"
    " WHERE a.id = :id AND :scope(appointment a)) FOR UPDATE",
};

const struct stmt appointment_note = {
    "note",
    "WITH moved AS ("
    "UPDATE appointment a SET notes = CASE WHEN :notes? THEN :notes ELSE a.notes END,"
    " detached = a.series_id IS NOT NULL, version = a.version + 1, updated_at = now() WHERE a.id = :id RETURNING " ROW "),"
    " told AS (INSERT INTO appointment_event(appointment_id, seq, actor_kind, actor_id, link_id,"
    " from_state, to_state)"
    " SELECT m.id, m.version, " ACTOR ", m.state, m.state FROM moved m)" ANSWER,
};

#define STEP(group)                                                                                       \
    "WITH moved AS ("                                                                              \
    "UPDATE appointment a SET state = :to_state, version = a.version + 1, updated_at = now(),"     \
    " cancel_reason = CASE WHEN :to_state IN ('cancelled', 'declined') THEN :why"                  \
    " ELSE a.cancel_reason END,"                                                                   \
    " cancelled_by = CASE WHEN :to_state IN ('cancelled', 'declined') THEN " SIDE                  \
    " ELSE a.cancelled_by END, expires_at = NULL,"                                                 \
    " auto_at = " VISIT_AUTO(":to_state", "a.policy", "a.starts_at", "a.ends_at") ","              \
    " client_confirmed_at = CASE WHEN :to_state = 'confirmed' AND :me_role = 'guest' THEN now()"   \
    " ELSE a.client_confirmed_at END, group_id = " group                                           \
    " FROM (SELECT id, state, group_id FROM appointment WHERE id = :id"                                      \
    " AND :scope(appointment appointment) FOR UPDATE) o"                                           \
    " WHERE a.id = :id AND o.id = a.id AND (a.version = :if_version OR :if_version IS NULL)"       \
    " AND a.state = ANY (:from_states::text[])"                                                    \
    " RETURNING " ROW ", o.state AS old_state, o.group_id AS old_group),"
#define STEP_TOLD                                                                                  \
    " told AS (INSERT INTO appointment_event(appointment_id, seq, actor_kind, actor_id, link_id,"  \
    " from_state, to_state, change)"                                                               \
    " SELECT m.id, m.version, " ACTOR ", m.old_state, m.state,"                                    \
    " CASE WHEN :why::text IS NULL THEN '{}' ELSE jsonb_build_object('reason', :why) END"          \
    " || CASE WHEN :payment::text IS NULL THEN '{}' ELSE jsonb_build_object('payment',"            \
    " :payment::jsonb) END"                                                                        \
    " FROM moved m)" ANSWER_WHEN("CASE WHEN a.state = ANY ('{cancelled,declined,no_show}') THEN "   \
    VISIT_WAKES_WAITLIST " ELSE true END")

#define STEP_FREED                                                                              \
    " freed AS (DELETE FROM allocation l USING moved m WHERE l.appointment_id = :id AND :frees), " \
    VISIT_LEAVES_GROUP(":frees") ","                                                                  \
    " left_by AS (DELETE FROM client_busy y USING moved m"                                      \
    " WHERE y.appointment_id = :id AND :frees),"
#define STEP_GROUP STEP("CASE WHEN :frees THEN NULL ELSE a.group_id END")

const struct stmt appointment_step = { "step", STEP_GROUP STEP_FREED STEP_TOLD };

const struct stmt appointment_count = {
    "count",
    "SELECT 1 FROM client c WHERE c.id = (SELECT a.client_id FROM appointment a WHERE a.id = :id"
    " AND :scope(appointment a)) FOR NO KEY UPDATE OF c",
};

const struct stmt appointment_counted_step = { "counted",
                                               STEP_GROUP STEP_FREED VISIT_COUNTED "," STEP_TOLD };

/* What was not given up is there still. */
const struct stmt appointment_reopen = {
    "reopen",
    STEP("coalesce(a.group_id, (SELECT l.id FROM allocation l WHERE l.resource_id = a.staff_id"
    " AND l.group_service = a.service_id AND l.group_span = tstzrange(a.starts_at, a.ends_at)"
    " AND l.taken < l.seats AND l.expires_at IS NULL LIMIT 1), CASE WHEN (SELECT s.seats"
    " FROM service s WHERE s.id = a.service_id) > 1 THEN :new_id::uuid END)")
    " taken AS (" OPENS(":new_id") " WHERE m.old_group IS NULL AND (m.group_id IS NULL"
    " AND NOT EXISTS (SELECT FROM allocation x WHERE x.appointment_id = m.id)"
    " OR m.group_id = :new_id) RETURNING id),"
    " joined AS (" JOINS("m.old_group IS NULL AND m.group_id <> :new_id") "),"
    " besides AS (INSERT INTO allocation(id, resource_id, lane, busy, kind, appointment_id, held_with)"
    " SELECT gen_random_uuid(), (f->>'id')::uuid, m.lane, " STAFF_TIME ", 'visit',"
    " CASE WHEN m.group_id IS NULL THEN m.id END, m.group_id"
    " FROM moved m JOIN taken ON true CROSS JOIN jsonb_array_elements(m.assets) f),"
    " met AS (INSERT INTO client_busy(appointment_id, client_id, busy)"
    " SELECT m.id, m.client_id, " CLIENT_TIME " FROM moved m"
    " JOIN (SELECT id FROM taken UNION ALL SELECT id FROM joined) got ON true)," VISIT_COUNTED "," STEP_TOLD,
};

const struct stmt appointment_history = {
    "history",
    "SELECT e.seq, e.at, e.actor_kind, e.actor_id, coalesce(t.name, c.name) AS actor_name,"
    " e.link_id, e.from_state, e.to_state, e.change FROM (SELECT o.seq, o.at,"
    " o.actor_kind, o.actor_id, o.link_id, o.from_state, o.to_state, o.change"
    " FROM appointment_event o"
    " WHERE o.appointment_id = :id AND EXISTS (SELECT FROM appointment a WHERE a.id = :id"
    " AND :scope(appointment a)) ORDER BY o.seq DESC LIMIT 200) e"
    " LEFT JOIN staff t ON t.id = e.actor_id LEFT JOIN client c ON c.id = e.actor_id"
    " ORDER BY e.seq",
};

/* clang-format on */
