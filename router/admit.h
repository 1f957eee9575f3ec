/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Counts requests in flight, in all and per source (a practice, or an address without one). Every exchange that entered
 * leaves exactly once, whatever happens to it; memory is fixed at boot. */
#ifndef GREMIO_ADMIT_H
#define GREMIO_ADMIT_H

#include "router/exchange.h"

struct admit;

/* max: requests in flight at once. */
MUST_USE enum err admit_new(size_t max, struct admit **out);
void admit_free(struct admit *a);
/* E_OVERLOADED beyond max, E_RATE_LIMITED when the exchange's source has per_source in flight. On OK x->admitted. */
MUST_USE enum err admit_enter(struct admit *a, struct exchange *x, size_t per_source);
/* Does nothing for an exchange that did not enter. */
void admit_leave(struct admit *a, struct exchange *x);
size_t admit_count(const struct admit *a);
/* Nobody else may enter now. */
bool admit_is_full(const struct admit *a);
/* Sources with something in flight. */
size_t admit_sources(const struct admit *a);

#endif
