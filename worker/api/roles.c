/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The roles of a practice: those that come ready, and its own, which are lists of permissions. Whoever makes one gives no more than they have.
 * A change is told through the directory, so that the next request of everybody who has the role is judged by it. */
#include "worker/api/current.h"
#include "worker/perms.h"

#define ROLES_MAX "50"

#define ROLE_OUT \
    "r.code, r.name, r.permissions, false AS ready, r.version, r.created_at, r.updated_at"

static const struct column role_columns[] = {
    { "code", T_TEXT, "What members and invitations name" },
    { "name", T_TEXT, NULL },
    { "permissions", T_TEXT,
      "Words: a permission, and behind a colon its reach (own, team) unless that is all" },
    { "ready", T_BOOL, "Came with the system; cannot be changed" },
    { "version", T_INT, NULL },
    { "created_at", T_INSTANT, "null for roles that came ready" },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param role_one_params[] = {
    { .name = "code", .in = IN_PATH, .type = T_TEXT, .max = 32 },
    { 0 },
};

#define ROLE_BODY(must)                                                                           \
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 60, .required = must },     \
    {                                                                                             \
        .name = "permissions", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = PERMS_TEXT_MAX,    \
        .required = must,                                                                         \
        .doc = "Words as in \"client.read:own appointment.read\"; at most what the caller may do" \
    }

static const struct param role_create_params[] = { ROLE_BODY(true), { 0 } };
static const struct param role_change_params[] = {
    { .name = "code", .in = IN_PATH, .type = T_TEXT, .max = 32 },
    ROLE_BODY(false),
    { 0 },
};

static const struct param role_vars[] = {
    { .name = "ready", .type = T_TEXT },
    { .name = "words", .type = T_TEXT },
    { 0 },
};

static const struct stmt role_list = {
    "list",
    "SELECT z.code, z.name, z.permissions, true AS ready, 1 AS version, NULL::timestamptz AS"
    " created_at, NULL::timestamptz AS updated_at FROM jsonb_to_recordset(:ready::jsonb)"
    " z(code text, name text, permissions text)"
    " UNION ALL (SELECT " ROLE_OUT " FROM role r WHERE r.kind = 'custom' ORDER BY r.name, r.code)",
};

static const struct stmt role_insert = {
    "insert",
    "INSERT INTO role AS r(code, name, permissions)"
    " SELECT replace(:new_id::text, '-', ''), :name, :words"
    " WHERE (SELECT count(*) FROM role o WHERE o.kind = 'custom') < " ROLES_MAX
    " RETURNING " ROLE_OUT,
};

static const struct stmt role_find = {
    "find",
    "SELECT r.version = :if_version AS fresh, r.permissions FROM role r"
    " WHERE r.code = :code AND r.kind = 'custom' FOR UPDATE",
};

static const struct stmt role_update = {
    "update",
    "UPDATE role r SET " PATCH_COLUMN("name") ", permissions = coalesce(:words, permissions),"
                                              " version = version + 1, updated_at = now() WHERE "
                                              "r.code = :code RETURNING " ROLE_OUT,
};

static const struct stmt role_users = {
    "users",
    "SELECT EXISTS (SELECT FROM staff WHERE role = :code) OR EXISTS (SELECT FROM invitation"
    " WHERE role = :code AND state = 'pending') AS used",
};

static const struct stmt role_delete = { "delete", "DELETE FROM role WHERE code = :code" };

static const struct stmt role_tell = { "tell", "SELECT ext.roles_changed()" };

static const struct stmt *const role_list_stmts[] = { &role_list, NULL };
static const struct stmt *const role_create_stmts[] = { &role_insert, NULL };
static const struct stmt *const role_change_stmts[] = { &role_find, &role_update, &role_tell,
                                                        NULL };
static const struct stmt *const role_delete_stmts[] = { &role_find, &role_users, &role_delete,
                                                        &role_tell, NULL };

/* ---- reading ---- */

/* Sets :ready to the roles that come ready, as JSON. */
static enum err set_ready(struct call *c)
{
    struct sbuf b, words;
    sbuf_init(&b);
    sbuf_init(&words);
    for (size_t i = 0; perms_ready_code(i); i++) {
        sbuf_reset(&words, SIZE_MAX);
        perms_write(perms_ready(perms_ready_code(i)), &words);
        sbuf_text(&b, i ? ",{\"code\":" : "[{\"code\":");
        sbuf_json(&b, slice_of(perms_ready_code(i)));
        sbuf_text(&b, ",\"name\":");
        sbuf_json(&b, slice_of(perms_ready_name(i, c->req->lang)));
        sbuf_text(&b, ",\"permissions\":");
        sbuf_json(&b, sbuf_slice(&words));
        sbuf_char(&b, '}');
    }
    sbuf_char(&b, ']');
    bool failed = sbuf_failed(&b) || sbuf_failed(&words);
    const char *text = failed ? NULL : arena_text(c->arena, sbuf_slice(&b));
    sbuf_fini(&b);
    sbuf_fini(&words);
    call_set(c, "ready", text);
    return text ? OK : E_NOMEM;
}

static enum err list(struct call *c)
{
    PGresult *rows;
    TRY(set_ready(c));
    TRY(call_query(c, &role_list, &rows));
    return call_answer(c, rows);
}

