/* SPDX-License-Identifier: LicenseRef-Gremio */
/* HTTP/1.1 server connections on libevent bufferevents: reading with the strict parser (http1.h), limits and timers,
 * TLS, ordered answers, keep-alive, drain. Owns connections and exchanges; knows no route, token or slot. */
#ifndef GREMIO_HTTP_H
#define GREMIO_HTTP_H

#include <event2/event.h>

#include "router/http_types.h"

struct http_server;

/* The listening socket fd becomes the server's; on E_NOMEM it is still the caller's. base and limits are borrowed. tls may
 * be NULL (an SSL_CTX *); the server takes a reference of its own. The caller ignores SIGPIPE. */
MUST_USE enum err http_new(struct event_base *base, int fd, const struct http_limits *limits,
                           const struct http_callbacks *cb, void *tls, struct http_server **out);
/* New connections use tls (an SSL_CTX *, up-referenced by the server; NULL: plain); existing ones keep theirs. */
void http_set_tls(struct http_server *s, void *tls);
/* Reads the body up to max bytes, then on_request. A longer one is answered 413 without reading it. */
void http_accept_body(struct exchange *x, uint64_t max);
/* Answers once; afterwards x is not the caller's any more. Works also when the client is gone. */
void http_reply(struct exchange *x, const struct http_answer *a);
/* Answers with the problem document of e and the other fields of *more (NULL: none). */
void http_problem(struct exchange *x, enum err e, const struct http_answer *more);
/* Gives back an exchange whose client is gone, without an answer. A client that is still there is cut off. */
void http_drop(struct exchange *x);
/* Stops listening (after taking in what the kernel has accepted), closes idle connections, lets the rest finish with
 * Connection: close. Done when http_connections is 0. */
void http_drain(struct http_server *s);
/* Stops listening and says Connection: close with each answer; silent connections may go on being so for idle_timeout. For
 * when another process accepts from the same socket: what waits there is left to it. */
void http_retire(struct http_server *s);
/* Takes new connections, as after http_new, or leaves them waiting in the kernel. */
void http_accept(struct http_server *s, bool on);
/* Open connections. */
size_t http_connections(const struct http_server *s);
/* Closes everything at once. Exchanges still held get on_gone; each must be dropped or answered, later is fine, but then
 * without on_end. Not from inside a callback. */
void http_free(struct http_server *s);

#endif
