/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Token wrapper: no memory fault on any bytes, and nothing the fuzzer can make is ever accepted, for it has no key.
 * Input is a token, or header and payload (split at the first newline) that are encoded here so that the JSON behind
 * the encoding is reached as well. */
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/str.h"
#include "router/token.h"
#include "tests/fuzz/fuzz.h"

#define PART_MAX 2048

static struct token_keys keys;
static const struct token_rules rules = { .issuer = "gremio",
                                          .audience = "gremio-api",
                                          .keys = &keys };

/* The public half of a key whose private half is forgotten at once. */
static void make_key(void)
{
    char *text;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    FUZZ_CHECK(key && bio && PEM_write_bio_PUBKEY(bio, key) == 1);
    long n = BIO_get_mem_data(bio, &text);
    FUZZ_CHECK(n > 0 && n < TOKEN_PEM_MAX);
    memcpy(keys.rows[0].pem, text, (size_t)n);
    memcpy(keys.rows[0].kid, "k1", 3);
    keys.count = 1;
    BIO_free(bio);
    EVP_PKEY_free(key);
}

static void refuse(struct slice token)
{
    struct token_claims claims;
    struct slice bearer;
    FUZZ_CHECK(token_verify(&rules, token, 1800000000, &claims) == E_UNAUTHENTICATED);
    if (token_bearer(token, &bearer) == OK) {
        FUZZ_CHECK(bearer.n > 0 && bearer.p >= token.p && bearer.p + bearer.n <= token.p + token.n);
    }
}

static void refuse_encoded(struct slice header, struct slice payload)
{
    static const char signature[] =
        ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static char token[2 * STR_BASE64_SIZE(PART_MAX) + sizeof(signature)];
    if (header.n > PART_MAX || payload.n > PART_MAX) {
        return;
    }
    size_t n = str_base64url(header.p, header.n, token);
    token[n++] = '.';
    n += str_base64url(payload.p, payload.n, token + n);
    memcpy(token + n, signature, sizeof(signature) - 1);
    refuse((struct slice){ token, n + sizeof(signature) - 1 });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = { (const char *)data, size };
    if (keys.count == 0) {
        make_key();
    }
    refuse(rest);
    struct slice header = str_cut(&rest, '\n');
    refuse_encoded(header, rest);
    return 0;
}
