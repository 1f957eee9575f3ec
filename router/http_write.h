/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Answers on their way out. */
#ifndef GREMIO_HTTP_WRITE_H
#define GREMIO_HTTP_WRITE_H

#include "router/http_parts.h"

/* Sends the answer and ends the exchange; works also when the client is gone. */
void http_write_answer(struct http_exchange *hx, const struct http_answer *a);
/* The same with the problem document of e and the other fields of *more (NULL: none). */
void http_write_problem(struct http_exchange *hx, enum err e, const struct http_answer *more);
/* Every answer is out: shuts our side and throws away what still comes. */
void http_write_linger(struct http_conn *c);
/* 503 on a bare socket over the cap, then closes it. */
void http_write_overload(struct http_server *s, int fd);

#endif
