/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The wall clock of router and slots jumps by an hour, to a leap day, over the end of 32-bit time, and back: no token is
 * taken too early or too late (remembered ones neither), an ended session stays ended, timers do not notice, and what is
 * booked is stored as it was said. The database's own clock stays. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/api.h"
#include "tests/support/faults.h"
#include "tests/support/hold.h"
#include "tests/support/own.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(clock_jumps, .timeout = 180);

#define ME          "/api/v1/me"
#define HOUR        3600
#define TTL         600
#define SKEW        30
#define LEAP_DAY    INT64_C(1835438400) /* 2028-02-29T12:00:00Z */
#define BEFORE_2038 INT64_C(2147483630) /* 2038-01-19T03:13:50Z */

struct lab {
    struct own own;
    struct faults *faults;
    struct api owner;
    int metrics;
};

/* limit: the request_timeout, short only where a test waits for it. */
static struct lab lab_open(const char *name, const char *limit)
{
    struct lab l = { .owner = api_login(OWNER_A), .metrics = stack_free_port() };
    http_client_close(&l.owner.http); /* from here on the lab's own router */
    l.faults = faults_preload();
    char *metrics = api_text("metrics_listen=127.0.0.1:%d", l.metrics);
    char *timeout = api_text("request_timeout=%s", limit);
    l.own = own_open(
        name, (const char *const[]){ "api_slots=1", "slow_slots=0", "lock_timeout=4s", NULL },
        (const char *const[]){ timeout, metrics, NULL });
    faults_stop_preload();
    return l;
}

static void lab_close(struct lab *l)
{
    api_close(&l->owner);
    own_close(&l->own);
    api_release();
}

static void jump_by(struct lab *l, long seconds)
{
    atomic_store(&l->faults->clock_offset_s, seconds);
}

static void jump_to(struct lab *l, time_t at)
{
    jump_by(l, at - time(NULL));
}

static int me(struct api *a)
{
    int status = api_get(a, ME)->status;
    return status;
}

/* status at a distance from now, and for a remembered token what an unseen one gets. */
static void expect_at(struct lab *l, long seconds, int status)
{
    jump_by(l, seconds);
    int got = me(&l->owner);
    cr_expect_eq(got, status, "%ld s away: %d", seconds, got);
    jump_by(l, 0);
}

struct gauge {
    int port;
    const char *line;
};

static bool gauge_is(void *arg)
{
    const struct gauge *g = arg;
    struct http_client c;
    struct http_response r = { 0 };
    bool found = http_client_open(&c, stack_host(), g->port) &&
                 http_client_send_text(&c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") &&
                 http_client_read(&c, false, &r) && strstr(r.body, g->line);
    http_response_free(&r);
    http_client_close(&c);
    return found;
}

static bool is_let_in(void *arg)
{
    struct lab *l = arg;
    api_close(&l->owner);
    l->owner = api_login(OWNER_A);
    return me(&l->owner) == 200;
}

/* A router that forgets a session which another test ended refuses what is as old: it does so before the owner comes. */
static void forget_ended(struct lab *l)
{
    struct gauge none = { l->metrics, "gremio_router_revoked_sessions 0\n" };
    jump_by(l, 24 * HOUR);
    cr_assert(wait_until(gauge_is, &none, WAIT_LONG_MS));
    jump_by(l, 0);
    cr_assert(wait_until(is_let_in, l, WAIT_LONG_MS));
}

Test(clock_jumps, tokens_are_taken_in_their_time_only)
{
    struct lab l = lab_open("tokens", "30s");
    static const struct {
        long seconds;
        int status;
    } rows[] = {
        { HOUR, 401 },       { -HOUR, 401 },           { 20 - SKEW, 200 },
        { -SKEW - 60, 401 }, { TTL + SKEW / 3, 200 },  { TTL + SKEW + 1, 401 },
        { 24 * HOUR, 401 },  { 366 * 24 * HOUR, 401 }, { -24 * HOUR, 401 },
    };
    forget_ended(&l);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct api fresh = api_login(OWNER_A); /* seen for the first time where it jumps to */
        jump_by(&l, rows[i].seconds);
        cr_expect_eq(me(&fresh), rows[i].status, "unseen, %ld s away", rows[i].seconds);
        jump_by(&l, 0);
        expect_at(&l, 0, 200);
        expect_at(&l, rows[i].seconds, rows[i].status);
        expect_at(&l, 0, 200);
        api_close(&fresh);
        api_release();
    }
    jump_by(&l, HOUR);
    struct api later = api_login(OWNER_A);
    cr_expect_eq(me(&later), 200);
    jump_by(&l, 0);
    cr_expect_eq(me(&later), 401, "a token of the future");
    printf("clock: %zu jumps of a day, an hour, the skew: no token too early or too late\n",
           2 * ARRAY_LEN(rows) + 2);
    api_close(&later);
    lab_close(&l);
}

