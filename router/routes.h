/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The API's routes as the slots announce them. While a release replaces slots one after another their tables differ: a route
 * is served when every slot of its kind has it, so that none is asked for what it does not know. Shapes traffic; security is
 * the slot's gate. */
#ifndef GREMIO_ROUTES_H
#define GREMIO_ROUTES_H

#include "common/err.h"
#include "common/route_map.h"

struct routes;

MUST_USE enum err routes_new(struct routes **out);
void routes_free(struct routes *r);
/* A slot of kind said this; who names it to routes_forget and is not looked into. E_NOMEM: nothing changed. */
MUST_USE enum err routes_learn(struct routes *r, const void *who, enum slot_kind kind,
                               const struct route_map *map);
/* It takes no more requests. What the last slot of a kind said stays known: another will come. */
void routes_forget(struct routes *r, const void *who);
/* The joined table; valid until the next routes_learn or routes_forget. */
const struct route_map *routes_map(const struct routes *r);

#endif
