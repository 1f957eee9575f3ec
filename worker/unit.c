/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a result means for its unit. The server runs everything up to Sync as one implicit transaction; after an error it
 * skips to the Sync, so the first error of a unit is its verdict; batched reads share a Sync, each in a transaction of its
 * own, and those behind an error are run again. Where a connection breaks decides whether the
 * outcome is known: an error that names its SQLSTATE before the Sync undid the unit, silence after it did not. */
#include "worker/unit.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/pg.h"
#include "worker/db_tenant.h"
#include "worker/routes.h"

void unit_init(struct unit *u, struct db *db, struct call *call)
{
    memset(u, 0, offsetof(struct unit, held));
    u->held_count = 0;
    u->db = db;
    u->call = call;
}

static bool is_safe(const struct unit *u)
{
    return method_is_safe(u->call->req->method);
}

static enum err unit_fail(struct unit *u, enum err e)
{
    if (u->err == OK) {
        u->err = e;
    }
    return u->err;
}

/* ---- errors ---- */

static void log_db_error(const struct unit *u, const PGresult *r, const char *state)
{
    const char *table = PQresultErrorField(r, PG_DIAG_TABLE_NAME);
    const char *constraint = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME);
    /* Class 42 names columns and functions; other messages may quote values and stay out of the log. */
    const char *message = strncmp(state, "42", 2) == 0
                              ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY)
                              : NULL;
    char id[FRAME_ID_MAX + 1] = "";
    memcpy(id, u->call->req->request_id.p, size_min(u->call->req->request_id.n, FRAME_ID_MAX));
    log_event(LOG_LEVEL_ERROR, "db_error", "sqlstate", state, "route", u->call->route->path,
              "request_id", id, "tenant", u->call->req->tenant.code, "table", table ? table : "",
              "constraint", constraint ? constraint : "", "message", message, NULL);
}

/* A plan that went away under us (26000) or changed its columns (0A000 "cached plan ..."): the entry is gone by now, so
 * a second run, on another connection, prepares it anew. */
static bool plan_was_stale(const char *state)
{
    return strcmp(state, "26000") == 0 || strcmp(state, "0A000") == 0;
}

static void take_error(struct unit *u, const PGresult *r)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    if (u->err != OK) {
        return;
    }
    if (!state) {
        u->conn->lost = true;
        db_doubt(u->conn, "broken");
        return; /* the verdict comes from where it broke: unit_lost */
    }
    memcpy(u->sqlstate, state, size_min(strlen(state), 5));
    enum err e = pg_err(state, PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME));
    if (e == E_TENANT_READ_ONLY && is_safe(u)) {
        e = E_INTERNAL; /* a GET that writes is our mistake */
    }
    u->retry = e == E_AGAIN || plan_was_stale(state);
    if (plan_was_stale(state)) {
        db_doubt(u->conn, "stale_plan");
    }
    if (e == E_INTERNAL && !u->retry) {
        log_db_error(u, r, state);
    }
    if (e == E_STORAGE_FULL) {
        log_seldom(LOG_LEVEL_ERROR, "storage_full", u->call->req->tenant.code);
    }
    u->err = e;
}

/* Nothing more comes from the connection. */
static void unit_lost(struct unit *u)
{
    if (u->err != OK) {
        return;
    }
    if (u->sync_sent && !is_safe(u)) {
        u->err = E_OUTCOME_UNKNOWN;
    } else {
        u->err = db_timed_out(u->conn) ? E_DEADLINE : E_DB_UNAVAILABLE;
    }
}

/* ---- results ---- */

static void on_switch(struct unit *u, const PGresult *r)
{
    if (db_tenant_ok(r, &u->call->req->tenant)) {
        return;
    }
    if (PQresultStatus(r) == PGRES_FATAL_ERROR) {
        take_error(u, r);
    } else if (PQresultStatus(r) == PGRES_TUPLES_OK) {
        unit_fail(u, E_INTERNAL);
    }
    if (u->err != OK && !u->retry) {
        db_doubt(u->conn, "set_tenant_failed");
    }
}

/* Keeps r for the caller or frees it. */
static void on_rows(struct unit *u, PGresult *r, PGresult **out)
{
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *out = r;
        return;
    }
    if (status == PGRES_FATAL_ERROR) {
        take_error(u, r);
    } else if (status != PGRES_PIPELINE_ABORTED) {
        db_doubt(u->conn, "unexpected_result");
        unit_fail(u, E_INTERNAL);
    }
    PQclear(r);
}

static void on_prepared(struct unit *u, const struct db_step *step, const PGresult *r)
{
    if (PQresultStatus(r) == PGRES_COMMAND_OK) {
        return;
    }
    stmt_cache_drop(&u->conn->cache, step->code, step->id, step->serial);
    if (PQresultStatus(r) == PGRES_FATAL_ERROR) {
        take_error(u, r);
    }
}

