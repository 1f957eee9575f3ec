/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Signing keys exchanged under load: nobody notices a rotation; a revoked key's tokens are refused and their owners refresh. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/forge.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define CLIENTS   4
#define ROTATIONS 6
#define JWKS      "/.well-known/jwks.json"
#define ME        "/api/v1/me"
#define CTL(...)  stack_ctl((const char *const[]){ __VA_ARGS__, NULL }, NULL)

TestSuite(keys, .timeout = 240);

/* Time passes for the keys. */
static void let_pass(const char *interval)
{
    PGconn *db = db_super();
    db_number(db,
              "WITH older AS (UPDATE public.signing_key SET changed_at = changed_at - $1::interval"
              " RETURNING 1) SELECT count(*) FROM older",
              interval, NULL);
    PQfinish(db);
}

/* kid of a token; freed by api_release. */
static const char *kid_of(const char *token)
{
    char *header = forge_part(token, 0);
    struct json_object *o = json_tokener_parse(header);
    const char *kid = api_text("%s", json_object_get_string(json_object_object_get(o, "kid")));
    json_object_put(o);
    free(header);
    return kid;
}

static bool is_published(const char *kid)
{
    struct api nobody = api_anonymous();
    struct answer *r = api_get(&nobody, JWKS);
    bool found = false;
    cr_assert_eq(r->status, 200);
    for (int i = 0; i < answer_count(r, "keys"); i++) {
        cr_expect_str_eq(answer_text(r, api_text("keys.%d.kty", i)), "EC");
        cr_expect_null(answer_text(r, api_text("keys.%d.d", i)), "a private key is out");
        found = found || strcmp(answer_text(r, api_text("keys.%d.kid", i)), kid) == 0;
    }
    api_close(&nobody);
    return found;
}

struct client {
    pthread_t thread;
    struct api old,
        now; /* logged in before it begins: what a thread asserts would end the program */
    atomic_uint asked, refreshed;
    unsigned failed;
    char first[200]; /* failure */
};

static atomic_bool enough;

static void note(struct client *c, const struct answer *r)
{
    if (r->status != 200 && c->failed++ == 0) {
        snprintf(c->first, sizeof c->first, "%d %.150s", r->status,
                 r->http.body ? r->http.body : "");
    }
}

/* Now a request with a fresh token, now with one that was signed some rotations ago. */
static void *run_client(void *arg)
{
    struct client *c = arg;
    struct api *old = &c->old, *now = &c->now;
    while (!atomic_load(&enough)) {
        struct answer *r = api_post(now, "/api/v1/auth/refresh", "{\"refresh_token\":\"%s\"}",
                                    now->refresh);
        note(c, r);
        if (r->status == 200) {
            snprintf(now->token, sizeof now->token, "%s", answer_text(r, "access_token"));
            snprintf(now->refresh, sizeof now->refresh, "%s", answer_text(r, "refresh_token"));
            atomic_fetch_add(&c->refreshed, 1);
        }
        for (int i = 0; i < 5; i++) {
            note(c, api_get(now, ME));
            note(c, api_get(old, ME));
            atomic_fetch_add(&c->asked, 2);
        }
        api_release();
    }
    api_close(old);
    api_close(now);
    return NULL;
}

struct progress {
    struct client *clients;
    unsigned before[CLIENTS];
};

static bool all_refreshed(void *arg)
{
    const struct progress *p = arg;
    for (size_t i = 0; i < CLIENTS; i++) {
        if (p->clients[i].refreshed < p->before[i] + 2 && p->clients[i].failed == 0) {
            return false;
        }
    }
    return true;
}

static void see_progress(struct client *clients)
{
    struct progress p = { .clients = clients };
    for (size_t i = 0; i < CLIENTS; i++) {
        p.before[i] = clients[i].refreshed;
    }
    cr_assert(wait_until(all_refreshed, &p, WAIT_LONG_MS), "a client got no answers");
}

