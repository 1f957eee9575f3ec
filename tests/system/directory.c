/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The router learns of practices while it runs: made, renamed, suspended, dropped, and also after the database was
 * away, or its connection was cut again and again (SOAK_CUTS times, 12). Tests run one at a time: they change practices
 * and stop PostgreSQL. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/practice.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(directory, .timeout = 180);

/* What a change may take from the end of the command until requests see it: promised is a second; a loaded machine
 * under a sanitizer gets a second more. */

static void ctl(const char *const *args)
{
    char *said = NULL;
    int code = stack_ctl(args, &said);
    cr_assert_eq(code, 0, "gremioctl %s %s: exit %d: %s", args[0], args[1], code, said);
    free(said);
}

struct look {
    struct api *api;
    const char *path, *code;
    int status;
};

/* Several router processes share the port: asked over new connections, so that all of them have to know. */
static bool seen(void *arg)
{
    struct look *l = arg;
    for (int i = 0; i < 8; i++) {
        http_client_close(&l->api->http);
        struct answer *r = api_get(l->api, "%s", l->path);
        if (r->status != l->status || (l->code && strcmp(answer_code(r), l->code) != 0)) {
            return false;
        }
    }
    return true;
}

static void expect_seen(const char *what, struct look l)
{
    int64_t begin = wait_now_ms();
    bool good = wait_until(seen, &l, WAIT_LONG_MS);
    int64_t took = wait_now_ms() - begin;
    cr_expect(good, "%s: not seen", what);
    printf("directory: %s seen after %lld ms\n", what, (long long)took);
}

Test(directory, a_new_practice_can_log_in_at_once)
{
    practice_make("practice-new", "Later", "owner-new@example.com");
    struct api a = api_login("owner-new@example.com");
    expect_seen("a new practice", (struct look){ .api = &a, .path = "/api/v1/me", .status = 200 });
    api_close(&a);
    api_release();
}

Test(directory, suspend_and_resume)
{
    struct api a = api_login(OWNER_B);
    cr_assert_eq(api_get(&a, "/api/v1/me")->status, 200);
    ctl((const char *const[]){ "tenant", "suspend", "practice-b", NULL });
    expect_seen("a suspension", (struct look){ .api = &a,
                                               .path = "/api/v1/clients",
                                               .status = 403,
                                               .code = "tenant_suspended" });
    int status;
    struct api again = api_try_login(OWNER_B, stack_password(), &status);
    cr_expect_eq(status, 403, "a suspended practice's owner logged in: %d", status);
    api_close(&again);
    ctl((const char *const[]){ "tenant", "resume", "practice-b", NULL });
    expect_seen("a resumption",
                (struct look){ .api = &a, .path = "/api/v1/clients", .status = 200 });
    api_close(&a);
    api_release();
}

/* The slug is the practice's public name only: tokens and logins go by ids. */
Test(directory, rename_keeps_tokens)
{
    practice_make("practice-old", "Later", "owner-old@example.com");
    struct api a = api_login("owner-old@example.com");
    ctl((const char *const[]){ "tenant", "rename", "practice-old", "practice-renamed", NULL });
    cr_expect_eq(api_get(&a, "/api/v1/me")->status, 200);
    struct api again = api_login("owner-old@example.com");
    cr_expect_eq(api_get(&again, "/api/v1/me")->status, 200);
    api_close(&again);
    api_close(&a);
    api_release();
}

Test(directory, other_states_have_their_answers)
{
    struct api a = api_login(OWNER_B);
    PGconn *super = db_super();
    db_do(super, "UPDATE public.tenant SET state = 'migrating' WHERE slug = 'practice-b'");
    expect_seen("a migration", (struct look){ .api = &a,
                                              .path = "/api/v1/clients",
                                              .status = 503,
                                              .code = "tenant_migrating" });
    db_do(super, "UPDATE public.tenant SET state = 'read_only' WHERE slug = 'practice-b'");
    expect_seen("read-only", (struct look){ .api = &a, .path = "/api/v1/clients", .status = 200 });
    struct answer *r = api_post(&a, "/api/v1/clients", "{\"given_name\":\"x\"}");
    cr_expect_eq(r->status, 403, "%d", r->status);
    cr_expect_str_eq(answer_code(r), "tenant_read_only");
    db_do(super, "UPDATE public.tenant SET state = 'active' WHERE slug = 'practice-b'");
    int64_t end = wait_now_ms() + WAIT_LONG_MS;
    do {
        r = api_post(&a, "/api/v1/clients", "{\"given_name\":\"x\"}");
    } while (r->status != 201 && wait_now_ms() < end);
    cr_expect_eq(r->status, 201, "%d", r->status);
    PQfinish(super);
    api_close(&a);
    api_release();
}

