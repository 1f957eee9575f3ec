/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What an account says of itself. Runs in auth slots as gremio_auth. */
#include "common/password_rules.h"
#include "worker/api/proof.h"
#include "worker/auth_keys.h"

static const struct param password_params[] = {
    { .name = "password",
      .in = IN_BODY,
      .type = T_PASSWORD,
      .required = true,
      .doc = "The present one" },
    { .name = "new_password",
      .in = IN_BODY,
      .type = T_PASSWORD,
      .required = true,
      .doc = "At least 10 characters, at most 128 bytes, and not one that is guessed soon" },
    { 0 },
};

static const struct param password_vars[] = {
    PROOF_VARS,
    { .name = "hash", .type = T_TEXT },
    { 0 },
};

static const struct stmt password_set = {
    "set",
    "UPDATE public.account SET password_hash = :hash, token_epoch = token_epoch + 1"
    " WHERE id = :me_account",
};

static const struct stmt password_end_others = {
    "end_others",
    "UPDATE public.session SET revoked_at = now(), revoke_reason = 'password'"
    " WHERE account_id = :me_account AND id <> :me_session AND revoked_at IS NULL",
};

static const struct stmt *const password_stmts[] = {
    PROOF_STMTS,
    &password_set,
    &password_end_others,
    NULL,
};

static enum err judge_new(struct call *c)
{
    struct slice text = slice_of(call_get(c, "new_password")->text);
    struct password_flaw flaw = password_rules_check(text, call_get(c, "email")->text);
    if (!flaw.code && slice_eq(text, slice_of(call_get(c, "password")->text))) {
        return call_refuse_field(c, "/new_password", "unchanged", "Es la misma que antes",
                                 "It is the same as before");
    }
    return flaw.code ? call_refuse_field(c, "/new_password", flaw.code, flaw.text[LANG_ES],
                                         flaw.text[LANG_EN])
                     : OK;
}

static enum err change_password(struct call *c)
{
    const struct password_policy *policy;
    char fresh[PASSWORD_HASH_MAX];
    TRY(auth_keys_password(c->env, &policy));
    TRY(proof_check(c, PROOF_PASSWORD));
    TRY(judge_new(c));
    TRY(password_hash(policy, slice_of(call_get(c, "new_password")->text), fresh));
    call_set(c, "hash", fresh);
    TRY(call_post(c, &password_set));
    TRY(call_post(c, &password_end_others));
    return call_answer_none(c);
}

const struct route account_routes[] = {
    {
        .method = M_POST,
        .path = "/api/v1/auth/password",
        .summary = "Change the password; all other sessions of the account end",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = password_params,
        .vars = password_vars,
        .stmts = password_stmts,
        .handler = change_password,
        .shape = SHAPE_NONE,
        .success = 204,
    },
    { 0 },
};
