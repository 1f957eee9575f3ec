/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Guessing passwords: it gets slow for the guesser, not for the owner, and tells nobody which accounts exist. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/failures.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define FREE_TRIES    10
#define ADDRESS_TRIES 100

TestSuite(login_guard, .timeout = 600);

static struct answer *guess(const char *from, const char *email, const char *password)
{
    struct api a = api_anonymous();
    a.from = from;
    struct answer *r = api_post(&a, "/api/v1/auth/login", "{\"email\":\"%s\",\"password\":\"%s\"}",
                                email, password);
    api_close(&a);
    return r;
}

static void fail_often(const char *from, const char *email)
{
    for (int i = 0; i < FREE_TRIES; i++) {
        struct answer *r = guess(from, email, "not the password");
        cr_assert_eq(r->status, 401, "try %d of %s: %d", i, email, r->status);
    }
}

static int64_t held_ms;

static void hold(void)
{
    held_ms = wait_now_ms();
    failures_hold();
}

/* What was tried after hold() has to wait that long; from then on the failures are as old as they were at hold(). */
static void expect_wait(const struct answer *r, long seconds)
{
    const char *after = answer_header(r, "retry-after");
    long said = after ? strtol(after, NULL, 10) - FAILURES_AHEAD_S : 0;
    long passed = (long)(wait_now_ms() - held_ms) / 1000;
    cr_assert_eq(r->status, 429, "%d", r->status);
    cr_expect_str_eq(answer_code(r), "too_many_attempts");
    cr_expect(said <= seconds && said >= seconds - passed, "%ld s, not %ld s, %ld s later", said,
              seconds, passed);
    failures_let_pass(api_text("%d seconds", FAILURES_AHEAD_S));
}

Test(login_guard, strangers_are_slowed_and_the_owner_is_not)
{
    struct api owner = api_login(OWNER_A);
    fail_often("127.0.1.1", OWNER_A);
    hold();
    expect_wait(guess("127.0.1.1", OWNER_A, stack_password()), 1);
    /* From another address that the account does not know either. */
    hold();
    expect_wait(guess("127.0.1.2", OWNER_A, stack_password()), 1);
    /* From where it has logged in before, as if nothing had been. */
    hold();
    cr_expect_eq(guess(NULL, OWNER_A, stack_password())->status, 200);
    expect_wait(guess("127.0.1.2", OWNER_A, stack_password()), 1);
    /* Each further failure doubles the time. */
    long wait = 1;
    for (int i = 0; i < 4; i++) {
        failures_let_pass(api_text("%ld seconds", wait));
        cr_assert_eq(guess("127.0.1.3", OWNER_A, "not the password")->status, 401);
        wait *= 2;
        hold();
        expect_wait(guess("127.0.1.3", OWNER_A, stack_password()), wait);
    }
    /* A refused try is not counted, so that asking on does not prolong it. */
    hold();
    expect_wait(guess("127.0.1.3", OWNER_A, stack_password()), wait);
    failures_let_pass("16 minutes");
    cr_expect_eq(guess("127.0.1.3", OWNER_A, stack_password())->status, 200);
    api_close(&owner);
    api_release();
}

Test(login_guard, a_known_address_is_counted_too)
{
    struct api owner = api_login(OWNER_B);
    fail_often(NULL, OWNER_B);
    hold();
    expect_wait(guess(NULL, OWNER_B, stack_password()), 1);
    failures_let_pass("16 minutes");
    cr_expect_eq(guess(NULL, OWNER_B, stack_password())->status, 200);
    fail_often(NULL, OWNER_B);
    failures_let_pass("3 seconds");
    cr_expect_eq(guess(NULL, OWNER_B, stack_password())->status, 200);
    cr_expect_eq(guess(NULL, OWNER_B, "not the password")->status, 401, "success forgets nothing");
    api_close(&owner);
    api_release();
}

Test(login_guard, an_unknown_account_looks_the_same)
{
    const char *nobody = "nobody-guessed@example.com";
    fail_often("127.0.2.1", nobody);
    hold();
    struct answer *unknown = guess("127.0.2.1", nobody, "not the password");
    expect_wait(unknown, 1);
    cr_expect_eq(guess("127.0.2.1", "nobody-else@example.com", "not the password")->status, 401);
    fail_often("127.0.2.2", "owner-b@example.com");
    hold();
    struct answer *known = guess("127.0.2.2", "owner-b@example.com", "not the password");
    expect_wait(known, 1);
    json_object_object_del(known->json, "request_id");
    json_object_object_del(unknown->json, "request_id");
    cr_expect_str_eq(json_object_to_json_string(known->json),
                     json_object_to_json_string(unknown->json));
    failures_let_pass("16 minutes");
    api_release();
}

