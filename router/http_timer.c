/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every deadline of every connection, in one walk ten times a second: cheaper than a timer that is moved with every
 * request, and no byte that arrives can push a deadline back. */
#include "router/http_timer.h"

#include "common/clock.h"
#include "router/http_conn.h"
#include "router/http_life.h"
#include "router/http_rest.h"
#include "router/http_unsent.h"

/* After the grace, the body must have come at the least rate since. */
static bool too_slow(const struct http_conn *c, int64_t now)
{
    const struct http_limits *l = c->server->limits;
    int64_t over_ms = (now - c->body_us) / 1000 - l->body_grace;
    return c->body_begun && over_ms > 0 &&
           c->body_seen < (uint64_t)(over_ms * l->body_min_rate / 1000);
}

static void expire(struct http_conn *c)
{
    switch (c->phase) {
    case HTTP_HEAD:
    case HTTP_BODY:
        http_conn_refuse(c, E_REQUEST_TIMEOUT);
        return;
    case HTTP_IDLE:
        if (c->queued) {
            return; /* the last answers are still being read */
        }
        http_life_kill(c);
        return;
    case HTTP_REST:
        http_rest_end(c);
        return;
    case HTTP_HANDSHAKE:
    case HTTP_LINGER:
        http_life_kill(c);
        return;
    case HTTP_DECIDE:
    case HTTP_BUSY:
    case HTTP_CLOSING:
    case HTTP_DEAD:
        return;
    }
}

static void look_at(struct http_conn *c, int64_t now)
{
    if (c->queued && http_unsent_stalled(c, now)) {
        http_life_kill(c);
    } else if ((c->deadline_us != 0 && now >= c->deadline_us) ||
               (c->phase == HTTP_BODY && too_slow(c, now))) {
        expire(c);
    }
}

void http_timer_tick(struct http_server *s)
{
    int64_t now = clock_mono_us();
    struct http_conn *next;
    for (struct http_conn *c = LIST_FIRST(&s->conns); c != NULL; c = next) {
        next = LIST_NEXT(c, link);
        look_at(c, now);
    }
}
