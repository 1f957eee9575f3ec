/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A forgotten password: a link by mail, and a new password for whoever has it. Runs in auth slots as gremio_auth. */
#include "common/password_rules.h"
#include "worker/api/one_time.h"
#include "worker/auth_keys.h"

#define RESET_TTL_S 3600

static const struct param forgot_params[] = {
    { .name = "email", .in = IN_BODY, .type = T_EMAIL, .required = true },
    { 0 },
};

static const struct param reset_params[] = {
    { .name = "token",
      .in = IN_BODY,
      .type = T_TEXT,
      .min = 1,
      .max = 200,
      .required = true,
      .doc = "The code of the message, also what stands behind the # of its link" },
    { .name = "new_password",
      .in = IN_BODY,
      .type = T_PASSWORD,
      .required = true,
      .doc = "At least 10 characters, at most 128 bytes, and not one that is guessed soon" },
    { 0 },
};

static const struct param forgot_vars[] = { ONE_TIME_VARS, { 0 } };
static const struct param reset_vars[] = {
    ONE_TIME_VARS, { .name = "email", .type = T_TEXT }, { .name = "hash", .type = T_TEXT }, { 0 }
};

/* Who asks at once for the same account waits here. */
static const struct stmt forgot_find = {
    "find",
    "SELECT a.id, (SELECT t.locale FROM public.membership m JOIN public.tenant t"
    " ON t.id = m.tenant_id WHERE m.account_id = a.id AND m.revoked_at IS NULL"
    " ORDER BY m.tenant_id LIMIT 1) AS locale"
    " FROM public.account a WHERE a.email = :email FOR UPDATE OF a",
};

/* Whoever opens a session holds the account, and then the new password counts or its session ends here. */
static const struct stmt reset_find = {
    "find",
    "SELECT a.id, a.email FROM public.one_time_token t JOIN public.account a"
    " ON a.id = t.account_id AND a.email = t.bound_email"
    " WHERE t.secret_hash = :secret_hash::bytea AND t.kind = 'reset' AND " ONE_TIME_ALIVE
    " FOR UPDATE OF a",
};

/* Whoever has the link reads the account's mail: its address is proved, too. */
static const struct stmt reset_set = {
    "set",
    "UPDATE public.account SET password_hash = :hash, token_epoch = token_epoch + 1,"
    " email_verified_at = coalesce(email_verified_at, now()) WHERE id = :owner",
};

static const struct stmt reset_end_sessions = {
    "end_sessions",
    "UPDATE public.session SET revoked_at = now(), revoke_reason = 'password'"
    " WHERE account_id = :owner AND revoked_at IS NULL",
};

static const struct stmt *const forgot_stmts[] = { &forgot_find, ONE_TIME_SEND_STMTS, NULL };
static const struct stmt *const reset_stmts[] = {
    &reset_find, &reset_set, &reset_end_sessions, ONE_TIME_USE_STMTS, NULL,
};

static enum err forgot(struct call *c)
{
    PGresult *rows;
    bool enough;
    const char *email = call_get(c, "email")->text;
    TRY(one_time_limit(c, email, &enough));
    if (enough) {
        return one_time_accepted(c); /* the mail that went out last stays good */
    }
    TRY(call_query(c, &forgot_find, &rows));
    const struct one_time link = {
        .kind = "reset",
        .topic = MAIL_RESET,
        .account = call_cell(rows, 0, "id"),
        .recipient = email,
        .locale = call_cell(rows, 0, "locale"),
        .wanted = true,
        .ttl_s = RESET_TTL_S,
    };
    TRY(one_time_send(c, &link));
    return one_time_accepted(c);
}

static enum err judge(struct call *c)
{
    struct slice text = slice_of(call_get(c, "new_password")->text);
    struct password_flaw flaw = password_rules_check(text, call_get(c, "email")->text);
    return flaw.code ? call_refuse_field(c, "/new_password", flaw.code, flaw.text[LANG_ES],
                                         flaw.text[LANG_EN])
                     : OK;
}

static enum err reset(struct call *c)
{
    const struct password_policy *policy;
    char fresh[PASSWORD_HASH_MAX];
    PGresult *rows;
    TRY(one_time_read(c));
    TRY(call_query(c, &reset_find, &rows));
    if (PQntuples(rows) == 0) {
        return one_time_over(c);
    }
    call_set(c, "owner", call_cell(rows, 0, "id"));
    call_set(c, "email", call_cell(rows, 0, "email"));
    TRY(judge(c));
    TRY(one_time_use(c));
    TRY(auth_keys_password(c->env, &policy));
    TRY(password_hash(policy, slice_of(call_get(c, "new_password")->text), fresh));
    call_set(c, "hash", fresh);
    TRY(call_post(c, &reset_set));
    TRY(call_post(c, &reset_end_sessions));
    TRY(call_post(c, &one_time_dead_all));
    return call_answer_none(c);
}

const struct route recovery_routes[] = {
    {
        .method = M_POST,
        .path = "/api/v1/auth/password/forgot",
        .summary =
            "Ask for a link to choose a new password; the answer is the same for every address",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = forgot_params,
        .vars = forgot_vars,
        .columns = one_time_accepted_columns,
        .stmts = forgot_stmts,
        .handler = forgot,
        .shape = SHAPE_RAW,
        .success = 202,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/password/reset",
        .summary =
            "Choose a new password with the code of the link; all sessions of the account end",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = reset_params,
        .vars = reset_vars,
        .stmts = reset_stmts,
        .handler = reset,
        .shape = SHAPE_NONE,
        .success = 204,
    },
    { 0 },
};
