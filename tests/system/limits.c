/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every limit and timer of the front, each with its status, a problem document and a closed connection where the
 * rest of the stream cannot be trusted. Timers are tried on a router of the test's own with short settings. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/sbuf.h"
#include "tests/support/api.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(limits, .timeout = 120);

static struct http_client connected(void)
{
    struct http_client c;
    cr_assert(http_client_open(&c, stack_host(), stack_port()), "cannot connect");
    return c;
}

/* Sends the bytes on a fresh connection and expects one problem document with that status. */
static void expect_problem(const char *what, struct slice bytes, int status, const char *code)
{
    struct http_client c = connected();
    struct http_response r;
    http_client_send(&c, bytes.p, bytes.n);
    if (!http_client_read(&c, false, &r)) {
        cr_expect(false, "%s: no answer", what);
        http_client_close(&c);
        return;
    }
    struct json_object *o = json_tokener_parse(r.body), *got;
    const char *type = http_response_header(&r, "content-type");
    cr_expect_eq(r.status, status, "%s: %d %s", what, r.status, r.body);
    cr_expect(type && strcmp(type, "application/problem+json") == 0, "%s: type %s", what, type);
    cr_expect(o && json_object_object_get_ex(o, "code", &got) &&
                  strcmp(json_object_get_string(got), code) == 0,
              "%s: %s", what, r.body);
    cr_expect(o && json_object_object_get_ex(o, "request_id", &got), "%s: no request_id", what);
    cr_expect(http_response_header(&r, "x-request-id") != NULL, "%s: no X-Request-Id", what);
    json_object_put(o);
    http_response_free(&r);
    http_client_close(&c);
}

static char *filled(char byte, size_t n)
{
    char *out = malloc(n + 1);
    memset(out, byte, n);
    out[n] = '\0';
    return out;
}

Test(limits, request_line_414)
{
    char *path = filled('a', 9000);
    expect_problem("long target", slice_of(api_text("GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", path)),
                   414, "uri_too_long");
    /* The limit counts bytes that came, not lines that ended. */
    expect_problem("endless target", slice_of(api_text("GET /%s", path)), 414, "uri_too_long");
    struct api a = api_login(OWNER_A);
    path[7000] = '\0';
    cr_expect_neq(api_get(&a, "/api/v1/clients?q=%s", path)->status, 414);
    free(path);
    api_close(&a);
    api_release();
}

Test(limits, header_block_431)
{
    char *value = filled('v', 17000);
    expect_problem("long field",
                   slice_of(api_text("GET / HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", value)),
                   431, "headers_too_large");
    expect_problem("endless field",
                   slice_of(api_text("GET / HTTP/1.1\r\nHost: x\r\nX-Long: %s", value)), 431,
                   "headers_too_large");
    struct sbuf many;
    sbuf_init(&many);
    sbuf_text(&many, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 64; i++) {
        sbuf_fmt(&many, "X-%d: 1\r\n", i);
    }
    sbuf_text(&many, "\r\n");
    expect_problem("65 fields", sbuf_slice(&many), 431, "headers_too_large");
    sbuf_fini(&many);
    free(value);
    api_release();
}

/* The answer comes although not one byte of the body was sent. */
Test(limits, body_413_before_it_is_read)
{
    struct api a = api_login(OWNER_A);
    expect_problem(
        "over the whole limit",
        slice_of(api_text("POST /api/v1/clients HTTP/1.1\r\nHost: x\r\nAuthorization: "
                          "Bearer %s\r\nContent-Type: application/json\r\nContent-Length: "
                          "2000000\r\n\r\n",
                          a.token)),
        413, "body_too_large");
    expect_problem("over the route's limit",
                   slice_of(api_text("POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: "
                                     "application/json\r\nContent-Length: 900000\r\n\r\n")),
                   413, "body_too_large");
    api_close(&a);
    api_release();
}

Test(limits, chunked_body_413_when_it_grows)
{
    char *piece = filled(' ', 60000);
    struct http_client c = connected();
    struct http_response r;
    http_client_send_text(&c, "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: "
                              "application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        if (!http_client_send_text(&c, api_text("%x\r\n%s\r\n", 60000, piece))) {
            break;
        }
    }
    if (http_client_read(&c, false, &r)) {
        cr_expect_eq(r.status, 413, "%d", r.status);
        http_response_free(&r);
    } else {
        cr_expect(false, "a growing body was not answered");
    }
    free(piece);
    http_client_close(&c);
    api_release();
}

