/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Erases one practice without holding thousands of locks: first nobody may use it, then its tables go in small
 * transactions, then schema, role, directory row and accounts that belong nowhere else. May be repeated. */
#ifndef GREMIO_ERASE_H
#define GREMIO_ERASE_H

#include "common/pg.h"

/* E_NOT_FOUND; E_BUSY when a lock was not to be had in time (repeat). */
MUST_USE enum err erase_practice(PGconn *c, const char *slug, struct sbuf *why);

#endif
