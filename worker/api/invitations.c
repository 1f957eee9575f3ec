/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Inviting people to work in the practice. The token goes out by mail and is known to nobody else; accepting is joining.c's. A pending
 * invitation may be sent again, with a new token that replaces the old one, or withdrawn. */
#include "worker/api/one_time.h"
#include "worker/api/role_grant.h"

#define INVITATION_TTL_S (INT64_C(7) * 86400)
#define SENDS_MAX        "10"
#define DAILY_MAX        "100"

#define INVITATION_OUT                                                                          \
    "id, email, name, role, CASE WHEN state = 'pending' AND expires_at <= now() THEN 'expired'" \
    " ELSE state END AS state, expires_at, invited_by, staff_id, accepted_at, version, created_at"

static const struct column invitation_columns[] = {
    { "id", T_UUID, NULL },
    { "email", T_TEXT, NULL },
    { "name", T_TEXT, NULL },
    { "role", T_TEXT, "What the person will be here" },
    { "state", T_TEXT, "pending, expired, accepted or withdrawn" },
    { "expires_at", T_INSTANT, NULL },
    { "invited_by", T_UUID, "Staff member: who sent it last" },
    { "staff_id", T_UUID, "Who accepted" },
    { "accepted_at", T_INSTANT, NULL },
    { "version", T_INT, NULL },
    { "created_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param invitation_list_params[] = {
    { .name = "all",
      .in = IN_QUERY,
      .type = T_BOOL,
      .fallback = "false",
      .doc = "Accepted and withdrawn ones too" },
    { 0 },
};

static const struct sort invitation_sorts[] = {
    { "-created_at", "created_at", "timestamptz", true },
    { "created_at", "created_at", "timestamptz", false },
    { 0 },
};

static const struct param invitation_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct param invitation_create_params[] = {
    { .name = "email", .in = IN_BODY, .type = T_EMAIL, .required = true },
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 120, .required = true },
    { ROLE_PARAM, .fallback = "professional", .doc = "Code of a role: GET /api/v1/roles" },
    { 0 },
};

static const struct param invitation_vars[] = {
    ONE_TIME_VARS,
    ROLE_GRANT_VARS,
    { .name = "invitation", .type = T_UUID },
    { 0 },
};

/* Who was invited before is counted whatever became of it: nobody mails the world from here. */
static const struct stmt invitation_insert = {
    "insert",
    "INSERT INTO invitation(id, email, name, role, expires_at, invited_by)"
    " SELECT :new_id, :email, :name, :role, now() + :ttl_s * interval '1 second', :me_member"
    " WHERE (SELECT count(*) FROM invitation i WHERE i.created_at > now() - interval '1 day')"
    " < " DAILY_MAX " RETURNING " INVITATION_OUT,
};

/* Whoever sends it again vouches for it from then on. */
static const struct stmt invitation_again = {
    "again",
    "UPDATE invitation SET expires_at = now() + :ttl_s * interval '1 second', sends = sends + 1,"
    " invited_by = :me_member, version = version + 1, updated_at = now()"
    " WHERE id = :id AND state = 'pending' AND sends < " SENDS_MAX " RETURNING " INVITATION_OUT,
};

static const struct stmt invitation_find = {
    "find",
    "SELECT state FROM invitation WHERE id = :id",
};

static const struct stmt invitation_withdraw = {
    "withdraw",
    "UPDATE invitation SET state = 'withdrawn', version = version + 1, updated_at = now()"
    " WHERE id = :id AND state = 'pending' RETURNING ext.invitation_withdrawn(email)",
};

static const struct stmt invitation_practice = {
    "practice",
    "SELECT name, locale FROM business",
};

static const struct stmt invitation_token = {
    "token",
    "SELECT ext.invitation_token(:invitation, :recipient, :secret_hash::bytea,"
    " now() + :ttl_s * interval '1 second')",
};

static const struct stmt invitation_mail = {
    "mail",
    "WITH message AS (INSERT INTO outbox(id, topic, recipient, language, sealed, dedupe_key)"
    " VALUES (:message, :topic, :recipient, :language, :sealed::bytea, :message::text)"
    " RETURNING not_before) SELECT ext.work_due('outbox', not_before) FROM message",
};

#define SEND_STMTS &invitation_practice, &invitation_token, &invitation_mail
static const struct stmt *const invitation_create_stmts[] = { ROLE_GRANT_STMTS, &invitation_insert,
                                                              SEND_STMTS, NULL };
static const struct stmt *const invitation_again_stmts[] = { ROLE_GRANT_STMTS, &invitation_again,
                                                             &invitation_find, SEND_STMTS, NULL };
