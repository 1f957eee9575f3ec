/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The address of an account: proved by a link that is mailed to it, changed once the next one is proved. Runs in auth slots as
 * gremio_auth. */
#include "worker/api/one_time.h"
#include "worker/api/proof.h"

#define EMAIL_TTL_S 86400

static const struct param email_change_params[] = {
    { .name = "password",
      .in = IN_BODY,
      .type = T_PASSWORD,
      .required = true,
      .doc = "The present one" },
    { .name = "new_email", .in = IN_BODY, .type = T_EMAIL, .required = true },
    { 0 },
};

static const struct param email_verify_params[] = {
    { .name = "token",
      .in = IN_BODY,
      .type = T_TEXT,
      .min = 1,
      .max = 200,
      .required = true,
      .doc = "The code of the message, also what stands behind the # of its link" },
    { 0 },
};

static const struct param email_vars[] = {
    ONE_TIME_VARS,
    { .name = "email", .type = T_TEXT },
    { .name = "guarded", .type = T_TEXT },
    { .name = "account", .type = T_UUID },
    { 0 },
};

/* The account, and the locale of the practice it is logged in to. */
static const struct stmt email_find = {
    "find",
    "SELECT a.id, a.email, a.email_verified_at IS NOT NULL AS verified,"
    " (SELECT t.locale FROM public.tenant t WHERE t.id = :tenant_id) AS locale"
    " FROM public.account a WHERE a.id = :me_account FOR UPDATE OF a",
};

static const struct stmt email_taken = {
    "taken",
    "SELECT a.id FROM public.account a WHERE a.email = :new_email",
};

/* A link to an address that is the account's no longer proves nothing. */
static const struct stmt email_token = {
    "token",
    "SELECT a.id, a.email, t.kind, t.bound_email, (SELECT p.locale FROM public.membership m"
    " JOIN public.tenant p ON p.id = m.tenant_id WHERE m.account_id = a.id"
    " AND m.revoked_at IS NULL ORDER BY m.tenant_id LIMIT 1) AS locale"
    " FROM public.one_time_token t JOIN public.account a ON a.id = t.account_id"
    " WHERE t.secret_hash = :secret_hash::bytea AND " ONE_TIME_ALIVE
    " AND (t.kind = 'change' OR (t.kind = 'verify' AND a.email = t.bound_email)) FOR UPDATE OF a",
};

static const struct stmt email_set = {
    "set",
    "UPDATE public.account SET email = :recipient, email_verified_at = now() WHERE id = :owner",
};

static const struct stmt *const email_verification_stmts[] = { &email_find, ONE_TIME_SEND_STMTS,
                                                               NULL };
static const struct stmt *const email_change_stmts[] = { &email_find, &email_taken, PROOF_STMTS,
                                                         ONE_TIME_SEND_STMTS, NULL };
static const struct stmt *const email_verify_stmts[] = {
    &email_token, &email_set, &one_time_mail, ONE_TIME_USE_STMTS, NULL,
};

/* The account of the session. */
static enum err find_me(struct call *c, PGresult **rows)
{
    TRY(call_query(c, &email_find, rows));
    if (PQntuples(*rows) == 0) {
        return call_refuse(c, E_UNAUTHENTICATED, NULL, NULL);
    }
    return OK;
}

static enum err ask_verification(struct call *c)
{
    PGresult *rows;
    bool enough;
    TRY(find_me(c, &rows));
    if (call_cell(rows, 0, "verified")[0] == 't') {
        return call_refuse(c, E_STATE_CONFLICT, "El correo ya está confirmado",
                           "The address is confirmed already");
    }
    TRY(one_time_limit(c, call_cell(rows, 0, "email"), &enough));
    const struct one_time link = {
        .kind = "verify",
        .topic = MAIL_VERIFY,
        .account = call_cell(rows, 0, "id"),
        .recipient = call_cell(rows, 0, "email"),
        .locale = call_cell(rows, 0, "locale"),
        .wanted = true,
        .ttl_s = EMAIL_TTL_S,
    };
    if (!enough) {
        TRY(one_time_send(c, &link));
    }
    return one_time_accepted(c);
}

/* An address that is another account's gets no mail, and the answer does not say so. */
static enum err ask_change(struct call *c)
{
    PGresult *rows, *taken;
    bool enough;
    const char *next = call_get(c, "new_email")->text;
    TRY(proof_check(c, PROOF_PASSWORD));
    TRY(find_me(c, &rows));
    if (strcmp(call_cell(rows, 0, "email"), next) == 0) {
        return call_refuse_field(c, "/new_email", "unchanged", "Es el mismo que antes",
                                 "It is the same as before");
    }
    TRY(one_time_limit(c, next, &enough));
    TRY(call_query(c, &email_taken, &taken));
    const struct one_time link = {
        .kind = "change",
        .topic = MAIL_CHANGE,
        .account = call_cell(rows, 0, "id"),
        .recipient = next,
        .locale = call_cell(rows, 0, "locale"),
        .wanted = PQntuples(taken) == 0,
        .ttl_s = EMAIL_TTL_S,
    };
    if (!enough) {
        TRY(one_time_send(c, &link));
    }
    return one_time_accepted(c);
}

static enum err verify(struct call *c)
{
    PGresult *rows;
    TRY(one_time_read(c));
    TRY(call_query(c, &email_token, &rows));
    if (PQntuples(rows) == 0) {
        return one_time_over(c);
    }
    const char *before = call_cell(rows, 0, "email"), *now = call_cell(rows, 0, "bound_email");
    call_set(c, "owner", call_cell(rows, 0, "id"));
    call_set(c, "recipient", now);
    TRY(one_time_use(c));
    TRY(call_post(c, &email_set));
    if (strcmp(before, now) != 0) {
        TRY(call_post(c, &one_time_dead_all));
        TRY(one_time_tell(c, MAIL_CHANGED, before, call_cell(rows, 0, "locale"), now));
    }
    return call_answer_none(c);
}

const struct route email_routes[] = {
    {
        .method = M_POST,
        .path = "/api/v1/auth/email/verification",
        .summary = "Ask for a link that proves this account's address",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .vars = email_vars,
        .columns = one_time_accepted_columns,
        .stmts = email_verification_stmts,
        .handler = ask_verification,
        .shape = SHAPE_RAW,
        .success = 202,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/email",
        .summary = "Change this account's address: a link goes to the new one, which counts once "
                   "it is opened",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = email_change_params,
        .vars = email_vars,
        .columns = one_time_accepted_columns,
        .stmts = email_change_stmts,
        .handler = ask_change,
        .shape = SHAPE_RAW,
        .success = 202,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/email/verify",
        .summary = "Prove an address with the code of the link; a new one replaces the account's",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = email_verify_params,
        .vars = email_vars,
        .stmts = email_verify_stmts,
        .handler = verify,
        .shape = SHAPE_NONE,
        .success = 204,
    },
    { 0 },
};
