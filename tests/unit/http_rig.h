/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A server on a loopback port and clients in the same thread: every wait turns the event loop until its condition
 * holds or five seconds have passed. What a path does: /hold keeps the exchange, /later keeps it in on_head already,
 * /deny answers in on_head, /full is refused for load, /small takes 10 bytes, /big answers 8 MiB, everything else echoes.
 * A query names the practice. */
#ifndef GREMIO_HTTP_RIG_H
#define GREMIO_HTTP_RIG_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "router/http.h"

#define RIG_WAIT_US (5 * 1000 * 1000)
#define RIG_BIG     ((size_t)8 << 20)
#define RIG_GET     "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

struct rig {
    struct event_base *base;
    struct http_server *server;
    struct http_limits limits;
    uint16_t port;
    struct exchange *held;                                /* the last of /hold */
    int heads, requests, gone, broken, ends, last_status; /* broken: gone for good */
    char last_code[40];
};

static char *rig_big;

static inline void rig_on_head(struct exchange *x, void *arg)
{
    struct rig *r = arg;
    r->heads++;
    x->has_tenant = x->query.n > 0;
    x->tenant.id.b[0] = x->has_tenant ? (uint8_t)x->query.p[0] : 0;
    if (slice_eq(x->path, SLICE("/full"))) {
        http_problem(x, E_OVERLOADED, &(struct http_answer){ .rest = true });
    } else if (slice_eq(x->path, SLICE("/deny"))) {
        http_problem(x, E_UNAUTHENTICATED, NULL);
    } else if (slice_eq(x->path, SLICE("/later"))) {
        r->held = x;
    } else {
        http_accept_body(x, slice_eq(x->path, SLICE("/small")) ? 10 : 16 << 20);
    }
}

static inline void rig_echo(struct exchange *x)
{
    http_reply(x, &(struct http_answer){
                      .status = 200,
                      .content_type = SLICE("text/plain"),
                      .body = x->body.n > 0 ? x->body : x->path,
                  });
}

static inline void rig_on_request(struct exchange *x, void *arg)
{
    struct rig *r = arg;
    r->requests++;
    if (slice_eq(x->path, SLICE("/hold"))) {
        r->held = x;
    } else if (slice_eq(x->path, SLICE("/big"))) {
        http_reply(x, &(struct http_answer){ .status = 200,
                                             .content_type = SLICE("text/plain"),
                                             .body = { rig_big, RIG_BIG } });
    } else {
        rig_echo(x);
    }
}

static inline void rig_on_gone(struct exchange *x, void *arg)
{
    struct rig *r = arg;
    r->gone++;
    r->broken += x->conn == NULL;
}

static inline void rig_on_end(const struct exchange *x, int status, size_t bytes, void *arg)
{
    struct rig *r = arg;
    UNUSED(bytes);
    r->ends++;
    r->last_status = status;
    memcpy(r->last_code, x->code, sizeof(r->last_code));
}

/* Limits a test wants otherwise are set before rig_start. Times in ms. */
static inline void rig_init(struct rig *r)
{
    signal(SIGPIPE, SIG_IGN);
    *r = (struct rig){ .limits = { .request_line_max = 8192,
                                   .header_bytes_max = 16384,
                                   .header_fields_max = 64,
                                   .body_max = 1 << 20,
                                   .header_timeout = 10000,
                                   .body_timeout = 60000,
                                   .body_min_rate = 1024,
                                   .body_grace = 5000,
                                   .idle_timeout = 60000,
                                   .write_timeout = 30000,
                                   .unsent_max = 32 << 20,
                                   .requests_per_connection = 1000,
                                   .rest_max = 4000,
                                   .connections_max = 1000,
                                   .connections_per_address = 1000 } };
    rig_big = calloc(1, RIG_BIG);
}

static inline void rig_start(struct rig *r, void *tls)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 128) == 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    r->port = ntohs(a.sin_port);
    r->base = event_base_new();
    struct http_callbacks cb = { rig_on_head, rig_on_request, rig_on_gone, rig_on_end, r };
    cr_assert_eq(http_new(r->base, fd, &r->limits, &cb, tls, &r->server), OK);
}

static inline void rig_stop(struct rig *r)
{
    http_free(r->server);
    event_base_loop(r->base, EVLOOP_NONBLOCK); /* bufferevents are freed by the loop */
    event_base_free(r->base);
    free(rig_big);
}

static inline void rig_turn(struct rig *r)
{
    struct timeval most = { .tv_usec = 5000 };
    event_base_loopexit(r->base, &most);
    event_base_loop(r->base, EVLOOP_ONCE);
}

/* Turns the loop until cond holds; fails the test after RIG_WAIT_US. */
#define RIG_UNTIL(r, cond)                                                         \
    do {                                                                           \
        int64_t until_end = clock_mono_us() + RIG_WAIT_US;                         \
        while (!(cond)) {                                                          \
            cr_assert_lt(clock_mono_us(), until_end, "waited in vain for " #cond); \
            rig_turn(r);                                                           \
        }                                                                          \
    } while (0)

static inline int rig_connect(struct rig *r)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(r->port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* All of it, turning the loop while the socket is full. */
static inline void rig_send(struct rig *r, int fd, struct slice s)
{
    int64_t end = clock_mono_us() + RIG_WAIT_US;
    while (s.n > 0 && clock_mono_us() < end) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n > 0) {
            s = (struct slice){ s.p + n, s.n - (size_t)n };
        } else {
            cr_assert(errno == EAGAIN, "send: %s", strerror(errno));
            rig_turn(r);
        }
    }
    cr_assert_eq(s.n, 0);
}

/* One connection's incoming text. */
struct rig_in {
    int fd;
    bool closed, reset;
    size_t n;
    char text[1 << 16];
};

static inline bool rig_poll(struct rig_in *in)
{
    ssize_t n = recv(in->fd, in->text + in->n, sizeof(in->text) - 1 - in->n, 0);
    if (n > 0) {
        in->n += (size_t)n;
        in->text[in->n] = '\0';
    }
    in->reset |= n < 0 && errno == ECONNRESET;
    in->closed |= n == 0 || in->reset;
    return n > 0;
}

static inline int rig_count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what)) {
        n++;
    }
    return n;
}

/* Until the client has read what. */
static inline void rig_expect(struct rig *r, struct rig_in *in, const char *what, int times)
{
    RIG_UNTIL(r, (rig_poll(in), rig_count(in->text, what) >= times || in->closed));
    cr_assert_geq(rig_count(in->text, what), times, "no \"%s\" in: %.600s", what, in->text);
}

static inline void rig_expect_close(struct rig *r, struct rig_in *in)
{
    RIG_UNTIL(r, (rig_poll(in), in->closed));
    cr_expect(!in->reset, "reset instead of a clean close");
}

/* A new connection that sends text at once. */
static inline struct rig_in *rig_ask(struct rig *r, struct slice text)
{
    struct rig_in *in = calloc(1, sizeof(*in));
    in->fd = rig_connect(r);
    rig_send(r, in->fd, text);
    return in;
}

static inline void rig_hang_up(struct rig_in *in)
{
    close(in->fd);
    free(in);
}

#endif
