/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Heads of answers: the exact text, what each status may carry, and that no value can split a field. */
#include "router/reply.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct sbuf out;

static const char *render(const struct http_answer *a, bool close)
{
    struct reply_frame f = { .request_id = SLICE("id-1"), .lang = LANG_EN, .close = close };
    sbuf_fini(&out);
    reply_head(&out, a, &f);
    return out.data;
}

static void tear_down(void)
{
    sbuf_fini(&out);
}

TestSuite(reply, .fini = tear_down);

Test(reply, plain)
{
    struct http_answer a = { .status = 200,
                             .content_type = SLICE("application/json"),
                             .body = SLICE("{}") };
    char want[256];
    struct slice date = reply_date();
    snprintf(want, sizeof(want),
             "HTTP/1.1 200 OK\r\nDate: %.*s\r\nContent-Type: application/json\r\n"
             "Content-Length: 2\r\nX-Request-Id: id-1\r\nX-Content-Type-Options: nosniff\r\n\r\n",
             (int)date.n, date.p);
    cr_expect_str_eq(render(&a, false), want);
}

Test(reply, every_field)
{
    struct http_answer a = { .status = 201,
                             .content_type = SLICE("a/b"),
                             .etag = SLICE("\"7\""),
                             .location = SLICE("/x/1"),
                             .allow = SLICE("GET"),
                             .cache_control = SLICE("no-store"),
                             .csp = SLICE("default-src 'self'"),
                             .set_cookie = SLICE("a=b"),
                             .referrer_policy = SLICE("no-referrer"),
                             .robots = SLICE("noindex"),
                             .language = SLICE("es"),
                             .retry_after = 9,
                             .replayed = true };
    const char *text = render(&a, true);
    const char *want[] = { "HTTP/1.1 201 Created\r\n",
                           "\r\nETag: \"7\"\r\n",
                           "\r\nLocation: /x/1\r\n",
                           "\r\nAllow: GET\r\n",
                           "\r\nCache-Control: no-store\r\n",
                           "\r\nContent-Security-Policy: default-src 'self'\r\n",
                           "\r\nRetry-After: 9\r\n",
                           "\r\nIdempotency-Replayed: true\r\n",
                           "\r\nContent-Length: 0\r\n",
                           "\r\nSet-Cookie: a=b\r\n",
                           "\r\nReferrer-Policy: no-referrer\r\n",
                           "\r\nX-Robots-Tag: noindex\r\n",
                           "\r\nContent-Language: es\r\n",
                           "\r\nConnection: close\r\n\r\n" };
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        cr_expect_not_null(strstr(text, want[i]), "%s", want[i]);
    }
}

Test(reply, statuses_without_body)
{
    static const int statuses[] = { 204, 304 };
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct http_answer a = { .status = statuses[i],
                                 .content_type = SLICE("a/b"),
                                 .etag = SLICE("\"1\"") };
        const char *text = render(&a, false);
        cr_expect_null(strstr(text, "\r\nContent-Length"));
        cr_expect_null(strstr(text, "\r\nContent-Type"));
        cr_expect_not_null(strstr(text, "ETag"));
        cr_expect_not(reply_has_body(statuses[i]));
    }
    cr_expect(reply_has_body(200) && reply_has_body(404) && !reply_has_body(100));
}

Test(reply, problems_say_their_language_and_are_not_stored)
{
    struct http_answer a = { .status = 401, .content_type = SLICE("application/problem+json") };
    const char *text = render(&a, false);
    cr_expect_not_null(strstr(text, "\r\nContent-Language: en\r\n"));
    cr_expect_not_null(strstr(text, "\r\nCache-Control: no-store\r\n"));
    cr_expect_not_null(strstr(text, "\r\nWWW-Authenticate: Bearer\r\n"));
    a.www_authenticate = SLICE("Bearer realm=\"r\"");
    text = render(&a, false);
    cr_expect_not_null(strstr(text, "\r\nWWW-Authenticate: Bearer realm=\"r\"\r\n"));
    cr_expect_null(strstr(text, "WWW-Authenticate: Bearer\r\n"));
}

Test(reply, values_cannot_split_fields)
{
    static const struct slice bad[] = {
        SLICE("a\r\nSet-Cookie: x"),
        SLICE("a\nb"),
        SLICE("a\rb"),
        SLICE("a\0b"),
        SLICE("\x7f"),
        SLICE("\x1b[2J"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_answer a = { .status = 200,
                                 .content_type = bad[i],
                                 .etag = bad[i],
                                 .location = bad[i],
                                 .allow = bad[i],
                                 .cache_control = bad[i],
                                 .csp = bad[i],
                                 .set_cookie = bad[i],
                                 .referrer_policy = bad[i],
                                 .robots = bad[i],
                                 .language = bad[i] };
        const char *text = render(&a, false);
        cr_expect_eq(strlen(text), out.len);
        cr_expect_null(strstr(text, "Set-Cookie"));
        cr_expect_null(strstr(text, "ETag"));
        cr_expect_null(strstr(text, "Location"));
        cr_expect_not(reply_value_valid(bad[i]), "row %zu", i);
    }
    cr_expect(reply_value_valid(SLICE("caf\xc3\xa9\t x")));
}

Test(reply, reasons)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        int status = err_info((enum err)e)->status;
        cr_expect_str_neq(reply_reason(status), "Unknown", "%d", status);
    }
    cr_expect_str_eq(reply_reason(799), "Unknown");
}

Test(reply, date_has_the_fixed_form)
{
    struct slice d = reply_date();
    cr_expect_eq(d.n, 29);
    cr_expect_eq(d.p[3], ',');
    cr_expect_eq(memcmp(d.p + 26, "GMT", 3), 0);
    cr_expect_eq(reply_date().p, d.p, "rendered once a second");
}
