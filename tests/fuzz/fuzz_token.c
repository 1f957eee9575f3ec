/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Token wrapper: no memory fault on any bytes, and nothing the fuzzer can make is ever accepted, for it has no key.
 * Input is a token, or header and payload (split at the first newline) that are encoded here so that the JSON behind
 * the encoding is reached as well. With an empty first line the payload is rightly signed, so that the claims are
 * reached: what is accepted then keeps what the header promises. */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/str.h"
#include "router/token.h"
#include "tests/fuzz/fuzz.h"

#define PART_MAX 2048
#define NOW      1800000000

static struct token_keys keys;
static EVP_PKEY *private_key;
static const struct token_rules rules = { .issuer = "gremio",
                                          .audience = "gremio-api",
                                          .keys = &keys };

/* A key of this run. */
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
    private_key = key;
}

static void refuse(struct slice token)
{
    struct token_claims claims;
    struct slice bearer;
    FUZZ_CHECK(token_verify(&rules, token, NOW, &claims) == E_UNAUTHENTICATED);
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

/* R and S of an ES256 signature over text. */
static void sign(struct slice text, unsigned char raw[64])
{
    unsigned char der[128];
    size_t len = sizeof(der);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    FUZZ_CHECK(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, private_key) == 1);
    FUZZ_CHECK(EVP_DigestSign(md, der, &len, (const unsigned char *)text.p, text.n) == 1);
    EVP_MD_CTX_free(md);
    const unsigned char *p = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
    FUZZ_CHECK(sig != NULL);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
    ECDSA_SIG_free(sig);
}

static void check_accepted(const struct token_claims *c)
{
    const struct principal *p = &c->principal;
    FUZZ_CHECK(p->present && !uuid_is_nil(&p->account) && !uuid_is_nil(&p->tenant));
    FUZZ_CHECK(!uuid_is_nil(&p->member) && !uuid_is_nil(&p->session));
    FUZZ_CHECK(p->role[0] && memchr(p->role, '\0', sizeof(p->role)));
    FUZZ_CHECK(c->exp > c->iat && c->exp - c->iat <= TOKEN_LIFETIME_MAX_S);
    FUZZ_CHECK(c->exp + TOKEN_SKEW_S > NOW && c->iat <= NOW + TOKEN_SKEW_S);
}

static void try_signed(struct slice payload)
{
    static const char header[] = "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"}";
    static char token[STR_BASE64_SIZE(sizeof(header)) + STR_BASE64_SIZE(PART_MAX) + 128];
    unsigned char raw[64];
    struct token_claims claims;
    if (payload.n > PART_MAX) {
        return;
    }
    size_t n = str_base64url(header, sizeof(header) - 1, token);
    token[n++] = '.';
    n += str_base64url(payload.p, payload.n, token + n);
    sign((struct slice){ token, n }, raw);
    token[n++] = '.';
    n += str_base64url(raw, sizeof(raw), token + n);
    if (token_verify(&rules, (struct slice){ token, n }, NOW, &claims) == OK) {
        check_accepted(&claims);
    }
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
    if (header.n == 0) {
        try_signed(rest);
    }
    return 0;
}
