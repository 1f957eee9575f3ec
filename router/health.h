/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What /healthz and /readyz say. Alive: the loop turns. Ready: tenants and keys are known, the database answers, a slot
 * of every kind that a route needs is connected, nobody asked us to stop. Pure. */
#ifndef GREMIO_HEALTH_H
#define GREMIO_HEALTH_H

#include "common/route_map.h"
#include "common/sbuf.h"

struct health {
    bool draining, directory_loaded, directory_connected;
    int64_t directory_age_ms; /* -1: never */
    size_t tenants, keys;
    unsigned slots[KIND_COUNT];
    bool needed[KIND_COUNT]; /* some route goes there; api always */
};

bool health_ready(const struct health *h);
/* The JSON document of /readyz. */
void health_write(const struct health *h, struct sbuf *out);

#endif