Test(limits, method_405_names_what_is_allowed)
{
    struct api a = api_login(OWNER_A);
    struct answer *r = api_send(&a, "DELETE", "/api/v1/me", NULL, NULL);
    cr_expect_eq(r->status, 405);
    cr_expect_str_eq(answer_code(r), "method_not_allowed");
    const char *allow = answer_header(r, "allow");
    cr_expect(allow && strstr(allow, "GET") && strstr(allow, "HEAD") && !strstr(allow, "DELETE"),
              "Allow: %s", allow ? allow : "(absent)");
    r = api_send(&a, "PUT", "/api/v1/clients", "{}", NULL);
    cr_expect_eq(r->status, 405);
    allow = answer_header(r, "allow");
    cr_expect(allow && strstr(allow, "GET") && strstr(allow, "POST"), "Allow: %s",
              allow ? allow : "(absent)");
    r = api_send(&a, "DELETE", "/api/v1/auth/login", NULL, NULL);
    allow = answer_header(r, "allow");
    cr_expect_str_eq(allow ? allow : "(absent)", "POST, OPTIONS");
    expect_problem("method", SLICE("DELETE /api/v1/auth/login HTTP/1.1\r\nHost: x\r\n\r\n"), 405,
                   "method_not_allowed");
    api_close(&a);
    api_release();
}

Test(limits, unknown_method_501)
{
    expect_problem("unknown method", SLICE("BREW /api/v1/me HTTP/1.1\r\nHost: x\r\n\r\n"), 501,
                   "not_implemented");
    expect_problem("unknown transfer coding",
                   SLICE("POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                         "gzip, chunked\r\n\r\n0\r\n\r\n"),
                   501, "not_implemented");
}

Test(limits, media_type_415)
{
    static const char *const types[] = {
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/jsonp\r\n",
        "",
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        expect_problem(types[i],
                       slice_of(api_text("POST /api/v1/auth/login HTTP/1.1\r\nHost: "
                                         "x\r\n%sContent-Length: 2\r\n\r\n{}",
                                         types[i])),
                       415, "unsupported_media_type");
    }
    api_release();
}

Test(limits, malformed_requests_400)
{
    static const char *const rows[] = {
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /a%2f..%2fb HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\nHost: x\n\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_problem(rows[i], slice_of(rows[i]), 400, "bad_request");
    }
}

/* Two requests in one segment, and one byte at a time: framing does not depend on how bytes arrive. */
Test(limits, pipelined_answers_come_in_order)
{
    struct api a = api_login(OWNER_A);
    struct http_client c = connected();
    static const char *const paths[] = { "/api/v1/me", "/healthz", "/api/v1/nothing",
                                         "/api/v1/business" };
    static const int statuses[] = { 200, 200, 404, 200 };
    struct sbuf out;
    sbuf_init(&out);
    enum { TIMES = 25 };
    for (int i = 0; i < TIMES * 4; i++) {
        sbuf_fmt(&out,
                 "GET %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: order-%d\r\nAuthorization: Bearer "
                 "%s\r\n\r\n",
                 paths[i % 4], i, a.token);
    }
    http_client_send(&c, out.data, out.len);
    sbuf_fini(&out);
    for (int i = 0; i < TIMES * 4; i++) {
        struct http_response r;
        cr_assert(http_client_read(&c, false, &r), "answer %d did not come", i);
        cr_expect_eq(r.status, statuses[i % 4], "answer %d: %d", i, r.status);
        const char *id = http_response_header(&r, "x-request-id");
        cr_expect(id && strcmp(id, api_text("order-%d", i)) == 0, "answer %d has id %s", i,
                  id ? id : "(none)");
        http_response_free(&r);
    }
    http_client_close(&c);
    api_close(&a);
    api_release();
}

Test(limits, one_byte_at_a_time)
{
    struct http_client c = connected();
    const char *text = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http_response r;
    for (const char *p = text; *p; p++) {
        cr_assert(http_client_send(&c, p, 1));
    }
    cr_assert(http_client_read(&c, false, &r));
    cr_expect_eq(r.status, 200);
    http_response_free(&r);
    http_client_close(&c);
}

Test(limits, head_has_the_fields_of_get)
{
    static const char *const paths[] = { "/api/v1/me", "/api/v1/business", "/api/v1/clients",
                                         "/api/openapi.json", "/healthz" };
    static const char *const fields[] = { "content-type", "content-length", "etag",
                                          "cache-control" };
    struct api a = api_login(OWNER_A);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct answer *get = api_send(&a, "GET", paths[i], NULL, NULL);
        struct answer *head = api_send(&a, "HEAD", paths[i], NULL, NULL);
        cr_expect_eq(head->status, get->status, "HEAD %s: %d", paths[i], head->status);
        cr_expect_eq(head->http.body_len, 0);
        for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
            const char *g = answer_header(get, fields[f]), *h = answer_header(head, fields[f]);
            cr_expect((!g && !h) || (g && h && strcmp(g, h) == 0), "%s %s: %s and %s", paths[i],
                      fields[f], g ? g : "(none)", h ? h : "(none)");
        }
    }
    api_close(&a);
    api_release();
}

