/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremioctl operator create: the people who run the installation, across all practices. */
#include "common/uuid.h"
#include "provisioning/account.h"
#include "provisioning/command.h"
#include "provisioning/db.h"

static const struct command_option create_options[] = {
    { "email", "ADDRESS", true, "Login; an existing account becomes an operator" },
    { "password-file", "FILE", false, "First line is the password, - for standard input" },
    { 0 },
};

/* Whether the account has a password already: hashing one it would not take is 45 ms for nothing. */
static enum err has_password(struct call *call, const char *email, bool *has)
{
    char found[DB_VALUE_MAX];
    enum err e = db_value(call->db,
                          "select 'yes' from public.account"
                          " where email = $1 and password_hash is not null",
                          email, found, &call->why);
    *has = e == OK;
    return e == E_NOT_FOUND ? OK : e;
}

/* One statement: account (an existing one keeps its password) and operator. E_ALREADY_EXISTS. */
static enum err insert(struct call *call, const char *email, const char *hash)
{
    static const char sql[] =
        "with account as (insert into public.account(id, email, password_hash)"
        "  values ($1, $2, $3) on conflict (email) do update set"
        "   password_hash = coalesce(public.account.password_hash, excluded.password_hash)"
        "  returning id)"
        " insert into public.operator(account_id) select id from account";
    char id[UUID_TEXT];
    struct uuid u = uuid_v7();
    uuid_format(&u, id);
    const char *params[] = { id, email, hash };
    struct sbuf why;
    sbuf_init(&why);
    enum err e = pg_do(call->db, sql, 3, params, &why);
    if (e == E_ALREADY_EXISTS) {
        sbuf_fmt(&call->why, "%s is an operator already.", email);
    } else {
        sbuf_add(&call->why, sbuf_slice(&why));
    }
    sbuf_fini(&why);
    return e;
}

static int report(struct call *call, const char *email, const char *shown, bool kept)
{
    const struct output_field fields[] = {
        { "email", OUTPUT_TEXT, email },
        { "password", OUTPUT_TEXT, shown },
        { "password_kept", OUTPUT_BOOL, kept ? "t" : "f" },
        { 0 },
    };
    output_record(&call->out, "operator", fields);
    return EXIT_OK;
}

static int create_run(struct call *call)
{
    char email[ACCOUNT_EMAIL_MAX];
    char password[ACCOUNT_PASSWORD_MAX];
    char hash[ACCOUNT_HASH_MAX];
    const char *file = command_option(call, "password-file");
    bool kept;
    if (account_email(command_option(call, "email"), email) != OK) {
        return output_error(&call->out, EXIT_USAGE, "--email \"%.80s\" is not an e-mail address.",
                            command_option(call, "email"));
    }
    if (!file) {
        account_password_make(password);
    } else if (account_password_read(file, password, &call->why) != OK) {
        return output_failed(&call->out, E_INVALID, &call->why);
    }
    enum err e = has_password(call, email, &kept);
    if (e == OK && !kept) {
        e = account_hash(password, hash);
    }
    if (e == OK) {
        e = insert(call, email, kept ? NULL : hash);
    }
    int code = e == OK ? report(call, email, file || kept ? NULL : password, kept)
                       : output_failed(&call->out, e, &call->why);
    sodium_memzero(password, sizeof(password));
    return code;
}

const struct command cmd_operator_commands[] = {
    {
        .words = { "operator", "create" },
        .summary = "Make an account an operator of the whole installation",
        .options = create_options,
        .login = COMMAND_PROVISION,
        .run = create_run,
    },
    { .words = { NULL } },
};
