/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremioctl migrate plan, run, status. Who is behind is one query of the directory, however many practices exist. */
#include <stdio.h>
#include <stdlib.h>

#include "common/str.h"
#include "provisioning/command.h"
#include "provisioning/db.h"
#include "provisioning/fleet.h"
#include "provisioning/ledger.h"
#include "provisioning/progress.h"

#define FAILURES_SHOWN 100

static const char versions_sql[] =
    "select t.schema_version, count(*), count(f.tenant_id) from public.tenant t"
    " left join public.migration_failure f on f.tenant_id = t.id"
    " where t.state <> 'closing' group by 1 order by 1";

/* Practices per version, from one query. */
struct versions {
    PGresult *rows;
    long tenants, behind, failed;
};

static enum err versions_read(struct call *call, int latest, struct versions *v)
{
    *v = (struct versions){ 0 };
    TRY(pg_ask(call->db, versions_sql, 0, NULL, &v->rows, &call->why));
    for (int i = 0; i < PQntuples(v->rows); i++) {
        long version = strtol(PQgetvalue(v->rows, i, 0), NULL, 10);
        long count = strtol(PQgetvalue(v->rows, i, 1), NULL, 10);
        v->tenants += count;
        v->behind += version < latest ? count : 0;
        v->failed += strtol(PQgetvalue(v->rows, i, 2), NULL, 10);
    }
    return OK;
}

static void versions_json(const struct versions *v, struct sbuf *out)
{
    sbuf_char(out, '[');
    for (int i = 0; i < PQntuples(v->rows); i++) {
        sbuf_fmt(out, "%s{\"version\": %s, \"tenants\": %s}", i ? ", " : "",
                 PQgetvalue(v->rows, i, 0), PQgetvalue(v->rows, i, 1));
    }
    sbuf_char(out, ']');
}

static void versions_text(struct call *call, const struct versions *v, int latest)
{
    for (int i = 0; i < PQntuples(v->rows); i++) {
        bool behind = strtol(PQgetvalue(v->rows, i, 0), NULL, 10) < latest;
        output_say(&call->out, "  version %s: %s practices%s", PQgetvalue(v->rows, i, 0),
                   PQgetvalue(v->rows, i, 1), behind ? ", behind" : "");
    }
}

static enum err tenant_files(struct call *call, struct migrations *files, int *known)
{
    return ledger_tenant_files(call->db, call->settings->sql_dir, files, known, &call->why);
}

static void plan_json(const struct migrations *files, int known, const struct versions *v)
{
    struct sbuf b;
    sbuf_init(&b);
    sbuf_fmt(&b, "{\"plan\": {\"latest\": %d, \"behind\": %ld, \"files\": [",
             migrations_latest(files), v->behind);
    for (size_t i = 0; i < files->count; i++) {
        sbuf_fmt(&b, "%s{\"version\": %d, \"file\": \"%s\", \"new\": %s}", i ? ", " : "",
                 files->rows[i].version, files->rows[i].file, (int)i < known ? "false" : "true");
    }
    sbuf_text(&b, "], \"versions\": ");
    versions_json(v, &b);
    sbuf_text(&b, "}}");
    output_json(&b);
}

static void plan_text(struct call *call, const struct migrations *files, int known,
                      const struct versions *v)
{
    for (size_t i = (size_t)known; i < files->count; i++) {
        output_say(&call->out, "  new file %s", files->rows[i].file);
    }
    versions_text(call, v, migrations_latest(files));
    output_say(&call->out,
               v->behind ? "%ld practices would be brought to version %d."
                         : "Nothing to do: %ld practices are behind version %d.",
               v->behind, migrations_latest(files));
}

static int plan_run(struct call *call)
{
    struct migrations files;
    struct versions v;
    int known;
    enum err e = tenant_files(call, &files, &known);
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    e = versions_read(call, migrations_latest(&files), &v);
    if (e != OK) {
        migrations_free(&files);
        return output_failed(&call->out, e, &call->why);
    }
    if (call->out.json) {
        plan_json(&files, known, &v);
    } else {
        plan_text(call, &files, known, &v);
    }
    PQclear(v.rows);
    migrations_free(&files);
    return EXIT_OK;
}

