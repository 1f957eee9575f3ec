/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The MAC covers everything that a challenge says; half of HMAC-SHA-256 is long enough for five minutes. */
#include "worker/work_proof.h"

#include <sodium.h>
#include <stdio.h>

#include "common/str.h"

enum { RANDOM_BYTES = 12, MAC_BYTES = 16 };

/* What a challenge is made of: base64url of these bytes. */
struct challenge {
    uint8_t tenant[16], expires[8], random[RANDOM_BYTES], bits, mac[MAC_BYTES];
};
_Static_assert(sizeof(struct challenge) == 53, "no padding");
_Static_assert(STR_BASE64_SIZE(sizeof(struct challenge)) <= WORK_PROOF_TEXT, "fits");

#define SIGNED offsetof(struct challenge, mac)

static void sign(const char *key, const struct challenge *c, uint8_t mac[MAC_BYTES])
{
    crypto_auth_hmacsha256_state st;
    uint8_t whole[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_init(&st, (const uint8_t *)key, strlen(key));
    crypto_auth_hmacsha256_update(&st, (const uint8_t *)c, SIGNED);
    crypto_auth_hmacsha256_final(&st, whole);
    memcpy(mac, whole, MAC_BYTES);
}

void work_proof_make(const char *key, const struct uuid *tenant, int bits, int64_t now_s,
                     char out[WORK_PROOF_TEXT])
{
    struct challenge c;
    int64_t expires = now_s + WORK_PROOF_LIFE_S;
    memcpy(c.tenant, tenant->b, sizeof(c.tenant));
    for (int i = 0; i < 8; i++) {
        c.expires[i] = (uint8_t)(expires >> (8 * (7 - i)));
    }
    randombytes_buf(c.random, sizeof(c.random));
    c.bits = (uint8_t)bits;
    sign(key, &c, c.mac);
    str_base64url((const uint8_t *)&c, sizeof(c), out);
}

static int zero_bits(const uint8_t hash[crypto_hash_sha256_BYTES])
{
    int n = 0;
    while (n < 8 * (int)crypto_hash_sha256_BYTES && !(hash[n / 8] >> (7 - n % 8) & 1)) {
        n++;
    }
    return n;
}

static bool is_nonce(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_';
        if (!fits) {
            return false;
        }
    }
    return s.n > 0 && s.n <= WORK_PROOF_NONCE_MAX;
}

static bool is_ours(const char *key, const struct uuid *tenant, const struct challenge *c)
{
    uint8_t mac[MAC_BYTES];
    sign(key, c, mac);
    return sodium_memcmp(mac, c->mac, MAC_BYTES) == 0 &&
           memcmp(c->tenant, tenant->b, sizeof(c->tenant)) == 0;
}

enum err work_proof_check(const char *key, const struct uuid *tenant, struct slice proof,
                          int64_t now_s, int64_t *expires_s)
{
    struct slice nonce = proof, text = str_cut(&nonce, '.');
    struct challenge c;
    size_t n = 0;
    uint8_t hash[crypto_hash_sha256_BYTES];
    *expires_s = 0;
    if (str_base64url_decode(text, (uint8_t *)&c, sizeof(c), &n) != OK || n != sizeof(c) ||
        !nonce.p || !is_nonce(nonce) || !is_ours(key, tenant, &c)) {
        return E_BAD_REQUEST;
    }
    for (int i = 0; i < 8; i++) {
        *expires_s = *expires_s << 8 | c.expires[i];
    }
    crypto_hash_sha256(hash, (const uint8_t *)proof.p, proof.n);
    if (zero_bits(hash) < c.bits) {
        return E_BAD_REQUEST;
    }
    return now_s >= *expires_s ? E_LINK_EXPIRED : OK;
}

void work_proof_solve(const char *challenge, int bits,
                      char out[WORK_PROOF_TEXT + WORK_PROOF_NONCE_MAX])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    for (unsigned long i = 0;; i++) {
        snprintf(out, WORK_PROOF_TEXT + WORK_PROOF_NONCE_MAX, "%s.%lu", challenge, i);
        crypto_hash_sha256(hash, (const uint8_t *)out, strlen(out));
        if (zero_bits(hash) >= bits) {
            return;
        }
    }
}
