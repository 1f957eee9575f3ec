/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One Idempotency-Key, one effect, one answer: under many copies at once, and when a slot, its database connection or
 * the router's process dies between the commit and the answer. That window is hit for certain: a relay keeps back what
 * PostgreSQL says after the commit, and the test sees the row there and the client without an answer before it kills.
 * SOAK_KEYS: how many keys of 20 copies each (40); SOAK_ROUNDS: deaths of each kind (3). */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/hold.h"
#include "tests/support/own.h"
#include "tests/support/relay.h"
#include "tests/support/stack.h"
#include "tests/support/volley.h"
#include "tests/support/wait.h"

TestSuite(exact, .timeout = 1200);

#define COPIES 20
#define PATH   "/api/v1/clients"

static int how_many(const char *name, int otherwise)
{
    const char *value = getenv(name);
    return value ? (int)strtol(value, NULL, 10) : otherwise;
}

/* ---- many copies ---- */

static long clients_called(PGconn *super, const char *name)
{
    char *code = db_code(super, "practice-a");
    long n = db_number(super,
                       api_text("SELECT count(*) FROM t_%s.client WHERE given_name = $1", code),
                       name, NULL);
    free(code);
    return n;
}

struct tally {
    int first_hand, replayed, busy;
};

/* Every copy is the answer or 409 "in progress"; all answers are the same bytes and exactly one is first-hand. */
static void judge_copies(const struct shot *shots, struct tally *t)
{
    const struct shot *first = NULL;
    int first_hand = 0;
    for (size_t i = 0; i < COPIES; i++) {
        const struct shot *s = &shots[i];
        bool busy = s->status == 409 && strcmp(s->code, "idempotency_in_progress") == 0;
        cr_assert(busy || s->status == 201, "%d %s", s->status, s->code);
        t->busy += busy;
        if (s->status == 201) {
            first = first ? first : s;
            cr_assert_eq(s->body_hash, first->body_hash, "a replay differs");
            first_hand += !s->replayed;
            t->replayed += s->replayed;
        }
    }
    cr_assert_eq(first_hand, 1, "%d answers are first-hand", first_hand);
    t->first_hand += first_hand;
}

static void fire_copies(struct api *a, const char *body, const char *field, struct tally *t)
{
    struct shot shots[COPIES], late, other;
    for (size_t i = 0; i < COPIES; i++) {
        shots[i] = (struct shot){
            .token = a->token, .method = "POST", .path = PATH, .body = body, .headers = field
        };
    }
    late = other = shots[0];
    other.body = "{\"given_name\":\"Other\"}";
    volley_fire(shots, COPIES);
    judge_copies(shots, t);
    volley_fire(&late, 1);
    cr_assert(late.status == 201 && late.replayed, "%d %s", late.status, late.code);
    volley_fire(&other, 1);
    cr_assert(other.status == 422 && strcmp(other.code, "idempotency_mismatch") == 0, "%d %s",
              other.status, other.code);
    for (size_t i = 0; i < COPIES; i++) {
        cr_assert(shots[i].status != 201 || shots[i].body_hash == late.body_hash);
    }
}

Test(exact, copies_at_once_have_one_effect_and_one_answer)
{
    int keys = how_many("SOAK_KEYS", 40);
    struct tally t = { 0 };
    struct api a = api_login(OWNER_A);
    PGconn *super = db_super();
    int64_t renew = wait_now_ms() + 300000;
    for (int i = 0; i < keys; i++) {
        const char *name = strrchr(api_unique("Exact"), ' ') + 1;
        fire_copies(&a, api_text("{\"given_name\":\"%s\"}", name),
                    api_text("Idempotency-Key: %s\r\n", name), &t);
        cr_assert_eq(clients_called(super, name), 1);
        if (wait_now_ms() > renew) { /* a token lives for ten minutes */
            api_close(&a);
            a = api_login(OWNER_A);
            renew = wait_now_ms() + 300000;
        }
        api_release();
    }
    printf("exact: %d keys x %d copies: %d effects, %d replays of the same bytes, %d x 409 in "
           "progress, %d x 422 for another body\n",
           keys, COPIES, t.first_hand, t.replayed, t.busy, keys);
    PQfinish(super);
    api_close(&a);
}

/* ---- deaths between commit and answer ---- */

struct scene {
    struct own own;
    struct relay *relay;
    struct api owner;
    PGconn *super;
};

static struct scene scene_open(const char *name)
{
    char *folder = api_text("%s/run/%s-pg", stack_env("GREMIO_STATE"), name);
    struct scene s = { .relay = relay_open(folder), .super = db_super() };
    s.owner = api_login(OWNER_A);
    http_client_close(&s.owner.http);
    s.own = own_open(name,
                     (const char *const[]){ api_text("db_host=%s", folder), "api_slots=1",
                                            "statement_timeout=30s", NULL },
                     (const char *const[]){ "request_timeout=60s", NULL });
    return s;
}

static void scene_close(struct scene *s)
{
    api_close(&s->owner);
    own_close(&s->own);
    relay_close(s->relay);
    PQfinish(s->super);
    api_release();
}

static bool nothing_came(const struct http_client *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    return poll(&p, 1, 0) == 0;
}

