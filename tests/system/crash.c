/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Several people book without pause while processes are killed one after another, PostgreSQL's included, with fsync
 * on. Every booking that was acknowledged is there afterwards exactly once, and the service comes back by itself. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define BOOKERS      6
#define BOOKINGS_MAX 2000
#define HOURS        12 /* bookings a day and booker */

struct booker {
    pthread_t thread;
    int number;
    char token[4200];
    char client[40], service[40], staff[40];
    char acked[BOOKINGS_MAX][40]; /* ids of 201 answers in order */
    size_t count;
    size_t tries, lost, refused; /* requests sent, without answer, with 5xx or 409 in progress */
    char wrong[200];             /* first answer that must not happen */
};

static atomic_bool stopping;
static atomic_size_t acknowledged;
static pid_t worker;
static struct booker bookers[BOOKERS];

/* One try with this booking's own key. True when it was acknowledged. */
static bool try_once(struct booker *b, struct api *a, const char *body, const char *key)
{
    b->tries++;
    struct answer *r = api_send(a, "POST", "/api/v1/appointments", body, key);
    const char *id = answer_text(r, "id");
    if (r->status == 201 && id) {
        snprintf(b->acked[b->count++], sizeof b->acked[0], "%s", id);
        atomic_fetch_add(&acknowledged, 1);
        return true;
    }
    b->lost += r->status == 0;
    b->refused += r->status != 0;
    bool passing = r->status == 0 || r->status >= 502 ||
                   strcmp(answer_code(r), "idempotency_in_progress") == 0;
    if (!passing && !b->wrong[0]) {
        snprintf(b->wrong, sizeof b->wrong, "%d %.150s", r->status, r->http.body);
    }
    return false;
}

static void *book_on(void *arg)
{
    struct booker *b = arg;
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", b->token);
    while (!atomic_load(&stopping) && b->count < BOOKINGS_MAX && !b->wrong[0]) {
        int n = (int)b->count;
        const char *body = api_text(
            "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
            "\"starts_at\":\"%sT%02d:00\"}",
            b->client, b->service, b->staff, api_day(30 + n / HOURS), n % HOURS + 8);
        const char *key = api_text("Idempotency-Key: crash-%d-%d\r\n", b->number, n);
        while (!try_once(b, &a, body, key) && !b->wrong[0]) {
            wait_pause();
        }
        api_release();
    }
    api_close(&a);
    api_release();
    return NULL;
}

static void bookers_start(void)
{
    struct api owner = api_login(OWNER_A);
    for (int i = 0; i < BOOKERS; i++) {
        struct booker *b = &bookers[i];
        b->number = i;
        snprintf(b->token, sizeof b->token, "%s", owner.token);
        snprintf(b->client, sizeof b->client, "%s", api_new_client(&owner, api_unique("Crash")));
        snprintf(b->service, sizeof b->service, "%s",
                 api_new_service(&owner, api_unique("Crash"), 30));
        snprintf(b->staff, sizeof b->staff, "%s", api_new_staff(&owner, api_unique("Crash")));
    }
    api_close(&owner);
    api_release();
    for (int i = 0; i < BOOKERS; i++) {
        cr_assert(pthread_create(&bookers[i].thread, NULL, book_on, &bookers[i]) == 0);
    }
}

/* Enough bookings, or one was answered in a way that ends the test. */
static bool enough(void *arg)
{
    bool wrong = false;
    for (int i = 0; i < BOOKERS; i++) {
        wrong = wrong || bookers[i].wrong[0];
    }
    return wrong || atomic_load(&acknowledged) >= *(size_t *)arg;
}

/* Waits for some more acknowledged bookings; milliseconds until then. */
static int64_t progress(const char *what)
{
    int64_t begin = wait_now_ms();
    size_t want = atomic_load(&acknowledged) + BOOKERS * 10;
    cr_assert(wait_until(enough, &want, 2 * WAIT_LONG_MS), "no bookings after: %s", what);
    for (int i = 0; i < BOOKERS; i++) {
        cr_assert(bookers[i].wrong[0] == '\0', "%s: booker %d was answered %s", what, i,
                  bookers[i].wrong);
    }
    return wait_now_ms() - begin;
}

static bool kill_child(pid_t parent, const char *part, unsigned turn)
{
    pid_t found[16];
    size_t n = stack_children(parent, part, found, ARRAY_LEN(found));
    return n > 0 && kill(found[turn % n], SIGKILL) == 0;
}

static bool kill_slot(unsigned turn)
{
    return kill_child(worker, "api", turn);
}

static bool kill_router_child(unsigned turn)
{
    return kill_child(stack_router(), "", turn);
}

