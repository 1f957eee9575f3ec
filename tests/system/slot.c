/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A slot spoken to directly, as a router would or as a broken one might: batches of mixed practices, wrong codes and
 * codes, deadlines, cancellations, broken frames, backends killed under it. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/frame.h"
#include "tests/support/db.h"
#include "tests/support/hold.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(slot, .timeout = 120);

struct peer {
    int fd;
    struct sbuf in, out;
    size_t read;
};

struct answer {
    enum frame_type type;
    uint64_t id;
    int status;
    char code[40];
    char body[2000];
    bool replayed;
};

/* ---- frames ---- */

static struct peer peer_open(const char *slot)
{
    struct peer p = { .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct timeval limit = { .tv_sec = WAIT_LONG_MS / 1000 };
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/run/slots/%s.sock", stack_env("GREMIO_STATE"),
             slot);
    cr_assert_eq(connect(p.fd, (struct sockaddr *)&a, sizeof(a)), 0, "%s", a.sun_path);
    setsockopt(p.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return p;
}

static void peer_close(struct peer *p)
{
    close(p->fd);
    sbuf_fini(&p->in);
    sbuf_fini(&p->out);
}

static void peer_send(struct peer *p)
{
    size_t at = 0;
    while (at < p->out.len) {
        ssize_t n = send(p->fd, p->out.data + at, p->out.len - at, MSG_NOSIGNAL);
        cr_assert_gt(n, 0);
        at += (size_t)n;
    }
    sbuf_reset(&p->out, SIZE_MAX);
}

/* The next whole frame, HELLO skipped; false when the slot closed the channel. */
static bool peer_frame(struct peer *p, enum frame_type *type, struct slice *frame)
{
    for (;;) {
        size_t total = 0;
        struct slice rest = { p->in.data + p->read, p->in.len - p->read };
        if (rest.n && frame_peek(rest, type, &total) == OK && total <= rest.n) {
            p->read += total;
            *frame = (struct slice){ rest.p, total };
            if (*type != FRAME_HELLO) {
                return true;
            }
            continue;
        }
        char *room = sbuf_room(&p->in, 65536);
        ssize_t n = recv(p->fd, room, 65536, 0);
        if (n <= 0) {
            return false;
        }
        sbuf_added(&p->in, (size_t)n);
    }
}

static void copy_text(struct slice s, char *out, size_t cap)
{
    size_t n = size_min(s.n, cap - 1);
    if (n) {
        memcpy(out, s.p, n);
    }
    out[n] = '\0';
}

static bool peer_next(struct peer *p, struct answer *a)
{
    struct slice frame;
    struct frame_reply r;
    memset(a, 0, sizeof(*a));
    if (!peer_frame(p, &a->type, &frame)) {
        return false;
    }
    if (a->type != FRAME_REPLY) {
        cr_assert_eq(frame_get_id(frame, &a->id), OK);
        return true;
    }
    cr_assert_eq(frame_get_reply(frame, &r), OK);
    a->id = r.id;
    a->status = r.status;
    a->replayed = r.replayed;
    copy_text(r.code, a->code, sizeof(a->code));
    copy_text(r.body, a->body, sizeof(a->body));
    return true;
}

/* The next reply; STARTED is passed over. */
static struct answer peer_reply(struct peer *p)
{
    struct answer a;
    do {
        cr_assert(peer_next(p, &a), "the slot closed the channel");
    } while (a.type != FRAME_REPLY);
    return a;
}

/* ---- requests ---- */

struct practice {
    struct tenant tenant;
    struct uuid member;
    char *code;
};

static struct uuid uuid_of(char *text)
{
    struct uuid u;
    cr_assert_eq(uuid_parse(slice_of(text), &u), OK, "%s", text);
    free(text);
    return u;
}

static struct practice practice_of(PGconn *super, const char *slug)
{
    struct practice p = { .code = db_code(super, slug) };
    char sql[200];
    snprintf(p.tenant.code, sizeof(p.tenant.code), "%s", p.code);
    snprintf(p.tenant.slug, sizeof(p.tenant.slug), "%s", slug);
    p.tenant.id = uuid_of(
        db_value(super, "SELECT id FROM public.tenant WHERE slug = $1", slug, NULL));
    p.tenant.pool = (uint16_t)db_number(super, "SELECT pool FROM public.tenant WHERE slug = $1",
                                        slug, NULL);
    p.tenant.state = TENANT_ACTIVE;
    snprintf(sql, sizeof(sql), "SELECT id FROM t_%s.staff WHERE role = 'owner'", p.code);
    p.member = uuid_of(db_value(super, sql, NULL));
    return p;
}

static struct frame_request request_of(const struct practice *p, uint64_t id, const char *path)
{
    return (struct frame_request){
        .id = id,
        .deadline_us = clock_mono_us() + 60 * 1000000,
        .sent_us = clock_mono_us(),
        .method = M_GET,
        .lang = LANG_EN,
        .has_tenant = true,
        .tenant = p->tenant,
        .principal = { .present = true,
                       .tenant = p->tenant.id,
                       .member = p->member,
                       .role = "owner" },
        .request_id = SLICE("slot-test"),
        .path = slice_of(path),
    };
}

static struct frame_request new_client(const struct practice *p, uint64_t id, const char *key)
{
    struct frame_request r = request_of(p, id, "/api/v1/clients");
    r.method = M_POST;
    r.content_type = SLICE("application/json");
    r.body = SLICE("{\"given_name\":\"Slot\"}");
    r.idempotency_key = slice_of(key);
    return r;
}

static void put(struct peer *p, const struct frame_request *r)
{
    cr_assert_eq(frame_put_request(&p->out, r), OK);
}

static struct answer ask(struct peer *p, const struct frame_request *r)
{
    put(p, r);
    peer_send(p);
    struct answer a = peer_reply(p);
    cr_assert_eq(a.id, r->id);
    return a;
}

struct fixture {
    PGconn *super;
    struct practice a, b;
    struct peer peer;
};

static struct fixture begin(void)
{
    struct fixture f = { .super = db_super() };
    f.a = practice_of(f.super, "practice-a");
    f.b = practice_of(f.super, "practice-b");
    f.peer = peer_open("api-00");
    return f;
}

static void end(struct fixture *f)
{
    peer_close(&f->peer);
    free(f->a.code);
    free(f->b.code);
    PQfinish(f->super);
}

/* ---- batches ---- */

Test(slot, a_batch_of_two_practices_answers_each_its_own)
{
    enum { REQUESTS = 200 };
    struct fixture f = begin();
    for (uint64_t i = 0; i < REQUESTS; i++) {
        struct frame_request r = request_of(i % 2 ? &f.b : &f.a, i, "/api/v1/business");
        put(&f.peer, &r);
    }
    peer_send(&f.peer);
    for (int i = 0; i < REQUESTS; i++) {
        struct answer a = peer_reply(&f.peer);
        cr_assert_eq(a.status, 200, "%s", a.body);
        cr_assert_not_null(strstr(a.body, a.id % 2 ? "\"Practice B\"" : "\"Practice A\""), "%s",
                           a.body);
    }
    end(&f);
}

/* Two practices' reads in one batch: who stands first is answered while the other waits for a lock. */
Test(slot, a_slow_read_holds_up_nobody_before_it)
{
    struct fixture f = begin();
    struct frame_request quick = request_of(&f.b, 1, "/api/v1/business"),
                         slow = request_of(&f.a, 2, "/api/v1/business");
    cr_assert_eq(ask(&f.peer, &quick).status, 200);
    struct hold hold = hold_begin("practice-a", "business");
    put(&f.peer, &quick);
    put(&f.peer, &slow);
    peer_send(&f.peer);
    struct answer a = peer_reply(&f.peer);
    hold_end(&hold);
    cr_expect_eq(a.id, 1);
    cr_expect_eq(a.status, 200, "%s", a.body);
    a = peer_reply(&f.peer);
    cr_expect_eq(a.id, 2);
    cr_expect_eq(a.status, 200, "the lock was given up before the first was answered: %s", a.body);
    end(&f);
}

Test(slot, one_failing_unit_leaves_its_neighbours_alone)
{
    struct fixture f = begin();
    struct frame_request good = request_of(&f.a, 0, "/api/v1/business");
    struct frame_request bad = good;
    bad.tenant.id = f.b.tenant.id; /* A's code with B's id, consistent in itself */
    bad.principal.tenant = f.b.tenant.id;
    for (uint64_t i = 0; i < 12; i++) {
        struct frame_request *r = i % 3 == 1 ? &bad : &good;
        r->id = i;
        put(&f.peer, r);
    }
    peer_send(&f.peer);
    for (int i = 0; i < 12; i++) {
        struct answer a = peer_reply(&f.peer);
        cr_assert_eq(a.status, a.id % 3 == 1 ? 500 : 200, "%d: %s", (int)a.id, a.body);
    }
    cr_assert(stack_log_has("worker.log", "42P01"));
    end(&f);
}

Test(slot, a_wrong_code_reads_and_writes_nothing)
{
    struct fixture f = begin();
    struct frame_request r = request_of(&f.a, 1, "/api/v1/clients");
    r.tenant.id = r.principal.tenant = f.b.tenant.id;
    struct answer a = ask(&f.peer, &r);
    cr_assert_eq(a.status, 500);
    cr_assert_null(strstr(a.body, "Practice"));
    char sql[100];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM t_%s.client", f.a.code);
    long before = db_number(f.super, sql, NULL);
    const char *keys[] = { "", "wrong-code" };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        r = new_client(&f.a, 2 + i, keys[i]);
        r.tenant.id = r.principal.tenant = f.b.tenant.id;
        cr_assert_eq(ask(&f.peer, &r).status, 500);
    }
    cr_assert_eq(db_number(f.super, sql, NULL), before);
    end(&f);
}

