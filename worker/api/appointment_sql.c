/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Each change is one statement: the appointment, its time and its history move together, and the answer
 * comes back with it. */
#include "worker/api/appointment.h"

/* What the statements below hand from their writing part to their answer. */
#define ROW APPOINTMENT_OUT ", a.lane, a.buffer_before_min, a.buffer_after_min, a.series_key"

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

/* What waits for an answer is the jobs slot's to end. */
#define ANSWER                                                                      \
    " SELECT " APPOINTMENT_OUT " FROM moved a WHERE CASE WHEN a.expires_at IS NULL" \
    " THEN true ELSE ext.work_due('agenda', a.expires_at) END"

/* When a state that waits for an answer is over without one: null for the others. */
#define EXPIRES(state, policy, starts)                                                       \
    "CASE WHEN " state " = ANY ('" VISIT_WAITING "') THEN least(" starts                     \
    ", now() + make_interval(mins => coalesce((" policy "->>'answer_min')::int, " ANSWER_MIN \
    "))) END"
#define ANSWER_MIN "2880" /* of visits agreed before the policy said */

/* The first lane that is free then, where somebody wants the visit beside others; else the one lane of everybody. */
#define LANE(staff, self, from, to)                                                          \
    "CASE WHEN :beside THEN coalesce((SELECT min(k) FROM generate_series(1, 20) k WHERE NOT" \
    " EXISTS (SELECT FROM allocation x WHERE x.resource_id = " staff " AND x.lane = k"       \
    " AND x.appointment_id IS DISTINCT FROM " self " AND x.busy && tstzrange(" from ", " to  \
    "))), 1)"                                                                                \
    " ELSE 1 END"

/* What stands in the history besides. */
#define TOLD "coalesce(:told::jsonb, '{}')"

/* Advisory locks are the whole database's: the practice is part of the key, so that nobody waits for another's ids. */
const struct stmt appointment_lock = {
    "lock",
    "SELECT pg_advisory_xact_lock(k.key)"
    " FROM (SELECT hashtextextended(:tenant_id::text || id::text, 0) AS key"
    " FROM unnest(ARRAY[:to_client, :to_staff]) id ORDER BY 1) k",
};

const struct stmt appointment_check = {
    "check",
    "SELECT c.id IS NOT NULL AS client_ok, s.id IS NOT NULL AS service_ok,"
    " t.id IS NOT NULL AS staff_ok, w.instants[1] AT TIME ZONE b.time_zone AS local,"
    " w.instants[1] AS first, w.instants[2] AS second,"
    " w.instants[1] BETWEEN now() - interval '1 year' AND now() + interval '2 years' AS in_range"
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
    "DELETE FROM allocation WHERE resource_id = :to_staff AND expires_at <= now()",
};

/* Fragments and texts below stand as the statements read. */
/* clang-format off */

/* The staff's time is taken first (met waits for taken), so that a slot which is taken is called so even when the client
 * is busy then as well. The names are read as the foreign keys will: a renaming is waited for. */
const struct stmt appointment_book = {
    "book",
    "WITH moved AS ("
    "INSERT INTO appointment AS a(id, client_id, client_name, service_id, service_name, staff_id,"
    " staff_name, state, starts_at, ends_at, local_start, local_end, time_zone, buffer_before_min,"
    " buffer_after_min, price_minor, currency, notes, policy, expires_at, lane)"
    " SELECT :new_id, c.id, c.name, s.id, s.name, t.id, t.name, :to_state, v.starts_at,"
    " v.ends_at, v.starts_at AT TIME ZONE b.time_zone, v.ends_at AT TIME ZONE b.time_zone,"
    " b.time_zone, s.buffer_before_min, s.buffer_after_min, s.price_minor, s.currency, :notes,"
    " p.rules, " EXPIRES(":to_state", "p.rules", "v.starts_at") ", "
    LANE("t.id", ":new_id", "v.starts_at - make_interval(mins => s.buffer_before_min)",
         "v.ends_at + make_interval(mins => s.buffer_after_min)")
    " FROM client c, service s, staff t,"
    " (SELECT (SELECT rules FROM booking_policy) AS rules) p, " ZONE " b, LATERAL (SELECT"
    " :instant::timestamptz AS starts_at, :instant::timestamptz"
    " + make_interval(mins => coalesce(:to_minutes::int, s.duration_min)) AS ends_at) v"
    " WHERE c.id = :to_client AND s.id = :to_service AND t.id = :to_staff"
    " FOR KEY SHARE OF c, s, t RETURNING " ROW "),"
    " taken AS (INSERT INTO allocation(id, resource_id, lane, busy, kind, appointment_id)"
    " SELECT :allocation_id, m.staff_id, m.lane, " STAFF_TIME ", 'visit', m.id FROM moved m"
    " RETURNING appointment_id),"
    " met AS (INSERT INTO client_busy(appointment_id, client_id, busy)"
    " SELECT m.id, m.client_id, " CLIENT_TIME " FROM moved m JOIN taken ON appointment_id = m.id),"
    " told AS (INSERT INTO appointment_event(appointment_id, seq, actor_kind, actor_id, link_id,"
    " to_state, change) SELECT m.id, m.version, " ACTOR ", m.state, " TOLD " FROM moved m)" ANSWER,
};