static bool kill_backend(unsigned turn)
{
    UNUSED(turn);
    PGconn *super = db_super();
    long pid = db_number(super,
                         "SELECT pid FROM pg_stat_activity WHERE usename LIKE 'gremio_pool%' "
                         "ORDER BY random() LIMIT 1",
                         NULL);
    PQfinish(super);
    return pid > 0 && kill((pid_t)pid, SIGKILL) == 0;
}

/* Slots leave when their supervisor dies; whoever runs the system starts it again, here the test, and at once. */
static bool kill_worker(unsigned turn)
{
    UNUSED(turn);
    if (kill(worker, SIGKILL) != 0) {
        return false;
    }
    worker = stack_start_worker(NULL);
    return worker > 0;
}

static bool stop_postgres(unsigned turn)
{
    UNUSED(turn);
    return stack_pg_ctl("stop", "immediate") && stack_pg_ctl("restart", "immediate");
}

static bool postmaster_gone(void *arg)
{
    UNUSED(arg);
    return stack_postmaster() == 0;
}

/* pg_ctl refuses to start while a backend of the dead server still holds the shared memory. */
static bool restarted(void *arg)
{
    UNUSED(arg);
    return stack_pg_ctl("restart", "immediate");
}

static bool kill_postmaster(unsigned turn)
{
    UNUSED(turn);
    pid_t pid = stack_postmaster();
    return pid > 0 && kill(pid, SIGKILL) == 0 && wait_until(postmaster_gone, NULL, WAIT_LONG_MS) &&
           wait_until(restarted, NULL, WAIT_LONG_MS);
}

static const struct blow {
    const char *what;
    bool (*strike)(unsigned turn);
    unsigned times;
} blows[] = {
    { "kill -9 of an api slot", kill_slot, 10 },
    { "kill -9 of a router process", kill_router_child, 4 },
    { "kill -9 of a PostgreSQL backend", kill_backend, 3 },
    { "kill -9 of the worker's supervisor", kill_worker, 3 },
    { "immediate stop of PostgreSQL", stop_postgres, 2 },
    { "kill -9 of the postmaster", kill_postmaster, 2 },
};

/* What the database holds against what was acknowledged. */
static size_t check_booker(PGconn *db, const struct booker *b)
{
    cr_expect(b->wrong[0] == '\0', "booker %d was answered %s", b->number, b->wrong);
    long rows = db_number(db, "SELECT count(*) FROM appointment WHERE staff_id = $1::uuid",
                          b->staff, NULL);
    /* The booking under way when the bookers were stopped is finished before they end. */
    cr_expect_eq((size_t)rows, b->count, "booker %d: %ld rows, %zu acknowledged", b->number, rows,
                 b->count);
    for (size_t i = 0; i < b->count; i++) {
        long there = db_number(
            db,
            "SELECT count(*) FROM appointment p JOIN allocation l ON "
            "l.appointment_id = p.id AND l.resource_id = p.staff_id WHERE p.id = "
            "$1::uuid",
            b->acked[i], NULL);
        cr_expect_eq(there, 1, "booking %s was acknowledged and is there %ld times", b->acked[i],
                     there);
    }
    return b->count;
}

Test(crash, acknowledged_bookings_survive, .timeout = 280)
{
    worker = stack_worker();
    bookers_start();
    progress("start");
    for (size_t i = 0; i < ARRAY_LEN(blows); i++) {
        int64_t worst = 0;
        for (unsigned turn = 0; turn < blows[i].times; turn++) {
            cr_assert(blows[i].strike(turn), "%s did not work", blows[i].what);
            int64_t took = progress(blows[i].what);
            worst = took > worst ? took : worst;
        }
        printf("crash: %u x %s: bookings again after at most %lld ms\n", blows[i].times,
               blows[i].what, (long long)worst);
    }
    atomic_store(&stopping, true);
    size_t total = 0, tries = 0, lost = 0, refused = 0;
    PGconn *db = db_super();
    char *code = db_code(db, "practice-a");
    db_do(db, api_text("SET search_path = t_%s", code));
    free(code);
    for (int i = 0; i < BOOKERS; i++) {
        pthread_join(bookers[i].thread, NULL);
        total += check_booker(db, &bookers[i]);
        tries += bookers[i].tries;
        lost += bookers[i].lost;
        refused += bookers[i].refused;
    }
    PQfinish(db);
    printf(
        "crash: %zu bookings acknowledged, each there exactly once; %zu requests, %zu without an "
        "answer, %zu refused and repeated\n",
        total, tries, lost, refused);
}
