/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Processes that stand still (SIGSTOP) instead of dying: a slot, all slots, and all of PostgreSQL. Requests get their
 * answer at their deadline, queues keep their bounds, whoever can serve does, and after SIGCONT everything goes on
 * without a restart. SOAK_STALL: seconds that PostgreSQL stands still (3). */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/own.h"
#include "tests/support/stack.h"
#include "tests/support/volley.h"
#include "tests/support/wait.h"

TestSuite(stalls, .timeout = 400);

#define TIMEOUT_MS 1000 /* of the routers here */
#define QUEUE      20
#define PLACES     32 /* a slot holds at most twice its batch of 16 */

static struct shot shots[VOLLEY_MAX];

static struct shot get_clients(const struct api *a)
{
    return (struct shot){ .token = a->token, .method = "GET", .path = "/api/v1/clients" };
}

/* n requests at once, of both practices in turn, told under the name of what (NULL: not); no answer but these. */
static void fire(const char *what, struct api people[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        shots[i] = get_clients(&people[i % 2]);
    }
    volley_fire(shots, n);
    if (what) {
        volley_print(what, shots, n);
    }
    for (size_t i = 0; i < n; i++) {
        const struct shot *s = &shots[i];
        cr_assert(s->status == 200 || s->status == 503 || s->status == 504, "%d %s", s->status,
                  s->code);
        cr_assert(s->status != 504 || s->took_ms >= TIMEOUT_MS - 100, "504 after %lld ms",
                  (long long)s->took_ms);
    }
}

static void log_in(struct api people[2])
{
    people[0] = api_login(OWNER_A);
    people[1] = api_login(OWNER_B);
    http_client_close(&people[0].http);
    http_client_close(&people[1].http);
}

static void log_out(struct api people[2])
{
    api_close(&people[0]);
    api_close(&people[1]);
    api_release();
}

struct served {
    struct api *people;
    size_t n;
};

static bool all_are_served(void *arg)
{
    struct served *s = arg;
    fire(NULL, s->people, s->n);
    return volley_count(shots, s->n, 200, NULL) == s->n;
}

static void expect_served(const char *what, struct api people[2], size_t n)
{
    struct served all = { people, n };
    int64_t begin = wait_now_ms();
    cr_assert(wait_until(all_are_served, &all, WAIT_LONG_MS), "%s: not served again", what);
    printf("stalls: %s: all served %lld ms later\n", what, (long long)(wait_now_ms() - begin));
}

/* Some requests are lost to the deadline, at most as many as the slot holds; then the other slot has them all. */
Test(stalls, a_slot_that_stands_still_costs_its_own_requests)
{
    struct api people[2];
    log_in(people);
    struct own o = own_open("still", (const char *const[]){ "api_slots=2", "slow_slots=0", NULL },
                            (const char *const[]){ "request_timeout=1s", NULL });
    pid_t slots[2];
    cr_assert_eq(stack_children(o.worker, "api", slots, 2), 2);
    expect_served("two slots", people, 16);
    kill(slots[0], SIGSTOP);
    size_t late = 0, good = 0;
    for (int i = 0; i < 4; i++) {
        fire("one of two slots stopped", people, 16);
        late += volley_count(shots, 16, 504, NULL);
        good += volley_count(shots, 16, 200, NULL);
    }
    cr_expect_leq(late, PLACES, "%zu requests went to a slot that answers nothing", late);
    cr_expect_geq(good, 16, "the other slot does not serve");
    expect_served("the other slot alone", people, 16);
    kill(slots[0], SIGCONT);
    expect_served("the slot went on", people, 16);
    cr_expect(stack_alive(o.worker) && stack_alive(o.router));
    own_close(&o);
    log_out(people);
}

