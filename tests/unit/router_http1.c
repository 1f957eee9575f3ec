/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The strict parser: what is accepted, what is refused with which error, and that the cut of the bytes never matters. */
#include "router/http1.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const struct http1_limits limits = { .line_max = 8192,
                                            .block_max = 16384,
                                            .fields_max = 64 };

static enum err read_whole(struct slice in, struct http1_head *h)
{
    http1_head_init(h);
    return http1_head_read(h, in, &limits);
}

/* Byte by byte, each time from a fresh copy: nothing may depend on where the buffer lies. */
static enum err read_dripped(struct slice in, struct http1_head *h)
{
    http1_head_init(h);
    enum err e = E_AGAIN;
    for (size_t n = 0; n <= in.n && e == E_AGAIN; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, in.p, n);
        e = http1_head_read(h, (struct slice){ copy, n }, &limits);
        free(copy);
    }
    return e;
}

#define HOST "Host: a.example\r\n"
#define GET  "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\n" HOST
#define CASE(text, want)  \
    {                     \
        SLICE(text), want \
    }

static const struct {
    struct slice in;
    enum err want;
} cases[] = {
    CASE(GET "\r\n", OK),
    CASE("", E_AGAIN),
    CASE("GET / HTTP/1.1\r\nHost: a", E_AGAIN),
    CASE(GET, E_AGAIN),
    /* line ends */
    CASE("GET / HTTP/1.1\nHost: a\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: a\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: a\r\n\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\rHost: a\r\n\r\n", E_BAD_REQUEST),
    CASE(GET "X: a\rb\r\n\r\n", E_BAD_REQUEST),
    CASE("\r\n" GET "\r\n", E_BAD_REQUEST),
    CASE("\n" GET "\r\n", E_BAD_REQUEST),
    CASE("  \r\n\r\n", E_BAD_REQUEST),
    CASE("\x16\x03\x01", E_BAD_REQUEST),
    /* request line */
    CASE("GET  / HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET /  HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1 \r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET\t/ HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET /\r\n", E_BAD_REQUEST),
    CASE("GET\r\n", E_BAD_REQUEST),
    CASE("G(T / HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDD / HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("foobar / HTTP/1.1\r\n" HOST "\r\n", OK),
    CASE("GET / HTTP/1.2\r\n" HOST "\r\n", E_HTTP_VERSION),
    CASE("GET / HTTP/2.0\r\n" HOST "\r\n", E_HTTP_VERSION),
    CASE("GET / HTTP/9.9\r\n" HOST "\r\n", E_HTTP_VERSION),
    CASE("GET / HTTP/1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/01.01\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/ 1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET / http/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", E_HTTP_VERSION),
    /* target */
    CASE("GET /pa th HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET /a#b HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET /a\\b HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET /\0a HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET /caf\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET /?q=\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET /?filter[day]={x}|y HTTP/1.1\r\n" HOST "\r\n", OK),
    CASE("GET a/b HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET * HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", OK),
    CASE("CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n", E_NOT_IMPLEMENTED),
    CASE("GET http://a.example/x HTTP/1.1\r\n" HOST "\r\n", OK),
    CASE("GET HTTPS://A.example HTTP/1.1\r\n" HOST "\r\n", OK),
    CASE("GET http://a.example?q HTTP/1.1\r\n" HOST "\r\n", OK),
    CASE("GET http://b.example/x HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET http://u@a.example/x HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET http:///x HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET ftp://a.example/x HTTP/1.1\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE("GET http://a.example/x HTTP/1.0\r\n\r\n", E_BAD_REQUEST),
    /* field lines */
    CASE(GET "X: a\r\n b\r\n\r\n", E_BAD_REQUEST),
    CASE(GET "X: a\r\n\tb\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n", E_BAD_REQUEST),
    CASE(GET "X : a\r\n\r\n", E_BAD_REQUEST),
    CASE(GET "X\r\n\r\n", E_BAD_REQUEST),
    CASE(GET ": a\r\n\r\n", E_BAD_REQUEST),
    CASE(GET "X[]: a\r\n\r\n", E_BAD_REQUEST),
    CASE(GET "X\xc3\xab: a\r\n\r\n", E_BAD_REQUEST),
    CASE(GET "X: a\0b\r\n\r\n", E_BAD_REQUEST),
    CASE(GET "X: a\x07\r\n\r\n", E_BAD_REQUEST),
    CASE(GET "X: a\x7f\r\n\r\n", E_BAD_REQUEST),
    CASE(GET "X: caf\xc3\xa9\tb\r\n\r\n", OK),
    CASE(GET "X:\r\n\r\n", OK),
    CASE(GET "Content-Type: a/b\r\ncontent-type: a/c\r\n\r\n", E_BAD_REQUEST),
    CASE(GET "If-Match: \"1\"\r\nIf-Match: \"2\"\r\n\r\n", E_BAD_REQUEST),
    CASE(GET "Accept-Language: es\r\nAccept-Language: en\r\n\r\n", OK),
    /* Host */
    CASE("GET / HTTP/1.1\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.0\r\n\r\n", OK),
    CASE("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", E_BAD_REQUEST),
    CASE(GET HOST "\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost:\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: a:\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: a:0\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: a:8000\r\n\r\n", OK),
    CASE("GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", OK),
    CASE("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: []\r\n\r\n", E_BAD_REQUEST),
    CASE("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", E_BAD_REQUEST),
    /* framing */
    CASE(POST "Content-Length: 5\r\n\r\n", OK),
    CASE(POST "Content-Length: 0\r\n\r\n", OK),
    CASE(POST "Content-Length:5\r\n\r\n", OK),
    CASE(POST "Content-Length:  5\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length:\t5\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length: 5 \r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length: 05\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length: +5\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length: -0\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length: 0x5\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length: 5, 5\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length:\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length: 99999999999999999999\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Content-Length : 5\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding: chunked\r\n\r\n", OK),
    CASE(POST "Transfer-Encoding: Chunked \r\n\r\n", OK),
    CASE(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding: chunked, gzip\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding: chunked,\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding: , chunked\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding: chunked\t\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding:\tchunked\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding:\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding: \x0b"
              "chunked\r\n\r\n",
         E_BAD_REQUEST),
    CASE(POST "Transfer-Encoding: gzip\r\n\r\n", E_NOT_IMPLEMENTED),
    CASE(POST "Transfer-Encoding: xchunked\r\n\r\n", E_NOT_IMPLEMENTED),
    CASE(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", E_NOT_IMPLEMENTED),
    CASE("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", E_BAD_REQUEST),
    CASE(POST "Expect: 100-continue\r\n\r\n", OK),
    CASE(POST "Expect: 200-ok\r\n\r\n", E_EXPECTATION),
    CASE("POST / HTTP/1.0\r\nExpect: 200-ok\r\n\r\n", OK),
    CASE(GET "Connection: a b\r\n\r\n", E_BAD_REQUEST),
};

Test(http1, table)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http1_head whole, dripped;
        enum err got = read_whole(cases[i].in, &whole);
        cr_expect_eq(got, cases[i].want, "case %zu: %d, wanted %d: %.*s", i, got, cases[i].want,
                     (int)cases[i].in.n, cases[i].in.p);
        cr_expect_eq(read_dripped(cases[i].in, &dripped), got, "case %zu differs dripped", i);
        if (got == OK) {
            cr_expect(memcmp(&whole, &dripped, sizeof(whole)) == 0, "case %zu", i);
        }
    }
}

Test(http1, keeps_what_is_needed)
{
    static const char text[] =
        "PATCH /a/b?x=1&y=%20 HTTP/1.1\r\nhost: h\r\nAUTHORIZATION:  Bearer t \r\n"
        "X-Other: 1\r\nConnection: keep-alive, Close\r\nIf-Match: \"7\"\r\n"
        "Content-Length: 12\r\n\r\nbody";
    struct http1_head h;
    cr_assert_eq(read_whole(slice_of(text), &h), OK);
    cr_expect(slice_eq(http1_text(text, h.method), SLICE("PATCH")));
    cr_expect(slice_eq(http1_text(text, h.target), SLICE("/a/b?x=1&y=%20")));
    cr_expect(slice_eq(http1_text(text, h.path), SLICE("/a/b")));
    cr_expect(slice_eq(http1_text(text, h.query), SLICE("x=1&y=%20")));
    cr_expect(slice_eq(http1_text(text, h.fields[H1_AUTHORIZATION]), SLICE("Bearer t")));
    cr_expect(slice_eq(http1_text(text, h.fields[H1_IF_MATCH]), SLICE("\"7\"")));
    cr_expect_null(http1_text(text, h.fields[H1_TRACEPARENT]).p);
    cr_expect(h.close);
    cr_expect_eq(h.content_length, 12);
    cr_expect_eq(h.size, sizeof(text) - 1 - 4);
    cr_expect_eq(h.minor, 1);
}

/* A head of a request line of line bytes, and fields filler field lines whose block is block bytes long. */
static size_t make_head(char *out, size_t line, size_t fields, size_t block)
{
    size_t n = (size_t)sprintf(out, "GET /");
    while (n < line - 9) {
        out[n++] = 'a';
    }
    n += (size_t)sprintf(out + n, " HTTP/1.1\r\n");
    size_t start = n;
    n += (size_t)sprintf(out + n, "Host: h\r\n");
    for (size_t i = 2; i < fields; i++) {
        n += (size_t)sprintf(out + n, "X:\r\n");
    }
    n += (size_t)sprintf(out + n, "Y:");
    while (n - start < block - 4) {
        out[n++] = 'b';
    }
    return n + (size_t)sprintf(out + n, "\r\n\r\n");
}

Test(http1, limits_are_exact)
{
    static const struct {
        size_t line, fields, block;
        enum err want;
    } rows[] = {
        { 8192, 2, 100, OK },
        { 8193, 2, 100, E_URI_TOO_LONG },
        { 20000, 2, 100, E_URI_TOO_LONG },
        { 100, 64, 600, OK },
        { 100, 65, 600, E_HEADERS_TOO_LARGE },
        { 100, 2, 16384, OK },
        { 100, 2, 16385, E_HEADERS_TOO_LARGE },
        { 100, 2, 40000, E_HEADERS_TOO_LARGE },
        { 8192, 64, 16384, OK },
    };
    static char text[65536];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http1_head h;
        struct slice in = { text, make_head(text, rows[i].line, rows[i].fields, rows[i].block) };
        cr_expect_eq(read_whole(in, &h), rows[i].want, "row %zu", i);
        cr_expect_eq(read_dripped(in, &h), rows[i].want, "row %zu dripped", i);
    }
}