static void send_client(const struct scene *s, struct http_client *c, const char *name)
{
    char *body = api_text("{\"given_name\":\"%s\"}", name);
    cr_assert(http_client_open(c, stack_host(), s->own.port));
    http_client_send_text(c, api_text("POST " PATH " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                                      "%s\r\nIdempotency-Key: %s\r\nContent-Type: "
                                      "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                      s->owner.token, name, strlen(body), body));
}

/* The same request until it is answered; what passes on the way is 409 and 5xx of a service that comes back. */
static struct answer *again(struct scene *s, const char *name)
{
    int64_t end = wait_now_ms() + WAIT_LONG_MS;
    struct answer *r = NULL;
    do {
        if (r) {
            wait_pause();
        }
        r = api_send(&s->owner, "POST", PATH, api_text("{\"given_name\":\"%s\"}", name),
                     api_text("Idempotency-Key: %s\r\n", name));
        cr_assert(r->status == 201 || r->status == 409 || r->status == 503 || r->status == 0,
                  "%d %s", r->status, r->http.body);
    } while (r->status != 201 && wait_now_ms() < end);
    return r;
}

static void expect_one_effect(struct scene *s, const char *name)
{
    struct answer *first = again(s, name), *second = again(s, name);
    cr_assert_eq(first->status, 201);
    cr_expect_str_eq(answer_header(first, "idempotency-replayed"), "true");
    cr_expect_str_eq(first->http.body, second->http.body, "a replay differs");
    cr_expect_eq(clients_called(s->super, name), 1);
    struct answer *read = api_get(&s->owner, PATH "/%s", answer_text(first, "id"));
    cr_expect_str_eq(read->http.body, first->http.body, "the answer is not what is stored");
    struct answer *other = api_send(&s->owner, "POST", PATH, "{\"given_name\":\"Other\"}",
                                    api_text("Idempotency-Key: %s\r\n", name));
    cr_expect_eq(other->status, 422, "%d", other->status);
}

/* Sends a request and waits until PostgreSQL has committed it and nobody was told. */
static void reach_window(struct scene *s, struct http_client *c, const char *name)
{
    (void)own_slot(&s->own, "api");
    int64_t end = wait_now_ms() + WAIT_LONG_MS;
    while (api_get(&s->owner, PATH)->status != 200 && wait_now_ms() < end) {
        wait_pause(); /* the slot is connected: its next ready-for-query is the commit's */
    }
    relay_hold_at(s->relay, 'Z', name);
    send_client(s, c, name);
    cr_assert(relay_wait_held(s->relay), "no commit");
    cr_assert_eq(clients_called(s->super, name), 1, "held before the commit");
    cr_assert(nothing_came(c), "answered before the commit was known");
}

static void expect_unknown(struct http_client *c)
{
    struct http_response r;
    cr_assert(http_client_read(c, false, &r), "no answer");
    cr_expect_eq(r.status, 503, "%d %s", r.status, r.body);
    cr_expect(strstr(r.body, "outcome_unknown") != NULL, "%s", r.body);
    cr_expect(http_response_header(&r, "retry-after") != NULL);
    http_response_free(&r);
    http_client_close(c);
}

Test(exact, a_slot_dies_between_commit_and_answer)
{
    int rounds = how_many("SOAK_ROUNDS", 3);
    struct scene s = scene_open("slot");
    for (int i = 0; i < rounds; i++) {
        struct http_client c;
        const char *name = strrchr(api_unique("Window"), ' ') + 1;
        reach_window(&s, &c, name);
        kill(own_slot(&s.own, "api"), SIGKILL);
        expect_unknown(&c);
        expect_one_effect(&s, name);
        api_release();
    }
    printf("exact: %d slots killed after COMMIT and before the answer: one effect each\n", rounds);
    scene_close(&s);
}

Test(exact, a_connection_dies_between_commit_and_answer)
{
    int rounds = how_many("SOAK_ROUNDS", 3);
    struct scene s = scene_open("link");
    for (int i = 0; i < rounds; i++) {
        struct http_client c;
        const char *name = strrchr(api_unique("Window"), ' ') + 1;
        reach_window(&s, &c, name);
        relay_cut(s.relay);
        expect_unknown(&c);
        expect_one_effect(&s, name);
        api_release();
    }
    printf("exact: %d connections cut after COMMIT and before its confirmation: one effect each\n",
           rounds);
    scene_close(&s);
}

struct written {
    PGconn *super;
    const char *name;
};

static bool is_written(void *arg)
{
    const struct written *w = arg;
    return clients_called(w->super, w->name) == 1;
}

/* The slot has answered, the router's process stands still before it can pass that on, and dies. */
Test(exact, a_router_process_dies_with_the_answer)
{
    int rounds = how_many("SOAK_ROUNDS", 3);
    struct scene s = scene_open("router");
    for (int i = 0; i < rounds; i++) {
        struct http_client c;
        const char *name = strrchr(api_unique("Window"), ' ') + 1;
        struct hold h = hold_begin("practice-a", "client");
        cr_assert(stack_wait_ready(s.own.port));
        send_client(&s, &c, name);
        cr_assert(hold_wait_for(&h, 1));
        pid_t process = own_process(&s.own);
        kill(process, SIGSTOP);
        hold_end(&h);
        struct written w = { .super = s.super, .name = name };
        cr_assert(wait_until(is_written, &w, WAIT_LONG_MS), "no commit");
        cr_assert(nothing_came(&c));
        kill(process, SIGKILL);
        cr_assert(http_client_at_end(&c), "an answer of a dead process");
        http_client_close(&c);
        expect_one_effect(&s, name);
        api_release();
    }
    printf("exact: %d router processes killed holding an answer: one effect each\n", rounds);
    scene_close(&s);
}