/* The recorded failures; asked only when the one query of the directory said there are some. */
static enum err failures_read(struct call *call, PGresult **out)
{
    char limit[16];
    snprintf(limit, sizeof(limit), "%d", FAILURES_SHOWN);
    const char *params[] = { limit };
    return pg_ask(call->db,
                  "select t.slug, f.version, f.sqlstate, f.error, f.attempts"
                  " from public.migration_failure f join public.tenant t on t.id = f.tenant_id"
                  " order by f.at desc limit $1",
                  1, params, out, &call->why);
}

static void failures_json(const PGresult *r, struct sbuf *out)
{
    static const struct output_column columns[] = {
        { "slug", OUTPUT_TEXT },  { "version", OUTPUT_NUMBER },  { "sqlstate", OUTPUT_TEXT },
        { "error", OUTPUT_TEXT }, { "attempts", OUTPUT_NUMBER },
    };
    sbuf_char(out, '[');
    for (int row = 0; r && row < PQntuples(r); row++) {
        sbuf_text(out, row ? ", {" : "{");
        for (int i = 0; i < (int)ARRAY_LEN(columns); i++) {
            sbuf_fmt(out, "%s\"%s\": ", i ? ", " : "", columns[i].name);
            output_value(out, columns[i].type, PQgetvalue(r, row, i));
        }
        sbuf_char(out, '}');
    }
    sbuf_char(out, ']');
}

static void status_report(struct call *call, int latest, const struct versions *v,
                          const PGresult *failures)
{
    if (call->out.json) {
        struct sbuf b;
        sbuf_init(&b);
        sbuf_fmt(&b,
                 "{\"status\": {\"latest\": %d, \"tenants\": %ld, \"behind\": %ld,"
                 " \"failed\": %ld, \"versions\": ",
                 latest, v->tenants, v->behind, v->failed);
        versions_json(v, &b);
        sbuf_text(&b, ", \"failures\": ");
        failures_json(failures, &b);
        sbuf_text(&b, "}}");
        output_json(&b);
        return;
    }
    versions_text(call, v, latest);
    for (int i = 0; failures && i < PQntuples(failures); i++) {
        output_say(&call->out, "  %s failed %s times: %s", PQgetvalue(failures, i, 0),
                   PQgetvalue(failures, i, 4), PQgetvalue(failures, i, 3));
    }
    output_say(&call->out, "%ld of %ld practices are at version %d; %ld failed last time.",
               v->tenants - v->behind, v->tenants, latest, v->failed);
}

static int status_run(struct call *call)
{
    struct migrations files;
    struct versions v = { 0 };
    PGresult *failures = NULL;
    int known;
    enum err e = tenant_files(call, &files, &known);
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    int latest = migrations_latest(&files);
    migrations_free(&files);
    e = versions_read(call, latest, &v);
    if (e == OK && v.failed > 0) {
        e = failures_read(call, &failures);
    }
    if (e == OK) {
        status_report(call, latest, &v, failures);
    }
    PQclear(failures);
    PQclear(v.rows);
    return e == OK ? EXIT_OK : output_failed(&call->out, e, &call->why);
}

static const struct command_option run_options[] = {
    { "parallel", "N", false, "Connections at once, 1 to 64; default 4" },
    { "canary", "SLUG,...", false, "These first; all must pass before the others are touched" },
    { "stop-after", "K", false, "Stop after K failed practices; default 5, 0 never stops" },
    { 0 },
};

/* State of one "migrate run". */
struct running {
    struct call *call;
    struct migrations files;
    PGresult *rows;           /* of the directory; items borrow their slugs */
    struct fleet_item *items; /* canaries first */
    struct apply_target *targets;
    size_t n, canaries;
    unsigned parallel, stop_after;
    struct progress progress;
    size_t before; /* settled in the phase before */
    struct fleet_count sum;
};

static void on_progress(void *context, const struct fleet_count *count,
                        const struct fleet_item *item)
{
    struct running *r = context;
    if (item && item->state == FLEET_FAILED) {
        progress_line(&r->progress, item->name, item->fault.text);
    }
    size_t settled = r->before + count->done + count->skipped + count->failed;
    progress_show(&r->progress, settled, r->n, r->sum.failed + count->failed, false);
}

static bool listed(const char *list, const char *slug)
{
    struct slice rest = slice_of(list ? list : "");
    while (rest.n > 0) {
        if (slice_eq(str_trim(str_cut(&rest, ',')), slice_of(slug))) {
            return true;
        }
    }
    return false;
}

