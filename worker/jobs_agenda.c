/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One statement ends a hundred at a time. Rows that somebody is busy with are passed over: they are answered just now, or looked at again. */
#include <stdio.h>

#include "worker/jobs_kind.h"
#include "worker/visit.h"

static char end_text[] =
    "WITH moved AS (UPDATE appointment a SET state = 'expired', version = a.version + 1,"
    " updated_at = now(), expires_at = NULL, group_id = NULL"
    " FROM (SELECT id, state, group_id FROM appointment"
    " WHERE expires_at <= now() AND state = ANY ('" VISIT_WAITING "') ORDER BY expires_at"
    " LIMIT 100 FOR UPDATE SKIP LOCKED) o WHERE a.id = o.id"
    " RETURNING a.id, a.version, o.state AS old_state, o.group_id AS old_group),"
    " left_group AS (UPDATE allocation l SET taken = l.taken - g.n,"
    " expires_at = CASE WHEN l.taken = g.n THEN now() END FROM (SELECT old_group, count(*) AS n"
    " FROM moved WHERE old_group IS NOT NULL GROUP BY old_group) g WHERE l.id = g.old_group"
    " RETURNING l.id, l.taken), left_assets AS (UPDATE allocation l SET expires_at = now()"
    " FROM left_group g WHERE l.held_with = g.id AND g.taken = 0),"
    " freed AS (DELETE FROM allocation l USING moved m WHERE l.appointment_id = m.id),"
    " left_by AS (DELETE FROM client_busy y USING moved m WHERE y.appointment_id = m.id),"
    " told AS (INSERT INTO appointment_event(appointment_id, seq, actor_kind, from_state, to_state)"
    " SELECT m.id, m.version, 'system', m.old_state, 'expired' FROM moved m)"
    " DELETE FROM allocation WHERE id IN (SELECT id FROM allocation WHERE expires_at <= now()"
    " LIMIT 100 FOR UPDATE SKIP LOCKED)";
static char next_text[] =
    "SELECT least((SELECT min(expires_at) FROM appointment WHERE expires_at IS NOT NULL),"
    " (SELECT min(expires_at) FROM allocation WHERE expires_at IS NOT NULL))";

static const struct stmt_plan end_plan = { .id = STMT_ID_AGENDA_END,
                                           .name = "end",
                                           .text = end_text };
static const struct stmt_plan next_plan = { .id = STMT_ID_AGENDA_NEXT,
                                            .name = "next",
                                            .text = next_text };

enum err jobs_agenda(const struct slot_env *env, struct unit *u, char next[JOBS_TIME_MAX])
{
    PGresult *r;
    UNUSED(env);
    TRY(unit_tell(u, &end_plan, NULL));
    TRY(unit_ask(u, &next_plan, NULL, &r));
    snprintf(next, JOBS_TIME_MAX, "%s", PQgetvalue(r, 0, 0));
    return OK;
}
