/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One connection: from bytes to exchanges, in order and one at a time. While an exchange is being handled nothing is
 * parsed; what the client sends meanwhile stays in a bounded buffer and then in the kernel's. */
#include "router/http_conn.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "router/http_exchange.h"
#include "router/http_life.h"
#include "router/http_peer.h"
#include "router/http_unsent.h"
#include "router/http_write.h"

/* An exchange for a head that is refused or never came whole, with what was read of it. */
static enum err take_partial(struct http_conn *c)
{
    const char *head = (const char *)evbuffer_pullup(bufferevent_get_input(c->bev), -1);
    struct http_exchange *hx = head != NULL ? http_exchange_take(c) : NULL;
    return hx != NULL ? http_exchange_fill(hx, head, false) : E_NOMEM;
}

void http_conn_refuse(struct http_conn *c, enum err e)
{
    enum err taken = c->hx == NULL ? take_partial(c) : OK;
    if (c->hx == NULL) {
        http_life_kill(c);
        return;
    }
    c->hx->x.close_after = true;
    http_write_problem(c->hx, taken == OK ? e : taken, NULL);
}

/* The head is whole and lies at the front of in. True: go on pumping. */
static bool take_head(struct http_conn *c, struct evbuffer *in, const char *head)
{
    struct http_server *s = c->server;
    struct http_exchange *hx = http_exchange_take(c);
    if (hx == NULL) {
        http_life_kill(c);
        return false;
    }
    enum err e = http_exchange_fill(hx, head, true);
    evbuffer_drain(in, c->head.size);
    c->requests++;
    if (e != OK) {
        http_conn_refuse(c, e);
        return false;
    }
    c->body_begun = false;
    http_life_phase(c, HTTP_DECIDE);
    s->cb.on_head(&hx->x, s->cb.arg);
    return true;
}

static bool read_head(struct http_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t n = evbuffer_get_length(in);
    if (n == 0 || evbuffer_get_length(bufferevent_get_output(c->bev)) > HTTP_UNSENT_MAX) {
        return false;
    }
    if (c->phase == HTTP_IDLE) {
        c->start_us = clock_mono_us();
        http1_head_init(&c->head);
        http_life_phase(c, HTTP_HEAD);
    }
    const struct http_limits *l = c->server->limits;
    struct http1_limits bounds = { .line_max = (size_t)l->request_line_max,
                                   .block_max = (size_t)l->header_bytes_max,
                                   .fields_max = (size_t)l->header_fields_max };
    const char *head = (const char *)evbuffer_pullup(in, -1);
    if (head == NULL) {
        http_life_kill(c);
        return false;
    }
    enum err e = http1_head_read(&c->head, (struct slice){ head, n }, &bounds);
    if (e == OK) {
        return take_head(c, in, head);
    }
    if (e != E_AGAIN) {
        http_conn_refuse(c, e);
    }
    return false;
}

/* First look at a body that flow takes. False: refused. */
static bool begin_body(struct http_conn *c)
{
    const struct exchange *x = &c->hx->x;
    c->body_begun = true;
    if (x->content_length > c->body_max) {
        http_conn_refuse(c, E_BODY_TOO_LARGE);
        return false;
    }
    size_t budget = (size_t)c->server->limits->header_bytes_max;
    size_t used = c->head.size - c->head.block;
    http1_chunk_init(&c->chunk, c->body_max, budget > used ? budget - used : 0);
    c->body_left = x->content_length;
    c->body_seen = 0;
    c->body_us = clock_mono_us();
    if (x->has_body && c->head.expect_continue &&
        evbuffer_get_length(bufferevent_get_input(c->bev)) == 0) {
        struct slice go = SLICE("HTTP/1.1 100 Continue\r\n\r\n");
        if (!http_unsent_add(c, go)) {
            http_life_kill(c);
            return false;
        }
    }
    return true;
}

/* Moves decoded bytes into the body. OK: it is whole. */
static enum err feed_chunks(struct http_conn *c, struct slice in, size_t *taken)
{
    enum err e = E_AGAIN;
    while (e == E_AGAIN && *taken < in.n) {
        struct slice data, rest = { in.p + *taken, in.n - *taken };
        size_t used = 0;
        e = http1_chunk_read(&c->chunk, rest, &used, &data);
        sbuf_add(&c->hx->body, data);
        *taken += used;
    }
    return e;
}

static enum err feed_length(struct http_conn *c, struct slice in, size_t *taken)
{
    *taken = c->body_left < in.n ? (size_t)c->body_left : in.n;
    sbuf_add(&c->hx->body, (struct slice){ in.p, *taken });
    c->body_left -= *taken;
    return c->body_left == 0 ? OK : E_AGAIN;
}

static enum err feed_body(struct http_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t taken = 0;
    struct slice bytes = { (const char *)evbuffer_pullup(in, -1), evbuffer_get_length(in) };
    enum err e = c->hx->x.chunked ? feed_chunks(c, bytes, &taken) : feed_length(c, bytes, &taken);
    evbuffer_drain(in, taken);
    c->body_seen += taken;
    return sbuf_failed(&c->hx->body) ? E_OVERLOADED : e;
}

static bool read_body(struct http_conn *c)
{
    struct http_server *s = c->server;
    struct exchange *x = &c->hx->x;
    if (!c->body_begun && !begin_body(c)) {
        return false;
    }
    enum err e = x->has_body ? feed_body(c) : OK;
    if (e == E_AGAIN) {
        return false;
    }
    if (e != OK) {
        http_conn_refuse(c, e);
        return false;
    }
    x->body = sbuf_slice(&c->hx->body);
    exchange_set_state(x, X_READY);
    http_life_phase(c, HTTP_BUSY);
    s->cb.on_request(x, s->cb.arg);
    return true;
}

