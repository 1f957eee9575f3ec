/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The public halves of the keys that verify access tokens, for who verifies them elsewhere (RFC 7517 5). */
#include "worker/route.h"

static const struct column keys_columns[] = {
    { "keys", T_JSON, "One JWK each, of the keys that sign, will sign or have signed" },
    { 0 },
};

const struct route keys_routes[] = {
    {
        .method = M_GET,
        .path = "/.well-known/jwks.json",
        .summary = "Public keys of access tokens (JWK Set)",
        .open = true,
        .cost = COST_AUTH,
        .columns = keys_columns,
        .sql = "SELECT coalesce(jsonb_agg(k.public_jwk ORDER BY k.kid), '[]') AS keys"
               " FROM public.signing_key k WHERE k.state <> 'revoked'",
        .shape = SHAPE_ONE,
        .success = 200,
    },
    { 0 },
};
