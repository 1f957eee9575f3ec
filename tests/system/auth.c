/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Logging in, staying in and getting out: passwords, rotation of refresh tokens, logout seen by every process. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/stack.h"
#include "tests/support/volley.h"
#include "tests/support/wait.h"

#define LOGIN   "/api/v1/auth/login"
#define REFRESH "/api/v1/auth/refresh"
#define LOGOUT  "/api/v1/auth/logout"
#define ME      "/api/v1/me"

TestSuite(auth, .timeout = 120);

static struct answer *login(struct api *a, const char *email, const char *password)
{
    return api_post(a, LOGIN, "{\"email\":\"%s\",\"password\":\"%s\"}", email, password);
}

static struct answer *refresh(const char *token)
{
    struct api a = api_anonymous();
    struct answer *r = api_post(&a, REFRESH, "{\"refresh_token\":\"%s\"}", token);
    api_close(&a);
    return r;
}

Test(auth, login_answers_with_the_names_of_oauth)
{
    struct api a = api_anonymous();
    struct answer *r = login(&a, OWNER_A, stack_password());
    cr_assert_eq(r->status, 200);
    cr_expect_str_eq(answer_text(r, "token_type"), "Bearer");
    cr_expect_eq(answer_int(r, "expires_in"), 600);
    cr_expect(answer_text(r, "access_token") && answer_text(r, "refresh_token"));
    cr_expect_str_eq(answer_header(r, "cache-control"), "no-store");
    api_close(&a);
    api_release();
}

Test(auth, email_is_found_in_any_case)
{
    struct api a = api_anonymous();
    cr_expect_eq(login(&a, "Owner-A@Example.COM", stack_password())->status, 200);
    api_close(&a);
    api_release();
}

/* The same document but for the request's id: nobody learns which addresses exist. */
Test(auth, unknown_email_looks_like_wrong_password)
{
    struct api a = api_anonymous();
    struct answer *wrong = login(&a, OWNER_A, "not the password");
    struct answer *unknown = login(&a, "nobody@example.com", "not the password");
    cr_assert_eq(wrong->status, 401);
    cr_assert_eq(unknown->status, 401);
    cr_expect_str_eq(answer_code(wrong), "invalid_credentials");
    json_object_object_del(wrong->json, "request_id");
    json_object_object_del(unknown->json, "request_id");
    cr_expect_str_eq(json_object_to_json_string(wrong->json),
                     json_object_to_json_string(unknown->json));
    cr_expect_eq(wrong->http.body_len, unknown->http.body_len);
    api_close(&a);
    api_release();
}

Test(auth, refusals_of_the_login_body)
{
    static const struct {
        const char *body;
        int status;
    } rows[] = {
        { "{}", 422 },
        { "{\"email\":\"owner-a@example.com\"}", 422 },
        { "{\"email\":\"owner-a@example.com\",\"password\":\"\"}", 422 },
        { "{\"email\":\"owner-a@example.com\",\"password\":1}", 422 },
        { "{\"email\":7,\"password\":\"x\"}", 422 },
        { "{\"email\":\"owner-a@example.com\",\"password\":\"x\",\"role\":\"owner\"}", 422 },
        { "[]", 422 },
        { "", 422 },
    };
    struct api a = api_anonymous();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer *r = api_send(&a, "POST", LOGIN, rows[i].body, NULL);
        cr_expect(r->status == rows[i].status || (rows[i].status == 422 && r->status == 400),
                  "%s: %d", rows[i].body, r->status);
    }
    api_close(&a);
    api_release();
}

Test(auth, me_says_who_and_where)
{
    struct api a = api_login(OWNER_A);
    struct answer *r = api_get(&a, ME);
    cr_assert_eq(r->status, 200);
    cr_expect_str_eq(answer_text(r, "email"), OWNER_A);
    cr_expect_str_eq(answer_text(r, "role"), "owner");
    cr_expect_str_eq(answer_text(r, "business.name"), "Practice A");
    cr_expect_str_eq(answer_text(r, "business.time_zone"), "America/Mexico_City");
    api_close(&a);
    struct api nobody = api_anonymous();
    cr_expect_eq(api_get(&nobody, ME)->status, 401);
    api_close(&nobody);
    api_release();
}

