/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a guest may see and may do is said here once each: COVERED and CAN. Whether an action goes through is decided by the same words that its button is
 * shown by. What may be chosen from is openings.h's. */
#include "worker/api/guest.h"

#include "worker/api/calendar.h"

/* Of appointment a: the link covers it. */
#define COVERED                                                               \
    " JOIN access_link l ON l.id = :me_session AND l.client_id = a.client_id" \
    " AND (l.appointment_id IS NULL OR l.appointment_id = a.id) AND " LINK_ALIVE

/* Why a guest may not confirm, cancel, move a: a problem's code, or null. By the rules that were agreed when it was booked. */
#define CAN                                                                                        \
    " CROSS JOIN LATERAL (SELECT"                                                                  \
    " a.starts_at - make_interval(mins => (a.policy->>'cancel_cutoff_min')::int) AS cancel_until," \
    " a.starts_at - make_interval(mins => (a.policy->>'reschedule_cutoff_min')::int) AS"           \
    " move_until, greatest(0, (a.policy->>'max_reschedules')::int - a.client_moves) AS moves_left" \
    ") u CROSS JOIN LATERAL (SELECT"                                                               \
    " CASE WHEN NOT 'confirm' = ANY (l.scopes) THEN 'scope_missing'"                               \
    " WHEN NOT (a.policy->'guest_confirm')::boolean THEN 'policy_forbids'"                         \
    " WHEN a.state <> ALL ('" VISIT_CLIENT_CONFIRMS "') THEN 'state_conflict'"                     \
    " WHEN now() >= a.starts_at THEN 'cutoff_passed' END AS confirm_why,"                          \
    " CASE WHEN NOT 'cancel' = ANY (l.scopes) THEN 'scope_missing'"                                \
    " WHEN NOT (a.policy->'guest_cancel')::boolean THEN 'policy_forbids'"                          \
    " WHEN a.state <> ALL ('" VISIT_OPEN "') THEN 'state_conflict'"                                \
    " WHEN now() >= u.cancel_until THEN 'cutoff_passed' END AS cancel_why,"                        \
    " CASE WHEN NOT 'reschedule' = ANY (l.scopes) THEN 'scope_missing'"                            \
    " WHEN NOT (a.policy->'guest_reschedule')::boolean THEN 'policy_forbids'"                      \
    " WHEN a.state <> ALL ('" VISIT_OPEN "') THEN 'state_conflict'"                                \
    " WHEN now() >= u.move_until THEN 'cutoff_passed'"                                             \
    " WHEN u.moves_left = 0 THEN 'moves_exhausted' END AS move_why) w"

/* Nothing that is the practice's own business: no notes, no price, no reasons. */
#define OUT                                                                                       \
    "a.id, a.starts_at, a.local_start, a.ends_at, a.local_end, a.time_zone, a.state, a.version,"  \
    " a.client_confirmed_at, a.service_name, a.staff_name, w.confirm_why IS NULL AS can_confirm," \
    " w.cancel_why IS NULL AS can_cancel, u.cancel_until, w.cancel_why,"                          \
    " w.move_why IS NULL AS can_move, u.move_until, u.moves_left, w.move_why, w.confirm_why,"     \
    " u.cancel_until AT TIME ZONE a.time_zone AS cancel_local,"                                   \
    " u.move_until AT TIME ZONE a.time_zone AS move_local"

const struct stmt guest_link = {
    "link",
    "SELECT :wanted = ANY (l.scopes) AS allowed FROM access_link l WHERE l.id = :me_session"
    " AND " LINK_ALIVE,
};

const struct stmt guest_me = {
    "me",
    "SELECT c.name, c.given_name, b.name AS practice, b.phone, b.time_zone, b.locale, g.color,"
    " g.logo_type, to_jsonb(l.scopes) AS scopes, 'see' = ANY (l.scopes) AS see,"
    " 'confirm' = ANY (l.scopes) AS confirm, 'cancel' = ANY (l.scopes) AS cancel,"
    " 'reschedule' = ANY (l.scopes) AS reschedule, 'profile' = ANY (l.scopes) AS profile,"
    " l.appointment_id, l.expires_at FROM access_link l JOIN client c ON c.id = l.client_id"
    " CROSS JOIN business b CROSS JOIN branding g WHERE l.id = :me_session AND " LINK_ALIVE,
};

