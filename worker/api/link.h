/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the files about access links share: links.c (staff make them), guest_landing.c (their page), link_open.c (clients open them), guest.c
 * (what they do then). */
#ifndef GREMIO_LINK_H
#define GREMIO_LINK_H

#include "common/link_token.h"
#include "worker/call.h"

#define LINK_SCOPES "see confirm cancel reschedule profile"

/* Of access_link l: who opened it may go on. How often it may be opened is ext.link_open's. */
#define LINK_ALIVE                                                                    \
    "(l.revoked_at IS NULL AND l.expires_at > now() AND EXISTS (SELECT FROM client k" \
    " WHERE k.id = l.client_id AND k.archived_at IS NULL))"

/* Sets the var of that name to the token's hash, as a statement takes a bytea. */
void link_set_hash(struct call *c, const char *var, const struct link_token *t);

#endif