Test(slot, codes_and_pools_that_do_not_exist)
{
    struct fixture f = begin();
    struct frame_request r = request_of(&f.a, 1, "/api/v1/business");
    snprintf(r.tenant.code, sizeof(r.tenant.code), "zzzzzzzz");
    cr_assert_eq(ask(&f.peer, &r).status, 500);
    r = request_of(&f.a, 2, "/api/v1/business");
    r.tenant.pool = 987;
    cr_assert_eq(ask(&f.peer, &r).status, 503);
    r = request_of(&f.a, 3, "/api/v1/business");
    cr_assert_eq(ask(&f.peer, &r).status, 200);
    end(&f);
}

/* ---- the protocol ---- */

Test(slot, an_old_deadline_is_not_worked_for)
{
    struct fixture f = begin();
    struct frame_request r = new_client(&f.a, 1, "");
    r.deadline_us = clock_mono_us() - 1;
    put(&f.peer, &r);
    peer_send(&f.peer);
    struct answer a;
    cr_assert(peer_next(&f.peer, &a));
    cr_assert_eq(a.type, FRAME_REPLY, "no STARTED for what is not begun");
    cr_assert_eq(a.status, 504);
    end(&f);
}

Test(slot, started_comes_before_the_reply_of_what_changes)
{
    struct fixture f = begin();
    const char *keys[] = { "", "started-1" };
    for (uint64_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct frame_request r = new_client(&f.a, i, keys[i]);
        struct answer a;
        put(&f.peer, &r);
        peer_send(&f.peer);
        cr_assert(peer_next(&f.peer, &a));
        cr_assert_eq(a.type, FRAME_STARTED);
        cr_assert_eq(a.id, i);
        cr_assert_eq(peer_reply(&f.peer).status, 201);
    }
    end(&f);
}

