/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The byte buffer everything is built in. One byte behind len is always there for the NUL.
 * JSON strings are copied in runs between the bytes that need an escape. */
#include "common/sbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAP_MIN ((size_t)256)

void sbuf_init(struct sbuf *b)
{
    *b = (struct sbuf){ 0 };
}

void sbuf_fini(struct sbuf *b)
{
    free(b->data);
    *b = (struct sbuf){ 0 };
}

void sbuf_reset(struct sbuf *b, size_t keep)
{
    if (b->cap > keep) {
        sbuf_fini(b);
        return;
    }
    b->len = 0;
    b->failed = false;
    if (b->data) {
        b->data[0] = '\0';
    }
}

bool sbuf_failed(const struct sbuf *b)
{
    return b->failed;
}

struct slice sbuf_slice(const struct sbuf *b)
{
    return (struct slice){ b->data, b->len };
}

/* Makes cap at least len + n + 1. */
static bool grow(struct sbuf *b, size_t n)
{
    if (b->failed || n >= SIZE_MAX / 2 - b->len) {
        b->failed = true;
        return false;
    }
    size_t cap = size_max(size_max(CAP_MIN, b->cap * 2), b->len + n + 1);
    char *data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

char *sbuf_room(struct sbuf *b, size_t n)
{
    if ((b->failed || b->cap - b->len <= n) && !grow(b, n)) {
        return NULL;
    }
    return b->data + b->len;
}

void sbuf_added(struct sbuf *b, size_t n)
{
    b->len += n;
    b->data[b->len] = '\0';
}

void sbuf_add(struct sbuf *b, struct slice s)
{
    char *to = sbuf_room(b, s.n);
    if (to) {
        if (s.n > 0) {
            memcpy(to, s.p, s.n);
        }
        sbuf_added(b, s.n);
    }
}

void sbuf_text(struct sbuf *b, const char *text)
{
    sbuf_add(b, slice_of(text));
}

void sbuf_char(struct sbuf *b, char c)
{
    char *to = sbuf_room(b, 1);
    if (to) {
        *to = c;
        sbuf_added(b, 1);
    }
}

void sbuf_int(struct sbuf *b, int64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0) {
        digits[--at] = '-';
    }
    sbuf_add(b, (struct slice){ digits + at, sizeof(digits) - at });
}

void sbuf_fmt(struct sbuf *b, const char *fmt, ...)
{
    va_list args;
    va_list again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *to = n >= 0 ? sbuf_room(b, (size_t)n) : NULL;
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        sbuf_added(b, (size_t)n);
    } else {
        b->failed = true;
    }
    va_end(again);
}

/* True when the eight bytes may hold a control character, a quote, a backslash, '<' or the lead byte of
 * U+2028. A false alarm costs a slower look, nothing else. */
static bool word_is_suspect(const char *p)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t tops = 0x8080808080808080u;
    uint64_t w;
    memcpy(&w, p, sizeof(w));
    uint64_t quote = w ^ (ones * '"');
    uint64_t slash = w ^ (ones * '\\');
    uint64_t angle = w ^ (ones * '<');
    uint64_t lead = w ^ (ones * 0xe2);
    uint64_t hit = (w - ones * 0x20) & ~w;
    hit |= (quote - ones) & ~quote;
    hit |= (slash - ones) & ~slash;
    hit |= (angle - ones) & ~angle;
    hit |= (lead - ones) & ~lead;
    return (hit & tops) != 0;
}

/* How many bytes at p need one escape together: 0 for none, 1, 2 ("</") or 3 (U+2028, U+2029). */
static size_t escape_width(const char *p, size_t left)
{
    unsigned char c = (unsigned char)p[0];
    if (c < 0x20 || c == '"' || c == '\\') {
        return 1;
    }
    if (c == '<') {
        return left > 1 && p[1] == '/' ? 2 : 0;
    }
    bool separator = c == 0xe2 && left > 2 && (unsigned char)p[1] == 0x80 &&
                     ((unsigned char)p[2] | 1) == 0xa9;
    return separator ? 3 : 0;
}

/* Length of the run from p that is copied as it is. */
static size_t plain_run(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        if (n - i >= sizeof(uint64_t) && !word_is_suspect(p + i)) {
            i += sizeof(uint64_t);
            continue;
        }
        size_t stop = size_min(n, i + sizeof(uint64_t));
        for (; i < stop; i++) {
            if (escape_width(p + i, n - i) > 0) {
                return i;
            }
        }
    }
    return n;
}

static void escape_control(struct sbuf *b, unsigned char c)
{
    static const char names[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };
    static const char hex[] = "0123456789abcdef";
    if (names[c]) {
        sbuf_add(b, (struct slice){ (char[]){ '\\', names[c] }, 2 });
    } else {
        sbuf_add(b, (struct slice){ (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6 });
    }
}

static void escape_one(struct sbuf *b, const char *p)
{
    unsigned char c = (unsigned char)p[0];
    if (c == 0xe2) {
        sbuf_text(b, (unsigned char)p[2] == 0xa8 ? "\\u2028" : "\\u2029");
    } else if (c == '<') {
        sbuf_add(b, SLICE("<\\/"));
    } else if (c < 0x20) {
        escape_control(b, c);
    } else {
        sbuf_add(b, (struct slice){ (char[]){ '\\', p[0] }, 2 });
    }
}

void sbuf_json(struct sbuf *b, struct slice s)
{
    sbuf_char(b, '"');
    while (s.n > 0) {
        size_t run = plain_run(s.p, s.n);
        sbuf_add(b, (struct slice){ s.p, run });
        if (run < s.n) {
            size_t width = escape_width(s.p + run, s.n - run);
            escape_one(b, s.p + run);
            run += width;
        }
        s.p += run;
        s.n -= run;
    }
    sbuf_char(b, '"');
}

static void add_big_endian(struct sbuf *b, uint64_t v, size_t n)
{
    char *to = sbuf_room(b, n);
    if (to) {
        for (size_t i = n; i-- > 0; v >>= 8) {
            to[i] = (char)(v & 0xff);
        }
        sbuf_added(b, n);
    }
}

void sbuf_percent(struct sbuf *b, struct slice s)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] && strchr(plain, s.p[i])) {
            sbuf_char(b, s.p[i]);
        } else {
            sbuf_fmt(b, "%%%02X", (unsigned)(unsigned char)s.p[i]);
        }
    }
}

void sbuf_u8(struct sbuf *b, uint8_t v)
{
    add_big_endian(b, v, 1);
}

void sbuf_u16(struct sbuf *b, uint16_t v)
{
    add_big_endian(b, v, 2);
}

void sbuf_u32(struct sbuf *b, uint32_t v)
{
    add_big_endian(b, v, 4);
}

void sbuf_u64(struct sbuf *b, uint64_t v)
{
    add_big_endian(b, v, 8);
}
