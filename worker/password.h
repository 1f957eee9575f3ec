/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Passwords: argon2id through libsodium, in auth slots only. An unknown account costs the same work as a known one:
 * there is always a hash to verify against. secret_init comes first. */
#ifndef GREMIO_PASSWORD_H
#define GREMIO_PASSWORD_H

#include <sodium.h>

#include "common/err.h"

#define PASSWORD_HASH_MAX crypto_pwhash_STRBYTES /* bytes of one hash text, its NUL included */
#define PASSWORD_MAX      256                    /* bytes of a password */

struct password_policy {
    uint64_t ops;                  /* passes over the memory */
    size_t memory;                 /* bytes of one hashing */
    char decoy[PASSWORD_HASH_MAX]; /* of a random password nobody knows */
};

/* Makes the decoy: costs one hashing. E_CONFIG when libsodium refuses the cost, E_NOMEM without that memory. */
MUST_USE enum err password_init(struct password_policy *p, uint64_t ops, size_t memory);
/* Hashes text with a fresh salt. E_NOMEM when the memory is not to be had, E_BAD_REQUEST past PASSWORD_MAX. */
MUST_USE enum err password_hash(const struct password_policy *p, struct slice text,
                                char out[PASSWORD_HASH_MAX]);
/* OK when text is what hash was made of, E_BAD_CREDENTIALS when not, E_NOMEM when there was no memory to find out. hash
 * NULL (no such account, no password set): the decoy is verified and the answer is no. */
MUST_USE enum err password_check(const struct password_policy *p, const char *hash,
                                 struct slice text);
/* True when hash was made at another cost than today's: hash again while the password is at hand. */
bool password_is_stale(const struct password_policy *p, const char *hash);

#endif