Test(slot, cancelled_requests_are_dropped)
{
    struct fixture f = begin();
    struct frame_request first = request_of(&f.a, 1, "/api/v1/business");
    struct frame_request second = new_client(&f.a, 2, "");
    struct frame_request third = request_of(&f.a, 3, "/api/v1/business");
    put(&f.peer, &first);
    put(&f.peer, &second);
    frame_put_id(&f.peer.out, FRAME_CANCEL, 2);
    put(&f.peer, &third);
    peer_send(&f.peer);
    for (int i = 0; i < 3; i++) {
        struct answer a;
        cr_assert(peer_next(&f.peer, &a));
        cr_assert_eq(a.type, FRAME_REPLY, "a cancelled request must not be STARTED");
        cr_assert_eq(a.status, a.id == 2 ? 503 : 200); /* nobody reads it; the router counts it */
    }
    end(&f);
}

Test(slot, a_broken_frame_ends_its_channel_only)
{
    struct fixture f = begin();
    static const char *const broken[] = { "GET / HTTP/1.1\r\n\r\n", "GRM2\x09\0\0\0\0\0\0\0" };
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct peer p = peer_open("api-00");
        struct answer a;
        sbuf_add(&p.out, (struct slice){ broken[i], i ? 12 : strlen(broken[i]) });
        peer_send(&p);
        cr_assert(!peer_next(&p, &a));
        peer_close(&p);
    }
    struct frame_request r = request_of(&f.a, 9, "/api/v1/business");
    cr_assert_eq(ask(&f.peer, &r).status, 200);
    end(&f);
}

