/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The frame around every request: idempotency, handler or row, commit or rollback, answer. */
#include "worker/run.h"

#include "common/log.h"
#include "worker/answer.h"
#include "worker/exact.h"

#define RUNS_MAX 3 /* of one request whose conflicts a further run may not meet */

static enum err refuse(struct call *c, enum err e)
{
    if (c->problem.err == OK) {
        c->problem.err = e;
    }
    if (c->problem.err == E_AGAIN) {
        c->problem.err = E_OVERLOADED; /* a conflict that all runs met */
    }
    answer_problem(c);
    return c->problem.err;
}

bool run_is_batched(const struct call *c)
{
    return c->route->sql && !exact_wanted(c);
}

/* Which of the row's statements the request asks for. */
static enum err choose_sql(struct call *c, const struct stmt_plan **out)
{
    size_t sort = 0;
    bool with_cursor = false;
    if (c->plan->paged) {
        TRY(page_ask(c, c->plan->page_at, &sort, &with_cursor));
        *out = stmt_for(&c->plan->sql[2 * sort + with_cursor], c);
    } else {
        *out = stmt_for(c->plan->sql, c);
    }
    return OK;
}

/* What the row's statement and its probe say together. */
static enum err judge_row(struct call *c, const PGresult *rows, const PGresult *probe)
{
    if (!rows) {
        return E_INTERNAL;
    }
    bool must_change = c->route->shape != SHAPE_PAGE && !method_is_safe(c->req->method);
    if (must_change && !unit_changed(rows)) {
        if (!probe || PQntuples(probe) == 0) {
            return E_NOT_FOUND;
        }
        return c->route->probe_err ? c->route->probe_err : E_PRECONDITION_FAILED;
    }
    return answer_rows(c, rows);
}

/* ---- batched ---- */

enum err run_send(struct call *c, bool flush)
{
    const struct stmt_plan *sql;
    enum err e = choose_sql(c, &sql);
    if (e == OK) {
        e = unit_send(c->unit, sql, stmt_for(c->plan->probe, c));
    }
    if (e == OK && flush) {
        e = unit_flush(c->unit);
    }
    return e == OK ? OK : refuse(c, e);
}

enum err run_collect(struct call *c)
{
    enum err e = unit_collect(c->unit);
    if (e != OK && c->unit->retry) {
        unit_end(c->unit);
        return E_AGAIN;
    }
    if (e == OK) {
        e = judge_row(c, c->unit->rows, c->unit->probe);
    }
    if (e != OK) {
        (void)refuse(c, e);
    }
    c->reply.db_us = c->unit->db_us;
    unit_end(c->unit);
    return OK;
}

/* ---- alone ---- */

static enum err run_row(struct call *c)
{
    const struct stmt_plan *sql;
    PGresult *rows, *probe = NULL;
    TRY(choose_sql(c, &sql));
    TRY(unit_query(c->unit, sql, &rows));
    if (c->plan->probe && !unit_changed(rows)) {
        TRY(unit_query(c->unit, stmt_for(c->plan->probe, c), &probe));
    }
    return judge_row(c, rows, probe);
}

static enum err run_handler(struct call *c)
{
    enum err e = c->route->handler(c);
    if (e == OK && c->reply.status == 0) {
        e = answer_rows(c, NULL);
    }
    return e;
}

static enum err run_body(struct call *c)
{
    bool keyed = exact_wanted(c), replayed = false;
    if (keyed) {
        TRY(exact_begin(c, &replayed));
    }
    if (replayed) {
        return OK;
    }
    TRY(c->route->handler ? run_handler(c) : run_row(c));
    return keyed && !c->undo ? exact_store(c) : OK;
}

/* One try. A handler that refuses with c->keep has its writes committed all the same, one that answers with c->undo undone. */
static enum err run_once(struct call *c, struct db *db)
{
    unit_init(c->unit, db, c);
    enum err e = run_body(c);
    if (e == OK ? !c->undo : c->keep) {
        enum err commit = unit_commit(c->unit);
        if (commit != OK) {
            c->problem = (struct problem){ .err = commit }; /* not kept: nothing else is true */
            e = commit;
        }
    } else {
        unit_rollback(c->unit);
    }
    return e;
}

/* Everything a try may have set, so that the next one starts clean. */
static void forget_try(struct call *c)
{
    unit_end(c->unit);
    c->problem = (struct problem){ 0 };
    c->reply = (struct frame_reply){ .no_store = c->reply.no_store };
    c->keep = c->undo = false;
}

void run_alone(struct call *c, struct db *db)
{
    enum err e = run_once(c, db);
    for (int run = 1; run < RUNS_MAX && e != OK && c->unit->retry; run++) {
        forget_try(c);
        db_settle(db); /* a stale plan ended the connection */
        e = run_once(c, db);
    }
    if (e != OK) {
        (void)refuse(c, e);
    }
    c->reply.db_us = c->unit->db_us;
    unit_end(c->unit);
}
