/* SPDX-License-Identifier: LicenseRef-Gremio */
/* /metrics on an address of its own: a second, small http server on the same loop. */
#ifndef GREMIO_EXPORTER_H
#define GREMIO_EXPORTER_H

#include "router/http.h"

struct exporter;

/* The listening socket fd becomes the exporter's. render appends the text of /metrics. */
MUST_USE enum err exporter_new(struct event_base *base, int fd,
                               void (*render)(struct sbuf *out, void *arg), void *arg,
                               struct exporter **out);
/* As http_retire. */
void exporter_retire(struct exporter *e);
void exporter_free(struct exporter *e);

#endif
