/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Memory and the network fail at every single place, one after another: for each request of a script every allocation (or
 * read, write, connect ...) of the router's process fails, then those of the slot; a place is a call with all its callers,
 * so that a loop is visited once. Nobody crashes, every answer is whole or the connection ends, what was asked is done
 * once or not at all, and the next request works. Where sanitizers are built in they look for leaks and worse meanwhile.
 * Without SOAK_SECONDS some places of each request are visited, with it all of them if there is time. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/faults.h"
#include "tests/support/own.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(faults, .timeout = 3600);

#define BRIEF_PLACES 4 /* without SOAK_SECONDS at most so many of a request */

static const struct step {
    const char *what, *method, *path, *body;
    const char *kind; /* of the slot that serves it */
    bool keyed;       /* under an Idempotency-Key */
    bool reconnect;   /* the slot has to open its connection anew */
} steps[] = {
    { .what = "read", .method = "GET", .path = "/api/v1/business", .kind = "api" },
    { .what = "list", .method = "GET", .path = "/api/v1/clients?limit=5&q=fault", .kind = "api" },
    { .what = "create",
      .method = "POST",
      .path = "/api/v1/clients",
      .kind = "api",
      .keyed = true,
      .body = "{\"given_name\":\"Fault\",\"phone\":\"+52 55 1234 5678\",\"notes\":\"x\"}" },
    { .what = "bad body",
      .method = "POST",
      .path = "/api/v1/clients",
      .kind = "api",
      .body = "{\"given_name\":7,\"phone\":\"x\",\"other\":[]}" },
    { .what = "refused booking",
      .method = "POST",
      .path = "/api/v1/appointments",
      .kind = "api",
      .keyed = true,
      .body = "{\"client_id\":\"01a206d8-cb2d-735a-87bb-fb9fb348b56c\",\"service_id\":"
              "\"01a206d8-cb2d-735a-87bb-fb9fb348b56c\",\"staff_id\":"
              "\"01a206d8-cb2d-735a-87bb-fb9fb348b56c\",\"starts_at\":\"2030-01-07T10:00\"}" },
    { .what = "unknown path", .method = "GET", .path = "/api/v1/nothing", .kind = "api" },
    { .what = "openapi", .method = "GET", .path = "/api/openapi.json", .kind = "api" },
    { .what = "health", .method = "GET", .path = "/readyz", .kind = "api" },
    { .what = "new connection",
      .method = "GET",
      .path = "/api/v1/me",
      .kind = "api",
      .reconnect = true },
    { .what = "login", .method = "POST", .path = "/api/v1/auth/login", .kind = "auth" },
};

static const int io_errors[] = { 0, ECONNRESET, EAGAIN, EINTR, EMFILE, ENOBUFS };

struct lab {
    struct own own;
    struct faults *faults;
    struct api owner;
    PGconn *super;
    unsigned serial;
    long places, whole, cut, refused; /* faults that hit, and how their requests ended */
    unsigned deaths;                  /* ends of the process under test, by itself and in order */
};

static struct lab lab_open(const char *name)
{
    struct lab l = { .owner = api_login(OWNER_A), .super = db_super() };
    http_client_close(&l.owner.http);
    l.faults = faults_preload();
    l.own = own_open(
        name, (const char *const[]){ "api_slots=1", "slow_slots=0", "password_memory=8m", NULL },
        (const char *const[]){ "request_timeout=5s", "token_cache=16", NULL });
    faults_stop_preload();
    return l;
}

static void lab_close(struct lab *l)
{
    api_close(&l->owner);
    own_close(&l->own);
    PQfinish(l->super);
    api_release();
}

/* True when the answer is JSON or has none to be; the client has seen to length and header. */
static bool is_whole(const struct http_response *r)
{
    struct json_object *o = r->body_len ? json_tokener_parse(r->body) : NULL;
    bool good = r->body_len == 0 || o;
    json_object_put(o);
    return good;
}

static const char *body_of(const struct step *s)
{
    return s->body || strcmp(s->method, "GET") == 0
               ? s->body
               : api_text("{\"email\":\"%s\",\"password\":\"%s\"}", OWNER_A, stack_password());
}

static void send_step(struct lab *l, const struct step *s, struct http_client *c)
{
    const char *body = body_of(s);
    const char *key = s->keyed
                          ? api_text("Idempotency-Key: fault-%d-%u\r\n", (int)getpid(), l->serial)
                          : "";
    if (http_client_open(c, stack_host(), l->own.port)) {
        c->timeout_ms = 10000;
        http_client_send_text(
            c,
            api_text("%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s%sContent-Length: "
                     "%zu\r\n\r\n%s",
                     s->method, s->path, l->owner.token, key,
                     body ? "Content-Type: application/json\r\n" : "", body ? strlen(body) : 0,
                     body ? body : ""));
    }
}

