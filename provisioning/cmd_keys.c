/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremioctl keys: the keys that sign access tokens, exchanged while everything runs. */
#include "provisioning/command.h"
#include "provisioning/db.h"
#include "provisioning/signing.h"

typedef enum err (*change_fn)(struct call *call, struct signing_rotation *out);

static enum err rotate(struct call *call, struct signing_rotation *out)
{
    return signing_rotate(call->db, call->settings, out, &call->why);
}

static enum err revoke(struct call *call, struct signing_rotation *out)
{
    return signing_revoke(call->db, call->settings, call->operands[0], out, &call->why);
}

static enum err in_transaction(struct call *call, change_fn change, struct signing_rotation *out)
{
    TRY(pg_do(call->db, "begin", 0, NULL, &call->why));
    return db_finish(call->db, change(call, out), &call->why);
}

static int run(struct call *call, change_fn change)
{
    struct signing_rotation done;
    enum err e = in_transaction(call, change, &done);
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    const struct output_field fields[] = {
        { "active", OUTPUT_TEXT, done.active[0] ? done.active : NULL },
        { "next", OUTPUT_TEXT, done.next },
        { 0 },
    };
    output_record(&call->out, "keys", fields);
    return EXIT_OK;
}

static int rotate_run(struct call *call)
{
    return run(call, rotate);
}

static int revoke_run(struct call *call)
{
    return run(call, revoke);
}

static int list_run(struct call *call)
{
    static const struct output_column columns[] = {
        { "kid", OUTPUT_TEXT },
        { "state", OUTPUT_TEXT },
        { "since", OUTPUT_TEXT },
        { "created_at", OUTPUT_TEXT },
        { 0 },
    };
    PGresult *r;
    enum err e = pg_ask(
        call->db,
        "select kid, state, to_char(changed_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
        " to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        " from public.signing_key"
        " order by array_position('{active,next,retiring,revoked}', state), changed_at",
        0, NULL, &r, &call->why);
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    output_table(&call->out, "keys", columns, r);
    PQclear(r);
    return EXIT_OK;
}

const struct command cmd_keys_commands[] = {
    {
        .words = { "keys", "list" },
        .summary = "The keys that sign and verify access tokens",
        .login = COMMAND_PROVISION,
        .run = list_run,
    },
    {
        .words = { "keys", "rotate" },
        .summary = "Sign with the next key and publish another; nobody notices",
        .login = COMMAND_PROVISION,
        .run = rotate_run,
    },
    {
        .words = { "keys", "revoke" },
        .operands = { "KID" },
        .summary = "Refuse every access token that the key signed; clients refresh and go on",
        .login = COMMAND_PROVISION,
        .run = revoke_run,
    },
    { .words = { NULL } },
};