Test(login_guard, one_address_may_not_try_everybody)
{
    for (int i = 0; i < ADDRESS_TRIES; i++) {
        struct answer *r = guess("127.0.3.1", api_text("many-%d@example.com", i),
                                 "not the password");
        cr_assert_eq(r->status, 401, "try %d: %d", i, r->status);
        api_release();
    }
    hold();
    expect_wait(guess("127.0.3.1", "many-more@example.com", "not the password"), 1);
    cr_expect_eq(guess("127.0.3.2", "many-more@example.com", "not the password")->status, 401);
    api_release();
}

static long count_old(PGconn *db)
{
    return db_number(db,
                     "SELECT count(*) FROM public.login_failure"
                     " WHERE since < now() - interval '15 minutes'",
                     NULL);
}

/* A trickle of failures is no guessing: the count begins anew with every window. */
Test(login_guard, a_trickle_is_forgotten)
{
    for (int i = 0; i < 2 * FREE_TRIES; i++) {
        struct answer *r = guess("127.0.5.1", "trickle@example.com", "not the password");
        cr_assert_eq(r->status, 401, "try %d: %d", i, r->status);
        failures_let_pass("2 minutes");
    }
    api_release();
}

/* Who found a session open may not make its address a known one, nor slow the owner's logins, and what strangers fail at
 * does not keep the owner from a new password. */
Test(login_guard, logins_and_changes_are_counted_apart)
{
    struct api owner = api_login(OWNER_A), thief = api_anonymous();
    thief.from = "127.0.6.1";
    snprintf(thief.token, sizeof thief.token, "%s", owner.token);
    cr_assert_eq(api_post(&thief, "/api/v1/auth/switch", "{\"tenant\":\"practice-a\"}")->status,
                 200);
    fail_often("127.0.6.2", OWNER_A);
    hold();
    expect_wait(guess("127.0.6.1", OWNER_A, stack_password()), 1);
    const char *body = "{\"password\":\"not it\",\"new_password\":\"otro-caballo-sin-bateria\"}";
    for (int i = 0; i < FREE_TRIES; i++) {
        cr_assert_eq(api_post(&thief, "/api/v1/auth/password", "%s", body)->status, 422, "try %d",
                     i);
    }
    hold();
    expect_wait(api_post(&thief, "/api/v1/auth/password", "%s", body), 1);
    cr_expect_eq(guess(NULL, OWNER_A, stack_password())->status, 200);
    failures_let_pass("16 minutes");
    api_close(&owner);
    api_close(&thief);
    api_release();
}

/* Where a failure cannot be noted nobody learns whether the password was right. */
Test(login_guard, what_cannot_be_counted_is_not_judged)
{
    PGconn *db = db_super();
    db_do(db, "REVOKE INSERT ON public.login_failure FROM gremio_auth");
    int status = guess("127.0.7.1", OWNER_A, "not the password")->status;
    db_do(db, "GRANT INSERT ON public.login_failure TO gremio_auth");
    cr_expect_geq(status, 500, "%d", status);
    PQfinish(db);
    api_release();
}

/* The table holds what failed within the window, not what ever failed. */
Test(login_guard, what_is_old_is_thrown_away)
{
    PGconn *db = db_super();
    db_number(db,
              "WITH made AS (INSERT INTO public.login_failure(key, failures, since, latest)"
              " SELECT sha256(i::text::bytea), 1, now() - interval '1 hour', now()"
              " FROM generate_series(1, 50) i RETURNING 1) SELECT count(*) FROM made",
              NULL);
    /* Others may have left some too: ten go with every failure. */
    long old = count_old(db), before;
    cr_assert_geq(old, 50);
    for (int i = 0; old > 0; i++) {
        before = old;
        guess("127.0.4.1", api_text("old-%d@example.com", i), "not the password");
        old = count_old(db);
        cr_assert_eq(old, before > 10 ? before - 10 : 0);
        api_release();
    }
    PQfinish(db);
}