const struct stmt appointment_find = {
    "find",
    "SELECT version = :if_version AS fresh, state, client_id, service_id, staff_id, starts_at,"
    " extract(epoch FROM ends_at - starts_at)::bigint AS seconds, buffer_before_min,"
    " buffer_after_min"
    " FROM appointment WHERE id = :id AND :scope(appointment appointment) FOR UPDATE",
};

/* Occurrences of a series stand for themselves from then on; series_change.c says otherwise of those that change with it. */
/* Duration, buffers and price stay as agreed unless another service or another duration is asked for. */
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
    " expires_at = " EXPIRES("coalesce(:to_state, a.state)", "a.policy", "n.starts_at") ","
    " lane = " LANE(":to_staff", ":id", "n.starts_at - make_interval(mins => n.before)",
                    "n.starts_at + n.length + make_interval(mins => n.after)") ","
    " detached = a.series_id IS NOT NULL, version = a.version + 1, updated_at = now()"
    " FROM (SELECT o.id, s.id AS service_id, s.name AS service_name, t.name AS staff_name,"
    " s.id <> o.service_id AS other, s.price_minor, s.currency,"
    " CASE WHEN s.id <> o.service_id THEN s.buffer_before_min ELSE o.buffer_before_min END"
    " AS before,"
    " CASE WHEN s.id <> o.service_id THEN s.buffer_after_min ELSE o.buffer_after_min END AS after,"
    " b.time_zone, :instant::timestamptz AS starts_at,"
    " CASE WHEN :to_minutes IS NOT NULL THEN make_interval(mins => :to_minutes::int)"
    " WHEN s.id <> o.service_id THEN make_interval(mins => s.duration_min)"
    " ELSE o.ends_at - o.starts_at END AS length,"
    " o.starts_at AS old_start, o.ends_at AS old_end, o.staff_id AS old_staff,"
    " o.service_id AS old_service, o.state AS old_state"
    " FROM appointment o, service s, staff t, " ZONE " b"
    " WHERE o.id = :id AND s.id = :to_service AND t.id = :to_staff) n"
    " WHERE a.id = :id"
    " RETURNING " ROW ", n.old_start, n.old_end, n.old_staff, n.old_service, n.old_state),"
    " taken AS (UPDATE allocation l SET resource_id = m.staff_id, lane = m.lane,"
    " busy = " STAFF_TIME " FROM moved m WHERE l.appointment_id = :id"
    " RETURNING l.appointment_id),"
    " met AS (UPDATE client_busy y SET busy = " CLIENT_TIME
    " FROM moved m JOIN taken ON appointment_id = m.id WHERE y.appointment_id = :id),"
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
    " THEN jsonb_build_array(m.old_service, m.service_id) END)) FROM moved m)" ANSWER,
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

#define STEP                                                                                       \
    "WITH moved AS ("                                                                              \
    "UPDATE appointment a SET state = :to_state, version = a.version + 1, updated_at = now(),"     \
    " cancel_reason = CASE WHEN :to_state IN ('cancelled', 'declined') THEN :why"                  \
    " ELSE a.cancel_reason END,"                                                                   \
    " cancelled_by = CASE WHEN :to_state IN ('cancelled', 'declined') THEN " SIDE                  \
    " ELSE a.cancelled_by END, expires_at = NULL,"                                                 \
    " client_confirmed_at = CASE WHEN :to_state = 'confirmed' AND :me_role = 'guest' THEN now()"   \
    " ELSE a.client_confirmed_at END"                                                              \
    " FROM (SELECT id, state FROM appointment WHERE id = :id"                                      \
    " AND :scope(appointment appointment) FOR UPDATE) o"                                           \
    " WHERE a.id = :id AND o.id = a.id AND (a.version = :if_version OR :if_version IS NULL)"       \
    " AND a.state = ANY (:from_states::text[])"                                                    \
    " RETURNING " ROW ", o.state AS old_state),"
#define STEP_TOLD                                                                                  \
    " told AS (INSERT INTO appointment_event(appointment_id, seq, actor_kind, actor_id, link_id,"  \
    " from_state, to_state, change)"                                                               \
    " SELECT m.id, m.version, " ACTOR ", m.old_state, m.state,"                                    \
    " CASE WHEN :why::text IS NULL THEN '{}' ELSE jsonb_build_object('reason', :why) END"          \
    " FROM moved m)" ANSWER

const struct stmt appointment_step = {
    "step",
    STEP " freed AS (DELETE FROM allocation l USING moved m WHERE l.appointment_id = :id"
         " AND :frees),"
         " left_by AS (DELETE FROM client_busy y USING moved m"
         " WHERE y.appointment_id = :id AND :frees)," STEP_TOLD,
};

/* What was not given up is there still. */
const struct stmt appointment_reopen = {
    "reopen",
    STEP " taken AS (INSERT INTO allocation(id, resource_id, lane, busy, kind, appointment_id)"
         " SELECT :new_id, m.staff_id, m.lane, " STAFF_TIME ", 'visit', m.id FROM moved m"
         " WHERE NOT EXISTS (SELECT FROM allocation x WHERE x.appointment_id = m.id)"
         " RETURNING appointment_id),"
         " met AS (INSERT INTO client_busy(appointment_id, client_id, busy)"
         " SELECT m.id, m.client_id, " CLIENT_TIME
         " FROM moved m JOIN taken ON appointment_id = m.id)," STEP_TOLD,
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
