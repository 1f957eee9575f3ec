/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The server: listening, caps on connections, drain, and the calls flow and dispatch use. */
#include "router/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "router/http_conn.h"
#include "router/http_exchange.h"
#include "router/http_life.h"
#include "router/http_peer.h"
#include "router/http_rest.h"
#include "router/http_timer.h"
#include "router/http_write.h"

#define FD_RESERVE      64   /* descriptors left for slots, database, logs, files */
#define RESUME_AFTER_MS 100  /* out of descriptors: how long nothing is accepted */
#define DRAIN_FIRST_MS  1000 /* draining: a new connection's time to send its request */
#define BACKLOG_MAX     4096
#define KERNEL_UNSENT   (64 << 10) /* of a client that does not read, instead of megabytes */

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *address,
                      int len, void *arg)
{
    struct http_server *s = arg;
    UNUSED(l);
    UNUSED(len);
    size_t cap = size_min((size_t)s->limits->connections_max, s->conn_cap);
    struct http_peer *peer = s->conn_count < cap
                                 ? http_peer_enter(s, address, s->limits->connections_per_address)
                                 : NULL;
    if (peer == NULL) {
        http_write_overload(s, fd);
        return;
    }
    http_conn_new(s, fd, address, peer);
}

/* accept failed: without a pause the ready listener would be asked again at once, forever. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
    struct http_server *s = arg;
    log_seldom(LOG_LEVEL_ERROR, "accept_failed", strerror(errno));
    struct timeval pause = { .tv_usec = RESUME_AFTER_MS * 1000 };
    evconnlistener_disable(l);
    event_add(s->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    UNUSED(fd);
    UNUSED(what);
    struct http_server *s = arg;
    if (s->listener != NULL) {
        evconnlistener_enable(s->listener);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    UNUSED(fd);
    UNUSED(what);
    http_timer_tick(arg);
}

static size_t descriptor_cap(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur == RLIM_INFINITY) {
        return SIZE_MAX;
    }
    return r.rlim_cur > 2 * FD_RESERVE ? (size_t)r.rlim_cur - FD_RESERVE : (size_t)r.rlim_cur / 2;
}

enum err http_new(struct event_base *base, int fd, const struct http_limits *limits,
                  const struct http_callbacks *cb, void *tls, struct http_server **out)
{
    struct http_server *s = calloc(1, sizeof(*s));
    int on = 1, kernel_max = KERNEL_UNSENT;
    if (s == NULL) {
        return E_NOMEM;
    }
    s->base = base;
    s->limits = limits;
    s->cb = *cb;
    s->conn_cap = descriptor_cap();
    LIST_INIT(&s->conns);
    sbuf_init(&s->out);
    sbuf_init(&s->doc);
    /* Accepted sockets inherit both. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kernel_max, sizeof(kernel_max));
    s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
    s->resume = event_new(base, -1, 0, on_resume, s);
    if (s->tick == NULL || s->resume == NULL || evutil_make_socket_nonblocking(fd) != 0) {
        goto fail;
    }
    s->listener = evconnlistener_new(base, on_accept, s,
                                     LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (s->listener == NULL) {
        goto fail;
    }
    evconnlistener_set_error_cb(s->listener, on_accept_error);
    http_set_tls(s, tls);
    *out = s;
    return OK;
fail:
    http_free(s);
    return E_NOMEM;
}

void http_set_tls(struct http_server *s, void *tls)
{
    if (tls != NULL) {
        SSL_CTX_up_ref(tls);
    }
    SSL_CTX_free(s->tls);
    s->tls = tls;
}

void http_accept_body(struct exchange *x, uint64_t max)
{
    struct http_conn *c = x->conn;
    if (c == NULL || c->phase != HTTP_DECIDE) {
        return;
    }
    c->body_max = max;
    if (x->has_body) {
        exchange_set_state(x, X_BODY);
    }
    http_life_phase(c, HTTP_BODY);
    if (!c->pumping) {
        http_life_wake(c);
    }
}

void http_reply(struct exchange *x, const struct http_answer *a)
{
    http_write_answer((struct http_exchange *)(void *)x, a);
}

void http_problem(struct exchange *x, enum err e, const struct http_answer *more)
{
    enum err shown = e == E_NOMEM ? E_OVERLOADED
                                  : e; /* passes, and is none of the client's business */
    http_write_problem((struct http_exchange *)(void *)x, shown, more);
}

void http_drop(struct exchange *x)
{
    struct http_exchange *hx = (struct http_exchange *)(void *)x;
    struct http_conn *c = x->conn;
    if (c != NULL) { /* no answer will come: the client learns it by the close */
        c->hx = NULL;
        http_life_kill(c);
    }
    http_exchange_end(hx, HTTP_STATUS_GONE, 0);
}

/* Nothing is under way: no request, no answer, and no byte of a request waits in the socket. */
static bool is_idle(const struct http_conn *c)
{
    char byte;
    return c->phase == HTTP_IDLE && c->requests > 0 &&
           evbuffer_get_length(bufferevent_get_output(c->bev)) == 0 &&
           evbuffer_get_length(bufferevent_get_input(c->bev)) == 0 &&
           recv(bufferevent_getfd(c->bev), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* Connections that clients already have: the kernel completed them, so closing the listener would reset them. */
static void accept_waiting(struct http_server *s)
{
    int listening = evconnlistener_get_fd(s->listener);
    for (int i = 0; i < BACKLOG_MAX; i++) {
        struct sockaddr_storage address = { 0 };
        socklen_t len = sizeof(address);
        int fd = accept4(listening, (struct sockaddr *)&address, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        on_accept(s->listener, fd, (struct sockaddr *)&address, (int)len, s);
    }
}

static void stop_listening(struct http_server *s)
{
    if (s->listener != NULL) {
        evconnlistener_free(s->listener);
        s->listener = NULL;
    }
    event_del(s->resume);
}

void http_retire(struct http_server *s)
{
    s->draining = true;
    stop_listening(s);
}

void http_accept(struct http_server *s, bool on)
{
    if (s->listener == NULL) {
        return;
    }
    if (on) {
        evconnlistener_enable(s->listener);
    } else {
        evconnlistener_disable(s->listener);
    }
}

void http_drain(struct http_server *s)
{
    s->draining = true;
    if (s->listener != NULL) {
        accept_waiting(s);
    }
    stop_listening(s);
    struct http_conn *next;
    for (struct http_conn *c = LIST_FIRST(&s->conns); c != NULL; c = next) {
        next = LIST_NEXT(c, link);
        if (c->phase == HTTP_REST) {
            http_rest_end(c);
        }
        if (is_idle(c)) {
            http_life_kill(c);
        } else if (c->phase == HTTP_IDLE || c->phase == HTTP_HANDSHAKE) {
            c->deadline_us = clock_mono_us() +
                             DRAIN_FIRST_MS * 1000; /* its request is on the way */
        }
    }
}

size_t http_connections(const struct http_server *s)
{
    return s->conn_count;
}

static void free_event(struct event *e)
{
    if (e != NULL) {
        event_free(e);
    }
}

void http_free(struct http_server *s)
{
    if (s == NULL) {
        return;
    }
    if (s->listener != NULL) {
        evconnlistener_free(s->listener);
        s->listener = NULL;
    }
    while (!LIST_EMPTY(&s->conns)) {
        http_life_kill(LIST_FIRST(&s->conns));
    }
    free_event(s->tick);
    free_event(s->resume);
    SSL_CTX_free(s->tls);
    http_exchange_last(s);
}
