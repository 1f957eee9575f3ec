/* SPDX-License-Identifier: LicenseRef-Gremio */
/* libpq's pipeline mode behind a queue of owed answers. Sending never blocks: while a socket is full we read, so that
 * a large batch cannot leave both sides writing. Every wait ends at a deadline, and then the connection does too. */
#include "worker/db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/pg.h"
#include "worker/db_memory.h"
#include "worker/score.h"

#define CONNECT_SECONDS 2
#define WAIT_GRACE_US   (2 * INT64_C(1000000)) /* beyond statement_timeout */
#define RETRY_FIRST_US  INT64_C(100000)
#define RETRY_MOST_US   INT64_C(2000000)

static const char no_answer[] = "no_answer";

void db_init(struct db *db, const struct slot_env *env)
{
    memset(db, 0, sizeof(*db));
    db->env = env;
}

static void close_conn(struct db *db, struct db_conn *c)
{
    PQfinish(c->pg);
    c->pg = NULL;
    for (size_t i = 0; i < db->live_count; i++) {
        if (db->live[i] == c) {
            db->live[i] = db->live[--db->live_count];
            break;
        }
    }
}

void db_fini(struct db *db)
{
    for (size_t i = 0; i < ARRAY_LEN(db->pools); i++) {
        struct db_conn *c = db->pools[i];
        if (c) {
            PQfinish(c->pg);
            stmt_cache_fini(&c->cache);
            free(c);
        }
    }
    memset(db, 0, sizeof(*db));
}

/* ---- opening ---- */

static enum err fill_target(const struct db *db, unsigned pool, struct pg_target *t)
{
    const struct worker_settings *s = db->env->settings;
    snprintf(t->host, sizeof(t->host), "%s", s->db_host);
    snprintf(t->port, sizeof(t->port), "%.7s", s->db_port);
    snprintf(t->dbname, sizeof(t->dbname), "%.63s", s->db_name);
    snprintf(t->app, sizeof(t->app), "gremio %s", db->env->name);
    t->generic =
        true; /* a practice's first five requests would be planned five times: db_tenant.h */
    if (db->env->kind == KIND_AUTH) {
        snprintf(t->user, sizeof(t->user), "gremio_auth");
        snprintf(t->password, sizeof(t->password), "%s", db->env->secrets->auth_password);
        return OK;
    }
    char login[24];
    char password[SECRET_PASSWORD_MAX];
    TRY(tenant_pool_login(pool, login));
    TRY(secret_login_password(db->env->secrets->pool_key, login, password));
    snprintf(t->user, sizeof(t->user), "%s", login);
    snprintf(t->password, sizeof(t->password), "%s", password);
    explicit_bzero(password, sizeof(password));
    return OK;
}

static int64_t statement_ms(const struct slot_env *env)
{
    bool slow = env->kind == KIND_SLOW || env->kind == KIND_JOBS;
    return slow ? env->settings->slow_statement_timeout : env->settings->statement_timeout;
}

static PGconn *connect_pool(struct db *db, unsigned pool)
{
    struct pg_target target = { 0 };
    struct sbuf why;
    sbuf_init(&why);
    PGconn *pg = NULL;
    if (fill_target(db, pool, &target) == OK) {
        pg = pg_open(&target, CONNECT_SECONDS, (int)statement_ms(db->env),
                     (int)db->env->settings->lock_timeout, &why);
    }
    explicit_bzero(target.password, sizeof(target.password));
    if (pg && (PQsetnonblocking(pg, 1) != 0 || PQenterPipelineMode(pg) != 1)) {
        sbuf_text(&why, "pipeline mode refused");
        PQfinish(pg);
        pg = NULL;
    }
    if (!pg) {
        sbuf_char(&why, '\0');
        log_seldom(LOG_LEVEL_ERROR, "db_connect_failed", why.data ? why.data : "no login");
    }
    sbuf_fini(&why);
    return pg;
}

static void connect_failed(struct db_conn *c)
{
    int64_t delay = RETRY_FIRST_US << (c->failures < 5 ? c->failures : 5);
    c->retry_us = clock_mono_us() + (delay < RETRY_MOST_US ? delay : RETRY_MOST_US);
    c->failures++;
}

static struct db_conn *conn_new(struct db *db, unsigned pool)
{
    struct db_conn *c = calloc(1, sizeof(*c));
    if (c && stmt_cache_init(&c->cache, (uint32_t)db->env->settings->statements_max) != OK) {
        free(c);
        c = NULL;
    }
    if (c) {
        c->pool = pool;
        c->wait_us = statement_ms(db->env) * 1000 + WAIT_GRACE_US;
        db->pools[pool] = c;
    }
    return c;
}