const struct stmt guest_list = {
    "list",
    "SELECT " OUT " FROM appointment a" COVERED CAN " WHERE (a.ends_at <= now()) = :past"
    " ORDER BY CASE WHEN :past THEN now() - a.starts_at ELSE a.starts_at - now() END, a.id"
    " LIMIT 200",
};

const struct stmt guest_one = {
    "one",
    "SELECT " OUT " FROM appointment a" COVERED CAN " WHERE a.id = :id",
};

const struct stmt guest_find = {
    "find",
    "SELECT a.state, a.client_id, a.service_id, a.staff_id, a.client_confirmed_at,"
    " (a.policy->'approve_moves')::boolean AND a.state <> 'awaiting_payment' AS approve,"
    " w.confirm_why, w.cancel_why, w.move_why, a.version = :version OR :version IS NULL AS fresh"
    " FROM appointment a" COVERED CAN " WHERE a.id = :id FOR UPDATE OF a FOR SHARE OF l",
};

const struct stmt guest_wish = {
    "wish",
    "SELECT a.service_id, a.staff_id, a.client_id, a.buffer_before_min, a.buffer_after_min,"
    " a.policy, extract(epoch FROM a.ends_at - a.starts_at)::bigint AS seconds,"
    " extract(epoch FROM a.starts_at)::bigint AS start, w.move_why"
    " FROM appointment a" COVERED CAN " WHERE a.id = :id",
};

const struct stmt guest_ics = {
    "ics",
    "SELECT " CALENDAR_EVENT " FROM appointment a CROSS JOIN business b" COVERED
    " WHERE a.id = :id",
};

const struct stmt guest_feed = {
    "feed",
    "INSERT INTO calendar_feed AS f(id, secret_hash, link_id) SELECT :new_id,"
    " :secret_hash::bytea, l.id FROM access_link l WHERE l.id = :me_session AND " LINK_ALIVE
    " AND (SELECT count(*) FROM calendar_feed o WHERE o.link_id = l.id AND o.revoked_at IS NULL)"
    " < 5 RETURNING f.id, f.created_at",
};

const struct stmt guest_profile = {
    "profile",
    "SELECT c.given_name, c.family_name, c.email, c.phone, p.given_name AS new_given_name,"
    " p.family_name AS new_family_name, p.email AS new_email, p.phone AS new_phone, p.updated_at"
    " FROM access_link l JOIN client c ON c.id = l.client_id LEFT JOIN client_proposal p"
    " ON p.client_id = c.id AND p.state = 'pending' WHERE l.id = :me_session AND " LINK_ALIVE,
};

const struct stmt guest_propose = {
    "propose",
    "INSERT INTO client_proposal AS p(id, client_id, link_id, given_name, family_name, email,"
    " phone) SELECT :new_id, l.client_id, l.id, nullif(:given_name, c.given_name),"
    " nullif(:family_name, c.family_name), nullif(:email, c.email), nullif(:phone, c.phone)"
    " FROM access_link l JOIN client c ON c.id = l.client_id WHERE l.id = :me_session"
    " AND " LINK_ALIVE " AND coalesce(nullif(:given_name, c.given_name),"
    " nullif(:family_name, c.family_name), nullif(:email, c.email), nullif(:phone, c.phone))"
    " IS NOT NULL"
    " ON CONFLICT (client_id) WHERE state = 'pending' DO UPDATE SET"
    " given_name = coalesce(excluded.given_name, p.given_name),"
    " family_name = coalesce(excluded.family_name, p.family_name),"
    " email = coalesce(excluded.email, p.email), phone = coalesce(excluded.phone, p.phone),"
    " link_id = excluded.link_id, version = p.version + 1, updated_at = now()"
    " RETURNING p.state, p.given_name, p.family_name, p.email, p.phone, p.updated_at",
};

const struct stmt guest_logo = {
    "logo",
    "SELECT g.logo_type, translate(encode(g.logo, 'base64'), E'\\n', '') AS logo"
    " FROM access_link l CROSS JOIN branding g WHERE l.id = :me_session AND " LINK_ALIVE,
};