/* One step; true while another may be possible. */
static bool advance(struct http_conn *c)
{
    switch (c->phase) {
    case HTTP_IDLE:
    case HTTP_HEAD:
        return read_head(c);
    case HTTP_BODY:
        return read_body(c);
    case HTTP_HANDSHAKE:
    case HTTP_DECIDE:
    case HTTP_BUSY:
    case HTTP_REST:
    case HTTP_CLOSING:
    case HTTP_LINGER:
    case HTTP_DEAD:
        return false;
    }
    return false;
}

/* The client will send no more and everything that came whole is answered or waits for room in the output: what is
 * left is the rest of answers, or part of a request that nobody will finish. */
static void end_of_input(struct http_conn *c)
{
    size_t unsent = evbuffer_get_length(bufferevent_get_output(c->bev));
    size_t waiting = evbuffer_get_length(bufferevent_get_input(c->bev));
    if (c->phase == HTTP_IDLE && waiting > 0 && unsent > HTTP_UNSENT_MAX) {
        return; /* on_written goes on */
    }
    if (c->phase == HTTP_REST && waiting > 0) {
        return; /* the end of the rest goes on */
    }
    if (unsent > 0 && c->hx == NULL) {
        http_life_phase(c, HTTP_CLOSING);
    } else {
        http_life_kill(c);
    }
}

/* While a request is handled the client may send on, up to this. libevent's own high watermark would do, but setting it
 * without memory ends the process (2.1.12). */
static void bound_input(struct http_conn *c)
{
    const struct http_limits *l = c->server->limits;
    size_t max = (size_t)(l->request_line_max + l->header_bytes_max) + HTTP_INPUT_SLACK;
    bool full = evbuffer_get_length(bufferevent_get_input(c->bev)) >= max;
    if (full && !c->paused) {
        bufferevent_disable(c->bev, EV_READ);
    } else if (!full && c->paused) {
        bufferevent_enable(c->bev, EV_READ);
    }
    c->paused = full;
}

static void pump(struct http_conn *c)
{
    if (c->pumping) {
        return;
    }
    c->pumping = true;
    while (advance(c)) {
    }
    c->pumping = false;
    bound_input(c);
    if (c->phase == HTTP_DEAD) {
        http_life_free(c);
    } else if (c->phase == HTTP_CLOSING) {
        if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0) {
            http_write_linger(c);
        }
    } else if (c->eof && c->phase != HTTP_DECIDE && c->phase != HTTP_BUSY) {
        end_of_input(c);
    }
}

/* What comes after the end is thrown away, up to a bound. */
static void discard(struct http_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t n = evbuffer_get_length(in);
    evbuffer_drain(in, n);
    c->lingered += n;
    if (c->lingered > HTTP_LINGER_BYTES) {
        http_life_kill(c);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    UNUSED(bev);
    struct http_conn *c = arg;
    if (c->phase == HTTP_CLOSING || c->phase == HTTP_LINGER) {
        discard(c);
    } else {
        pump(c);
    }
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct http_conn *c = arg;
    if (c->phase == HTTP_CLOSING) {
        http_write_linger(c);
    } else if (c->phase == HTTP_IDLE && evbuffer_get_length(bufferevent_get_input(bev)) > 0) {
        pump(c);
    }
}

/* RFC 9112 9.6: a client may close its sending side and still read. One that left altogether looks the same until
 * something is written to it, so whoever holds the request decides what it is worth. */
static void on_eof(struct http_conn *c)
{
    struct http_server *s = c->server;
    c->eof = true;
    if (c->phase == HTTP_BUSY || c->phase == HTTP_DECIDE) {
        s->cb.on_gone(&c->hx->x, s->cb.arg);
    } else {
        pump(c);
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    UNUSED(bev);
    struct http_conn *c = arg;
    if (what & BEV_EVENT_CONNECTED) {
        http_life_phase(c, HTTP_IDLE);
        return;
    }
    if ((what & BEV_EVENT_EOF) && !c->tls && c->phase != HTTP_LINGER) {
        on_eof(c);
    } else {
        http_life_kill(
            c); /* over TLS the client's end is the end of both (libevent writes no more) */
    }
}

static struct bufferevent *make_bufferevent(struct http_server *s, int fd)
{
    if (s->tls == NULL) {
        return bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
    }
    SSL *ssl = SSL_new(s->tls);
    if (ssl == NULL) {
        return NULL;
    }
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        s->base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

static void start(struct http_conn *c, const struct sockaddr *address)
{
    struct http_server *s = c->server;
    http_peer_text(address, c->address);
    c->tls = s->tls != NULL;
    LIST_INSERT_HEAD(&s->conns, c, link);
    if (s->conn_count++ == 0) {
        struct timeval tick = { .tv_usec = HTTP_TICK_MS * 1000 };
        event_add(s->tick, &tick);
    }
    http_life_phase(c, c->tls ? HTTP_HANDSHAKE : HTTP_IDLE);
    bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

void http_conn_new(struct http_server *s, int fd, const struct sockaddr *address,
                   struct http_peer *peer)
{
    struct http_conn *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        goto fail;
    }
    c->server = s;
    c->peer = peer;
    c->bev = make_bufferevent(s, fd);
    if (c->bev == NULL) {
        goto fail;
    }
    start(c, address);
    return;
fail:
    free(c);
    close(fd);
    http_peer_leave(s, peer);
}
