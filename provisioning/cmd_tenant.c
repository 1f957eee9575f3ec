/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremioctl tenant create, list, show, suspend, resume, rename, drop. */
#include <stdio.h>
#include <unistd.h>

#include "common/str.h"
#include "provisioning/command.h"
#include "provisioning/db.h"
#include "provisioning/erase.h"
#include "provisioning/ledger.h"
#include "provisioning/practice.h"

static const struct command_option create_options[] = {
    { "name", "TEXT", true, "Name of the practice" },
    { "owner-email", "ADDRESS", true, "Login of the owner; an existing account is used again" },
    { "sector", "WORD", true, "dentist, barber, ..." },
    { "country", "CODE", true, "ISO 3166, like MX" },
    { "time-zone", "NAME", true, "IANA name, like America/Mexico_City" },
    { "locale", "TAG", true, "like es-MX" },
    { "currency", "CODE", true, "ISO 4217, like MXN" },
    { "owner-name", "TEXT", false, "Name of the owner" },
    { "owner-password-file", "FILE", false, "First line is the password, - for standard input" },
    { "invite-owner", NULL, false, "Print a link with which the owner chooses a password" },
    { 0 },
};

static int report_created(struct call *call, const struct practice_spec *spec,
                          const struct practice_made *made)
{
    char pool[16], version[16];
    snprintf(pool, sizeof(pool), "%u", made->target.pool);
    snprintf(version, sizeof(version), "%d", made->schema_version);
    bool generated = !spec->password && made->password[0];
    char link[CONF_TEXT_MAX + 64];
    snprintf(link, sizeof(link), "%s/auth/reset#%s", call->settings->public_url, made->code);
    const struct output_field fields[] = {
        { "slug", OUTPUT_TEXT, spec->slug },
        { "id", OUTPUT_TEXT, made->target.id },
        { "code", OUTPUT_TEXT, made->target.code },
        { "pool", OUTPUT_NUMBER, pool },
        { "schema_version", OUTPUT_NUMBER, version },
        { "owner_email", OUTPUT_TEXT, made->owner_email },
        { "password", OUTPUT_TEXT, generated ? made->password : NULL },
        { "password_kept", OUTPUT_BOOL, made->password[0] || made->code[0] ? "f" : "t" },
        { "owner_code", OUTPUT_TEXT, made->code[0] ? made->code : NULL },
        { "owner_link", OUTPUT_TEXT, made->code[0] ? link : NULL },
        { 0 },
    };
    output_record(&call->out, "tenant", fields);
    return EXIT_OK;
}

static enum err create(struct call *call, const struct practice_spec *spec,
                       struct practice_made *made)
{
    struct migrations files;
    int known;
    TRY(practice_check(spec, &call->why));
    TRY(ledger_tenant_files(call->db, call->settings->sql_dir, &files, &known, &call->why));
    const struct practice_how how = { .settings = call->settings, .files = &files };
    enum err e = practice_create(call->db, spec, &how, made, &call->why);
    migrations_free(&files);
    return e;
}

static int create_run(struct call *call)
{
    char password[ACCOUNT_PASSWORD_MAX];
    const char *file = command_option(call, "owner-password-file");
    bool invite = command_option(call, "invite-owner") != NULL;
    if (file && invite) {
        return output_error(&call->out, EXIT_USAGE,
                            "--invite-owner and --owner-password-file exclude each other.");
    }
    if (file && account_password_read(file, password, &call->why) != OK) {
        return output_failed(&call->out, E_INVALID, &call->why);
    }
    const struct practice_spec spec = {
        .slug = call->operands[0],
        .name = command_option(call, "name"),
        .sector = command_option(call, "sector"),
        .country = command_option(call, "country"),
        .time_zone = command_option(call, "time-zone"),
        .locale = command_option(call, "locale"),
        .currency = command_option(call, "currency"),
        .owner_email = command_option(call, "owner-email"),
        .owner_name = command_option(call, "owner-name"),
        .password = file ? password : NULL,
        .invite = invite,
    };
    struct practice_made made;
    enum err e = create(call, &spec, &made);
    int code = e == OK ? report_created(call, &spec, &made)
                       : output_failed(&call->out, e, &call->why);
    sodium_memzero(password, sizeof(password));
    sodium_memzero(made.password, sizeof(made.password));
    sodium_memzero(made.code, sizeof(made.code));
    return code;
}

static const struct command_option list_options[] = {
    { "state", "STATE", false, "Only practices in this state" },
    { 0 },
};

