/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The three locks: role, path and stamp, set together for one transaction. No other file of the worker sets a role or
 * a search_path; names come from common/tenant.c. */
#ifndef GREMIO_DB_TENANT_H
#define GREMIO_DB_TENANT_H

#include "worker/db.h"

/* Queues the switch on c (prepared once per practice and connection): until the next Sync everything runs as the tenant's
 * role with its schema as path, read-only when asked. E_INTERNAL on a code that is none, E_CLOSED when c is lost. */
MUST_USE enum err db_tenant_send(struct db_conn *c, const struct tenant *t, bool read_only);

/* Whether the switch happened: exactly one row, and the role that came back is the tenant's. */
bool db_tenant_ok(const PGresult *result, const struct tenant *t);

#endif
