/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Answers on their way out. A plain connection with nothing queued is written to directly, head and body in one call and
 * without a copy; what the socket does not take, and everything over TLS, goes through the bufferevent. */
#include "router/http_write.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/log.h"
#include "common/problem.h"
#include "common/uuid.h"
#include "router/html.h"
#include "router/http_exchange.h"
#include "router/http_life.h"
#include "router/http_rest.h"
#include "router/http_unsent.h"
#include "router/reply.h"

#define OUT_KEEP (64u << 10)

static size_t input_waiting(const struct http_conn *c)
{
    return evbuffer_get_length(bufferevent_get_input(c->bev));
}

/* May the answer bypass the output buffer? Not when more pipelined requests wait: their answers leave together. */
static bool goes_directly(const struct http_conn *c, bool last)
{
    return !c->tls && evbuffer_get_length(bufferevent_get_output(c->bev)) == 0 &&
           (last || !c->pumping || input_waiting(c) == 0);
}

/* False: the connection is broken. last: it ends with this answer. */
static bool send_parts(struct http_conn *c, struct slice head, struct slice body, bool last)
{
    size_t sent = 0;
    if (goes_directly(c, last)) {
        struct iovec parts[2] = { { (void *)(uintptr_t)head.p, head.n },
                                  { (void *)(uintptr_t)body.p, body.n } };
        struct msghdr m = { .msg_iov = parts, .msg_iovlen = body.n > 0 ? 2 : 1 };
        ssize_t n = sendmsg(bufferevent_getfd(c->bev), &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        sent = n > 0 ? (size_t)n : 0;
    }
    size_t of_head = size_min(sent, head.n);
    size_t of_body = sent - of_head;
    return http_unsent_add(c, (struct slice){ head.p + of_head, head.n - of_head }) &&
           http_unsent_add(c, (struct slice){ body.p + of_body, body.n - of_body });
}

/* A body that nobody will read: skipped when it is here already, else the connection ends with this answer. */
static bool skip_body(struct http_conn *c, const struct exchange *x)
{
    bool unread = x->has_body && (c->phase == HTTP_DECIDE || c->phase == HTTP_BODY);
    if (!unread) {
        return true;
    }
    if (c->phase == HTTP_BODY || x->chunked || x->content_length > input_waiting(c)) {
        return false;
    }
    evbuffer_drain(bufferevent_get_input(c->bev), (size_t)x->content_length);
    return true;
}

static bool must_close(struct http_conn *c, const struct exchange *x)
{
    return x->close_after || c->server->draining || (c->eof && input_waiting(c) == 0) ||
           c->requests >= c->server->limits->requests_per_connection || !skip_body(c, x);
}

/* The answer is out or queued: what the connection does next. */
static void carry_on(struct http_conn *c)
{
    if (c->pumping) {
        return;
    }
    if (c->phase == HTTP_CLOSING) {
        if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0) {
            http_write_linger(c);
        }
    } else if (c->eof || (input_waiting(c) > 0 && c->phase == HTTP_IDLE)) {
        http_life_wake(c);
    }
}

static void next_phase(struct http_conn *c, bool close, unsigned rest)
{
    if (rest > 0 && !close) {
        http_rest_begin(c, rest);
    } else {
        http_life_phase(c, close ? HTTP_CLOSING : HTTP_IDLE);
    }
}

void http_write_answer(struct http_exchange *hx, const struct http_answer *a)
{
    struct http_server *s = hx->server;
    struct http_conn *c = hx->x.conn;
    if (c == NULL) {
        http_exchange_end(hx, a->status, 0);
        return;
    }
    bool close = must_close(c, &hx->x);
    bool bodyless = hx->x.method == M_HEAD || !reply_has_body(a->status);
    unsigned rest = http_rest_judge(c, &hx->x, a->rest);
    struct http_answer told = *a;
    told.retry_after = rest > 0 ? (int)rest : a->retry_after;
    struct reply_frame frame = { .request_id = slice_of(hx->x.request_id),
                                 .lang = hx->x.lang,
                                 .close = close };
    sbuf_reset(&s->out, OUT_KEEP);
    reply_head(&s->out, &told, &frame);
    struct slice head = sbuf_slice(&s->out);
    struct slice body = bodyless ? (struct slice){ 0 } : a->body;
    bool sent = !sbuf_failed(&s->out) && send_parts(c, head, body, close);
    c->hx = NULL;
    next_phase(c, close, rest);
    http_exchange_end(hx, a->status, head.n + body.n);
    if (!sent) {
        http_life_kill(c);
        return;
    }
    carry_on(c);
}

void http_write_problem(struct http_exchange *hx, enum err e, const struct http_answer *more)
{
    struct http_server *s = hx->server;
    const struct err_info *info = err_info(e);
    struct http_answer a = more != NULL ? *more : (struct http_answer){ 0 };
    char policy[HTML_POLICY_MAX];
    struct slice style;
    strncpy(hx->x.code, info->code, sizeof(hx->x.code) - 1);
    sbuf_reset(&s->doc, OUT_KEEP);
    if (hx->x.page) {
        html_refusal(&s->doc, e, hx->x.lang, &style);
        html_dress(&a, &hx->x, hx->x.lang, style, policy);
        a.content_type = SLICE("text/html; charset=utf-8");
    } else {
        struct problem p = { .err = e };
        problem_write(&s->doc, &p, hx->x.lang, slice_of(hx->x.request_id));
        a.content_type = SLICE("application/problem+json");
    }
    a.status = info->status;
    a.body = sbuf_slice(&s->doc);
    a.retry_after = !info->retryable ? 0 : a.retry_after > 0 ? a.retry_after : 1;
    http_write_answer(hx, &a);
}

void http_write_linger(struct http_conn *c)
{
    int fd = bufferevent_getfd(c->bev);
    if (c->eof) {
        http_life_kill(c);
        return;
    }
    if (c->tls) {
        SSL_shutdown(bufferevent_openssl_get_ssl(c->bev));
        ERR_clear_error();
    }
    shutdown(fd, SHUT_WR);
    evbuffer_drain(bufferevent_get_input(c->bev), input_waiting(c));
    http_life_phase(c, HTTP_LINGER);
}

/* Reading what has come keeps the close from being a reset that would take the answer with it. */
static void close_gently(int fd)
{
    char scratch[4096];
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 16 && recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT) > 0; i++) {
    }
    close(fd);
}

void http_write_overload(struct http_server *s, int fd)
{
    log_seldom(LOG_LEVEL_WARN, "connections_full", "answered 503");
    if (s->tls != NULL) {
        close(fd);
        return;
    }
    char id[UUID_TEXT];
    struct uuid u = uuid_v7();
    uuid_format(&u, id);
    struct problem p = { .err = E_OVERLOADED };
    sbuf_reset(&s->doc, OUT_KEEP);
    problem_write(&s->doc, &p, LANG_ES, slice_of(id));
    struct http_answer a = { .status = err_info(E_OVERLOADED)->status,
                             .content_type = SLICE("application/problem+json"),
                             .body = sbuf_slice(&s->doc),
                             .retry_after = 1 };
    struct reply_frame frame = { .request_id = slice_of(id), .lang = LANG_ES, .close = true };
    sbuf_reset(&s->out, OUT_KEEP);
    reply_head(&s->out, &a, &frame);
    sbuf_add(&s->out, a.body);
    ssize_t n = sbuf_failed(&s->out)
                    ? -1
                    : send(fd, s->out.data, s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    UNUSED(n); /* a fresh socket takes this much, and a gone client needs no answer */
    close_gently(fd);
}
