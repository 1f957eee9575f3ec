/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One practice, one transaction. PQsendQuery (the simple protocol) is used in this file and nowhere else: a
 * migration file is many statements, and the extended protocol carries exactly one. Every name in the text comes
 * from tenant_quote, everything else from files under sql/ or from constants. */
#include "provisioning/apply.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/str.h"
#include "provisioning/db.h"
#include "provisioning/ledger.h"
#include "provisioning/script.h"

/* The quoted names one practice's script is filled with. */
struct names {
    char schema[68];
    char tenant[68]; /* the practice's role */
    char pool[68];
};

static enum err names_of(const struct apply_target *t, struct names *out)
{
    char schema[TENANT_NAME_MAX];
    char role[TENANT_ROLE_MAX];
    char login[24];
    struct uuid id;
    TRY(uuid_parse(slice_of(t->id), &id));
    tenant_role(&id, role);
    TRY(tenant_schema(slice_of(t->code), schema));
    TRY(tenant_pool_login(t->pool, login));
    TRY(tenant_quote(schema, out->schema));
    TRY(tenant_quote(role, out->tenant));
    return tenant_quote(login, out->pool);
}

/* Line of a failed statement in its file, from the character position PostgreSQL gives; 0 when it gives none. */
static int fault_line(const PGresult *r, const char *text)
{
    const char *position = PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION);
    if (!position) {
        return 0;
    }
    int line = 1;
    for (long left = strtol(position, NULL, 10) - 1; left > 0 && *text; text++) {
        line += *text == '\n';
        left -= ((unsigned char)*text & 0xc0) != 0x80;
    }
    return line;
}

static void explain(PGconn *c, const PGresult *r, const char *text, struct sbuf *why)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    int line = fault_line(r, text);
    if (line > 0) {
        sbuf_fmt(why, "line %d: ", line);
    }
    struct slice lost = str_trim(slice_of(PQerrorMessage(c)));
    while (lost.n > 0 && lost.p[lost.n - 1] == '\n') {
        lost.n--;
    }
    if (message) {
        sbuf_fmt(why, "%s (%s)", message, state ? state : "?????");
    } else {
        sbuf_fmt(why, "%.*s", (int)lost.n, lost.p);
    }
}

/* Reads every result of a script; sqlstate (6 bytes) gets the first failure's, "" when the connection broke. */
static enum err collect(PGconn *c, const char *text, char *sqlstate, struct sbuf *why)
{
    enum err first = OK;
    for (PGresult *r; (r = PQgetResult(c)); PQclear(r)) {
        ExecStatusType status = PQresultStatus(r);
        bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
                    status == PGRES_EMPTY_QUERY;
        if (good || first != OK) {
            continue;
        }
        const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
        snprintf(sqlstate, 6, "%s", state ? state : "");
        first = pg_err(sqlstate, PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME));
        explain(c, r, text, why);
    }
    return first;
}

static enum err send(PGconn *c, const char *text, struct sbuf *why)
{
    if (PQsendQuery(c, text) != 1) {
        sbuf_text(why, "The connection to the database was lost.");
        return E_DB_UNAVAILABLE;
    }
    return OK;
}

enum err apply_script(PGconn *c, const char *text, struct sbuf *why)
{
    char sqlstate[6] = "";
    TRY(send(c, text, why));
    return collect(c, text, sqlstate, why);
}

enum err apply_filled(PGconn *c, const char *sql, const struct script_token *tokens,
                      struct sbuf *why)
{
    struct sbuf text;
    sbuf_init(&text);
    enum err e = script_fill(slice_of(sql), tokens, &text);
    sbuf_char(&text, '\0');
    if (e == OK) {
        e = sbuf_failed(&text) ? E_NOMEM : apply_script(c, text.data, why);
    }
    sbuf_fini(&text);
    return e;
}

/* The same with the names of one practice. */
static enum err run_named(PGconn *c, const char *sql, const struct names *names, struct sbuf *why)
{
    const struct script_token tokens[] = {
        { "schema", names->schema },
        { "tenant", names->tenant },
        { "pool", names->pool },
        { 0 },
    };
    return apply_filled(c, sql, tokens, why);
}

