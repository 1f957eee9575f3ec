/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One password policy and one signer per process: a slot is one thread and serves one login at a time. */
#include "worker/auth_keys.h"

#include <sodium.h>

#include "common/log.h"
#include "common/str.h"

enum { MAC_BYTES = 32, SIGNED_BYTES = 16 + 8, TOKEN_BYTES = SIGNED_BYTES + MAC_BYTES };
#define PREFIX "r1."

static struct {
    bool ready;
    struct password_policy policy;
    struct token_signer *signer; /* NULL until the first token */
} keys;

enum err auth_keys_password(const struct slot_env *env, const struct password_policy **out)
{
    if (!keys.ready) {
        TRY(password_init(&keys.policy, (uint64_t)env->settings->password_ops,
                          (size_t)env->settings->password_memory));
        keys.ready = true;
    }
    *out = &keys.policy;
    return OK;
}

const struct token_signer *auth_keys_signer(const char *kid)
{
    return keys.signer && strcmp(token_sign_kid(keys.signer), kid) == 0 ? keys.signer : NULL;
}

enum err auth_keys_load(const struct slot_env *env, const char *kid, struct slice sealed,
                        const struct token_signer **out)
{
    struct token_signer *fresh = NULL;
    struct sbuf pem, why;
    sbuf_init(&pem);
    sbuf_init(&why);
    enum err e = secret_open(env->secrets->sealing_key, sealed, &pem);
    if (e == OK) {
        e = token_sign_open(&fresh, kid, sbuf_slice(&pem), &why);
    } else {
        sbuf_text(&why, "it was not sealed with this installation's sealing key");
    }
    if (e == OK) {
        token_sign_close(keys.signer);
        *out = keys.signer = fresh;
    } else {
        sbuf_char(&why, '\0');
        log_event(LOG_LEVEL_ERROR, "signing_key_unusable", "kid", kid, "why", why.data, NULL);
        e = E_CONFIG;
    }
    if (pem.data) {
        sodium_memzero(pem.data, pem.len);
    }
    sbuf_fini(&pem);
    sbuf_fini(&why);
    return e;
}

/* ---- refresh tokens ---- */

static void pack(const struct uuid *session, uint64_t counter, uint8_t out[SIGNED_BYTES])
{
    memcpy(out, session->b, 16);
    for (int i = 0; i < 8; i++) {
        out[16 + i] = (uint8_t)(counter >> (56 - 8 * i));
    }
}

void auth_keys_refresh(const struct uuid *session, uint64_t counter,
                       const uint8_t key[AUTH_KEY_BYTES], char out[REFRESH_TEXT_MAX])
{
    uint8_t raw[TOKEN_BYTES];
    _Static_assert(sizeof(PREFIX) - 1 + STR_BASE64_SIZE(TOKEN_BYTES) <= REFRESH_TEXT_MAX, "fits");
    _Static_assert(AUTH_KEY_BYTES == crypto_auth_hmacsha256_KEYBYTES, "the key's size");
    _Static_assert(MAC_BYTES == crypto_auth_hmacsha256_BYTES, "the code's size");
    pack(session, counter, raw);
    crypto_auth_hmacsha256(raw + SIGNED_BYTES, raw, SIGNED_BYTES, key);
    memcpy(out, PREFIX, sizeof(PREFIX) - 1);
    str_base64url(raw, sizeof(raw), out + sizeof(PREFIX) - 1);
}

enum err auth_keys_read(struct slice token, struct refresh_claim *out)
{
    uint8_t raw[TOKEN_BYTES];
    size_t n = 0;
    if (!str_starts(token, SLICE(PREFIX))) {
        return E_UNAUTHENTICATED;
    }
    struct slice text = { token.p + sizeof(PREFIX) - 1, token.n - (sizeof(PREFIX) - 1) };
    if (str_base64url_decode(text, raw, sizeof(raw), &n) != OK || n != sizeof(raw)) {
        return E_UNAUTHENTICATED;
    }
    memcpy(out->session.b, raw, 16);
    out->counter = 0;
    for (int i = 0; i < 8; i++) {
        out->counter = out->counter << 8 | raw[16 + i];
    }
    memcpy(out->mac, raw + SIGNED_BYTES, MAC_BYTES);
    return OK;
}

bool auth_keys_proves(const struct refresh_claim *claim, const uint8_t key[AUTH_KEY_BYTES])
{
    uint8_t raw[SIGNED_BYTES];
    pack(&claim->session, claim->counter, raw);
    return crypto_auth_hmacsha256_verify(claim->mac, raw, sizeof(raw), key) == 0;
}
