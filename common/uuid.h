/* SPDX-License-Identifier: LicenseRef-Gremio */
/* UUIDs (RFC 9562): version 7 made here, so ids sort by time and need no sequence. */
#ifndef GREMIO_UUID_H
#define GREMIO_UUID_H

#include "common/err.h"

struct uuid {
    uint8_t b[16];
};
#define UUID_TEXT 37 /* 36 characters and a NUL */

/* A new version 7 id: milliseconds since 1970, 12 bits of counter (monotonic within the process), random rest. */
struct uuid uuid_v7(void);
/* Any version, 8-4-4-4-12 hex digits; E_BAD_REQUEST otherwise. */
MUST_USE enum err uuid_parse(struct slice s, struct uuid *out);
/* Lower case. */
void uuid_format(const struct uuid *u, char out[UUID_TEXT]);
bool uuid_eq(const struct uuid *a, const struct uuid *b);
bool uuid_is_nil(const struct uuid *a);

#endif
