/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Who works in a practice. Every staff member is a resource whose time appointments take. Handlers exist because a
 * practice never loses its last owner. */
#include "worker/api/current.h"
#include "worker/api/role_grant.h"
#include "worker/perms.h"

#define STAFF_OUT                                                                             \
    "id, name, role, team, email, phone, title, license_no, color, bookable,"                 \
    " account_id IS NOT NULL AS has_account, suspended_at, archived_at, version, created_at," \
    " updated_at"

static const struct column staff_columns[] = {
    { "id", T_UUID, NULL },
    { "name", T_TEXT, NULL },
    { "role", T_TEXT, "Code of the role: GET /api/v1/roles" },
    { "team", T_TEXT, "Whom permissions with the reach team are about" },
    { "email", T_TEXT, NULL },
    { "phone", T_TEXT, "E.164" },
    { "title", T_TEXT, NULL },
    { "license_no", T_TEXT, "Professional licence" },
    { "color", T_TEXT, "#rrggbb" },
    { "bookable", T_BOOL, "Takes appointments" },
    { "has_account", T_BOOL, "Can log in" },
    { "suspended_at", T_INSTANT, "Cannot log in since then" },
    { "archived_at", T_INSTANT, NULL },
    { "version", T_INT, NULL },
    { "created_at", T_INSTANT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param staff_list_params[] = {
    { .name = "q",
      .in = IN_QUERY,
      .type = T_TEXT,
      .max = 80,
      .doc = "Words of the name, e-mail or title, all of which must match; accents do not count" },
    { .name = "archived",
      .in = IN_QUERY,
      .type = T_BOOL,
      .fallback = "false",
      .doc = "Archived ones too" },
    { 0 },
};

static const struct sort staff_sorts[] = {
    { "name", "sort_name", "text", false },
    { "-name", "sort_name", "text", true },
    { "created_at", "created_at", "timestamptz", false },
    { "-created_at", "created_at", "timestamptz", true },
    { 0 },
};

static const struct param staff_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct param staff_create_params[] = {
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 120, .required = true },
    { ROLE_PARAM, .fallback = "professional", .doc = "Code of a role: GET /api/v1/roles" },
    { .name = "team", .in = IN_BODY, .type = T_TEXT, .max = 60, .nullable = true },
    { .name = "email", .in = IN_BODY, .type = T_EMAIL, .nullable = true },
    { .name = "phone", .in = IN_BODY, .type = T_PHONE, .nullable = true },
    { .name = "title", .in = IN_BODY, .type = T_TEXT, .max = 80, .nullable = true },
    { .name = "license_no", .in = IN_BODY, .type = T_TEXT, .max = 60, .nullable = true },
    { .name = "color", .in = IN_BODY, .type = T_COLOR, .nullable = true },
    { .name = "bookable", .in = IN_BODY, .type = T_BOOL, .fallback = "true" },
    { 0 },
};

static const struct param staff_change_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 120 },
    { ROLE_PARAM, .doc = "Code of a role; a change ends the member's sessions" },
    { .name = "team", .in = IN_BODY, .type = T_TEXT, .max = 60, .nullable = true },
    { .name = "email", .in = IN_BODY, .type = T_EMAIL, .nullable = true },
    { .name = "phone", .in = IN_BODY, .type = T_PHONE, .nullable = true },
    { .name = "title", .in = IN_BODY, .type = T_TEXT, .max = 80, .nullable = true },
    { .name = "license_no", .in = IN_BODY, .type = T_TEXT, .max = 60, .nullable = true },
    { .name = "color", .in = IN_BODY, .type = T_COLOR, .nullable = true },
    { .name = "bookable", .in = IN_BODY, .type = T_BOOL },
    { .name = "suspended",
      .in = IN_BODY,
      .type = T_BOOL,
      .doc = "true ends the member's sessions and lets nobody log in, false lets them in again" },
    { .name = "archived",
      .in = IN_BODY,
      .type = T_BOOL,
      .doc = "true archives and ends the member's sessions, false brings back" },
    { 0 },
};

static const char staff_list_sql[] =
    "SELECT " STAFF_OUT ", ext.fold(name) AS sort_name FROM staff"
    " WHERE (archived_at IS NULL OR :archived)"
    " AND (:q::text IS NULL OR ext.fold(name || ' ' || coalesce(email, '') || ' '"
    " || coalesce(title, '')) LIKE ALL (ext.word_patterns(:q)))";

static const struct param staff_vars[] = { ROLE_GRANT_VARS, { 0 } };

static const struct stmt staff_create_stmt = {
    "create",
    "WITH new AS (INSERT INTO resource(id, kind) VALUES (:new_id, 'staff') RETURNING id)"
    " INSERT INTO staff(id, name, role, team, email, phone, title, license_no, color, bookable)"
    " SELECT id, :name, :role, :team, :email, :phone, :title, :license_no, :color, :bookable"
    " FROM new RETURNING " STAFF_OUT,
};

static const struct stmt staff_find = {
    "find",
    "SELECT version = :if_version AS fresh, role FROM staff WHERE id = :id FOR UPDATE",
};

/* Locks every owner who can log in: two who demote each other wait here, and the second sees what the first did. */
static const struct stmt staff_owners = {
    "owners",
    "SELECT id, id = :id AS same FROM staff WHERE role = 'owner' AND archived_at IS NULL"
    " AND suspended_at IS NULL AND account_id IS NOT NULL ORDER BY id FOR UPDATE",
};

