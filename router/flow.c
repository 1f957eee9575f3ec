/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The steps in order. on_head refuses as much as the head alone can tell, so that no body is read for nothing. */
#include "router/flow.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/link_token.h"
#include "common/media.h"
#include "common/problem.h"
#include "common/secret.h"
#include "common/str.h"
#include "router/cookie.h"
#include "router/html.h"
#include "router/origin.h"
#include "router/static.h"

#define GUEST "guest" /* the role of who has no account */

/* ---- answers ---- */

static void refuse_token(struct exchange *x, enum err e)
{
    bool given = x->authorization.n > 0;
    struct http_answer a = {
        .www_authenticate = given ? SLICE("Bearer realm=\"gremio\", error=\"invalid_token\"")
                                  : SLICE("Bearer realm=\"gremio\""),
    };
    http_problem(x, e, &a);
}

static void refuse_method(struct exchange *x, uint32_t allow)
{
    char text[64];
    struct http_answer a = { 0 };
    method_list(allow, text);
    a.allow = slice_of(text);
    http_problem(x, E_METHOD, &a);
}

/* What was not even looked at because too much is asked, by all or by its source, may come again later: its connection
 * rests until then. */
static void refuse(struct exchange *x, enum err e)
{
    x->shed = e == E_OVERLOADED || e == E_RATE_LIMITED;
    http_problem(x, e, &(struct http_answer){ .rest = x->shed });
}

/* With the fields of draft-ietf-httpapi-ratelimit-headers. */
static void refuse_rate(const struct flow *f, struct exchange *x)
{
    char limit[96], state[32];
    const struct settings *s = f->settings;
    int64_t rate = x->by[0] == 'a'   ? s->link_rate
                   : x->by[0] == 'p' ? s->public_rate
                                     : s->tenant_rate;
    snprintf(limit, sizeof(limit), "\"%s\";q=%" PRId64 ";w=1", x->by, rate);
    snprintf(state, sizeof(state), "\"%s\";r=0;t=1", x->by);
    x->shed = true;
    http_problem(x, E_RATE_LIMITED,
                 &(struct http_answer){ .ratelimit_policy = slice_of(limit),
                                        .ratelimit = slice_of(state),
                                        .rest = true });
}

static void answer_json(struct exchange *x, int status, struct slice body)
{
    struct http_answer a = {
        .status = status,
        .content_type = SLICE("application/json"),
        .body = body,
        .cache_control = SLICE("no-store"),
        .retry_after = status == 503 ? 1 : 0,
    };
    http_reply(x, &a);
}

static struct slice content_type(enum frame_content content)
{
    switch (content) {
    case CONTENT_NONE:
        return (struct slice){ 0 };
    case CONTENT_JSON:
        return SLICE("application/json");
    case CONTENT_PROBLEM:
        return SLICE("application/problem+json");
    case CONTENT_TEXT:
        return SLICE("text/plain; charset=utf-8");
    case CONTENT_HTML:
        return SLICE("text/html; charset=utf-8");
    case CONTENT_SVG:
        return SLICE("image/svg+xml");
    case CONTENT_CALENDAR:
        return SLICE("text/calendar; charset=utf-8");
    case CONTENT_COUNT:
        break;
    }
    return SLICE("application/octet-stream");
}

/* Does a browser reach us, or whoever stands in front of us, over TLS? */
static bool is_secure(const struct settings *s)
{
    return s->tls_certificate[0] != '\0' || str_starts(slice_of(s->public_url), SLICE("https://"));
}

/* What a slot refuses, said to a person. */
static void answer_page_refusal(struct exchange *x, const struct frame_reply *r)
{
    int e = OK + 1;
    while (e < ERR_COUNT && !slice_eq(slice_of(err_info((enum err)e)->code), r->code)) {
        e++;
    }
    http_problem(x, (enum err)e,
                 &(struct http_answer){ .allow = r->allow, .retry_after = r->retry_after });
}

static void answer_reply(const struct flow *f, struct exchange *x, const struct frame_reply *r)
{
    char policy[HTML_POLICY_MAX];
    struct sbuf cookie;
    struct http_answer a = {
        .status = r->status,
        .content_type = content_type(r->content),
        .body = r->body,
        .etag = r->etag,
        .location = r->location,
        .allow = r->allow,
        /* without Authorization nothing tells a cache that it is somebody's own (RFC 9111 3.5) */
        .cache_control = r->no_store || x->has_cookie ? SLICE("no-store") : (struct slice){ 0 },
        .retry_after = r->retry_after,
        .replayed = r->replayed,
    };
    size_t n = size_min(r->code.n, sizeof(x->code) - 1);
    memcpy(x->code, r->code.n ? r->code.p : "", n);
    x->code[n] = '\0';
    x->queue_us = r->queue_us;
    x->db_us = r->db_us;
    if (r->content == CONTENT_PROBLEM && x->page) {
        answer_page_refusal(x, r);
        return;
    }
    if (r->content == CONTENT_HTML) {
        html_dress(&a, x, r->lang, r->style, policy);
    }
    sbuf_init(&cookie);
    if (r->sets_cookie &&
        cookie_write(&cookie, is_secure(f->settings), r->cookie, r->cookie_age_s) == OK) {
        a.set_cookie = sbuf_slice(&cookie);
    }
    http_reply(x, &a);
    sbuf_fini(&cookie);
}

