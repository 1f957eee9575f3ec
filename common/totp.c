/* SPDX-License-Identifier: LicenseRef-Gremio */
/* HMAC-SHA-1 by OpenSSL, cut to digits as RFC 4226 5.3 says. */
#include "common/totp.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { SHA1_BYTES = 20, STEP_BYTES = 8 };

int64_t totp_step(int64_t wall_s)
{
    return wall_s / TOTP_PERIOD_S;
}

enum err totp_code(struct slice secret, int64_t step, unsigned digits, char out[TOTP_CODE_MAX])
{
    unsigned char counter[STEP_BYTES], mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    for (int i = 0; i < STEP_BYTES; i++) {
        counter[i] = (unsigned char)((uint64_t)step >> (56 - 8 * i));
    }
    if (!HMAC(EVP_sha1(), secret.p, (int)secret.n, counter, sizeof(counter), mac, &n) ||
        n != SHA1_BYTES || digits < 1 || digits > 9) {
        return E_INTERNAL;
    }
    const unsigned char *at = mac + (mac[SHA1_BYTES - 1] & 0xf);
    uint32_t bits = (uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
                    at[3];
    out[digits] = '\0';
    for (unsigned i = digits; i > 0; i--, bits /= 10) {
        out[i - 1] = (char)('0' + bits % 10);
    }
    OPENSSL_cleanse(mac, sizeof(mac));
    return OK;
}

int64_t totp_find(struct slice secret, int64_t wall_s, struct slice code)
{
    int64_t found = -1, now = totp_step(wall_s);
    char want[TOTP_CODE_MAX];
    if (code.n != TOTP_DIGITS) {
        return -1;
    }
    for (int64_t step = now - TOTP_WINDOW; step <= now + TOTP_WINDOW; step++) {
        if (totp_code(secret, step, TOTP_DIGITS, want) == OK &&
            CRYPTO_memcmp(want, code.p, TOTP_DIGITS) == 0) {
            found = step;
        }
    }
    OPENSSL_cleanse(want, sizeof(want));
    return found;
}
