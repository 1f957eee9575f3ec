/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Requests that killed slots, by digest of tenant, method, path, query and body. The first death makes a suspect; an
 * identical request that is answered clears it, so that a popular request is not convicted because somebody else killed
 * the slots it was in; the second death of one that nobody cleared convicts. Bounded: the oldest gives way. Costs
 * nothing while no slot has died lately. */
#ifndef GREMIO_QUARANTINE_H
#define GREMIO_QUARANTINE_H

#include "router/exchange.h"

#define QUARANTINE_MAX     256
#define QUARANTINE_SECONDS 60 /* a suspicion, a clearance and a conviction last this long */

enum verdict { VERDICT_NONE, VERDICT_SUSPECT, VERDICT_CLEARED, VERDICT_CONVICTED };

struct quarantine {
    size_t next; /* cell to be overwritten */
    int64_t last_until_us;
    struct quarantine_cell {
        uint8_t digest[32];
        enum verdict verdict;
        int64_t until_us;
    } cells[QUARANTINE_MAX];
};

/* x was in a slot that died, for the first time. */
void quarantine_suspect(struct quarantine *q, const struct exchange *x, int64_t now_us);
/* x was in a slot that died, once more. */
void quarantine_convict(struct quarantine *q, const struct exchange *x, int64_t now_us);
/* x was answered. */
void quarantine_clear(struct quarantine *q, const struct exchange *x, int64_t now_us);
/* Is x like one that was convicted? */
bool quarantine_has(const struct quarantine *q, const struct exchange *x, int64_t now_us);

#endif
