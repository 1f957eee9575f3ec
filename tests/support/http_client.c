/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Reads strictly: an answer of ours without Content-Length or with two of them is a failure, not a guess. */
#include "tests/support/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static bool bind_to(int fd, const char *from)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    return !from || (inet_pton(AF_INET, from, &at.sin_addr) == 1 &&
                     bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
}

bool http_client_open_from(struct http_client *c, const char *from, const char *host, int port)
{
    *c = (struct http_client){ .fd = -1, .timeout_ms = HTTP_CLIENT_TIMEOUT_MS };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1) {
        return false;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    if (!bind_to(fd, from) || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return false;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    c->fd = fd;
    return true;
}

bool http_client_open(struct http_client *c, const char *host, int port)
{
    return http_client_open_from(c, NULL, host, port);
}

/* The socket blocks, with a bound: OpenSSL may wait for the rest of a record that never comes. */
bool http_client_tls(struct http_client *c, SSL_CTX *ctx)
{
    struct timeval bound = { .tv_sec = c->timeout_ms / 1000,
                             .tv_usec = c->timeout_ms % 1000 * 1000 };
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
    c->ssl = SSL_new(ctx);
    return c->ssl && SSL_set_fd(c->ssl, c->fd) == 1 && SSL_connect(c->ssl) == 1;
}

void http_client_close(struct http_client *c)
{
    SSL_free(c->ssl);
    if (c->fd >= 0) {
        close(c->fd);
    }
    free(c->buf);
    *c = (struct http_client){ .fd = -1, .timeout_ms = HTTP_CLIENT_TIMEOUT_MS };
}

static ssize_t put(const struct http_client *c, const char *p, size_t n)
{
    return c->ssl ? SSL_write(c->ssl, p, (int)n) : send(c->fd, p, n, MSG_NOSIGNAL);
}

/* As recv; without TLS's own end of stream, what came may have been cut short: an error. */
static ssize_t get(const struct http_client *c, char *p, size_t n)
{
    if (!c->ssl) {
        return recv(c->fd, p, n, 0);
    }
    int got = SSL_read(c->ssl, p, (int)n);
    return got > 0 ? got : SSL_get_error(c->ssl, got) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

/* True when something can be read within the time-out. */
static bool readable(const struct http_client *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    if (c->ssl && SSL_pending(c->ssl) > 0) {
        return true;
    }
    int ready;
    do {
        ready = poll(&p, 1, c->timeout_ms);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

bool http_client_send(struct http_client *c, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0) {
        ssize_t sent = put(c, p, n);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool http_client_send_text(struct http_client *c, const char *text)
{
    return http_client_send(c, text, strlen(text));
}

/* Reads what is there, at least one byte: 1, 0 at the end, -1 on error or time-out. */
static int fill(struct http_client *c)
{
    if (c->cap - c->len < 4096) {
        size_t cap = c->cap ? c->cap * 2 : 16384;
        char *grown = realloc(c->buf, cap);
        if (!grown) {
            return -1;
        }
        c->buf = grown;
        c->cap = cap;
    }
    if (!readable(c)) {
        return -1;
    }
    ssize_t n = get(c, c->buf + c->len, c->cap - c->len);
    if (n <= 0) {
        return n < 0 ? -1 : 0;
    }
    c->len += (size_t)n;
    return 1;
}

static void drop(struct http_client *c, size_t n)
{
    memmove(c->buf, c->buf + n, c->len - n);
    c->len -= n;
}

/* Length of the header block with its empty line, reading as needed; 0 on failure. */
static size_t head_length(struct http_client *c)
{
    for (;;) {
        char *end = c->len >= 4 ? memmem(c->buf, c->len, "\r\n\r\n", 4) : NULL;
        if (end) {
            return (size_t)(end - c->buf) + 4;
        }
        if (fill(c) != 1) {
            return 0;
        }
    }
}

static bool parse_head(struct http_response *r)
{
    char *line = r->head, *next = NULL;
    if (strncmp(line, "HTTP/1.1 ", 9) != 0) {
        return false;
    }
    r->status = (int)strtol(line + 9, NULL, 10);
    line = strstr(line, "\r\n") + 2;
    for (; *line != '\r'; line = next) {
        char *end = strstr(line, "\r\n");
        char *colon = memchr(line, ':', (size_t)(end - line));
        if (!colon || r->header_count == HTTP_HEADERS_MAX) {
            return false;
        }
        next = end + 2;
        *end = *colon = '\0';
        char *value = colon + 1 + strspn(colon + 1, " \t");
        r->headers[r->header_count++] = (struct http_header){ .name = line, .value = value };
    }
    return r->status >= 100 && r->status < 600;
}

/* Bytes of the body that follows; -1 when the answer does not say it in one clear way. */
static long body_length(const struct http_response *r, bool head_only)
{
    if (head_only || r->status == 204 || r->status == 304 || r->status < 200) {
        return 0;
    }
    const char *found = NULL;
    for (size_t i = 0; i < r->header_count; i++) {
        if (strcasecmp(r->headers[i].name, "content-length") == 0) {
            if (found) {
                return -1;
            }
            found = r->headers[i].value;
        }
    }
    return found ? strtol(found, NULL, 10) : -1;
}

static char *copied(const char *p, size_t n)
{
    char *out = malloc(n + 1);
    if (out) {
        memcpy(out, p, n);
        out[n] = '\0';
    }
    return out;
}

static bool read_answer(struct http_client *c, bool head_only, struct http_response *out)
{
    size_t head = head_length(c);
    if (head == 0) {
        return false;
    }
    out->head = copied(c->buf, head);
    drop(c, head);
    if (!out->head || !parse_head(out)) {
        return false;
    }
    long want = body_length(out, head_only);
    while (want > 0 && c->len < (size_t)want) {
        if (fill(c) != 1) {
            return false;
        }
    }
    if (want < 0) {
        return false;
    }
    out->body_len = (size_t)want;
    out->body = copied(c->buf ? c->buf : "", out->body_len);
    drop(c, out->body_len);
    return out->body != NULL;
}

bool http_client_read(struct http_client *c, bool head_only, struct http_response *out)
{
    *out = (struct http_response){ 0 };
    if (c->fd < 0 || !read_answer(c, head_only, out)) {
        http_response_free(out);
        return false;
    }
    c->answered++;
    return true;
}

bool http_client_at_end(struct http_client *c)
{
    if (c->len > 0) {
        return false;
    }
    char byte;
    return readable(c) && get(c, &byte, 1) <= 0;
}

const char *http_response_header(const struct http_response *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++) {
        if (strcasecmp(r->headers[i].name, name) == 0) {
            return r->headers[i].value;
        }
    }
    return NULL;
}

void http_response_free(struct http_response *r)
{
    free(r->head);
    free(r->body);
    *r = (struct http_response){ 0 };
}
