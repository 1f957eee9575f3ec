/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The pool of exchanges: taken for a request, filled from its head, given back with the last word. */
#ifndef GREMIO_HTTP_EXCHANGE_H
#define GREMIO_HTTP_EXCHANGE_H

#include "router/http_parts.h"

/* One from the pool for the connection's present request; NULL when out of memory. */
struct http_exchange *http_exchange_take(struct http_conn *c);
/* Copies the head (its first c->head.line bytes at head) into the arena and points the fields into it. whole: the
 * head was accepted. E_BAD_REQUEST for what only shows after decoding. */
MUST_USE enum err http_exchange_fill(struct http_exchange *hx, const char *head, bool whole);
/* The last word (on_end), then back to the pool. */
void http_exchange_end(struct http_exchange *hx, int status, size_t bytes);
/* Frees the spare ones and, once no exchange is in use any more, the server itself. Ends http_free. */
void http_exchange_last(struct http_server *s);

#endif