Test(slot, a_request_for_another_kind_is_refused)
{
    struct fixture f = begin();
    struct frame_request r = request_of(&f.a, 1, "/api/v1/auth/login");
    r.method = M_POST;
    cr_assert_eq(ask(&f.peer, &r).status, 503);
    end(&f);
}

Test(slot, more_requests_than_a_channel_keeps_waiting_are_all_answered)
{
    enum { REQUESTS = 600 };
    struct fixture f = begin();
    for (uint64_t i = 0; i < REQUESTS; i++) {
        struct frame_request r = request_of(&f.a, i, "/api/v1/me");
        put(&f.peer, &r);
    }
    peer_send(&f.peer);
    for (int i = 0; i < REQUESTS; i++) {
        cr_assert_eq(peer_reply(&f.peer).status, 200);
    }
    end(&f);
}

/* ---- idempotency ---- */

static char *key_count(struct fixture *f, const char *key)
{
    char sql[120];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM t_%s.idempotency WHERE key = $1", f->a.code);
    return db_value(f->super, sql, key, NULL);
}

Test(slot, a_key_held_by_another_request_is_409)
{
    struct fixture f = begin();
    char sql[300], member[UUID_TEXT];
    uuid_format(&f.a.member, member);
    snprintf(sql, sizeof(sql),
             "INSERT INTO t_%s.idempotency(actor, key, route, request_hash)"
             " VALUES ('%s', 'held', '/api/v1/clients', '')",
             f.a.code, member);
    db_do(f.super, "BEGIN");
    db_do(f.super, sql);
    struct frame_request r = new_client(&f.a, 1, "held");
    struct answer a = ask(&f.peer, &r);
    db_do(f.super, "ROLLBACK");
    cr_assert_eq(a.status, 409);
    cr_assert_str_eq(a.code, "idempotency_in_progress");
    r.id = 2;
    cr_assert_eq(ask(&f.peer, &r).status, 201);
    r.id = 3;
    cr_assert(ask(&f.peer, &r).replayed);
    end(&f);
}

static bool was_stalled(void *arg)
{
    UNUSED(arg);
    return stack_log_has("worker.log", "stalled");
}

/* The router would send it again: it never heard that the request was begun. */
Test(slot, what_could_not_be_called_started_is_not_run)
{
    struct fixture f = begin();
    char sql[200];
    snprintf(sql, sizeof(sql),
             "INSERT INTO t_%s.client(id, given_name, notes)"
             " SELECT gen_random_uuid(), 'Long', repeat('x', 4000) FROM generate_series(1, 60)",
             f.a.code);
    db_do(f.super, sql);
    for (uint64_t i = 0; i < 10; i++) { /* 2 MB that nobody reads */
        struct frame_request r = request_of(&f.a, i, "/api/v1/clients");
        put(&f.peer, &r);
    }
    struct frame_request r = new_client(&f.a, 10, "unheard");
    put(&f.peer, &r);
    peer_send(&f.peer);
    cr_assert(wait_until(was_stalled, NULL, WAIT_LONG_MS));
    char *kept = key_count(&f, "unheard");
    cr_assert_str_eq(kept, "0");
    free(kept);
    end(&f);
}

