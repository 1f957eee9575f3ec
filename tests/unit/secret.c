/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Derivation and sealing against known vectors; every changed byte is noticed. */
#include "common/secret.h"

#include <criterion/criterion.h>

#include "common/str.h"

static const char key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static struct sbuf sealed;
static struct sbuf plain;

static void init(void)
{
    cr_assert_eq(secret_init(), OK);
    cr_assert_eq(secret_init(), OK, "a second time is harmless");
}

static void fini(void)
{
    sbuf_fini(&sealed);
    sbuf_fini(&plain);
}

TestSuite(secret, .init = init, .fini = fini);

Test(secret, keys_differ)
{
    char a[SECRET_KEY_TEXT];
    char b[SECRET_KEY_TEXT];
    uint8_t bytes[SECRET_KEY_BYTES];
    secret_key_make(a);
    secret_key_make(b);
    cr_expect_str_neq(a, b);
    cr_expect_eq(str_unhex(slice_of(a), bytes, sizeof(bytes)), OK);
}

/* HMAC-SHA-256 computed with openssl dgst -mac HMAC. */
Test(secret, login_password)
{
    char out[SECRET_PASSWORD_MAX];
    char other[SECRET_PASSWORD_MAX];
    cr_assert_eq(secret_login_password(key, "gremio_pool_00", out), OK);
    cr_expect_str_eq(out, "a387a6369a8623ed79d64d3f478746c01b91a11f9240c8208a8158d76ce45bbc");
    cr_assert_eq(secret_login_password(key, "gremio_pool_01", other), OK);
    cr_expect_str_neq(out, other);
    cr_expect_eq(secret_login_password("00ff", "x", out), E_BAD_REQUEST);
    cr_expect_eq(secret_login_password("", "x", out), E_BAD_REQUEST);
}

Test(secret, seal_and_open)
{
    static const size_t sizes[] = { 0, 1, 100, 5000 };
    char data[5000];
    memset(data, 'k', sizeof(data));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        sbuf_reset(&sealed, 0);
        sbuf_reset(&plain, 0);
        sbuf_text(&plain, "before ");
        cr_assert_eq(secret_seal(key, (struct slice){ data, sizes[i] }, &sealed), OK);
        cr_assert_eq(secret_open(key, sbuf_slice(&sealed), &plain), OK);
        cr_expect_eq(plain.len, 7 + sizes[i]);
        cr_expect_eq(memcmp(plain.data + 7, data, sizes[i]), 0);
    }
}

Test(secret, two_seals_of_one_value_differ)
{
    cr_assert_eq(secret_seal(key, SLICE("same"), &sealed), OK);
    cr_assert_eq(secret_seal(key, SLICE("same"), &plain), OK);
    cr_expect_not(slice_eq(sbuf_slice(&sealed), sbuf_slice(&plain)));
}

Test(secret, a_changed_byte_or_key_is_refused)
{
    cr_assert_eq(secret_seal(key, SLICE("private"), &sealed), OK);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 1;
        cr_expect_eq(secret_open(key, sbuf_slice(&sealed), &plain), E_BAD_REQUEST, "byte %zu", i);
        sealed.data[i] ^= 1;
    }
    for (size_t n = 0; n < sealed.len; n++) {
        cr_expect_eq(secret_open(key, (struct slice){ sealed.data, n }, &plain), E_BAD_REQUEST);
    }
    char other[SECRET_KEY_TEXT];
    secret_key_make(other);
    cr_expect_eq(secret_open(other, sbuf_slice(&sealed), &plain), E_BAD_REQUEST);
    cr_expect_eq(secret_open("no key", sbuf_slice(&sealed), &plain), E_BAD_REQUEST);
    cr_expect_eq(plain.len, 0, "nothing is handed out");
}

Test(secret, digest)
{
    uint8_t out[32];
    char hex[65];
    secret_digest(SLICE("abc"), out);
    str_hex(out, sizeof(out), hex);
    cr_expect_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    secret_digest((struct slice){ 0 }, out);
    str_hex(out, sizeof(out), hex);
    cr_expect_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