static enum err item_read(struct running *run, int row)
{
    int64_t pool;
    const PGresult *r = run->rows;
    struct apply_target *t = &run->targets[row];
    TRY(str_copy(slice_of(PQgetvalue(r, row, 0)), t->id, sizeof(t->id)));
    TRY(str_copy(slice_of(PQgetvalue(r, row, 1)), t->code, sizeof(t->code)));
    TRY(str_int(slice_of(PQgetvalue(r, row, 3)), 0, TENANT_POOLS_MAX - 1, &pool));
    t->pool = (unsigned)pool;
    run->items[row] = (struct fleet_item){ .name = PQgetvalue(r, row, 2), .what = t };
    return OK;
}

/* THE one query of the directory, and its rows with the canaries moved to the front. */
static enum err items_read(struct running *run, const char *canary)
{
    char latest[16];
    snprintf(latest, sizeof(latest), "%d", migrations_latest(&run->files));
    const char *params[] = { latest };
    TRY(pg_ask(run->call->db,
               "select id, code, slug, pool from public.tenant"
               " where schema_version < $1 and state <> 'closing' order by schema_version, id",
               1, params, &run->rows, &run->call->why));
    run->n = (size_t)PQntuples(run->rows);
    run->items = calloc(run->n + 1, sizeof(*run->items));
    run->targets = calloc(run->n + 1, sizeof(*run->targets));
    if (!run->items || !run->targets) {
        return E_NOMEM;
    }
    for (size_t i = 0; i < run->n; i++) {
        TRY(item_read(run, (int)i));
        if (listed(canary, run->items[i].name)) {
            struct fleet_item moved = run->items[i];
            run->items[i] = run->items[run->canaries];
            run->items[run->canaries++] = moved;
        }
    }
    return OK;
}

/* A canary that is not in the directory is a typing mistake, and must not mean "no canary". */
static enum err check_canaries(struct call *call, const char *list)
{
    struct slice rest = slice_of(list ? list : "");
    while (rest.n > 0) {
        char slug[TENANT_SLUG_MAX], found[DB_VALUE_MAX];
        struct slice name = str_trim(str_cut(&rest, ','));
        enum err e = str_copy(name, slug, sizeof(slug)) == OK ? OK : E_NOT_FOUND;
        if (e == OK) {
            e = db_value(call->db, "select 'yes' from public.tenant where slug = $1", slug, found,
                         &call->why);
        }
        if (e == E_NOT_FOUND) {
            sbuf_fmt(&call->why, "There is no practice with the slug %.*s (--canary).",
                     (int)size_min(name.n, 60), name.p);
        }
        TRY(e);
    }
    return OK;
}

static void add_counts(struct running *run, const struct fleet_count *c)
{
    run->sum.done += c->done;
    run->sum.skipped += c->skipped;
    run->sum.failed += c->failed;
    run->sum.longest_us = c->longest_us > run->sum.longest_us ? c->longest_us : run->sum.longest_us;
    run->sum.interrupted |= c->interrupted;
    run->sum.stopped |= c->stopped;
    run->sum.lost |= c->lost;
    run->before = run->sum.done + run->sum.skipped + run->sum.failed;
}

/* A fleet_work_fn. */
static enum apply_outcome migrate_one(PGconn *db, const struct fleet_item *item, void *context,
                                      struct apply_fault *fault)
{
    const struct running *run = context;
    enum apply_outcome outcome = apply_migrate(db, item->what, &run->files, fault);
    if (outcome == APPLY_FAILED) {
        apply_record_failure(db, item->what, fault);
    }
    return outcome;
}

static enum err run_phase(struct running *run, size_t from, size_t n, unsigned stop_after)
{
    struct fleet_count count;
    const struct fleet_options options = {
        .settings = run->call->settings,
        .parallel = run->parallel,
        .stop_after = stop_after,
        .work = migrate_one,
        .on_progress = on_progress,
        .context = run,
    };
    enum err e = fleet_run(run->items + from, n, &options, &count);
    add_counts(run, &count);
    return e;
}

