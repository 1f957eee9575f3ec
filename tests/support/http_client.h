/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A small HTTP/1.1 client over a raw blocking socket: it sends exactly the bytes it is given, so tests can also send
 * what no well-behaved client would, and reads one answer at a time, so they can pipeline. */
#ifndef GREMIO_TEST_HTTP_CLIENT_H
#define GREMIO_TEST_HTTP_CLIENT_H

#include <openssl/types.h>

#include "common/base.h"

#define HTTP_CLIENT_TIMEOUT_MS 60000
#define HTTP_HEADERS_MAX       64

struct http_client {
    int fd; /* -1: not connected */
    int timeout_ms;
    char *buf; /* bytes read and not yet taken */
    size_t len, cap;
    unsigned answered; /* on this connection */
    SSL *ssl;          /* NULL: plain */
};

struct http_header {
    const char *name, *value; /* inside the answer's own memory */
};

/* One answer; owns its memory. */
struct http_response {
    int status;
    char *head; /* status line and fields, cut into texts */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    char *body; /* NUL-terminated; never NULL after a successful read */
    size_t body_len;
};

/* Connects to host:port; false (fd -1) when refused. c need not be initialised. */
MUST_USE bool http_client_open(struct http_client *c, const char *host, int port);
/* The same from an address of this machine ("127.0.0.9"), NULL: any. */
MUST_USE bool http_client_open_from(struct http_client *c, const char *from, const char *host,
                                    int port);
/* Speaks TLS on a connection just opened: everything after goes through it. False when the handshake fails; OpenSSL's
 * queue of errors says why. Whoever uses it ignores SIGPIPE. */
MUST_USE bool http_client_tls(struct http_client *c, SSL_CTX *ctx);
void http_client_close(struct http_client *c);

/* All n bytes; false when the peer does not take them. */
bool http_client_send(struct http_client *c, const void *bytes, size_t n);
bool http_client_send_text(struct http_client *c, const char *text);

/* Reads one whole answer. head_only: it has no body (HEAD). False on end of stream, time-out or nonsense; out is
 * empty then. The caller frees with http_response_free. */
MUST_USE bool http_client_read(struct http_client *c, bool head_only, struct http_response *out);
/* True when the peer closes (or resets) within the time-out without sending another byte. */
MUST_USE bool http_client_at_end(struct http_client *c);

/* The field's value, case ignored; NULL when absent. */
const char *http_response_header(const struct http_response *r, const char *name);
void http_response_free(struct http_response *r);

#endif
