/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Least rights for every login. Statements are constants filled with names from tenant_quote, the database's
 * name from PQescapeIdentifier and password verifiers from PQescapeLiteral. Everything can be run again. */
#include "provisioning/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/secret.h"
#include "common/str.h"
#include "common/tenant.h"
#include "provisioning/apply.h"
#include "provisioning/db.h"
#include "provisioning/script.h"

#define NOTHING "NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS NOINHERIT "

static const struct fixed_role {
    const char *name;
    const char *attributes;
    const char *secret; /* file of its password; NULL: it never logs in */
} fixed_roles[] = {
    { "gremio_owner", NOTHING "NOLOGIN NOCREATEROLE", NULL },
    { "gremio_router", NOTHING "LOGIN NOCREATEROLE CONNECTION LIMIT 64", "router.password" },
    { "gremio_auth", NOTHING "LOGIN NOCREATEROLE CONNECTION LIMIT 64", "auth.password" },
    { "gremio_jobs", NOTHING "LOGIN NOCREATEROLE CONNECTION LIMIT 64", "jobs.password" },
    { "gremio_provision", NOTHING "LOGIN CREATEROLE CONNECTION LIMIT 80", "provision.password" },
};

static const char *const secret_files[] = {
    "router.password",    "auth.password", "jobs.password",
    "provision.password", "pool.key",      "sealing.key",
};

/* What the database itself grants to everybody and we take back (security.md 5); set_config would let a statement
 * under one practice's role choose another. */
static const char rights_sql[] =
    "ALTER DATABASE :database OWNER TO gremio_owner;"
    "REVOKE ALL ON DATABASE :database FROM PUBLIC;"
    "GRANT CONNECT ON DATABASE :database TO gremio_router, gremio_auth, gremio_jobs, "
    "gremio_provision;"
    "ALTER SCHEMA public OWNER TO gremio_owner;"
    "REVOKE ALL ON SCHEMA public FROM PUBLIC;"
    "CREATE SCHEMA IF NOT EXISTS ext AUTHORIZATION gremio_owner;"
    "CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA ext;"
    "CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA ext;"
    "REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;"
    "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) FROM PUBLIC;"
    "DO $$ DECLARE f regprocedure; BEGIN"
    "  FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p"
    "    WHERE p.pronamespace = 'pg_catalog'::regnamespace"
    "      AND (p.proname ~ '^lo_' OR p.proname IN ('loread', 'lowrite'))"
    "  LOOP EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f); END LOOP;"
    "END $$;"
    "GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO gremio_owner"
    "  WITH GRANT OPTION;"
    "GRANT EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) TO gremio_owner;"
    "GRANT gremio_owner TO gremio_provision;"
    "ALTER ROLE gremio_router SET search_path = '';"
    "ALTER ROLE gremio_auth SET search_path = '';"
    "ALTER ROLE gremio_jobs SET search_path = '';"
    "ALTER ROLE gremio_provision SET search_path = ''";

static const char pool_attributes[] = NOTHING "LOGIN NOCREATEROLE CONNECTION LIMIT 100";
static const char pool_rights_sql[] =
    "ALTER ROLE :pool SET search_path = '';"
    "ALTER ROLE :pool SET idle_in_transaction_session_timeout = '60s';"
    "SET LOCAL ROLE gremio_owner;"
    "GRANT CONNECT ON DATABASE :database TO :pool;"
    "GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO :pool";

static enum err write_secret(const char *path, struct sbuf *why)
{
    char key[SECRET_KEY_TEXT];
    secret_key_make(key);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        if (errno == EEXIST) {
            return OK;
        }
        sbuf_fmt(why, "Cannot write %s: %s.", path, strerror(errno));
        return E_IO;
    }
    size_t n = strlen(key);
    key[n] = '\n';
    bool written = write(fd, key, n + 1) == (ssize_t)(n + 1) && fsync(fd) == 0;
    if (!written) {
        sbuf_fmt(why, "Cannot write %s: %s.", path, strerror(errno));
        unlink(path);
    }
    close(fd);
    return written ? OK : E_IO;
}

enum err roles_secrets(const struct settings *s, struct sbuf *why)
{
    if (mkdir(s->secrets_dir, 0700) != 0 && errno != EEXIST) {
        sbuf_fmt(why, "Cannot create the folder %s: %s.", s->secrets_dir, strerror(errno));
        return E_IO;
    }
    for (size_t i = 0; i < ARRAY_LEN(secret_files); i++) {
        char path[512];
        if (settings_secret_path(s, secret_files[i], path, sizeof(path)) != OK) {
            sbuf_text(why, "secrets_dir is too long.");
            return E_CONFIG;
        }
        TRY(write_secret(path, why));
    }
    return OK;
}

