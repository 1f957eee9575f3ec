/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The locks: the role by the practice's id and the path by its code, set together for one transaction. No other file of the
 * worker sets a role or a search_path; names come from common/tenant.c. */
#ifndef GREMIO_DB_TENANT_H
#define GREMIO_DB_TENANT_H

#include "worker/db.h"

/* Queues the switch on c (prepared once per connection): until the next Sync everything runs as the tenant's role with its
 * schema as path, read-only when asked, and always in a group. E_INTERNAL on a code that is none, E_CLOSED when c is lost. */
MUST_USE enum err db_tenant_send(struct db_conn *c, const struct tenant *t, bool read_only);

/* Queues, before the switch, that the transaction's statements may be planned for their values: a list leaves out what it
 * was not asked for. The sessions' default is one plan for all values, so that a practice's first requests are not
 * planned five times over. */
MUST_USE bool db_tenant_send_replan(struct db_conn *c);

/* Whether the switch happened: exactly one row, and the role that came back is the tenant's. */
bool db_tenant_ok(const PGresult *result, const struct tenant *t);

#endif
