/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremioctl init: makes a server ready, or repairs what is missing. Every step may be run again. */
#include <stdio.h>

#include "provisioning/apply.h"
#include "provisioning/command.h"
#include "provisioning/db.h"
#include "provisioning/ledger.h"
#include "provisioning/roles.h"
#include "provisioning/signing.h"

/* What the closing report says. */
struct report {
    bool database_made, key_made;
    int migrated; /* public files applied now */
    int pools;
    int tenant_files;
    char kid[SIGNING_KID_MAX];
};

typedef enum err (*step_fn)(PGconn *c, struct call *call, struct report *report);

/* One step in one transaction. */
static enum err in_transaction(PGconn *c, struct call *call, struct report *report, step_fn step)
{
    TRY(pg_do(c, "begin", 0, NULL, &call->why));
    return db_finish(c, step(c, call, report), &call->why);
}

static enum err make_fixed_roles(PGconn *c, struct call *call, struct report *report)
{
    UNUSED(report);
    return roles_fixed(c, call->settings, &call->why);
}

static enum err make_rights(PGconn *c, struct call *call, struct report *report)
{
    UNUSED(report);
    return roles_rights(c, call->settings, &call->why);
}

static enum err make_pools(PGconn *c, struct call *call, struct report *report)
{
    return roles_pools(c, call->settings, &report->pools, &call->why);
}

static enum err make_key(PGconn *c, struct call *call, struct report *report)
{
    TRY(pg_do(c, "set local role gremio_owner", 0, NULL, &call->why));
    return signing_ensure(c, call->settings, report->kid, &report->key_made, &call->why);
}

/* CREATE DATABASE knows no transaction and no parameter. Byte order sorts the same on every machine and survives a
 * change of the system's libraries. */
static enum err create_database(PGconn *c, struct call *call)
{
    const char *name = call->settings->db_name;
    char *quoted = PQescapeIdentifier(c, name, strlen(name));
    char text[512];
    if (!quoted) {
        return E_NOMEM;
    }
    snprintf(text, sizeof(text),
             "CREATE DATABASE %s OWNER gremio_owner TEMPLATE template0 ENCODING 'UTF8'"
             " LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'",
             quoted);
    PQfreemem(quoted);
    return pg_do(c, text, 0, NULL, &call->why);
}

static enum err ensure_database(PGconn *c, struct call *call, struct report *report)
{
    char encoding[DB_VALUE_MAX];
    enum err e = db_value(c,
                          "select pg_encoding_to_char(encoding) from pg_catalog.pg_database"
                          " where datname = $1",
                          call->settings->db_name, encoding, &call->why);
    if (e == E_NOT_FOUND) {
        report->database_made = true;
        return create_database(c, call);
    }
    if (e == OK && strcmp(encoding, "UTF8") != 0) {
        sbuf_fmt(&call->why, "The database %s has the encoding %s; it must be UTF8.",
                 call->settings->db_name, encoding);
        return E_CONFIG;
    }
    return e;
}

/* Roles and database, from the server's maintenance database, against other inits at once. */
static enum err prepare_server(struct call *call, struct report *report)
{
    PGconn *c;
    TRY(db_open_admin(call->settings, "postgres", &c, &call->why));
    enum err e = pg_do(c, "select pg_advisory_lock(hashtextextended('gremio init', 0))", 0, NULL,
                       &call->why);
    if (e == OK) {
        e = in_transaction(c, call, report, make_fixed_roles);
    }
    if (e == OK) {
        e = ensure_database(c, call, report);
    }
    PQfinish(c);
    return e;
}

/* One file of sql/public and its line in the ledger, which 0001 itself makes. */
static enum err apply_public(PGconn *c, const struct migration *m, struct sbuf *why)
{
    TRY(pg_do(c, "begin", 0, NULL, why));
    sbuf_fmt(why, "%s: ", m->file);
    enum err e = pg_do(c, "set local role gremio_owner", 0, NULL, why);
    if (e == OK) {
        e = apply_script(c, m->sql, why);
    }
    if (e == OK) {
        e = ledger_add(c, "public", m, why);
    }
    if (e == OK) {
        e = pg_do(c, "commit", 0, NULL, why);
    }
    if (e == OK) {
        sbuf_reset(why, SIZE_MAX);
    } else {
        db_rollback(c);
    }
    return e;
}

