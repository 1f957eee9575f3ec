/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Opening connections with the sentences an operator needs when it fails. */
#include "provisioning/db.h"

#include <stdio.h>

#include "common/str.h"

#define CONNECT_SECONDS 10

static enum err target(const struct settings *s, const char *dbname, const char *user,
                       struct pg_target *out)
{
    *out = (struct pg_target){ .app = "gremioctl" };
    snprintf(out->port, sizeof(out->port), "%d", (int)s->db_port);
    TRY(str_copy(slice_of(s->db_host), out->host, sizeof(out->host)));
    TRY(str_copy(slice_of(dbname), out->dbname, sizeof(out->dbname)));
    return str_copy(slice_of(user), out->user, sizeof(out->user));
}

static enum err bad_target(struct sbuf *why)
{
    sbuf_text(why, "db_host, db_name, db_user or the password is too long.");
    return E_CONFIG;
}

static enum err open_target(const struct settings *s, const struct pg_target *t, PGconn **out,
                            struct sbuf *why)
{
    PGconn *c = pg_open(t, CONNECT_SECONDS, 0, (int)s->lock_timeout, why);
    if (!c) {
        return E_DB_UNAVAILABLE;
    }
    if (PQserverVersion(c) < DB_VERSION_MIN) {
        sbuf_fmt(why, "PostgreSQL 15 or newer is needed; the server at %s is version %d.", t->host,
                 PQserverVersion(c) / 10000);
        PQfinish(c);
        return E_CONFIG;
    }
    *out = c;
    return OK;
}

enum err db_open_admin(const struct settings *s, const char *dbname, PGconn **out, struct sbuf *why)
{
    struct pg_target t;
    if (target(s, dbname, s->db_user, &t) != OK ||
        str_copy(slice_of(s->db_password), t.password, sizeof(t.password)) != OK) {
        return bad_target(why);
    }
    PGconn *c;
    TRY(open_target(s, &t, &c, why));
    const char *super = PQparameterStatus(c, "is_superuser");
    if (!super || strcmp(super, "on") != 0) {
        sbuf_fmt(why, "init needs a superuser of the server, and %s is none; set db_user.",
                 s->db_user);
        PQfinish(c);
        return E_CONFIG;
    }
    *out = c;
    return OK;
}

enum err db_open_provision(const struct settings *s, PGconn **out, struct sbuf *why)
{
    struct pg_target t;
    char path[512];
    if (target(s, s->db_name, "gremio_provision", &t) != OK ||
        settings_secret_path(s, "provision.password", path, sizeof(path)) != OK) {
        return bad_target(why);
    }
    TRY(conf_secret(path, t.password, sizeof(t.password), why));
    PGconn *c;
    enum err e = open_target(s, &t, &c, why);
    if (e != OK) {
        return e;
    }
    e = pg_do(c, "set role gremio_owner", 0, NULL, why);
    if (e != OK) {
        PQfinish(c);
        return e;
    }
    *out = c;
    return OK;
}

enum err db_value(PGconn *c, const char *sql, const char *param, char out[DB_VALUE_MAX],
                  struct sbuf *why)
{
    PGresult *r;
    TRY(pg_ask(c, sql, param ? 1 : 0, &param, &r, why));
    enum err e = E_NOT_FOUND;
    if (PQntuples(r) > 0) {
        e = str_copy(slice_of(PQgetvalue(r, 0, 0)), out, DB_VALUE_MAX);
    }
    PQclear(r);
    return e;
}

void db_rollback(PGconn *c)
{
    struct sbuf ignored;
    sbuf_init(&ignored);
    if (PQtransactionStatus(c) != PQTRANS_IDLE && pg_do(c, "rollback", 0, NULL, &ignored) != OK) {
        PQreset(c); /* the server rolls back when the session ends */
    }
    sbuf_fini(&ignored);
}

enum err db_finish(PGconn *c, enum err e, struct sbuf *why)
{
    if (e == OK) {
        e = pg_do(c, "commit", 0, NULL, why);
    }
    if (e != OK) {
        db_rollback(c);
    }
    return e;
}