/* What runs the files of one practice. */
struct run {
    PGconn *db;
    const struct names *names;
    const struct apply_beside *beside; /* once, with the first file; may be NULL */
    struct apply_fault *fault;         /* may be NULL */
};

static void fault_set(struct apply_fault *fault, int version, const char *sqlstate,
                      const struct sbuf *why)
{
    if (!fault) {
        return;
    }
    struct slice text = sbuf_slice(why);
    fault->version = version;
    snprintf(fault->sqlstate, sizeof(fault->sqlstate), "%s", sqlstate);
    size_t n = size_min(text.n, sizeof(fault->text) - 1);
    while (n > 0 && n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80) {
        n--; /* never cut inside a character */
    }
    memcpy(fault->text, text.p, n);
    fault->text[n] = '\0';
}

static enum err run_file(struct run *run, const struct migration *m, struct sbuf *why)
{
    const struct script_token tokens[] = {
        { "tenant", run->names->tenant },
        { "pool", run->names->pool },
        { 0 },
    };
    char sqlstate[6] = "";
    struct sbuf text;
    sbuf_init(&text);
    enum err e = script_fill((struct slice){ m->sql, m->length }, tokens, &text);
    sbuf_char(&text, '\0');
    sbuf_fmt(why, "%s: ", m->file);
    if (e == OK) {
        e = sbuf_failed(&text) ? E_NOMEM : send(run->db, text.data, why);
    }
    if (e == OK) {
        if (run->beside) {
            run->beside->run(run->beside->context);
            run->beside = NULL;
        }
        e = collect(run->db, text.data, sqlstate, why);
    }
    if (e == OK && PQtransactionStatus(run->db) != PQTRANS_INTRANS) {
        sbuf_text(why, "the file ended the transaction it runs in");
        e = E_INTERNAL;
    }
    sbuf_fini(&text);
    if (e == OK) {
        sbuf_reset(why, SIZE_MAX);
    } else {
        fault_set(run->fault, m->version, sqlstate, why);
    }
    return e;
}

static enum err run_files(struct run *run, const struct migrations *m, int from, struct sbuf *why)
{
    for (size_t i = (size_t)from; i < m->count; i++) {
        TRY(run_file(run, &m->rows[i], why));
    }
    return OK;
}

enum err apply_create(PGconn *c, const struct apply_target *t, const struct migrations *m,
                      const struct apply_beside *beside, struct sbuf *why)
{
    static const char head[] = "SET LOCAL ROLE NONE;"
                               "CREATE ROLE :tenant NOLOGIN NOINHERIT;"
                               "GRANT :tenant TO :pool;"
                               "SET LOCAL ROLE gremio_owner;"
                               "CREATE SCHEMA :schema;"
                               "GRANT USAGE ON SCHEMA :schema TO :tenant;"
                               "SET LOCAL search_path = :schema";
    struct names names;
    TRY(names_of(t, &names));
    TRY(run_named(c, head, &names, why));
    struct run run = { c, &names, beside, NULL };
    TRY(run_files(&run, m, 0, why));
    return ledger_note(c, m, 0, why);
}

/* Locks the practice against every other gremioctl and reads its version: OK to go on, or *outcome says the end.
 * NO KEY UPDATE: logins insert sessions, which only need the row's key to stay. */
static enum err lock_target(PGconn *c, const struct apply_target *t, int latest, int *version,
                            enum apply_outcome *outcome, struct sbuf *why)
{
    static const char sql[] =
        "select schema_version, state, pg_try_advisory_xact_lock(hashtextextended(id::text, 0))"
        " from public.tenant where id = $1 for no key update";
    const char *params[] = { t->id };
    PGresult *r;
    TRY(pg_ask(c, sql, 1, params, &r, why));
    bool there = PQntuples(r) == 1 && strcmp(PQgetvalue(r, 0, 1), "closing") != 0;
    bool locked = there && PQgetvalue(r, 0, 2)[0] == 't';
    int64_t v = 0;
    bool read = there && str_int(slice_of(PQgetvalue(r, 0, 0)), 0, INT32_MAX, &v) == OK;
    PQclear(r);
    *version = (int)v;
    if (!there) {
        *outcome = APPLY_GONE;
    } else if (!locked || !read) {
        *outcome = APPLY_BUSY;
    } else if (*version >= latest) {
        *outcome = APPLY_CURRENT;
    } else {
        return OK;
    }
    return E_STATE_CONFLICT;
}