Test(directory, a_dropped_practice_is_gone)
{
    practice_make("practice-gone", "Later", "owner-gone@example.com");
    struct api a = api_login("owner-gone@example.com");
    cr_assert_eq(api_get(&a, "/api/v1/me")->status, 200);
    ctl((const char *const[]){ "tenant", "drop", "practice-gone", "--yes", NULL });
    int64_t begin = wait_now_ms();
    int status = 200;
    while (status == 200 && wait_now_ms() - begin < WAIT_LONG_MS) {
        status = api_get(&a, "/api/v1/clients")->status;
    }
    cr_expect(status == 401 || status == 403, "%d", status);
    api_close(&a);
    api_release();
}

/* Ends the connections by which the router's processes learn of changes; how many there were. */
static long cut(PGconn *super)
{
    return db_number(
        super,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = "
        "'gremio_router'",
        NULL);
}

/* What is known is served meanwhile; what changes while nobody listens is seen all the same. */
Test(directory, its_connection_cut_again_and_again)
{
    const char *asked = getenv("SOAK_CUTS");
    long cuts = asked ? strtol(asked, NULL, 10) : 12, ended = 0;
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    struct look known = { .api = &a, .path = "/api/v1/clients", .status = 200 };
    PGconn *super = db_super();
    for (long i = 0; i < cuts; i++) {
        ended += cut(super);
        cr_assert(seen(&known), "a known practice is not served while the connection is cut");
        if (i % 4 != 3) {
            continue;
        }
        db_do(super, "UPDATE public.tenant SET state = 'suspended' WHERE slug = 'practice-b'");
        ended += cut(super); /* before or after the notification: nobody knows */
        expect_seen(
            "a suspension without a connection",
            (struct look){
                .api = &b, .path = "/api/v1/clients", .status = 403, .code = "tenant_suspended" });
        db_do(super, "UPDATE public.tenant SET state = 'active' WHERE slug = 'practice-b'");
        ended += cut(super);
        expect_seen("its end",
                    (struct look){ .api = &b, .path = "/api/v1/clients", .status = 200 });
        api_release();
    }
    cr_expect_geq(ended, cuts / 2, "only %ld connections were there to be cut", ended);
    printf(
        "cuts: %ld connections of the directory ended in %ld rounds; known practices were served, "
        "every change was seen\n",
        ended, cuts);
    PQfinish(super);
    api_close(&b);
    api_close(&a);
    api_release();
}

Test(directory, database_away_and_back)
{
    struct api a = api_login(OWNER_A);
    cr_assert_eq(api_get(&a, "/api/v1/clients")->status, 200);
    cr_assert(stack_pg_ctl("stop", "fast"));
    struct answer *r = api_get(&a, "/api/v1/clients");
    cr_expect_eq(r->status, 503, "%d", r->status);
    cr_expect_str_eq(answer_code(r), "database_unavailable");
    cr_expect(answer_header(r, "retry-after") != NULL);
    cr_expect(stack_wait_status(stack_port(), "/readyz", 503), "/readyz does not say so");
    cr_expect(stack_wait_status(stack_port(), "/healthz", 200));
    cr_expect(stack_alive(stack_router()));
    struct answer *refused = api_post(&a, "/api/v1/clients", "{\"given_name\":\"Nobody\"}");
    cr_expect_eq(refused->status, 503, "%d", refused->status);
    int64_t begin = wait_now_ms();
    cr_assert(stack_pg_ctl("restart", "fast"));
    struct look back = { .api = &a, .path = "/api/v1/clients", .status = 200 };
    cr_expect(wait_until(seen, &back, WAIT_LONG_MS), "requests do not work again");
    cr_expect(stack_wait_ready(stack_port()), "/readyz stays down");
    printf("directory: served again %lld ms after the database was started\n",
           (long long)(wait_now_ms() - begin));
    /* Listening again: what changes now is seen as before. */
    practice_make("practice-after", "Later", "owner-after@example.com");
    struct api after = api_login("owner-after@example.com");
    expect_seen("a practice made after the outage",
                (struct look){ .api = &after, .path = "/api/v1/me", .status = 200 });
    api_close(&after);
    api_close(&a);
    api_release();
}

/* A good token of a practice made while the directory cannot be read is no bad token. */
Test(directory, a_practice_it_cannot_know_yet_is_asked_to_wait)
{
    PGconn *super = db_super();
    struct api known = api_login(OWNER_A);
    db_do(super, "ALTER ROLE gremio_router NOLOGIN");
    cr_assert_gt(cut(super), 0);
    cr_assert(stack_wait_status(stack_port(), "/readyz", 503));
    practice_make("practice-unseen", "Later", "owner-unseen@example.com");
    struct api a = api_login("owner-unseen@example.com");
    struct look unseen = { .api = &a, .path = "/api/v1/me", .status = 503, .code = "unavailable" };
    cr_expect(seen(&unseen), "not 503 unavailable");
    cr_expect(answer_header(api_get(&a, "/api/v1/me"), "retry-after") != NULL);
    cr_expect_eq(api_get(&known, "/api/v1/me")->status, 200);
    db_do(super, "ALTER ROLE gremio_router LOGIN");
    expect_seen("a practice made meanwhile",
                (struct look){ .api = &a, .path = "/api/v1/me", .status = 200 });
    PQfinish(super);
    api_close(&known);
    api_close(&a);
    api_release();
}
