/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Several people of several practices book without pause while processes are killed, PostgreSQL's included, with fsync
 * on: one kind of blow after another, and blindly every 200 ms. Every booking that was acknowledged is there afterwards
 * exactly once, no answer holds anything of another practice, and the service comes back by itself.
 * SOAK_ROUNDS: stops and kills of PostgreSQL each (2); SOAK_SECONDS: how long blindly (5); SOAK_PRACTICES (2). */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/api.h"
#include "tests/support/bookers.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define BOOKERS        6
#define ROUNDS_MAX     1000
#define BLIND_EVERY_MS 200
#define LOGIN_MS       (4 * WAIT_LONG_MS) /* auth slots give way to everybody, the bookers too */

static pid_t worker, router;

static unsigned how_many(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);
    return value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

/* Whoever runs the system starts a program again that has ended: here the test, and at once. A new one ends too for as
 * long as what is left of the old one holds its folder or its port. */
static void respawn(void)
{
    if (!stack_alive(worker)) {
        worker = stack_start_worker(NULL);
    }
    if (!stack_alive(router)) {
        router = stack_restart_router();
    }
}

static bool is_served(void *arg)
{
    UNUSED(arg);
    int status;
    respawn();
    struct api a = api_try_login(OWNER_A, stack_password(), &status);
    api_close(&a);
    api_release();
    return status == 200;
}

/* The stack's own programs, or new ones when the test before has left none. */
static void find_programs(void)
{
    worker = stack_worker();
    router = stack_router();
    cr_assert(wait_until(is_served, NULL, LOGIN_MS), "no login");
}

/* Enough bookings, or one was answered in a way that ends the test. */
static bool enough(void *arg)
{
    respawn();
    return bookers_wrong() || bookers_acknowledged() >= *(size_t *)arg;
}

