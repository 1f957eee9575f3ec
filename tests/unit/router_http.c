/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Connections as a client sees them: order, keep-alive, errors as problem documents, bodies, clients that leave, drain. */
#include "http_rig.h"

static struct rig r;

static void set_up(void)
{
    rig_init(&r);
    rig_start(&r, NULL);
}

static void tear_down(void)
{
    rig_stop(&r);
}

TestSuite(http, .init = set_up, .fini = tear_down);

#define ASK(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

Test(http, answers_and_keeps_the_connection)
{
    struct rig_in *in = rig_ask(&r, SLICE(ASK("/first")));
    rig_expect(&r, in, "/first", 1);
    cr_expect_eq(strncmp(in->text, "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
    cr_expect(strstr(in->text, "\r\nContent-Length: 6\r\n") != NULL);
    cr_expect(strstr(in->text, "\r\nX-Content-Type-Options: nosniff\r\n") != NULL);
    cr_expect(strstr(in->text, "\r\nX-Request-Id: ") != NULL);
    cr_expect(strstr(in->text, "Connection: close") == NULL);
    rig_send(&r, in->fd, SLICE(ASK("/second")));
    rig_expect(&r, in, "/second", 1);
    cr_expect_eq(http_connections(r.server), 1);
    cr_expect_eq(r.ends, 2);
    rig_hang_up(in);
    RIG_UNTIL(&r, http_connections(r.server) == 0);
}

Test(http, pipelined_requests_are_answered_in_order)
{
    struct rig_in *in = rig_ask(&r, SLICE(ASK("/hold") ASK("/2") ASK("/3") ASK("/4")));
    RIG_UNTIL(&r, r.held != NULL);
    for (int i = 0; i < 3; i++) {
        rig_turn(&r);
    }
    cr_expect_eq(r.heads, 1, "the second must wait for the first");
    rig_echo(r.held);
    rig_expect(&r, in, "HTTP/1.1 200", 4);
    char *at = in->text;
    const char *order[] = { "\r\n\r\n/hold", "\r\n\r\n/2", "\r\n\r\n/3", "\r\n\r\n/4" };
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        at = strstr(at, order[i]);
        cr_assert_not_null(at, "answer %zu out of order", i);
    }
    rig_hang_up(in);
}

Test(http, a_thousand_pipelined)
{
    r.limits.requests_per_connection = 2000;
    struct sbuf all;
    sbuf_init(&all);
    for (int i = 0; i < 1000; i++) {
        sbuf_fmt(&all, ASK("/n%04d"), i);
    }
    struct rig_in *in = calloc(1, sizeof(*in));
    in->fd = rig_connect(&r);
    size_t sent = 0;
    int next = 0;
    RIG_UNTIL(&r, ({
        ssize_t n = send(in->fd, all.data + sent, all.len - sent, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        rig_poll(in);
        char want[16];
        char *at = in->text;
        for (char *hit;
             snprintf(want, sizeof(want), "/n%04d", next), (hit = strstr(at, want)) != NULL;
             next++) {
            at = hit + 6;
        }
        in->n = (size_t)(in->text + in->n - at);
        memmove(in->text, at, in->n + 1);
        next == 1000;
    }));
    cr_expect_eq(r.requests, 1000);
    sbuf_fini(&all);
    rig_hang_up(in);
}

Test(http, bytes_one_by_one)
{
    static const char text[] = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n";
    struct rig_in *in = calloc(1, sizeof(*in));
    in->fd = rig_connect(&r);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        rig_send(&r, in->fd, (struct slice){ text + i, 1 });
        rig_turn(&r);
    }
    rig_expect(&r, in, "\r\n\r\nabcde", 1);
    rig_hang_up(in);
}

static const struct {
    struct slice in;
    const char *status, *code;
} errors[] = {
    { SLICE("GET /\r\n\r\n"), "400 Bad Request", "bad_request" },
    { SLICE(ASK("/a/../b")), "400 Bad Request", "bad_request" },
    { SLICE("GET / HTTP/1.1\r\n\r\n"), "400 Bad Request", "bad_request" },
    { SLICE("GET / HTTP/3.0\r\nHost: h\r\n\r\n"), "505 ", "http_version_not_supported" },
    { SLICE("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"), "501 ", "not_implemented" },
    { SLICE("GET / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n"), "417 ", "expectation_failed" },
    { SLICE("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: br\r\n\r\n"), "501 ",
      "not_implemented" },
    { SLICE("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdefg"), "400 ",
      "bad_request" },
    { SLICE("POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n"), "413 ",
      "body_too_large" },
    { SLICE("POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n"), "413 ",
      "body_too_large" },
    { SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: \xff\r\n\r\n"), "400 ", "bad_request" },
};

Test(http, every_error_is_a_problem_document)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        struct rig_in *in = rig_ask(&r, errors[i].in);
        rig_expect_close(&r, in);
        cr_expect_eq(strncmp(in->text + 9, errors[i].status, strlen(errors[i].status)), 0,
                     "row %zu: %.60s", i, in->text);
        cr_expect(strstr(in->text, "\r\nContent-Type: application/problem+json\r\n") != NULL);
        cr_expect(strstr(in->text, "\r\nContent-Language: es\r\n") != NULL);
        cr_expect(strstr(in->text, "\r\nConnection: close\r\n") != NULL);
        cr_expect(strstr(in->text, errors[i].code) != NULL, "row %zu: %s", i, in->text);
        cr_expect(strstr(in->text, "request_id") != NULL);
        cr_expect_str_eq(r.last_code, errors[i].code);
        cr_expect_eq(r.ends, (int)i + 1);
        rig_hang_up(in);
    }
    RIG_UNTIL(&r, http_connections(r.server) == 0);
}

