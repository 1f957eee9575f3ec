/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Passwords: right and wrong ones, the decoy's equal work, the cost's bounds. */
#include <criterion/criterion.h>
#include <time.h>

#include "common/secret.h"
#include "worker/password.h"

enum { LITTLE = 8192, SOME = 16 << 20 };

static struct password_policy policy(size_t memory)
{
    struct password_policy p;
    cr_assert_eq(secret_init(), OK);
    cr_assert_eq(password_init(&p, 1, memory), OK);
    return p;
}

Test(password, only_the_right_one_matches)
{
    struct password_policy p = policy(LITTLE);
    char hash[PASSWORD_HASH_MAX];
    cr_assert_eq(password_hash(&p, SLICE("contraseña larga"), hash), OK);
    cr_assert(strncmp(hash, "$argon2id$", 10) == 0);
    cr_assert_eq(password_check(&p, hash, SLICE("contraseña larga")), OK);
    cr_assert_eq(password_check(&p, hash, SLICE("contraseña larga ")), E_BAD_CREDENTIALS);
    cr_assert_eq(password_check(&p, hash, SLICE("Contraseña larga")), E_BAD_CREDENTIALS);
    cr_assert_eq(password_check(&p, hash, SLICE("")), E_BAD_CREDENTIALS);
    cr_assert_eq(password_check(&p, "not a hash", SLICE("contraseña larga")), E_BAD_CREDENTIALS);
}

Test(password, the_same_password_hashes_differently)
{
    struct password_policy p = policy(LITTLE);
    char one[PASSWORD_HASH_MAX], two[PASSWORD_HASH_MAX];
    cr_assert_eq(password_hash(&p, SLICE("x"), one), OK);
    cr_assert_eq(password_hash(&p, SLICE("x"), two), OK);
    cr_assert_str_neq(one, two);
}

Test(password, nobody_matches_without_a_hash)
{
    struct password_policy p = policy(LITTLE);
    cr_assert_eq(password_check(&p, NULL, SLICE("")), E_BAD_CREDENTIALS);
    cr_assert_eq(password_check(&p, NULL, SLICE("whatever")), E_BAD_CREDENTIALS);
}

Test(password, length_is_bounded)
{
    struct password_policy p = policy(LITTLE);
    char text[PASSWORD_MAX + 1], hash[PASSWORD_HASH_MAX];
    memset(text, 'a', sizeof(text));
    cr_assert_eq(password_hash(&p, (struct slice){ text, sizeof(text) }, hash), E_BAD_REQUEST);
    cr_assert_eq(password_hash(&p, (struct slice){ text, PASSWORD_MAX }, hash), OK);
    cr_assert_eq(password_check(&p, hash, (struct slice){ text, PASSWORD_MAX }), OK);
    cr_assert_eq(password_check(&p, hash, (struct slice){ text, sizeof(text) }), E_BAD_CREDENTIALS);
}

Test(password, another_cost_is_stale)
{
    struct password_policy old = policy(LITTLE), now = policy(2 * LITTLE);
    char hash[PASSWORD_HASH_MAX];
    cr_assert_eq(password_hash(&old, SLICE("x"), hash), OK);
    cr_assert_not(password_is_stale(&old, hash));
    cr_assert(password_is_stale(&now, hash));
    cr_assert_eq(password_check(&now, hash, SLICE("x")), OK);
}

Test(password, cost_is_bounded)
{
    struct password_policy p;
    cr_assert_eq(secret_init(), OK);
    cr_assert_eq(password_init(&p, 0, LITTLE), E_CONFIG);
    cr_assert_eq(password_init(&p, 1, LITTLE - 1), E_CONFIG);
}

/* "$argon2id$v=19$m=...,t=...,p=1$": everything that decides the work. */
static size_t cost_length(const char *hash)
{
    size_t dollars = 0, i = 0;
    while (hash[i] && dollars < 4) {
        dollars += hash[i++] == '$';
    }
    return i;
}

Test(password, the_decoy_asks_for_the_very_same_work)
{
    struct password_policy p = policy(SOME);
    char hash[PASSWORD_HASH_MAX];
    cr_assert_eq(password_hash(&p, SLICE("right"), hash), OK);
    cr_assert_eq(strncmp(hash, "$argon2id$", 10), 0);
    cr_assert_eq(cost_length(hash), cost_length(p.decoy));
    cr_assert_eq(memcmp(hash, p.decoy, cost_length(hash)), 0, "%s and %s", hash, p.decoy);
}

static double cpu_of(const struct password_policy *p, const char *hash)
{
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(password_check(p, hash, SLICE("wrong")), E_BAD_CREDENTIALS);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

Test(password, an_unknown_account_costs_the_same)
{
    struct password_policy p = policy(SOME);
    char hash[PASSWORD_HASH_MAX];
    cr_assert_eq(password_hash(&p, SLICE("right"), hash), OK);
    double ratio = cpu_of(&p, NULL) / cpu_of(&p, hash);
    cr_assert(ratio > 0.5 && ratio < 2.0, "unknown / known = %.2f", ratio);
}
