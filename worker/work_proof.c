/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The signature comes first: a text that is not ours is not read any further. */
#include "worker/work_proof.h"

#include <sodium.h>
#include <stdio.h>

#include "common/secret.h"
#include "common/str.h"

#define DIGEST 32
#define RANDOM 16
#define MAC    STR_BASE64_SIZE(DIGEST)

/* Of the practice's id and what stands before the last dot. */
static enum err sign(const char *key_hex, const struct uuid *practice, struct slice what,
                     char out[MAC])
{
    char text[UUID_TEXT + WORK_PROOF_TEXT + 16], id[UUID_TEXT];
    uint8_t mac[DIGEST];
    uuid_format(practice, id);
    int n = snprintf(text, sizeof(text), "proof %s %.*s", id, (int)what.n, what.p);
    TRY(secret_mac(key_hex, (struct slice){ text, (size_t)n }, mac));
    str_base64url(mac, sizeof(mac), out);
    return OK;
}

enum err work_proof_make(const char *key_hex, const struct uuid *practice, int bits, int64_t now_s,
                         char out[WORK_PROOF_TEXT])
{
    uint8_t random[RANDOM];
    char word[STR_BASE64_SIZE(RANDOM)], body[64], mac[MAC];
    randombytes_buf(random, sizeof(random));
    str_base64url(random, sizeof(random), word);
    int n = snprintf(body, sizeof(body), "%d.%lld.%s", bits, (long long)(now_s + WORK_PROOF_LIFE_S),
                     word);
    TRY(sign(key_hex, practice, (struct slice){ body, (size_t)n }, mac));
    snprintf(out, WORK_PROOF_TEXT, "%s.%s", body, mac);
    return OK;
}

static bool is_signed(const char *key_hex, const struct uuid *practice, struct slice challenge,
                      struct slice *body)
{
    char mac[MAC];
    size_t dot = challenge.n;
    while (dot > 0 && challenge.p[dot - 1] != '.') {
        dot--;
    }
    if (dot == 0 || challenge.n >= WORK_PROOF_TEXT) {
        return false;
    }
    *body = (struct slice){ challenge.p, dot - 1 };
    struct slice have = { challenge.p + dot, challenge.n - dot };
    return sign(key_hex, practice, *body, mac) == OK && have.n == strlen(mac) &&
           sodium_memcmp(have.p, mac, have.n) == 0;
}

static bool is_nonce(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') {
            return false;
        }
    }
    return s.n > 0 && s.n <= WORK_PROOF_NONCE_MAX;
}

static bool has_zeros(const uint8_t digest[DIGEST], int64_t bits)
{
    for (int64_t i = 0; i < bits; i++) {
        if (digest[i / 8] & 0x80u >> i % 8) {
            return false;
        }
    }
    return true;
}

enum work_proof_fault work_proof_check(const char *key_hex, const struct uuid *practice,
                                       struct slice challenge, struct slice nonce, int64_t now_s)
{
    char text[WORK_PROOF_TEXT + WORK_PROOF_NONCE_MAX + 1];
    uint8_t digest[DIGEST];
    struct slice body;
    int64_t bits, until;
    if (!is_signed(key_hex, practice, challenge, &body) ||
        str_int(str_cut(&body, '.'), 0, WORK_PROOF_BITS_MAX, &bits) != OK ||
        str_int(str_cut(&body, '.'), 0, INT64_MAX, &until) != OK) {
        return WORK_PROOF_FOREIGN;
    }
    if (now_s >= until) {
        return WORK_PROOF_STALE;
    }
    if (!is_nonce(nonce)) {
        return WORK_PROOF_WRONG;
    }
    memcpy(text, challenge.p, challenge.n);
    memcpy(text + challenge.n, nonce.p, nonce.n);
    secret_digest((struct slice){ text, challenge.n + nonce.n }, digest);
    return has_zeros(digest, bits) ? WORK_PROOF_GOOD : WORK_PROOF_WRONG;
}
