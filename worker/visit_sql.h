/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What statements of requests and of the jobs slot say alike about visits. */
#ifndef GREMIO_VISIT_SQL_H
#define GREMIO_VISIT_SQL_H

/* A time so many minutes of the policy after from; null where it says none, or 0. */
#define VISIT_AFTER(from, policy, member) \
    from " + make_interval(mins => nullif((" policy "->>'" member "')::int, 0))"

/* clang-format off */
/* When a visit is ended by time alone. What is booked for the past stays as it is: staff know what came of it. */
#define VISIT_AUTO(state, policy, starts, ends)                                         \
    "CASE " state " WHEN 'confirmed' THEN nullif(greatest(now(), "                      \
    VISIT_AFTER(starts, policy, "auto_no_show_min") "), now())"                         \
    " WHEN 'in_progress' THEN "                                                         \
    VISIT_AFTER("greatest(now(), " ends ")", policy, "auto_complete_min") " END"
/* clang-format on */

/* True: who waits is looked at again, as time may be free now. Nobody is woken where nobody waits. */
#define VISIT_WAKES_WAITLIST                                          \
    "CASE WHEN EXISTS (SELECT FROM waitlist WHERE state = 'waiting')" \
    " THEN ext.work_due('waitlist', now()) ELSE true END"

/* clang-format off */
/* The seats of moved(old_group) for which when holds are given back; who gives the last one back leaves the time to whoever comes. */
#define VISIT_LEAVES_GROUP(when)                                                                \
    "left_group AS (UPDATE allocation l SET taken = l.taken - g.n,"                             \
    " expires_at = CASE WHEN l.taken = g.n THEN now() END FROM (SELECT m.old_group AS id,"      \
    " count(*) AS n FROM moved m WHERE m.old_group IS NOT NULL AND " when                       \
    " GROUP BY m.old_group) g WHERE l.id = g.id RETURNING l.id, l.taken), left_assets AS ("     \
    "UPDATE allocation l SET expires_at = now() FROM left_group g WHERE l.held_with = g.id"     \
    " AND g.taken = 0)"
/* clang-format on */

/* Counts the visits of each client anew for whom one of moved(id, client_id, starts_at, old_state, state) counts or no longer does. Their rows were locked by a
 * statement before: so what others counted meanwhile is seen. */
#define VISIT_COUNTED                                                                           \
    " counted AS (UPDATE client c SET visits = n.visits, last_visit_at = n.last_visit_at,"      \
    " no_shows = n.no_shows, last_no_show_at = n.last_no_show_at, version = c.version + 1,"     \
    " updated_at = now() FROM (SELECT k.client_id,"                                             \
    " count(*) FILTER (WHERE v.state = 'completed') AS visits,"                                 \
    " max(v.starts_at) FILTER (WHERE v.state = 'completed') AS last_visit_at,"                  \
    " count(*) FILTER (WHERE v.state = 'no_show') AS no_shows,"                                 \
    " max(v.starts_at) FILTER (WHERE v.state = 'no_show') AS last_no_show_at"                   \
    " FROM (SELECT DISTINCT m.client_id FROM moved m WHERE m.state IN ('completed', 'no_show')" \
    " OR m.old_state IN ('completed', 'no_show')) k CROSS JOIN LATERAL (SELECT a.state,"        \
    " a.starts_at FROM appointment a WHERE a.client_id = k.client_id"                           \
    " AND a.state IN ('completed', 'no_show') AND NOT EXISTS (SELECT FROM moved x"              \
    " WHERE x.id = a.id) UNION ALL SELECT m.state, m.starts_at FROM moved m"                    \
    " WHERE m.client_id = k.client_id) v GROUP BY k.client_id) n WHERE c.id = n.client_id)"

#endif
