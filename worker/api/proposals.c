/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Contact data that clients propose by their links (guest.c): here somebody of the practice decides. Nobody but the practice changes a client. */
#include "worker/call.h"

#define PROPOSAL_OUT                                                                        \
    "p.id, p.client_id, p.link_id, p.given_name, p.family_name, p.email, p.phone, p.state," \
    " p.decided_by, p.decided_at, p.version, p.created_at, p.updated_at"

static const struct column proposal_columns[] = {
    { "id", T_UUID, NULL },
    { "client_id", T_UUID, NULL },
    { "link_id", T_UUID, "By which the client came" },
    { "given_name", T_TEXT, "null: as it is" },
    { "family_name", T_TEXT, NULL },
    { "email", T_TEXT, NULL },
    { "phone", T_TEXT, "E.164" },
    { "state", T_TEXT, "pending, accepted or rejected" },
    { "decided_by", T_UUID, "Staff member" },
    { "decided_at", T_INSTANT, NULL },
    { "version", T_INT, NULL },
    { "created_at", T_INSTANT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param proposal_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct stmt proposal_client = { "client", "SELECT 1 FROM client WHERE id = :id" };

static const struct stmt proposal_list = {
    "list",
    "SELECT " PROPOSAL_OUT " FROM client_proposal p WHERE p.client_id = :id"
    " ORDER BY p.created_at DESC, p.id DESC LIMIT 200",
};

static const struct stmt *const proposal_list_stmts[] = { &proposal_client, &proposal_list, NULL };

#define DECIDED(verdict)                                                           \
    "UPDATE client_proposal p SET state = '" verdict "', decided_by = :me_member," \
    " decided_at = now(), version = p.version + 1, updated_at = now()"             \
    " WHERE p.id = :id AND p.state = 'pending' RETURNING " PROPOSAL_OUT

/* A name that changes is changed where appointments carry it, too: the foreign keys see to that. */
static const char proposal_accept_sql[] = "WITH p AS (" DECIDED(
    "accepted") "),"
                " taken AS (UPDATE client c SET given_name = coalesce(p.given_name, c.given_name),"
                " family_name = coalesce(p.family_name, c.family_name), email = coalesce(p.email, "
                "c.email),"
                " phone = coalesce(p.phone, c.phone), version = c.version + 1, updated_at = now()"
                " FROM p WHERE c.id = p.client_id) SELECT " PROPOSAL_OUT " FROM p";

static const char proposal_probe_sql[] = "SELECT 1 FROM client_proposal WHERE id = :id";

/* A list without rows would not say that there is no such client. */
static enum err list_proposals(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &proposal_client, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    TRY(call_query(c, &proposal_list, &rows));
    return call_answer(c, rows);
}

#define DECIDE_ROUTE(verb, text, decide_sql)                                             \
    {                                                                                    \
        .method = M_POST, .path = "/api/v1/proposals/{id}/" verb, .summary = text,       \
        .need = PERM_CLIENT_WRITE, .cost = COST_FAST, .params = proposal_one_params,     \
        .columns = proposal_columns, .sql = decide_sql, .probe = proposal_probe_sql,     \
        .probe_err = E_STATE_CONFLICT, .shape = SHAPE_ONE, .success = 200, .etag = true, \
    }

const struct route proposal_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/clients/{id}/proposals",
        .summary = "List the contact data that a client proposed, the newest first",
        .need = PERM_CLIENT_READ,
        .cost = COST_FAST,
        .params = proposal_one_params,
        .columns = proposal_columns,
        .stmts = proposal_list_stmts,
        .handler = list_proposals,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    DECIDE_ROUTE("accept", "Take what a client proposed over into the client's data",
                 proposal_accept_sql),
    DECIDE_ROUTE("reject", "Leave the client's data as they are", DECIDED("rejected")),
    { 0 },
};
