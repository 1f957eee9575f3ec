/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One count for passwords and codes: what is guessed at is the account. */
#include "worker/api/proof.h"

#include "worker/auth_keys.h"

const struct stmt proof_hold = {
    "hold",
    "SELECT a.id, a.email, a.password_hash FROM public.account a WHERE a.id = :me_account"
    " FOR UPDATE",
};

static enum err check_password(struct call *c, const char *hash)
{
    const struct password_policy *policy;
    TRY(auth_keys_password(c->env, &policy));
    enum err e = password_check(policy, hash, slice_of(call_get(c, "password")->text));
    if (e == E_BAD_CREDENTIALS) {
        TRY(login_guard_fail(c));
        return call_refuse_field(c, "/password", "wrong_password", "La contraseña actual no es esa",
                                 "That is not the present password");
    }
    return e;
}

static enum err check_code(struct call *c)
{
    PGresult *rows;
    bool good;
    TRY(factor_find(c, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_STATE_CONFLICT, "La cuenta no tiene segundo factor",
                           "The account has no second factor");
    }
    TRY(factor_use(c, rows, &good));
    if (!good) {
        TRY(login_guard_fail(c));
        return call_refuse_field(c, "/code", "wrong_code", "El código es incorrecto o ya se usó",
                                 "The code is wrong or was used before");
    }
    return OK;
}

enum err proof_check(struct call *c, unsigned wanted)
{
    PGresult *rows;
    bool failed;
    TRY(call_query(c, &proof_hold, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_UNAUTHENTICATED, NULL, NULL);
    }
    call_set(c, "account", call_cell(rows, 0, "id"));
    call_set(c, "email", call_cell(rows, 0, "email"));
    TRY(login_guard_check(c, LOGIN_GUARD_CHANGE, &failed));
    if (wanted & PROOF_PASSWORD) {
        TRY(check_password(c, call_cell(rows, 0, "password_hash")));
    }
    if (wanted & PROOF_CODE) {
        TRY(check_code(c));
    }
    return login_guard_pass(c, failed);
}
