/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Logging in, staying in, logging out. Runs in auth slots as gremio_auth, on the shared tables only. A refresh
 * token is a counter of its session signed with the session's key: nothing is stored per token, and a token
 * used twice shows. */
#include "common/log.h"
#include "common/str.h"
#include "worker/api/auth_grant.h"
#include "worker/api/factor.h"
#include "worker/api/login_guard.h"
#include "worker/api/sessions.h"

/* ---- rows ---- */

static const struct param auth_login_params[] = {
    { .name = "email", .in = IN_BODY, .type = T_EMAIL, .required = true },
    { .name = "password", .in = IN_BODY, .type = T_PASSWORD, .required = true },
    { FACTOR_CODE_PARAM },
    { .name = "tenant",
      .in = IN_BODY,
      .type = T_TEXT,
      .min = 3,
      .max = 40,
      .doc = "Slug of the practice; needed when the account belongs to several (409 names them)" },
    { 0 },
};

static const struct param auth_login_vars[] = {
    AUTH_GRANT_VARS,
    FACTOR_VARS,
    { .name = "proved", .type = T_TEXT },
    { .name = "guarded", .type = T_TEXT },
    { 0 },
};

static const struct param auth_switch_params[] = {
    { .name = "tenant",
      .in = IN_BODY,
      .type = T_TEXT,
      .min = 3,
      .max = 40,
      .required = true,
      .doc = "Slug of another practice of the same account" },
    { 0 },
};

static const struct param auth_switch_vars[] = { AUTH_GRANT_VARS, { 0 } };

static const struct param auth_refresh_params[] = {
    { .name = "refresh_token", .in = IN_BODY, .type = T_TEXT, .max = 200, .required = true },
    { 0 },
};

static const struct param auth_refresh_vars[] = {
    { .name = "session", .type = T_UUID }, { .name = "reason", .type = T_TEXT },
    { .name = "grace_ms", .type = T_INT }, { .name = "idle_ms", .type = T_INT },
    { .name = "kid", .type = T_TEXT },     { 0 },
};

/* No row: no such account. Without a practice its columns are null. */
static const struct stmt auth_account = {
    "account",
    "SELECT a.id AS account_id, a.password_hash, m.tenant_id, m.staff_id, m.role, m.epoch,"
    " m.slug, m.name, m.state FROM public.account a"
    " LEFT JOIN (SELECT n.account_id, n.tenant_id, n.staff_id, n.role, n.epoch, t.slug, t.name,"
    " t.state FROM public.membership n JOIN public.tenant t ON t.id = n.tenant_id"
    " WHERE n.revoked_at IS NULL AND t.state NOT IN ('provisioning', 'closing')"
    " AND (:tenant::text IS NULL OR t.slug = :tenant)) m ON m.account_id = a.id"
    " WHERE a.email = :email ORDER BY m.slug LIMIT 100",
};

/* Not over a password that was changed meanwhile. */
static const struct stmt auth_rehash = {
    "rehash",
    "UPDATE public.account SET password_hash = :hash WHERE id = :account AND password_hash = "
    ":proved",
};

/* Two refreshes of one session wait for each other here. */
static const struct stmt auth_session = {
    "session",
    "SELECT s.account_id, s.tenant_id, s.refresh_key, s.refresh_counter,"
    " s.revoked_at IS NULL AND now() < s.idle_deadline AND now() < s.hard_deadline AS live,"
    " now() - s.refreshed_at <= :grace_ms * interval '1 millisecond' AS in_grace,"
    " m.staff_id, m.role, m.epoch, t.state, " AUTH_GRANT_PROOF ", " AUTH_GRANT_KID
    " FROM public.session s"
    " JOIN public.tenant t ON t.id = s.tenant_id"
    " LEFT JOIN public.membership m ON m.account_id = s.account_id AND m.tenant_id = s.tenant_id"
    " AND m.revoked_at IS NULL"
    " WHERE s.id = :session FOR UPDATE OF s",
};

static const struct stmt auth_rotate = {
    "rotate",
    "UPDATE public.session SET refresh_counter = refresh_counter + 1, refreshed_at = now(),"
    " idle_deadline = least(now() + :idle_ms * interval '1 millisecond', hard_deadline)"
    " WHERE id = :session",
};

/* As auth_hold, for who has only the password yet. */
static const struct stmt auth_hold_found = {
    "hold_found",
    "SELECT a.id FROM public.account a WHERE a.id = :account FOR KEY SHARE",
};

/* Whoever ends the account's sessions or changes its password waits for the switch, or the switch for them. */
static const struct stmt auth_hold = {
    "hold",
    "SELECT a.id FROM public.account a WHERE a.id = :me_account FOR KEY SHARE",
};