/* The slots' places and the queue fill, the rest is refused at once; all get their answer at their deadline. */
Test(stalls, when_all_slots_stand_still_queues_keep_their_bound)
{
    enum { FLOOD = 120 };
    struct api people[2];
    log_in(people);
    struct own o = own_open("flood", (const char *const[]){ "api_slots=1", "slow_slots=0", NULL },
                            (const char *const[]){ "request_timeout=1s", "queue_max=20", NULL });
    expect_served("one slot", people, 16);
    pid_t slot = own_slot(&o, "api");
    kill(slot, SIGSTOP);
    fire("the only slot stopped", people, FLOOD);
    size_t late = volley_count(shots, FLOOD, 504, "deadline_exceeded");
    size_t shed = volley_count(shots, FLOOD, 503, "overloaded");
    cr_expect_eq(late + shed, FLOOD);
    cr_expect(late >= QUEUE && late <= PLACES + QUEUE, "%zu waited", late);
    cr_expect(stack_wait_status(o.port, "/healthz", 200));
    kill(slot, SIGCONT);
    expect_served("the only slot went on", people, 16);
    own_close(&o);
    log_out(people);
}

struct slot {
    const struct own *own;
    pid_t old;
};

static bool is_replaced(void *arg)
{
    const struct slot *s = arg;
    pid_t found[4];
    return stack_children(s->own->worker, "api", found, 4) == 1 && found[0] != s->old;
}

/* Nobody sends SIGCONT: the supervisor notices that the slot makes no progress and puts another in its place. */
Test(stalls, a_slot_that_never_comes_back_is_replaced)
{
    struct api people[2];
    log_in(people);
    struct own o = own_open("never",
                            (const char *const[]){ "api_slots=1", "slow_slots=0",
                                                   "statement_timeout=200ms", "lock_timeout=100ms",
                                                   NULL },
                            (const char *const[]){ "request_timeout=1s", NULL });
    expect_served("one slot", people, 16);
    struct slot slot = { &o, own_slot(&o, "api") };
    int64_t begin = wait_now_ms();
    kill(slot.old, SIGSTOP);
    fire("the only slot stopped for good", people, 16);
    cr_assert(wait_until(is_replaced, &slot, 2 * WAIT_LONG_MS), "nobody notices");
    printf("stalls: a slot that stands still was replaced %lld ms later\n",
           (long long)(wait_now_ms() - begin));
    expect_served("the new slot", people, 16);
    own_close(&o);
    log_out(people);
}

/* ---- PostgreSQL ---- */

/* Every process of the server, the postmaster first. */
static size_t server_processes(pid_t out[256])
{
    out[0] = stack_postmaster();
    cr_assert_gt(out[0], 0);
    return 1 + stack_children(out[0], "", out + 1, 255);
}

/* The first that is stopped last and goes on first: it starts nothing while the others are told. */
static void stop_server(pid_t processes[256], size_t *n)
{
    *n = server_processes(processes);
    for (size_t i = 0; i < *n; i++) {
        kill(processes[i], SIGSTOP);
    }
}

static void continue_server(const pid_t processes[256], size_t n)
{
    for (size_t i = n; i-- > 0;) {
        kill(processes[i], SIGCONT);
    }
}

static long clients_called(PGconn *super, const char *name)
{
    char *code = db_code(super, "practice-a");
    char *sql = api_text("SELECT count(*) FROM t_%s.client WHERE given_name = $1", code);
    free(code);
    return db_number(super, sql, name, NULL);
}

struct keyed {
    struct api *api;
    const char *name;
};

static struct answer *create(const struct keyed *k)
{
    return api_send(k->api, "POST", "/api/v1/clients", api_text("{\"given_name\":\"%s\"}", k->name),
                    api_text("Idempotency-Key: %s\r\n", k->name));
}

static bool is_created(void *arg)
{
    return create(arg)->status == 201;
}