Test(auth, refresh_rotates)
{
    struct api a = api_login(OWNER_A);
    struct answer *first = refresh(a.refresh);
    cr_assert_eq(first->status, 200);
    const char *next = answer_text(first, "refresh_token");
    cr_expect_str_neq(next, a.refresh);
    struct api again = api_anonymous();
    snprintf(again.token, sizeof again.token, "%s", answer_text(first, "access_token"));
    cr_expect_eq(api_get(&again, ME)->status, 200);
    /* Two tabs refreshing with the same token: the previous one still works for a moment and gives the same chain. */
    cr_expect_eq(refresh(a.refresh)->status, 200);
    cr_expect_eq(refresh(next)->status, 200);
    api_close(&again);
    api_close(&a);
    api_release();
}

/* Several router processes share the port: asked over new connections, so that all of them have to know. */
static bool access_is_dead(void *arg)
{
    struct api *a = arg;
    for (int i = 0; i < 8; i++) {
        http_client_close(&a->http);
        if (api_get(a, ME)->status != 401) {
            return false;
        }
    }
    return true;
}

/* Two rotations later the first token can only be a stolen copy: the whole session ends, new tokens included. */
Test(auth, replayed_refresh_ends_the_session)
{
    struct api a = api_login(OWNER_A);
    struct answer *second = refresh(a.refresh);
    cr_assert_eq(second->status, 200);
    struct answer *third = refresh(answer_text(second, "refresh_token"));
    cr_assert_eq(third->status, 200);
    struct answer *replay = refresh(a.refresh);
    cr_expect_eq(replay->status, 401, "a token of two rotations ago: %d", replay->status);
    cr_expect_eq(refresh(answer_text(third, "refresh_token"))->status, 401,
                 "the session outlived a replay");
    snprintf(a.token, sizeof a.token, "%s", answer_text(third, "access_token"));
    cr_expect(wait_until(access_is_dead, &a, 2000), "the access token outlived a replay");
    api_close(&a);
    api_release();
}

Test(auth, bad_refresh_tokens)
{
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    char *changed = api_text("%s", a.refresh);
    changed[strlen(changed) - 2] = changed[strlen(changed) - 2] == 'A' ? 'B' : 'A';
    const char *const tokens[] = { "x",
                                   "r1.",
                                   "r1.AAAA",
                                   changed,
                                   api_text("%sA", a.refresh),
                                   a.token,
                                   a.refresh + 3,
                                   api_text("r2.%s", a.refresh + 3) };
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        int status = refresh(tokens[i])->status;
        cr_expect(status == 401 || (status == 422 && i != 3), "%zu: %d", i, status);
    }
    cr_expect_eq(refresh(a.refresh)->status, 200, "a forged token ended somebody's session");
    cr_expect_eq(refresh(b.refresh)->status, 200);
    api_close(&a);
    api_close(&b);
    api_release();
}

Test(auth, logout_is_seen_within_a_second)
{
    struct api a = api_login(OWNER_A), other = api_login(OWNER_A);
    cr_assert_eq(api_get(&a, ME)->status, 200);
    struct answer *out = api_post(&a, LOGOUT, "{}");
    if (out->status == 400 || out->status == 413 || out->status == 422) {
        out = api_send(&a, "POST", LOGOUT, NULL, "Content-Length: 0\r\n");
    }
    cr_assert_eq(out->status, 204, "logout: %d", out->status);
    int64_t begin = wait_now_ms();
    cr_assert(wait_until(access_is_dead, &a, WAIT_LONG_MS));
    int64_t took = wait_now_ms() - begin;
    cr_expect_eq(refresh(a.refresh)->status, 401);
    cr_expect_eq(api_get(&other, ME)->status, 200, "logout ended another session");
    printf("logout seen after %lld ms\n", (long long)took);
    api_close(&a);
    api_close(&other);
    api_release();
}

Test(auth, parallel_refreshes_leave_one_living_session)
{
    enum { COPIES = 50 };
    struct api a = api_login(OWNER_A);
    struct shot shots[COPIES];
    const char *body = api_text("{\"refresh_token\":\"%s\"}", a.refresh);
    for (size_t i = 0; i < COPIES; i++) {
        shots[i] = (struct shot){ .method = "POST", .path = REFRESH, .body = body };
    }
    volley_fire(shots, COPIES);
    volley_print("refreshes of one token", shots, COPIES);
    size_t good = volley_count(shots, COPIES, 200, NULL);
    cr_expect_gt(good, 0);
    cr_expect_eq(good + volley_count(shots, COPIES, 503, NULL), COPIES, "503: come again");
    cr_expect_eq(api_get(&a, ME)->status, 200, "an honest client was logged out");
    api_close(&a);
    api_release();
}