/* No row: the session has ended. No practice: the account does not belong there. Who ends the session or the login it comes from
 * waits, and then sees the new one. */
static const struct stmt auth_destination = {
    "destination",
    "SELECT s.account_id, m.tenant_id, m.staff_id, m.role, m.epoch, m.state FROM public.session s"
    " JOIN public.session r ON r.id = coalesce(s.origin, s.id)"
    " LEFT JOIN (SELECT n.account_id, n.tenant_id, n.staff_id, n.role, n.epoch, t.state"
    " FROM public.membership n JOIN public.tenant t ON t.id = n.tenant_id WHERE t.slug = :tenant"
    " AND n.revoked_at IS NULL AND t.state NOT IN ('provisioning', 'closing')) m"
    " ON m.account_id = s.account_id"
    " WHERE s.id = :me_session AND s.account_id = :me_account AND " SESSION_LIVE
    " FOR SHARE OF s, r",
};

static const struct stmt *const auth_login_stmts[] = {
    &auth_account, &auth_rehash, &auth_hold_found, LOGIN_GUARD_STMTS, AUTH_GRANT_STMTS,
    FACTOR_STMTS,  NULL,
};
static const struct stmt *const auth_refresh_stmts[] = {
    &auth_session, &auth_rotate, &session_end_login, &auth_grant_secret_stmt, NULL,
};
static const struct stmt *const auth_switch_stmts[] = {
    &auth_hold,
    &auth_destination,
    AUTH_GRANT_STMTS,
    NULL,
};

/* ---- login ---- */

/* A hash of an older cost is replaced while the password is here. */
static enum err rehash(struct call *c, const struct password_policy *policy, struct slice text)
{
    char fresh[PASSWORD_HASH_MAX];
    if (!password_is_stale(policy, call_get(c, "hash")->text)) {
        return OK;
    }
    TRY(password_hash(policy, text, fresh));
    call_set(c, "proved", call_get(c, "hash")->text);
    call_set(c, "hash", fresh);
    return call_post(c, &auth_rehash);
}

/* The same work whether the account exists or not. */
static enum err check_password(struct call *c, const PGresult *rows, bool *failed)
{
    const struct password_policy *policy;
    struct slice text = slice_of(call_get(c, "password")->text);
    TRY(login_guard_check(c, LOGIN_GUARD_LOGIN, failed));
    enum err e = auth_keys_password(c->env, &policy);
    if (e == OK) {
        e = password_check(policy, call_cell(rows, 0, "password_hash"), text);
    }
    if (e == E_BAD_CREDENTIALS) {
        TRY(login_guard_fail(c));
    }
    if (e == OK) {
        call_set(c, "account", call_cell(rows, 0, "account_id"));
        call_set(c, "hash", call_cell(rows, 0, "password_hash"));
        e = rehash(c, policy, text);
    }
    return e == OK ? OK : call_refuse(c, e == E_NOMEM ? E_OVERLOADED : e, NULL, NULL);
}

/* Only who knows the password learns that there is a second factor. */
static enum err check_factor(struct call *c, struct grant *g)
{
    PGresult *rows;
    TRY(call_query(c, &auth_hold_found, &rows));
    TRY(factor_find(c, &rows));
    if (PQntuples(rows) == 0) {
        return OK;
    }
    if (!call_get(c, "code")->text) {
        return call_refuse(c, E_SECOND_FACTOR, NULL, NULL);
    }
    TRY(factor_use(c, rows, &g->factor));
    if (!g->factor) {
        TRY(login_guard_fail(c));
        return call_refuse(c, E_BAD_CODE, NULL, NULL);
    }
    return OK;
}

/* 409 with the practices to choose from. */
static enum err refuse_choice(struct call *c, const PGresult *rows)
{
    struct sbuf list;
    sbuf_init(&list);
    sbuf_text(&list, "\"tenants\":[");
    for (int i = 0; i < PQntuples(rows); i++) {
        sbuf_text(&list, i ? ",{\"slug\":" : "{\"slug\":");
        sbuf_json(&list, slice_of(call_cell(rows, i, "slug")));
        sbuf_text(&list, ",\"name\":");
        sbuf_json(&list, slice_of(call_cell(rows, i, "name")));
        sbuf_char(&list, '}');
    }
    sbuf_char(&list, ']');
    c->problem.extra = slice_of(arena_text(c->arena, sbuf_slice(&list)));
    sbuf_fini(&list);
    return call_refuse(c, E_TENANT_CHOICE, NULL, NULL);
}

static enum err choose_practice(struct call *c, const PGresult *rows)
{
    if (!call_cell(rows, 0, "tenant_id")) {
        return auth_grant_stranger(c);
    }
    if (PQntuples(rows) > 1) {
        return refuse_choice(c, rows);
    }
    return auth_grant_practice(c, call_cell(rows, 0, "state"));
}

