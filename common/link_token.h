/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What an access link carries: which practice it is of, and 192 random bits that nobody guesses. The practice's id leads the router to the
 * schema, where the SHA-256 of the whole is looked up; a token whose id was changed is another token, and nobody's. */
#ifndef GREMIO_LINK_TOKEN_H
#define GREMIO_LINK_TOKEN_H

#include "common/uuid.h"

#define LINK_TOKEN_BYTES 40 /* the practice's id, then the secret */
#define LINK_TOKEN_TEXT  55 /* 54 characters of base64url (RFC 4648 5, no padding) and a NUL */
#define LINK_TOKEN_HASH  32

/* A secret as it is: wiped by whoever has it, never logged. */
struct link_token {
    uint8_t b[LINK_TOKEN_BYTES];
};

/* A new one of the practice. libsodium was started (secret_init). */
struct link_token link_token_make(const struct uuid *tenant);
/* E_BAD_REQUEST on anything but the 54 characters that link_token_format writes for some token; *out only on OK. */
MUST_USE enum err link_token_parse(struct slice text, struct link_token *out);
void link_token_format(const struct link_token *t, char out[LINK_TOKEN_TEXT]);
/* The practice it claims to be of: true only once its hash was found there. */
struct uuid link_token_tenant(const struct link_token *t);
/* SHA-256 of all its bytes: what the database has. */
void link_token_hash(const struct link_token *t, uint8_t out[LINK_TOKEN_HASH]);

#endif
