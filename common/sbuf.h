/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A growing byte buffer for building answers, frames and SQL texts. A failed allocation is remembered:
 * write freely, ask sbuf_failed once. */
#ifndef GREMIO_SBUF_H
#define GREMIO_SBUF_H

#include "common/base.h"

struct sbuf {
    char *data; /* owned; NUL-terminated after any sbuf_text* call, NULL while empty */
    size_t len;
    size_t cap;
    bool failed; /* out of memory once: content is not to be used */
};

void sbuf_init(struct sbuf *b);
void sbuf_fini(struct sbuf *b);
/* Empties but keeps the memory when it is at most keep bytes. */
void sbuf_reset(struct sbuf *b, size_t keep);
bool sbuf_failed(const struct sbuf *b);
struct slice sbuf_slice(const struct sbuf *b);
/* Room for n more bytes, to be written by the caller; NULL when out of memory. sbuf_added says how many were. */
MUST_USE char *sbuf_room(struct sbuf *b, size_t n);
void sbuf_added(struct sbuf *b, size_t n);

void sbuf_add(struct sbuf *b, struct slice s);
void sbuf_text(struct sbuf *b, const char *text);
void sbuf_char(struct sbuf *b, char c);
void sbuf_int(struct sbuf *b, int64_t v);
void sbuf_fmt(struct sbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* s as a JSON string with quotes (RFC 8259 7), one pass; also escapes U+2028/2029 and "</". s is valid UTF-8. */
void sbuf_json(struct sbuf *b, struct slice s);
/* RFC 3986: everything but unreserved characters as %XX. */
void sbuf_percent(struct sbuf *b, struct slice s);

/* Big-endian integers and length-prefixed text for frames. */
void sbuf_u8(struct sbuf *b, uint8_t v);
void sbuf_u16(struct sbuf *b, uint16_t v);
void sbuf_u32(struct sbuf *b, uint32_t v);
void sbuf_u64(struct sbuf *b, uint64_t v);

#endif
