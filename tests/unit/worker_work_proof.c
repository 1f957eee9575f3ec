/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A challenge is good for one practice, until its time, with a nonce that took work; changed in any character it is nobody's. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/secret.h"
#include "common/str.h"
#include "worker/work_proof.h"

#define NOW 1790000000

static const char key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char other_key[] = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static struct uuid practice, other;

static void setup(void)
{
    cr_assert_eq(secret_init(), OK);
    practice = uuid_v7();
    other = uuid_v7();
}

TestSuite(work_proof, .init = setup);

static enum work_proof_fault check(const char *challenge, const char *nonce)
{
    return work_proof_check(key, &practice, slice_of(challenge), slice_of(nonce), NOW);
}

/* Counts the bits for itself. */
static int zeros_of(const char *challenge, const char *nonce)
{
    char text[200];
    uint8_t digest[32];
    int n = snprintf(text, sizeof text, "%s%s", challenge, nonce), zeros = 0;
    secret_digest((struct slice){ text, (size_t)n }, digest);
    while (zeros < 256 && !(digest[zeros / 8] >> (7 - zeros % 8) & 1)) {
        zeros++;
    }
    return zeros;
}

Test(work_proof, a_nonce_with_enough_zeros_and_no_other)
{
    for (int bits = 0; bits <= 9; bits++) {
        char challenge[WORK_PROOF_TEXT], nonce[24];
        int good = 0, bad = 0;
        cr_assert_eq(work_proof_make(key, &practice, bits, NOW, challenge), OK);
        for (int i = 0; i < 2000; i++) {
            snprintf(nonce, sizeof nonce, "%d", i);
            bool enough = zeros_of(challenge, nonce) >= bits;
            cr_expect_eq(check(challenge, nonce), enough ? WORK_PROOF_GOOD : WORK_PROOF_WRONG);
            good += enough;
            bad += !enough;
        }
        cr_expect(bits == 0 ? bad == 0 : bad > good / 2, "%d bits: %d good, %d bad", bits, good,
                  bad);
    }
}

Test(work_proof, no_two_are_alike)
{
    char one[WORK_PROOF_TEXT], two[WORK_PROOF_TEXT];
    cr_assert_eq(work_proof_make(key, &practice, 18, NOW, one), OK);
    cr_assert_eq(work_proof_make(key, &practice, 18, NOW, two), OK);
    cr_expect_str_neq(one, two);
    cr_expect(strncmp(one, "18.1790000300.", 14) == 0, "%s", one);
}

Test(work_proof, of_another_practice_or_key_it_is_foreign)
{
    char c[WORK_PROOF_TEXT];
    cr_assert_eq(work_proof_make(key, &practice, 0, NOW, c), OK);
    cr_expect_eq(check(c, "1"), WORK_PROOF_GOOD);
    cr_expect_eq(work_proof_check(key, &other, slice_of(c), SLICE("1"), NOW), WORK_PROOF_FOREIGN);
    cr_expect_eq(work_proof_check(other_key, &practice, slice_of(c), SLICE("1"), NOW),
                 WORK_PROOF_FOREIGN);
}

Test(work_proof, ends_after_five_minutes)
{
    char c[WORK_PROOF_TEXT];
    cr_assert_eq(work_proof_make(key, &practice, 0, NOW, c), OK);
    cr_expect_eq(work_proof_check(key, &practice, slice_of(c), SLICE("1"), NOW + 299),
                 WORK_PROOF_GOOD);
    cr_expect_eq(work_proof_check(key, &practice, slice_of(c), SLICE("1"), NOW + 300),
                 WORK_PROOF_STALE);
}

Test(work_proof, any_change_is_noticed)
{
    char c[WORK_PROOF_TEXT];
    cr_assert_eq(work_proof_make(key, &practice, 0, NOW, c), OK);
    for (size_t i = 0; c[i]; i++) {
        char was = c[i];
        c[i] = was == 'A' ? 'B' : 'A';
        cr_expect_eq(check(c, "1"), WORK_PROOF_FOREIGN, "character %zu", i);
        c[i] = was;
    }
    for (size_t n = 0; n < strlen(c); n++) {
        struct slice cut = { c, n };
        cr_expect_eq(work_proof_check(key, &practice, cut, SLICE("1"), NOW), WORK_PROOF_FOREIGN);
    }
}

Test(work_proof, what_is_no_challenge_and_what_is_no_nonce)
{
    static const char *const none[] = { "", ".", "...", "a.b.c.d", "0.1.x.", "18.99999999999999" };
    static const char *const nonces[] = {
        "", " ", "1 ", "\xc3\xa9", "a.b", "1\n", "12345678901234567890123456789012345678901"
    };
    char c[WORK_PROOF_TEXT], long_one[2000];
    memset(long_one, '1', sizeof long_one);
    long_one[500] = '.';
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        cr_expect_eq(check(none[i], "1"), WORK_PROOF_FOREIGN, "%s", none[i]);
    }
    struct slice huge = { long_one, sizeof long_one };
    cr_expect_eq(work_proof_check(key, &practice, huge, SLICE("1"), NOW), WORK_PROOF_FOREIGN);
    cr_assert_eq(work_proof_make(key, &practice, 0, NOW, c), OK);
    for (size_t i = 0; i < ARRAY_LEN(nonces); i++) {
        cr_expect_eq(check(c, nonces[i]), WORK_PROOF_WRONG, "%s", nonces[i]);
    }
    cr_expect_eq(work_proof_check(key, &practice, slice_of(c), huge, NOW), WORK_PROOF_WRONG);
    cr_expect_eq(work_proof_make("00", &practice, 0, NOW, c), E_BAD_REQUEST);
}