static void count_shed(struct flow *f, enum err e, bool admitted)
{
    if (e == E_RATE_LIMITED) {
        metrics_shed(&f->metrics, SHED_TENANT);
    } else if (e == E_OVERLOADED) {
        metrics_shed(&f->metrics, admitted ? SHED_QUEUE : SHED_PROCESS);
    } else if (e == E_UNAVAILABLE) {
        metrics_shed(&f->metrics, SHED_NO_SLOT);
    } else if (e == E_POISON) {
        metrics_shed(&f->metrics, SHED_POISON);
    }
}

void flow_on_done(struct exchange *x, enum err status, const struct frame_reply *reply, void *arg)
{
    struct flow *f = arg;
    admit_leave(f->admit, x);
    if (status != OK) {
        count_shed(f, status, true);
        refuse(x, status);
        return;
    }
    answer_reply(f, x, reply);
}

/* ---- steps of the head ---- */

/* /healthz and /readyz answer under any load. True when x is answered. */
static bool serve_health(const struct flow *f, struct exchange *x)
{
    bool alive = slice_eq(x->path, SLICE("/healthz"));
    if (!alive && !slice_eq(x->path, SLICE("/readyz"))) {
        return false;
    }
    if (x->method != M_GET && x->method != M_HEAD) {
        refuse_method(x, 1u << M_GET | 1u << M_HEAD);
        return true;
    }
    if (alive) {
        answer_json(x, 200, SLICE("{\"status\":\"ok\"}"));
        return true;
    }
    struct health h;
    struct sbuf body;
    f->get_health(&h, f->health_arg);
    sbuf_init(&body);
    health_write(&h, &body);
    answer_json(x, health_ready(&h) ? 200 : 503, sbuf_slice(&body));
    sbuf_fini(&body);
    return true;
}

/* A path that no slot announced. */
static void serve_other(const struct flow *f, struct exchange *x, const struct route_match *m)
{
    if (m->path_known && x->method == M_OPTIONS) {
        char allow[64];
        method_list(m->allow | 1u << M_OPTIONS, allow);
        http_reply(x, &(struct http_answer){ .status = 204, .allow = slice_of(allow) });
    } else if (m->path_known) {
        refuse_method(x, m->allow | 1u << M_OPTIONS);
    } else if (!static_serve(x, f->settings->static_dir)) {
        /* A process that has met no slot yet does not know what exists. */
        bool known = routes_map(f->routes)->count > 0;
        http_problem(x, known ? E_NOT_FOUND : E_UNAVAILABLE, NULL);
    }
}

static bool is_guest(const struct exchange *x)
{
    return x->principal.present && strcmp(x->principal.role, GUEST) == 0;
}

/* The bearer token; without any, what the guest's cookie holds. */
static enum err take_token(const struct flow *f, struct exchange *x, struct slice *token)
{
    if (x->authorization.n > 0 || x->cookie.n == 0) {
        return token_bearer(x->authorization, token);
    }
    x->has_cookie = true;
    enum err e = cookie_find(x->cookie, cookie_name(is_secure(f->settings)), token);
    return e == OK ? OK : E_UNAUTHENTICATED;
}

static enum err authenticate(const struct flow *f, struct exchange *x)
{
    struct token_rules rules = {
        .issuer = f->settings->issuer,
        .audience = f->settings->audience,
        .keys = directory_keys(f->directory),
    };
    struct slice token;
    TRY(take_token(f, x, &token));
    if (!directory_loaded(f->directory) || rules.keys->count == 0) {
        return E_UNAVAILABLE; /* just started: nobody can be told from anybody */
    }
    TRY(token_cache_verify(f->tokens, &rules, token, &x->principal));
    return !x->has_cookie || is_guest(x) ? OK
                                         : E_UNAUTHENTICATED; /* no others' in a browser's jar */
}

