/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Numbers, case, UTF-8, base64url and hex over slices. Pure: allocates nothing, keeps nothing. */
#include "common/str.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

enum err str_int(struct slice s, int64_t min, int64_t max, int64_t *out)
{
    size_t i = 0;
    bool negative = s.n > 0 && s.p[0] == '-';
    i += negative;
    if (i == s.n || (s.p[i] == '0' && s.n > 1)) {
        return E_BAD_REQUEST;
    }
    int64_t v = 0; /* counted downwards: the negative side is the longer one */
    for (; i < s.n; i++) {
        if (!is_digit(s.p[i]) || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_sub_overflow(v, s.p[i] - '0', &v)) {
            return E_BAD_REQUEST;
        }
    }
    if (!negative && __builtin_sub_overflow(0, v, &v)) {
        return E_BAD_REQUEST;
    }
    if (v < min || v > max) {
        return E_BAD_REQUEST;
    }
    *out = v;
    return OK;
}

bool str_ieq(struct slice a, struct slice b)
{
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

bool str_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice str_trim(struct slice s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

struct slice str_cut(struct slice *rest, char sep)
{
    struct slice head = *rest;
    const char *end = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
    if (!end) {
        *rest = (struct slice){ 0 };
        return head;
    }
    head.n = (size_t)(end - head.p);
    *rest = (struct slice){ end + 1, rest->n - head.n - 1 };
    return head;
}

/* Length of the sequence at p (left bytes remain), 0 when it is not valid. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char lead = p[0];
    size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || n > left) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (lead == 0xe0 && p[1] < 0xa0) || (lead == 0xf0 && p[1] < 0x90);
    bool surrogate = lead == 0xed && p[1] > 0x9f;
    bool beyond = lead == 0xf4 && p[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : n;
}

bool str_utf8_valid(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        uint64_t word;
        if (s.n - i >= sizeof(word)) { /* eight ASCII bytes at a time */
            memcpy(&word, p + i, sizeof(word));
            if ((word & 0x8080808080808080u) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        size_t n = utf8_sequence(p + i, s.n - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

size_t str_utf8_len(struct slice s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++) {
        count += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    }
    return count;
}

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t str_base64url(const void *data, size_t n, char *out)
{
    const uint8_t *p = data;
    char *start = out;
    for (size_t i = 0; i < n; i += 3) {
        size_t have = size_min(n - i, 3);
        uint32_t bits = (uint32_t)p[i] << 16;
        bits |= have > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        bits |= have > 2 ? p[i + 2] : 0;
        for (size_t k = 0; k <= have; k++) {
            *out++ = base64_alphabet[(bits >> (18 - 6 * k)) & 63];
        }
    }
    *out = '\0';
    return (size_t)(out - start);
}

/* 0 .. 63, or -1 outside the alphabet. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (is_digit(c)) {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

enum err str_base64url_decode(struct slice s, void *out, size_t cap, size_t *len)
{
    uint8_t *to = out;
    size_t n = s.n / 4 * 3 + (s.n % 4 ? s.n % 4 - 1 : 0);
    if (s.n % 4 == 1 || n > cap) {
        return E_BAD_REQUEST;
    }
    uint32_t bits = 0;
    unsigned held = 0; /* bits not yet written, fewer than 8 after each digit */
    for (size_t i = 0; i < s.n; i++) {
        int digit = base64_digit(s.p[i]);
        if (digit < 0) {
            return E_BAD_REQUEST;
        }
        bits = (bits << 6 | (uint32_t)digit) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *to++ = (uint8_t)(bits >> held);
        }
    }
    if (bits & ((1u << held) - 1)) { /* a last character with stray bits has a twin */
        return E_BAD_REQUEST;
    }
    *len = n;
    return OK;
}

void str_base32(const void *data, size_t n, char *out)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const uint8_t *p = data;
    uint32_t bits = 0;
    unsigned held = 0; /* bits not yet written, fewer than 5 after each byte */
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | p[i];
        for (held += 8; held >= 5; held -= 5) {
            *out++ = alphabet[bits >> (held - 5) & 31];
        }
    }
    if (held > 0) {
        *out++ = alphabet[bits << (5 - held) & 31];
    }
    *out = '\0';
}

void str_hex(const void *data, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

int str_hex_digit(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    unsigned char l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

enum err str_unhex(struct slice s, void *out, size_t n)
{
    uint8_t *to = out;
    if (s.n / 2 != n || s.n % 2 != 0) {
        return E_BAD_REQUEST;
    }
    for (size_t i = 0; i < n; i++) {
        int high = str_hex_digit(s.p[2 * i]);
        int low = str_hex_digit(s.p[2 * i + 1]);
        if (high < 0 || low < 0) {
            return E_BAD_REQUEST;
        }
        to[i] = (uint8_t)(high << 4 | low);
    }
    return OK;
}

enum err str_copy(struct slice s, char *out, size_t cap)
{
    if (s.n >= cap || (s.n > 0 && memchr(s.p, '\0', s.n))) {
        return E_BAD_REQUEST;
    }
    if (s.n > 0) {
        memcpy(out, s.p, s.n);
    }
    out[s.n] = '\0';
    return OK;
}

uint64_t str_hash(struct slice s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.n; i++) {
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
    }
    return h;
}
