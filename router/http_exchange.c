/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Exchanges: a pool of them, and how a parsed head becomes one. All their slices point into their own arena, so an
 * exchange may outlive its connection. */
#include "router/http_exchange.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/str.h"
#include "common/uuid.h"

/* Everything but the arena, whose block is kept, starts from zero. */
static void reset(struct http_exchange *hx)
{
    struct arena arena = hx->x.arena;
    memset(&hx->x, 0, sizeof(hx->x));
    hx->x.arena = arena;
    hx->next = NULL;
}

struct http_exchange *http_exchange_take(struct http_conn *c)
{
    struct http_server *s = c->server;
    struct http_exchange *hx = s->spare;
    if (hx != NULL) {
        s->spare = hx->next;
        s->spare_count--;
    } else {
        hx = calloc(1, sizeof(*hx));
        if (hx == NULL) {
            return NULL;
        }
        arena_init(&hx->x.arena, HTTP_ARENA_MAX);
        sbuf_init(&hx->body);
        hx->server = s;
    }
    reset(hx);
    s->live++;
    hx->x.conn = c;
    hx->x.start_us = c->start_us;
    hx->x.method = M_OTHER;
    c->hx = hx;
    return hx;
}

static void maybe_free(struct http_server *s)
{
    if (s->freed && s->live == 0) {
        sbuf_fini(&s->out);
        sbuf_fini(&s->doc);
        free(s);
    }
}

static void give(struct http_exchange *hx)
{
    struct http_server *s = hx->server;
    s->live--;
    if (s->freed || s->spare_count >= HTTP_SPARE_MAX) {
        arena_fini(&hx->x.arena);
        sbuf_fini(&hx->body);
        free(hx);
        maybe_free(s);
        return;
    }
    arena_reset(&hx->x.arena);
    sbuf_reset(&hx->body, HTTP_BODY_KEEP);
    hx->next = s->spare;
    s->spare = hx;
    s->spare_count++;
}

void http_exchange_end(struct http_exchange *hx, int status, size_t bytes)
{
    struct http_server *s = hx->server;
    hx->x.conn = NULL;
    if (hx->x.state != X_DONE) {
        exchange_set_state(&hx->x, X_DONE);
    }
    if (s->cb.on_end != NULL && !s->freed) {
        s->cb.on_end(&hx->x, status, bytes, s->cb.arg);
    }
    give(hx);
}

void http_exchange_last(struct http_server *s)
{
    while (s->spare != NULL) {
        struct http_exchange *hx = s->spare;
        s->spare = hx->next;
        arena_fini(&hx->x.arena);
        sbuf_fini(&hx->body);
        free(hx);
    }
    s->freed = true;
    maybe_free(s);
}

/* The client's id when it is harmless in logs and fields, else one of ours. */
static void set_request_id(struct exchange *x, struct slice theirs)
{
    bool good = theirs.n > 0 && theirs.n <= FRAME_ID_MAX;
    for (size_t i = 0; good && i < theirs.n; i++) {
        char c = theirs.p[i];
        good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '.' || c == '_' || c == '-';
    }
    if (good) {
        memcpy(x->request_id, theirs.p, theirs.n);
        x->request_id[theirs.n] = '\0';
        return;
    }
    struct uuid id = uuid_v7();
    uuid_format(&id, x->request_id);
}

static const struct {
    enum http1_name name;
    size_t offset; /* of a struct slice in struct exchange */
    bool drop;     /* in another encoding it counts as absent */
} kept[] = {
    { H1_AUTHORIZATION, offsetof(struct exchange, authorization), false },
    { H1_CONTENT_TYPE, offsetof(struct exchange, content_type), false },
    { H1_ACCEPT_ENCODING, offsetof(struct exchange, accept_encoding), false },
    { H1_IF_MATCH, offsetof(struct exchange, if_match), false },
    { H1_IF_NONE_MATCH, offsetof(struct exchange, if_none_match), false },
    { H1_IDEMPOTENCY_KEY, offsetof(struct exchange, idempotency_key), false },
    { H1_TRACEPARENT, offsetof(struct exchange, traceparent), false },
    { H1_HOST, offsetof(struct exchange, host), true },
    { H1_ACCEPT, offsetof(struct exchange, accept), true },
    { H1_COOKIE, offsetof(struct exchange, cookie), true },
    { H1_ORIGIN, offsetof(struct exchange, origin), true },
    { H1_FETCH_SITE, offsetof(struct exchange, fetch_site), true },
    { H1_USER_AGENT, offsetof(struct exchange, user_agent), true },
};

/* What goes on to slots and logs is text: a field in another encoding is refused or dropped. */
static enum err set_fields(struct exchange *x, const char *head, const struct http1_head *h)
{
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        struct slice value = http1_text(head, h->fields[kept[i].name]);
        bool text = str_utf8_valid(value);
        if (!text && !kept[i].drop) {
            return E_BAD_REQUEST;
        }
        *(struct slice *)(void *)((char *)x + kept[i].offset) = text ? value : (struct slice){ 0 };
    }
    return OK;
}

static enum err set_path(struct exchange *x, const char *head, const struct http1_head *h)
{
    x->target = http1_text(head, h->target);
    x->query = http1_text(head, h->query);
    struct slice raw = http1_text(head, h->path);
    if (raw.n == 0) {
        raw = SLICE("/"); /* "http://host" and "http://host?query" */
    }
    if (raw.p[0] != '/') {
        x->path = raw; /* "*" of OPTIONS */
        return OK;
    }
    char *out = arena_take(&x->arena, raw.n);
    if (out == NULL) {
        return E_OVERLOADED;
    }
    size_t n = 0;
    TRY(http1_path(raw, out, &n));
    x->path = (struct slice){ out, n };
    return OK;
}

enum err http_exchange_fill(struct http_exchange *hx, const char *head, bool whole)
{
    struct exchange *x = &hx->x;
    const struct http1_head *h = &x->conn->head;
    struct slice peer = slice_of(x->conn->address);
    char *copy = arena_take(&x->arena, h->line + peer.n);
    if (copy == NULL) {
        set_request_id(x, (struct slice){ 0 });
        return E_OVERLOADED;
    }
    memcpy(copy, head, h->line);
    memcpy(copy + h->line, peer.p, peer.n);
    x->peer = (struct slice){ copy + h->line, peer.n };
    memcpy(x->source.b, x->conn->peer->key, sizeof(x->source.b));
    x->method_text = http1_text(copy, h->method);
    if (x->method_text.n > 0) {
        x->method = method_parse(x->method_text);
    }
    set_request_id(x, http1_text(copy, h->fields[H1_REQUEST_ID]));
    x->lang = err_lang(http1_text(copy, h->fields[H1_ACCEPT_LANGUAGE]));
    if (!whole) {
        return OK;
    }
    x->close_after = h->close;
    x->chunked = h->chunked;
    x->content_length = h->content_length;
    x->has_body = h->chunked || h->content_length > 0;
    TRY(set_path(x, copy, h));
    TRY(set_fields(x, copy, h));
    return x->method == M_OTHER ? E_NOT_IMPLEMENTED : OK;
}
