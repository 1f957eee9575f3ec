/* SPDX-License-Identifier: LicenseRef-Gremio */
/* How many connections each address has. */
#ifndef GREMIO_HTTP_PEER_H
#define GREMIO_HTTP_PEER_H

#include "router/http_parts.h"

/* Counts one more connection of the address; NULL when it has max already or memory is short. */
struct http_peer *http_peer_enter(struct http_server *s, const struct sockaddr *address,
                                  int64_t max);
void http_peer_leave(struct http_server *s, struct http_peer *peer);
/* The address without port as text. */
void http_peer_text(const struct sockaddr *address, char out[INET6_ADDRSTRLEN]);

#endif
