/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Accepting an invitation, with a new account, with an existing one by its password, or with the one that is logged in. It is bound to its address:
 * anybody else is refused, and it stays pending. Runs in auth slots as gremio_auth; the practice's own rows are written by
 * ext.invitation_accept in the same transaction. */
#include "common/password_rules.h"
#include "worker/api/login_guard.h"
#include "worker/api/one_time.h"
#include "worker/auth_keys.h"

#define TOKEN_PARAM                                                                         \
    .name = "token", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 200, .required = true, \
    .doc = "The code of the message, also what stands behind the # of its link"

static const struct param join_params[] = {
    { TOKEN_PARAM },
    { .name = "password",
      .in = IN_BODY,
      .type = T_PASSWORD,
      .required = true,
      .doc = "Of the account with that address; a new one when there is no such account" },
    { 0 },
};

static const struct param join_mine_params[] = { { TOKEN_PARAM }, { 0 } };

static const struct param join_vars[] = {
    ONE_TIME_VARS,
    { .name = "email", .type = T_TEXT },
    { .name = "guarded", .type = T_TEXT },
    { .name = "proved", .type = T_UUID },
    { .name = "hash", .type = T_TEXT },
    { .name = "member", .type = T_UUID },
    { 0 },
};

static const struct column join_columns[] = {
    { "email", T_TEXT, "Log in with this address" },
    { "tenant.slug", T_TEXT, "and this practice" },
    { "tenant.name", T_TEXT, NULL },
    { 0 },
};

static const struct stmt join_find = {
    "find",
    "SELECT t.bound_email AS email, p.slug, p.name, a.id AS account_id, a.password_hash"
    " FROM public.one_time_token t JOIN public.tenant p ON p.id = t.tenant_id"
    " LEFT JOIN public.account a ON a.email = t.bound_email"
    " WHERE t.secret_hash = :secret_hash::bytea AND t.kind = 'invitation' AND " ONE_TIME_ALIVE,
};

static const struct stmt join_accept = {
    "accept",
    "SELECT ext.invitation_accept(:secret_hash::bytea, :proved, :new_id, :member, :hash) AS said",
};

static const struct stmt *const join_stmts[] = { &join_find, &join_accept, LOGIN_GUARD_STMTS,
                                                 NULL };
static const struct stmt *const join_mine_stmts[] = { &join_find, &join_accept, NULL };

static enum err find(struct call *c, PGresult **rows)
{
    TRY(one_time_read(c));
    TRY(call_query(c, &join_find, rows));
    return PQntuples(*rows) > 0 ? OK : one_time_over(c);
}

/* The same count as for logins: it is the same password that is guessed at. */
static enum err prove(struct call *c, const struct password_policy *policy, const char *hash)
{
    bool failed;
    TRY(login_guard_check(c, LOGIN_GUARD_LOGIN, &failed));
    enum err e = password_check(policy, hash, slice_of(call_get(c, "password")->text));
    if (e == E_BAD_CREDENTIALS) {
        TRY(login_guard_fail(c));
        return call_refuse(c, e, NULL, NULL);
    }
    return e == OK ? login_guard_pass(c, failed) : e;
}

static enum err choose(struct call *c, const struct password_policy *policy)
{
    char fresh[PASSWORD_HASH_MAX];
    struct slice text = slice_of(call_get(c, "password")->text);
    struct password_flaw flaw = password_rules_check(text, call_get(c, "email")->text);
    if (flaw.code) {
        return call_refuse_field(c, "/password", flaw.code, flaw.text[LANG_ES], flaw.text[LANG_EN]);
    }
    TRY(password_hash(policy, text, fresh));
    call_set(c, "hash", fresh);
    return OK;
}

static enum err stranger(struct call *c)
{
    return call_refuse(c, E_FORBIDDEN, "La invitación es para otro correo: entre con esa cuenta",
                       "The invitation is for another address: log in with that account");
}

/* What ext.invitation_accept says. */
static enum err judge(struct call *c, const char *said)
{
    if (strcmp(said, "joined") == 0) {
        return OK;
    }
    if (strcmp(said, "over") == 0) {
        return one_time_over(c);
    }
    if (strcmp(said, "member") == 0) {
        return call_refuse(c, E_STATE_CONFLICT, "Ya trabaja en esta práctica",
                           "You work in this practice already");
    }
    if (strcmp(said, "closed") == 0) {
        return call_refuse(c, E_TENANT_SUSPENDED, NULL, NULL);
    }
    return stranger(c);
}

static enum err accept(struct call *c, const PGresult *found)
{
    PGresult *rows;
    char id[UUID_TEXT];
    struct uuid member = uuid_v7();
    uuid_format(&member, id);
    call_set(c, "member", id);
    TRY(call_query(c, &join_accept, &rows));
    TRY(judge(c, call_cell(rows, 0, "said")));
    return call_answer(c, found);
}

static enum err join(struct call *c)
{
    const struct password_policy *policy;
    PGresult *rows;
    TRY(find(c, &rows));
    call_set(c, "email", call_cell(rows, 0, "email"));
    TRY(auth_keys_password(c->env, &policy));
    const char *hash = call_cell(rows, 0, "password_hash");
    if (hash) {
        TRY(prove(c, policy, hash));
        call_set(c, "proved", call_cell(rows, 0, "account_id"));
    } else {
        TRY(choose(c, policy));
    }
    return accept(c, rows);
}

static enum err join_mine(struct call *c)
{
    PGresult *rows;
    TRY(find(c, &rows));
    const char *account = call_cell(rows, 0, "account_id"), *me = call_get(c, "me_account")->text;
    if (!account || strcmp(account, me) != 0) {
        return stranger(c);
    }
    call_set(c, "proved", me);
    return accept(c, rows);
}

const struct route joining_routes[] = {
    {
        .method = M_POST,
        .path = "/api/v1/invitations/accept",
        .summary = "Accept an invitation with the code of its link and a password",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = join_params,
        .vars = join_vars,
        .columns = join_columns,
        .stmts = join_stmts,
        .handler = join,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/invitations",
        .summary = "Accept an invitation with the account that is logged in",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = join_mine_params,
        .vars = join_vars,
        .columns = join_columns,
        .stmts = join_mine_stmts,
        .handler = join_mine,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    { 0 },
};
