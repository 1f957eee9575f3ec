/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The sessions ended lately, remembered for as long as a token of theirs can live. Bounded: when it is full the oldest
 * gives way and every token issued before that moment counts as expired, so that forgetting never lets one in. */
#ifndef GREMIO_REVOKED_H
#define GREMIO_REVOKED_H

#include "common/uuid.h"

struct revoked;

/* Room for capacity sessions. */
MUST_USE enum err revoked_new(size_t capacity, struct revoked **out);
void revoked_free(struct revoked *r);
/* at_s: when it was revoked, wall clock. Adding twice is fine. */
void revoked_add(struct revoked *r, const struct uuid *session, int64_t at_s);
bool revoked_has(const struct revoked *r, const struct uuid *session);
/* Tokens issued at or before this second are to be treated as expired; 0 while nothing was forgotten early. */
int64_t revoked_floor_s(const struct revoked *r);
/* Drops what no living token can name any more. */
void revoked_expire(struct revoked *r, int64_t now_s);
size_t revoked_count(const struct revoked *r);

#endif
