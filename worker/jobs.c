/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A lease keeps other jobs slots off a practice. It ends with the connection of whoever took it, or runs out, so that work is not lost with a slot. What comes while it is done
 * raises a counter: the practice is then looked at again. */
#include "worker/jobs.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/pg.h"
#include "common/str.h"
#include "worker/call.h"
#include "worker/gate.h"
#include "worker/jobs_mail.h"
#include "worker/routes.h"
#include "worker/score.h"

#define CONNECT_SECONDS 2
#define RETRY_US        INT64_C(1000000)
#define LATER_US        INT64_C(30000000)

/* $1: whether messages can be delivered. */
static const char lease_sql[] =
    "WITH next AS (SELECT w.tenant_id, w.kind, t.code, t.pool FROM public.due_work w"
    " JOIN public.tenant t ON t.id = w.tenant_id WHERE w.due_at <= now() AND t.state = 'active'"
    " AND (w.leased_until IS NULL OR w.leased_until < now() OR NOT EXISTS"
    " (SELECT FROM pg_catalog.pg_stat_activity b WHERE b.pid = w.leased_by))"
    " AND ($1::boolean OR w.kind <> 'outbox')"
    " ORDER BY w.due_at LIMIT 1 FOR UPDATE OF w SKIP LOCKED)"
    " UPDATE public.due_work w SET leased_until = now() + interval '2 minutes',"
    " leased_by = pg_catalog.pg_backend_pid() FROM next n"
    " WHERE w.tenant_id = n.tenant_id AND w.kind = n.kind"
    " RETURNING w.tenant_id, w.kind, w.raised, n.code, n.pool";

/* $4: when the practice has work again as far as was seen; NULL: never. Not believed when more was raised meanwhile. */
static const char release_sql[] =
    "UPDATE public.due_work SET leased_until = NULL, due_at = CASE WHEN raised = $3::bigint"
    " THEN coalesce($4::timestamptz, 'infinity') ELSE due_at END WHERE tenant_id = $1 AND kind = "
    "$2";

void jobs_init(struct jobs *j, const struct slot_env *env, struct db *db)
{
    *j = (struct jobs){ .env = env, .db = db };
}

void jobs_fini(struct jobs *j)
{
    PQfinish(j->pg);
    j->pg = NULL;
}

int jobs_fd(const struct jobs *j)
{
    return j->pg ? PQsocket(j->pg) : -1;
}

/* ---- the connection ---- */

static void say(const char *event, struct sbuf *why)
{
    sbuf_char(why, '\0');
    log_seldom(LOG_LEVEL_ERROR, event, why->data ? why->data : "");
}

static void drop(struct jobs *j, const char *event, struct sbuf *why)
{
    if (why->len > 0) {
        say(event, why);
    }
    jobs_fini(j);
    j->retry_us = clock_mono_us() + RETRY_US;
}

static bool reach(struct jobs *j)
{
    const struct worker_settings *s = j->env->settings;
    if (j->pg || clock_mono_us() < j->retry_us) {
        return j->pg != NULL;
    }
    struct pg_target t = { .user = "gremio_jobs" };
    struct sbuf why;
    sbuf_init(&why);
    snprintf(t.host, sizeof(t.host), "%s", s->db_host);
    snprintf(t.port, sizeof(t.port), "%.7s", s->db_port);
    snprintf(t.dbname, sizeof(t.dbname), "%.63s", s->db_name);
    snprintf(t.app, sizeof(t.app), "gremio %s", j->env->name);
    snprintf(t.password, sizeof(t.password), "%s", j->env->secrets->jobs_password);
    j->pg = pg_open(&t, CONNECT_SECONDS, (int)s->slow_statement_timeout, (int)s->lock_timeout,
                    &why);
    explicit_bzero(t.password, sizeof(t.password));
    if (!j->pg || pg_do(j->pg, "LISTEN gremio_work", 0, NULL, &why) != OK) {
        drop(j, "db_connect_failed", &why);
    }
    sbuf_fini(&why);
    return j->pg != NULL;
}

/* Takes what was told; what it is about is looked up. True: there was something. */
static bool hear(struct jobs *j)
{
    PGnotify *n;
    bool heard = false;
    while ((n = PQnotifies(j->pg))) {
        PQfreemem(n);
        heard = true;
    }
    return heard;
}

/* Connected, and what was told before now is known. */
static bool get_ready(struct jobs *j)
{
    if (!reach(j)) {
        return false;
    }
    if (!PQconsumeInput(j->pg)) {
        jobs_fini(j);
        return false;
    }
    (void)hear(j);
    return true;
}

/* ---- work ---- */

struct lease {
    struct tenant tenant;
    char id[UUID_TEXT], kind[16], raised[24];
};