Test(stalls, a_database_that_stands_still_is_waited_out)
{
    struct api people[2];
    pid_t processes[256];
    size_t n, requests = 0, late = 0, refused = 0;
    const char *stall = getenv("SOAK_STALL");
    log_in(people);
    struct own o = own_open(
        "server",
        (const char *const[]){ "api_slots=2", "slow_slots=0", "statement_timeout=2s",
                               "lock_timeout=1s", NULL },
        (const char *const[]){ "request_timeout=1s", "queue_max=20", "tenant_rate=0", NULL });
    expect_served("a database", people, 16);
    pid_t slots[2], again[2];
    cr_assert_eq(stack_children(o.worker, "api", slots, 2), 2);
    struct keyed key = { &people[0], strrchr(api_unique("Stalled"), ' ') + 1 };
    int64_t end = wait_now_ms() + (stall ? strtol(stall, NULL, 10) : 3) * INT64_C(1000);
    stop_server(processes, &n);
    do {
        fire(NULL, people, 16);
        struct answer *r = create(&key);
        requests += 17;
        late += volley_count(shots, 16, 504, NULL) + (r->status == 504);
        refused += volley_count(shots, 16, 503, NULL) + (r->status == 503);
        if (r->status != 503 && r->status != 504) {
            break; /* judged below, once the server runs again */
        }
    } while (wait_now_ms() < end);
    bool alive = stack_wait_status(o.port, "/healthz", 200);
    continue_server(processes, n);
    cr_expect(alive);
    cr_expect_eq(late + refused, requests, "%zu of %zu", late + refused, requests);
    expect_served("PostgreSQL went on", people, 16);
    cr_expect(wait_until(is_created, &key, WAIT_LONG_MS));
    PGconn *super = db_super();
    cr_expect_eq(clients_called(super, key.name), 1);
    PQfinish(super);
    cr_expect_eq(stack_children(o.worker, "api", again, 2), 2);
    cr_expect(again[0] + again[1] == slots[0] + slots[1], "a slot was replaced");
    printf("stalls: %zu requests to a stopped PostgreSQL: %zu x 504 at their deadline, %zu x 503\n",
           requests, late, refused);
    own_close(&o);
    log_out(people);
}

struct early {
    pid_t worker, found[4];
};

static bool try_in_vain(void *arg)
{
    struct early *e = arg;
    return stack_children(e->worker, "api", e->found, ARRAY_LEN(e->found)) == 2 &&
           stack_log_has("worker-again.log", "db_connect_failed");
}

static bool is_served(void *arg)
{
    return api_get(arg, "/api/v1/clients")->status == 200;
}

/* Slots that start while there is no database are there, and serve as soon as it is. */
Test(stalls, a_worker_starts_without_its_database)
{
    struct api a = api_login(OWNER_A);
    http_client_close(&a.http);
    char *dir = api_text("slots_dir=%s/run/early", stack_env("GREMIO_STATE"));
    cr_assert(stack_pg_ctl("stop", "fast"));
    pid_t worker = stack_start_worker((const char *const[]){ dir, "api_slots=2", NULL });
    struct early slots = { .worker = worker };
    cr_assert(wait_until(try_in_vain, &slots, WAIT_LONG_MS), "it does not start");
    cr_assert(stack_pg_ctl("restart", "fast"));
    int port;
    pid_t router = stack_start_router("router.conf", (const char *const[]){ dir, NULL }, &port);
    stack_use_port(port);
    pid_t after[4];
    cr_expect(wait_until(is_served, &a, WAIT_LONG_MS), "it does not find the database");
    cr_assert_eq(stack_children(worker, "api", after, ARRAY_LEN(after)), 2);
    cr_expect(after[0] == slots.found[0] && after[1] == slots.found[1], "a slot died meanwhile");
    cr_expect_eq(stack_stop(router, SIGTERM), 0);
    cr_expect_eq(stack_stop(worker, SIGTERM), 0);
    stack_use_port(0);
    cr_assert(stack_wait_ready(stack_port()));
    api_close(&a);
    api_release();
}
