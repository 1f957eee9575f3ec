/* SPDX-License-Identifier: LicenseRef-Gremio */
/* state closing -> tables in batches -> schema, role and rows. What was done stays done when it is interrupted. */
#include "provisioning/erase.h"

#include <stdio.h>

#include "common/str.h"
#include "common/tenant.h"
#include "provisioning/apply.h"
#include "provisioning/db.h"
#include "provisioning/script.h"

#define BATCH 20 /* tables per transaction: with indexes and toast about 120 locks */

struct erasing {
    PGconn *db;
    char id[UUID_TEXT];
    char schema[TENANT_NAME_MAX];
    char quoted[68];
    char role[68]; /* quoted */
    struct sbuf *why;
};

/* Commits the state, so that routers stop sending requests before anything is dropped. */
static enum err close_practice(struct erasing *x, const char *slug)
{
    char code[TENANT_CODE_MAX];
    PGresult *r;
    TRY(pg_ask(x->db,
               "update public.tenant set state = 'closing', updated_at = now() where slug = $1"
               " returning id, code",
               1, &slug, &r, x->why));
    enum err e = E_NOT_FOUND;
    if (PQntuples(r) == 1) {
        e = str_copy(slice_of(PQgetvalue(r, 0, 0)), x->id, sizeof(x->id));
        if (e == OK) {
            e = str_copy(slice_of(PQgetvalue(r, 0, 1)), code, sizeof(code));
        }
    }
    PQclear(r);
    TRY(e);
    struct uuid id;
    char role[TENANT_ROLE_MAX];
    TRY(uuid_parse(slice_of(x->id), &id));
    tenant_role(&id, role);
    TRY(tenant_schema(slice_of(code), x->schema));
    TRY(tenant_quote(role, x->role));
    return tenant_quote(x->schema, x->quoted);
}

/* "DROP TABLE a, b CASCADE" for the next tables; *left false when there are none. */
static enum err drop_batch(struct erasing *x, bool *left)
{
    char limit[16];
    snprintf(limit, sizeof(limit), "%d", BATCH);
    const char *params[] = { x->schema, limit };
    PGresult *r;
    TRY(pg_ask(x->db,
               "select c.relname from pg_catalog.pg_class c"
               " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
               " where n.nspname = $1 and c.relkind in ('r', 'p') order by c.oid desc limit $2",
               2, params, &r, x->why));
    struct sbuf text;
    sbuf_init(&text);
    sbuf_text(&text, "DROP TABLE ");
    enum err e = OK;
    for (int i = 0; i < PQntuples(r) && e == OK; i++) {
        char *table = PQescapeIdentifier(x->db, PQgetvalue(r, i, 0), strlen(PQgetvalue(r, i, 0)));
        e = table ? OK : E_NOMEM;
        sbuf_fmt(&text, "%s%s.%s", i ? ", " : "", x->quoted, table ? table : "");
        PQfreemem(table);
    }
    sbuf_text(&text, " CASCADE");
    sbuf_char(&text, '\0');
    *left = PQntuples(r) > 0;
    PQclear(r);
    if (e == OK && *left) {
        e = sbuf_failed(&text) ? E_NOMEM : apply_script(x->db, text.data, x->why);
    }
    sbuf_fini(&text);
    return e;
}

static enum err drop_schema_and_role(struct erasing *x)
{
    static const char sql[] = "DROP SCHEMA IF EXISTS :schema CASCADE;"
                              "SET LOCAL ROLE NONE;"
                              "DROP ROLE IF EXISTS :role;"
                              "SET LOCAL ROLE gremio_owner";
    const struct script_token tokens[] = { { "schema", x->quoted }, { "role", x->role }, { 0 } };
    return apply_filled(x->db, sql, tokens, x->why);
}

/* Membership, sessions and failures go with the directory row; accounts when they belong to nothing else. */
static enum err forget(struct erasing *x)
{
    static const char sql[] =
        "with people as (select account_id from public.membership where tenant_id = $1),"
        " gone as (delete from public.tenant where id = $1)"
        " delete from public.account a using people p where a.id = p.account_id"
        " and not exists (select from public.operator o where o.account_id = a.id)"
        " and not exists (select from public.membership m"
        "  where m.account_id = a.id and m.tenant_id <> $1)";
    const char *params[] = { x->id };
    TRY(pg_do(x->db, "begin", 0, NULL, x->why));
    TRY(pg_do(x->db,
              "select pg_advisory_xact_lock(hashtextextended($1, 0)) from public.tenant"
              " where id = $1::uuid for update",
              1, params, x->why));
    TRY(drop_schema_and_role(x));
    /* Nobody may join another practice between our look at an account's memberships and its end. */
    TRY(pg_do(x->db,
              "select a.id from public.account a join public.membership m on m.account_id = a.id"
              " where m.tenant_id = $1 order by a.id for update of a",
              1, params, x->why));
    TRY(pg_do(x->db, sql, 1, params, x->why));
    return pg_do(x->db, "commit", 0, NULL, x->why);
}

enum err erase_practice(PGconn *c, const char *slug, struct sbuf *why)
{
    struct erasing x = { .db = c, .why = why };
    TRY(close_practice(&x, slug));
    for (bool left = true; left;) {
        TRY(drop_batch(&x, &left));
    }
    enum err e = forget(&x);
    if (e != OK) {
        db_rollback(c);
    }
    return e;
}
