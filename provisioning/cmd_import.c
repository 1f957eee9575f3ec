/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremioctl tenant import: many practices from a CSV file. What exists is skipped, so an interrupted run is finished by
 * saying it again; each practice is one transaction, as in tenant create. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/str.h"
#include "provisioning/command.h"
#include "provisioning/db.h"
#include "provisioning/fleet.h"
#include "provisioning/import.h"
#include "provisioning/ledger.h"
#include "provisioning/progress.h"

static const struct command_option import_options[] = {
    { "passwords", "FILE", false,
      "Made passwords are added to it, as CSV; needed for rows without one" },
    { "parallel", "N", false, "Connections at once, 1 to 64; default 2" },
    { "stop-after", "K", false, "Stop after K failed practices; default 20, 0 never stops" },
    { "sector", "WORD", false, "For rows without one" },
    { "country", "CODE", false, "For rows without one" },
    { "time-zone", "NAME", false, "For rows without one" },
    { "locale", "TAG", false, "For rows without one" },
    { "currency", "CODE", false, "For rows without one" },
    { 0 },
};

/* State of one "tenant import". */
struct importing {
    struct call *call;
    struct import file;
    struct migrations files;
    struct fleet_item *items; /* beside file.rows */
    size_t existed, taken;    /* before the run */
    unsigned parallel, stop_after;
    int passwords; /* descriptor, -1: none */
    struct progress progress;
    struct fleet_count count;
};

/* -- what exists already ------------------------------------------------------------------------------------------ */

/* {"a","b"}; slugs and e-mails hold neither quotes nor backslashes. */
static void add_element(struct sbuf *array, const char *text)
{
    sbuf_text(array, array->len ? ",\"" : "{\"");
    sbuf_text(array, text);
    sbuf_char(array, '"');
}

/* Which of the file's rows are there, and whether with this owner: one query for all of them. */
static enum err ask_existing(struct importing *m, PGresult **out)
{
    struct sbuf slugs, emails;
    sbuf_init(&slugs);
    sbuf_init(&emails);
    for (size_t i = 0; i < m->file.count; i++) {
        add_element(&slugs, m->file.rows[i].spec.slug);
        add_element(&emails, m->file.rows[i].spec.owner_email);
    }
    sbuf_text(&slugs, "}");
    sbuf_text(&emails, "}");
    enum err e = E_NOMEM;
    if (!sbuf_failed(&slugs) && !sbuf_failed(&emails)) {
        const char *params[] = { slugs.data, emails.data };
        e = pg_ask(m->call->db,
                   "select f.at - 1, exists(select from public.membership m"
                   "  join public.account a on a.id = m.account_id"
                   "  where m.tenant_id = t.id and a.email = f.email)"
                   " from unnest($1::text[], $2::text[]) with ordinality f(slug, email, at)"
                   " join public.tenant t on t.slug = f.slug",
                   2, params, out, &m->call->why);
    }
    sbuf_fini(&slugs);
    sbuf_fini(&emails);
    return e;
}

static void mark_existing(struct importing *m, size_t at, bool same_owner)
{
    struct fleet_item *item = &m->items[at];
    item->state = same_owner ? FLEET_SKIPPED : FLEET_FAILED;
    m->existed += same_owner;
    m->taken += !same_owner;
    if (!same_owner) {
        snprintf(item->fault.text, sizeof(item->fault.text),
                 "the slug is taken by a practice that %s does not belong to",
                 m->file.rows[at].spec.owner_email);
        progress_line(&m->progress, item->name, item->fault.text);
    }
}

static enum err find_existing(struct importing *m)
{
    PGresult *r;
    TRY(ask_existing(m, &r));
    enum err e = OK;
    for (int i = 0; i < PQntuples(r) && e == OK; i++) {
        int64_t at = 0;
        e = str_int(slice_of(PQgetvalue(r, i, 0)), 0, (int64_t)m->file.count - 1, &at);
        if (e == OK) {
            mark_existing(m, (size_t)at, PQgetvalue(r, i, 1)[0] == 't');
        }
    }
    PQclear(r);
    return e;
}

/* -- one practice ------------------------------------------------------------------------------------------------- */

/* A practice_fill_fn, the last thing before COMMIT: nobody's password is lost when we die right after. A line whose
 * practice was rolled back does no harm: of several lines for one slug the last counts. */