/* Closes the connection that was used least recently and owes nothing. False when all of them are at work. */
static bool make_room(struct db *db)
{
    struct db_conn *oldest = NULL;
    for (size_t i = 0; i < db->live_count; i++) {
        struct db_conn *c = db->live[i];
        if (db_owed(c) == 0 && (!oldest || c->used_us < oldest->used_us)) {
            oldest = c;
        }
    }
    if (oldest) {
        close_conn(db, oldest);
    }
    return oldest != NULL;
}

static enum err open_conn(struct db *db, struct db_conn *c)
{
    if (clock_mono_us() < c->retry_us) {
        return E_DB_UNAVAILABLE;
    }
    if (db->live_count == DB_LIVE_MAX && !make_room(db)) {
        return E_OVERLOADED;
    }
    c->pg = connect_pool(db, c->pool);
    if (!c->pg) {
        connect_failed(c);
        return E_DB_UNAVAILABLE;
    }
    stmt_cache_clear(&c->cache);
    c->failures = 0;
    c->retry_us = 0;
    c->lost = false;
    c->doubt = NULL;
    c->grouped = false;
    c->stale_count = 0;
    c->weighed = 0;
    c->first = c->next = 0;
    c->opened_us = clock_mono_us();
    db->live[db->live_count++] = c;
    return OK;
}

enum err db_take(struct db *db, unsigned pool, struct db_conn **out)
{
    if (pool >= TENANT_POOLS_MAX) {
        return E_INTERNAL;
    }
    pool = db->env->kind == KIND_AUTH ? 0 : pool;
    struct db_conn *c = db->pools[pool] ? db->pools[pool] : conn_new(db, pool);
    if (!c) {
        return E_NOMEM;
    }
    if (!c->pg) {
        TRY(open_conn(db, c));
    }
    if (c->lost || c->doubt) {
        return E_DB_UNAVAILABLE; /* until the batch ends and db_settle closes it */
    }
    c->used_us = clock_mono_us();
    *out = c;
    return OK;
}

enum err db_reach(struct db *db)
{
    struct db_conn *c;
    return db_take(db, 0, &c);
}

/* ---- sending ---- */

unsigned db_owed(const struct db_conn *c)
{
    return c->next - c->first;
}

static bool owe(struct db_conn *c, struct db_step step, int sent)
{
    if (!sent) {
        c->lost = true;
        db_doubt(c, "send_failed");
        return false;
    }
    c->steps[c->next++ % DB_STEPS_MAX] = step;
    return true;
}

static bool has_room(struct db_conn *c, unsigned n)
{
    return !c->lost && db_owed(c) + n <= DB_STEPS_MAX;
}

bool db_send_stale(struct db_conn *c)
{
    bool ok = has_room(c, c->stale_count + 1);
    while (ok && c->stale_count) {
        char name[STMT_NAME_MAX];
        char text[STMT_NAME_MAX + 16];
        stmt_name(c->stale[--c->stale_count], name);
        snprintf(text, sizeof(text), "DEALLOCATE %s", name);
        ok = owe(c, (struct db_step){ .kind = STEP_DEALLOCATE },
                 PQsendQueryParams(c->pg, text, 0, NULL, NULL, NULL, NULL, 0));
    }
    return ok;
}

static bool send_prepare(struct db_conn *c, uint64_t code, const struct stmt_plan *plan,
                         uint32_t *serial)
{
    uint32_t evicted;
    *serial = stmt_cache_add(&c->cache, code, plan->id, &evicted);
    char name[STMT_NAME_MAX];
    if (evicted && c->stale_count == DB_STALE_MAX) {
        db_doubt(c, "too_many_statements");
    } else if (evicted) {
        c->stale[c->stale_count++] = evicted;
    }
    stmt_name(*serial, name);
    return owe(
        c,
        (struct db_step){ .kind = STEP_PREPARE, .serial = *serial, .id = plan->id, .code = code },
        PQsendPrepare(c->pg, name, plan->text, plan->count, plan->types));
}