#define BOOKING                                                \
    "{\"client_id\":\"01a206d8-cb2d-735a-87bb-fb9fb348b56c\"," \
    "\"service_id\":\"01a206d8-cb2d-735a-87bb-fb9fb348b56c\"," \
    "\"staff_id\":\"01a206d8-cb2d-735a-87bb-fb9fb348b56c\","   \
    "\"starts_at\":\"2030-01-07T10:00\"}"

Test(slot, a_refusal_keeps_nothing_of_its_unit)
{
    struct fixture f = begin();
    struct frame_request r = new_client(&f.a, 1, "refused");
    r.path = SLICE("/api/v1/appointments");
    r.body = SLICE(BOOKING);
    struct answer a = ask(&f.peer, &r);
    cr_assert(a.status >= 400 && a.status < 500, "%d %s", a.status, a.body);
    char *kept = key_count(&f, "refused");
    cr_assert_str_eq(kept, "0");
    free(kept);
    end(&f);
}

/* ---- the database goes away ---- */

/* The read that the backend was at is 503; those behind it never ran and get a new connection. */
Test(slot, a_killed_backend_takes_one_read_with_it)
{
    struct fixture f = begin();
    struct hold hold = hold_begin("practice-a", "business");
    for (uint64_t i = 0; i < 6; i++) {
        struct frame_request r = request_of(i % 2 ? &f.b : &f.a, i, "/api/v1/business");
        put(&f.peer, &r);
    }
    peer_send(&f.peer);
    cr_assert(hold_wait_for(&hold, 1));
    db_do(f.super, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE application_name = 'gremio api-00'");
    hold_end(&hold);
    for (int i = 0; i < 6; i++) {
        struct answer a = peer_reply(&f.peer);
        cr_assert_eq(a.status, a.id == 0 ? 503 : 200, "%d: %s", (int)a.id, a.body);
        cr_assert(a.id != 0 || strcmp(a.code, "database_unavailable") == 0);
        cr_assert(a.id == 0 || strstr(a.body, a.id % 2 ? "\"Practice B\"" : "\"Practice A\""));
    }
    end(&f);
}

Test(slot, killed_backends_are_outcome_unknown_or_503_for_writes)
{
    struct fixture f = begin();
    struct hold hold = hold_begin("practice-a", "client");
    for (uint64_t i = 0; i < 4; i++) {
        struct frame_request r = new_client(i % 2 ? &f.b : &f.a, i, "");
        put(&f.peer, &r);
    }
    peer_send(&f.peer);
    cr_assert(hold_wait_for(&hold, 1));
    db_do(f.super, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                   " WHERE application_name = 'gremio api-00'");
    for (int i = 0; i < 4; i++) {
        struct answer a = peer_reply(&f.peer);
        cr_assert_eq(a.status, 503, "%d: %s", (int)a.id, a.body);
    }
    hold_end(&hold);
    struct frame_request r = request_of(&f.a, 9, "/api/v1/business");
    cr_assert_eq(ask(&f.peer, &r).status, 200);
    end(&f);
}

Test(slot, an_idle_connection_that_was_closed_is_not_used)
{
    struct fixture f = begin();
    struct frame_request r = request_of(&f.a, 1, "/api/v1/business");
    cr_assert_eq(ask(&f.peer, &r).status, 200);
    pid_t slot;
    cr_assert_eq(stack_children(stack_worker(), "api-00", &slot, 1), 1);
    for (uint64_t i = 2; i < 6; i++) {
        kill(slot,
             i % 2 ? SIGCONT : SIGSTOP); /* every other time it finds end and request together */
        long gone = db_number(f.super,
                              "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
                              " WHERE application_name = 'gremio api-00'",
                              NULL);
        cr_assert_eq(gone, 1);
        r = new_client(&f.a, i, "");
        put(&f.peer, &r);
        peer_send(&f.peer);
        kill(slot, SIGCONT);
        struct answer a = peer_reply(&f.peer);
        cr_expect_eq(a.status, 201, "%s", a.body);
    }
    end(&f);
}