/* The one place that sets a password: the verifier is made here, so neither log nor wire carries the text. */
static enum err set_password(PGconn *c, const char *login, const char *password, struct sbuf *why)
{
    char quoted[68];
    TRY(tenant_quote(login, quoted));
    char *verifier = PQencryptPasswordConn(c, password, login, "scram-sha-256");
    char *literal = verifier ? PQescapeLiteral(c, verifier, strlen(verifier)) : NULL;
    enum err e = E_INTERNAL;
    if (literal) {
        const struct script_token tokens[] = {
            { "login", quoted },
            { "verifier", literal },
            { 0 },
        };
        e = apply_filled(c, "ALTER ROLE :login PASSWORD :verifier", tokens, why);
    } else {
        sbuf_fmt(why, "Cannot make the password of %s: %s", login, PQerrorMessage(c));
    }
    PQfreemem(literal);
    PQfreemem(verifier);
    return e;
}

static enum err set_password_from(PGconn *c, const struct settings *s,
                                  const struct fixed_role *role, struct sbuf *why)
{
    char path[512];
    char password[SECRET_PASSWORD_MAX + 64];
    TRY(settings_secret_path(s, role->secret, path, sizeof(path)));
    TRY(conf_secret(path, password, sizeof(password), why));
    return set_password(c, role->name, password, why);
}

/* Creates the role or brings it back to its attributes. */
static enum err role_make(PGconn *c, const char *name, const char *attributes, struct sbuf *why)
{
    char found[DB_VALUE_MAX];
    char text[256];
    char quoted[68];
    TRY(tenant_quote(name, quoted));
    enum err e = db_value(c, "select 'yes' from pg_catalog.pg_roles where rolname = $1", name,
                          found, why);
    if (e != OK && e != E_NOT_FOUND) {
        return e;
    }
    snprintf(text, sizeof(text), "%s ROLE %s %s", e == OK ? "ALTER" : "CREATE", quoted, attributes);
    return apply_script(c, text, why);
}

enum err roles_fixed(PGconn *c, const struct settings *s, struct sbuf *why)
{
    for (size_t i = 0; i < ARRAY_LEN(fixed_roles); i++) {
        TRY(role_make(c, fixed_roles[i].name, fixed_roles[i].attributes, why));
        if (fixed_roles[i].secret) {
            TRY(set_password_from(c, s, &fixed_roles[i], why));
        }
    }
    return OK;
}

/* sql with :database, and :pool when login is given. */
static enum err run_for(PGconn *c, const struct settings *s, const char *sql, const char *login,
                        struct sbuf *why)
{
    char pool[68] = "";
    if (login) {
        TRY(tenant_quote(login, pool));
    }
    char *database = PQescapeIdentifier(c, s->db_name, strlen(s->db_name));
    const struct script_token tokens[] = {
        { "database", database },
        { "pool", pool },
        { 0 },
    };
    enum err e = database ? apply_filled(c, sql, tokens, why) : E_NOMEM;
    PQfreemem(database);
    return e;
}

enum err roles_rights(PGconn *c, const struct settings *s, struct sbuf *why)
{
    return run_for(c, s, rights_sql, NULL, why);
}

static enum err pool_password(const struct settings *s, const char *login,
                              char out[SECRET_PASSWORD_MAX], struct sbuf *why)
{
    char path[512];
    char key[SECRET_KEY_TEXT + 64];
    TRY(settings_secret_path(s, "pool.key", path, sizeof(path)));
    TRY(conf_secret(path, key, sizeof(key), why));
    return secret_login_password(key, login, out);
}

enum err roles_pool(PGconn *c, const struct settings *s, unsigned pool, struct sbuf *why)
{
    char login[24];
    char password[SECRET_PASSWORD_MAX];
    TRY(tenant_pool_login(pool, login));
    TRY(pool_password(s, login, password, why));
    TRY(apply_script(c, "SET LOCAL ROLE NONE", why));
    TRY(role_make(c, login, pool_attributes, why));
    TRY(set_password(c, login, password, why));
    return run_for(c, s, pool_rights_sql, login, why);
}

enum err roles_pools(PGconn *c, const struct settings *s, int *count, struct sbuf *why)
{
    PGresult *r;
    TRY(pg_ask(c,
               "select 0 as pool union select pool from public.tenant union"
               " select substr(rolname, 13)::int from pg_catalog.pg_roles"
               "  where rolname ~ '^gremio_pool_[0-9]{2,3}$' order by 1",
               0, NULL, &r, why));
    enum err e = OK;
    for (int i = 0; i < PQntuples(r) && e == OK; i++) {
        int64_t pool = 0;
        e = str_int(slice_of(PQgetvalue(r, i, 0)), 0, TENANT_POOLS_MAX - 1, &pool);
        if (e == OK) {
            e = roles_pool(c, s, (unsigned)pool, why);
        }
    }
    *count = PQntuples(r);
    PQclear(r);
    return e;
}
