/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Where a connection is and how it ends. A connection that dies while its pump is up the stack is freed by the pump. */
#include "router/http_life.h"

#include <stdlib.h>

#include "common/clock.h"
#include "router/http_exchange.h"
#include "router/http_peer.h"

static int64_t from_now(int64_t ms)
{
    return clock_mono_us() + ms * 1000;
}

void http_life_phase(struct http_conn *c, enum http_phase next)
{
    const struct http_limits *l = c->server->limits;
    c->phase = next;
    switch (next) {
    case HTTP_HANDSHAKE:
    case HTTP_HEAD:
        c->deadline_us = from_now(l->header_timeout);
        break;
    case HTTP_IDLE:
        c->deadline_us = from_now(l->idle_timeout);
        break;
    case HTTP_BODY:
        c->deadline_us = from_now(l->body_timeout);
        break;
    case HTTP_LINGER:
        c->deadline_us = from_now(HTTP_LINGER_MS);
        break;
    case HTTP_DECIDE:
    case HTTP_BUSY:
    case HTTP_REST:    /* http_rest_begin knows */
    case HTTP_CLOSING: /* ended by flow's deadline or the write stall */
    case HTTP_DEAD:
        c->deadline_us = 0;
        break;
    }
}

void http_life_free(struct http_conn *c)
{
    struct http_server *s = c->server;
    LIST_REMOVE(c, link);
    s->unsent -= c->unsent;
    if (--s->conn_count == 0) {
        event_del(s->tick);
    }
    http_peer_leave(s, c->peer);
    bufferevent_free(c->bev);
    free(c);
}

/* Whoever holds the exchange learns that the client is gone; one that http itself still holds just ends. */
static void let_go(struct http_conn *c)
{
    struct http_exchange *hx = c->hx;
    struct http_server *s = c->server;
    c->hx = NULL;
    if (hx == NULL) {
        return;
    }
    hx->x.conn = NULL;
    if (c->phase == HTTP_BUSY || c->phase == HTTP_DECIDE) {
        s->cb.on_gone(&hx->x, s->cb.arg);
    } else {
        http_exchange_end(hx, HTTP_STATUS_GONE, 0);
    }
}

void http_life_kill(struct http_conn *c)
{
    if (c->phase == HTTP_DEAD) {
        return;
    }
    let_go(c);
    http_life_phase(c, HTTP_DEAD);
    if (!c->pumping) {
        http_life_free(c);
    }
}

void http_life_wake(struct http_conn *c)
{
    bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}
