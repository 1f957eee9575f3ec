/* SPDX-License-Identifier: LicenseRef-Gremio */
/* How fast the slots of a kind answer while requests wait for them, and so how many may wait if none is to wait longer
 * than so long. A bare length would mean a blink for reads and minutes for logins. Pure. */
#ifndef GREMIO_PACE_H
#define GREMIO_PACE_H

#include "common/base.h"

#define PACE_UNKNOWN 100 /* may wait until the first measurement */

/* Zeroed: nothing is known. */
struct pace {
    int64_t since_us; /* of the period being measured; 0: none */
    uint32_t answers; /* in it */
    double per_s;     /* 0: unknown */
};

/* A slot gave a place back. */
void pace_answer(struct pace *p);
/* Call it every 20 ms or so; waiting: do requests wait now? A period counts only if they waited all through it. */
void pace_tick(struct pace *p, int64_t now_us, bool waiting);
/* Requests that may wait so that the last one waits about wait_ms. */
size_t pace_room(const struct pace *p, int64_t wait_ms);

#endif