/* May the tenant's requests of this method go on, as the directory knows it now? */
static enum err gate_tenant(const struct flow *f, struct exchange *x, const struct uuid *id)
{
    const struct tenant *t = directory_find(f->directory, id);
    if (!t) {
        return directory_in_step(f->directory) ? E_UNAUTHENTICATED : E_UNAVAILABLE;
    }
    x->tenant = *t;
    x->source = t->id;
    x->has_tenant = true;
    if (x->kind == KIND_AUTH) {
        return OK; /* about the account, or the link, not the practice: whoever works there may leave */
    }
    switch (t->state) {
    case TENANT_ACTIVE:
        return OK;
    case TENANT_READ_ONLY:
        return method_is_safe(x->method) ? OK : E_TENANT_READ_ONLY;
    case TENANT_SUSPENDED:
    case TENANT_CLOSING:
        return E_TENANT_SUSPENDED;
    case TENANT_MIGRATING:
    case TENANT_PROVISIONING:
        return E_TENANT_BUSY;
    case TENANT_STATE_COUNT:
        break;
    }
    return E_INTERNAL;
}

/* The practice of that public name, if it is at work. Every other goes to a slot without one, and so does a name that is nobody's: the answer is the same, so
 * that nobody learns which practices there are. */
static enum err find_slug(const struct flow *f, struct exchange *x, struct slice slug)
{
    const struct tenant *t = directory_find_slug(f->directory, slug);
    uint8_t digest[32];
    secret_digest(slug, digest);
    memcpy(x->name.b, digest, sizeof(x->name.b));
    if (!t && !directory_in_step(f->directory)) {
        return E_UNAVAILABLE; /* it may only be new */
    }
    x->has_tenant = t && t->state == TENANT_ACTIVE;
    if (x->has_tenant) {
        x->tenant = *t;
        x->source = t->id;
    }
    return OK;
}

/* The practice that the link in the path is of. A token that is none, or whose practice is not there, goes to a slot without
 * one: it answers as if the secret were wrong, so that nobody learns which practices there are. */
static enum err find_link(const struct flow *f, struct exchange *x, struct slice text)
{
    struct link_token token;
    if (!directory_loaded(f->directory)) {
        return E_UNAVAILABLE;
    }
    if (link_token_parse(text, &token) != OK) {
        return OK;
    }
    struct uuid id = link_token_tenant(&token);
    explicit_bzero(&token, sizeof(token));
    enum err e = gate_tenant(f, x, &id);
    return e == E_UNAUTHENTICATED ? OK : e;
}

/* A cookie comes along whoever made the browser ask: what changes something must come from a page of ours. A page that works
 * without a cookie still refuses what is known to come from elsewhere. */
static enum err check_origin(const struct flow *f, const struct exchange *x,
                             const struct route_entry *row)
{
    bool must = x->has_cookie;
    if (method_is_safe(x->method) || (!must && !row->page)) {
        return OK;
    }
    enum origin from = origin_of(x, is_secure(f->settings), slice_of(f->settings->public_url));
    return from == ORIGIN_OWN || (from == ORIGIN_UNKNOWN && !must) ? OK : E_FOREIGN_ORIGIN;
}

/* Who asks, and of which practice. */
static enum err identify(const struct flow *f, struct exchange *x, const struct route_entry *row,
                         struct slice first_name)
{
    if (x->by_slug) {
        TRY(find_slug(f, x, first_name));
    } else if (row->by_link) {
        TRY(find_link(f, x, first_name));
    } else if (!row->open) {
        TRY(authenticate(f, x));
        TRY(gate_tenant(f, x, &x->principal.tenant));
    }
    return check_origin(f, x, row);
}

/* Who comes by a link or as a stranger takes of the address's own share first, so that guessing at links, or a guest who is a program, leaves
 * the practice most of its own. Strangers of many addresses together leave the rest of it to those who work there. */
static enum err take_rates(const struct flow *f, struct exchange *x, const struct uuid *address)
{
    const struct settings *s = f->settings;
    struct rate_rules link = { .per_s = s->link_rate, .burst = s->link_burst };
    struct rate_rules strangers = { .per_s = s->public_rate, .burst = s->public_burst };
    struct rate_rules rules = { .per_s = s->tenant_rate, .burst = s->tenant_burst };
    int64_t now = clock_mono_us();
    x->by = "address";
    if (x->by_link || x->by_slug || is_guest(x)) {
        TRY(rate_take(f->link_rate, &link, address, now));
    }
    x->by = "public";
    if (x->by_slug) { /* whether it is a practice's or not, which the rate must not tell */
        TRY(rate_take(f->link_rate, &strangers, &x->name, now));
    }
    x->by = "tenant";
    return rate_take(f->rate, &rules, &x->source, now);
}

static enum err check_body(const struct flow *f, const struct exchange *x, bool form, uint64_t *max)
{
    uint64_t own = (uint64_t)f->settings->limits.body_max;
    *max = *max < own ? *max : own;
    if (!x->has_body) {
        return OK;
    }
    if (x->content_length > *max || *max == 0) {
        return E_BODY_TOO_LARGE;
    }
    bool fits = media_is(x->content_type, MEDIA_JSON) ||
                (form && media_is(x->content_type, MEDIA_FORM));
    return fits ? OK : E_UNSUPPORTED_MEDIA;
}

