/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Reading: from bytes to exchanges, in order and one at a time. */
#ifndef GREMIO_HTTP_CONN_H
#define GREMIO_HTTP_CONN_H

#include "router/http_parts.h"

/* Takes over fd and peer; closes both on failure. */
void http_conn_new(struct http_server *s, int fd, const struct sockaddr *address,
                   struct http_peer *peer);
/* Answers the present request with a problem and closes. */
void http_conn_refuse(struct http_conn *c, enum err e);

#endif
