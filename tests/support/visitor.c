/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One connection for each request: what is tested is pages, not connections. */
#include "tests/support/visitor.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/stack.h"

static const char *origin_field(const struct visitor *v, const char *method)
{
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || (v->origin && !*v->origin)) {
        return "";
    }
    return v->origin ? api_text("Origin: %s\r\n", v->origin)
                     : api_text("Origin: http://%s:%d\r\n", stack_host(), stack_port());
}

static void keep_cookie(struct visitor *v, const struct http_response *r)
{
    const char *field = http_response_header(r, "set-cookie");
    if (field) {
        size_t n = strcspn(field, ";");
        cr_assert_lt(n, sizeof v->cookie);
        memcpy(v->cookie, field, n);
        v->cookie[field[n - 1] == '=' ? 0 : n] = '\0';
    }
}

static void write_request(const struct visitor *v, const char *method, const char *path,
                          const char *type, const char *body, struct http_client *http)
{
    char *text = api_text(
        "%s %s HTTP/1.1\r\nHost: %s:%d\r\nAccept: %s\r\n%s%s%s%s%s%s%s%s%s%s%sConnection: "
        "close\r\n",
        method, path, stack_host(), stack_port(),
        v->program ? "application/json" : "text/html,application/xhtml+xml,*/*;q=0.8",
        v->language ? "Accept-Language: " : "", v->language ? v->language : "",
        v->language ? "\r\n" : "", v->cookie[0] ? "Cookie: " : "", v->cookie,
        v->cookie[0] ? "\r\n" : "", origin_field(v, method), v->headers ? v->headers : "",
        type ? "Content-Type: " : "", type ? type : "", type ? "\r\n" : "");
    http_client_send_text(http, text);
    if (body || strcmp(method, "POST") == 0) {
        http_client_send_text(http, api_text("Content-Length: %zu\r\n", body ? strlen(body) : 0));
    }
    http_client_send_text(http, "\r\n");
    http_client_send_text(http, body ? body : "");
}

const struct http_response *visitor_send(struct visitor *v, const char *method, const char *path,
                                         const char *type, const char *body)
{
    struct http_client http;
    cr_assert_lt(v->count, VISITOR_MAX);
    struct http_response *r = &v->answers[v->count++];
    cr_assert(http_client_open(&http, stack_host(), stack_port()));
    write_request(v, method, path, type, body, &http);
    cr_assert(http_client_read(&http, strcmp(method, "HEAD") == 0, r), "%s %s: no answer", method,
              path);
    http_client_close(&http);
    keep_cookie(v, r);
    return r;
}

const struct http_response *visitor_get(struct visitor *v, const char *path_fmt, ...)
{
    char path[600];
    va_list args;
    va_start(args, path_fmt);
    vsnprintf(path, sizeof path, path_fmt, args);
    va_end(args);
    return visitor_send(v, "GET", path, NULL, NULL);
}

const struct http_response *visitor_post(struct visitor *v, const char *path, const char *form)
{
    return visitor_send(v, "POST", path, "application/x-www-form-urlencoded", form);
}

void visitor_forget(struct visitor *v)
{
    while (v->count > 0) {
        http_response_free(&v->answers[--v->count]);
    }
}

void visitor_open(struct visitor *v, const char *token)
{
    const struct http_response *r = visitor_post(v, api_text("/i/%s", token), "");
    cr_assert_eq(r->status, 303, "opening: %d %s", r->status, r->body);
    cr_assert(v->cookie[0], "no cookie");
}

bool visitor_sees(const struct http_response *r, const char *text)
{
    return strstr(r->body, text) != NULL;
}
