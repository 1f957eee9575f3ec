/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The one ordered list of checks before anything touches the database: route, method, kind, deadline, the link's practice,
 * tenant state, permission, recent proof, parameters (and then a public name's practice), preconditions. A refusal here costs no database work. */
#ifndef GREMIO_GATE_H
#define GREMIO_GATE_H

#include "worker/routes.h"

/* Fills c (whose req, arena, body and env are set; the rest zeroed) for the request. OK: it may run. Anything else:
 * c->problem says why (reply.allow is set for E_METHOD); c->route is known when a route matched. */
MUST_USE enum err gate_check(struct call *c, int64_t now_us);

/* Room for the values of c->plan, vars null, built-in placeholders as c->req and c->reach say. */
MUST_USE enum err gate_take_values(struct call *c);

/* "\"7\"" to 7. E_PRECONDITION_REQUIRED without a field; *version -1 (which no row has) for any other single tag. */
MUST_USE enum err gate_if_match(struct slice field, int64_t *version);

#endif