static enum err migrate_public_files(PGconn *c, struct call *call, const struct migrations *m,
                                     struct report *report)
{
    char ledger[DB_VALUE_MAX];
    int known = 0;
    TRY(db_value(c, "select (to_regclass('public.migration') is not null)::text", NULL, ledger,
                 &call->why));
    if (ledger[0] == 't') {
        TRY(ledger_check(c, "public", m, &known, &call->why));
    }
    for (size_t i = (size_t)known; i < m->count; i++) {
        TRY(apply_public(c, &m->rows[i], &call->why));
        report->migrated++;
    }
    return OK;
}

static enum err migrate_public(PGconn *c, struct call *call, struct report *report)
{
    char dir[512];
    struct migrations m;
    int n = snprintf(dir, sizeof(dir), "%s/public", call->settings->sql_dir);
    if (n < 0 || (size_t)n >= sizeof(dir)) {
        sbuf_text(&call->why, "sql_dir is too long.");
        return E_CONFIG;
    }
    TRY(migrations_load(dir, &m, &call->why));
    enum err e = migrate_public_files(c, call, &m, report);
    migrations_free(&m);
    return e;
}

static enum err check_tenant_files(PGconn *c, struct call *call, struct report *report)
{
    struct migrations m;
    int known;
    TRY(ledger_tenant_files(c, call->settings->sql_dir, &m, &known, &call->why));
    report->tenant_files = (int)m.count;
    migrations_free(&m);
    return OK;
}

static enum err fill_database(PGconn *c, struct call *call, struct report *report)
{
    TRY(pg_do(c, "select pg_advisory_lock(hashtextextended('gremio init', 0))", 0, NULL,
              &call->why));
    TRY(in_transaction(c, call, report, make_rights));
    output_say(&call->out, "ok  roles, rights, extensions");
    TRY(migrate_public(c, call, report));
    output_say(&call->out, "ok  public schema (%d file%s applied)", report->migrated,
               report->migrated == 1 ? "" : "s");
    TRY(in_transaction(c, call, report, make_pools));
    output_say(&call->out, "ok  pool logins (%d)", report->pools);
    TRY(in_transaction(c, call, report, make_key));
    output_say(&call->out, "ok  signing key %s%s", report->kid, report->key_made ? " (new)" : "");
    return check_tenant_files(c, call, report);
}

static enum err init_all(struct call *call, struct report *report)
{
    TRY(roles_secrets(call->settings, &call->why));
    output_say(&call->out, "ok  secrets in %s", call->settings->secrets_dir);
    TRY(prepare_server(call, report));
    output_say(&call->out, "ok  database %s%s", call->settings->db_name,
               report->database_made ? " (new)" : "");
    PGconn *c;
    TRY(db_open_admin(call->settings, call->settings->db_name, &c, &call->why));
    enum err e = fill_database(c, call, report);
    PQfinish(c);
    return e;
}

static int init_run(struct call *call)
{
    struct report report = { 0 };
    enum err e = init_all(call, &report);
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    char migrated[16], files[16];
    snprintf(migrated, sizeof(migrated), "%d", report.migrated);
    snprintf(files, sizeof(files), "%d", report.tenant_files);
    const struct output_field fields[] = {
        { "database", OUTPUT_TEXT, call->settings->db_name },
        { "database_created", OUTPUT_BOOL, report.database_made ? "t" : "f" },
        { "public_files_applied", OUTPUT_NUMBER, migrated },
        { "tenant_files", OUTPUT_NUMBER, files },
        { "signing_key", OUTPUT_TEXT, report.kid },
        { "signing_key_created", OUTPUT_BOOL, report.key_made ? "t" : "f" },
        { "secrets_dir", OUTPUT_TEXT, call->settings->secrets_dir },
        { 0 },
    };
    if (call->out.json) {
        output_record(&call->out, "init", fields);
    }
    return EXIT_OK;
}

const struct command cmd_init_commands[] = {
    {
        .words = { "init" },
        .summary = "Make the server ready: roles, database, public schema, keys; repairs too",
        .login = COMMAND_NO_LOGIN,
        .run = init_run,
    },
    { .words = { NULL } },
};