static const struct stmt *const invitation_withdraw_stmts[] = { &invitation_withdraw,
                                                                &invitation_find, NULL };

/* The link to who was invited, in the practice's language. */
static enum err send(struct call *c, const PGresult *invitation)
{
    PGresult *rows;
    TRY(call_query(c, &invitation_practice, &rows));
    call_set(c, "invitation", call_cell(invitation, 0, "id"));
    call_set(c, "recipient", call_cell(invitation, 0, "email"));
    TRY(one_time_link(c, MAIL_INVITATION, call_cell(rows, 0, "locale"),
                      call_cell(rows, 0, "name")));
    TRY(call_post(c, &invitation_token));
    return call_post(c, &invitation_mail);
}

static enum err too_many(struct call *c)
{
    c->problem.retry_after_s = 3600;
    return call_refuse(c, E_RATE_LIMITED, "Ya se enviaron demasiadas invitaciones",
                       "Too many invitations were sent already");
}

static enum err invite(struct call *c)
{
    PGresult *rows;
    call_set_int(c, "ttl_s", INVITATION_TTL_S);
    TRY(role_grant_give(c, call_get(c, "role")->text));
    TRY(call_query(c, &invitation_insert, &rows));
    if (PQntuples(rows) == 0) {
        return too_many(c);
    }
    TRY(send(c, rows));
    return call_answer(c, rows);
}

/* It was not pending, or not there. */
static enum err not_pending(struct call *c, bool *pending)
{
    PGresult *rows;
    TRY(call_query(c, &invitation_find, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    *pending = strcmp(call_cell(rows, 0, "state"), "pending") == 0;
    return *pending ? OK
                    : call_refuse(c, E_STATE_CONFLICT, "La invitación ya se aceptó o se retiró",
                                  "The invitation was accepted or withdrawn already");
}

static enum err invite_again(struct call *c)
{
    PGresult *rows;
    bool pending;
    call_set_int(c, "ttl_s", INVITATION_TTL_S);
    TRY(call_query(c, &invitation_again, &rows));
    if (PQntuples(rows) == 0) {
        TRY(not_pending(c, &pending));
        return too_many(c);
    }
    TRY(role_grant_give(c, call_cell(rows, 0, "role")));
    TRY(send(c, rows));
    return call_answer(c, rows);
}

static enum err withdraw(struct call *c)
{
    PGresult *rows;
    bool pending;
    TRY(call_query(c, &invitation_withdraw, &rows));
    if (PQntuples(rows) == 0) {
        TRY(not_pending(c, &pending));
        return call_retry(c); /* it was made pending meanwhile */
    }
    return call_answer_none(c);
}

const struct route invitation_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/invitations",
        .summary = "List invitations to work here",
        .need = PERM_STAFF_WRITE,
        .cost = COST_FAST,
        .params = invitation_list_params,
        .columns = invitation_columns,
        .sorts = invitation_sorts,
        .sql = "SELECT " INVITATION_OUT " FROM invitation WHERE state = 'pending' OR :all",
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/invitations",
        .summary = "Invite somebody to work here: a link goes to the address",
        .need = PERM_STAFF_WRITE,
        .step_up = true,
        .cost = COST_FAST,
        .params = invitation_create_params,
        .vars = invitation_vars,
        .columns = invitation_columns,
        .stmts = invitation_create_stmts,
        .handler = invite,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
        .location = "/api/v1/invitations/{id}",
    },
    {
        .method = M_GET,
        .path = "/api/v1/invitations/{id}",
        .summary = "Read an invitation",
        .need = PERM_STAFF_WRITE,
        .cost = COST_FAST,
        .params = invitation_one_params,
        .columns = invitation_columns,
        .sql = "SELECT " INVITATION_OUT " FROM invitation WHERE id = :id",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_POST,
        .path = "/api/v1/invitations/{id}/resend",
        .summary = "Send a pending invitation again: its new link replaces the old one",
        .need = PERM_STAFF_WRITE,
        .cost = COST_FAST,
        .params = invitation_one_params,
        .vars = invitation_vars,
        .columns = invitation_columns,
        .stmts = invitation_again_stmts,
        .handler = invite_again,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/invitations/{id}",
        .summary = "Withdraw a pending invitation: its link stops working",
        .need = PERM_STAFF_WRITE,
        .cost = COST_FAST,
        .any_version = true,
        .params = invitation_one_params,
        .stmts = invitation_withdraw_stmts,
        .handler = withdraw,
        .shape = SHAPE_NONE,
        .success = 204,
    },
    { 0 },
};