static enum err read_lease(const PGresult *r, struct lease *l)
{
    int64_t pool;
    TRY(uuid_parse(slice_of(PQgetvalue(r, 0, 0)), &l->tenant.id));
    TRY(str_copy(slice_of(PQgetvalue(r, 0, 3)), l->tenant.code, sizeof(l->tenant.code)));
    TRY(str_int(slice_of(PQgetvalue(r, 0, 4)), 0, TENANT_POOLS_MAX - 1, &pool));
    l->tenant.pool = (uint16_t)pool;
    snprintf(l->id, sizeof(l->id), "%s", PQgetvalue(r, 0, 0));
    snprintf(l->kind, sizeof(l->kind), "%s", PQgetvalue(r, 0, 1));
    snprintf(l->raised, sizeof(l->raised), "%s", PQgetvalue(r, 0, 2));
    return OK;
}

static jobs_kind_fn find_kind(const char *name)
{
    static const struct {
        const char *name;
        jobs_kind_fn work;
    } kinds[] = { { "outbox", jobs_mail_practice }, { "agenda", jobs_agenda } };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return kinds[i].work;
        }
    }
    return NULL;
}

static const struct route_plan *find_row(const struct slot_env *env, const char *kind)
{
    for (size_t i = 0; i < env->work->count; i++) {
        if (strcmp(env->work->plans[i].row->path + 1, kind) == 0) {
            return &env->work->plans[i];
        }
    }
    return NULL;
}

/* A row that reaches everything of the practice. */
static enum err run_row(struct call *c, const struct route_plan *plan, const char *raised,
                        char next[JOBS_TIME_MAX])
{
    c->plan = plan;
    c->route = plan->row;
    c->reach = REACH_ALL;
    TRY(gate_take_values(c));
    call_set(c, "raised", raised);
    TRY(plan->row->handler(c));
    const char *text = call_get(c, "next")->text;
    snprintf(next, JOBS_TIME_MAX, "%s", text ? text : "");
    return OK;
}

static enum err run_kind(struct jobs *j, struct call *c, const struct lease *l,
                         char next[JOBS_TIME_MAX])
{
    jobs_kind_fn work = find_kind(l->kind);
    const struct route_plan *plan = find_row(j->env, l->kind);
    return work   ? work(j->env, c->unit, next)
           : plan ? run_row(c, plan, l->raised, next)
                  : E_INTERNAL;
}

/* So long a practice is left alone after something went wrong in its schema, or with work that an older slot does not know. */
static void later(char next[JOBS_TIME_MAX])
{
    clock_format_utc(clock_wall_us() + LATER_US, next);
}

/* In one transaction under the practice's locks. */
static void work_in_practice(struct jobs *j, const struct lease *l, char next[JOBS_TIME_MAX])
{
    const struct route route = { .method = M_POST, .path = l->kind };
    const struct frame_request req = {
        .method = M_POST, .has_tenant = true, .tenant = l->tenant, .request_id = SLICE("")
    };
    struct unit unit;
    struct arena arena;
    struct sbuf body;
    struct call call = {
        .req = &req, .route = &route, .env = j->env, .arena = &arena, .body = &body, .unit = &unit
    };
    arena_init(&arena, 0);
    sbuf_init(&body);
    unit_init(&unit, j->db, &call);
    enum err e = run_kind(j, &call, l, next);
    e = e == OK ? unit_commit(&unit) : e;
    if (e != OK) {
        unit_rollback(&unit);
        log_event(LOG_LEVEL_WARN, "work_not_done", "kind", l->kind, "tenant", l->tenant.code,
                  "error", err_info(e)->code, NULL);
        later(next);
    }
    unit_end(&unit);
    arena_fini(&arena);
    sbuf_fini(&body);
    db_settle(j->db);
}

/* One practice's work. *found: there was one. */
static enum err do_practice(struct jobs *j, bool mail, bool *found, struct sbuf *why)
{
    PGresult *r;
    struct lease lease = { .kind = "" };
    char next[JOBS_TIME_MAX] = "";
    const char *asked[] = { mail ? "t" : "f" };
    TRY(pg_ask(j->pg, lease_sql, 1, asked, &r, why));
    *found = PQntuples(r) > 0;
    enum err e = *found ? read_lease(r, &lease) : OK;
    PQclear(r);
    if (e != OK || !*found) {
        return e;
    }
    work_in_practice(j, &lease, next);
    const char *values[] = { lease.id, lease.kind, lease.raised, next[0] ? next : NULL };
    return pg_do(j->pg, release_sql, 4, values, why);
}

bool jobs_turn(struct jobs *j)
{
    struct sbuf why;
    bool more = false, found = false;
    if (!get_ready(j)) {
        return false;
    }
    enum err e = OK;
    bool mail = j->env->settings->mail_dir[0] != '\0';
    sbuf_init(&why);
    if (mail) {
        e = jobs_mail_accounts(j->env, j->pg, &more, &why);
        score_beat();
    } else {
        log_seldom(LOG_LEVEL_WARN, "mail_waits", "mail_dir is not set");
    }
    if (e == OK) {
        e = do_practice(j, mail, &found, &why);
        score_beat();
    }
    if (e != OK) {
        drop(j, "jobs_failed", &why);
    }
    sbuf_fini(&why);
    /* A word that came with the answers is in no socket any more. */
    return e == OK && (hear(j) || more || found);
}
