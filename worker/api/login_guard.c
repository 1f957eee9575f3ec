/* SPDX-License-Identifier: LicenseRef-Gremio */
/* All arithmetic is in the statements, by the database's clock, so that every auth slot counts alike. */
#include "worker/api/login_guard.h"

#include <stdlib.h>

#include "common/log.h"

#define IN_WINDOW "f.since > now() - interval '" LOGIN_GUARD_WINDOW "'"

/* What this try is counted by, how often it may fail, and whether a success leaves the count alone. */
#define KEYS                                                                             \
    "WITH client AS (SELECT ext.address_block(:peer) AS block), known AS ("              \
    " SELECT c.block, EXISTS (SELECT FROM public.account a JOIN public.session s"        \
    " ON s.account_id = a.id WHERE a.email = :email AND :guarded = '" LOGIN_GUARD_LOGIN  \
    "' AND s.created_at > now() - interval '" LOGIN_GUARD_KNOWN "' AND s.origin IS NULL" \
    " AND (s.revoked_at IS NULL OR s.revoke_reason IN ('logout', 'membership'))"         \
    " AND ext.address_block(s.peer) = c.block) AS here FROM client c), keys AS ("        \
    " SELECT sha256(convert_to(k.name, 'UTF8')) AS key, k.free, k.stays FROM known,"     \
    " LATERAL (VALUES (here, 'both ' || block || ' ' || :email, " LOGIN_GUARD_FREE       \
    ", false), (NOT here, 'account ' || :guarded || ' ' || :email, " LOGIN_GUARD_FREE    \
    ", false), (NOT here AND :guarded = '" LOGIN_GUARD_LOGIN                             \
    "', 'address ' || block, " LOGIN_GUARD_ADDRESS                                       \
    ", true)) k(counts, name, free, stays) WHERE k.counts) "

const struct stmt login_guard_look = {
    "guard_look",
    KEYS "SELECT count(*) > 0 AS failed, coalesce(ceil(extract(epoch FROM max(CASE"
         " WHEN f.failures >= k.free THEN least(f.since + interval '" LOGIN_GUARD_WINDOW "',"
         " f.latest + interval '1 second' * 2.0 ^ least(f.failures - k.free, 20)) - now() END))),"
         " 0)::int AS wait FROM keys k JOIN public.login_failure f ON f.key = k.key"
         " WHERE " IN_WINDOW,
};

/* In the order of keys, so that two do not wait for each other. */
const struct stmt login_guard_note = {
    "guard_note",
    KEYS "INSERT INTO public.login_failure AS f(key, failures, since, latest)"
         " SELECT key, 1, now(), now() FROM keys ORDER BY key"
         " ON CONFLICT (key) DO UPDATE SET latest = now(),"
         " failures = CASE WHEN " IN_WINDOW " THEN f.failures + 1 ELSE 1 END,"
         " since = CASE WHEN " IN_WINDOW " THEN f.since ELSE now() END",
};

/* More than one failure adds, so that the table holds a window's failures and no more. */
const struct stmt login_guard_purge = {
    "guard_purge",
    "DELETE FROM public.login_failure WHERE key IN (SELECT key FROM public.login_failure"
    " WHERE since < now() - interval '" LOGIN_GUARD_WINDOW "'"
    " ORDER BY since LIMIT 10 FOR UPDATE SKIP LOCKED)",
};

const struct stmt login_guard_clear = {
    "guard_clear",
    KEYS "DELETE FROM public.login_failure f USING keys k WHERE f.key = k.key AND NOT k.stays",
};

enum err login_guard_check(struct call *c, const char *what, bool *failed)
{
    PGresult *rows;
    call_set(c, "guarded", what);
    call_set(c, "peer", arena_text(c->arena, c->req->peer));
    TRY(call_query(c, &login_guard_look, &rows));
    long wait = strtol(call_cell(rows, 0, "wait"), NULL, 10);
    *failed = call_cell(rows, 0, "failed")[0] == 't';
    if (wait <= 0) {
        return OK;
    }
    log_seldom(LOG_LEVEL_WARN, "login_attempts", arena_text(c->arena, c->req->peer));
    c->problem.retry_after_s = (unsigned)wait;
    return call_refuse(c, E_TOO_MANY_ATTEMPTS, NULL, NULL);
}

enum err login_guard_fail(struct call *c)
{
    TRY(call_post(c, &login_guard_note));
    TRY(call_post(c, &login_guard_purge));
    c->keep = true;
    return OK;
}

enum err login_guard_pass(struct call *c, bool failed)
{
    return failed ? call_post(c, &login_guard_clear) : OK;
}
