/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Refresh tokens: what is made is read back and proved; one changed bit, another key, another form are not. Signing keys:
 * only what this installation sealed is taken, and the key in use survives one that is not. */
#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/log.h"
#include "common/str.h"
#include "worker/auth_keys.h"

static const uint8_t key[AUTH_KEY_BYTES] = { 1, 2, 3 };
static const uint8_t other_key[AUTH_KEY_BYTES] = { 1, 2, 4 };

static void start(void)
{
    cr_assert_eq(secret_init(), OK);
}
TestSuite(auth_keys, .init = start);

Test(auth_keys, refresh_token_says_session_and_counter)
{
    const uint64_t counters[] = { 0, 1, 255, 256, UINT64_C(1) << 40, UINT64_MAX };
    for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
        struct uuid session = uuid_v7();
        struct refresh_claim claim;
        char text[REFRESH_TEXT_MAX];
        auth_keys_refresh(&session, counters[i], key, text);
        cr_assert_eq(auth_keys_read(slice_of(text), &claim), OK);
        cr_assert(uuid_eq(&claim.session, &session));
        cr_assert_eq(claim.counter, counters[i]);
        cr_assert(auth_keys_proves(&claim, key));
        cr_assert_not(auth_keys_proves(&claim, other_key));
    }
}

Test(auth_keys, every_changed_bit_is_noticed)
{
    struct uuid session = uuid_v7();
    struct refresh_claim claim;
    char text[REFRESH_TEXT_MAX], forged[REFRESH_TEXT_MAX];
    uint8_t raw[56];
    size_t n;
    auth_keys_refresh(&session, 7, key, text);
    cr_assert_eq(str_base64url_decode(slice_of(text + 3), raw, sizeof(raw), &n), OK);
    cr_assert_eq(n, sizeof(raw));
    for (size_t bit = 0; bit < 8 * sizeof(raw); bit++) {
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memcpy(forged, "r1.", 3);
        str_base64url(raw, sizeof(raw), forged + 3);
        cr_assert_eq(auth_keys_read(slice_of(forged), &claim), OK);
        cr_assert_not(auth_keys_proves(&claim, key), "bit %zu", bit);
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

Test(auth_keys, other_texts_are_no_tokens)
{
    struct uuid session = uuid_v7();
    struct refresh_claim claim;
    char text[REFRESH_TEXT_MAX + 2];
    auth_keys_refresh(&session, 7, key, text);
    size_t n = strlen(text);
    for (size_t cut = 0; cut < n; cut++) {
        cr_assert_eq(auth_keys_read((struct slice){ text, cut }, &claim), E_UNAUTHENTICATED);
    }
    memcpy(text + n, "AA", 3);
    cr_assert_eq(auth_keys_read(slice_of(text), &claim), E_UNAUTHENTICATED);
    text[n] = '\0';
    text[1] = '2';
    cr_assert_eq(auth_keys_read(slice_of(text), &claim), E_UNAUTHENTICATED);
    cr_assert_eq(auth_keys_read(SLICE(""), &claim), E_UNAUTHENTICATED);
}

static void sealed_key(const char *sealing, struct sbuf *out)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    char pem[1024];
    cr_assert_eq(PEM_write_bio_PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL), 1);
    int n = BIO_read(bio, pem, sizeof(pem));
    cr_assert_gt(n, 0);
    cr_assert_eq(secret_seal(sealing, (struct slice){ pem, (size_t)n }, out), OK);
    BIO_free(bio);
    EVP_PKEY_free(pair);
}

Test(auth_keys, keeps_the_signer_that_works)
{
    struct worker_secrets secrets = { 0 };
    struct slot_env env = { .kind = KIND_AUTH, .secrets = &secrets };
    char strange[SECRET_KEY_TEXT];
    const struct token_signer *signer = NULL, *next = NULL;
    struct sbuf mine, foreign;
    log_init("test", LOG_LEVEL_ERROR, -1);
    secret_key_make(secrets.sealing_key);
    secret_key_make(strange);
    sbuf_init(&mine);
    sbuf_init(&foreign);
    sealed_key(secrets.sealing_key, &mine);
    sealed_key(strange, &foreign);
    cr_assert_null(auth_keys_signer("one"));
    cr_assert_eq(auth_keys_load(&env, "one", sbuf_slice(&mine), &signer), OK);
    cr_assert_eq(auth_keys_signer("one"), signer);
    cr_assert_null(auth_keys_signer("two"));
    cr_assert_eq(auth_keys_load(&env, "two", sbuf_slice(&foreign), &next), E_CONFIG);
    cr_assert_eq(auth_keys_signer("one"), signer);
    cr_assert_eq(auth_keys_load(&env, "two", sbuf_slice(&mine), &next), OK);
    cr_assert_eq(auth_keys_signer("two"), next);
    cr_assert_null(auth_keys_signer("one"));
    sbuf_fini(&mine);
    sbuf_fini(&foreign);
}
