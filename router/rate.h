/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A token bucket for each source (a practice, or an address without one), kept as the one number of GCRA: when the
 * bucket will be full again. Memory is fixed at boot; a bucket that is forgotten for want of room was the fullest. Pure. */
#ifndef GREMIO_RATE_H
#define GREMIO_RATE_H

#include "common/uuid.h"

struct rate;

struct rate_rules {
    int64_t per_s; /* 0: no limit */
    int64_t burst; /* at once, after a pause; at least 1 */
};

/* sources: buckets remembered at once, about. */
MUST_USE enum err rate_new(size_t sources, struct rate **out);
void rate_free(struct rate *r);
/* Takes one token; E_RATE_LIMITED when there is none. */
MUST_USE enum err rate_take(struct rate *r, const struct rate_rules *rules,
                            const struct uuid *source, int64_t now_us);

#endif
