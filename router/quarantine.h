/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Requests that killed two slots, by digest of tenant, method, path, query and body, refused for a while. Bounded: the
 * oldest gives way. Costs nothing while it is empty. */
#ifndef GREMIO_QUARANTINE_H
#define GREMIO_QUARANTINE_H

#include "router/exchange.h"

#define QUARANTINE_MAX 64

struct quarantine {
    size_t next; /* cell to be overwritten */
    int64_t last_until_us;
    struct {
        uint8_t digest[32];
        int64_t until_us;
    } cells[QUARANTINE_MAX];
};

/* Fails silently when the digest cannot be made: the request is then only not recognised. */
void quarantine_add(struct quarantine *q, const struct exchange *x, int64_t until_us);
bool quarantine_has(const struct quarantine *q, const struct exchange *x, int64_t now_us);

#endif
