/* SPDX-License-Identifier: LicenseRef-Gremio */
/* argon2id through libsodium; the cost comes from the settings password_ops and password_memory. */
#include "worker/password.h"

#include <errno.h>

enum err password_init(struct password_policy *p, uint64_t ops, size_t memory)
{
    if (ops < crypto_pwhash_OPSLIMIT_MIN || memory < crypto_pwhash_MEMLIMIT_MIN ||
        ops > crypto_pwhash_OPSLIMIT_MAX || memory > crypto_pwhash_MEMLIMIT_MAX) {
        return E_CONFIG;
    }
    *p = (struct password_policy){ .ops = ops, .memory = memory };
    char unknown[32];
    randombytes_buf(unknown, sizeof(unknown));
    enum err e = password_hash(p, (struct slice){ unknown, sizeof(unknown) }, p->decoy);
    sodium_memzero(unknown, sizeof(unknown));
    return e;
}

enum err password_hash(const struct password_policy *p, struct slice text,
                       char out[PASSWORD_HASH_MAX])
{
    if (text.n > PASSWORD_MAX) {
        return E_BAD_REQUEST;
    }
    /* crypto_pwhash_str writes argon2id (libsodium 1.0.15 and later). */
    return crypto_pwhash_str(out, text.p, text.n, p->ops, p->memory) == 0 ? OK : E_NOMEM;
}

enum err password_check(const struct password_policy *p, const char *hash, struct slice text)
{
    /* Too long a password is refused without work: that says nothing of the account. */
    if (text.n > PASSWORD_MAX) {
        return E_BAD_CREDENTIALS;
    }
    errno =
        0; /* libsodium says EINVAL for a password that differs and leaves malloc's ENOMEM alone */
    if (crypto_pwhash_str_verify(hash ? hash : p->decoy, text.p, text.n) == 0) {
        return hash ? OK : E_BAD_CREDENTIALS;
    }
    return errno == ENOMEM ? E_NOMEM : E_BAD_CREDENTIALS;
}

bool password_is_stale(const struct password_policy *p, const char *hash)
{
    return crypto_pwhash_str_needs_rehash(hash, p->ops, p->memory) != 0;
}