Test(http, request_id_of_the_client)
{
    struct rig_in *in = rig_ask(
        &r, SLICE("GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: a.B_9-\r\n\r\n"
                  "GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: a b\r\n\r\n"
                  "GET /%00 HTTP/1.1\r\nAccept-Language: en\r\nX-Request-Id: mine\r\n"
                  "Host: h\r\n\r\n"));
    rig_expect_close(&r, in);
    cr_expect_eq(rig_count(in->text, "X-Request-Id: a.B_9-\r\n"), 1);
    cr_expect_eq(rig_count(in->text, "a b"), 0);
    cr_expect_eq(rig_count(in->text, "X-Request-Id: mine\r\n"), 1);
    cr_expect_eq(rig_count(in->text, "Content-Language: en\r\n"), 1);
    rig_hang_up(in);
}

Test(http, head_has_the_fields_only)
{
    struct rig_in *in = rig_ask(&r, SLICE("HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\n" ASK("/d")));
    rig_expect(&r, in, "HTTP/1.1 200", 2);
    cr_expect(strstr(in->text, "\r\nContent-Length: 4\r\n") != NULL);
    cr_expect(strstr(in->text, "/abc") == NULL);
    rig_hang_up(in);
}

Test(http, continue_is_said_when_the_body_is_wanted)
{
    struct rig_in *in = rig_ask(&r, SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                                          "Expect: 100-continue\r\n\r\n"));
    rig_expect(&r, in, "HTTP/1.1 100 Continue\r\n\r\n", 1);
    rig_send(&r, in->fd, SLICE("hello"));
    rig_expect(&r, in, "\r\n\r\nhello", 1);
    rig_hang_up(in);
    in = rig_ask(&r, SLICE("POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n"
                           "Expect: 100-continue\r\n\r\n"));
    rig_expect_close(&r, in);
    cr_expect_eq(rig_count(in->text, "HTTP/1.1"), 1);
    cr_expect_eq(rig_count(in->text, "HTTP/1.1 413"), 1);
    rig_hang_up(in);
}