/* One request while the n-th call from a new place fails. False when it has none. */
static bool strike(struct lab *l, const struct step *s, enum faults_kind kind, pid_t pid, long n)
{
    struct http_client c;
    struct http_response r;
    int error = io_errors[(size_t)l->serial++ % ARRAY_LEN(io_errors)];
    faults_arm(l->faults, kind, pid, n, 1, error);
    send_step(l, s, &c);
    bool answered = http_client_read(&c, false, &r);
    http_client_close(&c);
    long hits = faults_disarm(l->faults);
    if (hits > 0) {
        l->places++;
        l->cut += !answered;
        l->whole += answered && r.status < 500;
        l->refused += answered && r.status >= 500;
    }
    cr_assert(!answered || is_whole(&r), "%s, place %ld: half an answer: %s", s->what, l->places,
              r.body);
    if (answered) {
        http_response_free(&r);
    }
    return hits > 0;
}

/* What is visited, and until when. */
struct sweep {
    enum faults_kind kind;
    bool slot, brief;
    long skip; /* every so many-th place */
    int64_t end_ms;
};

struct after {
    struct lab *lab;
    const struct step *step;
};

static bool works_again(void *arg)
{
    struct after *a = arg;
    struct http_response r = { 0 };
    struct http_client c;
    send_step(a->lab, a->step, &c);
    bool good = http_client_read(&c, false, &r) && r.status < 500 && r.status != 409;
    http_client_close(&c);
    http_response_free(&r);
    return good;
}

static void cut_connections(struct lab *l)
{
    db_do(l->super, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE application_name = 'gremio api-00'");
}

static pid_t target(const struct lab *l, const struct step *s, bool slot)
{
    return slot ? own_slot(&l->own, s->kind) : own_process(&l->own);
}

/* Visits the places of one request. False when the time was over before the last. */
static bool run_step(struct lab *l, const struct step *s, const struct sweep *w)
{
    struct after after = { l, s };
    /* OpenSSL 3.0 does not survive its own first use without memory (the first login to the database). */
    cr_assert(wait_until(works_again, &after, WAIT_LONG_MS), "%s: does not work", s->what);
    pid_t pid = target(l, s, w->slot);
    faults_count_sites(l->faults);
    for (int i = 0; !w->brief || i < BRIEF_PLACES; i++) {
        if (!w->brief && wait_now_ms() >= w->end_ms) {
            return false;
        }
        if (s->reconnect) {
            cut_connections(l);
        }
        bool hit = strike(l, s, w->kind, pid, w->skip);
        /* The same request once more: what was done is not done again, what was not is done now. */
        cr_assert(wait_until(works_again, &after, WAIT_LONG_MS), "%s: does not recover", s->what);
        pid_t now = target(l, s, w->slot);
        l->deaths += now != pid;
        pid = now;
        api_release();
        if (!hit) {
            break;
        }
    }
    return true;
}

static bool crashed(void)
{
    return stack_log_has("worker-again.log", "\"how\":\"signal");
}

/* percent: of SOAK_SECONDS. */
static struct sweep plan(enum faults_kind kind, bool slot, int percent)
{
    const char *seconds = getenv("SOAK_SECONDS");
    int64_t ms = seconds ? strtol(seconds, NULL, 10) * 10 * percent : 0;
    long skip = seconds ? 1 : 7;
    return (struct sweep){
        .kind = kind, .slot = slot, .brief = !seconds, .skip = skip, .end_ms = wait_now_ms() + ms
    };
}

static void run_script(const char *name, const struct sweep *w)
{
    struct lab l = lab_open(name);
    char *code = db_code(l.super, "practice-a");
    char *count = api_text("SELECT count(*) FROM t_%s.client WHERE given_name = 'Fault'", code);
    char *keys = strdup(
        api_text("SELECT count(*) FROM t_%s.idempotency WHERE key LIKE 'fault-%%'", code));
    count = strdup(count);
    long clients = db_number(l.super, count, NULL), stored = db_number(l.super, keys, NULL);
    size_t done = 0;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        done += run_step(&l, &steps[i], w);
    }
    cr_expect_eq(db_number(l.super, count, NULL) - clients, db_number(l.super, keys, NULL) - stored,
                 "clients and keys do not agree: an effect is doubled or half");
    cr_expect(!crashed(), "a slot crashed, see worker-again.log");
    cr_expect(!stack_log_has(api_text("router-%d.log", l.own.port), "\"how\":\"signal"),
              "a router process crashed");
    printf("faults: %s: %ld places hit, %s of %zu of %zu requests: %ld answers as if nothing were, "
           "%ld x 5xx, %ld connections closed; 0 crashes, %u orderly ends, recovered every time\n",
           name, l.places, w->brief ? "a sample" : "all", done, ARRAY_LEN(steps), l.whole,
           l.refused, l.cut, l.deaths);
    free(code);
    free(count);
    free(keys);
    lab_close(&l);
}

Test(faults, memory_of_the_router)
{
    struct sweep w = plan(FAULTS_MEMORY, false, 10);
    run_script("memory-router", &w);
}

Test(faults, memory_of_a_slot)
{
    struct sweep w = plan(FAULTS_MEMORY, true, 60);
    run_script("memory-slot", &w);
}

Test(faults, network_of_the_router)
{
    struct sweep w = plan(FAULTS_IO, false, 10);
    run_script("network-router", &w);
}

Test(faults, network_of_a_slot)
{
    struct sweep w = plan(FAULTS_IO, true, 20);
    run_script("network-slot", &w);
}
