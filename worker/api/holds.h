/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What staff (holds.c) and strangers (public_book.c) share of holding a time. */
#ifndef GREMIO_HOLDS_H
#define GREMIO_HOLDS_H

#include "worker/call.h"

#define HOLD_STRANGERS_MAX "200" /* of all strangers of a practice at a time */
#define HOLD_ADDRESS_MAX   "5"   /* of those of one address */

#define HOLD_MAKE_VARS                                                                          \
    { .name = "secret_hash", .type = T_TEXT },                                                  \
    {                                                                                           \
        .name = "made_from", .type = T_TEXT /* a stranger's address, as a bytea; null: staff */ \
    }

extern const struct column hold_columns[];
/* For :to_service, :to_staff, :instant, :to_minutes, :assets. No row: there are as many as are allowed. */
extern const struct stmt hold_make;
/* The hold of :secret_hash that is alive: service_id, staff_id, starts_at, minutes, assets, by_stranger. */
extern const struct stmt hold_find;
/* Gives its time up, for whoever books it or does not want it. */
extern const struct stmt hold_use;

/* Makes the hold and answers with its token. Needs HOLD_MAKE_VARS and hold_make. E_LIMIT, E_INVALID (a group is not held). */
MUST_USE enum err hold_take(struct call *c);

#endif
