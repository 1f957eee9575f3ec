/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The request head, line by line. A line is judged when its LF has come or its limit is passed, so the outcome does
 * not depend on how the bytes arrived; the search for the LF goes on where it stopped. */
#include "router/http1.h"

#include "common/str.h"
#include "router/http1_bytes.h"

#define METHOD_MAX 32
#define DIGITS_MAX 18 /* of Content-Length: never overflows 64 bits */

/* once: a second field of the name makes the request ambiguous, so it is refused. */
static const struct known_field {
    struct slice name;
    bool once;
} known_fields[H1_COUNT] = {
    [H1_HOST] = { SLICE("Host"), true },
    [H1_CONTENT_LENGTH] = { SLICE("Content-Length"), true },
    [H1_TRANSFER_ENCODING] = { SLICE("Transfer-Encoding"), true },
    [H1_CONNECTION] = { SLICE("Connection"), false },
    [H1_EXPECT] = { SLICE("Expect"), true },
    [H1_CONTENT_TYPE] = { SLICE("Content-Type"), true },
    [H1_AUTHORIZATION] = { SLICE("Authorization"), true },
    [H1_USER_AGENT] = { SLICE("User-Agent"), true },
    [H1_ACCEPT_LANGUAGE] = { SLICE("Accept-Language"), false },
    [H1_ACCEPT_ENCODING] = { SLICE("Accept-Encoding"), false },
    [H1_IF_MATCH] = { SLICE("If-Match"), true },
    [H1_IF_NONE_MATCH] = { SLICE("If-None-Match"), true },
    [H1_IDEMPOTENCY_KEY] = { SLICE("Idempotency-Key"), true },
    [H1_TRACEPARENT] = { SLICE("traceparent"), true },
    [H1_REQUEST_ID] = { SLICE("X-Request-Id"), true },
    [H1_ACCEPT] = { SLICE("Accept"), false },
    [H1_COOKIE] = { SLICE("Cookie"), true }, /* RFC 6265 5.4: one at the most */
    [H1_ORIGIN] = { SLICE("Origin"), true },
    [H1_FETCH_SITE] = { SLICE("Sec-Fetch-Site"), true },
};

bool http1_is_token(unsigned char byte)
{
    return http1_is(byte, HTTP1_TOKEN);
}

bool http1_is_value(unsigned char byte)
{
    return http1_is(byte, HTTP1_VALUE);
}

static bool all_of(struct slice s, unsigned set)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!http1_is((unsigned char)s.p[i], set)) {
            return false;
        }
    }
    return true;
}

static bool is_token(struct slice s)
{
    return s.n > 0 && all_of(s, HTTP1_TOKEN);
}

void http1_head_init(struct http1_head *h)
{
    memset(h, 0, sizeof(*h));
}

struct slice http1_text(const char *head, struct http1_span span)
{
    if (span.at == 0 && span.n == 0) {
        return (struct slice){ 0 };
    }
    return (struct slice){ .p = head + span.at, .n = span.n };
}

static struct http1_span span_of(struct slice in, struct slice part)
{
    return (struct http1_span){ .at = (uint32_t)(part.p - in.p), .n = (uint32_t)part.n };
}

/* "HTTP/1.0" and "HTTP/1.1" only; another well-formed version is 505. */
static enum err read_version(struct http1_head *h, struct slice s)
{
    if (s.n != 8 || memcmp(s.p, "HTTP/", 5) != 0 || s.p[6] != '.' || s.p[5] < '0' || s.p[5] > '9' ||
        s.p[7] < '0' || s.p[7] > '9') {
        return E_BAD_REQUEST;
    }
    if (s.p[5] != '1' || s.p[7] > '1') {
        return E_HTTP_VERSION;
    }
    h->minor = (unsigned)(s.p[7] - '0');
    h->close = h->minor == 0;
    return OK;
}

/* Everything from the first slash (or '?') of a target: path and query. */
static enum err read_path(struct http1_head *h, struct slice in, struct slice s)
{
    const char *mark = s.n > 0 ? memchr(s.p, '?', s.n) : NULL;
    struct slice path = { s.p, mark != NULL ? (size_t)(mark - s.p) : s.n };
    if (!all_of(path, HTTP1_PATH)) {
        return E_BAD_REQUEST;
    }
    h->path = span_of(in, path);
    if (mark == NULL) {
        return OK;
    }
    struct slice query = { mark + 1, s.n - path.n - 1 };
    h->query = span_of(in, query);
    return all_of(query, HTTP1_QUERY) ? OK : E_BAD_REQUEST;
}

