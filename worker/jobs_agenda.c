/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One statement ends a hundred at a time. Rows that somebody is busy with are passed over: they are answered just now, or looked at again. What the policy ends is judged
 * by the visit as it is: its time was written by whoever touched it last, which may have been a worker that knew of none. */
#include <stdio.h>

#include "worker/jobs_kind.h"
#include "worker/visit.h"
#include "worker/visit_sql.h"

enum { OID_TEXT = 25 };

/* clang-format off */
static char end_text[] =
    "WITH moved AS (UPDATE appointment a SET state = 'expired', version = a.version + 1,"
    " updated_at = now(), expires_at = NULL, group_id = NULL"
    " FROM (SELECT id, state, group_id FROM appointment"
    " WHERE expires_at <= now() AND state = ANY ('" VISIT_WAITING "') ORDER BY expires_at"
    " LIMIT 100 FOR UPDATE SKIP LOCKED) o WHERE a.id = o.id"
    " RETURNING a.id, a.version, o.state AS old_state, o.group_id AS old_group),"
    VISIT_LEAVES_GROUP("true") ","
    " freed AS (DELETE FROM allocation l USING moved m WHERE l.appointment_id = m.id),"
    " left_by AS (DELETE FROM client_busy y USING moved m WHERE y.appointment_id = m.id),"
    " told AS (INSERT INTO appointment_event(appointment_id, seq, actor_kind, from_state, to_state)"
    " SELECT m.id, m.version, 'system', m.old_state, 'expired' FROM moved m)"
    " DELETE FROM allocation WHERE id IN (SELECT id FROM allocation WHERE expires_at <= now()"
    " LIMIT 100 FOR UPDATE SKIP LOCKED)";

/* As staff's steps do (worker/api/appointment.h): the clients' rows first. */
static char count_text[] =
    "SELECT coalesce(array_agg(k.id), '{}') FROM (SELECT c.id FROM client c WHERE c.id IN (SELECT"
    " a.client_id FROM appointment a WHERE a.auto_at <= now() ORDER BY a.auto_at LIMIT 100)"
    " ORDER BY c.id FOR NO KEY UPDATE SKIP LOCKED) k";
static char auto_text[] =
    "WITH due AS (SELECT a.id, a.state, a.group_id, CASE WHEN a.state = 'confirmed' AND "
    VISIT_AFTER("a.starts_at", "a.policy", "auto_no_show_min") " <= now() THEN 'no_show'"
    " WHEN a.state = 'in_progress' AND "
    VISIT_AFTER("a.ends_at", "a.policy", "auto_complete_min") " <= now() THEN 'completed' END AS to_state"
    " FROM appointment a WHERE a.auto_at <= now() AND a.client_id = ANY ($1::uuid[])"
    " ORDER BY a.auto_at LIMIT 100 FOR UPDATE SKIP LOCKED),"
    " moved AS (UPDATE appointment a SET state = coalesce(d.to_state, a.state),"
    " auto_at = CASE WHEN d.to_state IS NULL THEN "
    VISIT_AUTO("a.state", "a.policy", "a.starts_at", "a.ends_at") " END,"
    " group_id = CASE WHEN d.to_state = 'no_show' THEN NULL ELSE a.group_id END,"
    " version = a.version + (d.to_state IS NOT NULL)::int,"
    " updated_at = CASE WHEN d.to_state IS NULL THEN a.updated_at ELSE now() END FROM due d"
    " WHERE a.id = d.id RETURNING a.id, a.client_id, a.starts_at, a.version, a.state,"
    " d.state AS old_state, d.group_id AS old_group),"
    VISIT_LEAVES_GROUP("m.state = 'no_show'") ","
    " freed AS (DELETE FROM allocation l USING moved m WHERE l.appointment_id = m.id"
    " AND m.state = 'no_show'),"
    " left_by AS (DELETE FROM client_busy y USING moved m WHERE y.appointment_id = m.id"
    " AND m.state = 'no_show')," VISIT_COUNTED ","
    " told AS (INSERT INTO appointment_event(appointment_id, seq, actor_kind, from_state, to_state)"
    " SELECT m.id, m.version, 'system', m.old_state, m.state FROM moved m"
    " WHERE m.state <> m.old_state)"
    " SELECT count(*) FROM moved";
/* clang-format on */

static char next_text[] =
    "SELECT least((SELECT min(expires_at) FROM appointment WHERE expires_at IS NOT NULL),"
    " (SELECT min(auto_at) FROM appointment WHERE auto_at IS NOT NULL),"
    " (SELECT min(expires_at) FROM allocation WHERE expires_at IS NOT "
    "NULL)), " VISIT_WAKES_WAITLIST;

static const struct stmt_plan end_plan = { .id = STMT_ID_AGENDA_END,
                                           .name = "end",
                                           .text = end_text };
static const struct stmt_plan count_plan = { .id = STMT_ID_AGENDA_COUNT,
                                             .name = "count",
                                             .text = count_text };
static const struct stmt_plan auto_plan = {
    .id = STMT_ID_AGENDA_AUTO, .name = "auto", .text = auto_text, .count = 1, .types = { OID_TEXT }
};
static const struct stmt_plan next_plan = { .id = STMT_ID_AGENDA_NEXT,
                                            .name = "next",
                                            .text = next_text };

enum err jobs_agenda(const struct slot_env *env, struct unit *u, char next[JOBS_TIME_MAX])
{
    PGresult *r;
    UNUSED(env);
    TRY(unit_tell(u, &end_plan, NULL));
    TRY(unit_ask(u, &count_plan, NULL, &r));
    const char *clients[] = { PQgetvalue(r, 0, 0) };
    if (strcmp(clients[0], "{}") != 0) {
        TRY(unit_tell(u, &auto_plan, clients));
    }
    TRY(unit_ask(u, &next_plan, NULL, &r));
    snprintf(next, JOBS_TIME_MAX, "%s", PQgetvalue(r, 0, 0));
    return OK;
}
