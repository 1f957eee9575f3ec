/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The union of the route tables that slots announced. A kind's table stays when its slots are gone, so that its routes
 * answer "unavailable" rather than "not found". */
#ifndef GREMIO_ROUTES_H
#define GREMIO_ROUTES_H

#include "common/route_map.h"

struct routes;

MUST_USE enum err routes_new(struct routes **out);
void routes_free(struct routes *r);
/* Replaces what slots of this kind announced before. map is copied. */
void routes_learn(struct routes *r, enum slot_kind kind, const struct route_map *map);
/* Borrowed until the next routes_learn. */
const struct route_map *routes_map(const struct routes *r);

#endif
