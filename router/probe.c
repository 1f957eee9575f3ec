/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The echo behind --probe-listen: every method the router knows is answered 200, so that an outside suite sees the
 * protocol alone. One line per request on standard output: who sits in front can compare counts. */
#include "router/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/proc.h"

struct probe {
    struct http_server *server;
};

static void on_head(struct exchange *x, void *arg)
{
    UNUSED(arg);
    http_accept_body(x, PROBE_BODY_MAX);
}

static void on_request(struct exchange *x, void *arg)
{
    UNUSED(arg);
    struct http_answer a = { .status = 200, .content_type = SLICE("text/plain"), .body = x->body };
    http_reply(x, &a);
}

static void on_gone(struct exchange *x, void *arg)
{
    UNUSED(arg);
    http_drop(x);
}

static void on_end(const struct exchange *x, int status, size_t bytes, void *arg)
{
    UNUSED(bytes);
    UNUSED(arg);
    printf("%d %s %zu\n", status, method_name(x->method), x->body.n);
}

enum err probe_new(struct event_base *base, const char *address, const struct http_limits *limits,
                   struct sbuf *why, struct probe **out)
{
    struct http_callbacks cb = {
        .on_head = on_head,
        .on_request = on_request,
        .on_gone = on_gone,
        .on_end = on_end,
    };
    struct probe *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        sbuf_text(why, "out of memory");
        return E_NOMEM;
    }
    int fd = proc_listen_tcp(address, false, why);
    if (fd < 0) {
        free(p);
        return E_IO;
    }
    enum err e = http_new(base, fd, limits, &cb, NULL, &p->server);
    if (e != OK) {
        sbuf_text(why, "out of memory");
        close(fd);
        free(p);
        return e;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    *out = p;
    return OK;
}

void probe_free(struct probe *p)
{
    if (p == NULL) {
        return;
    }
    http_free(p->server);
    free(p);
}
