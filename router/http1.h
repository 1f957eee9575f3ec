/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Strict HTTP/1.1 request parser (RFC 9112): head, chunked body, path. Whatever two readers could understand in
 * two ways is refused. Pure: no allocation, no I/O, no clock. Results are positions in the caller's buffer, which may
 * grow and move between calls; bytes looked at once are not looked at again. */
#ifndef GREMIO_HTTP1_H
#define GREMIO_HTTP1_H

#include "common/err.h"

/* Bounds of one head, in bytes and fields. */
struct http1_limits {
    size_t line_max;   /* request line without its CRLF; beyond: E_URI_TOO_LONG */
    size_t block_max;  /* all field lines with the empty one; beyond: E_HEADERS_TOO_LARGE */
    size_t fields_max; /* field lines; beyond: E_HEADERS_TOO_LARGE */
};

/* A piece of the head by position. Absent fields have at == 0. */
struct http1_span {
    uint32_t at, n;
};

/* Fields that are kept; all others are checked and forgotten. */
enum http1_name {
    H1_HOST,
    H1_CONTENT_LENGTH,
    H1_TRANSFER_ENCODING,
    H1_CONNECTION, /* the last one; every one is looked at */
    H1_EXPECT,
    H1_CONTENT_TYPE,
    H1_AUTHORIZATION,
    H1_USER_AGENT,
    H1_ACCEPT_LANGUAGE,
    H1_ACCEPT_ENCODING,
    H1_IF_MATCH,
    H1_IF_NONE_MATCH,
    H1_IDEMPOTENCY_KEY,
    H1_TRACEPARENT,
    H1_REQUEST_ID,
    H1_ACCEPT,
    H1_COOKIE,
    H1_ORIGIN,
    H1_FETCH_SITE,
    H1_COUNT,
};

struct http1_head {
    /* Results, whole once http1_head_read says OK. */
    struct http1_span method, target;
    struct http1_span path, query; /* raw parts of target; path empty in "http://host" */
    struct http1_span authority;   /* of an absolute-form target; at == 0 otherwise */
    struct http1_span fields[H1_COUNT];
    unsigned minor;          /* HTTP/1.minor: 0 or 1 */
    bool close;              /* the client asked for it, or speaks HTTP/1.0 */
    bool expect_continue;    /* Expect: 100-continue on HTTP/1.1 */
    bool chunked;            /* body comes in chunks */
    uint64_t content_length; /* 0 when absent */
    size_t size;             /* bytes of the whole head */

    /* Progress, the parser's own. */
    size_t line;  /* start of the line being read */
    size_t scan;  /* first byte not looked at */
    size_t block; /* start of the first field line; 0 while the request line is read */
    size_t count; /* field lines read */
};

void http1_head_init(struct http1_head *h);

/* in holds everything received of this request so far, from its first byte. OK: the head is whole (h->size bytes).
 * E_AGAIN: call again with more. Anything else is the refusal: E_BAD_REQUEST, E_URI_TOO_LONG, E_HEADERS_TOO_LARGE,
 * E_NOT_IMPLEMENTED, E_HTTP_VERSION, E_EXPECTATION; the connection cannot be used further. The outcome depends on the
 * bytes alone, never on how they were cut. */
MUST_USE enum err http1_head_read(struct http1_head *h, struct slice in,
                                  const struct http1_limits *limits);

/* The bytes of a span within the buffer that begins with the head; p is NULL when absent. */
struct slice http1_text(const char *head, struct http1_span span);

/* Decodes the raw path of a target into out (at least raw.n bytes), *n bytes. E_BAD_REQUEST on a broken escape, a decoded
 * control byte, slash or backslash, bad UTF-8, an empty, "." or ".." segment (a last empty one is fine). */
MUST_USE enum err http1_path(struct slice raw, char *out, size_t *n);

#define HTTP1_EXTENSION_MAX 256 /* bytes of chunk extensions in one body */
#define HTTP1_TRAILER_NAME \
    24 /* bytes kept of a trailer's name: more than any that is refused has */

/* Decoder of one chunked body. */
struct http1_chunk {
    uint64_t left;       /* bytes of the present chunk still to come */
    uint64_t total;      /* bytes of all chunks announced so far */
    uint64_t max;        /* total beyond it: E_BODY_TOO_LARGE */
    size_t extensions;   /* bytes of extensions seen */
    size_t trailer_left; /* budget of trailer bytes; beyond: E_HEADERS_TOO_LARGE */
    unsigned digits;     /* of the present size */
    uint8_t state;
    uint8_t name_n; /* bytes of the present trailer's name, as far as it is kept */
    char name[HTTP1_TRAILER_NAME];
};

/* max: bytes of the decoded body; trailer_max: bytes of trailer fields (what the head left of its budget). */
void http1_chunk_init(struct http1_chunk *c, uint64_t max, size_t trailer_max);

/* Takes *used bytes of in, of which *data (a part of in) is body. OK: the body is over. E_AGAIN: go on with what follows
 * the used bytes (*used < in.n happens after a piece of data). E_BAD_REQUEST, E_BODY_TOO_LARGE, E_HEADERS_TOO_LARGE: refused.
 * Trailers are dropped; one that would change framing, routing, authentication, conditions or content is refused. */
MUST_USE enum err http1_chunk_read(struct http1_chunk *c, struct slice in, size_t *used,
                                   struct slice *data);

/* Is this byte allowed in a token (RFC 9110 5.6.2), in a field value (5.5)? */
bool http1_is_token(unsigned char byte);
bool http1_is_value(unsigned char byte);

#endif
