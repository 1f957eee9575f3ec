/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Slots die under the router: safe requests are sent again, unsafe ones get a clear 503, and without any slot the answer
 * is a quick 503. What they die of: poison.c. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/hold.h"
#include "tests/support/own.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(dispatch, .timeout = 180);

#define READERS 8

struct reader {
    pthread_t thread;
    char token[4200];
    size_t good, retried, bad;
};

static atomic_bool stopping;
static atomic_size_t answered;

static bool read_one(struct api *a)
{
    struct answer *r = api_get(a, "/api/v1/business");
    if (r->status != 200) {
        fprintf(stderr, "a read gave %d %s\n", r->status, r->status ? answer_code(r) : "");
    }
    return r->status == 200;
}

static void *read_on(void *arg)
{
    struct reader *me = arg;
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", me->token);
    while (!atomic_load(&stopping)) {
        bool first = read_one(&a);
        bool good = first || read_one(&a);
        me->good += first;
        me->retried += good && !first;
        me->bad += !good;
        atomic_fetch_add(&answered, good);
        api_release();
    }
    api_close(&a);
    return NULL;
}

static bool answered_more(void *arg)
{
    return atomic_load(&answered) >= *(size_t *)arg;
}

#define SLOTS 3

struct slots {
    pid_t worker;
    pid_t found[16];
};

static bool slots_run(void *arg)
{
    struct slots *s = arg;
    return stack_children(s->worker, "api", s->found, ARRAY_LEN(s->found)) == SLOTS;
}

static bool is_dead(void *arg)
{
    return !stack_alive(*(pid_t *)arg);
}

static bool slots_are_met(void *arg)
{
    return answer_int(api_get(arg, "/readyz"), "slots.api") == SLOTS;
}

/* The dead slot's sockets are closed once its successor runs, so a router that has answered since then knows of its death
 * and counts only slots that it can use. */
static void kill_one(struct api *a, struct slots *s, size_t turn)
{
    cr_assert(wait_until(slots_run, s, WAIT_LONG_MS), "a slot did not come back");
    size_t want = atomic_load(&answered) + READERS * 5;
    cr_assert(wait_until(answered_more, &want, WAIT_LONG_MS), "readers stand still");
    cr_assert(wait_until(slots_are_met, a, WAIT_LONG_MS), "the router met too few slots");
    pid_t one = s->found[turn % SLOTS];
    cr_assert_eq(kill(one, SIGKILL), 0);
    cr_assert(wait_until(is_dead, &one, WAIT_LONG_MS));
}

Test(dispatch, dying_slots_are_not_seen_by_readers)
{
    enum { KILLS = 12 };
    static struct reader readers[READERS];
    struct api a = api_login(OWNER_A);
    http_client_close(&a.http); /* the token stays, the next request goes to the own router */
    struct own own = own_open("dying",
                              (const char *const[]){ api_text("api_slots=%d", SLOTS), NULL },
                              (const char *const[]){ "tenant_rate=0", NULL });
    for (int i = 0; i < READERS; i++) {
        snprintf(readers[i].token, sizeof readers[i].token, "%s", a.token);
        pthread_create(&readers[i].thread, NULL, read_on, &readers[i]);
    }
    struct slots slots = { .worker = own.worker };
    for (size_t kills = 0; kills < KILLS; kills++) {
        kill_one(&a, &slots, kills);
    }
    atomic_store(&stopping, true);
    size_t good = 0, retried = 0, bad = 0;
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        good += readers[i].good;
        retried += readers[i].retried;
        bad += readers[i].bad;
    }
    printf("dispatch: %d slots killed, %zu reads good, %zu good after one retry, %zu bad\n", KILLS,
           good, retried, bad);
    cr_expect_eq(bad, 0);
    cr_expect_leq(retried, 2, "safe requests were not sent again by the router");
    api_close(&a);
    own_close(&own);
    api_release();
}

/* A worker with one api slot and a router that uses only it, and somebody logged in. */
struct desk {
    struct own own;
    struct api api;
};

/* Who is refused may ask again at once on the same connection. */
static struct desk desk_open(const char *name, const char *router_setting)
{
    struct desk o = { .api = api_login(OWNER_A) };
    http_client_close(&o.api.http); /* the token stays, the next request goes to the own router */
    o.own = own_open(
        name,
        (const char *const[]){ "api_slots=1", "lock_timeout=50s", "statement_timeout=55s", NULL },
        (const char *const[]){ router_setting, "queue_max=5", "rest_max=0s", NULL });
    return o;
}

static void desk_close(struct desk *o)
{
    api_close(&o->api);
    own_close(&o->own);
    api_release();
}

static void send_request(struct http_client *c, const struct desk *o, const char *line,
                         const char *body)
{
    cr_assert(http_client_open(c, stack_host(), stack_port()));
    http_client_send_text(c, api_text("%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                                      "%s\r\nContent-Type: application/json\r\nContent-Length: "
                                      "%zu\r\n\r\n%s",
                                      line, o->api.token, strlen(body), body));
}

static void expect_answer(struct http_client *c, int status, const char *code)
{
    struct http_response r;
    cr_assert(http_client_read(c, false, &r), "no answer");
    cr_expect_eq(r.status, status, "%d %s", r.status, r.body);
    cr_expect(strstr(r.body, code) != NULL, "%s", r.body);
    if (status == 503) {
        cr_expect(http_response_header(&r, "retry-after") != NULL, "503 without Retry-After");
    }
    http_response_free(&r);
    http_client_close(c);
}