/* The brackets of a unit that shares its Sync. */
static void on_bracket(struct unit *u, const struct db_step *step, const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_FATAL_ERROR) {
        take_error(u, r);
    } else if (status == PGRES_PIPELINE_ABORTED && u->err == OK) {
        u->retry = true; /* a neighbour failed: this one never ran */
        u->err = E_AGAIN;
    } else if (status == PGRES_COMMAND_OK && step->kind == STEP_COMMIT &&
               strcmp(PQcmdStatus((PGresult *)(uintptr_t)r), "COMMIT") != 0) {
        unit_fail(u, E_INTERNAL);
    }
}

/* Its failure leaves the default, but an error has ended the transaction. */
static void on_replan(struct unit *u, const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_FATAL_ERROR) {
        take_error(u, r);
    }
    if (status != PGRES_TUPLES_OK && status != PGRES_PIPELINE_ABORTED) {
        db_doubt(u->conn, "replan_failed");
    }
}

static void on_other(struct unit *u, const struct db_step *step, const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_FATAL_ERROR && step->kind == STEP_SYNC && u->conn->lost) {
        unit_lost(u); /* shut down between the commit and its confirmation: nobody knows */
    } else if (status == PGRES_FATAL_ERROR) {
        take_error(u, r);
    }
    if (step->kind != STEP_SYNC && status != PGRES_COMMAND_OK) {
        db_doubt(u->conn, "unexpected_result");
    }
}

/* Takes one owed answer; *rows is set for a statement that worked. Returns the step's kind. */
static enum db_step_kind take_step(struct unit *u, PGresult **rows)
{
    struct db_step step;
    PGresult *r;
    *rows = NULL;
    if (db_next(u->conn, &step, &r) != OK) {
        unit_lost(u);
        return step.kind;
    }
    switch (step.kind) {
    case STEP_STATEMENT:
        on_rows(u, r, rows);
        return step.kind;
    case STEP_TENANT:
        on_switch(u, r);
        break;
    case STEP_REPLAN:
        on_replan(u, r);
        break;
    case STEP_PREPARE:
        on_prepared(u, &step, r);
        break;
    case STEP_BEGIN:
    case STEP_COMMIT:
        on_bracket(u, &step, r);
        break;
    case STEP_DEALLOCATE:
    case STEP_ROLLBACK:
    case STEP_SYNC:
        on_other(u, &step, r);
        break;
    }
    PQclear(r);
    return step.kind;
}

/* ---- both ways ---- */

static enum err unit_open(struct unit *u)
{
    if (u->conn) {
        return u->err;
    }
    const struct tenant *t = &u->call->req->tenant;
    enum err e = db_take(u->db, t->pool, &u->conn);
    if (e != OK) {
        u->conn = NULL;
        return unit_fail(u, e);
    }
    u->sent_us = clock_mono_us();
    if (!u->conn->grouped && !db_send_stale(u->conn)) {
        return unit_fail(u, E_DB_UNAVAILABLE);
    }
    if (u->shared && !db_send_begin(u->conn)) {
        return unit_fail(u, E_DB_UNAVAILABLE);
    }
    if (u->db->env->kind == KIND_AUTH) {
        return OK; /* gremio_auth's own tables, no practice */
    }
    if (u->call->plan && u->call->plan->paged && !db_tenant_send_replan(u->conn)) {
        return unit_fail(u, E_DB_UNAVAILABLE);
    }
    e = u->call->req->has_tenant ? db_tenant_send(u->conn, t, is_safe(u)) : E_INTERNAL;
    return e == OK ? OK : unit_fail(u, e == E_CLOSED ? E_DB_UNAVAILABLE : e);
}

static enum err send_values(struct unit *u, const struct stmt_plan *plan, const char *const *values)
{
    uint64_t code = u->db->env->kind == KIND_AUTH ? 0 : stmt_code(u->call->req->tenant.code);
    return db_send(u->conn, STEP_STATEMENT, code, plan, values) ? OK
                                                                : unit_fail(u, E_DB_UNAVAILABLE);
}

static enum err send_statement(struct unit *u, const struct stmt_plan *plan)
{
    const char *values[STMT_PARAMS_MAX];
    stmt_bind(plan, u->call, values);
    return send_values(u, plan, values);
}

static enum err send_sync(struct unit *u)
{
    if (!db_send_sync(u->conn)) {
        return unit_fail(u, E_DB_UNAVAILABLE);
    }
    u->sync_sent = true;
    return OK;
}

bool unit_changed(const PGresult *rows)
{
    if (PQresultStatus(rows) == PGRES_TUPLES_OK) {
        return PQntuples(rows) > 0;
    }
    const char *n = PQcmdTuples((PGresult *)rows);
    return n[0] != '\0' && n[0] != '0';
}

void unit_end(struct unit *u)
{
    PQclear(u->rows);
    PQclear(u->probe);
    u->rows = u->probe = NULL;
    while (u->held_count) {
        PQclear(u->held[--u->held_count]);
    }
}