/* RFC 9112 3.2: origin-form, absolute-form (http and https), asterisk-form for OPTIONS. CONNECT is no business of ours. */
static enum err read_target(struct http1_head *h, struct slice in, struct slice method,
                            struct slice s)
{
    if (slice_eq(method, SLICE("CONNECT"))) {
        return E_NOT_IMPLEMENTED;
    }
    if (s.n > 0 && s.p[0] == '/') {
        return read_path(h, in, s);
    }
    if (slice_eq(s, SLICE("*")) && slice_eq(method, SLICE("OPTIONS"))) {
        h->path = h->target;
        return OK;
    }
    size_t scheme = s.n > 7 && str_ieq((struct slice){ s.p, 7 }, SLICE("http://"))    ? 7
                    : s.n > 8 && str_ieq((struct slice){ s.p, 8 }, SLICE("https://")) ? 8
                                                                                      : 0;
    if (scheme == 0) {
        return E_BAD_REQUEST;
    }
    size_t end = scheme;
    while (end < s.n && s.p[end] != '/' && s.p[end] != '?') {
        end++;
    }
    h->authority = span_of(in, (struct slice){ s.p + scheme, end - scheme });
    return read_path(h, in, (struct slice){ s.p + end, s.n - end });
}

static enum err read_request_line(struct http1_head *h, struct slice in, struct slice line)
{
    struct slice rest = line;
    struct slice method = str_cut(&rest, ' ');
    if (!is_token(method) || method.n > METHOD_MAX) {
        return E_BAD_REQUEST;
    }
    struct slice target = str_cut(&rest, ' ');
    if (target.n == 0 || rest.p == NULL) {
        return E_BAD_REQUEST;
    }
    h->method = span_of(in, method);
    h->target = span_of(in, target);
    TRY(read_version(h, rest));
    return read_target(h, in, method, target);
}

static enum http1_name find_field(struct slice name)
{
    for (size_t i = 0; i < H1_COUNT; i++) {
        if (known_fields[i].name.n == name.n && str_ieq(known_fields[i].name, name)) {
            return (enum http1_name)i;
        }
    }
    return H1_COUNT;
}

/* Digits only, no leading zero; one blank before them, none behind. */
static enum err read_length(struct http1_head *h, struct slice raw)
{
    if (raw.n > 0 && raw.p[0] == ' ') {
        raw.p++;
        raw.n--;
    }
    if (raw.n == 0 || raw.n > DIGITS_MAX || (raw.p[0] == '0' && raw.n > 1)) {
        return E_BAD_REQUEST;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] < '0' || raw.p[i] > '9') {
            return E_BAD_REQUEST;
        }
        v = v * 10 + (uint64_t)(raw.p[i] - '0');
    }
    h->content_length = v;
    return OK;
}

/* RFC 9112 6.1: only "chunked" is known. A list of codings that ends in chunked, or lacks it, is unknown (501);
 * anything else cannot be framed. */
static enum err read_coding(struct http1_head *h, struct slice value)
{
    if (str_ieq(value, SLICE("chunked"))) {
        h->chunked = true;
        return OK;
    }
    if (value.n == 0) {
        return E_BAD_REQUEST;
    }
    for (struct slice rest = value; rest.p != NULL;) {
        struct slice coding = str_trim(str_cut(&rest, ','));
        if (!is_token(coding) || (rest.p != NULL && str_ieq(coding, SLICE("chunked")))) {
            return E_BAD_REQUEST;
        }
    }
    return E_NOT_IMPLEMENTED;
}

static enum err read_connection(struct http1_head *h, struct slice value)
{
    for (struct slice rest = value; rest.p != NULL;) {
        struct slice option = str_trim(str_cut(&rest, ','));
        if (!all_of(option, HTTP1_TOKEN)) {
            return E_BAD_REQUEST;
        }
        h->close |= str_ieq(option, SLICE("close"));
    }
    return OK;
}

static enum err keep_field(struct http1_head *h, struct slice in, struct slice name,
                           struct slice raw)
{
    enum http1_name id = find_field(name);
    if (id == H1_COUNT) {
        return OK;
    }
    struct slice value = str_trim(raw);
    if (id == H1_TRANSFER_ENCODING && memchr(raw.p, '\t', raw.n) != NULL) {
        return E_BAD_REQUEST; /* a blank to some readers, part of the coding's name to others */
    }
    if (h->fields[id].at != 0) {
        return known_fields[id].once ? E_BAD_REQUEST
               : id == H1_CONNECTION ? read_connection(h, value)
                                     : OK;
    }
    h->fields[id] = value.n > 0 ? span_of(in, value) : span_of(in, (struct slice){ raw.p, 0 });
    return id == H1_CONTENT_LENGTH ? read_length(h, raw)
           : id == H1_CONNECTION   ? read_connection(h, value)
                                   : OK;
}

/* A line that starts with a blank (obs-fold) fails here too: a blank is no token. */
static enum err read_field(struct http1_head *h, struct slice in, struct slice line)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (colon == NULL) {
        return E_BAD_REQUEST;
    }
    struct slice name = { line.p, (size_t)(colon - line.p) };
    struct slice raw = { colon + 1, line.n - name.n - 1 };
    if (!is_token(name) || !all_of(raw, HTTP1_VALUE)) {
        return E_BAD_REQUEST;
    }
    return keep_field(h, in, name, raw);
}