/* Memberships and sessions follow role, suspension and archiving in the same transaction. */
/* clang-format off */
static const struct stmt staff_update = {
    "update",
    "UPDATE staff SET "
    PATCH_COLUMN("name") ", "
    PATCH_COLUMN("role") ", "
    PATCH_COLUMN("team") ", "
    PATCH_COLUMN("email") ", "
    PATCH_COLUMN("phone") ", "
    PATCH_COLUMN("title") ", "
    PATCH_COLUMN("license_no") ", "
    PATCH_COLUMN("color") ", "
    PATCH_COLUMN("bookable") ", "
    "suspended_at = CASE WHEN NOT :suspended? THEN suspended_at"
    " WHEN :suspended THEN coalesce(suspended_at, now()) END, "
    PATCH_ARCHIVED ", version = version + 1, updated_at = now()"
    " WHERE id = :id"
    " RETURNING " STAFF_OUT ", ext.member_changed(id, role,"
    " archived_at IS NULL AND suspended_at IS NULL)",
};
/* clang-format on */

static const struct stmt staff_archive = {
    "archive",
    "UPDATE staff SET " ARCHIVE_COLUMNS
    " WHERE id = :id RETURNING ext.member_changed(id, role, false)",
};

static const struct stmt *const staff_create_stmts[] = { ROLE_GRANT_STMTS, &staff_create_stmt,
                                                         NULL };
static const struct stmt *const staff_change_stmts[] = { ROLE_GRANT_STMTS, &staff_owners,
                                                         &staff_find, &staff_update, NULL };
static const struct stmt *const staff_archive_stmts[] = { ROLE_GRANT_STMTS, &staff_owners,
                                                          &staff_find, &staff_archive, NULL };

static enum err staff_create(struct call *c)
{
    PGresult *rows;
    TRY(role_grant_give(c, call_get(c, "role")->text));
    TRY(call_query(c, &staff_create_stmt, &rows));
    return call_answer(c, rows);
}

/* Refuses when :id is the only owner left. */
static enum err staff_another_owner(struct call *c)
{
    PGresult *owners;
    TRY(call_query(c, &staff_owners, &owners));
    if (PQntuples(owners) == 1 && call_cell(owners, 0, "same")[0] == 't') {
        return call_refuse(c, E_STATE_CONFLICT,
                           "Es la única persona dueña de la práctica: nombre antes a otra",
                           "This is the practice's only owner: name another one first");
    }
    return OK;
}

/* Reads the member, whom the caller may change; owners are locked before, when the change may take one away. */
static enum err staff_take(struct call *c, bool leaves)
{
    PGresult *rows;
    if (leaves) {
        TRY(staff_another_owner(c));
    }
    TRY(current_row(c, &staff_find, &rows));
    return role_grant_touch(c, call_cell(rows, 0, "role"));
}

/* A team is whom others reach: who stops at their own or at a team would reach further by changing it, their own or anybody's. */
static enum err staff_check_team(struct call *c)
{
    return !call_get(c, "team")->present || perms_whole(&c->perms)
               ? OK
               : call_refuse(c, E_FORBIDDEN, "Su rol no alcanza a todos: no puede cambiar equipos",
                             "Your role does not reach everybody: you cannot change teams");
}

static enum err staff_change(struct call *c)
{
    PGresult *rows;
    const struct value *role = call_get(c, "role");
    const struct value *archived = call_get(c, "archived"), *suspended = call_get(c, "suspended");
    bool leaves = (role->present && strcmp(role->text, "owner") != 0) ||
                  (archived->present && archived->number) ||
                  (suspended->present && suspended->number);
    TRY(staff_take(c, leaves));
    TRY(staff_check_team(c));
    if (role->present) {
        TRY(role_grant_give(c, role->text));
    }
    TRY(call_query(c, &staff_update, &rows));
    return call_answer(c, rows);
}

static enum err staff_leave(struct call *c)
{
    TRY(staff_take(c, true));
    TRY(call_post(c, &staff_archive));
    return call_answer_none(c);
}

const struct route staff_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/staff",
        .summary = "List staff",
        .need = PERM_STAFF_READ,
        .cost = COST_FAST,
        .params = staff_list_params,
        .columns = staff_columns,
        .sorts = staff_sorts,
        .sql = staff_list_sql,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/staff",
        .summary = "Add a staff member (without a login yet)",
        .need = PERM_STAFF_WRITE,
        .cost = COST_FAST,
        .params = staff_create_params,
        .vars = staff_vars,
        .columns = staff_columns,
        .stmts = staff_create_stmts,
        .handler = staff_create,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
        .location = "/api/v1/staff/{id}",
    },
    {
        .method = M_GET,
        .path = "/api/v1/staff/{id}",
        .summary = "Read a staff member",
        .need = PERM_STAFF_READ,
        .cost = COST_FAST,
        .params = staff_one_params,
        .columns = staff_columns,
        .sql = "SELECT " STAFF_OUT " FROM staff WHERE id = :id",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/staff/{id}",
        .summary = "Change a staff member, or bring an archived one back",
        .need = PERM_STAFF_WRITE,
        .step_up = true,
        .cost = COST_FAST,
        .params = staff_change_params,
        .vars = staff_vars,
        .columns = staff_columns,
        .stmts = staff_change_stmts,
        .handler = staff_change,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/staff/{id}",
        .summary = "Archive a staff member; their sessions end",
        .need = PERM_STAFF_WRITE,
        .step_up = true,
        .cost = COST_FAST,
        .params = staff_one_params,
        .vars = staff_vars,
        .stmts = staff_archive_stmts,
        .handler = staff_leave,
        .shape = SHAPE_NONE,
        .success = 204,
        .if_match = true,
    },
    { 0 },
};
