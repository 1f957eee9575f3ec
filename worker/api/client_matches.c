/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Who may be the same person as a client: whoever has the same e-mail or phone. A family shares both, so this only suggests; nothing is changed by it. */
#include "worker/call.h"

static const struct column client_match_columns[] = {
    { "id", T_UUID, NULL },
    { "name", T_TEXT, NULL },
    { "email", T_TEXT, NULL },
    { "phone", T_TEXT, "E.164" },
    { "birth_date", T_DATE, NULL },
    { "source", T_TEXT, NULL },
    { "by.email", T_BOOL, "Whether the e-mail is the same" },
    { "by.phone", T_BOOL, NULL },
    { "created_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param client_match_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct stmt client_match_known = {
    "known",
    "SELECT 1 FROM client c WHERE c.id = :id AND :scope(client c)",
};

/* The oldest first: they are who the practice knows. */
static const struct stmt client_match_find = {
    "find",
    "SELECT m.id, m.name, m.email, m.phone, m.birth_date, m.source,"
    " coalesce(m.email = c.email, false) AS by_email,"
    " coalesce(m.phone = c.phone, false) AS by_phone, m.created_at"
    " FROM client c JOIN client m ON m.email = c.email OR m.phone = c.phone WHERE c.id = :id"
    " AND :scope(client c) AND m.id <> c.id AND m.archived_at IS NULL AND :scope(client m)"
    " ORDER BY m.created_at, m.id LIMIT 200",
};

static const struct stmt *const client_match_stmts[] = { &client_match_known, &client_match_find,
                                                         NULL };

/* A list without rows would not say that there is no such client. */
static enum err list(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &client_match_known, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    TRY(call_query(c, &client_match_find, &rows));
    return call_answer(c, rows);
}

const struct route client_match_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/clients/{id}/matches",
        .summary = "List clients with the same e-mail or phone, who may be the same person",
        .need = PERM_CLIENT_READ,
        .cost = COST_FAST,
        .params = client_match_params,
        .columns = client_match_columns,
        .stmts = client_match_stmts,
        .handler = list,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    { 0 },
};