static enum err note_password(PGconn *c, const struct practice_made *made, void *context,
                              struct sbuf *why)
{
    const struct importing *m = context;
    char line[TENANT_SLUG_MAX + ACCOUNT_EMAIL_MAX + ACCOUNT_PASSWORD_MAX + 4];
    (void)c;
    if (made->password[0] == '\0') {
        return OK;
    }
    int n = snprintf(line, sizeof(line), "%s,%s,%s\n", made->slug, made->owner_email,
                     made->password);
    bool written = write(m->passwords, line, (size_t)n) == n && fdatasync(m->passwords) == 0;
    sodium_memzero(line, sizeof(line));
    if (!written) {
        sbuf_fmt(why, "The password file cannot be written: %s.", strerror(errno));
    }
    return written ? OK : E_IO;
}

static enum apply_outcome outcome_of(PGconn *db, enum err e)
{
    if (e == OK) {
        return APPLY_DONE;
    }
    if (e ==
        E_ALREADY_EXISTS) { /* somebody else just made it, or we did before the answer was lost */
        return APPLY_CURRENT;
    }
    if (PQstatus(db) == CONNECTION_BAD || e == E_DB_UNAVAILABLE) {
        return APPLY_LOST;
    }
    return e == E_BUSY || e == E_AGAIN ? APPLY_BUSY : APPLY_FAILED;
}

/* A fleet_work_fn. */
static enum apply_outcome create_one(PGconn *db, const struct fleet_item *item, void *context,
                                     struct apply_fault *fault)
{
    struct importing *m = context;
    const struct import_row *row = item->what;
    const struct practice_how how = {
        .settings = m->call->settings,
        .files = &m->files,
        .fill = row->spec.password ? NULL : note_password,
        .context = m,
    };
    struct practice_made made;
    struct sbuf why;
    sbuf_init(&why);
    enum err e = practice_create(db, &row->spec, &how, &made, &why);
    sodium_memzero(made.password, sizeof(made.password));
    struct slice text = sbuf_slice(&why);
    snprintf(fault->text, sizeof(fault->text), "line %zu: %.*s", row->line,
             (int)size_min(text.n, 200), text.n ? text.p : "");
    sbuf_fini(&why);
    return outcome_of(db, e);
}

static void on_progress(void *context, const struct fleet_count *count,
                        const struct fleet_item *item)
{
    struct importing *m = context;
    if (item && item->state == FLEET_FAILED) {
        progress_line(&m->progress, item->name, item->fault.text);
    }
    size_t settled = count->done + count->skipped + count->failed;
    progress_show(&m->progress, settled, m->file.count - m->existed - m->taken, count->failed,
                  false);
}

/* -- the run ------------------------------------------------------------------------------------------------------ */

static enum err open_passwords(struct importing *m)
{
    static const char header[] = "slug,owner_email,password\n";
    const char *file = command_option(m->call, "passwords");
    struct stat st;
    m->passwords = -1;
    if (!file && m->file.needs_passwords) {
        sbuf_text(&m->call->why, "Some rows bring no password: --passwords FILE must say where to"
                                 " write those that are made.");
        return E_INVALID;
    }
    if (!file) {
        return OK;
    }
    m->passwords = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = m->passwords >= 0 && fstat(m->passwords, &st) == 0 && S_ISREG(st.st_mode) &&
                fchmod(m->passwords, 0600) == 0;
    if (good && st.st_size == 0) {
        ssize_t n = (ssize_t)sizeof(header) - 1;
        good = write(m->passwords, header, (size_t)n) == n;
    }
    if (!good) {
        sbuf_fmt(&m->call->why, "The password file %s cannot be written.", file);
    }
    return good ? OK : E_INVALID;
}

