/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Who is to blame for a slot's death: a request that crashes slots has two of them and is refused from then on, while
 * everybody else is served; whoever was in slots that somebody killed from outside is innocent, however many and however
 * often. What crashes is a real slot of this build: a library in front of libpq brings it down when it is about to send a
 * certain text (support/faults.h). SOAK_LOOPS: also a request that makes slots loop without end, which takes a minute. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/faults.h"
#include "tests/support/hold.h"
#include "tests/support/own.h"
#include "tests/support/stack.h"
#include "tests/support/volley.h"
#include "tests/support/wait.h"

TestSuite(poison, .timeout = 300);

#define API_SLOTS 2
#define HELD      24

/* A worker and a router of one's own with the default of slots on two cores, and an owner. */
struct lab {
    struct own own;
    struct api api;
    struct faults *faults;
};

static bool all_are_met(void *arg)
{
    return answer_int(api_get(arg, "/readyz"), "slots.api") == API_SLOTS;
}

static struct lab lab_open(const char *name, const char *timeout, const char *lock,
                           const char *statement)
{
    struct lab l = { .api = api_login(OWNER_A) };
    http_client_close(&l.api.http); /* the token stays, the next request goes to the own router */
    l.faults = faults_preload();
    l.own = own_open(
        name, (const char *const[]){ "api_slots=2", lock, statement, NULL },
        (const char *const[]){ timeout, "inflight_per_tenant=200", "tenant_rate=0", NULL });
    faults_stop_preload();
    cr_assert(wait_until(all_are_met, &l.api, WAIT_LONG_MS), "the router met too few slots");
    return l;
}

static void lab_close(struct lab *l)
{
    api_close(&l->api);
    own_close(&l->own);
    api_release();
}

static bool slots_are_back(void *arg)
{
    pid_t found[16];
    return stack_children(*(pid_t *)arg, "api", found, ARRAY_LEN(found)) == API_SLOTS;
}

static void wait_for_slots(struct lab *l)
{
    cr_assert(wait_until(slots_are_back, &l->own.worker, WAIT_LONG_MS), "slots do not come back");
}

/* ---- others, meanwhile ---- */

static atomic_bool stopping;

struct reader {
    pthread_t thread;
    const char *token;
    size_t good, bad;
};

static void *read_on(void *arg)
{
    struct reader *me = arg;
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", me->token);
    while (!atomic_load(&stopping)) {
        struct answer *r = api_get(&a, "/api/v1/business");
        me->good += r->status == 200;
        me->bad += r->status != 200;
        api_release();
    }
    api_close(&a);
    return NULL;
}

#define READERS 4

static struct reader readers[READERS];

static void start_readers(const struct api *who)
{
    atomic_store(&stopping, false);
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = (struct reader){ .token = who->token };
        pthread_create(&readers[i].thread, NULL, read_on, &readers[i]);
    }
}

static size_t stop_readers(size_t *bad)
{
    size_t good = 0;
    *bad = 0;
    atomic_store(&stopping, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        good += readers[i].good;
        *bad += readers[i].bad;
    }
    return good;
}

/* ---- killed from outside ---- */

struct held {
    struct shot shots[HELD];
    pthread_t thread;
    atomic_bool answered; /* all of them */
    struct hold *lock;
    int want;
};

static void *fire(void *arg)
{
    struct held *h = arg;
    volley_fire(h->shots, HELD);
    atomic_store(&h->answered, true);
    return NULL;
}

/* Different requests that all wait for a lock in the slots. */
static struct held hold_requests(const struct lab *l)
{
    struct held h = { .want = 0 };
    for (size_t i = 0; i < HELD; i++) {
        h.shots[i] = (struct shot){ .token = l->api.token,
                                    .method = "GET",
                                    .path = api_text("/api/v1/clients?limit=%zu", i + 1) };
    }
    return h;
}

/* In as many slots as may be; or there was no slot for so long that all were refused. */
static bool all_are_somewhere(void *arg)
{
    struct held *h = arg;
    return atomic_load(&h->answered) || hold_has(h->lock, h->want);
}

static size_t served(struct lab *l, const struct held *h)
{
    size_t n = 0;
    for (size_t i = 0; i < HELD; i++) {
        n += api_get(&l->api, "%s", h->shots[i].path)->status == 200;
    }
    return n;
}

static bool is_gone(void *arg)
{
    return !stack_alive(*(pid_t *)arg);
}

static void kill_slots(pid_t *slot, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        kill(slot[i], SIGKILL);
    }
    for (size_t i = 0; i < n; i++) {
        cr_assert(wait_until(is_gone, &slot[i], WAIT_LONG_MS));
    }
}

