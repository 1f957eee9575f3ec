/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The people a practice serves. All of it is rows: no handler. */
#include "worker/route.h"

#define CLIENT_OUT                                                                        \
    "id, name, given_name, family_name, email, phone, birth_date, locale, notes, visits," \
    " last_visit_at, no_shows, last_no_show_at, source, archived_at, version,"            \
    " created_at, updated_at"

static const struct column client_columns[] = {
    { "id", T_UUID, NULL },
    { "name", T_TEXT, "Given and family name" },
    { "given_name", T_TEXT, NULL },
    { "family_name", T_TEXT, NULL },
    { "email", T_TEXT, NULL },
    { "phone", T_TEXT, "E.164" },
    { "birth_date", T_DATE, NULL },
    { "locale", T_TEXT, "BCP 47" },
    { "notes", T_TEXT, NULL },
    { "visits", T_INT, "That are completed" },
    { "last_visit_at", T_INSTANT, "When the latest of them began" },
    { "no_shows", T_INT, "Visits that the client missed" },
    { "last_no_show_at", T_INSTANT, "When the latest of them would have begun" },
    { "source", T_TEXT, "staff, or public: who booked without an account" },
    { "archived_at", T_INSTANT, NULL },
    { "version", T_INT, NULL },
    { "created_at", T_INSTANT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param client_list_params[] = {
    { .name = "q",
      .in = IN_QUERY,
      .type = T_TEXT,
      .max = 80,
      .doc = "Words of the name, e-mail or phone, all of which must match; accents do not count" },
    { .name = "archived",
      .in = IN_QUERY,
      .type = T_BOOL,
      .fallback = "false",
      .doc = "Archived ones too" },
    { 0 },
};

static const struct sort client_sorts[] = {
    { "name", "sort_name", "text", false },
    { "-name", "sort_name", "text", true },
    { "created_at", "created_at", "timestamptz", false },
    { "-created_at", "created_at", "timestamptz", true },
    { 0 },
};

static const struct param client_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

#define CLIENT_DETAILS                                                                \
    { .name = "email", .in = IN_BODY, .type = T_EMAIL, .nullable = true },            \
        { .name = "phone", .in = IN_BODY, .type = T_PHONE, .nullable = true },        \
        { .name = "birth_date", .in = IN_BODY, .type = T_DATE, .nullable = true },    \
        { .name = "locale", .in = IN_BODY, .type = T_LOCALE, .nullable = true },      \
    {                                                                                 \
        .name = "notes", .in = IN_BODY, .type = T_TEXT, .max = 4000, .nullable = true \
    }

static const struct param client_create_params[] = {
    { .name = "given_name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 100, .required = true },
    { .name = "family_name", .in = IN_BODY, .type = T_TEXT, .min = 0, .max = 100, .fallback = "" },
    CLIENT_DETAILS,
    { 0 },
};

static const struct param client_change_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "given_name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 100 },
    { .name = "family_name", .in = IN_BODY, .type = T_TEXT, .min = 0, .max = 100 },
    CLIENT_DETAILS,
    { .name = "archived",
      .in = IN_BODY,
      .type = T_BOOL,
      .doc = "false brings an archived client back" },
    { 0 },
};

/* The longest word's pattern walks the trigram index, the others filter what it finds. */
static const char client_list_sql[] =
    "SELECT " CLIENT_OUT ", sort_name FROM client WHERE :scope(client client)"
    " AND (archived_at IS NULL OR :archived)"
    " AND (:q::text IS NULL OR (search LIKE (ext.search_patterns(:q))[1]"
    " AND search LIKE ALL (ext.search_patterns(:q))))";

static const char client_create_sql[] =
    "INSERT INTO client(id, given_name, family_name, email, phone, birth_date, locale, notes,"
    " created_by) VALUES (:new_id, :given_name, :family_name, :email, :phone, :birth_date, :locale,"
    " :notes, :me_member)"
    " RETURNING " CLIENT_OUT;

/* clang-format off */
static const char client_change_sql[] =
    "UPDATE client SET "
    PATCH_COLUMN("given_name") ", "
    PATCH_COLUMN("family_name") ", "
    PATCH_COLUMN("email") ", "
    PATCH_COLUMN("phone") ", "
    PATCH_COLUMN("birth_date") ", "
    PATCH_COLUMN("locale") ", "
    PATCH_COLUMN("notes") ", "
    PATCH_ARCHIVED ", version = version + 1, updated_at = now()"
    " WHERE id = :id AND version = :if_version AND :scope(client client) RETURNING " CLIENT_OUT;
/* clang-format on */

static const char client_probe_sql[] =
    "SELECT 1 FROM client WHERE id = :id AND :scope(client client)";

const struct route client_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/clients",
        .summary = "List clients",
        .need = PERM_CLIENT_READ,
        .cost = COST_FAST,
        .params = client_list_params,
        .columns = client_columns,
        .sorts = client_sorts,
        .sql = client_list_sql,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/clients",
        .summary = "Create a client",
        .need = PERM_CLIENT_WRITE,
        .unowned = true,
        .cost = COST_FAST,
        .params = client_create_params,
        .columns = client_columns,
        .sql = client_create_sql,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
        .location = "/api/v1/clients/{id}",
    },
    {
        .method = M_GET,
        .path = "/api/v1/clients/{id}",
        .summary = "Read a client",
        .need = PERM_CLIENT_READ,
        .cost = COST_FAST,
        .params = client_one_params,
        .columns = client_columns,
        .sql = "SELECT " CLIENT_OUT " FROM client WHERE id = :id AND :scope(client client)",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/clients/{id}",
        .summary = "Change a client, or bring an archived one back",
        .need = PERM_CLIENT_WRITE,
        .cost = COST_FAST,
        .params = client_change_params,
        .columns = client_columns,
        .sql = client_change_sql,
        .probe = client_probe_sql,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/clients/{id}",
        .summary = "Archive a client",
        .need = PERM_CLIENT_WRITE,
        .cost = COST_FAST,
        .params = client_one_params,
        .sql = "UPDATE client SET " ARCHIVE_COLUMNS
               " WHERE id = :id AND version = :if_version AND :scope(client client) RETURNING id",
        .probe = client_probe_sql,
        .shape = SHAPE_NONE,
        .success = 204,
        .if_match = true,
    },
    { 0 },
};
