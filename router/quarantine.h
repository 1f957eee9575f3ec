/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Requests that crash slots, by digest of tenant, method, path, query and body. A slot's last words name what it was
 * running: the first time makes suspects, which run alone from then on; an answer clears one, and a slot that names it
 * again while it ran alone convicts it. Bounded: the oldest gives way. Costs nothing while no slot has crashed lately. */
#ifndef GREMIO_QUARANTINE_H
#define GREMIO_QUARANTINE_H

#include "router/exchange.h"

#define QUARANTINE_MAX     256
#define QUARANTINE_SECONDS 60 /* a suspicion and a conviction last this long */

enum verdict { VERDICT_NONE, VERDICT_SUSPECT, VERDICT_CONVICTED };

/* What makes two requests the same. */
struct quarantine_key {
    uint8_t digest[32];
};

struct quarantine {
    size_t next; /* cell to be overwritten */
    int64_t last_until_us;
    struct quarantine_cell {
        struct quarantine_key key;
        enum verdict verdict;
        int64_t until_us;
    } cells[QUARANTINE_MAX];
};

/* False when out of memory. */
MUST_USE bool quarantine_key_of(const struct exchange *x, struct quarantine_key *out);
/* A slot died and named the request with that key; alone: nothing else was under way there. Returns what it is now. */
enum verdict quarantine_blame(struct quarantine *q, const struct quarantine_key *key, bool alone,
                              int64_t now_us);
/* x was answered. */
void quarantine_clear(struct quarantine *q, const struct exchange *x, int64_t now_us);
/* What is held against requests like x. */
enum verdict quarantine_look(const struct quarantine *q, const struct exchange *x, int64_t now_us);

#endif
