/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A sum that is exact whenever it is about to pass the limit: buffers drain without telling, so it is an upper bound
 * that is corrected by every look. */
#include "router/http_unsent.h"

#include "common/clock.h"
#include "router/http_life.h"

size_t http_unsent_look(struct http_conn *c)
{
    size_t now = evbuffer_get_length(bufferevent_get_output(c->bev));
    c->server->unsent = c->server->unsent - c->unsent + now;
    c->taken += c->unsent > now ? c->unsent - now : 0;
    c->unsent = now;
    return now;
}

/* Of the connections that nobody is working for, the one whose answers wait the longest. */
static struct http_conn *longest_waiting(struct http_server *s)
{
    struct http_conn *found = NULL;
    for (struct http_conn *c = LIST_FIRST(&s->conns); c != NULL; c = LIST_NEXT(c, link)) {
        bool held = c->hx != NULL || c->phase == HTTP_DEAD;
        if (!held && http_unsent_look(c) > 0 &&
            (found == NULL || c->queued_us < found->queued_us)) {
            found = c;
        }
    }
    return found;
}

/* Slow readers give way to those who ask: with room for n more bytes, true. */
static bool make_room(struct http_conn *c, size_t n)
{
    struct http_server *s = c->server;
    while (s->unsent + n > (size_t)s->limits->unsent_max) {
        struct http_conn *slow = longest_waiting(s);
        if (slow == NULL || slow == c) {
            return false;
        }
        http_life_kill(slow);
    }
    return true;
}

bool http_unsent_add(struct http_conn *c, struct slice part)
{
    if (part.n == 0) {
        return true;
    }
    size_t before = http_unsent_look(c);
    if (!make_room(c, part.n) ||
        evbuffer_add(bufferevent_get_output(c->bev), part.p, part.n) != 0) {
        return false;
    }
    if (before == 0) {
        c->taken = 0;
        c->queued_us = c->window_us = clock_mono_us();
    }
    c->queued = true;
    c->unsent += part.n;
    c->server->unsent += part.n;
    return true;
}

bool http_unsent_stalled(struct http_conn *c, int64_t now_us)
{
    const struct http_limits *l = c->server->limits;
    uint64_t least = (uint64_t)(l->body_min_rate * l->write_timeout / 1000);
    c->queued = http_unsent_look(c) > 0;
    if (c->queued && c->taken < size_max(least, 1)) {
        return now_us - c->window_us > l->write_timeout * 1000;
    }
    c->taken = 0;
    c->window_us = now_us;
    return false;
}
