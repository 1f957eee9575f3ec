/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One libpq connection, blocking, with the session settings every Gremio connection has: UTC, ISO dates, empty
 * search_path, no waiting for ever. Text format, values only as $n. */
#ifndef GREMIO_PG_H
#define GREMIO_PG_H

#include <libpq-fe.h>

#include "common/err.h"
#include "common/sbuf.h"

struct pg_target {
    char host[256]; /* directory of the Unix socket, or a host name */
    char port[8];
    char dbname[64];
    char user[64];
    char password[128];
    char app[32]; /* application_name */
    bool generic; /* statements are planned once, not anew for every value */
};

/* A session with TimeZone UTC, DateStyle ISO, search_path '', statement_timeout and lock_timeout in milliseconds
 * (0: none), client_min_messages error, no JIT, client_connection_check_interval 5 s. connect_s bounds the connect.
 * NULL with a sentence in why (never the password) on failure. The caller PQfinishes. */
MUST_USE PGconn *pg_open(const struct pg_target *t, int connect_s, int statement_ms, int lock_ms,
                         struct sbuf *why);

/* One statement through PQexecParams (n text parameters, NULL = SQL null). OK with *out (PQclear is the caller's) on
 * PGRES_TUPLES_OK or PGRES_COMMAND_OK. On E_DB_* *out is NULL and why holds SQLSTATE and message. */
MUST_USE enum err pg_ask(PGconn *c, const char *sql, int n, const char *const *values,
                         PGresult **out, struct sbuf *why);
/* The same without rows. */
MUST_USE enum err pg_do(PGconn *c, const char *sql, int n, const char *const *values,
                        struct sbuf *why);

/* What a failed statement means: by SQLSTATE (and constraint name for 23xxx). sqlstate "" (connection lost) is
 * E_DB_UNAVAILABLE. 23P01 allocation -> E_SLOT_TAKEN, client_busy -> E_CLIENT_CONFLICT; 23505 -> E_ALREADY_EXISTS;
 * 57014 -> E_DEADLINE; 55P03 -> E_BUSY; 40001, 40P01 -> E_AGAIN; 25006 -> E_TENANT_READ_ONLY;
 * 53100 -> E_STORAGE_FULL; 57P0x, 08xxx, other 53xxx -> E_DB_UNAVAILABLE; else E_INTERNAL. */
enum err pg_err(const char *sqlstate, const char *constraint);

/* At start: refuses a libpq without the fixes of 15.11 (version as PQlibVersion says it). E_CONFIG with one sentence. */
MUST_USE enum err pg_floor(int version, struct sbuf *why);

#endif