/* A router of the test's own; stopped at the end of the test with this process at the latest. */
static pid_t own_router(const char *const *overrides)
{
    int port;
    pid_t pid = stack_start_router("router.conf", overrides, &port);
    stack_use_port(port);
    return pid;
}

static void expect_timeout_problem(const struct http_response *r)
{
    const char *type = r->status ? http_response_header(r, "content-type") : NULL;
    cr_expect(type && strcmp(type, "application/problem+json") == 0, "type %s", type ? type : "");
    cr_expect(r->body && strstr(r->body, "\"code\":\"request_timeout\"") &&
                  strstr(r->body, "\"request_id\":\""),
              "%s", r->body ? r->body : "");
}

/* A byte now and then does not help: the deadline is for the whole head. */
Test(limits, header_deadline_408)
{
    pid_t pid = own_router((const char *const[]){ "header_timeout=700ms", NULL });
    struct http_client c = connected();
    struct http_response r = { 0 };
    int64_t begin = wait_now_ms();
    http_client_send_text(&c, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    c.timeout_ms = 100;
    bool answered = false;
    while (!answered && wait_now_ms() - begin < 10000) {
        answered = http_client_read(&c, false, &r);
        if (!answered && !http_client_send_text(&c, "a")) {
            break;
        }
    }
    int64_t took = wait_now_ms() - begin;
    cr_expect(answered && r.status == 408, "answer %d", r.status);
    expect_timeout_problem(&r);
    cr_expect(took >= 600 && took < 5000, "after %lld ms", (long long)took);
    c.timeout_ms = HTTP_CLIENT_TIMEOUT_MS;
    cr_expect(http_client_at_end(&c));
    http_response_free(&r);
    http_client_close(&c);
    cr_expect_eq(stack_stop(pid, SIGTERM), 0);
}

Test(limits, slow_body_408)
{
    pid_t pid = own_router(
        (const char *const[]){ "body_grace=300ms", "body_min_rate=10k", "body_timeout=60s", NULL });
    struct http_client c = connected();
    struct http_response r = { 0 };
    int64_t begin = wait_now_ms();
    http_client_send_text(&c, "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: "
                              "application/json\r\nContent-Length: 4000\r\n\r\n{");
    c.timeout_ms = 100;
    bool answered = false;
    while (!answered && wait_now_ms() - begin < 20000 && http_client_send_text(&c, " ")) {
        answered = http_client_read(&c, false, &r);
    }
    cr_expect(answered && r.status == 408, "answer %d", r.status);
    expect_timeout_problem(&r);
    http_response_free(&r);
    http_client_close(&c);
    cr_expect_eq(stack_stop(pid, SIGTERM), 0);
}

Test(limits, idle_connections_are_closed)
{
    pid_t pid = own_router((const char *const[]){ "idle_timeout=300ms", NULL });
    struct http_client c = connected();
    struct http_response r;
    http_client_send_text(&c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert(http_client_read(&c, false, &r));
    int64_t begin = wait_now_ms();
    cr_expect(http_client_at_end(&c), "an idle connection stays open or is told something");
    cr_expect_geq(wait_now_ms() - begin, 200);
    http_response_free(&r);
    http_client_close(&c);
    cr_expect_eq(stack_stop(pid, SIGTERM), 0);
}

Test(limits, requests_of_one_connection)
{
    pid_t pid = own_router((const char *const[]){ "requests_per_connection=5", NULL });
    struct http_client c = connected();
    for (int i = 1; i <= 5; i++) {
        struct http_response r;
        http_client_send_text(&c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        cr_assert(http_client_read(&c, false, &r), "answer %d", i);
        const char *field = http_response_header(&r, "connection");
        bool closes = field && strcasecmp(field, "close") == 0;
        cr_expect_eq(closes, i == 5, "answer %d", i);
        http_response_free(&r);
    }
    cr_expect(http_client_at_end(&c));
    http_client_close(&c);
    cr_expect_eq(stack_stop(pid, SIGTERM), 0);
}

/* True when the connection is served: a request on it gets a 200. */
static bool served(struct http_client *c)
{
    struct http_response r;
    http_client_send_text(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    if (!http_client_read(c, false, &r)) {
        return false;
    }
    bool good = r.status == 200;
    http_response_free(&r);
    return good;
}

static bool new_one_served(void *arg)
{
    UNUSED(arg);
    struct http_client c;
    bool good = http_client_open(&c, stack_host(), stack_port()) && served(&c);
    http_client_close(&c);
    return good;
}

Test(limits, connections_of_one_address)
{
    enum { CAP = 5 };
    pid_t pid = own_router((const char *const[]){ "connections_per_address=5", NULL });
    struct http_client c[CAP];
    for (int i = 0; i < CAP; i++) {
        bool open = false;
        int64_t end = wait_now_ms() + WAIT_LONG_MS;
        while (!open && wait_now_ms() < end) {
            open = http_client_open(&c[i], stack_host(), stack_port()) && served(&c[i]);
            if (!open) {
                http_client_close(&c[i]);
            }
        }
        cr_assert(open, "connection %d", i);
    }
    cr_expect_not(new_one_served(NULL), "one more connection than the cap is served");
    cr_expect(served(&c[0]), "a connection within the cap was hurt");
    http_client_close(&c[0]);
    cr_expect(wait_until(new_one_served, NULL, WAIT_LONG_MS), "a freed place is not given again");
    for (int i = 1; i < CAP; i++) {
        http_client_close(&c[i]);
    }
    cr_expect_eq(stack_stop(pid, SIGTERM), 0);
}

/* What is in flight beyond the cap of one practice gets 429 at once; the other practice is served meanwhile. */
Test(limits, requests_in_flight_of_one_practice)
{
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    pid_t pid = own_router((const char *const[]){ "inflight_per_tenant=2", NULL });
    http_client_close(&b.http); /* the next request goes to the own router */
    struct sbuf out;
    sbuf_init(&out);
    enum { BURST = 40 };
    struct http_client burst[BURST];
    sbuf_fmt(&out, "GET /api/v1/clients HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
             a.token);
    for (int i = 0; i < BURST; i++) {
        burst[i] = connected();
    }
    for (int i = 0; i < BURST; i++) {
        http_client_send(&burst[i], out.data, out.len);
    }
    int good = 0, limited = 0;
    for (int i = 0; i < BURST; i++) {
        struct http_response r;
        cr_assert(http_client_read(&burst[i], false, &r));
        good += r.status == 200;
        if (r.status == 429) {
            limited++;
            cr_expect(http_response_header(&r, "retry-after") != NULL, "429 without Retry-After");
        }
        http_response_free(&r);
        http_client_close(&burst[i]);
    }
    cr_expect_eq(good + limited, BURST);
    cr_expect_geq(good, 2);
    printf("in flight 2 of one practice: %d served, %d refused of %d\n", good, limited, BURST);
    cr_expect_eq(api_get(&b, "/api/v1/me")->status, 200);
    sbuf_fini(&out);
    api_close(&a);
    api_close(&b);
    cr_expect_eq(stack_stop(pid, SIGTERM), 0);
    api_release();
}
