/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One practice asks for far too much: the others are served as if it were not there, and it is told so. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/hold.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(fair, .timeout = 180);

/* A worker with two api slots and a router that uses only them. */
struct own {
    pid_t worker, router;
    struct api a, b; /* owners of two practices, through that router */
};

static struct own own_open(const char *name, const char *setting)
{
    char *dir = api_text("%s/run/%s", stack_env("GREMIO_STATE"), name);
    char *slots = api_text("slots_dir=%s", dir);
    struct own o = { .a = api_login(OWNER_A), .b = api_login(OWNER_B) };
    int port;
    cr_assert_eq(system(api_text("mkdir -p %s", dir)), 0);
    o.worker = stack_start_worker((const char *const[]){ slots, "api_slots=2", "lock_timeout=50s",
                                                         "statement_timeout=55s", NULL });
    o.router = stack_start_router(
        "router.conf", (const char *const[]){ slots, "request_timeout=60s", setting, NULL }, &port);
    stack_use_port(port);
    http_client_close(&o.a.http); /* the token stays, the next request goes to the own router */
    http_client_close(&o.b.http);
    return o;
}

static void own_close(struct own *o)
{
    api_close(&o->a);
    api_close(&o->b);
    stack_stop(o->router, SIGTERM);
    stack_stop(o->worker, SIGTERM);
    api_release();
}

static void send_get(struct http_client *c, const char *token, const char *path)
{
    cr_assert(http_client_open(c, stack_host(), stack_port()));
    http_client_send_text(
        c, api_text("GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", path, token));
}

/* Every request of A waits for a lock for as long as the test likes; each of B is answered meanwhile. */
Test(fair, slow_requests_of_one_practice_hold_up_nobody_else)
{
    enum { FLOOD = 120 };
    static struct http_client flood[FLOOD];
    struct own o = own_open("slow", "inflight_per_tenant=100");
    size_t good = 0, late = 0, refused = 0;
    cr_assert_eq(api_get(&o.b, "/api/v1/clients")->status, 200);
    struct hold h = hold_begin("practice-a", "client");
    for (int i = 0; i < FLOOD; i++) {
        send_get(&flood[i], o.a.token, "/api/v1/clients");
        good += api_get(&o.b, "/api/v1/clients")->status == 200;
        api_release();
    }
    cr_expect(hold_wait_for(&h, 1));
    cr_expect_eq(good, FLOOD, "%zu of %d requests of the other practice were served", good, FLOOD);
    hold_end(&h);
    for (int i = 0; i < FLOOD; i++) {
        struct http_response r;
        cr_assert(http_client_read(&flood[i], false, &r), "connection %d has no answer", i);
        late += r.status == 200;
        refused += r.status == 429 || r.status == 503;
        http_response_free(&r);
        http_client_close(&flood[i]);
    }
    printf("fair: %zu of %d served beside %d slow ones, of which %zu were served in the end\n",
           good, FLOOD, FLOOD, late);
    cr_expect_eq(late + refused, FLOOD);
    cr_expect_geq(refused, FLOOD - 100, "more in flight than the limit");
    own_close(&o);
}

Test(fair, beyond_its_rate_a_practice_is_told_when_to_come_back)
{
    enum { ASKED = 24 };
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    int port;
    pid_t router = stack_start_router(
        "router.conf", (const char *const[]){ "tenant_rate=1", "tenant_burst=20", NULL }, &port);
    stack_use_port(port);
    http_client_close(&a.http);
    http_client_close(&b.http);
    size_t good = 0, refused = 0;
    int64_t since = wait_now_ms();
    for (int i = 0; i < ASKED; i++) {
        struct answer *r = api_get(&a, "/api/v1/business");
        good += r->status == 200;
        if (r->status == 429) {
            refused++;
            cr_expect_str_eq(answer_code(r), "rate_limited");
            cr_expect_str_eq(answer_header(r, "retry-after"), "1");
            cr_expect_str_eq(answer_header(r, "ratelimit-policy"), "\"tenant\";q=1;w=1");
            cr_expect_not_null(answer_header(r, "ratelimit"));
        }
        api_release();
    }
    cr_expect_geq(good, 20);
    cr_expect_gt(refused, 0);
    cr_expect_eq(good + refused, ASKED);
    cr_expect_geq(wait_now_ms() - since, (int64_t)(refused - 1) * 1000,
                  "it was heard before its time");
    cr_expect_eq(api_get(&b, "/api/v1/business")->status, 200, "another has its own");
    api_close(&a);
    api_close(&b);
    stack_stop(router, SIGTERM);
    api_release();
}