void apply_record_failure(PGconn *c, const struct apply_target *t, const struct apply_fault *fault)
{
    char version[16];
    snprintf(version, sizeof(version), "%d", fault->version);
    const char *params[] = { t->id, version, fault->sqlstate, fault->text };
    struct sbuf ignored; /* a note that cannot be written must not stop the run */
    sbuf_init(&ignored);
    if (pg_do(c,
              "insert into public.migration_failure as f (tenant_id, version, sqlstate, error)"
              " values ($1, $2, $3, $4) on conflict (tenant_id) do update set"
              " version = excluded.version, sqlstate = excluded.sqlstate,"
              " error = excluded.error, attempts = f.attempts + 1, at = now()",
              4, params, &ignored) != OK) {
        log_event(LOG_LEVEL_WARN, "failure_not_recorded", "tenant", t->id, NULL);
    }
    sbuf_fini(&ignored);
}

static enum err record_version(PGconn *c, const struct apply_target *t, int version,
                               struct sbuf *why)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", version);
    const char *params[] = { t->id, text };
    return pg_do(c,
                 "with done as (delete from public.migration_failure where tenant_id = $1)"
                 " update public.tenant set schema_version = $2, updated_at = now() where id = $1",
                 2, params, why);
}

/* Up to version 1 the role had the schema's name, and the pool's login looked into the schema before it switched. */
static enum err name_role_by_id(PGconn *c, const struct names *names, struct sbuf *why)
{
    return run_named(c,
                     "SET LOCAL ROLE NONE;"
                     "ALTER ROLE :schema RENAME TO :tenant;"
                     "SET LOCAL ROLE gremio_owner;"
                     "REVOKE USAGE ON SCHEMA :schema FROM :pool",
                     names, why);
}

/* Everything between BEGIN and COMMIT. On E_STATE_CONFLICT *outcome is set. */
static enum err migrate_inside(struct run *run, const struct apply_target *t,
                               const struct migrations *m, enum apply_outcome *outcome,
                               struct sbuf *why)
{
    int from = 0;
    int latest = migrations_latest(m);
    TRY(lock_target(run->db, t, latest, &from, outcome, why));
    if (from < 2) {
        TRY(name_role_by_id(run->db, run->names, why));
    }
    TRY(run_named(run->db, "SET LOCAL search_path = :schema", run->names, why));
    TRY(run_files(run, m, from, why));
    TRY(ledger_note(run->db, m, from, why));
    return record_version(run->db, t, latest, why);
}

static enum apply_outcome outcome_of(PGconn *c, enum err e, enum apply_outcome decided)
{
    if (PQstatus(c) == CONNECTION_BAD || e == E_DB_UNAVAILABLE) {
        return APPLY_LOST;
    }
    if (e == E_BUSY || e == E_AGAIN) {
        return APPLY_BUSY;
    }
    return e == E_STATE_CONFLICT ? decided : APPLY_FAILED;
}

enum apply_outcome apply_migrate(PGconn *c, const struct apply_target *t,
                                 const struct migrations *m, struct apply_fault *fault)
{
    enum apply_outcome outcome = APPLY_FAILED;
    struct names names;
    struct sbuf why;
    sbuf_init(&why);
    *fault = (struct apply_fault){ 0 };
    enum err e = names_of(t, &names);
    struct run run = { c, &names, NULL, fault };
    if (e == OK) {
        e = pg_do(c, "begin", 0, NULL, &why);
    }
    if (e == OK) {
        e = migrate_inside(&run, t, m, &outcome, &why);
    }
    if (e == OK) {
        e = pg_do(c, "commit", 0, NULL, &why);
    }
    if (e == OK) {
        outcome = APPLY_DONE;
    } else {
        if (fault->text[0] == '\0') {
            fault_set(fault, 0, "", &why);
        }
        outcome = outcome_of(c, e, outcome);
        db_rollback(c);
    }
    sbuf_fini(&why);
    return outcome;
}
