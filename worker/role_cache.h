/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the caller may do. Roles that come ready are known; those a practice made are read from its table role when first met, and
 * again when the directory says that the practice's roles changed, so a permission taken away is gone with the next request. */
#ifndef GREMIO_ROLE_CACHE_H
#define GREMIO_ROLE_CACHE_H

#include "worker/db.h"
#include "worker/perms.h"

/* The set of the request's principal, borrowed until the next role_cache_read; NULL: it has to be read first. A role that its practice does
 * not know is a set without permissions. */
const struct perm_set *role_cache_find(const struct frame_request *req);
/* Reads the role as the practice's role, in a transaction of its own. Between batches only. On anything but OK nothing is remembered. */
MUST_USE enum err role_cache_read(const struct call *c, struct db *db);

/* False for whoever a token speaks for that has no account: an integration's key, or a client with a link. */
bool role_cache_is_member(const char *role);

#define ROLE_CACHE_KEY_PREFIX "key_"

#endif
