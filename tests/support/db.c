/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Connections over the stack's Unix socket; one statement per call, always through the extended protocol. */
#include "tests/support/db.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/conf.h"
#include "common/secret.h"
#include "tests/support/stack.h"

static PGconn *opened(const char *user, const char *password)
{
    const char *const keys[] = { "host", "port", "dbname", "user", "password", NULL };
    const char *const values[] = {
        stack_env("GREMIO_PG"), "5432", stack_env("GREMIO_DB"), user, password, NULL,
    };
    PGconn *c = PQconnectdbParams(keys, values, 0);
    cr_assert(PQstatus(c) == CONNECTION_OK, "database as %s: %s", user, PQerrorMessage(c));
    return c;
}

PGconn *db_super(void)
{
    return opened("postgres", NULL);
}

static void secret_file(const char *name, char *out, size_t cap)
{
    char path[300];
    snprintf(path, sizeof path, "%s/secrets/%s", stack_env("GREMIO_STATE"), name);
    struct sbuf why;
    sbuf_init(&why);
    enum err e = conf_secret(path, out, cap, &why);
    cr_assert(e == OK, "%s: %s", path, why.data ? why.data : "?");
    sbuf_fini(&why);
}

PGconn *db_login(const char *login)
{
    char password[256];
    if (strncmp(login, "gremio_pool_", 12) == 0) {
        char key[SECRET_KEY_TEXT];
        secret_file("pool.key", key, sizeof key);
        cr_assert(secret_init() == OK);
        cr_assert(secret_login_password(key, login, password) == OK);
        return opened(login, password);
    }
    char file[64];
    snprintf(file, sizeof file, "%s.password", login + strlen("gremio_"));
    secret_file(file, password, sizeof password);
    return opened(login, password);
}

static PGresult *asked(PGconn *c, const char *sql, va_list args)
{
    const char *values[4];
    int n = 0;
    for (const char *v = va_arg(args, const char *); v && n < 4; v = va_arg(args, const char *)) {
        values[n++] = v;
    }
    PGresult *r = PQexecParams(c, sql, n, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(r);
    cr_assert(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, "%s\n%s", sql,
              PQerrorMessage(c));
    return r;
}

static char *first_cell(const PGresult *r)
{
    return strdup(PQntuples(r) > 0 && PQnfields(r) > 0 ? PQgetvalue(r, 0, 0) : "");
}

char *db_value(PGconn *c, const char *sql, ...)
{
    va_list args;
    va_start(args, sql);
    PGresult *r = asked(c, sql, args);
    va_end(args);
    char *out = first_cell(r);
    PQclear(r);
    return out;
}

long db_number(PGconn *c, const char *sql, ...)
{
    va_list args;
    va_start(args, sql);
    PGresult *r = asked(c, sql, args);
    va_end(args);
    char *text = first_cell(r);
    PQclear(r);
    long out = strtol(text, NULL, 10);
    free(text);
    return out;
}

const char *db_try(PGconn *c, const char *sql)
{
    static char state[6];
    PGresult *r = PQexecParams(c, sql, 0, NULL, NULL, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(r);
    bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    const char *found = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    snprintf(state, sizeof state, "%s", found ? found : "LOST");
    PQclear(r);
    return good ? NULL : state;
}

void db_do(PGconn *c, const char *sql)
{
    const char *failed = db_try(c, sql);
    cr_assert(failed == NULL, "%s: %s %s", sql, failed, PQerrorMessage(c));
}

char *db_code(PGconn *super, const char *slug)
{
    char *code = db_value(super, "SELECT code FROM public.tenant WHERE slug = $1", slug, NULL);
    cr_assert(code[0] != '\0', "no tenant %s", slug);
    return code;
}

char *db_role(PGconn *super, const char *slug)
{
    char *role = db_value(
        super, "SELECT 'p_' || replace(id::text, '-', '') FROM public.tenant WHERE slug = $1", slug,
        NULL);
    cr_assert(role[0] != '\0', "no tenant %s", slug);
    return role;
}