/* ---- changing ---- */

static enum err refuse_word(struct call *c, struct slice bad)
{
    struct sbuf es, en;
    sbuf_init(&es);
    sbuf_init(&en);
    sbuf_fmt(&es, "No es un permiso, o está repetido o no alcanza así: %.*s", (int)bad.n, bad.p);
    sbuf_fmt(&en, "No permission, there twice, or not with that reach: %.*s", (int)bad.n, bad.p);
    enum err e = call_refuse_field(c, "/permissions", "not_a_permission",
                                   arena_text(c->arena, sbuf_slice(&es)),
                                   arena_text(c->arena, sbuf_slice(&en)));
    sbuf_fini(&es);
    sbuf_fini(&en);
    return e;
}

static enum err refuse_more(struct call *c)
{
    return call_refuse(c, E_FORBIDDEN, "No puede dar ni quitar permisos que usted no tiene",
                       "You cannot give or take permissions that you do not have");
}

/* Sets :words from the request's permissions, in the order that all are written in. */
static enum err take_words(struct call *c)
{
    struct perm_set set;
    struct slice bad;
    struct sbuf words;
    if (perms_parse(slice_of(call_get(c, "permissions")->text), &set, &bad) != OK) {
        return refuse_word(c, bad);
    }
    if (!perms_cover(&c->perms, &set)) {
        return refuse_more(c);
    }
    sbuf_init(&words);
    perms_write(&set, &words);
    call_set(c, "words", sbuf_failed(&words) ? NULL : arena_text(c->arena, sbuf_slice(&words)));
    enum err e = sbuf_failed(&words) ? E_NOMEM : OK;
    sbuf_fini(&words);
    return e;
}

static enum err create(struct call *c)
{
    PGresult *rows;
    TRY(take_words(c));
    TRY(call_query(c, &role_insert, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_STATE_CONFLICT, "Ya hay " ROLES_MAX " roles propios",
                           "There are " ROLES_MAX " roles of your own already");
    }
    return call_answer(c, rows);
}

/* Locks the role, which may be changed by whoever has at least its permissions. */
static enum err take_role(struct call *c)
{
    PGresult *rows;
    struct perm_set set;
    struct slice bad;
    if (perms_ready(call_get(c, "code")->text)) {
        return call_refuse(c, E_STATE_CONFLICT, "Ese rol viene con el sistema y no cambia",
                           "That role comes with the system and does not change");
    }
    TRY(current_row(c, &role_find, &rows));
    TRY(perms_parse(slice_of(call_cell(rows, 0, "permissions")), &set, &bad));
    return perms_cover(&c->perms, &set) ? OK : refuse_more(c);
}

static enum err change(struct call *c)
{
    PGresult *rows;
    TRY(take_role(c));
    if (call_get(c, "permissions")->present) {
        TRY(take_words(c));
    }
    TRY(call_query(c, &role_update, &rows));
    TRY(call_post(c, &role_tell));
    return call_answer(c, rows);
}

static enum err drop(struct call *c)
{
    PGresult *rows;
    TRY(take_role(c));
    TRY(call_query(c, &role_users, &rows));
    if (call_cell(rows, 0, "used")[0] == 't') {
        return call_refuse(c, E_STATE_CONFLICT, "Alguien tiene ese rol o está invitado a tenerlo",
                           "Somebody has that role or is invited to it");
    }
    TRY(call_post(c, &role_delete));
    TRY(call_post(c, &role_tell));
    return call_answer_none(c);
}

const struct route role_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/roles",
        .summary = "List roles: those that come ready, then the practice's own",
        .need = PERM_STAFF_READ,
        .cost = COST_FAST,
        .vars = role_vars,
        .columns = role_columns,
        .stmts = role_list_stmts,
        .handler = list,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/roles",
        .summary = "Make a role",
        .need = PERM_ROLE_WRITE,
        .step_up = true,
        .cost = COST_FAST,
        .params = role_create_params,
        .vars = role_vars,
        .columns = role_columns,
        .stmts = role_create_stmts,
        .handler = create,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
    },
    {
        .method = M_GET,
        .path = "/api/v1/roles/{code}",
        .summary = "Read a role of the practice's own",
        .need = PERM_STAFF_READ,
        .cost = COST_FAST,
        .params = role_one_params,
        .columns = role_columns,
        .sql = "SELECT " ROLE_OUT " FROM role r WHERE r.code = :code AND r.kind = 'custom'",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/roles/{code}",
        .summary = "Change a role: whoever has it is judged by it from the next request on",
        .need = PERM_ROLE_WRITE,
        .step_up = true,
        .cost = COST_FAST,
        .params = role_change_params,
        .vars = role_vars,
        .columns = role_columns,
        .stmts = role_change_stmts,
        .handler = change,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/roles/{code}",
        .summary = "Remove a role that nobody has",
        .need = PERM_ROLE_WRITE,
        .step_up = true,
        .cost = COST_FAST,
        .params = role_one_params,
        .stmts = role_delete_stmts,
        .handler = drop,
        .shape = SHAPE_NONE,
        .success = 204,
        .if_match = true,
    },
    { 0 },
};