/* Waits for some more acknowledged bookings; milliseconds until then. */
static int64_t progress(const char *what)
{
    int64_t begin = wait_now_ms();
    size_t want = bookers_acknowledged() + BOOKERS * 10;
    cr_assert(wait_until(enough, &want, 2 * WAIT_LONG_MS), "no bookings after: %s", what);
    cr_assert(!bookers_wrong(), "%s: %s", what, bookers_wrong());
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

static bool kill_any_slot(unsigned turn)
{
    return kill_child(worker, "", turn);
}

static bool kill_router_child(unsigned turn)
{
    return kill_child(router, "", turn);
}

/* One that serves a slot; none while PostgreSQL recovers from the one before. */
static bool kill_backend(unsigned turn)
{
    pid_t postmaster = stack_postmaster();
    return postmaster > 0 && kill_child(postmaster, "gremio_pool", turn);
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

/* Its processes leave when it dies; until they have closed the port a new one is refused, and tried again. */
static bool kill_router(unsigned turn)
{
    UNUSED(turn);
    return kill(router, SIGKILL) == 0;
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
    unsigned times; /* 0: SOAK_ROUNDS */
} blows[] = {
    { "kill -9 of an api slot", kill_slot, 10 },
    { "kill -9 of a router process", kill_router_child, 4 },
    { "kill -9 of a PostgreSQL backend", kill_backend, 3 },
    { "kill -9 of the worker's supervisor", kill_worker, 3 },
    { "immediate stop of PostgreSQL", stop_postgres, 0 },
    { "kill -9 of the postmaster", kill_postmaster, 0 },
};

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void strike_often(const struct blow *b)
{
    static int64_t took[ROUNDS_MAX];
    unsigned times = b->times ? b->times : how_many("SOAK_ROUNDS", 2);
    cr_assert_leq(times, ROUNDS_MAX);
    for (unsigned turn = 0; turn < times; turn++) {
        cr_assert(b->strike(turn), "%s did not work", b->what);
        took[turn] = progress(b->what);
    }
    qsort(took, times, sizeof took[0], by_size);
    printf("crash: %u x %s: bookings again after %lld ms (half of the times), at most %lld ms\n",
           times, b->what, (long long)took[times / 2], (long long)took[times - 1]);
}

/* Every table and index of the database as it is on the disk, each index against its table. */
static void expect_sound_files(void)
{
    char *out = api_text("%s/log/amcheck.log", stack_env("GREMIO_STATE"));
    cr_expect_eq(system(api_text("%s/pg_amcheck -h %s -U %s --install-missing --heapallindexed %s "
                                 ">%s 2>&1",
                                 stack_env("GREMIO_PG_BIN"), stack_env("GREMIO_PG"),
                                 stack_env("GREMIO_DB_SUPERUSER"), stack_env("GREMIO_DB"), out)),
                 0, "pg_amcheck found something, see %s", out);
}

static void report(const char *what, const struct bookers_sum *s)
{
    cr_expect_eq(s->convicted, 0, "%zu requests were taken for poison", s->convicted);
    printf("%s: %zu bookings acknowledged, each there exactly once: 0 lost, 0 doubled; %zu tries, "
           "%zu without an answer, %zu refused and repeated (%zu as poison); longest time without "
           "a booking %lld "
           "ms\n",
           what, s->acknowledged, s->tries, s->unanswered, s->refused, s->convicted,
           (long long)s->worst_gap_ms);
}

Test(crash, acknowledged_bookings_survive, .timeout = 3600)
{
    find_programs();
    bookers_start(BOOKERS, 2);
    progress("start");
    for (size_t i = 0; i < ARRAY_LEN(blows); i++) {
        strike_often(&blows[i]);
    }
    struct bookers_sum s = bookers_end();
    expect_sound_files();
    report("crash", &s);
    api_release();
}

/* ---- blindly ---- */

/* Out of a hundred blows. A backend's death costs a recovery of the whole server, a supervisor's a new start. */
static const struct blind {
    unsigned share;
    bool (*strike)(unsigned turn);
} blinds[] = {
    { 62, kill_any_slot }, { 27, kill_router_child }, { 4, kill_worker },
    { 4, kill_router },    { 3, kill_backend },
};

static bool strike_blindly(unsigned *seed)
{
    unsigned dice = (unsigned)rand_r(seed) % 100;
    size_t i = 0;
    while (dice >= blinds[i].share) {
        dice -= blinds[i++].share;
    }
    return blinds[i].strike((unsigned)rand_r(seed));
}

Test(crash, nothing_is_lost_when_anybody_may_die, .timeout = 3600)
{
    unsigned seconds = how_many("SOAK_SECONDS", 5), practices = how_many("SOAK_PRACTICES", 2);
    unsigned seed = (unsigned)time(NULL), struck = 0;
    find_programs();
    bookers_start(practices < BOOKERS ? BOOKERS : practices, practices);
    progress("start");
    int64_t end = wait_now_ms() + seconds * INT64_C(1000), next = wait_now_ms();
    while (wait_now_ms() < end && !bookers_wrong()) {
        respawn();
        if (wait_now_ms() >= next) {
            next += BLIND_EVERY_MS;
            struck += strike_blindly(&seed);
        }
        wait_pause();
    }
    int64_t back = 0;
    cr_assert(wait_until(is_served, NULL, LOGIN_MS), "no login after the last blow");
    for (int i = 0; i < 3; i++) { /* the stragglers too */
        back += progress("the last blow");
    }
    struct bookers_sum s = bookers_end();
    report("blind", &s);
    printf("blind: %u processes killed in %u s (seed %u), refused or unanswered %.1f %% of the "
           "tries; steady again %lld ms after the last\n",
           struck, seconds, seed, 100.0 * (double)(s.tries - s.acknowledged) / (double)s.tries,
           (long long)back);
    printf("marks: %u practices, %zu own names and 0 foreign ones in the answers\n", practices,
           s.own_marks);
}
