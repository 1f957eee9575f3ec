/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A session proves once more who it is, and gets an access token that dangerous routes take (.step_up, worker/gate.c). Runs in auth
 * slots as gremio_auth. */
#include "worker/api/auth_grant.h"
#include "worker/api/proof.h"
#include "worker/api/sessions.h"

static const struct param step_up_params[] = {
    { .name = "password", .in = IN_BODY, .type = T_PASSWORD, .doc = "This, code, or both" },
    { FACTOR_CODE_PARAM },
    { 0 },
};

static const struct param step_up_vars[] = {
    PROOF_VARS, FACTOR_VARS, { .name = "coded", .type = T_BOOL }, { .name = "kid", .type = T_TEXT },
    { 0 },
};

static const struct column step_up_columns[] = {
    { "access_token", T_TEXT, "Instead of the one before; the refresh token stays" },
    { "token_type", T_TEXT, "Bearer" },
    { "expires_in", T_INT, "Seconds the access token lives" },
    { 0 },
};

static const struct stmt step_up_prove = {
    "prove",
    "UPDATE public.session s SET proved_at = now(), second_factor = s.second_factor OR :coded"
    " FROM public.membership m, public.tenant t WHERE s.id = :me_session"
    " AND s.account_id = :me_account AND m.account_id = s.account_id AND m.tenant_id = s.tenant_id"
    " AND m.revoked_at IS NULL AND t.id = s.tenant_id AND " SESSION_LIVE
    " RETURNING s.id, s.account_id, s.tenant_id, m.staff_id, m.role, m.epoch,"
    " t.state, " AUTH_GRANT_PROOF ", " AUTH_GRANT_KID,
};

static const struct stmt *const step_up_stmts[] = {
    PROOF_STMTS, FACTOR_STMTS, &step_up_prove, &auth_grant_secret_stmt, NULL,
};

static enum err step_up(struct call *c)
{
    bool password = call_get(c, "password")->text, code = call_get(c, "code")->text;
    struct grant grant = { 0 };
    PGresult *rows;
    if (!password && !code) {
        return call_refuse_field(c, "/password", "required", "Falta la contraseña o un código",
                                 "The password or a code is missing");
    }
    TRY(proof_check(c, (password ? PROOF_PASSWORD : 0u) | (code ? PROOF_CODE : 0u)));
    call_set(c, "coded", code ? "true" : "false");
    TRY(call_query(c, &step_up_prove, &rows));
    if (PQntuples(rows) == 0) {
        return session_over(c);
    }
    TRY(auth_grant_practice(c, call_cell(rows, 0, "state")));
    TRY(auth_grant_take(rows, &grant));
    TRY(auth_grant_proof(rows, &grant));
    TRY(uuid_parse(slice_of(call_cell(rows, 0, "id")), &grant.session));
    grant.kid = call_cell(rows, 0, "kid");
    return auth_grant_answer_access(c, &grant);
}

const struct route step_up_routes[] = {
    {
        .method = M_POST,
        .path = "/api/v1/auth/step-up",
        .summary = "Prove again who this is, by password or code, for what is dangerous",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = step_up_params,
        .vars = step_up_vars,
        .columns = step_up_columns,
        .stmts = step_up_stmts,
        .handler = step_up,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    { 0 },
};