Test(keys, nobody_notices_a_rotation)
{
    static struct client clients[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i].old = api_login(OWNER_A);
        clients[i].now = api_login(OWNER_B);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        cr_assert_eq(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    struct api a = api_login(OWNER_A);
    const char *first = kid_of(a.token), *last = first;
    for (int i = 0; i < ROTATIONS; i++) {
        see_progress(clients);
        let_pass("2 minutes");
        cr_assert_eq(CTL("keys", "rotate"), 0);
        struct api fresh = api_login(OWNER_A);
        const char *kid = kid_of(fresh.token);
        cr_expect_str_neq(kid, last, "rotation %d changed nothing", i);
        cr_expect(is_published(kid) && is_published(last));
        last = kid;
        api_close(&fresh);
    }
    see_progress(clients);
    atomic_store(&enough, true);
    unsigned asked = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        asked += clients[i].asked;
        cr_expect_eq(clients[i].failed, 0, "client %zu: %u failed, first %s", i, clients[i].failed,
                     clients[i].first);
    }
    printf("keys: %d rotations, %u requests with new and old tokens, 0 failed\n", ROTATIONS, asked);
    cr_expect(is_published(first), "a key whose tokens live is gone");
    api_close(&a);
    api_release();
}

Test(keys, a_key_signs_only_once_routers_had_time_to_meet_it)
{
    let_pass("2 minutes");
    cr_assert_eq(CTL("keys", "rotate"), 0);
    char *said = NULL;
    cr_expect_eq(stack_ctl((const char *const[]){ "keys", "rotate", NULL }, &said), 4);
    cr_expect_not_null(strstr(said, "again in"), "%s", said);
    free(said);
    struct api a = api_login(OWNER_A);
    const char *kid = kid_of(a.token);
    let_pass("2 minutes");
    cr_assert_eq(CTL("keys", "rotate"), 0);
    cr_expect(is_published(kid));
    let_pass("3 hours");
    cr_assert_eq(CTL("keys", "rotate"), 0);
    cr_expect_not(is_published(kid), "a key without living tokens stays");
    PGconn *db = db_super();
    cr_expect_eq(
        db_number(db, "SELECT count(*) FROM public.signing_secret WHERE kid = $1", kid, NULL), 0);
    PQfinish(db);
    api_close(&a);
    api_release();
}

/* A key sealed with a sealing.key that is lost never signs. */
Test(keys, a_key_that_does_not_open_never_signs)
{
    PGconn *db = db_super();
    let_pass("2 minutes");
    char *kid = db_value(db,
                         "UPDATE public.signing_secret s SET private_sealed = '\\x00112233'"
                         " FROM public.signing_key k WHERE k.kid = s.kid AND k.state = 'next'"
                         " RETURNING s.kid",
                         NULL);
    struct api before = api_login(OWNER_A);
    cr_assert_eq(CTL("keys", "rotate"), 0);
    cr_expect_not(is_published(kid));
    struct api after = api_login(OWNER_A);
    cr_expect_str_eq(kid_of(before.token), kid_of(after.token), "there was no key to follow it");
    let_pass("2 minutes");
    cr_assert_eq(CTL("keys", "rotate"), 0);
    struct api fresh = api_login(OWNER_A);
    cr_expect_str_neq(kid_of(fresh.token), kid_of(after.token));
    free(kid);
    PQfinish(db);
    api_close(&before);
    api_close(&after);
    api_close(&fresh);
    api_release();
}

static bool is_refused(void *arg)
{
    return api_get(arg, ME)->status == 401;
}

Test(keys, a_revoked_key_verifies_nothing)
{
    struct api a = api_login(OWNER_A), nobody = api_anonymous();
    const char *kid = kid_of(a.token);
    cr_assert_eq(api_get(&a, ME)->status, 200);
    cr_assert_eq(CTL("keys", "revoke", "0123456789abcdef"), 3);
    cr_assert_eq(CTL("keys", "revoke", kid), 0);
    cr_expect(wait_until(is_refused, &a, WAIT_LONG_MS), "its tokens live");
    cr_expect_not(is_published(kid));
    cr_expect_eq(CTL("keys", "revoke", kid), 3, "revoked twice");
    struct answer *r = api_post(&nobody, "/api/v1/auth/refresh", "{\"refresh_token\":\"%s\"}",
                                a.refresh);
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    snprintf(a.token, sizeof a.token, "%s", answer_text(r, "access_token"));
    cr_expect_str_neq(kid_of(a.token), kid);
    cr_expect_eq(api_get(&a, ME)->status, 200);
    api_close(&a);
    api_close(&nobody);
    api_release();
}
