/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Rooms, chairs and devices, and which of them a service needs: of each need one, whichever is free. */
#include "worker/api/current.h"
#include "worker/call.h"

#define ASSETS_MAX 200 /* of a practice, archived ones too */
#define POOL_MAX   64  /* different ones that one service may use: AVAIL_POOL_MAX */
#define TEXT_OF(n) #n
#define TEXT(n)    TEXT_OF(n)

#define ASSET_OUT "id, kind, name, archived_at, version, created_at, updated_at"

static const struct column asset_columns[] = {
    { "id", T_UUID, NULL },
    { "kind", T_TEXT, "room, chair or device" },
    { "name", T_TEXT, NULL },
    { "archived_at", T_INSTANT, NULL },
    { "version", T_INT, NULL },
    { "created_at", T_INSTANT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param asset_list_params[] = {
    { .name = "kind", .in = IN_QUERY, .type = T_CHOICE, .choices = "room chair device" },
    { .name = "archived",
      .in = IN_QUERY,
      .type = T_BOOL,
      .fallback = "false",
      .doc = "Archived ones too" },
    { 0 },
};

static const struct sort asset_sorts[] = {
    { "name", "sort_name", "text", false },
    { 0 },
};

static const struct param asset_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct param asset_create_params[] = {
    { .name = "kind",
      .in = IN_BODY,
      .type = T_CHOICE,
      .choices = "room chair device",
      .required = true },
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 80, .required = true },
    { 0 },
};

static const struct param asset_change_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 80 },
    { .name = "archived",
      .in = IN_BODY,
      .type = T_BOOL,
      .doc = "false brings an archived one back" },
    { 0 },
};

/* clang-format off */

/* Two who make the last one at once do it one after the other. */
static const struct stmt asset_count = {
    "count",
    "SELECT count(*) < " TEXT(ASSETS_MAX) " AS room_left FROM asset"
    " WHERE (SELECT 1 FROM business FOR NO KEY UPDATE) = 1",
};

static const struct stmt asset_insert = {
    "insert",
    "WITH r AS (INSERT INTO resource(id, kind) VALUES (:new_id, :kind) RETURNING id, kind)"
    " INSERT INTO asset(id, kind, name) SELECT r.id, r.kind, :name FROM r RETURNING " ASSET_OUT,
};

static const struct stmt asset_update = {
    "update",
    "UPDATE asset SET " PATCH_COLUMN("name") ", " PATCH_ARCHIVED
    ", version = version + 1, updated_at = now() WHERE id = :id RETURNING " ASSET_OUT,
};
static const struct stmt asset_rename = { "rename", "SELECT ext.asset_renamed(:id, :name)" };
static const struct stmt asset_find = {
    "find",
    "SELECT version = :if_version AS fresh FROM asset WHERE id = :id FOR UPDATE",
};
/* clang-format on */

static const struct stmt *const asset_create_stmts[] = { &asset_count, &asset_insert, NULL };
static const struct stmt *const asset_change_stmts[] = { &asset_find, &asset_update, &asset_rename,
                                                         NULL };

static enum err create(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &asset_count, &rows));
    if (!call_true(rows, 0, "room_left")) {
        return call_refuse(c, E_LIMIT, "A lo más " TEXT(ASSETS_MAX) " salas, sillones y equipos",
                           "At most " TEXT(ASSETS_MAX) " rooms, chairs and devices");
    }
    TRY(call_query(c, &asset_insert, &rows));
    return call_answer(c, rows);
}

static enum err change(struct call *c)
{
    PGresult *rows;
    TRY(current_row(c, &asset_find, &rows));
    TRY(call_query(c, &asset_update, &rows));
    if (call_get(c, "name")->present) {
        TRY(call_post(c, &asset_rename));
    }
    return call_answer(c, rows);
}

/* ---- what a service needs ---- */

static const struct column need_columns[] = {
    { "need", T_INT, "1 to 5" },
    { "any_of", T_JSON, "Assets of which a visit takes one: id, kind, name, archived" },
    { 0 },
};

static const struct param need_list_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct param need_set_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "need", .in = IN_PATH, .type = T_INT, .min = 1, .max = 5 },
    { .name = "any_of",
      .in = IN_BODY,
      .type = T_IDS,
      .required = true,
      .doc = "All that would do, " TEXT(
          POOL_MAX) " for all needs of a service together; empty: it is not needed any more" },
    { 0 },
};

static const struct stmt service_known = {
    "known",
    "SELECT id FROM service WHERE id = :id",
};

/* Locks the service: two who set its needs at once do it one after the other. */
static const struct stmt service_take = {
    "take",
    "SELECT id FROM service WHERE id = :id FOR NO KEY UPDATE",
};

/* clang-format off */
#define GIVEN "(SELECT x.text::uuid AS id FROM unnest(:any_of::text[]) x(text)) g"

