/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A client that was refused for load is told when to come back (Retry-After), and its connection is not read before: whoever
 * comes earlier waits in its own socket and costs nothing. Refusals in a row double the time. */
#ifndef GREMIO_HTTP_REST_H
#define GREMIO_HTTP_REST_H

#include "router/http_parts.h"

/* Notes how x is being answered; seconds the connection is to rest after it, 0 for none. A connection that has brought
 * requests of several practices never rests: it is a proxy's, and others than the refused wait behind it. */
unsigned http_rest_judge(struct http_conn *c, const struct exchange *x, bool refused);
void http_rest_begin(struct http_conn *c, unsigned seconds);
/* Back to waiting for a request; what has come meanwhile is looked at soon. */
void http_rest_end(struct http_conn *c);

#endif
