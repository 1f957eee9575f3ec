/* SPDX-License-Identifier: LicenseRef-Gremio */
/* SIGUSR2: router and worker go on as the program that lies on disk, and no client notices. Releases are copies of the
 * programs under test that differ in their version. A release that does not start is refused; one whose processes or slots do
 * not get ready leaves the old ones serving. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(upgrade, .timeout = 1200);

#define UPGRADES     3  /* of each program; SOAK_UPGRADES says otherwise */
#define UPGRADES_MAX 35 /* the version's first character tells them apart */
#define CLIENTS      6

/* ---- releases ---- */

static const char *bin(void)
{
    return api_text("%s/releases-%d", stack_env("GREMIO_STATE"), (int)getpid());
}

/* 0 to 9, then a to z. */
static char mark(int digit)
{
    return (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
}

/* The program as the build made it, with the first digit of its version replaced (the end of a text may be another text's
 * place); digit 0 is the build itself. */
static void install(const char *program, int digit)
{
    static const char from[] = GREMIO_VERSION;
    char *path = api_text("%s/%s", bin(), program), *fresh = api_text("%s.new", path);
    FILE *in = fopen(api_text("%s/../bin/%s", stack_env("STACK_BUILD"), program), "re");
    struct stat st;
    cr_assert(in && fstat(fileno(in), &st) == 0);
    size_t size = (size_t)st.st_size;
    char *bytes = malloc(size);
    cr_assert_eq(fread(bytes, 1, size, in), size);
    fclose(in);
    for (char *at = bytes; (at = memmem(at, size - (size_t)(at - bytes), from, sizeof from));) {
        *at++ = mark(digit);
    }
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    cr_assert(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
    free(bytes);
    cr_assert_eq(rename(fresh, path), 0);
}

/* From now on programs are started from the folder of releases. */
static void use_releases(void)
{
    setenv("STACK_BUILD", stack_env("GREMIO_BIN"), 1);
    cr_assert_eq(mkdir(bin(), 0755), 0);
    install("gremio-router", 0);
    install("gremio-worker", 0);
    setenv("GREMIO_BIN", bin(), 1);
}

static void replace_by_script(const char *program, const char *text)
{
    char *path = api_text("%s/%s", bin(), program);
    cr_assert_eq(unlink(path), 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

struct line {
    const char *log, *text;
};

static bool is_logged(void *arg)
{
    const struct line *l = arg;
    return stack_log_has(l->log, l->text);
}

static void wait_for_line(const char *log, const char *text)
{
    struct line l = { .log = log, .text = text };
    cr_assert(wait_until(is_logged, &l, WAIT_LONG_MS * 2), "%s does not say %s", log, text);
}

static char *upgraded_line(pid_t pid, int digit)
{
    return api_text("\"event\":\"upgraded\",\"pid\":%d,\"version\":\"%c%s\"", (int)pid, mark(digit),
                    GREMIO_VERSION + 1);
}

static void upgrade(const char *program, pid_t pid, const char *log, int digit)
{
    install(program, digit);
    int64_t begin = wait_now_ms();
    kill(pid, SIGUSR2);
    wait_for_line(log, upgraded_line(pid, digit));
    fprintf(stderr, "%s upgraded in %lld ms\n", program, (long long)(wait_now_ms() - begin));
}

/* ---- clients ---- */

enum habit { KEEPS, COMES_ANEW, WRITES };

struct client {
    enum habit habit;
    const char *token;
    char key[40];                         /* with the number of the request: its Idempotency-Key */
    const char *person, *service, *staff; /* of what it books */
    atomic_uint done;
    unsigned failed;
    char failure[200]; /* the first one */
    pthread_t thread;
};

static atomic_bool enough;

static void fail(struct client *c, const char *what, int status, const char *body)
{
    if (c->failed++ == 0) {
        snprintf(c->failure, sizeof c->failure, "%s: %d %.150s", what, status, body);
    }
}

static void write_request(const struct client *c, char out[6000])
{
    char body[400], day[16];
    unsigned n = c->done;
    time_t at = time(NULL) + (time_t)(2 + n / 40) * 86400;
    struct tm tm;
    if (c->habit != WRITES) {
        snprintf(out, 6000,
                 "GET /api/v1/clients?limit=1 HTTP/1.1\r\nHost: x\r\n"
                 "Authorization: Bearer %s\r\n\r\n",
                 c->token);
        return;
    }
    gmtime_r(&at, &tm);
    strftime(day, sizeof day, "%Y-%m-%d", &tm);
    int len = snprintf(body, sizeof body,
                       "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                       "\"starts_at\":\"%sT%02u:%02u:00Z\"}",
                       c->person, c->service, c->staff, day, n % 40 / 2, n % 2 * 30);
    snprintf(out, 6000,
             "POST /api/v1/appointments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
             "Idempotency-Key: %s-%u\r\nContent-Type: application/json\r\n"
             "Content-Length: %d\r\n\r\n%s",
             c->token, c->key, n, len, body);
}

/* One request, sent once: what a client would have to repeat counts as failed. */
static void ask(struct client *c, struct http_client *http)
{
    struct http_response r;
    char request[6000];
    write_request(c, request);
    if (http->fd < 0 && !http_client_open(http, stack_host(), stack_port())) {
        fail(c, "connection refused", 0, "");
        return;
    }
    if (!http_client_send_text(http, request) || !http_client_read(http, false, &r)) {
        fail(c, http->answered ? "kept connection broke" : "new connection broke", 0, "");
        http_client_close(http);
        return;
    }
    if (r.status != (c->habit == WRITES ? 201 : 200)) {
        fail(c, "status", r.status, r.body);
    }
    const char *connection = http_response_header(&r, "connection");
    if (c->habit == COMES_ANEW || (connection && strcmp(connection, "close") == 0)) {
        http_client_close(http);
    }
    http_response_free(&r);
    atomic_fetch_add(&c->done, 1);
}

static void *run_client(void *arg)
{
    struct client *c = arg;
    struct http_client http = { .fd = -1 };
    while (!enough) {
        ask(c, &http);
    }
    http_client_close(&http);
    return NULL;
}

static void start_clients(struct client *clients, struct api *a)
{
    const char *service = api_new_service(a, api_unique("Half an hour"), 30);
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *c = &clients[i];
        c->habit = (enum habit)(i % 3);
        c->token = a->token;
        c->service = service;
        c->person = api_new_client(a, "Ana");
        c->staff = api_new_staff(a, api_unique("Upgrade"));
        snprintf(c->key, sizeof c->key, "upgrade-%d-%zu", (int)getpid(), i);
        cr_assert_eq(pthread_create(&c->thread, NULL, run_client, c), 0);
    }
}

/* Each has been answered again since it was looked at first. */
struct progress {
    struct client *clients;
    unsigned before[CLIENTS];
};

static bool all_went_on(void *arg)
{
    struct progress *p = arg;
    for (size_t i = 0; i < CLIENTS; i++) {
        if (p->clients[i].done < p->before[i] + 3 && p->clients[i].failed == 0) {
            return false;
        }
    }
    return true;
}

static void see_progress(struct client *clients)
{
    struct progress p = { .clients = clients };
    for (size_t i = 0; i < CLIENTS; i++) {
        p.before[i] = clients[i].done;
    }
    cr_assert(wait_until(all_went_on, &p, WAIT_LONG_MS), "a client got no answers");
}

static void judge_clients(struct client *clients, int upgrades)
{
    PGconn *db = db_super();
    char *code = db_code(db, "practice-a");
    char *sql = api_text("SELECT count(*) FROM t_%s.appointment WHERE client_id::text = $1", code);
    unsigned done = 0, booked = 0;
    enough = true;
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *c = &clients[i];
        pthread_join(c->thread, NULL);
        done += c->done;
        cr_expect_eq(c->failed, 0, "client %zu: %u of %u failed, first %s", i, c->failed, c->done,
                     c->failure);
        if (c->habit == WRITES) {
            long rows = db_number(db, sql, c->person, NULL);
            cr_expect_eq(rows, (long)c->done, "%u acknowledged, %ld rows", c->done, rows);
            booked += c->done;
        }
    }
    printf("upgrade: %d of router and worker each, %u requests, 0 failed, 0 cut off; %u bookings, "
           "each once\n",
           upgrades, done, booked);
    free(code);
    PQfinish(db);
}

/* ---- tests ---- */

Test(upgrade, nobody_notices)
{
    static struct client clients[CLIENTS];
    struct api a = api_login(OWNER_A);
    use_releases();
    char *slots = api_text("slots_dir=%s/run/upgraded", stack_env("GREMIO_STATE"));
    pid_t worker = stack_start_worker((const char *const[]){ slots, "api_slots=2", NULL });
    int port;
    pid_t router = stack_start_router("router.conf",
                                      (const char *const[]){ slots, "processes=2", NULL }, &port);
    stack_use_port(port);
    char *log = api_text("router-%d.log", port);
    const char *soak = getenv("SOAK_UPGRADES");
    int upgrades = soak ? (int)strtol(soak, NULL, 10) : UPGRADES;
    cr_assert_leq(upgrades, UPGRADES_MAX);
    start_clients(clients, &a);
    for (int i = 1; i <= upgrades; i++) {
        see_progress(clients);
        upgrade("gremio-router", router, log, i);
        see_progress(clients);
        upgrade("gremio-worker", worker, "worker-again.log", i);
    }
    see_progress(clients);
    judge_clients(clients, upgrades);
    cr_expect_eq(stack_stop(router, SIGTERM), 0);
    cr_expect_eq(stack_stop(worker, SIGTERM), 0);
    cr_expect_not(stack_log_has("worker-again.log", "slot_died"));
    api_close(&a);
    api_release();
}

/* The same processes as before. */
static void expect_children(pid_t parent, const pid_t *before, size_t n)
{
    pid_t now[32];
    cr_assert_eq(stack_children(parent, "", now, ARRAY_LEN(now)), n);
    cr_expect_arr_eq(now, before, n * sizeof now[0]);
}

static void expect_refusal(const char *program, pid_t pid, const char *log, const char *reason)
{
    pid_t before[32];
    size_t n = stack_children(pid, "", before, ARRAY_LEN(before));
    kill(pid, SIGUSR2);
    wait_for_line(log, reason);
    cr_expect(stack_log_has(log, "\"event\":\"upgrade_refused\""));
    expect_children(pid, before, n);
    install(program, 0);
}

Test(upgrade, what_does_not_start_is_refused)
{
    struct api a = api_login(OWNER_A);
    use_releases();
    char *slots = api_text("slots_dir=%s/run/refusing", stack_env("GREMIO_STATE"));
    pid_t worker = stack_start_worker((const char *const[]){ slots, NULL });
    int port;
    pid_t router = stack_start_router("router.conf",
                                      (const char *const[]){ slots, "processes=2", NULL }, &port);
    stack_use_port(port);
    const char *program[] = { "gremio-router", "gremio-worker" };
    const char *log[] = { api_text("router-%d.log", port), "worker-again.log" };
    const pid_t pid[] = { router, worker };
    for (size_t i = 0; i < 2; i++) {
        replace_by_script(program[i], "#!/bin/sh\nexit 7\n");
        expect_refusal(program[i], pid[i], log[i], "the new program does not start");
        replace_by_script(program[i],
                          "#!/bin/sh\necho 'unknown option --check-upgrade' >&2\nexit 2\n");
        expect_refusal(program[i], pid[i], log[i], "unknown option --check-upgrade");
        replace_by_script(program[i], "#!/bin/sh\nkill -SEGV $$\n");
        expect_refusal(program[i], pid[i], log[i], "was killed while it checked");
        cr_assert_eq(unlink(api_text("%s/%s", bin(), program[i])), 0);
        expect_refusal(program[i], pid[i], log[i], "No such file or directory");
    }
    http_client_close(&a.http);
    cr_expect_eq(api_get(&a, "/api/v1/me")->status, 200);
    cr_expect_eq(stack_stop(router, SIGTERM), 0);
    cr_expect_eq(stack_stop(worker, SIGTERM), 0);
    api_close(&a);
    api_release();
}

/* router.conf with another port of the database. */
static void write_conf(const char *db_port)
{
    const char *conf = api_text("%s/conf", stack_env("GREMIO_STATE"));
    cr_assert_eq(system(api_text("sed 's/^db_port = .*/db_port = %s/' %s/router.conf >%s/half.conf",
                                 db_port, conf, conf)),
                 0);
}

struct family {
    pid_t parent;
    size_t want;
    pid_t found[16];
};

static bool has_children(void *arg)
{
    struct family *f = arg;
    return stack_children(f->parent, "process", f->found, ARRAY_LEN(f->found)) == f->want;
}

static void kill_newcomers(struct family *f, const pid_t *old)
{
    for (size_t i = 0; i < f->want; i++) {
        if (f->found[i] != old[0] && f->found[i] != old[1]) {
            kill(f->found[i], SIGKILL);
        }
    }
}

/* The new processes find no database and die, again and again: the old ones serve until another release does better. */
Test(upgrade, half_of_one_leaves_the_old_serving)
{
    struct api a = api_login(OWNER_A);
    int port;
    pid_t old[4];
    use_releases();
    write_conf("5432");
    pid_t router = stack_start_router("half.conf", (const char *const[]){ "processes=2", NULL },
                                      &port);
    char *log = api_text("router-%d.log", port);
    cr_assert_eq(stack_children(router, "process", old, ARRAY_LEN(old)), 2);
    stack_use_port(port);
    write_conf("1");
    install("gremio-router", 1);
    kill(router, SIGUSR2);
    struct family four = { .parent = router, .want = 4 };
    for (int i = 0; i < 3; i++) {
        cr_assert(wait_until(has_children, &four, WAIT_LONG_MS));
        kill_newcomers(&four, old);
        http_client_close(&a.http);
        cr_expect_eq(api_get(&a, "/api/v1/me")->status, 200);
    }
    cr_expect_not(stack_log_has(log, "\"event\":\"upgraded\""));
    cr_expect(stack_alive(old[0]) && stack_alive(old[1]));
    write_conf("5432");
    install("gremio-router", 2);
    kill(router, SIGUSR2);
    wait_for_line(log, upgraded_line(router, 2));
    http_client_close(&a.http);
    cr_expect_eq(api_get(&a, "/api/v1/me")->status, 200);
    http_client_close(&a.http);
    struct family two = { .parent = router, .want = 2 };
    cr_expect(wait_until(has_children, &two, WAIT_LONG_MS), "old processes stay");
    cr_expect_eq(stack_stop(router, SIGTERM), 0);
    api_close(&a);
    api_release();
}

/* A copy of the key of the pools' passwords; turned: another one. */
static void write_key(const char *name, bool turned)
{
    const char *dir = stack_env("GREMIO_STATE");
    cr_assert_eq(system(api_text(
                     "umask 077; %s <%s/secrets/pool.key >%s/%s.new && mv %s/%s.new %s/%s",
                     turned ? "tr 0-9a-f 1-9a-f0" : "cat", dir, dir, name, dir, name, dir, name)),
                 0);
}

struct newcomers {
    pid_t worker;
    const pid_t *old;
    size_t old_count;
};

/* There is a slot beside the old ones. */
static bool has_newcomer(void *arg)
{
    const struct newcomers *n = arg;
    pid_t now[32];
    return stack_children(n->worker, "", now, ARRAY_LEN(now)) > n->old_count;
}

/* New slots whose password is not good any more are never ready: the old ones serve until another release does better. */
Test(upgrade, slots_without_a_database_leave_the_old_serving)
{
    struct api a = api_login(OWNER_A);
    int port;
    pid_t old[16];
    use_releases();
    write_key("half.key", false);
    char *slots = api_text("slots_dir=%s/run/halved", stack_env("GREMIO_STATE"));
    char *key = api_text("pool_key_file=%s/half.key", stack_env("GREMIO_STATE"));
    pid_t worker = stack_start_worker((const char *const[]){ slots, key, NULL });
    pid_t router = stack_start_router("router.conf", (const char *const[]){ slots, NULL }, &port);
    stack_use_port(port);
    struct newcomers n = { worker, old, stack_children(worker, "", old, ARRAY_LEN(old)) };
    cr_assert_gt(n.old_count, 0);
    write_key("half.key", true);
    install("gremio-worker", 1);
    kill(worker, SIGUSR2);
    cr_assert(wait_until(has_newcomer, &n, WAIT_LONG_MS), "no new slot was started");
    wait_for_line("worker-again.log", "db_connect_failed");
    for (int i = 0; i < 50; i++) {
        http_client_close(&a.http);
        cr_expect_eq(api_get(&a, "/api/v1/clients?limit=%d", 1 + i)->status, 200);
    }
    for (size_t i = 0; i < n.old_count; i++) {
        cr_expect(stack_alive(old[i]), "old slot %zu is gone", i);
    }
    cr_expect_not(stack_log_has("worker-again.log", upgraded_line(worker, 1)));
    write_key("half.key", false);
    install("gremio-worker", 2);
    kill(worker, SIGUSR2);
    wait_for_line("worker-again.log", upgraded_line(worker, 2));
    cr_expect_eq(api_get(&a, "/api/v1/clients?limit=7")->status, 200);
    cr_expect_eq(stack_stop(router, SIGTERM), 0);
    cr_expect_eq(stack_stop(worker, SIGTERM), 0);
    api_close(&a);
    api_release();
}
