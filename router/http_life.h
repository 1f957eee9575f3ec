/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A connection from phase to phase and its end. Reads and writes nothing. */
#ifndef GREMIO_HTTP_LIFE_H
#define GREMIO_HTTP_LIFE_H

#include "router/http_parts.h"

/* The only way from phase to phase; sets the phase's deadline. Not for HTTP_DEAD. */
void http_life_phase(struct http_conn *c, enum http_phase next);
/* Ends the connection at once; a held exchange is told (on_gone) or ended. Memory goes when no pump is up the stack. */
void http_life_kill(struct http_conn *c);
/* Frees a dead connection. */
void http_life_free(struct http_conn *c);
/* Looks at what has arrived later, from the event loop. */
void http_life_wake(struct http_conn *c);

#endif
