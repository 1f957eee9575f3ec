/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What an auth slot keeps between requests: the password policy and the key that signs now. Made when first
 * needed; only auth slots may ask. Also makes and reads refresh tokens, which need no key of the process: a
 * session has its own. */
#ifndef GREMIO_AUTH_KEYS_H
#define GREMIO_AUTH_KEYS_H

#include "worker/password.h"
#include "worker/slot_env.h"
#include "worker/token_sign.h"

/* The policy of the settings; its first use makes the decoy. E_CONFIG or E_NOMEM as password_init says. */
MUST_USE enum err auth_keys_password(const struct slot_env *env,
                                     const struct password_policy **out);

/* The signer named kid; NULL when another key, or none, is loaded: load it with auth_keys_load. */
const struct token_signer *auth_keys_signer(const char *kid);
/* Opens a sealed private key with the sealing key and keeps it instead of the one before. E_CONFIG (logged) when it
 * cannot be opened; the one before stays then. */
MUST_USE enum err auth_keys_load(const struct slot_env *env, const char *kid, struct slice sealed,
                                 const struct token_signer **out);

#define AUTH_KEY_BYTES   32 /* a session's refresh key */
#define REFRESH_TEXT_MAX 96 /* a refresh token with its NUL */

/* "r1." and base64url of session, counter and HMAC-SHA-256(key, session || counter). */
void auth_keys_refresh(const struct uuid *session, uint64_t counter,
                       const uint8_t key[AUTH_KEY_BYTES], char out[REFRESH_TEXT_MAX]);
/* What a refresh token says; nothing of it is proved before auth_keys_proves. */
struct refresh_claim {
    struct uuid session;
    uint64_t counter;
    uint8_t mac[32];
};
/* E_UNAUTHENTICATED on anything that is no refresh token. */
MUST_USE enum err auth_keys_read(struct slice token, struct refresh_claim *out);
/* Whether the session's key made it; in constant time. */
bool auth_keys_proves(const struct refresh_claim *claim, const uint8_t key[AUTH_KEY_BYTES]);

#endif