Test(dispatch, an_unsafe_request_is_never_sent_twice)
{
    struct desk o = desk_open("unsafe", "request_timeout=60s");
    struct http_client c;
    struct hold h = hold_begin("practice-a", "client");
    const char *name = api_unique("Once");
    send_request(&c, &o, "POST /api/v1/clients", api_text("{\"given_name\":\"%s\"}", name));
    cr_assert(hold_wait_for(&h, 1));
    kill(own_slot(&o.own, "api"), SIGKILL);
    expect_answer(&c, 503, "outcome_unknown");
    hold_end(&h);
    desk_close(&o);
}

static bool is_refused(void *arg)
{
    return api_get(arg, "/api/v1/clients")->status == 503;
}

Test(dispatch, without_slots_the_answer_is_a_quick_503)
{
    struct desk o = desk_open("none", "request_timeout=60s");
    stack_stop(o.own.worker, SIGKILL);
    o.own.worker = 0;
    cr_expect(stack_wait_status(stack_port(), "/readyz", 503));
    /* Orphaned slots finish what they have; then requests are kept for a moment, in case slots come back. */
    cr_assert(wait_until(is_refused, &o.api, WAIT_LONG_MS), "still served");
    int64_t begin = wait_now_ms();
    struct answer *r = api_get(&o.api, "/api/v1/clients");
    printf("without slots: 503 after %lld ms\n", (long long)(wait_now_ms() - begin));
    cr_expect_eq(r->status, 503, "%d", r->status);
    cr_expect(answer_header(r, "retry-after") != NULL);
    cr_expect_eq(api_post(&o.api, "/api/v1/clients", "{\"given_name\":\"x\"}")->status, 503);
    desk_close(&o);
}

Test(dispatch, what_waits_too_long_gets_504)
{
    struct desk o = desk_open("late", "request_timeout=400ms");
    struct hold h = hold_begin("practice-a", "client");
    int64_t begin = wait_now_ms();
    struct answer *r = api_get(&o.api, "/api/v1/clients");
    int64_t took = wait_now_ms() - begin;
    cr_expect_eq(r->status, 504, "%d", r->status);
    cr_expect_str_eq(answer_code(r), "deadline_exceeded");
    cr_expect(took >= 350, "after %lld ms", (long long)took);
    hold_end(&h);
    int64_t end = wait_now_ms() + WAIT_LONG_MS;
    while (api_get(&o.api, "/api/v1/clients")->status != 200 && wait_now_ms() < end) {
        wait_pause();
    }
    cr_expect_lt(wait_now_ms(), end, "the slot does not recover");
    desk_close(&o);
}

/* Reads the answer of each connection; how many have that status. */
static size_t take_answers(struct http_client *all, size_t n, int status)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        struct http_response r;
        cr_assert(http_client_read(&all[i], false, &r), "connection %zu has no answer", i);
        found += r.status == status;
        cr_expect(r.status != 503 || http_response_header(&r, "retry-after"));
        http_response_free(&r);
        http_client_close(&all[i]);
    }
    return found;
}

/* One slot stands still: what it and the queue hold waits, all others are refused at once and cost nothing. */
Test(dispatch, beyond_the_queue_requests_are_shed)
{
    enum { FLOOD = 3000, ROOM_MAX = 64 };
    static struct http_client burst[ROOM_MAX];
    struct desk o = desk_open("shed", "request_timeout=60s");
    struct hold h = hold_begin("practice-a", "client");
    for (size_t i = 0; i < ROOM_MAX; i++) {
        send_request(&burst[i], &o, "GET /api/v1/clients", "");
    }
    cr_assert(hold_wait_for(&h, 1));
    /* Whoever is not answered by now waits in the slot or in the queue. */
    pid_t process[2];
    cr_assert_eq(stack_children(o.own.router, "", process, 2), 1);
    long before = stack_rss_kb(process[0]);
    int64_t begin = wait_now_ms(), slowest = 0;
    size_t shed = 0;
    for (int i = 0; i < FLOOD; i++) {
        int64_t sent = wait_now_ms();
        struct answer *r = api_get(&o.api, "/api/v1/clients");
        int64_t took = wait_now_ms() - sent;
        slowest = took > slowest ? took : slowest;
        shed += r->status == 503 && strcmp(answer_code(r), "overloaded") == 0;
        api_release();
    }
    long grown = stack_rss_kb(process[0]) - before;
    printf("shedding: %zu of %d refused in %lld ms in all, slowest %lld ms, router grew %ld KiB\n",
           shed, FLOOD, (long long)(wait_now_ms() - begin), (long long)slowest, grown);
    cr_expect_eq(shed, FLOOD);
    cr_expect_lt(grown, 16384, "the router grew by %ld KiB", grown);
    hold_end(&h);
    size_t good = take_answers(burst, ROOM_MAX, 200);
    cr_expect(good >= 6 && good < ROOM_MAX, "%zu of %d were served", good, ROOM_MAX);
    desk_close(&o);
}

/* Clients that leave while their requests wait cost nothing and hurt nobody. */
Test(dispatch, clients_that_leave_are_forgotten)
{
    enum { LEAVERS = 20 };
    struct desk o = desk_open("leave", "request_timeout=60s");
    struct hold h = hold_begin("practice-a", "client");
    for (int i = 0; i < LEAVERS; i++) {
        struct http_client c;
        send_request(&c, &o, i % 2 ? "GET /api/v1/clients" : "POST /api/v1/clients",
                     i % 2 ? "" : "{\"given_name\":\"Left\"}");
        http_client_close(&c);
    }
    cr_expect_eq(api_get(&o.api, "/healthz")->status, 200);
    hold_end(&h);
    int64_t end = wait_now_ms() + WAIT_LONG_MS;
    while (api_get(&o.api, "/api/v1/clients")->status != 200 && wait_now_ms() < end) {
        wait_pause();
    }
    cr_expect_lt(wait_now_ms(), end, "the slot does not recover");
    desk_close(&o);
}