static void count_time(struct unit *u)
{
    u->db_us = (uint32_t)(clock_mono_us() - u->sent_us);
}

/* ---- batched ---- */

bool unit_is_shared(const struct call *c)
{
    return method_is_safe(c->req->method);
}

static enum err send_end(struct unit *u)
{
    if (!u->shared) {
        return send_sync(u);
    }
    return db_send_next(u->conn) ? OK : unit_fail(u, E_DB_UNAVAILABLE);
}

enum err unit_send(struct unit *u, const struct stmt_plan *sql, const struct stmt_plan *probe)
{
    u->shared = unit_is_shared(u->call);
    enum err e = unit_open(u);
    if (e == OK) {
        e = send_statement(u, sql);
    }
    if (e == OK && probe) {
        e = send_statement(u, probe);
    }
    if (e == OK) {
        e = send_end(u);
    }
    if (e != OK && u->conn && !u->sync_sent) {
        u->conn->lost = true; /* a unit without its Sync would run into the next one */
        db_doubt(u->conn, "half_sent");
    }
    return e;
}

enum err unit_flush(struct unit *u)
{
    if (db_send_flush(u->conn)) {
        return OK;
    }
    u->conn->lost = true; /* its steps are owed, and nobody collects them */
    db_doubt(u->conn, "flush_failed");
    return unit_fail(u, E_DB_UNAVAILABLE);
}

enum err unit_collect(struct unit *u)
{
    enum db_step_kind kind, last = u->shared ? STEP_COMMIT : STEP_SYNC;
    do {
        PGresult *rows;
        kind = take_step(u, &rows);
        if (rows) {
            *(u->rows ? &u->probe : &u->rows) = rows;
        }
    } while (kind != last);
    count_time(u);
    if (u->conn->lost && u->err == OK && !u->rows) {
        unit_lost(u);
    }
    return u->err;
}

/* ---- interactive ---- */

static void hold(struct unit *u, PGresult *rows)
{
    u->held[u->held_count++] = rows;
}

/* Answers of everything owed, the last statement's kept in *last. */
static void take_owed(struct unit *u, PGresult **last)
{
    while (db_owed(u->conn)) {
        PGresult *rows;
        enum db_step_kind kind = take_step(u, &rows);
        if (kind == STEP_STATEMENT && db_owed(u->conn) == 0 && last) {
            *last = rows;
        } else {
            PQclear(rows);
        }
    }
}

enum err unit_ask(struct unit *u, const struct stmt_plan *plan, const char *const *values,
                  PGresult **rows)
{
    *rows = NULL;
    TRY(u->err);
    if (u->held_count == UNIT_HELD_MAX) {
        return unit_fail(u, E_INTERNAL);
    }
    TRY(unit_open(u));
    TRY(send_values(u, plan, values));
    if (!db_send_flush(u->conn)) {
        return unit_fail(u, E_DB_UNAVAILABLE);
    }
    take_owed(u, rows);
    if (u->err == OK && !*rows) {
        unit_lost(u);
    }
    if (*rows) {
        hold(u, *rows);
    }
    return u->err;
}

enum err unit_query(struct unit *u, const struct stmt_plan *plan, PGresult **rows)
{
    const char *values[STMT_PARAMS_MAX];
    stmt_bind(plan, u->call, values);
    return unit_ask(u, plan, values, rows);
}

enum err unit_post(struct unit *u, const struct stmt_plan *plan)
{
    const char *values[STMT_PARAMS_MAX];
    stmt_bind(plan, u->call, values);
    return unit_tell(u, plan, values);
}

enum err unit_tell(struct unit *u, const struct stmt_plan *plan, const char *const *values)
{
    TRY(u->err);
    TRY(unit_open(u));
    TRY(send_values(u, plan, values));
    if (db_owed(u->conn) > DB_STEPS_MAX / 2) { /* a handler that posts without end */
        if (!db_send_flush(u->conn)) {
            return unit_fail(u, E_DB_UNAVAILABLE);
        }
        take_owed(u, NULL);
    }
    return u->err;
}

enum err unit_commit(struct unit *u)
{
    if (!u->conn || u->err != OK) {
        unit_rollback(u);
        return u->err;
    }
    if (send_sync(u) == OK) {
        take_owed(u, NULL);
    }
    if (u->conn->lost) {
        unit_lost(u);
    }
    count_time(u);
    return u->err;
}

void unit_rollback(struct unit *u)
{
    if (!u->conn) {
        return;
    }
    enum err verdict = u->err;
    bool sent = (u->err != OK && u->sqlstate[0]) || db_send_rollback(u->conn);
    if (!sent || !db_send_sync(u->conn)) {
        u->conn->lost = true;
        db_doubt(u->conn, "no_rollback");
    }
    take_owed(u, NULL);
    u->err = verdict;
    count_time(u);
}
