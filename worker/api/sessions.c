/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Where an account is logged in, and its way out of there; the practices it may switch to. Runs in auth slots as gremio_auth, so
 * every statement says whose rows it means. */
#include "worker/api/sessions.h"

static const struct column session_columns[] = {
    { "id", T_UUID, NULL },
    { "current", T_BOOL, "The session of this very request" },
    { "tenant.slug", T_TEXT, "Practice it is logged in to" },
    { "tenant.name", T_TEXT, NULL },
    { "user_agent", T_TEXT, "What the client called itself at login" },
    { "peer", T_TEXT, "Address it logged in from" },
    { "second_factor", T_BOOL, "Whether a code of the second factor was given" },
    { "created_at", T_INSTANT, NULL },
    { "refreshed_at", T_INSTANT, "Last seen" },
    { "expires_at", T_INSTANT, "When it ends if nobody comes" },
    { 0 },
};

static const struct param session_id[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct param session_end_params[] = {
    { .name = "keep_current",
      .in = IN_QUERY,
      .type = T_BOOL,
      .fallback = "false",
      .doc = "Leave the session of this request alone" },
    { 0 },
};

static const struct column tenant_columns[] = {
    { "slug", T_TEXT, "What login and switch take" },
    { "name", T_TEXT, NULL },
    { "role", T_TEXT, "What the account is there" },
    { "state", T_TEXT, "active, read_only, suspended or migrating" },
    { "current", T_BOOL, "The practice of this very request" },
    { 0 },
};

/* Whoever opens a session holds the account: it is seen by what follows, or comes later. */
static const struct stmt session_hold = {
    "hold",
    "SELECT a.id FROM public.account a WHERE a.id = :me_account FOR UPDATE",
};

static const struct stmt session_end_all = {
    "end_all",
    "UPDATE public.session s SET revoked_at = now(), revoke_reason = 'ended'"
    " WHERE s.account_id = :me_account AND " SESSION_LIVE
    " AND NOT (:keep_current AND s.id = :me_session)",
};

static const struct stmt *const session_end_stmts[] = { &session_hold, &session_end_all, NULL };

static const struct param session_vars[] = {
    { .name = "session", .type = T_UUID },
    { .name = "reason", .type = T_TEXT },
    { 0 },
};

/* The login's own row first, then as the table has them: a switch holds both. */
static const struct stmt session_lock = {
    "lock",
    "SELECT s.id FROM public.session s JOIN public.session r ON r.id = coalesce(s.origin, s.id)"
    " WHERE s.id = :session AND s.account_id = :me_account AND " SESSION_LIVE " FOR UPDATE OF r, s",
};

const struct stmt session_end_login = {
    "end_login",
    "UPDATE public.session SET revoked_at = now(), revoke_reason = :reason"
    " WHERE revoked_at IS NULL AND id IN (SELECT n.id FROM public.session s, public.session n"
    " WHERE s.id = :session AND (n.id = coalesce(s.origin, s.id)"
    " OR n.origin = coalesce(s.origin, s.id)))",
};

static const struct stmt *const session_one_stmts[] = { &session_lock, &session_end_login, NULL };

enum err session_over(struct call *c)
{
    return call_refuse(c, E_UNAUTHENTICATED, "La sesión terminó; inicie sesión de nuevo",
                       "The session is over; log in again");
}

/* *found: there was one to end. */
static enum err end_login(struct call *c, const char *id, const char *reason, bool *found)
{
    PGresult *rows;
    call_set(c, "session", id);
    call_set(c, "reason", reason);
    TRY(call_query(c, &session_lock, &rows));
    *found = PQntuples(rows) > 0;
    return *found ? call_post(c, &session_end_login) : OK;
}

static enum err end_one(struct call *c)
{
    bool found;
    TRY(end_login(c, call_get(c, "id")->text, "ended", &found));
    return found ? OK : call_refuse(c, E_NOT_FOUND, NULL, NULL);
}

/* Twice is as good as once. */
static enum err log_out(struct call *c)
{
    bool found;
    return end_login(c, call_get(c, "me_session")->text, "logout", &found);
}

static enum err end_all(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &session_hold, &rows));
    return call_post(c, &session_end_all);
}

const struct route session_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/auth/sessions",
        .summary = "Where this account is logged in, in any practice: this session, then the last "
                   "seen first, at most 200",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .columns = session_columns,
        .sql = "SELECT s.id, s.id = :me_session AS current, t.slug, t.name, s.user_agent, s.peer,"
               " s.second_factor, s.created_at, s.refreshed_at, least(s.idle_deadline, "
               "s.hard_deadline) AS expires_at"
               " FROM public.session s JOIN public.tenant t ON t.id = s.tenant_id"
               " WHERE s.account_id = :me_account AND " SESSION_LIVE
               " ORDER BY s.id = :me_session DESC, s.refreshed_at DESC, s.id",
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/auth/sessions",
        .summary = "End all sessions of this account; their tokens stop working",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .any_version = true,
        .params = session_end_params,
        .stmts = session_end_stmts,
        .handler = end_all,
        .shape = SHAPE_NONE,
        .success = 204,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/auth/sessions/{id}",
        .summary = "End one session of this account, with those it was switched from and to; their "
                   "tokens stop working",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .any_version = true,
        .params = session_id,
        .vars = session_vars,
        .stmts = session_one_stmts,
        .handler = end_one,
        .shape = SHAPE_NONE,
        .success = 204,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/logout",
        .enrolment = true,
        .summary =
            "End this session, with those it was switched from and to; their tokens stop working",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .vars = session_vars,
        .stmts = session_one_stmts,
        .handler = log_out,
        .shape = SHAPE_NONE,
        .success = 204,
    },
    {
        .method = M_GET,
        .path = "/api/v1/auth/tenants",
        .summary = "The practices of this account",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .columns = tenant_columns,
        .sql =
            "SELECT t.slug, t.name, m.role, t.state,"
            " EXISTS (SELECT FROM public.session s WHERE s.id = :me_session AND s.tenant_id = t.id)"
            " AS current FROM public.membership m JOIN public.tenant t ON t.id = m.tenant_id"
            " WHERE m.account_id = :me_account AND m.revoked_at IS NULL"
            " AND t.state NOT IN ('provisioning', 'closing') ORDER BY t.name, t.slug",
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    { 0 },
};