/* The router forgets an ended session once its tokens have expired; a clock that comes back must not revive them. */
Test(clock_jumps, an_ended_session_stays_ended)
{
    struct lab l = lab_open("sessions", "30s");
    /* A refresh works at any hour: the database's clock says how old a session is. */
    struct api nobody = api_anonymous();
    for (long hours = -1; hours <= 1; hours++) {
        jump_by(&l, hours * HOUR);
        struct answer *r = api_post(&nobody, "/api/v1/auth/refresh", "{\"refresh_token\":\"%s\"}",
                                    l.owner.refresh);
        cr_assert_eq(r->status, 200, "%ld h: %d %s", hours, r->status, r->http.body);
        snprintf(l.owner.token, sizeof l.owner.token, "%s", answer_text(r, "access_token"));
        snprintf(l.owner.refresh, sizeof l.owner.refresh, "%s", answer_text(r, "refresh_token"));
        cr_expect_eq(me(&l.owner), 200, "%ld h", hours);
    }
    jump_by(&l, 0);
    api_close(&nobody);
    struct api gone = api_login(OWNER_A);
    cr_assert_eq(me(&gone), 200);
    cr_assert_eq(
        api_send(&gone, "POST", "/api/v1/auth/logout", NULL, "Content-Length: 0\r\n")->status, 204);
    struct gauge one = { l.metrics, "gremio_router_revoked_sessions 1\n" },
                 none = { l.metrics, "gremio_router_revoked_sessions 0\n" };
    cr_assert(wait_until(gauge_is, &one, WAIT_LONG_MS));
    cr_expect_eq(me(&gone), 401);
    jump_by(&l, 24 * HOUR);
    cr_assert(wait_until(gauge_is, &none, WAIT_LONG_MS));
    cr_expect_eq(me(&gone), 401);
    jump_by(&l, 0);
    cr_expect_eq(me(&gone), 401, "the session came back");
    printf("clock: an ended session stays ended over a day and back; refreshed at -1 h, 0, +1 h\n");
    api_close(&gone);
    lab_close(&l);
}

Test(clock_jumps, timers_do_not_notice)
{
    struct lab l = lab_open("timers", "2s");
    const char *text = api_text("GET /api/v1/clients HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                                "%s\r\n\r\n",
                                l.owner.token);
    struct http_client c;
    struct http_response r;
    cr_assert(http_client_open(&c, stack_host(), l.own.port));
    for (int i = 0; i < 2; i++) {
        struct hold h = hold_begin("practice-a", "client");
        http_client_send_text(&c, text);
        int64_t begin = wait_now_ms();
        cr_assert(hold_wait_for(&h, 1));
        jump_by(&l, i ? -HOUR : HOUR);
        cr_assert(http_client_read(&c, false, &r), "no answer at the deadline");
        int64_t took = wait_now_ms() - begin;
        jump_by(&l, 0);
        hold_end(&h);
        cr_expect_eq(r.status, 504, "%d", r.status);
        cr_expect_geq(took, 1900, "the deadline passed with the clock: %lld ms", (long long)took);
        http_response_free(&r);
    }
    /* The idle connection is as young as before, and its answer says the time it is. */
    http_client_send_text(&c, text);
    cr_assert(http_client_read(&c, false, &r), "an idle connection was closed by the clock");
    cr_expect(r.status == 200 || r.status == 504, "%d", r.status);
    http_response_free(&r);
    printf("clock: deadlines and idle connections go by the monotonic clock\n");
    http_client_close(&c);
    lab_close(&l);
}

static void expect_booked(struct lab *l, const char *day)
{
    struct api *a = &l->owner;
    const char *name = api_unique("Jump");
    const char *client = api_new_client(a, name), *service = api_new_service(a, name, 30),
               *staff = api_new_staff(a, name);
    struct answer *booked = api_book(a, client, service, staff, api_text("%sT09:00", day));
    cr_assert_eq(booked->status, 201, "%s: %d %s", day, booked->status, booked->http.body);
    const char *id = answer_text(booked, "id");
    jump_by(l, 0);
    struct api now = api_login(OWNER_A);
    struct answer *read = api_get(&now, "/api/v1/appointments/%s", id);
    cr_expect_eq(read->status, 200);
    cr_expect_str_eq(answer_text(read, "starts_at"), answer_text(booked, "starts_at"));
    cr_expect(strncmp(answer_text(read, "starts_at"), api_text("%sT15:00", day), 16) == 0 ||
                  strncmp(answer_text(read, "starts_at"), api_text("%sT09:00", day), 16) == 0,
              "%s", answer_text(read, "starts_at"));
    api_close(&now);
}

Test(clock_jumps, what_is_booked_is_what_was_said)
{
    struct lab l = lab_open("bookings", "30s");
    static const struct {
        long at; /* 0: an hour ahead */
        const char *day;
    } rows[] = { { 0, "2027-03-01" }, { LEAP_DAY, "2028-02-29" }, { LEAP_DAY, "2028-03-01" } };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].at) {
            jump_to(&l, rows[i].at);
        } else {
            jump_by(&l, HOUR);
        }
        api_close(&l.owner);
        l.owner = api_login(OWNER_A);
        expect_booked(&l, rows[i].day);
    }
    printf("clock: %zu bookings made at +1 h and on a leap day are stored as said\n",
           ARRAY_LEN(rows));
    lab_close(&l);
}

Test(clock_jumps, the_end_of_32_bit_time_is_a_second_like_others)
{
    struct lab l = lab_open("y2038", "30s");
    jump_to(&l, BEFORE_2038);
    struct api a = api_login(OWNER_A);
    cr_expect_eq(me(&a), 200);
    jump_to(&l, BEFORE_2038 + 30);
    cr_expect_eq(me(&a), 200, "it ended with 32 bits");
    struct api after = api_login(OWNER_A);
    cr_expect_eq(me(&after), 200);
    jump_to(&l, BEFORE_2038 + TTL + SKEW + 20);
    cr_expect_eq(me(&a), 401, "it does not end");
    cr_expect(stack_log_has(api_text("router-%d.log", l.own.port), "\"at\":\"2038-01-19T03:14:"));
    printf("clock: a token made 18 s before 2^31 lives ten minutes\n");
    api_close(&after);
    api_close(&a);
    lab_close(&l);
}