static enum err prepare(struct importing *m)
{
    struct call *call = m->call;
    int known;
    const struct practice_spec defaults = {
        .sector = command_option(call, "sector"),
        .country = command_option(call, "country"),
        .time_zone = command_option(call, "time-zone"),
        .locale = command_option(call, "locale"),
        .currency = command_option(call, "currency"),
    };
    TRY(command_number(call, "parallel", 1, FLEET_PARALLEL_MAX, &m->parallel));
    TRY(command_number(call, "stop-after", 0, 1000000, &m->stop_after));
    TRY(import_load(call->operands[0], &defaults, &m->file, &call->why));
    TRY(open_passwords(m));
    TRY(ledger_tenant_files(call->db, call->settings->sql_dir, &m->files, &known, &call->why));
    m->items = calloc(m->file.count, sizeof(*m->items));
    if (!m->items) {
        return E_NOMEM;
    }
    for (size_t i = 0; i < m->file.count; i++) {
        const struct import_row *row = &m->file.rows[i];
        m->items[i] = (struct fleet_item){ .name = row->spec.slug, .what = row };
    }
    progress_init(&m->progress, call->out.json);
    return find_existing(m);
}

static enum err run(struct importing *m)
{
    const struct fleet_options options = {
        .settings = m->call->settings,
        .parallel = m->parallel,
        .stop_after = m->stop_after,
        .work = create_one,
        .on_progress = on_progress,
        .context = m,
    };
    size_t todo = m->file.count - m->existed - m->taken;
    PQfinish(m->call->db); /* a connection must not be shared with the children */
    m->call->db = NULL;
    progress_init(&m->progress, m->call->out.json);
    enum err e = fleet_run(m->items, m->file.count, &options, &m->count);
    const struct fleet_count *c = &m->count;
    if (todo > 0) {
        progress_show(&m->progress, c->done + c->skipped + c->failed, todo, c->failed, true);
    }
    m->existed += c->skipped;
    return e;
}

static void report_json(const struct importing *m, size_t failed, size_t left)
{
    struct sbuf b;
    bool first = true;
    sbuf_init(&b);
    sbuf_fmt(&b,
             "{\"import\": {\"rows\": %zu, \"created\": %zu, \"existed\": %zu, \"failed\": %zu,"
             " \"left\": %zu, \"seconds\": %.3f, \"failures\": [",
             m->file.count, m->count.done, m->existed, failed, left,
             progress_seconds(&m->progress));
    for (size_t i = 0; i < m->file.count; i++) {
        if (m->items[i].state == FLEET_FAILED) {
            sbuf_fmt(&b, "%s{\"slug\": \"%s\", \"line\": %zu, \"error\": ", first ? "" : ", ",
                     m->items[i].name, m->file.rows[i].line);
            sbuf_json(&b, slice_of(m->items[i].fault.text));
            sbuf_char(&b, '}');
            first = false;
        }
    }
    sbuf_text(&b, "]}}");
    output_json(&b);
}

static int report(const struct importing *m)
{
    size_t failed = m->count.failed + m->taken;
    size_t left = m->file.count - m->count.done - m->existed - failed;
    double seconds = progress_seconds(&m->progress);
    if (m->call->out.json) {
        report_json(m, failed, left);
    } else {
        output_say(&m->call->out,
                   "%zu created, %zu were there already, %zu failed, %zu left, %.1f seconds"
                   " (%.1f a second)%s.",
                   m->count.done, m->existed, failed, left, seconds,
                   seconds > 0 ? (double)m->count.done / seconds : 0.0,
                   m->count.interrupted ? " (interrupted)"
                   : m->count.lost      ? " (the database went away)"
                   : m->count.stopped   ? " (--stop-after reached)"
                                        : "");
    }
    if (failed == 0 && left == 0) {
        return EXIT_OK;
    }
    return m->count.lost ? EXIT_UNREACHABLE : EXIT_PARTLY;
}

static int import_run(struct call *call)
{
    struct importing m = { .call = call, .parallel = 2, .stop_after = 20, .passwords = -1 };
    enum err e = prepare(&m);
    if (e == OK) {
        e = run(&m);
    }
    int code = e == OK ? report(&m) : output_failed(&call->out, e, &call->why);
    if (m.passwords >= 0) {
        close(m.passwords);
    }
    free(m.items);
    migrations_free(&m.files);
    import_free(&m.file);
    return code;
}

const struct command cmd_import_commands[] = {
    {
        .words = { "tenant", "import" },
        .operands = { "FILE" },
        .summary = "Create many practices from a CSV file; what exists is skipped",
        .options = import_options,
        .login = COMMAND_PROVISION,
        .run = import_run,
    },
    { .words = { NULL } },
};
