/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Access tokens: JWS compact serialisation (RFC 7515) signed with ES256 (RFC 7518 3.4). Owns the private key,
 * which lives in auth slots only; the router verifies with the public half. */
#ifndef GREMIO_TOKEN_SIGN_H
#define GREMIO_TOKEN_SIGN_H

#include "common/sbuf.h"
#include "common/uuid.h"

struct token_signer;

#define TOKEN_KID_MAX 64 /* bytes of a key's name, its NUL included */

/* What one token says. */
struct token_claims {
    const char *issuer, *audience;
    struct uuid account; /* sub */
    struct uuid tenant, member, session;
    const char *role;
    int64_t epoch;    /* of the membership */
    int64_t issued_s; /* seconds since 1970: iat and nbf */
    int64_t ttl_s;    /* exp is so much later */
    int64_t
        proved_s; /* auth_time: when the session last proved who it is (OpenID Connect Core 2, RFC 9470) */
    bool enrol; /* good for nothing but setting up a second factor */
};

/* Reads a P-256 private key (PEM, PKCS#8 or SEC 1). On OK *out is the caller's, to be closed; pem may be
 * wiped. E_CONFIG with a sentence in why otherwise. */
MUST_USE enum err token_sign_open(struct token_signer **out, const char *kid, struct slice pem,
                                  struct sbuf *why);
/* Takes NULL. */
void token_sign_close(struct token_signer *s);
/* The key's name. */
const char *token_sign_kid(const struct token_signer *s);
/* Appends one token; jti is fresh. E_INTERNAL when signing fails, E_NOMEM without memory: out is not to be used then. */
MUST_USE enum err token_sign_make(const struct token_signer *s, const struct token_claims *claims,
                                  struct sbuf *out);

#endif
