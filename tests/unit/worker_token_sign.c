/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Tokens we sign are read back by libjwt with the public key; keys of another kind are refused. */
#include <criterion/criterion.h>
#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/json.h"
#include "common/str.h"
#include "worker/token_sign.h"

struct pair {
    char secret[4096], open[4096];
};

static void read_out(BIO *bio, char *out, size_t cap)
{
    int n = BIO_read(bio, out, (int)cap - 1);
    cr_assert_gt(n, 0);
    out[n] = '\0';
    BIO_free(bio);
}

static void make_pair(EVP_PKEY *key, struct pair *out)
{
    cr_assert_not_null(key);
    BIO *bio = BIO_new(BIO_s_mem());
    cr_assert_eq(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    read_out(bio, out->secret, sizeof(out->secret));
    bio = BIO_new(BIO_s_mem());
    cr_assert_eq(PEM_write_bio_PUBKEY(bio, key), 1);
    read_out(bio, out->open, sizeof(out->open));
    EVP_PKEY_free(key);
}

static const struct token_claims claims = {
    .issuer = "gremio",
    .audience = "gremio-api",
    .role = "owner",
    .epoch = 7,
    .proved_s = 1789999990,
    .enrol = true,
    .issued_s = 1790000000,
    .ttl_s = 600,
    .account = { { 1 } },
    .tenant = { { 2 } },
    .member = { { 3 } },
    .session = { { 4 } },
};

static struct token_signer *open_signer(const struct pair *p, const char *kid)
{
    struct token_signer *s = NULL;
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(token_sign_open(&s, kid, slice_of(p->secret), &why), OK, "%s",
                 why.data ? why.data : "");
    sbuf_fini(&why);
    return s;
}

static void assert_refused(const char *kid, const char *pem)
{
    struct token_signer *s = NULL;
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(token_sign_open(&s, kid, slice_of(pem), &why), E_CONFIG);
    cr_assert_null(s);
    cr_assert_gt(why.len, 0);
    sbuf_fini(&why);
}

static void assert_claim(jwt_t *jwt, const char *name, const char *value)
{
    cr_assert_str_eq(jwt_get_grant(jwt, name), value, "%s", name);
}

Test(token_sign, libjwt_verifies_what_we_sign)
{
    struct pair p;
    make_pair(EVP_EC_gen("P-256"), &p);
    struct token_signer *s = open_signer(&p, "key-1");
    cr_assert_str_eq(token_sign_kid(s), "key-1");
    for (int i = 0; i < 300; i++) { /* short r and s come up too */
        struct sbuf token;
        sbuf_init(&token);
        cr_assert_eq(token_sign_make(s, &claims, &token), OK);
        sbuf_char(&token, '\0');
        jwt_t *jwt = NULL;
        cr_assert_eq(
            jwt_decode(&jwt, token.data, (const unsigned char *)p.open, (int)strlen(p.open)), 0);
        cr_assert_eq(jwt_get_alg(jwt), JWT_ALG_ES256);
        assert_claim(jwt, "iss", "gremio");
        assert_claim(jwt, "aud", "gremio-api");
        assert_claim(jwt, "token_use", "access");
        assert_claim(jwt, "sub", "01000000-0000-0000-0000-000000000000");
        assert_claim(jwt, "tenant", "02000000-0000-0000-0000-000000000000");
        assert_claim(jwt, "member", "03000000-0000-0000-0000-000000000000");
        assert_claim(jwt, "session", "04000000-0000-0000-0000-000000000000");
        assert_claim(jwt, "role", "owner");
        cr_assert_eq(jwt_get_grant_int(jwt, "iat"), 1790000000);
        cr_assert_eq(jwt_get_grant_int(jwt, "nbf"), 1790000000);
        cr_assert_eq(jwt_get_grant_int(jwt, "exp"), 1790000600);
        cr_assert_eq(jwt_get_grant_int(jwt, "epoch"), 7);
        cr_assert_eq(jwt_get_grant_int(jwt, "auth_time"), 1789999990);
        cr_assert_eq(jwt_get_grant_bool(jwt, "enrol"), 1);
        jwt_free(jwt);
        sbuf_fini(&token);
    }
    token_sign_close(s);
}

Test(token_sign, header_names_the_key_and_appends)
{
    struct pair p;
    make_pair(EVP_EC_gen("P-256"), &p);
    struct token_signer *s = open_signer(&p, "key-2");
    struct sbuf out;
    sbuf_init(&out);
    sbuf_text(&out, "before ");
    cr_assert_eq(token_sign_make(s, &claims, &out), OK);
    struct slice token = { out.data + 7, out.len - 7 };
    struct slice head = str_cut(&token, '.');
    char text[256];
    size_t n;
    cr_assert_eq(str_base64url_decode(head, text, sizeof(text) - 1, &n), OK);
    text[n] = '\0';
    cr_assert_str_eq(text, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"key-2\"}");
    str_cut(&token, '.');
    cr_assert_eq(token.n, 86, "64 bytes of signature");
    sbuf_fini(&out);
    token_sign_close(s);
}

Test(token_sign, another_key_does_not_verify)
{
    struct pair mine, other;
    make_pair(EVP_EC_gen("P-256"), &mine);
    make_pair(EVP_EC_gen("P-256"), &other);
    struct token_signer *s = open_signer(&mine, "k");
    struct sbuf token;
    sbuf_init(&token);
    cr_assert_eq(token_sign_make(s, &claims, &token), OK);
    sbuf_char(&token, '\0');
    jwt_t *jwt = NULL;
    cr_assert_neq(
        jwt_decode(&jwt, token.data, (const unsigned char *)other.open, (int)strlen(other.open)),
        0);
    sbuf_fini(&token);
    token_sign_close(s);
}

Test(token_sign, only_p256_keys_are_taken)
{
    struct pair p;
    make_pair(EVP_EC_gen("P-384"), &p);
    assert_refused("k", p.secret);
    make_pair(EVP_RSA_gen(2048), &p);
    assert_refused("k", p.secret);
    make_pair(EVP_EC_gen("P-256"), &p);
    assert_refused("k", p.open);
    assert_refused("k", "");
    assert_refused("k", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    char kid[TOKEN_KID_MAX + 1];
    memset(kid, 'k', sizeof(kid) - 1);
    kid[sizeof(kid) - 1] = '\0';
    assert_refused(kid, p.secret);
    token_sign_close(NULL);
}