static int list_run(struct call *call)
{
    static const struct output_column columns[] = {
        { "slug", OUTPUT_TEXT },
        { "name", OUTPUT_TEXT },
        { "sector", OUTPUT_TEXT },
        { "state", OUTPUT_TEXT },
        { "schema_version", OUTPUT_NUMBER },
        { "pool", OUTPUT_NUMBER },
        { "id", OUTPUT_TEXT },
        { "created_at", OUTPUT_TEXT },
        { 0 },
    };
    const char *state = command_option(call, "state");
    enum tenant_state known;
    if (state && tenant_state_parse(slice_of(state), &known) != OK) {
        return output_error(&call->out, EXIT_USAGE, "There is no state \"%.40s\".", state);
    }
    PGresult *r;
    enum err e = pg_ask(call->db,
                        "select slug, name, sector, state, schema_version, pool, id,"
                        " to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
                        " from public.tenant where $1::text is null or state = $1 order by slug",
                        1, &state, &r, &call->why);
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    output_table(&call->out, "tenants", columns, r);
    PQclear(r);
    return EXIT_OK;
}

static int not_found(struct call *call)
{
    return output_error(&call->out, EXIT_NOT_FOUND, "There is no practice with the slug %.60s.",
                        call->operands[0]);
}

static const struct output_column show_columns[] = {
    { "slug", OUTPUT_TEXT },
    { "name", OUTPUT_TEXT },
    { "id", OUTPUT_TEXT },
    { "state", OUTPUT_TEXT },
    { "schema", OUTPUT_TEXT },
    { "schema_version", OUTPUT_NUMBER },
    { "pool", OUTPUT_NUMBER },
    { "sector", OUTPUT_TEXT },
    { "country", OUTPUT_TEXT },
    { "time_zone", OUTPUT_TEXT },
    { "locale", OUTPUT_TEXT },
    { "currency", OUTPUT_TEXT },
    { "owners", OUTPUT_TEXT },
    { "members", OUTPUT_NUMBER },
    { "open_sessions", OUTPUT_NUMBER },
    { "size_bytes", OUTPUT_NUMBER },
    { "migration_failure", OUTPUT_TEXT },
    { "created_at", OUTPUT_TEXT },
    { 0 },
};

static const char show_sql[] =
    "select t.slug, t.name, t.id, t.state, 't_' || t.code, t.schema_version, t.pool, t.sector,"
    " t.country, t.time_zone, t.locale, t.currency,"
    " (select string_agg(a.email, ', ' order by a.email) from public.membership m"
    "   join public.account a on a.id = m.account_id"
    "   where m.tenant_id = t.id and m.role = 'owner' and m.revoked_at is null),"
    " (select count(*) from public.membership m where m.tenant_id = t.id and m.revoked_at is null),"
    " (select count(*) from public.session s where s.tenant_id = t.id and s.revoked_at is null"
    "   and s.idle_deadline > now()),"
    " (select coalesce(sum(pg_total_relation_size(c.oid)), 0) from pg_catalog.pg_class c"
    "   join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
    "   where n.nspname = 't_' || t.code and c.relkind in ('r', 'm')),"
    " (select f.error from public.migration_failure f where f.tenant_id = t.id),"
    " to_char(t.created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    " from public.tenant t where t.slug = $1";

static int show_run(struct call *call)
{
    PGresult *r;
    enum err e = pg_ask(call->db, show_sql, 1, &call->operands[0], &r, &call->why);
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    struct output_field fields[ARRAY_LEN(show_columns)] = { 0 };
    bool found = PQntuples(r) == 1;
    for (int i = 0; found && show_columns[i].name; i++) {
        fields[i] = (struct output_field){
            .name = show_columns[i].name,
            .type = show_columns[i].type,
            .value = PQgetisnull(r, 0, i) ? NULL : PQgetvalue(r, 0, i),
        };
    }
    int code = EXIT_OK;
    if (found) {
        output_record(&call->out, "tenant", fields);
    } else {
        code = not_found(call);
    }
    PQclear(r);
    return code;
}

static int report_state(struct call *call, const char *slug, const char *state, bool changed)
{
    const struct output_field fields[] = {
        { "slug", OUTPUT_TEXT, slug },
        { "state", OUTPUT_TEXT, state },
        { "changed", OUTPUT_BOOL, changed ? "t" : "f" },
        { 0 },
    };
    output_record(&call->out, "tenant", fields);
    return EXIT_OK;
}

