/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The ES256 keys that sign access tokens: the public half for routers, the private half sealed with sealing.key so that a copy
 * of the database alone cannot sign. One key is active and signs; the next is published before it signs, so that no router meets
 * a token of a key it does not know; a retiring one verifies until its last token has expired; a revoked one verifies nothing. */
#ifndef GREMIO_SIGNING_H
#define GREMIO_SIGNING_H

#include "common/pg.h"
#include "provisioning/settings.h"

#define SIGNING_KID_MAX 17
#define SIGNING_MEET_S  60L       /* a key is published for so long before it signs */
#define SIGNING_KEPT    "2 hours" /* a retired key: no token lives longer than one */

/* All in a transaction, as the owner of public. */

/* Makes and stores a key when no active one can be opened with sealing.key
 * (a lost sealing key: the old key retires, tokens it signed stay good), and one to follow it. *made says whether the active one
 * is new. */
MUST_USE enum err signing_ensure(PGconn *c, const struct settings *s, char kid[SIGNING_KID_MAX],
                                 bool *made, struct sbuf *why);

struct signing_rotation {
    char active[SIGNING_KID_MAX]; /* signs from now on; "": as before */
    char next[SIGNING_KID_MAX];   /* the one after it */
};

/* The next key becomes the active one and another is published. Without a next key one is published, no more. E_STATE_CONFLICT
 * with a sentence when the next one is younger than SIGNING_MEET_S. */
MUST_USE enum err signing_rotate(PGconn *c, const struct settings *s, struct signing_rotation *out,
                                 struct sbuf *why);
/* Tokens that kid signed are refused from now on. The active one is replaced at once, which routers may learn a moment later.
 * E_NOT_FOUND with a sentence. */
MUST_USE enum err signing_revoke(PGconn *c, const struct settings *s, const char *kid,
                                 struct signing_rotation *out, struct sbuf *why);

#endif
