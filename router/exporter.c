/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One path, GET and HEAD, no bodies, a handful of connections. */
#include "router/exporter.h"

#include <stdlib.h>

#define SECOND 1000

struct exporter {
    struct http_limits limits;
    struct http_callbacks callbacks;
    struct http_server *server;
    void (*render)(struct sbuf *out, void *arg);
    void *arg;
};

static void on_head(struct exchange *x, void *arg)
{
    UNUSED(arg);
    http_accept_body(x, 0);
}

static void on_request(struct exchange *x, void *arg)
{
    struct exporter *e = arg;
    if (!slice_eq(x->path, SLICE("/metrics"))) {
        http_problem(x, E_NOT_FOUND, NULL);
        return;
    }
    if (x->method != M_GET && x->method != M_HEAD) {
        http_problem(x, E_METHOD, NULL);
        return;
    }
    struct sbuf text;
    sbuf_init(&text);
    e->render(&text, e->arg);
    http_reply(x, &(struct http_answer){
                      .status = 200,
                      .content_type = SLICE("text/plain; version=0.0.4; charset=utf-8"),
                      .body = sbuf_slice(&text),
                      .cache_control = SLICE("no-store"),
                  });
    sbuf_fini(&text);
}

static void on_gone(struct exchange *x, void *arg)
{
    UNUSED(arg);
    http_drop(x);
}

static void on_end(const struct exchange *x, int status, size_t bytes, void *arg)
{
    UNUSED(x);
    UNUSED(status);
    UNUSED(bytes);
    UNUSED(arg);
}

enum err exporter_new(struct event_base *base, int fd, void (*render)(struct sbuf *out, void *arg),
                      void *arg, struct exporter **out)
{
    struct exporter *e = calloc(1, sizeof(*e));
    if (!e) {
        return E_NOMEM;
    }
    e->render = render;
    e->arg = arg;
    e->limits = (struct http_limits){
        .request_line_max = 1024,
        .header_bytes_max = 8192,
        .header_fields_max = 32,
        .body_max = 0,
        .header_timeout = 5 * SECOND,
        .body_timeout = 5 * SECOND,
        .body_min_rate = 0,
        .body_grace = 5 * SECOND,
        .idle_timeout = 120 * SECOND,
        .write_timeout = 5 * SECOND,
        .requests_per_connection = 100000,
        .unsent_max = 8 << 20,
        .connections_max = 32,
        .connections_per_address = 32,
    };
    e->callbacks = (struct http_callbacks){
        .on_head = on_head,
        .on_request = on_request,
        .on_gone = on_gone,
        .on_end = on_end,
        .arg = e,
    };
    enum err failed = http_new(base, fd, &e->limits, &e->callbacks, NULL, &e->server);
    if (failed != OK) {
        free(e);
        return failed;
    }
    *out = e;
    return OK;
}

void exporter_retire(struct exporter *e)
{
    if (e) {
        http_retire(e->server);
    }
}

void exporter_free(struct exporter *e)
{
    if (e) {
        http_free(e->server);
        free(e);
    }
}