Test(http, an_early_answer_skips_a_body_that_is_here)
{
    struct rig_in *in = rig_ask(&r, SLICE("POST /deny HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                                          "\r\nhello" ASK("/next")));
    rig_expect(&r, in, "/next", 1);
    cr_expect_eq(rig_count(in->text, "HTTP/1.1 401"), 1);
    cr_expect_eq(rig_count(in->text, "WWW-Authenticate: Bearer"), 1);
    rig_send(&r, in->fd, SLICE("POST /deny HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe"));
    rig_expect_close(&r, in);
    cr_expect_eq(rig_count(in->text, "HTTP/1.1 401"), 2);
    rig_hang_up(in);
}

Test(http, closes_when_asked)
{
    static const struct slice rows[] = {
        SLICE("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, close\r\n\r\n" ASK("/never")),
        SLICE("GET / HTTP/1.0\r\n\r\n"),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig_in *in = rig_ask(&r, rows[i]);
        rig_expect_close(&r, in);
        cr_expect_eq(rig_count(in->text, "HTTP/1.1 200"), 1);
        cr_expect_eq(rig_count(in->text, "Connection: close"), 1);
        rig_hang_up(in);
    }
}

Test(http, the_answer_to_an_error_survives_what_is_still_sent)
{
    static char flood[512 << 10];
    memset(flood, 'A', sizeof(flood));
    memcpy(flood, "GET / HTTP/1.1\r\nX: ", 19);
    struct rig_in *in = rig_ask(&r, (struct slice){ flood, sizeof(flood) });
    rig_expect_close(&r, in);
    cr_expect_eq(strncmp(in->text, "HTTP/1.1 431", 12), 0);
    rig_hang_up(in);
}

/* A reset instead of a clean end. */
static void slam(struct rig_in *in)
{
    setsockopt(in->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
               sizeof(struct linger));
    rig_hang_up(in);
}

Test(http, a_client_that_leaves)
{
    struct rig_in *in = rig_ask(&r, SLICE(ASK("/hold")));
    RIG_UNTIL(&r, r.held != NULL);
    slam(in);
    RIG_UNTIL(&r, r.broken == 1);
    cr_expect_null(r.held->conn);
    cr_expect_eq(r.ends, 0);
    http_drop(r.held);
    cr_expect_eq(r.ends, 1);
    cr_expect_eq(r.last_status, 499);
    cr_expect_eq(http_connections(r.server), 0);
    /* An answer that comes too late is as good as a drop. */
    r.held = NULL;
    in = rig_ask(&r, SLICE(ASK("/hold")));
    RIG_UNTIL(&r, r.held != NULL);
    slam(in);
    RIG_UNTIL(&r, r.broken == 2);
    rig_echo(r.held);
    cr_expect_eq(r.ends, 2);
    /* In the middle of a body nobody but http holds it. */
    in = rig_ask(&r, SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nabc"));
    RIG_UNTIL(&r, r.heads == 3);
    rig_hang_up(in);
    RIG_UNTIL(&r, r.ends == 3);
    cr_expect_eq(r.gone, 2);
}

/* The client says that it will send no more, and reads on. */
static struct rig_in *ask_and_close(struct slice text)
{
    struct rig_in *in = rig_ask(&r, text);
    cr_assert_eq(shutdown(in->fd, SHUT_WR), 0);
    return in;
}

Test(http, a_client_that_half_closes_is_answered)
{
    struct rig_in *in = ask_and_close(SLICE(ASK("/one") ASK("/two") ASK("/three")));
    rig_expect_close(&r, in);
    cr_expect_eq(rig_count(in->text, "HTTP/1.1 200"), 3, "%s", in->text);
    rig_hang_up(in);
    in = ask_and_close(SLICE(ASK("/hold")));
    RIG_UNTIL(&r, r.gone == 1);
    cr_expect_eq(r.broken, 0);
    rig_echo(r.held);
    rig_expect_close(&r, in);
    cr_expect_eq(rig_count(in->text, "Connection: close"), 1);
    cr_expect_eq(rig_count(in->text, "HTTP/1.1 200"), 1);
    rig_hang_up(in);
    /* Dropped, it is cut off. */
    in = ask_and_close(SLICE(ASK("/hold")));
    RIG_UNTIL(&r, r.gone == 2);
    http_drop(r.held);
    rig_expect_close(&r, in);
    cr_expect_eq(in->n, 0);
    rig_hang_up(in);
    RIG_UNTIL(&r, http_connections(r.server) == 0);
}

Test(http, behind_a_held_request_the_rest_is_answered_too)
{
    struct rig_in *in = ask_and_close(SLICE(ASK("/hold") ASK("/big") ASK("/") "GET / HT"));
    RIG_UNTIL(&r, r.gone == 1);
    rig_echo(r.held);
    size_t total = 0, answers = 0;
    RIG_UNTIL(&r, (rig_poll(in), total += in->n, answers += (size_t)rig_count(in->text, "HTTP/1.1"),
                   in->n = 0, in->text[0] = '\0', in->closed));
    cr_expect(!in->reset && total > RIG_BIG && answers == 3, "%zu bytes, %zu answers", total,
              answers);
    cr_expect_eq(r.requests, 3, "half a request was taken for one");
    rig_hang_up(in);
    RIG_UNTIL(&r, http_connections(r.server) == 0);
}

Test(http, half_a_request_and_the_end)
{
    struct rig_in *in = ask_and_close(SLICE("GET / HTTP/1.1\r\nHost: h\r\n"));
    rig_expect_close(&r, in);
    cr_expect_eq(in->n, 0);
    rig_hang_up(in);
    in = ask_and_close(SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"));
    rig_expect_close(&r, in);
    cr_expect_eq(in->n, 0);
    cr_expect_eq(r.requests, 0);
    rig_hang_up(in);
}

Test(http, on_head_may_decide_later)
{
    struct rig_in *in = rig_ask(&r, SLICE("POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
                                          "\r\nhello" ASK("/later") ASK("/later")));
    RIG_UNTIL(&r, r.held != NULL);
    http_accept_body(r.held, 10);
    r.held = NULL;
    rig_expect(&r, in, "\r\n\r\nhello", 1);
    RIG_UNTIL(&r, r.held != NULL);
    http_problem(r.held, E_FORBIDDEN, NULL);
    r.held = NULL;
    rig_expect(&r, in, "HTTP/1.1 403", 1);
    RIG_UNTIL(&r, r.held != NULL);
    rig_hang_up(in);
    RIG_UNTIL(&r, r.gone == 1);
    http_drop(r.held);
    cr_expect_eq(r.ends, 3);
}

Test(http, drain_finishes_what_runs)
{
    struct rig_in *idle = rig_ask(&r, SLICE(ASK("/")));
    rig_expect(&r, idle, "200 OK", 1);
    struct rig_in *busy = rig_ask(&r, SLICE(ASK("/hold")));
    RIG_UNTIL(&r, r.held != NULL);
    struct rig_in *fresh = rig_ask(&r, SLICE(ASK("/fresh"))); /* not accepted yet */
    http_drain(r.server);
    rig_expect_close(&r, idle);
    rig_expect_close(&r, fresh);
    cr_expect_eq(rig_count(fresh->text, "HTTP/1.1 200"), 1);
    rig_hang_up(fresh);
    rig_echo(r.held);
    rig_expect_close(&r, busy);
    cr_expect_eq(rig_count(busy->text, "Connection: close"), 1);
    rig_hang_up(idle);
    rig_hang_up(busy);
    RIG_UNTIL(&r, http_connections(r.server) == 0);
}

Test(http, freeing_the_server_spares_held_exchanges)
{
    struct rig_in *in = rig_ask(&r, SLICE(ASK("/hold")));
    RIG_UNTIL(&r, r.held != NULL);
    http_free(r.server);
    cr_expect_eq(r.gone, 1);
    http_problem(r.held, E_UNAVAILABLE, NULL); /* the last user frees the server's memory */
    rig_expect_close(&r, in);
    rig_hang_up(in);
    r.server = NULL;
}
