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
        bool renamed = strcmp(file->file, name) != 0;
        sbuf_fmt(why,
                 "The %s migration %s %s after it was run%s%s. Put it back and write a new file"
                 " instead.",
                 scope, file->file, renamed ? "was renamed or changed" : "changed",
                 renamed ? " as " : "", renamed ? name : "");
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

/* [{"v": 1, "n": "0001_core.sql", "c": "..."}] of the files above from; names and checksums need no escaping. */
static void files_json(const struct migrations *m, int from, struct sbuf *out)
{
    sbuf_char(out, '[');
    for (size_t i = (size_t)from; i < m->count; i++) {
        sbuf_fmt(out, "%s{\"v\":%d,\"n\":\"%s\",\"c\":\"%s\"}", i == (size_t)from ? "" : ",",
                 m->rows[i].version, m->rows[i].file, m->rows[i].checksum);
    }
    sbuf_text(out, "]");
    sbuf_char(out, '\0');
}

/* *strange is how many of the files are not in the ledger as they are here. */
static enum err count_strange(PGconn *c, const char *json, char strange[DB_VALUE_MAX],
                              struct sbuf *why)
{
    return db_value(c,
                    "select count(*) from jsonb_to_recordset($1::jsonb) f(v int, n text, c text)"
                    " where not exists (select from public.migration m where m.scope = 'tenant'"
                    " and m.version = f.v and m.name = f.n and m.checksum = f.c)",
                    json, strange, why);
}

static enum err note_json(PGconn *c, const char *json, struct sbuf *why)
{
    char strange[DB_VALUE_MAX];
    TRY(count_strange(c, json, strange, why));
    if (strcmp(strange, "0") == 0) {
        return OK;
    }
    TRY(pg_do(c,
              "insert into public.migration(scope, version, name, checksum)"
              " select 'tenant', v, n, c from jsonb_to_recordset($1::jsonb)"
              " f(v int, n text, c text) order by v on conflict do nothing",
              1, &json, why));
    TRY(count_strange(c, json, strange, why));
    if (strcmp(strange, "0") == 0) {
        return OK;
    }
    sbuf_text(why, "Another gremioctl ran different files under the same numbers.");
    return E_PRECONDITION_FAILED;
}

enum err ledger_note(PGconn *c, const struct migrations *m, int from, struct sbuf *why)
{
    struct sbuf json;
    sbuf_init(&json);
    files_json(m, from, &json);
    enum err e = sbuf_failed(&json) ? E_NOMEM : note_json(c, json.data, why);
    sbuf_fini(&json);
    return e;
}

enum err ledger_tenant_files(PGconn *c, const char *sql_dir, struct migrations *out, int *known,
                             struct sbuf *why)
{
    char dir[512];
    int n = snprintf(dir, sizeof(dir), "%s/tenant_template", sql_dir);
    if (n < 0 || (size_t)n >= sizeof(dir)) {
        sbuf_text(why, "sql_dir is too long.");
        return E_CONFIG;
    }
    TRY(migrations_load(dir, out, why));
    enum err e = ledger_check(c, "tenant", out, known, why);
    if (e != OK) {
        migrations_free(out);
    }
    return e;
}
