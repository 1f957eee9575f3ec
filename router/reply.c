/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Status line and fields in the order they are sent. Texts that come from a request or a database are checked here,
 * at the last step before the wire, so no field can ever be split. */
#include "router/reply.h"

#include <time.h>

#include "common/clock.h"
#include "common/str.h"

#define DATE_MAX 30

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" },
    { 421, "Misdirected Request" },
    { 422, "Unprocessable Content" },
    { 428, "Precondition Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
    { 507, "Insufficient Storage" },
};

const char *reply_reason(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Unknown";
}

bool reply_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

/* RFC 9110 5.6.7; strftime's names would follow the locale. */
static size_t format_date(time_t now, char out[DATE_MAX])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t;
    gmtime_r(&now, &t);
    size_t n = strftime(out, DATE_MAX, "xxx, %d xxx %Y %H:%M:%S GMT", &t);
    memcpy(out, days + 3 * t.tm_wday, 3);
    memcpy(out + 8, months + 3 * t.tm_mon, 3);
    return n;
}

struct slice reply_date(void)
{
    static char text[DATE_MAX];
    static size_t n;
    static int64_t of;
    int64_t now = clock_wall_s();
    if (now != of) {
        n = format_date((time_t)now, text);
        of = now;
    }
    return (struct slice){ text, n };
}

bool reply_value_valid(struct slice value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static void add_number(struct sbuf *out, struct slice name, int64_t value)
{
    sbuf_add(out, name);
    sbuf_int(out, value);
    sbuf_add(out, SLICE("\r\n"));
}

/* name with ": "; nothing when the value is empty or not fit for the wire. */
static void add_field(struct sbuf *out, struct slice name, struct slice value)
{
    if (value.n == 0 || !reply_value_valid(value)) {
        return;
    }
    sbuf_add(out, name);
    sbuf_add(out, value);
    sbuf_add(out, SLICE("\r\n"));
}

static void add_status_line(struct sbuf *out, int status)
{
    if (status == 200) {
        sbuf_add(out, SLICE("HTTP/1.1 200 OK\r\nDate: "));
    } else {
        sbuf_add(out, SLICE("HTTP/1.1 "));
        sbuf_int(out, status);
        sbuf_char(out, ' ');
        sbuf_text(out, reply_reason(status));
        sbuf_add(out, SLICE("\r\nDate: "));
    }
    sbuf_add(out, reply_date());
    sbuf_add(out, SLICE("\r\n"));
}

/* Fields that only some answers have. */
static void add_rare(struct sbuf *out, const struct http_answer *a, const struct reply_frame *f)
{
    bool problem = str_starts(a->content_type, SLICE("application/problem+json"));
    add_field(out, SLICE("ETag: "), a->etag);
    add_field(out, SLICE("Location: "), a->location);
    add_field(out, SLICE("Allow: "), a->allow);
    add_field(out, SLICE("Set-Cookie: "), a->set_cookie);
    add_field(out, SLICE("Content-Security-Policy: "), a->csp);
    add_field(out, SLICE("Referrer-Policy: "), a->referrer_policy);
    add_field(out, SLICE("X-Robots-Tag: "), a->robots);
    add_field(out, SLICE("Content-Language: "),
              problem ? f->lang == LANG_EN ? SLICE("en") : SLICE("es") : a->language);
    if (a->cache_control.n > 0 || problem) {
        add_field(out, SLICE("Cache-Control: "),
                  a->cache_control.n > 0 ? a->cache_control : SLICE("no-store"));
    }
    if (a->status == 401) { /* never without (RFC 9110 11.6.1) */
        add_field(out, SLICE("WWW-Authenticate: "),
                  a->www_authenticate.n > 0 ? a->www_authenticate : SLICE("Bearer"));
    }
    add_field(out, SLICE("RateLimit-Policy: "), a->ratelimit_policy);
    add_field(out, SLICE("RateLimit: "), a->ratelimit);
    if (a->retry_after > 0) {
        add_number(out, SLICE("Retry-After: "), a->retry_after);
    }
    if (a->replayed) {
        sbuf_add(out, SLICE("Idempotency-Replayed: true\r\n"));
    }
}

void reply_head(struct sbuf *out, const struct http_answer *a, const struct reply_frame *f)
{
    add_status_line(out, a->status);
    if (reply_has_body(a->status)) {
        add_field(out, SLICE("Content-Type: "), a->content_type);
        add_number(out, SLICE("Content-Length: "), (int64_t)a->body.n);
    }
    add_field(out, SLICE("X-Request-Id: "), f->request_id);
    sbuf_add(out, SLICE("X-Content-Type-Options: nosniff\r\n"));
    add_rare(out, a, f);
    if (f->close) {
        sbuf_add(out, SLICE("Connection: close\r\n"));
    }
    sbuf_add(out, SLICE("\r\n"));
}
