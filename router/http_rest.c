/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The rest is lazy: the socket stays watched, so that a client that leaves is seen to leave, and what a client sends too
 * early is taken once into the bounded buffer and parsed later. */
#include "router/http_rest.h"

#include "common/clock.h"
#include "router/http_life.h"

#define SECOND_MS INT64_C(1000)

static void note_tenant(struct http_conn *c, const struct exchange *x)
{
    static const struct uuid none;
    if (!x->has_tenant) {
        return;
    }
    c->shared |= !uuid_eq(&c->tenant, &none) && !uuid_eq(&c->tenant, &x->tenant.id);
    c->tenant = x->tenant.id;
}

unsigned http_rest_judge(struct http_conn *c, const struct exchange *x, bool refused)
{
    note_tenant(c, x);
    if (!refused) {
        c->refused = 0;
        return 0;
    }
    int64_t most = c->server->limits->rest_max / SECOND_MS;
    int64_t wanted = INT64_C(1) << (c->refused < 16 ? c->refused++ : 16);
    return c->shared ? 0 : (unsigned)(wanted < most ? wanted : most);
}

void http_rest_begin(struct http_conn *c, unsigned seconds)
{
    http_life_phase(c, HTTP_REST);
    c->deadline_us = clock_mono_us() + seconds * SECOND_MS * 1000;
}

void http_rest_end(struct http_conn *c)
{
    http_life_phase(c, HTTP_IDLE);
    if (c->eof || evbuffer_get_length(bufferevent_get_input(c->bev)) > 0) {
        http_life_wake(c);
    }
}
