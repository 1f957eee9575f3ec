/* SPDX-License-Identifier: LicenseRef-Gremio */
/* How fast the slots of a kind answer while requests wait for them, and so how many may wait if none is to wait longer
 * than so long. A bare length would mean a blink for reads and minutes for logins. A burst is no overload: more may wait
 * until slots have had no room for a second. Pure. */
#ifndef GREMIO_PACE_H
#define GREMIO_PACE_H

#include "common/base.h"

#define PACE_BURST 4 /* times least may wait at first, whatever the pace */

/* Zeroed: nothing is known. */
struct pace {
    int64_t since_us; /* of the period being measured */
    uint32_t answers; /* in it */
    double per_s;     /* 0: unknown */
    int64_t full_us;  /* since then there has been no room; 0: there is */
    bool overloaded;  /* no room for a second */
};

/* A slot gave a place back. */
void pace_answer(struct pace *p);
/* Call it every 20 ms or so; full: does anything wait for want of room? A period counts only if that was so all through. */
void pace_tick(struct pace *p, int64_t now_us, bool full);
/* Requests that may wait so that the last one waits about wait_ms; never fewer than least. */
size_t pace_room(const struct pace *p, int64_t wait_ms, size_t least);

#endif