bool db_send(struct db_conn *c, enum db_step_kind kind, uint64_t code, const struct stmt_plan *plan,
             const char *const *values)
{
    if (!has_room(c, 3)) {
        return false;
    }
    uint32_t serial = stmt_cache_find(&c->cache, code, plan->id);
    if (!serial && !send_prepare(c, code, plan, &serial)) {
        return false;
    }
    char name[STMT_NAME_MAX];
    stmt_name(serial, name);
    return owe(c, (struct db_step){ .kind = kind, .serial = serial },
               PQsendQueryPrepared(c->pg, name, plan->count, values, NULL, NULL, 0));
}

bool db_send_rollback(struct db_conn *c)
{
    return has_room(c, 1) &&
           owe(c, (struct db_step){ .kind = STEP_ROLLBACK },
               PQsendQueryParams(c->pg, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0));
}

static char begin_text[] = "BEGIN READ ONLY", next_text[] = "COMMIT AND CHAIN",
            commit_text[] = "COMMIT";
static const struct stmt_plan begin_plan = { .id = STMT_ID_BEGIN,
                                             .name = "begin",
                                             .text = begin_text };
static const struct stmt_plan next_plan = { .id = STMT_ID_NEXT, .name = "next", .text = next_text };
static const struct stmt_plan commit_plan = { .id = STMT_ID_COMMIT,
                                              .name = "commit",
                                              .text = commit_text };

bool db_send_begin(struct db_conn *c)
{
    bool begun = c->grouped;
    c->grouped = true;
    return begun || db_send(c, STEP_BEGIN, 0, &begin_plan, NULL);
}

bool db_send_next(struct db_conn *c)
{
    return db_send(c, STEP_COMMIT, 0, &next_plan, NULL);
}

bool db_send_sync(struct db_conn *c)
{
    return has_room(c, 1) && owe(c, (struct db_step){ .kind = STEP_SYNC }, PQpipelineSync(c->pg));
}

bool db_send_flush(struct db_conn *c)
{
    return !c->lost && PQsendFlushRequest(c->pg) == 1;
}

/* ---- waiting ---- */

static void lose(struct db_conn *c, const char *why)
{
    c->lost = true;
    db_doubt(c, why);
}

/* Waits for the socket; out: also until it can be written. False when the time is over or the connection broke. */
static bool wait_socket(struct db_conn *c, bool out, int64_t deadline_us)
{
    for (;;) {
        score_beat();
        int64_t left = (deadline_us - clock_mono_us() + 999) / 1000;
        struct pollfd p = { .fd = PQsocket(c->pg),
                            .events = (short)(POLLIN | (out ? POLLOUT : 0)) };
        if (left <= 0 || p.fd < 0) {
            lose(c, p.fd < 0 ? "closed" : no_answer);
            return false;
        }
        int n = poll(&p, 1, (int)left);
        if (n > 0) {
            if ((p.revents & ~POLLOUT) && !PQconsumeInput(c->pg)) {
                lose(c, "read_failed");
                return false;
            }
            return true;
        }
        if (n < 0 && errno != EINTR) {
            lose(c, "poll_failed");
            return false;
        }
    }
}

static void flush_conn(struct db_conn *c)
{
    int64_t deadline = clock_mono_us() + c->wait_us;
    int rest;
    while (!c->lost && (rest = PQflush(c->pg)) != 0) {
        if (rest < 0) {
            lose(c, "write_failed");
        } else {
            (void)wait_socket(c, true, deadline);
        }
    }
}

void db_flush(struct db *db)
{
    for (size_t i = 0; i < db->live_count; i++) {
        flush_conn(db->live[i]);
    }
}

/* The next result of libpq, NULL included; false when it did not come. */
static bool next_result(struct db_conn *c, PGresult **out)
{
    int64_t deadline = 0;
    while (PQisBusy(c->pg)) {
        deadline = deadline ? deadline : clock_mono_us() + c->wait_us;
        int rest = PQflush(c->pg);
        if (rest < 0) {
            lose(c, "write_failed");
            return false;
        }
        if (!wait_socket(c, rest > 0, deadline)) {
            return false;
        }
    }
    *out = PQgetResult(c->pg);
    return true;
}

