/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One place where an answer takes its form, so that batched rows, handlers and replays answer alike. */
#include "worker/answer.h"

#include "common/log.h"
#include "common/str.h"

#define RETRY_AFTER_SECONDS 1
#define SEE_OTHER           303
#define URL_PLAIN           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

/* Appends a parameter of the request: nothing that is no id or token, so that nothing is added to an address. */
static void add_param(struct call *c, struct sbuf *out, struct slice name)
{
    for (size_t i = 0; i < c->plan->params.count; i++) {
        const char *text = c->params ? c->params[i].text : NULL;
        bool named = slice_eq(slice_of(c->plan->params.rows[i].name), name);
        if (named && text && text[strspn(text, URL_PLAIN)] == '\0') {
            sbuf_text(out, text);
        }
    }
}

/* Sends a browser to pattern, its {names} filled from the request, with rest behind it. */
static enum err answer_elsewhere(struct call *c, const char *pattern, const char *rest)
{
    struct sbuf to;
    sbuf_init(&to);
    for (const char *p = pattern; *p; p++) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (end) {
            add_param(c, &to, (struct slice){ p + 1, (size_t)(end - p) - 1 });
            p = end;
        } else {
            sbuf_char(&to, *p);
        }
    }
    if (rest) {
        sbuf_text(&to, strchr(pattern, '?') ? "&problem=" : "?problem=");
        sbuf_text(&to, rest);
    }
    const char *text = sbuf_failed(&to) ? NULL : arena_text(c->arena, sbuf_slice(&to));
    sbuf_fini(&to);
    c->reply.status = SEE_OTHER;
    c->reply.content = CONTENT_NONE;
    c->reply.no_store = true;
    c->reply.location = slice_of(text);
    return text ? OK : E_NOMEM;
}

void answer_body(struct call *c, enum frame_content content, struct slice body)
{
    if (c->route->success == SEE_OTHER) {
        (void)answer_elsewhere(c, c->route->location, NULL);
        return;
    }
    c->reply.status = (uint16_t)c->route->success;
    c->reply.content = content;
    c->reply.body = body;
}

/* "\"7\"" */
static enum err set_etag(struct call *c, const char *version)
{
    size_t n = strlen(version);
    char *text = arena_take(c->arena, n + 3);
    if (!text) {
        return E_NOMEM;
    }
    text[0] = '"';
    memcpy(text + 1, version, n);
    text[n + 1] = '"';
    c->reply.etag = (struct slice){ .p = text, .n = n + 2 };
    return OK;
}

/* RFC 9110 13.1.2: any listed tag, compared weakly, or "*". */
static bool none_match_hits(struct slice field, struct slice etag)
{
    struct slice rest = field;
    while (rest.p && rest.n) {
        struct slice tag = str_trim(str_cut(&rest, ','));
        if (str_starts(tag, SLICE("W/"))) {
            tag.p += 2;
            tag.n -= 2;
        }
        if (slice_eq(tag, etag) || slice_eq(tag, SLICE("*"))) {
            return true;
        }
    }
    return false;
}

bool answer_unchanged(struct call *c)
{
    if (!method_is_safe(c->req->method) || !none_match_hits(c->req->if_none_match, c->reply.etag)) {
        return false;
    }
    c->reply.status = 304;
    c->reply.content = CONTENT_NONE;
    return true;
}

/* "/api/v1/clients/{id}" with the row's id. */
static enum err set_location(struct call *c, const char *id)
{
    const char *pattern = c->route->location;
    const char *at = strstr(pattern, "{id}");
    size_t before = (size_t)(at - pattern), n = strlen(id), after = strlen(at + 4);
    char *text = arena_take(c->arena, before + n + after + 1);
    if (!text) {
        return E_NOMEM;
    }
    memcpy(text, pattern, before);
    memcpy(text + before, id, n);
    memcpy(text + before + n, at + 4, after);
    c->reply.location = (struct slice){ .p = text, .n = before + n + after };
    return OK;
}

static enum err answer_one(struct call *c, const PGresult *rows)
{
    const struct render_plan *plan = &c->plan->render;
    if (PQntuples(rows) == 0) {
        return E_NOT_FOUND;
    }
    if (c->route->etag) {
        TRY(set_etag(c, PQgetvalue(rows, 0, plan->version)));
        if (answer_unchanged(c)) {
            return OK;
        }
    }
    if (c->route->location) {
        TRY(set_location(c, PQgetvalue(rows, 0, plan->id)));
    }
    render_row(plan, rows, 0, c->body);
    answer_body(c, CONTENT_JSON, sbuf_slice(c->body));
    return OK;
}

