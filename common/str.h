/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Pure text functions over slices: numbers, case, UTF-8, base64url, base32, hex. Allocates nothing. */
#ifndef GREMIO_STR_H
#define GREMIO_STR_H

#include "common/err.h"

/* Parses all of s as a decimal integer in [min, max] (optional leading '-', no '+', no blanks, no leading zeros
 * but "0" itself). E_BAD_REQUEST otherwise, *out untouched. */
MUST_USE enum err str_int(struct slice s, int64_t min, int64_t max, int64_t *out);

/* ASCII case-insensitive equality. */
bool str_ieq(struct slice a, struct slice b);
bool str_starts(struct slice s, struct slice prefix);
/* s without ASCII blanks (SP, HTAB) at both ends. */
struct slice str_trim(struct slice s);
/* Cuts *rest at the first sep: returns what stood before it and moves *rest behind it (empty with p NULL at the end). */
struct slice str_cut(struct slice *rest, char sep);

/* RFC 3629: no overlong forms, no surrogates, at most U+10FFFF. */
bool str_utf8_valid(struct slice s);
/* Characters (code points) in valid UTF-8. */
size_t str_utf8_len(struct slice s);

/* RFC 4648 5, no padding. out must hold STR_BASE64_SIZE(n) bytes; writes a NUL, returns the length without it. */
#define STR_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
size_t str_base64url(const void *data, size_t n, char *out);
/* Strict: alphabet only, no padding, canonical last character. Writes at most cap bytes, *len on OK. */
MUST_USE enum err str_base64url_decode(struct slice s, void *out, size_t cap, size_t *len);
/* RFC 4648 6, no padding. out must hold STR_BASE32_SIZE(n) bytes; writes a NUL. */
#define STR_BASE32_SIZE(n) (((n)*8 + 4) / 5 + 1)
void str_base32(const void *data, size_t n, char *out);
/* 0 to 15, -1 for what is no hexadecimal digit. */
int str_hex_digit(char c);
/* out holds 2n + 1 bytes. */
void str_hex(const void *data, size_t n, char *out);
/* All of s as 2*n lower- or upper-case hex digits. */
MUST_USE enum err str_unhex(struct slice s, void *out, size_t n);

/* Copies s and a NUL into out[cap]; E_BAD_REQUEST if it does not fit or s holds a NUL. */
MUST_USE enum err str_copy(struct slice s, char *out, size_t cap);

/* FNV-1a, for tables whose keys are not chosen by an attacker alone (bounded tables). */
uint64_t str_hash(struct slice s);

#endif