Test(http1, endless_lines_end)
{
    static char text[40000];
    struct http1_head h;
    memset(text, 'A', sizeof(text));
    cr_expect_eq(read_dripped((struct slice){ text, sizeof(text) }, &h), E_BAD_REQUEST);
    memcpy(text, "GET /", 5);
    cr_expect_eq(read_dripped((struct slice){ text, sizeof(text) }, &h), E_URI_TOO_LONG);
    cr_expect_leq(h.scan, limits.line_max + 2);
}

static const struct {
    struct slice in;
    const char *out; /* NULL: refused with E_BAD_REQUEST */
} paths[] = {
    { SLICE("/"), "/" },
    { SLICE("/a/b/"), "/a/b/" },
    { SLICE("/a%20b"), "/a b" },
    { SLICE("/caf%C3%a9"), "/caf\xc3\xa9" },
    { SLICE("/a;b=c:d@e"), "/a;b=c:d@e" },
    { SLICE("/.well-known/..x"), "/.well-known/..x" },
    { SLICE("/%25"), "/%" },
    { SLICE(""), NULL },
    { SLICE("a"), NULL },
    { SLICE("/%"), NULL },
    { SLICE("/%2"), NULL },
    { SLICE("/%zz"), NULL },
    { SLICE("/%00"), NULL },
    { SLICE("/a%0d%0ab"), NULL },
    { SLICE("/%7f"), NULL },
    { SLICE("/%2f"), NULL },
    { SLICE("/%5C"), NULL },
    { SLICE("/a/../b"), NULL },
    { SLICE("/a/%2e%2E"), NULL },
    { SLICE("/./a"), NULL },
    { SLICE("/."), NULL },
    { SLICE("//"), NULL },
    { SLICE("//a"), NULL },
    { SLICE("/a//b"), NULL },
    { SLICE("/%c0%af"), NULL },
    { SLICE("/%ed%a0%80"), NULL },
    { SLICE("/%ff"), NULL },
    { SLICE("/a?b"), NULL },
};

