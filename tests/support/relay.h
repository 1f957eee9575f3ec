/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Stands between libpq and PostgreSQL's Unix socket, passes every byte on, and at a message the test names stops
 * passing on what the server says: the moment in which the server has done something and nobody knows. */
#ifndef GREMIO_TEST_RELAY_H
#define GREMIO_TEST_RELAY_H

#include "common/base.h"

struct relay;

/* A relay for clients whose host is folder (made when missing), to the stack's server. The test fails when it cannot. */
struct relay *relay_open(const char *folder);
/* From the connection on which the client says that text from now on, the server's next message of that type ('Z', ready
 * for query, comes after the commit) and all behind it are kept back. Once. Other connections go on: slots of other kinds
 * use the relay as well. */
void relay_hold_at(struct relay *r, char type, const char *said);
/* True once such a message came. */
MUST_USE bool relay_wait_held(struct relay *r);
/* Ends the connections there are, as if the server had died with its answers. */
void relay_cut(struct relay *r);
void relay_close(struct relay *r);

#endif