/* The cheapest refusals first. */
static enum err check_head(const struct flow *f, struct exchange *x, const struct route_entry *row,
                           struct slice first_name, uint64_t *max)
{
    const struct uuid address = x->source;
    if (admit_is_full(f->admit)) {
        return E_OVERLOADED;
    }
    TRY(identify(f, x, row, first_name));
    TRY(take_rates(f, x, &address));
    return check_body(f, x, row->form, max);
}

static void refuse_head(struct flow *f, struct exchange *x, enum err e)
{
    if (e == E_UNAUTHENTICATED || e == E_TOKEN_EXPIRED) {
        refuse_token(x, e);
    } else if (e == E_RATE_LIMITED) {
        metrics_shed(&f->metrics, SHED_RATE);
        refuse_rate(f, x);
    } else {
        if (e == E_OVERLOADED) {
            metrics_shed(&f->metrics, SHED_PROCESS);
        }
        refuse(x, e);
    }
}

static void on_head(struct exchange *x, void *arg)
{
    struct flow *f = arg;
    struct route_match match;
    if (serve_health(f, x)) {
        return;
    }
    route_map_find(routes_map(f->routes), x->method, x->path, &match);
    if (match.row < 0) {
        serve_other(f, x, &match);
        return;
    }
    const struct route_entry *row = &routes_map(f->routes)->rows[match.row];
    uint64_t max = row->max_body;
    memcpy(x->route, row->pattern, sizeof(x->route));
    x->kind = row->kind;
    x->by_slug = route_map_by_slug(row);
    x->by_link = row->by_link && !x->by_slug;
    x->page = row->page && html_wanted(x->accept);
    enum err e = check_head(f, x, row, match.params[0], &max);
    if (e == OK) {
        http_accept_body(x, max);
    } else {
        refuse_head(f, x, e);
    }
}

/* ---- the whole request ---- */

static int64_t deadline_us(const struct flow *f, enum slot_kind kind)
{
    const struct settings *s = f->settings;
    int64_t ms = kind == KIND_SLOW ? s->slow_timeout : s->request_timeout;
    return clock_mono_us() + ms * 1000;
}

/* The practice may have changed while the body came. */
static enum err gate_again(const struct flow *f, struct exchange *x)
{
    struct uuid id = x->tenant.id;
    if (!x->has_tenant) {
        return OK;
    }
    if (x->by_slug) {
        const struct tenant *t = directory_find(f->directory, &id);
        x->has_tenant = t && t->state == TENANT_ACTIVE;
        return OK;
    }
    enum err e = gate_tenant(f, x, &id);
    if (x->by_link && e == E_UNAUTHENTICATED) {
        x->has_tenant = false; /* gone: as if it had never been */
        return OK;
    }
    return e;
}

static enum err admit_and_send(struct flow *f, struct exchange *x)
{
    TRY(gate_again(f, x));
    TRY(admit_enter(f->admit, x, (size_t)f->settings->inflight_per_tenant));
    x->deadline_us = deadline_us(f, x->kind);
    return dispatch_send(f->dispatch, x);
}

static void on_request(struct exchange *x, void *arg)
{
    struct flow *f = arg;
    enum err e = admit_and_send(f, x);
    if (e != OK) {
        count_shed(f, e, x->admitted);
        admit_leave(f->admit, x);
        refuse(x, e);
    }
}

/* A client that closed its sending side may have left or may still read. What a slot works on is answered, for its work
 * is spent either way; what waits in line gives up its place, so that nobody waits behind clients who left. */
static void on_gone(struct exchange *x, void *arg)
{
    struct flow *f = arg;
    if (x->conn && (x->state == X_SENT || x->state == X_STARTED)) {
        return;
    }
    dispatch_gone(f->dispatch, x);
    admit_leave(f->admit, x);
    if (x->conn) {
        refuse(x, E_OVERLOADED);
    } else {
        http_drop(x);
    }
}

static void on_end(const struct exchange *x, int status, size_t bytes, void *arg)
{
    struct flow *f = arg;
    int64_t total_us = clock_mono_us() - x->start_us;
    metrics_count(&f->metrics, x->id ? (unsigned)x->kind : KIND_COUNT, status, bytes, total_us);
    if (f->settings->access_log) {
        access_log_write(f->access_log, x, status, bytes, total_us);
    }
}

struct http_callbacks flow_callbacks(struct flow *f)
{
    return (struct http_callbacks){
        .on_head = on_head,
        .on_request = on_request,
        .on_gone = on_gone,
        .on_end = on_end,
        .arg = f,
    };
}
