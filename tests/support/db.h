/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The database behind the API's back: as superuser to look and to plant, as a pool login to attack. */
#ifndef GREMIO_TEST_DB_H
#define GREMIO_TEST_DB_H

#include <libpq-fe.h>

#include "common/base.h"

/* The cluster's superuser. The test fails when the connection does. The caller PQfinishes. */
PGconn *db_super(void);
/* A login of gremioctl init with the password the stack has for it: "gremio_pool_00", "gremio_router", "gremio_auth",
 * "gremio_provision". The test fails when the connection does. */
PGconn *db_login(const char *login);

/* First cell of one statement's result as text, "" for SQL null or no row; malloc, the caller frees. The test fails
 * when the statement does. At most 4 text parameters follow, ended by NULL. */
char *db_value(PGconn *c, const char *sql, ...) __attribute__((sentinel));
/* The same as a number. */
long db_number(PGconn *c, const char *sql, ...) __attribute__((sentinel));
/* Runs one statement without parameters. NULL when it worked, else its SQLSTATE ("42501"), "LOST" when the connection
 * is gone. The text lives until the next call. */
const char *db_try(PGconn *c, const char *sql);
/* Runs one statement; the test fails when the statement does. */
void db_do(PGconn *c, const char *sql);
/* Code of the tenant with that slug: names its schema t_CODE. malloc. */
char *db_code(PGconn *super, const char *slug);
/* Its role, p_ and the digits of its id. malloc. */
char *db_role(PGconn *super, const char *slug);

#endif