/* Kills whoever holds the requests twice, and looks what became of them. */
static void expect_no_conviction(const char *name, bool at_once)
{
    struct lab l = lab_open(name, "request_timeout=60s", "lock_timeout=50s",
                            "statement_timeout=55s");
    struct hold lock = hold_begin("practice-a", "client");
    struct held held = hold_requests(&l);
    held.lock = &lock;
    pid_t slot[API_SLOTS + 1];
    pthread_create(&held.thread, NULL, fire, &held);
    for (int round = 0; round < 2; round++) {
        held.want = round == 0 ? API_SLOTS
                               : 1; /* later all may be in the one that came back first */
        cr_assert(wait_until(all_are_somewhere, &held, WAIT_LONG_MS), "nothing waits in the slots");
        cr_assert_eq(stack_children(l.own.worker, "api", slot, ARRAY_LEN(slot)), API_SLOTS);
        hold_forget(&lock);
        for (size_t i = 0; i < API_SLOTS; i += at_once ? API_SLOTS : 1) {
            kill_slots(&slot[i], at_once ? API_SLOTS : 1);
            wait_for_slots(&l);
        }
    }
    hold_end(&lock);
    pthread_join(held.thread, NULL);
    volley_print(name, held.shots, HELD);
    cr_expect_eq(volley_count(held.shots, HELD, 500, NULL), 0, "somebody was convicted");
    cr_expect_eq(served(&l, &held), HELD, "not everybody is served afterwards");
    lab_close(&l);
}

Test(poison, all_slots_killed_at_once_convict_nobody)
{
    expect_no_conviction("at-once", true);
}

Test(poison, slots_killed_in_a_row_convict_nobody)
{
    expect_no_conviction("in-a-row", false);
}

/* ---- killed by a request ---- */

static struct answer *give_pill(struct lab *l, const char *method)
{
    return strcmp(method, "GET") == 0
               ? api_get(&l->api, "/api/v1/clients?q=" FAULTS_PILL_TEXT)
               : api_post(&l->api, "/api/v1/clients", "{\"given_name\":\"" FAULTS_PILL_TEXT "\"}");
}

static long take_deaths(struct lab *l)
{
    wait_for_slots(l);
    return atomic_exchange(&l->faults->hits, 0);
}

static void expect_two_deaths(const char *name, int signo)
{
    struct lab l = lab_open(name, "request_timeout=30s", "lock_timeout=2s", "statement_timeout=5s");
    size_t bad;
    start_readers(&l.api);
    faults_arm(l.faults, FAULTS_PILL, 0, 0, 0, signo);
    struct answer *r = give_pill(&l, "GET");
    cr_expect_eq(r->status, 500, "%d", r->status);
    cr_expect_str_eq(answer_code(r), "request_refused");
    cr_expect_eq(take_deaths(&l), 2);
    cr_expect_eq(give_pill(&l, "GET")->status, 500, "it was let through again");
    cr_expect_eq(take_deaths(&l), 0);
    /* A change that began is never sent twice by us; but its like is known. */
    for (int i = 0; i < 2; i++) {
        r = give_pill(&l, "POST");
        cr_expect_str_eq(answer_code(r), "outcome_unknown");
    }
    cr_expect_eq(take_deaths(&l), 2);
    cr_expect_str_eq(answer_code(give_pill(&l, "POST")), "request_refused");
    cr_expect_eq(take_deaths(&l), 0);
    size_t good = stop_readers(&bad);
    printf("poison: %s: 2 slots died of the read and 2 of the change, then 500 and no death; "
           "others meanwhile: "
           "%zu good, %zu bad\n",
           name, good, bad);
    cr_expect_eq(bad, 0);
    cr_expect_gt(good, 0);
    lab_close(&l);
}

Test(poison, a_request_that_crashes_has_two_slots_and_no_more)
{
    expect_two_deaths("crash", SIGSEGV);
}

Test(poison, so_has_one_that_aborts)
{
    expect_two_deaths("abort", SIGABRT);
}

static bool was_ended(void *arg)
{
    struct lab *l = arg;
    return stack_log_has("worker-again.log", "no progress") && slots_are_back(&l->own.worker);
}

static bool is_convicted(void *arg)
{
    struct answer *r = give_pill(arg, "GET");
    bool good = r->status == 500;
    cr_assert(good || r->status == 504 || r->status == 503, "%d", r->status);
    api_release();
    return good;
}

/* Its client has the answer long before the supervisor finds the slot stuck. */
Test(poison, a_request_that_loops_has_two_slots_too)
{
    if (!getenv("SOAK_LOOPS")) {
        cr_skip("SOAK_LOOPS is not set: it takes half a minute");
    }
    struct lab l = lab_open("loop", "request_timeout=2s", "lock_timeout=500ms",
                            "statement_timeout=1s");
    size_t bad;
    start_readers(&l.api);
    faults_arm(l.faults, FAULTS_PILL, 0, 0, 0, 0);
    cr_expect_eq(give_pill(&l, "GET")->status, 504);
    cr_assert(wait_until(was_ended, &l, WAIT_LONG_MS), "the slot loops on");
    cr_assert(wait_until(is_convicted, &l, 2 * WAIT_LONG_MS), "it is never refused");
    cr_expect_eq(take_deaths(&l), 2);
    size_t good = stop_readers(&bad);
    printf("poison: loop: 2 slots looped and were ended, then 500; others meanwhile: %zu good, %zu "
           "bad\n",
           good, bad);
    cr_expect_gt(good, 0);
    lab_close(&l);
}
