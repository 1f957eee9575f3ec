/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What is derived or sealed with the installation's secret files, over libsodium.
 * Each process is given only the files it needs: the router none but its own password. */
#ifndef GREMIO_SECRET_H
#define GREMIO_SECRET_H

#include "common/err.h"
#include "common/sbuf.h"

#define SECRET_KEY_BYTES    32
#define SECRET_KEY_TEXT     65 /* a key file holds 64 hex digits */
#define SECRET_PASSWORD_MAX 65

/* Starts libsodium; call once in main. */
MUST_USE enum err secret_init(void);
/* A new random key as hex. */
void secret_key_make(char out[SECRET_KEY_TEXT]);
/* Password of one login, derived from the pool key file: HMAC-SHA-256(key, login) as hex, so that a new pool needs no new file. */
MUST_USE enum err secret_login_password(const char *key_hex, const char *login,
                                        char out[SECRET_PASSWORD_MAX]);
/* Seals and opens small values stored in the database (XSalsa20-Poly1305, random nonce in front).
 * open: E_BAD_REQUEST when the text was not sealed with this key. out is appended to. */
MUST_USE enum err secret_seal(const char *key_hex, struct slice plain, struct sbuf *out);
MUST_USE enum err secret_open(const char *key_hex, struct slice sealed, struct sbuf *out);
/* HMAC-SHA-256 of what is easily guessed, so that only the key's holder can check a guess. */
MUST_USE enum err secret_mac(const char *key_hex, struct slice data, uint8_t out[32]);
/* SHA-256. */
void secret_digest(struct slice data, uint8_t out[32]);

#endif