/* Canaries first: one failure among them and nothing else is touched. */
static enum err run_phases(struct running *run)
{
    enum err e = OK;
    PQfinish(run->call->db); /* a connection must not be shared with the children */
    run->call->db = NULL;
    progress_init(&run->progress, run->call->out.json);
    if (run->canaries > 0) {
        e = run_phase(run, 0, run->canaries, 1);
    }
    if (e == OK && run->sum.failed == 0 && !run->sum.interrupted && run->n > run->canaries) {
        e = run_phase(run, run->canaries, run->n - run->canaries, run->stop_after);
    }
    if (run->n > 0) {
        progress_show(&run->progress, run->before, run->n, run->sum.failed, true);
    }
    return e;
}

static void run_json(const struct running *run, size_t left)
{
    struct sbuf b;
    sbuf_init(&b);
    sbuf_fmt(&b,
             "{\"run\": {\"latest\": %d, \"behind\": %zu, \"migrated\": %zu, \"skipped\": %zu,"
             " \"failed\": %zu, \"left\": %zu, \"seconds\": %.3f, \"longest_ms\": %.1f,"
             " \"failures\": [",
             migrations_latest(&run->files), run->n, run->sum.done, run->sum.skipped,
             run->sum.failed, left, progress_seconds(&run->progress),
             (double)run->sum.longest_us / 1000);
    bool first = true;
    for (size_t i = 0; i < run->n; i++) {
        const struct fleet_item *item = &run->items[i];
        if (item->state != FLEET_FAILED) {
            continue;
        }
        sbuf_fmt(&b, "%s{\"slug\": \"%s\", \"version\": %d, \"sqlstate\": \"%s\", \"error\": ",
                 first ? "" : ", ", item->name, item->fault.version, item->fault.sqlstate);
        sbuf_json(&b, slice_of(item->fault.text));
        sbuf_char(&b, '}');
        first = false;
    }
    sbuf_text(&b, "]}}");
    output_json(&b);
}

static int run_report(struct running *run)
{
    size_t left = run->n - run->before;
    if (run->call->out.json) {
        run_json(run, left);
    } else if (run->n == 0) {
        output_say(&run->call->out, "Every practice is at version %d.",
                   migrations_latest(&run->files));
    } else {
        output_say(&run->call->out,
                   "%zu migrated to version %d, %zu failed, %zu left, %.1f seconds%s.",
                   run->sum.done, migrations_latest(&run->files), run->sum.failed, left,
                   progress_seconds(&run->progress),
                   run->sum.interrupted ? " (interrupted)"
                   : run->canaries > 0 && run->sum.failed > 0 && run->before <= run->canaries
                       ? " (a canary failed)"
                   : run->sum.stopped ? " (--stop-after reached)"
                                      : "");
    }
    if (run->sum.failed == 0 && left == 0) {
        return EXIT_OK;
    }
    return run->sum.lost ? EXIT_UNREACHABLE : EXIT_PARTLY;
}

static enum err prepare(struct running *run)
{
    int known;
    const char *canary = command_option(run->call, "canary");
    TRY(command_number(run->call, "parallel", 1, FLEET_PARALLEL_MAX, &run->parallel));
    TRY(command_number(run->call, "stop-after", 0, 1000000, &run->stop_after));
    TRY(tenant_files(run->call, &run->files, &known));
    TRY(check_canaries(run->call, canary));
    return items_read(run, canary);
}

static int run_run(struct call *call)
{
    struct running run = { .call = call, .parallel = 4, .stop_after = 5 };
    enum err e = prepare(&run);
    if (e == OK) {
        e = run_phases(&run);
    }
    int code = e == OK ? run_report(&run) : output_failed(&call->out, e, &call->why);
    free(run.items);
    free(run.targets);
    PQclear(run.rows);
    migrations_free(&run.files);
    return code;
}

const struct command cmd_migrate_commands[] = {
    {
        .words = { "migrate", "plan" },
        .summary = "Show which files and practices a run would touch",
        .login = COMMAND_PROVISION,
        .run = plan_run,
    },
    {
        .words = { "migrate", "run" },
        .summary = "Bring every practice to the newest version, one transaction each",
        .options = run_options,
        .login = COMMAND_PROVISION,
        .run = run_run,
    },
    {
        .words = { "migrate", "status" },
        .summary = "Count practices per version and show the last failures",
        .login = COMMAND_PROVISION,
        .run = status_run,
    },
    { .words = { NULL } },
};