/* Moves the practice to a state from one of two others; being there already is fine. */
static int change_state(struct call *call, const char *to, const char *from, const char *or_from)
{
    static const char sql[] =
        "with old as (select id, state from public.tenant where slug = $1 for update),"
        " changed as (update public.tenant t set state = $2, updated_at = now() from old"
        "  where t.id = old.id and old.state in ($3, $4) returning t.id)"
        " select state, exists(select from changed) from old";
    const char *params[] = { call->operands[0], to, from, or_from };
    PGresult *r;
    enum err e = pg_ask(call->db, sql, 4, params, &r, &call->why);
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    int code;
    if (PQntuples(r) == 0) {
        code = not_found(call);
    } else if (PQgetvalue(r, 0, 1)[0] == 't' || strcmp(PQgetvalue(r, 0, 0), to) == 0) {
        code = report_state(call, call->operands[0], to, PQgetvalue(r, 0, 1)[0] == 't');
    } else {
        code = output_error(&call->out, EXIT_CONFLICT,
                            "The practice %s is %s; it cannot become %s.", call->operands[0],
                            PQgetvalue(r, 0, 0), to);
    }
    PQclear(r);
    return code;
}

static int suspend_run(struct call *call)
{
    return change_state(call, "suspended", "active", "read_only");
}

static int resume_run(struct call *call)
{
    return change_state(call, "active", "suspended", "read_only");
}

static int rename_run(struct call *call)
{
    const char *slug = call->operands[1];
    if (!tenant_slug_valid(slice_of(slug))) {
        return output_error(&call->out, EXIT_USAGE,
                            "The slug \"%.60s\" must have 3 to 40 of a-z, 0-9 and single '-'"
                            " inside, and be no reserved word.",
                            slug);
    }
    const char *params[] = { call->operands[0], slug };
    PGresult *r;
    enum err e = pg_ask(call->db,
                        "update public.tenant set slug = $2, updated_at = now()"
                        " where slug = $1 and state <> 'closing' returning state",
                        2, params, &r, &call->why);
    if (e == E_ALREADY_EXISTS) {
        return output_error(&call->out, EXIT_CONFLICT,
                            "A practice with the slug %s exists already.", slug);
    }
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    int code = PQntuples(r) == 0 ? not_found(call)
                                 : report_state(call, slug, PQgetvalue(r, 0, 0), true);
    PQclear(r);
    return code;
}

static const struct command_option drop_options[] = {
    { "yes", NULL, false, "Do not ask for the slug again" },
    { 0 },
};

/* Asks for the slug on a terminal; without one, only --yes will do. */
static bool confirmed(struct call *call)
{
    char line[TENANT_SLUG_MAX + 2];
    if (command_option(call, "yes")) {
        return true;
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        sbuf_text(&call->why, "Dropping a practice needs --yes when there is no terminal to ask.");
        return false;
    }
    fprintf(stderr, "This erases the practice %s and all its data. Type its slug to go on: ",
            call->operands[0]);
    bool same = fgets(line, sizeof(line), stdin) != NULL;
    line[same ? strcspn(line, "\n") : 0] = '\0';
    if (!same || strcmp(line, call->operands[0]) != 0) {
        sbuf_text(&call->why, "The slug was not repeated; nothing was changed.");
        return false;
    }
    return true;
}

static int drop_run(struct call *call)
{
    char found[DB_VALUE_MAX];
    enum err e = db_value(call->db, "select 'yes' from public.tenant where slug = $1",
                          call->operands[0], found, &call->why);
    if (e == E_NOT_FOUND) {
        return not_found(call);
    }
    if (e == OK && !confirmed(call)) {
        e = E_PRECONDITION_FAILED;
    }
    if (e == OK) {
        e = erase_practice(call->db, call->operands[0], &call->why);
    }
    return e == OK ? report_state(call, call->operands[0], "dropped", true)
                   : output_failed(&call->out, e, &call->why);
}

#define SUMMARY_DROP "Erase a practice and all its data; can be repeated when interrupted"

const struct command cmd_tenant_commands[] = {
    { { "tenant", "create" },
      { "SLUG" },
      "Create a practice and its owner, in one transaction",
      create_options,
      COMMAND_PROVISION,
      create_run },
    { { "tenant", "list" }, { 0 }, "List practices", list_options, COMMAND_PROVISION, list_run },
    { { "tenant", "show" }, { "SLUG" }, "Show one practice", NULL, COMMAND_PROVISION, show_run },
    { { "tenant", "suspend" },
      { "SLUG" },
      "Refuse every request of a practice",
      NULL,
      COMMAND_PROVISION,
      suspend_run },
    { { "tenant", "resume" },
      { "SLUG" },
      "Let a suspended practice work again",
      NULL,
      COMMAND_PROVISION,
      resume_run },
    { { "tenant", "rename" },
      { "SLUG", "NEW-SLUG" },
      "Change the public name; data stays put",
      NULL,
      COMMAND_PROVISION,
      rename_run },
    { { "tenant", "drop" }, { "SLUG" }, SUMMARY_DROP, drop_options, COMMAND_PROVISION, drop_run },
    { .words = { NULL } },
};