enum err db_next(struct db_conn *c, struct db_step *step, PGresult **out)
{
    *step = c->steps[c->first++ % DB_STEPS_MAX];
    *out = NULL;
    PGresult *result = NULL, *end = NULL;
    if (c->lost || !next_result(c, &result)) {
        return E_CLOSED;
    }
    if (!result || (PQresultStatus(result) == PGRES_PIPELINE_SYNC) != (step->kind == STEP_SYNC)) {
        bool server_said = result && PQresultErrorField(result, PG_DIAG_SQLSTATE);
        lose(c, "out_of_step");
        if (!server_said) {
            PQclear(result);
            return E_CLOSED;
        }
    } else if (step->kind != STEP_SYNC && (!next_result(c, &end) || end)) {
        PQclear(end);
        lose(c, "unexpected_result");
    }
    if (PQstatus(c->pg) == CONNECTION_BAD) {
        lose(c, "closed_by_server");
    }
    *out = result;
    return OK;
}

/* ---- groups ---- */

void db_sync_groups(struct db *db)
{
    for (size_t i = 0; i < db->live_count; i++) {
        struct db_conn *c = db->live[i];
        bool sent = !c->grouped ||
                    (db_send(c, STEP_COMMIT, 0, &commit_plan, NULL) && db_send_sync(c));
        if (!sent) {
            lose(c, "group_without_sync");
        }
    }
}

/* Everything owed, of which only the kinds matter: a result that does not fit loses the connection. */
static void take_rest(struct db_conn *c)
{
    while (db_owed(c)) {
        struct db_step step;
        PGresult *r;
        if (db_next(c, &step, &r) == OK) {
            PQclear(r);
        }
    }
}

/* An explicit transaction outlives the Sync that an error skipped to. */
static void end_group(struct db_conn *c)
{
    take_rest(c);
    c->grouped = false;
    if (c->lost || PQtransactionStatus(c->pg) != PQTRANS_INERROR) {
        return;
    }
    if (!db_send_rollback(c) || !db_send_sync(c)) {
        lose(c, "no_rollback");
    }
    flush_conn(c);
    take_rest(c);
}

void db_end_groups(struct db *db)
{
    for (size_t i = 0; i < db->live_count; i++) {
        if (db->live[i]->grouped) {
            end_group(db->live[i]);
        }
    }
}

/* ---- end of a batch ---- */

void db_doubt(struct db_conn *c, const char *why)
{
    c->doubt = c->doubt ? c->doubt : why;
}

bool db_timed_out(const struct db_conn *c)
{
    return c->doubt == no_answer;
}

/* A backend grows with what it prepares and the tables behind that, so it is looked at after every few statements. */
static bool is_too_big(const struct db *db, struct db_conn *c)
{
    if (c->cache.serial - c->weighed < DB_WEIGH_EVERY) {
        return false;
    }
    c->weighed = c->cache.serial;
    return db_memory(c->pg) > db->env->settings->connection_memory;
}

static const char *reason_to_close(const struct db *db, struct db_conn *c, int64_t now)
{
    if (c->doubt) {
        return c->doubt;
    }
    if (db_owed(c) != 0 || PQpipelineStatus(c->pg) != PQ_PIPELINE_ON ||
        PQtransactionStatus(c->pg) != PQTRANS_IDLE) {
        return "not_idle";
    }
    if (is_too_big(db, c)) {
        return "memory";
    }
    return now - c->opened_us > db->env->settings->connection_lifetime * 1000 ? "old" : NULL;
}

static void log_close(const struct db_conn *c, const char *why)
{
    char pool[8];
    snprintf(pool, sizeof(pool), "%u", c->pool % TENANT_POOLS_MAX);
    log_event(c->doubt ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "db_connection_closed", "reason", why,
              "pool", pool, NULL);
}

void db_settle(struct db *db)
{
    int64_t now = clock_mono_us();
    for (size_t i = db->live_count; i-- > 0;) {
        struct db_conn *c = db->live[i];
        const char *why = reason_to_close(db, c, now);
        if (why) {
            log_close(c, why);
            close_conn(db, c);
        }
    }
}

size_t db_poll_fds(const struct db *db, struct pollfd *fds, size_t max)
{
    size_t n = size_min(db->live_count, max);
    for (size_t i = 0; i < n; i++) {
        fds[i] = (struct pollfd){ .fd = PQsocket(db->live[i]->pg), .events = POLLIN };
    }
    return n;
}

/* libpq reads once a call: what the server said last hides from the first that it has closed. */
static bool take_input(PGconn *pg)
{
    return PQconsumeInput(pg) && PQconsumeInput(pg) && PQstatus(pg) != CONNECTION_BAD;
}

void db_poll_done(struct db *db, const struct pollfd *fds, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        struct db_conn *c = db->live[i];
        if (fds[i].revents && !take_input(c->pg)) {
            lose(c, "closed_by_server");
        }
    }
    db_settle(db);
}
