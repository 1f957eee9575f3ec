/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremioctl's connections: the superuser (init only) and gremio_provision acting as gremio_owner. */
#ifndef GREMIO_DB_H
#define GREMIO_DB_H

#include "common/pg.h"
#include "provisioning/settings.h"

#define DB_VERSION_MIN 150000 /* PQserverVersion */

/* As db_user on dbname; E_DB_UNAVAILABLE or E_CONFIG (server too old, not a superuser) with a sentence in why. */
MUST_USE enum err db_open_admin(const struct settings *s, const char *dbname, PGconn **out,
                                struct sbuf *why);
/* As gremio_provision with the role gremio_owner, on db_name. The caller PQfinishes. */
MUST_USE enum err db_open_provision(const struct settings *s, PGconn **out, struct sbuf *why);
#define DB_VALUE_MAX 64
/* One short value of one row as text; "" for NULL. param is $1, or NULL when there is none. E_NOT_FOUND without a row,
 * E_BAD_REQUEST when the value is longer. */
MUST_USE enum err db_value(PGconn *c, const char *sql, const char *param, char out[DB_VALUE_MAX],
                           struct sbuf *why);
/* Commits what began with "begin" when e is OK, otherwise rolls it back. e, or the commit's own failure with why. */
MUST_USE enum err db_finish(PGconn *c, enum err e, struct sbuf *why);
/* Ends an open transaction, if any; its own failure does not matter any more. */
void db_rollback(PGconn *c);

#endif
