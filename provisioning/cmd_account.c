/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremioctl account: what only an operator can do for somebody, once the person was asked who they are. */
#include "provisioning/account.h"
#include "provisioning/command.h"
#include "provisioning/db.h"

/* The account's sessions end: whoever holds the lost device is out. Where a second factor is required, the next login sets one up. */
static const char remove_sql[] =
    "with gone as (delete from public.second_factor f using public.account a"
    "  where a.id = f.account_id and a.email = $1 returning f.account_id),"
    " missed as (update public.membership m set epoch = m.epoch + 1 from gone, public.tenant t"
    "  where m.account_id = gone.account_id and t.id = m.tenant_id and t.second_factor_required),"
    " ended as (update public.session s set revoked_at = now(), revoke_reason = 'second_factor'"
    "  from gone where s.account_id = gone.account_id and s.revoked_at is null returning s.id)"
    " select (select count(*) from ended) from gone";

static int remove_run(struct call *call)
{
    char email[ACCOUNT_EMAIL_MAX], ended[DB_VALUE_MAX];
    if (account_email(call->operands[0], email) != OK) {
        return output_error(&call->out, EXIT_USAGE, "\"%.80s\" is not an e-mail address.",
                            call->operands[0]);
    }
    enum err e = db_value(call->db, remove_sql, email, ended, &call->why);
    if (e == E_NOT_FOUND) {
        sbuf_fmt(&call->why, "No account with the address %s has a second factor.", email);
    }
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    const struct output_field fields[] = {
        { "email", OUTPUT_TEXT, email },
        { "sessions_ended", OUTPUT_NUMBER, ended },
        { 0 },
    };
    output_record(&call->out, "account", fields);
    return EXIT_OK;
}

const struct command cmd_account_commands[] = {
    {
        .words = { "account", "remove-factor" },
        .operands = { "EMAIL" },
        .summary = "Remove the second factor of somebody who lost device and backup codes; their "
                   "sessions end",
        .login = COMMAND_PROVISION,
        .run = remove_run,
    },
    { .words = { NULL } },
};
