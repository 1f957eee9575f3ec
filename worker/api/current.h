/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The first step of a handler that changes a row: is it there, and is it still the one the client read? */
#ifndef GREMIO_CURRENT_H
#define GREMIO_CURRENT_H

#include "worker/call.h"

/* Runs find, one of the route's stmts, which gives at most one row with a boolean column "fresh"
 * (version = :if_version). OK with that row; otherwise refused: E_NOT_FOUND without a row,
 * E_PRECONDITION_FAILED when it is not fresh. */
MUST_USE enum err current_row(struct call *c, const struct stmt *find, PGresult **row);

#endif
