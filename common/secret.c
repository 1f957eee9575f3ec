/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Keys, derived passwords, sealed values: libsodium behind six calls. Keys are wiped after use. */
#include "common/secret.h"

#include <sodium.h>

#include "common/str.h"

_Static_assert(crypto_auth_hmacsha256_KEYBYTES == SECRET_KEY_BYTES, "the HMAC takes our key");
_Static_assert(crypto_secretbox_KEYBYTES == SECRET_KEY_BYTES, "the box takes our key");

enum err secret_init(void)
{
    return sodium_init() < 0 ? E_INTERNAL : OK;
}

void secret_key_make(char out[SECRET_KEY_TEXT])
{
    uint8_t key[SECRET_KEY_BYTES];
    randombytes_buf(key, sizeof(key));
    str_hex(key, sizeof(key), out);
    sodium_memzero(key, sizeof(key));
}

enum err secret_mac(const char *key_hex, struct slice data, uint8_t out[32])
{
    uint8_t key[SECRET_KEY_BYTES];
    _Static_assert(crypto_auth_hmacsha256_BYTES == 32, "the code's size");
    TRY(str_unhex(slice_of(key_hex), key, sizeof(key)));
    crypto_auth_hmacsha256(out, (const unsigned char *)data.p, data.n, key);
    sodium_memzero(key, sizeof(key));
    return OK;
}

enum err secret_login_password(const char *key_hex, const char *login,
                               char out[SECRET_PASSWORD_MAX])
{
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    TRY(secret_mac(key_hex, slice_of(login), mac));
    str_hex(mac, sizeof(mac), out);
    sodium_memzero(mac, sizeof(mac));
    return OK;
}

enum err secret_seal(const char *key_hex, struct slice plain, struct sbuf *out)
{
    uint8_t key[SECRET_KEY_BYTES];
    size_t n = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + plain.n;
    TRY(str_unhex(slice_of(key_hex), key, sizeof(key)));
    uint8_t *to = (uint8_t *)sbuf_room(out, n);
    if (to) {
        randombytes_buf(to, crypto_secretbox_NONCEBYTES);
        crypto_secretbox_easy(to + crypto_secretbox_NONCEBYTES, (const uint8_t *)plain.p, plain.n,
                              to, key);
        sbuf_added(out, n);
    }
    sodium_memzero(key, sizeof(key));
    return to ? OK : E_NOMEM;
}

enum err secret_open(const char *key_hex, struct slice sealed, struct sbuf *out)
{
    const size_t extra = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    uint8_t key[SECRET_KEY_BYTES];
    if (sealed.n < extra) {
        return E_BAD_REQUEST;
    }
    TRY(str_unhex(slice_of(key_hex), key, sizeof(key)));
    const uint8_t *nonce = (const uint8_t *)sealed.p;
    char *to = sbuf_room(out, sealed.n - extra);
    int bad = -1;
    if (to) {
        bad = crypto_secretbox_open_easy((uint8_t *)to, nonce + crypto_secretbox_NONCEBYTES,
                                         sealed.n - crypto_secretbox_NONCEBYTES, nonce, key);
    }
    sodium_memzero(key, sizeof(key));
    if (bad) {
        return to ? E_BAD_REQUEST : E_NOMEM;
    }
    sbuf_added(out, sealed.n - extra);
    return OK;
}

void secret_digest(struct slice data, uint8_t out[32])
{
    crypto_hash_sha256(out, (const unsigned char *)(data.p ? data.p : ""), data.n);
}
