/* SPDX-License-Identifier: LicenseRef-Gremio */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

#include "worker/work_proof.h"

#define NOW INT64_C(1800000000)

static const char key[] = "a key of the installation";
static const struct uuid us = { .b = { 1 } }, others = { .b = { 2 } };

static enum err check(const char *proof, const struct uuid *tenant, int64_t now)
{
    int64_t ends;
    return work_proof_check(key, tenant, (struct slice){ proof, strlen(proof) }, now, &ends);
}

Test(work_proof, is_good_for_one_practice_and_five_minutes)
{
    cr_assert(sodium_init() >= 0);
    for (int i = 0; i < 200; i++) {
        char challenge[WORK_PROOF_TEXT], proof[WORK_PROOF_TEXT + WORK_PROOF_NONCE_MAX];
        int64_t ends;
        work_proof_make(key, &us, 6, NOW, challenge);
        work_proof_solve(challenge, 6, proof);
        cr_assert_eq(work_proof_check(key, &us, (struct slice){ proof, strlen(proof) }, NOW, &ends),
                     OK);
        cr_expect_eq(ends, NOW + WORK_PROOF_LIFE_S);
        cr_expect_eq(check(proof, &us, NOW + WORK_PROOF_LIFE_S - 1), OK);
        cr_expect_eq(check(proof, &us, NOW + WORK_PROOF_LIFE_S), E_LINK_EXPIRED);
        cr_expect_eq(check(proof, &others, NOW), E_BAD_REQUEST);
        cr_expect_eq(work_proof_check("another key", &us, (struct slice){ proof, strlen(proof) },
                                      NOW, &ends),
                     E_BAD_REQUEST);
    }
}

Test(work_proof, takes_work)
{
    cr_assert(sodium_init() >= 0);
    char challenge[WORK_PROOF_TEXT], proof[WORK_PROOF_TEXT + WORK_PROOF_NONCE_MAX];
    int good = 0;
    work_proof_make(key, &us, 8, NOW, challenge);
    for (int i = 0; i < 5000; i++) {
        snprintf(proof, sizeof proof, "%s.%d", challenge, i);
        good += check(proof, &us, NOW) == OK;
    }
    cr_expect(good > 2 && good < 60, "%d of 5000 at eight bits", good);
    work_proof_make(key, &us, 0, NOW, challenge);
    snprintf(proof, sizeof proof, "%s.x", challenge);
    cr_expect_eq(check(proof, &us, NOW), OK, "no bits, no work");
}

Test(work_proof, every_change_of_a_challenge_is_seen)
{
    cr_assert(sodium_init() >= 0);
    char challenge[WORK_PROOF_TEXT], proof[WORK_PROOF_TEXT + WORK_PROOF_NONCE_MAX];
    work_proof_make(key, &us, 0, NOW, challenge);
    for (size_t i = 0; challenge[i]; i++) {
        char changed[WORK_PROOF_TEXT];
        memcpy(changed, challenge, sizeof changed);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        snprintf(proof, sizeof proof, "%s.x", changed);
        cr_expect_eq(check(proof, &us, NOW), E_BAD_REQUEST, "byte %zu", i);
    }
    static const char *const bad[] = { "", ".", ".x", "AAAA.x", "x" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(check(bad[i], &us, NOW), E_BAD_REQUEST, "%s", bad[i]);
    }
    static const char *const nonces[] = {
        "", " ", "a b", "a.b", "\n", "12345678901234567890123456789012345678901"
    };
    for (size_t i = 0; i < sizeof nonces / sizeof *nonces; i++) {
        char text[200];
        snprintf(text, sizeof text, "%s.%s", challenge, nonces[i]);
        cr_expect_eq(check(text, &us, NOW), E_BAD_REQUEST, "nonce %zu", i);
    }
}
