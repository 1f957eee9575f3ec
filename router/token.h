/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The one strict wrapper around libjwt 1.10.2, which checks the signature and nothing else (security.md 1.2).
 * RFC 7515, 7519 and 8725: the key fixes the algorithm, the header may hold nothing but alg, kid and typ, claims are
 * type-checked from the very bytes the signature covers. Pure; must never see a private key. */
#ifndef GREMIO_TOKEN_H
#define GREMIO_TOKEN_H

#include "common/frame.h"

#define TOKEN_MAX            4096 /* bytes of a token, checked before anything else */
#define TOKEN_SKEW_S         30   /* tolerated difference of clocks */
#define TOKEN_LIFETIME_MAX_S 3600 /* exp - iat: revoked sessions are remembered this long */
#define TOKEN_KID_MAX        64
#define TOKEN_PEM_MAX        512
#define TOKEN_KEYS_MAX       16

/* A public key; its algorithm is always ES256 (P-256 with SHA-256). */
struct token_key {
    char kid[TOKEN_KID_MAX];
    char pem[TOKEN_PEM_MAX];
};

struct token_keys {
    size_t count;
    struct token_key rows[TOKEN_KEYS_MAX];
};

/* Borrowed while verifying. */
struct token_rules {
    const char *issuer, *audience; /* never empty */
    const struct token_keys *keys;
};

struct token_claims {
    struct principal principal;
    int64_t exp, iat; /* seconds since 1970 */
};

/* The token of an "Authorization: Bearer TOKEN" value (scheme case-insensitive, RFC 9110 11.1), borrowed from it. */
MUST_USE enum err token_bearer(struct slice authorization, struct slice *token);

/* E_TOKEN_EXPIRED when nothing but the time is wrong, E_UNAUTHENTICATED for every other reason; *out only on OK. */
MUST_USE enum err token_verify(const struct token_rules *rules, struct slice token, int64_t now_s,
                               struct token_claims *out);

/* True when pem is one P-256 public key and nothing else: the directory keeps no other. */
bool token_key_usable(const char *pem);

#endif
