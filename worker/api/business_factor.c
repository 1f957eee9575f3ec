/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Whether a practice lets its people do anything before they have a second factor. Kept in the directory, where logins see it. */
#include "worker/call.h"

static const struct column business_factor_columns[] = {
    { "required", T_BOOL, "Members without a second factor can only set one up" },
    { 0 },
};

static const struct param business_factor_params[] = {
    { .name = "required", .in = IN_BODY, .type = T_BOOL, .required = true },
    { 0 },
};

static const struct stmt business_factor_set = {
    "set",
    "SELECT :required AS required WHERE ext.require_second_factor(:required, :me_account)",
};

static const struct stmt *const business_factor_stmts[] = { &business_factor_set, NULL };

static enum err require_factor(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &business_factor_set, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_STATE_CONFLICT,
                           "Configure primero un segundo factor en su propia cuenta",
                           "Set up a second factor for your own account first");
    }
    return call_answer(c, rows);
}

const struct route business_factor_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/business/second-factor",
        .summary = "Whether the practice requires a second factor of its people",
        .need = PERM_BUSINESS_READ,
        .cost = COST_FAST,
        .columns = business_factor_columns,
        .sql = "SELECT ext.second_factor_required() AS required",
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_PUT,
        .path = "/api/v1/business/second-factor",
        .summary = "Require a second factor of all members, owners too, or no longer",
        .need = PERM_BUSINESS_WRITE,
        .step_up = true,
        .cost = COST_FAST,
        .any_version = true,
        .params = business_factor_params,
        .columns = business_factor_columns,
        .stmts = business_factor_stmts,
        .handler = require_factor,
        .shape = SHAPE_ONE,
        .success = 200,
    },
    { 0 },
};