static enum err auth_login(struct call *c)
{
    PGresult *rows;
    struct grant grant = { .counter = 0 };
    bool failed;
    TRY(call_query(c, &auth_account, &rows));
    TRY(check_password(c, rows, &failed));
    TRY(check_factor(c, &grant));
    TRY(choose_practice(c, rows));
    TRY(auth_grant_take(rows, &grant));
    TRY(auth_grant_open(c, &grant));
    TRY(login_guard_pass(c, failed));
    return auth_grant_answer(c, &grant);
}

/* ---- switch ---- */

static enum err auth_switch(struct call *c)
{
    PGresult *rows;
    struct grant grant = { .counter = 0 };
    TRY(call_query(c, &auth_hold, &rows));
    TRY(call_query(c, &auth_destination, &rows));
    if (PQntuples(rows) == 0) {
        return session_over(c);
    }
    if (!call_cell(rows, 0, "tenant_id")) {
        return auth_grant_stranger(c);
    }
    TRY(auth_grant_practice(c, call_cell(rows, 0, "state")));
    TRY(auth_grant_take(rows, &grant));
    TRY(auth_grant_open(c, &grant));
    return auth_grant_answer(c, &grant);
}

/* ---- refresh ---- */

/* Somebody used a token again after its successor was handed out: whoever holds either one is out. */
static enum err revoke_reused(struct call *c)
{
    call_set(c, "reason", "reuse");
    TRY(call_post(c, &session_end_login));
    c->keep = true;
    log_event(LOG_LEVEL_WARN, "refresh_reuse", "session", call_get(c, "session")->text, NULL);
    return session_over(c);
}

/* Sets the counter of the next token. One step behind and just now is a racing tab or a lost answer: it gets the token
 * that is current. */
static enum err rotate(struct call *c, const PGresult *rows, uint64_t asked, uint64_t *next)
{
    uint64_t current = strtoull(call_cell(rows, 0, "refresh_counter"), NULL, 10);
    bool in_grace = call_cell(rows, 0, "in_grace")[0] == 't';
    *next = current;
    if (asked == current) {
        *next = current + 1;
        return call_post(c, &auth_rotate);
    }
    if (asked < current && current - asked == 1 && in_grace) {
        return OK;
    }
    return asked < current ? revoke_reused(c) : session_over(c);
}

static enum err auth_refresh(struct call *c)
{
    struct refresh_claim claim;
    char id[UUID_TEXT];
    PGresult *rows;
    struct grant grant;
    size_t n;
    if (auth_keys_read(slice_of(call_get(c, "refresh_token")->text), &claim) != OK) {
        return session_over(c);
    }
    uuid_format(&claim.session, id);
    call_set(c, "session", id);
    call_set_int(c, "grace_ms", c->env->settings->refresh_grace);
    call_set_int(c, "idle_ms", c->env->settings->session_idle);
    TRY(call_query(c, &auth_session, &rows));
    if (PQntuples(rows) == 0) {
        return session_over(c);
    }
    TRY(auth_grant_bytes(call_cell(rows, 0, "refresh_key"), grant.key, sizeof(grant.key), &n));
    if (n != sizeof(grant.key) || !auth_keys_proves(&claim, grant.key) ||
        call_cell(rows, 0, "live")[0] != 't' || !call_cell(rows, 0, "staff_id")) {
        return session_over(c);
    }
    TRY(auth_grant_practice(c, call_cell(rows, 0, "state")));
    TRY(rotate(c, rows, claim.counter, &grant.counter));
    TRY(auth_grant_take(rows, &grant));
    TRY(auth_grant_proof(rows, &grant));
    grant.session = claim.session;
    grant.kid = call_cell(rows, 0, "kid");
    return auth_grant_answer(c, &grant);
}

const struct route auth_routes[] = {
    {
        .method = M_POST,
        .path = "/api/v1/auth/login",
        .summary = "Log in with e-mail and password, and a code where there is a second factor",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = auth_login_params,
        .vars = auth_login_vars,
        .columns = auth_grant_columns,
        .stmts = auth_login_stmts,
        .handler = auth_login,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/refresh",
        .summary = "Exchange a refresh token for new tokens",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = auth_refresh_params,
        .vars = auth_refresh_vars,
        .columns = auth_grant_columns,
        .stmts = auth_refresh_stmts,
        .handler = auth_refresh,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/switch",
        .summary = "Tokens for another practice of this account; this session stays, and both end "
                   "together",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = auth_switch_params,
        .vars = auth_switch_vars,
        .columns = auth_grant_columns,
        .stmts = auth_switch_stmts,
        .handler = auth_switch,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    { 0 },
};
