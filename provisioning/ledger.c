/* SPDX-License-Identifier: LicenseRef-Gremio */
/* public.migration: read, compare, add. */
#include "provisioning/ledger.h"

#include <stdio.h>

#include "common/str.h"
#include "provisioning/db.h"

/* One row of the ledger against the files. */
static enum err compare(const PGresult *r, int row, const char *scope, const struct migrations *m,
                        struct sbuf *why)
{
    int64_t version;
    const char *name = PQgetvalue(r, row, 1);
    TRY(str_int(slice_of(PQgetvalue(r, row, 0)), 1, MIGRATIONS_MAX, &version));
    if ((size_t)version > m->count) {
        sbuf_fmt(why,
                 "The database knows the %s migration %s, which this folder does not have: these"
                 " SQL files are older than the database.",
                 scope, name);
        return E_PRECONDITION_FAILED;
    }
    const struct migration *file = &m->rows[version - 1];
    if (strcmp(file->checksum, PQgetvalue(r, row, 2)) != 0 || strcmp(file->file, name) != 0) {
        sbuf_fmt(why,
                 "The %s migration %s changed after it was recorded as %s. Put it back and write a"
                 " new file instead.",
                 scope, file->file, name);
        return E_PRECONDITION_FAILED;
    }
    return OK;
}

enum err ledger_check(PGconn *c, const char *scope, const struct migrations *m, int *known,
                      struct sbuf *why)
{
    PGresult *r;
    TRY(pg_ask(c,
               "select version, name, checksum from public.migration where scope = $1"
               " order by version",
               1, &scope, &r, why));
    enum err e = OK;
    for (int i = 0; i < PQntuples(r) && e == OK; i++) {
        e = compare(r, i, scope, m, why);
    }
    *known = PQntuples(r);
    PQclear(r);
    return e;
}

enum err ledger_add(PGconn *c, const char *scope, const struct migration *m, struct sbuf *why)
{
    char version[16];
    snprintf(version, sizeof(version), "%d", m->version);
    const char *params[] = { scope, version, m->file, m->checksum };
    return pg_do(c,
                 "insert into public.migration(scope, version, name, checksum)"
                 " values ($1, $2, $3, $4)",
                 4, params, why);
}

static enum err register_inside(PGconn *c, const char *scope, const struct migrations *m,
                                int *added, struct sbuf *why)
{
    int known;
    TRY(pg_do(c, "lock table public.migration in share row exclusive mode", 0, NULL, why));
    TRY(ledger_check(c, scope, m, &known, why));
    for (size_t i = (size_t)known; i < m->count; i++) {
        TRY(ledger_add(c, scope, &m->rows[i], why));
    }
    *added = (int)m->count - known;
    return pg_do(c, "commit", 0, NULL, why);
}

enum err ledger_register(PGconn *c, const char *scope, const struct migrations *m, int *added,
                         struct sbuf *why)
{
    int ignored;
    TRY(pg_do(c, "begin", 0, NULL, why));
    enum err e = register_inside(c, scope, m, added ? added : &ignored, why);
    if (e != OK) {
        db_rollback(c);
    }
    return e;
}

enum err ledger_tenant_files(PGconn *c, const char *sql_dir, bool add, struct migrations *out,
                             int *known, struct sbuf *why)
{
    char dir[512];
    int n = snprintf(dir, sizeof(dir), "%s/tenant_template", sql_dir);
    if (n < 0 || (size_t)n >= sizeof(dir)) {
        sbuf_text(why, "sql_dir is too long.");
        return E_CONFIG;
    }
    TRY(migrations_load(dir, out, why));
    enum err e = ledger_check(c, "tenant", out, known, why);
    if (e == OK && add && (size_t)*known < out->count) {
        e = ledger_register(c, "tenant", out, NULL, why);
    }
    if (e != OK) {
        migrations_free(out);
    }
    return e;
}
