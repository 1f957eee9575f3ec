/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremioctl tz: what a change of a zone's rules, once PostgreSQL knows of it, does to visits that were booked before. The wall clock is what was agreed, so their
 * instants move. One transaction a practice; done again, nothing is left to do. */
#include <stdio.h>
#include <stdlib.h>

#include "common/str.h"
#include "common/tenant.h"
#include "provisioning/command.h"
#include "provisioning/db.h"
#include "provisioning/progress.h"

enum { TRIES = 5 }; /* of a practice that others are writing to just then */

static const struct command_option tz_options[] = {
    { "tenant", "SLUG", false, "This practice alone" },
    { 0 },
};

struct tz {
    struct call *call;
    bool apply;
    struct sbuf json; /* one object a visit */
    struct progress progress;
    size_t moved, left, failed;
};

/* Visits are locked as bookings lock them, table by table in their order, so that nobody books into the time that is being given up. */
static enum err begin(PGconn *db, const char *schema, bool apply, struct sbuf *why)
{
    TRY(pg_do(db, "begin", 0, NULL, why));
    TRY(pg_do(db, "select set_config('search_path', $1, true)", 1, &schema, why));
    return apply ? pg_do(db,
                         "lock table allocation, appointment, client_busy in share row exclusive"
                         " mode",
                         0, NULL, why)
                 : OK;
}

static enum err ask(PGconn *db, const char *schema, bool apply, PGresult **rows, struct sbuf *why)
{
    const char *params[] = { apply ? "t" : "f" };
    enum err e = begin(db, schema, apply, why);
    *rows = NULL;
    if (e == OK) {
        e = pg_ask(db,
                   "select visit, zone, to_char(agreed, 'YYYY-MM-DD HH24:MI'),"
                   " to_char(stored at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
                   " to_char(derived at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), why"
                   " from ext.rebase_visits($1::boolean)",
                   1, params, rows, why);
    }
    e = db_finish(db, e, why);
    if (e != OK) {
        PQclear(*rows);
        *rows = NULL;
    }
    return e;
}

static const char *cell(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

static void add_json(struct sbuf *out, const char *slug, const PGresult *rows, int row)
{
    static const char *const names[] = { "appointment_id", "time_zone", "local_start",
                                         "stored",         "derived",   "why" };
    sbuf_text(out, out->len ? ",{\"tenant\":" : "{\"tenant\":");
    output_value(out, OUTPUT_TEXT, slug);
    for (int i = 0; i < (int)ARRAY_LEN(names); i++) {
        sbuf_fmt(out, ",\"%s\":", names[i]);
        output_value(out, OUTPUT_TEXT, cell(rows, row, i));
    }
    sbuf_char(out, '}');
}

static void tell(struct tz *z, const char *slug, const PGresult *rows)
{
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *derived = cell(rows, i, 4), *why = cell(rows, i, 5);
        z->moved += why == NULL;
        z->left += why != NULL;
        add_json(&z->json, slug, rows, i);
        output_say(&z->call->out, "%s  %s  %s %s  %s -> %s%s%s", slug, cell(rows, i, 0),
                   cell(rows, i, 2), cell(rows, i, 1), cell(rows, i, 3), derived ? derived : "?",
                   why ? "  stays: " : "", why ? why : "");
    }
}

static void do_practice(struct tz *z, const char *slug, const char *code)
{
    char schema[TENANT_NAME_MAX];
    PGresult *rows = NULL;
    enum err e = tenant_schema(slice_of(code), schema);
    for (int i = 0; e == OK && !rows && i < TRIES; i++) {
        sbuf_reset(&z->call->why, 0);
        e = ask(z->call->db, schema, z->apply, &rows, &z->call->why);
        if (e == E_AGAIN) {
            e = OK;
        }
    }
    if (rows) {
        tell(z, slug, rows);
        PQclear(rows);
        return;
    }
    z->failed++;
    sbuf_char(&z->call->why, '\0');
    progress_line(&z->progress, slug, z->call->why.data ? z->call->why.data : "");
    sbuf_reset(&z->call->why, 0);
}

static int report(struct tz *z)
{
    struct sbuf document;
    sbuf_init(&document);
    sbuf_fmt(&document, "{\"moved\":%zu,\"left\":%zu,\"failed\":%zu,\"visits\":[",
             z->apply ? z->moved : 0, z->apply ? z->left : z->moved + z->left, z->failed);
    sbuf_add(&document, sbuf_slice(&z->json));
    sbuf_text(&document, "]}\n");
    if (z->call->out.json) {
        output_json(&document);
    }
    sbuf_fini(&document);
    sbuf_fini(&z->json);
    output_say(&z->call->out,
               z->apply ? "%zu moved, %zu left as they are, %zu practices failed"
                        : "%zu would move, %zu would stay, %zu practices failed",
               z->moved, z->left, z->failed);
    return z->failed > 0 || (z->apply && z->left > 0) ? EXIT_PARTLY : EXIT_OK;
}

static int run(struct call *call, bool apply)
{
    const char *slug = command_option(call, "tenant");
    PGresult *practices;
    enum err e = pg_ask(call->db,
                        "select slug, code from public.tenant where state in ('active',"
                        " 'suspended', 'read_only') and ($1::text is null or slug = $1)"
                        " order by slug",
                        1, &slug, &practices, &call->why);
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    int n = PQntuples(practices);
    if (slug && n == 0) {
        PQclear(practices);
        return output_error(&call->out, EXIT_NOT_FOUND, "There is no practice \"%s\".", slug);
    }
    struct tz z = { .call = call, .apply = apply };
    sbuf_init(&z.json);
    progress_init(&z.progress, call->out.json);
    for (int i = 0; i < n; i++) {
        do_practice(&z, PQgetvalue(practices, i, 0), PQgetvalue(practices, i, 1));
        progress_show(&z.progress, (size_t)i + 1, (size_t)n, z.failed, i + 1 == n);
    }
    PQclear(practices);
    return report(&z);
}

static int check_run(struct call *call)
{
    return run(call, false);
}

static int rebase_run(struct call *call)
{
    return run(call, true);
}

const struct command cmd_tz_commands[] = {
    {
        .words = { "tz", "check" },
        .summary = "Visits to come whose instants a zone's new rules would move; changes nothing",
        .options = tz_options,
        .login = COMMAND_PROVISION,
        .run = check_run,
    },
    {
        .words = { "tz", "rebase" },
        .summary = "Move them to where their wall clock is; lists those that cannot",
        .options = tz_options,
        .login = COMMAND_PROVISION,
        .run = rebase_run,
    },
    { .words = { NULL } },
};