/* host [":" port] of RFC 3986 3.2.2 without escapes: what no two readers split differently. */
static bool authority_valid(struct slice s)
{
    size_t host = 0;
    if (s.n > 0 && s.p[0] == '[') {
        const char *end = memchr(s.p, ']', s.n);
        host = end != NULL ? (size_t)(end - s.p) + 1 : 0;
        if (host < 4 || !all_of((struct slice){ s.p + 1, host - 2 }, HTTP1_IPV6)) {
            return false;
        }
    } else {
        while (host < s.n && http1_is((unsigned char)s.p[host], HTTP1_HOST)) {
            host++;
        }
    }
    if (host == 0 || host == s.n) {
        return host > 0;
    }
    struct slice port = { s.p + host + 1, s.n - host - 1 };
    int64_t number = 0;
    return s.p[host] == ':' && str_int(port, 1, 65535, &number) == OK;
}

static enum err check_host(const struct http1_head *h, struct slice in)
{
    struct slice host = http1_text(in.p, h->fields[H1_HOST]);
    if (host.p == NULL) {
        return h->minor == 0 && h->authority.at == 0 ? OK : E_BAD_REQUEST;
    }
    if (!authority_valid(host)) {
        return E_BAD_REQUEST;
    }
    return h->authority.at == 0 || str_ieq(host, http1_text(in.p, h->authority)) ? OK
                                                                                 : E_BAD_REQUEST;
}

/* RFC 9112 6: exactly one way to know where the body ends. */
static enum err check_framing(struct http1_head *h, struct slice in)
{
    struct slice coding = http1_text(in.p, h->fields[H1_TRANSFER_ENCODING]);
    if (coding.p == NULL) {
        return OK;
    }
    if (h->fields[H1_CONTENT_LENGTH].at != 0 || h->minor == 0) {
        return E_BAD_REQUEST;
    }
    return read_coding(h, coding);
}

static enum err check_head(struct http1_head *h, struct slice in)
{
    TRY(check_host(h, in));
    TRY(check_framing(h, in));
    struct slice expect = http1_text(in.p, h->fields[H1_EXPECT]);
    if (expect.p == NULL || h->minor == 0) {
        return OK;
    }
    h->expect_continue = str_ieq(expect, SLICE("100-continue"));
    return h->expect_continue ? OK : E_EXPECTATION;
}

/* Finds the end of the present line: OK with *line (without CRLF), E_AGAIN, or over_limit when it does not end within
 * max bytes of the line's start. */
static enum err next_line(struct http1_head *h, struct slice in, size_t max, struct slice *line)
{
    size_t stop = size_min(in.n, h->line + max);
    const char *lf = h->scan < stop ? memchr(in.p + h->scan, '\n', stop - h->scan) : NULL;
    if (lf == NULL) {
        h->scan = size_max(h->scan, stop);
        return E_AGAIN;
    }
    size_t end = (size_t)(lf - in.p);
    if (end == h->line || in.p[end - 1] != '\r') {
        return E_BAD_REQUEST;
    }
    *line = (struct slice){ in.p + h->line, end - 1 - h->line };
    h->line = h->scan = end + 1;
    return OK;
}

/* A request line without end within its limit: a method that never ends is no request line at all. */
static enum err line_too_long(struct slice in)
{
    const char *blank = memchr(in.p, ' ', size_min(in.n, METHOD_MAX + 1));
    return blank != NULL ? E_URI_TOO_LONG : E_BAD_REQUEST;
}

static enum err head_line(struct http1_head *h, struct slice in, const struct http1_limits *limits)
{
    struct slice line;
    if (in.n > 0 && !http1_is_token((unsigned char)in.p[0])) {
        return E_BAD_REQUEST; /* nothing that starts like this becomes a request: do not wait for the line */
    }
    enum err e = next_line(h, in, limits->line_max + 2, &line);
    if (e == E_AGAIN && in.n >= limits->line_max + 2) {
        return line_too_long(in);
    }
    TRY(e);
    h->block = h->line;
    return read_request_line(h, in, line);
}

enum err http1_head_read(struct http1_head *h, struct slice in, const struct http1_limits *limits)
{
    if (h->block == 0) {
        TRY(head_line(h, in, limits));
    }
    for (;;) {
        struct slice line;
        size_t end = h->block + limits->block_max; /* the block may reach up to here */
        enum err e = next_line(h, in, end - h->line, &line);
        if (e == E_AGAIN && in.n >= end) {
            return E_HEADERS_TOO_LARGE;
        }
        TRY(e);
        if (line.n == 0) {
            h->size = h->line;
            return check_head(h, in);
        }
        if (++h->count > limits->fields_max) {
            return E_HEADERS_TOO_LARGE;
        }
        TRY(read_field(h, in, line));
    }
}
