/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Who offers a service, and how long it takes them. A service that names nobody is offered by whoever takes appointments. */
#include "worker/call.h"

static const struct column service_staff_columns[] = {
    { "staff.id", T_UUID, NULL },
    { "staff.name", T_TEXT, NULL },
    { "duration_min", T_INT, "Minutes it takes them" },
    { "own_duration", T_BOOL, "Whether that is theirs; false: the service's" },
    { 0 },
};

static const struct param service_staff_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct param service_staff_set_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "staff",
      .in = IN_BODY,
      .type = T_IDS,
      .min = 1,
      .max = 1440,
      .required = true,
      .doc = "All who offer it, at most 200: ID, or ID:45 when it takes them 45 minutes. Empty: "
             "whoever takes appointments" },
    { 0 },
};

static const struct stmt service_known = {
    "known",
    "SELECT id FROM service WHERE id = :id",
};

/* Locks the service: two who set its staff at once do it one after the other. */
static const struct stmt service_take = {
    "take",
    "SELECT id FROM service WHERE id = :id FOR NO KEY UPDATE",
};

#define GIVEN                                                                                \
    "(SELECT split_part(x.text, ':', 1)::uuid AS id, nullif(split_part(x.text, ':', 2), '')" \
    "::int AS minutes FROM unnest(:staff::text[]) x(text)) g"

static const struct stmt service_staff_strangers = {
    "strangers",
    "SELECT 1 FROM " GIVEN " WHERE NOT EXISTS (SELECT FROM staff t WHERE t.id = g.id"
    " AND t.archived_at IS NULL) LIMIT 1",
};

static const struct stmt service_staff_clear = {
    "clear",
    "DELETE FROM service_staff WHERE service_id = :id",
};

static const struct stmt service_staff_fill = {
    "fill",
    "INSERT INTO service_staff(service_id, staff_id, duration_min) SELECT :id, g.id, g.minutes"
    " FROM " GIVEN,
};

static const struct stmt service_staff_read = {
    "read",
    "SELECT t.id, t.name, coalesce(o.duration_min, s.duration_min) AS duration_min,"
    " o.duration_min IS NOT NULL AS own_duration FROM service_staff o"
    " JOIN staff t ON t.id = o.staff_id JOIN service s ON s.id = o.service_id"
    " WHERE o.service_id = :id ORDER BY ext.fold(t.name), t.id",
};

static const struct stmt *const service_staff_list_stmts[] = { &service_known, &service_staff_read,
                                                               NULL };
static const struct stmt *const service_staff_set_stmts[] = {
    &service_take,       &service_staff_strangers, &service_staff_clear,
    &service_staff_fill, &service_staff_read,      NULL,
};

static enum err answer(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &service_staff_read, &rows));
    return call_answer(c, rows);
}

/* A list without rows would not say that there is no such service. */
static enum err list(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &service_known, &rows));
    return PQntuples(rows) ? answer(c) : call_refuse(c, E_NOT_FOUND, NULL, NULL);
}

static enum err set(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &service_take, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    TRY(call_query(c, &service_staff_strangers, &rows));
    if (PQntuples(rows) > 0) {
        return call_refuse_field(c, "/staff", "not_found",
                                 "Alguna persona no existe o está archivada",
                                 "Somebody of these does not exist, or is archived");
    }
    TRY(call_post(c, &service_staff_clear));
    TRY(call_post(c, &service_staff_fill));
    return answer(c);
}

const struct route service_staff_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/services/{id}/staff",
        .summary = "List who offers a service; nobody: whoever takes appointments",
        .need = PERM_SERVICE_READ,
        .cost = COST_FAST,
        .params = service_staff_one_params,
        .columns = service_staff_columns,
        .stmts = service_staff_list_stmts,
        .handler = list,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_PUT,
        .path = "/api/v1/services/{id}/staff",
        .summary = "Set who offers a service, all of them",
        .need = PERM_SERVICE_WRITE,
        .cost = COST_FAST,
        .params = service_staff_set_params,
        .columns = service_staff_columns,
        .stmts = service_staff_set_stmts,
        .handler = set,
        .shape = SHAPE_PAGE,
        .success = 200,
        .any_version = true,
    },
    { 0 },
};