/* next_cursor for the row shown last; E_INTERNAL when the list's SQL lacks key or id. */
static enum err add_cursor(struct call *c, const PGresult *rows, int last)
{
    const struct route_plan *p = c->plan;
    size_t sort = 0;
    if (p->row->sorts[1].name) {
        const char *name = c->params[p->page_at + 2].text;
        while (p->row->sorts[sort].name && strcmp(p->row->sorts[sort].name, name) != 0) {
            sort++;
        }
    }
    const struct sort *s = &p->row->sorts[sort];
    int key = PQfnumber(rows, s->key), id = PQfnumber(rows, "id");
    if (key < 0 || id < 0) {
        return E_INTERNAL;
    }
    sbuf_char(c->body, '"');
    page_cursor(s, PQgetvalue(rows, last, key), PQgetvalue(rows, last, id), c->body);
    sbuf_char(c->body, '"');
    return OK;
}

static enum err answer_page(struct call *c, const PGresult *rows)
{
    const struct route_plan *p = c->plan;
    int total = PQntuples(rows);
    int limit = p->paged ? (int)c->params[p->page_at].number : ROUTE_PAGE_MAX;
    int shown = total > limit ? limit : total;
    sbuf_text(c->body, "{\"data\":[");
    for (int i = 0; i < shown; i++) {
        if (i > 0) {
            sbuf_char(c->body, ',');
        }
        render_row(&p->render, rows, i, c->body);
    }
    sbuf_text(c->body, "],\"next_cursor\":");
    if (total > shown && p->paged) {
        TRY(add_cursor(c, rows, shown - 1));
    } else {
        sbuf_text(c->body, "null");
    }
    sbuf_char(c->body, '}');
    answer_body(c, CONTENT_JSON, sbuf_slice(c->body));
    return OK;
}

static enum err answer_none(struct call *c)
{
    c->reply.status = (uint16_t)c->route->success;
    c->reply.content = CONTENT_NONE;
    return OK;
}

enum err answer_rows(struct call *c, const PGresult *rows)
{
    sbuf_reset(c->body, SIZE_MAX);
    if (c->route->success == SEE_OTHER) {
        return answer_elsewhere(c, c->route->location, NULL);
    }
    if (c->route->shape == SHAPE_NONE || !rows) {
        return answer_none(c);
    }
    if (PQnfields(rows) < (int)c->plan->render.fields || c->plan->render.count == 0) {
        log_event(LOG_LEVEL_ERROR, "columns_mismatch", "route", c->route->path, NULL);
        return E_INTERNAL;
    }
    TRY(c->route->shape == SHAPE_PAGE ? answer_page(c, rows) : answer_one(c, rows));
    if (sbuf_failed(c->body)) {
        log_event(LOG_LEVEL_ERROR, "render_failed", "route", c->route->path, NULL);
        return E_INTERNAL;
    }
    return OK;
}

/* What modules tell each other is none of the client's business. */
static enum err public_err(enum err e)
{
    bool inner = e == E_AGAIN || e == E_CLOSED || e == E_IO || e == E_CONFIG;
    return e == E_NOMEM ? E_OVERLOADED : inner ? E_INTERNAL : e;
}

static uint16_t retry_after(const struct problem *p, const struct err_info *info)
{
    if (!info->retryable || info->status < 429) {
        return 0;
    }
    return (uint16_t)(p->retry_after_s ? size_min(p->retry_after_s, UINT16_MAX)
                                       : RETRY_AFTER_SECONDS);
}

/* What is said on the page that the form is on, since whoever sent it can go on there. A link that is over, a session that ended
 * and a practice that is closed have no such page; what passes by itself is not worth leaving this one. */
static bool leads_back(const struct call *c, const struct err_info *info)
{
    enum err e = c->problem.err;
    return c->route && c->route->back && info->status < 500 && info->status != 410 &&
           e != E_UNAUTHENTICATED && e != E_TOKEN_EXPIRED && e != E_TENANT_SUSPENDED;
}

void answer_problem(struct call *c)
{
    c->problem.err = public_err(c->problem.err);
    const struct err_info *info = err_info(c->problem.err);
    if (leads_back(c, info) && answer_elsewhere(c, c->route->back, info->code) == OK) {
        c->reply.code = slice_of(info->code);
        return;
    }
    struct slice allow = c->reply.allow;
    bool no_store = c->reply.no_store;
    sbuf_reset(c->body, SIZE_MAX);
    problem_write(c->body, &c->problem, c->req->lang, c->req->request_id);
    c->reply = (struct frame_reply){
        .status = (uint16_t)info->status,
        .content = CONTENT_PROBLEM,
        .retry_after = retry_after(&c->problem, info),
        .no_store = no_store,
        .code = slice_of(info->code),
        .allow = allow,
        .body = sbuf_slice(c->body),
    };
}
