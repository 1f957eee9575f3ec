/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Answers that clients have not taken yet: what they hold of memory is bounded for all connections together, and whoever
 * takes less than a least rate is cut. Counts and judges; kills only to make room. */
#ifndef GREMIO_HTTP_UNSENT_H
#define GREMIO_HTTP_UNSENT_H

#include "router/http_parts.h"

/* Appends to the output buffer. False: no memory, or no room even after cutting those who wait the longest. */
MUST_USE bool http_unsent_add(struct http_conn *c, struct slice part);
/* Counts anew what the output buffer holds; returns it. */
size_t http_unsent_look(struct http_conn *c);
/* Has the client taken less than body_min_rate over write_timeout? Only for connections with c->queued. */
bool http_unsent_stalled(struct http_conn *c, int64_t now_us);

#endif
