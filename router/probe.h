/* SPDX-License-Identifier: LicenseRef-Gremio */
/* An echo server on the same HTTP code as the router, for conformance suites from outside: 200 to any known method
 * on any path, the request's body as its body, "STATUS METHOD BODY-BYTES" on standard output for every request, refused
 * ones too. Never part of a running installation. */
#ifndef GREMIO_PROBE_H
#define GREMIO_PROBE_H

#include "common/sbuf.h"
#include "router/http.h"

#define PROBE_BODY_MAX (1u << 30)

struct probe;

/* Listens on "HOST:PORT". base and limits are borrowed until probe_free. On failure why holds one sentence. */
MUST_USE enum err probe_new(struct event_base *base, const char *address,
                            const struct http_limits *limits, struct sbuf *why, struct probe **out);
void probe_free(struct probe *p);

#endif