Test(http1, path)
{
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char out[64];
        size_t n = 0;
        enum err e = http1_path(paths[i].in, out, &n);
        cr_expect_eq(e, paths[i].out != NULL ? OK : E_BAD_REQUEST, "path %zu", i);
        if (e == OK) {
            cr_expect(slice_eq((struct slice){ out, n }, slice_of(paths[i].out)), "path %zu", i);
        }
    }
}

struct chunk_result {
    enum err e;
    size_t taken, size;
    char data[4096];
};

/* Feeds at most piece bytes at a time. */
static void read_chunks(struct slice in, size_t piece, struct chunk_result *r)
{
    struct http1_chunk c;
    http1_chunk_init(&c, 100, 40);
    memset(r, 0, sizeof(*r));
    r->e = E_AGAIN;
    while (r->taken < in.n && r->e == E_AGAIN) {
        struct slice data, part = { in.p + r->taken, size_min(piece, in.n - r->taken) };
        size_t used = 0;
        r->e = http1_chunk_read(&c, part, &used, &data);
        cr_assert(used > 0 && used <= part.n);
        memcpy(r->data + r->size, data.p != NULL ? data.p : "", data.n);
        r->size += data.n;
        r->taken += used;
    }
}

#define END "0\r\n\r\n"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
static const struct {
    struct slice in;
    enum err want;
    const char *body;
} chunks[] = {
    { SLICE(END), OK, "" },
    { SLICE("5\r\nhello\r\n" END), OK, "hello" },
    { SLICE("5\r\nhello\r\n6\r\n world\r\n" END "next"), OK, "hello world" },
    { SLICE("a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n"), OK, "01234567890123456789" },
    { SLICE("1;a\r\nx\r\n0;b=c;d=\"e;\\\"\t\"\r\n\r\n"), OK, "x" },
    { SLICE("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n"), OK, "x" },
    { SLICE("5\r\nhel"), E_AGAIN, "hel" },
    { SLICE("5\r\nhello\r\n"), E_AGAIN, "hello" },
    { SLICE("64\r\n"), E_AGAIN, "" },
    { SLICE("65\r\n"), E_BODY_TOO_LARGE, "" },
    { SLICE("60\r\n" X64 "01234567890123456789012345678901\r\n5\r\n"), E_BODY_TOO_LARGE,
      X64 "01234567890123456789012345678901" },
    { SLICE("0\r\nA: 0123456789012345678901234567890123456789\r\n\r\n"), E_HEADERS_TOO_LARGE, "" },
    { SLICE("1;" X64 X64 X64 X64 "\r\n"), E_BAD_REQUEST, "" },
    { SLICE("1;" X64 X64 X64 "\r\nx\r\n0;" X64 "\r\n\r\n"), E_BAD_REQUEST, "x" },
    { SLICE("\r\n"), E_BAD_REQUEST, "" },
    { SLICE(" 5\r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("5 \r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("0x5\r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("+5\r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("-0\r\n\r\n"), E_BAD_REQUEST, "" },
    { SLICE("1_0\r\n"), E_BAD_REQUEST, "" },
    { SLICE("5 junk\r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("000000005\r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("FFFFFFFFFFFFFFFF0\r\n"), E_BAD_REQUEST, "" },
    { SLICE("5\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("5\rhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("5\r\nhello\n"), E_BAD_REQUEST, "hello" },
    { SLICE("5\r\nhello0\r\n"), E_BAD_REQUEST, "hello" },
    { SLICE("5\r\nhello!!\r\n"), E_BAD_REQUEST, "hello" },
    { SLICE("5;\r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("5;\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("5;bad[=x\r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("5;a=\r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("5;a=\"b\r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("5;\0ext\r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("5;a\rX\r\nhello\r\n"), E_BAD_REQUEST, "" },
    { SLICE("0\r\n\n"), E_BAD_REQUEST, "" },
    { SLICE("0\r\n: a\r\n\r\n"), E_BAD_REQUEST, "" },
    { SLICE("0\r\n a: b\r\n\r\n"), E_BAD_REQUEST, "" },
    { SLICE("0\r\nA: b\n\r\n"), E_BAD_REQUEST, "" },
    { SLICE("0\r\nA : b\r\n\r\n"), E_BAD_REQUEST, "" },
    { SLICE("0\r\nContent-Length: 5\r\n\r\n"), E_BAD_REQUEST, "" },
    { SLICE("1\r\nx\r\n0\r\nA: b\r\ntransfer-ENCODING:x\r\n"), E_BAD_REQUEST, "x" },
    { SLICE("0\r\nhost:\r\n\r\n"), E_BAD_REQUEST, "" },
    { SLICE("0\r\nAuthorization: Bearer x\r\n\r\n"), E_BAD_REQUEST, "" },
    { SLICE("0\r\nContent-Lengths: 5\r\nHos: t\r\n\r\n"), OK, "" },
    { SLICE("0\r\nProxy-Authorization-Of-Mine: x\r\n\r\n"), OK, "" },
};

Test(http1, chunks)
{
    static struct chunk_result whole, dripped;
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        read_chunks(chunks[i].in, chunks[i].in.n, &whole);
        read_chunks(chunks[i].in, 1, &dripped);
        cr_expect_eq(whole.e, chunks[i].want, "chunks %zu: %d", i, whole.e);
        cr_expect_eq(dripped.e, whole.e, "chunks %zu dripped", i);
        cr_expect_eq(dripped.taken, whole.taken, "chunks %zu", i);
        cr_expect_str_eq(whole.data, chunks[i].body, "chunks %zu", i);
        cr_expect_str_eq(dripped.data, whole.data, "chunks %zu", i);
    }
}

Test(http1, body_ends_where_it_says)
{
    struct http1_chunk c;
    struct slice data;
    size_t used = 0;
    http1_chunk_init(&c, 100, 100);
    cr_assert_eq(http1_chunk_read(&c, SLICE(END "GET /"), &used, &data), OK);
    cr_expect_eq(used, sizeof(END) - 1);
}