static const struct stmt need_check = {
    "check",
    "SELECT NOT EXISTS (SELECT FROM " GIVEN " WHERE NOT EXISTS (SELECT FROM asset f"
    " WHERE f.id = g.id AND f.archived_at IS NULL)) AS known, (SELECT count(*) FROM (SELECT g.id"
    " FROM " GIVEN " UNION SELECT n.asset_id FROM service_need n WHERE n.service_id = :id"
    " AND n.need <> :need) all_of) <= " TEXT(POOL_MAX) " AS few",
};
static const struct stmt need_clear = {
    "clear",
    "DELETE FROM service_need WHERE service_id = :id AND need = :need",
};
static const struct stmt need_fill = {
    "fill",
    "INSERT INTO service_need(service_id, need, asset_id) SELECT :id, :need, g.id FROM " GIVEN,
};
static const struct stmt need_read = {
    "read",
    "SELECT n.need, jsonb_agg(jsonb_build_object('id', f.id, 'kind', f.kind, 'name', f.name,"
    " 'archived', f.archived_at IS NOT NULL) ORDER BY ext.fold(f.name), f.id) AS any_of"
    " FROM service_need n JOIN asset f ON f.id = n.asset_id WHERE n.service_id = :id"
    " GROUP BY n.need ORDER BY n.need",
};
/* clang-format on */

static const struct stmt *const need_list_stmts[] = { &service_known, &need_read, NULL };
static const struct stmt *const need_set_stmts[] = { &service_take, &need_check, &need_clear,
                                                     &need_fill,    &need_read,  NULL };

/* A list without rows would not say that there is no such service. */
static enum err answer_needs(struct call *c, const struct stmt *known)
{
    PGresult *rows;
    TRY(call_query(c, known, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    TRY(call_query(c, &need_read, &rows));
    return call_answer(c, rows);
}

static enum err list_needs(struct call *c)
{
    return answer_needs(c, &service_known);
}

static enum err set_need(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &service_take, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    TRY(call_query(c, &need_check, &rows));
    if (!call_true(rows, 0, "known")) {
        return call_refuse_field(c, "/any_of", "not_found", "Alguno no existe o está archivado",
                                 "One of these does not exist, or is archived");
    }
    if (!call_true(rows, 0, "few")) {
        return call_refuse_field(c, "/any_of", "too_many",
                                 "A lo más " TEXT(POOL_MAX) " distintos por servicio",
                                 "At most " TEXT(POOL_MAX) " different ones of a service");
    }
    TRY(call_post(c, &need_clear));
    TRY(call_post(c, &need_fill));
    return answer_needs(c, &service_take);
}

const struct route asset_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/assets",
        .summary = "List rooms, chairs and devices",
        .need = PERM_SERVICE_READ,
        .cost = COST_FAST,
        .params = asset_list_params,
        .columns = asset_columns,
        .sorts = asset_sorts,
        .sql = "SELECT " ASSET_OUT ", ext.fold(name) AS sort_name FROM asset"
               " WHERE (archived_at IS NULL OR :archived)"
               " AND (:kind::text IS NULL OR kind = :kind)",
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/assets",
        .summary = "Add a room, a chair or a device",
        .need = PERM_SERVICE_WRITE,
        .cost = COST_FAST,
        .params = asset_create_params,
        .columns = asset_columns,
        .stmts = asset_create_stmts,
        .handler = create,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
        .location = "/api/v1/assets/{id}",
    },
    {
        .method = M_GET,
        .path = "/api/v1/assets/{id}",
        .summary = "Read a room, chair or device",
        .need = PERM_SERVICE_READ,
        .cost = COST_FAST,
        .params = asset_one_params,
        .columns = asset_columns,
        .sql = "SELECT " ASSET_OUT " FROM asset WHERE id = :id",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/assets/{id}",
        .summary = "Rename a room, chair or device, or bring an archived one back",
        .need = PERM_SERVICE_WRITE,
        .cost = COST_FAST,
        .params = asset_change_params,
        .columns = asset_columns,
        .stmts = asset_change_stmts,
        .handler = change,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/assets/{id}",
        .summary = "Archive a room, chair or device; visits that have it keep it",
        .need = PERM_SERVICE_WRITE,
        .cost = COST_FAST,
        .params = asset_one_params,
        .sql = "UPDATE asset SET " ARCHIVE_COLUMNS
               " WHERE id = :id AND version = :if_version RETURNING id",
        .probe = "SELECT 1 FROM asset WHERE id = :id",
        .shape = SHAPE_NONE,
        .success = 204,
        .if_match = true,
    },
    {
        .method = M_GET,
        .path = "/api/v1/services/{id}/needs",
        .summary = "List what a service needs besides the person",
        .need = PERM_SERVICE_READ,
        .cost = COST_FAST,
        .params = need_list_params,
        .columns = need_columns,
        .stmts = need_list_stmts,
        .handler = list_needs,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_PUT,
        .path = "/api/v1/services/{id}/needs/{need}",
        .summary = "Set one need of a service: the assets of which a visit takes one",
        .need = PERM_SERVICE_WRITE,
        .cost = COST_FAST,
        .params = need_set_params,
        .columns = need_columns,
        .stmts = need_set_stmts,
        .handler = set_need,
        .shape = SHAPE_PAGE,
        .success = 200,
        .any_version = true,
    },
    { 0 },
};
