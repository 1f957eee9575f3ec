/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every deadline of every connection. */
#ifndef GREMIO_HTTP_TIMER_H
#define GREMIO_HTTP_TIMER_H

#include "router/http_parts.h"

/* Looks at every connection once. */
void http_timer_tick(struct http_server *s);

#endif
