/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a practice offers. All of it is rows: no handler. */
#include "worker/route.h"

#define SERVICE_OUT                                                                              \
    "id, name, description, category, color, duration_min, buffer_before_min, buffer_after_min," \
    " price_minor, currency, grid_min, grid_offset_min, seats, visibility, modality,"            \
    " archived_at, version, created_at,"                                                         \
    " updated_at"

static const struct column service_columns[] = {
    { "id", T_UUID, NULL },
    { "name", T_TEXT, NULL },
    { "description", T_TEXT, NULL },
    { "category", T_TEXT, NULL },
    { "color", T_TEXT, "#rrggbb" },
    { "duration_min", T_INT, "Minutes the client is there" },
    { "buffer_before_min", T_INT, "Minutes of the staff's time taken before" },
    { "buffer_after_min", T_INT, "Minutes of the staff's time taken after" },
    { "price_minor", T_INT, "In the currency's minor unit" },
    { "currency", T_TEXT, "ISO 4217" },
    { "grid_min", T_INT, "Minutes from one start to the next; null: 15, for clients 30" },
    { "grid_offset_min", T_INT, "Minutes after midnight of the first" },
    { "seats", T_INT, "How many clients share one visit's time" },
    { "visibility", T_TEXT,
      "Who books it: public (anybody, where the practice allows it), link (whoever knows its id), "
      "staff" },
    { "modality", T_TEXT, "Where it is: in_person, video, phone or at_client" },
    { "archived_at", T_INSTANT, NULL },
    { "version", T_INT, NULL },
    { "created_at", T_INSTANT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param service_list_params[] = {
    { .name = "q",
      .in = IN_QUERY,
      .type = T_TEXT,
      .max = 80,
      .doc = "Words of the name or category, all of which must match; accents do not count" },
    { .name = "archived",
      .in = IN_QUERY,
      .type = T_BOOL,
      .fallback = "false",
      .doc = "Archived ones too" },
    { 0 },
};

static const struct sort service_sorts[] = {
    { "name", "sort_name", "text", false },
    { "-name", "sort_name", "text", true },
    { "created_at", "created_at", "timestamptz", false },
    { "-created_at", "created_at", "timestamptz", true },
    { 0 },
};

static const struct param service_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

enum { PRICE_MAX = 1000000000, BUFFER_MAX = 480, DURATION_MAX = 1440 };

#define GRID_PARAM                                                                             \
    .name = "grid_min", .in = IN_BODY, .type = T_INT, .min = 5, .max = 1440, .nullable = true, \
    .doc = "Offered starts are so many minutes apart, from local midnight on; null: 15, and "  \
           "30 for clients"
#define OFFSET_PARAM                                                      \
    .name = "grid_offset_min", .in = IN_BODY, .type = T_INT, .max = 1439, \
    .doc = "Moves the starts by so many minutes; modulo grid_min"

#define SEATS_PARAM                                                      \
    .name = "seats", .in = IN_BODY, .type = T_INT, .min = 1, .max = 500, \
    .doc = "More than 1: clients who come at the same time share the visit"

#define VISIBILITY_PARAM                                                                   \
    .name = "visibility", .in = IN_BODY, .type = T_CHOICE, .choices = "public link staff", \
    .doc = "Who may book it without an account: staff is nobody, link whoever knows its id"
#define MODALITY_PARAM                                   \
    .name = "modality", .in = IN_BODY, .type = T_CHOICE, \
    .choices = "in_person video phone at_client"

static const struct param service_create_params[] = {
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 120, .required = true },
    { .name = "description", .in = IN_BODY, .type = T_TEXT, .max = 2000, .nullable = true },
    { .name = "category", .in = IN_BODY, .type = T_TEXT, .max = 80, .nullable = true },
    { .name = "color", .in = IN_BODY, .type = T_COLOR, .nullable = true },
    { .name = "duration_min",
      .in = IN_BODY,
      .type = T_INT,
      .min = 1,
      .max = DURATION_MAX,
      .required = true },
    { .name = "buffer_before_min",
      .in = IN_BODY,
      .type = T_INT,
      .max = BUFFER_MAX,
      .fallback = "0" },
    { .name = "buffer_after_min",
      .in = IN_BODY,
      .type = T_INT,
      .max = BUFFER_MAX,
      .fallback = "0" },
    { .name = "price_minor", .in = IN_BODY, .type = T_INT, .max = PRICE_MAX, .fallback = "0" },
    { .name = "currency", .in = IN_BODY, .type = T_CURRENCY, .doc = "The practice's when absent" },
    { GRID_PARAM },
    { OFFSET_PARAM, .fallback = "0" },
    { SEATS_PARAM, .fallback = "1" },
    { VISIBILITY_PARAM, .fallback = "staff" },
    { MODALITY_PARAM, .fallback = "in_person" },
    { 0 },
};

static const struct param service_change_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 120 },
    { .name = "description", .in = IN_BODY, .type = T_TEXT, .max = 2000, .nullable = true },
    { .name = "category", .in = IN_BODY, .type = T_TEXT, .max = 80, .nullable = true },
    { .name = "color", .in = IN_BODY, .type = T_COLOR, .nullable = true },
    { .name = "duration_min",
      .in = IN_BODY,
      .type = T_INT,
      .min = 1,
      .max = DURATION_MAX,
      .doc = "Of appointments to come; those made keep theirs" },
    { .name = "buffer_before_min", .in = IN_BODY, .type = T_INT, .max = BUFFER_MAX },
    { .name = "buffer_after_min", .in = IN_BODY, .type = T_INT, .max = BUFFER_MAX },
    { .name = "price_minor", .in = IN_BODY, .type = T_INT, .max = PRICE_MAX },
    { .name = "currency", .in = IN_BODY, .type = T_CURRENCY },
    { GRID_PARAM },
    { OFFSET_PARAM },
    { SEATS_PARAM },
    { VISIBILITY_PARAM },
    { MODALITY_PARAM },
    { .name = "archived",
      .in = IN_BODY,
      .type = T_BOOL,
      .doc = "false brings an archived service back" },
    { 0 },
};

static const char service_list_sql[] =
    "SELECT " SERVICE_OUT ", ext.fold(name) AS sort_name FROM service"
    " WHERE (archived_at IS NULL OR :archived)"
    " AND (:q::text IS NULL"
    " OR ext.fold(name || ' ' || coalesce(category, '')) LIKE ALL (ext.word_patterns(:q)))";

static const char service_create_sql[] =
    "INSERT INTO service(id, name, description, category, color, duration_min, buffer_before_min,"
    " buffer_after_min, price_minor, currency, grid_min, grid_offset_min, seats, visibility, "
    "modality)"
    " SELECT :new_id, :name, :description, :category, :color, :duration_min, :buffer_before_min,"
    " :buffer_after_min, :price_minor, coalesce(:currency, b.currency), :grid_min,"
    " :grid_offset_min, :seats, :visibility, :modality FROM business b"
    " RETURNING " SERVICE_OUT;

/* clang-format off */
static const char service_change_sql[] =
    "UPDATE service SET "
    PATCH_COLUMN("name") ", "
    PATCH_COLUMN("description") ", "
    PATCH_COLUMN("category") ", "
    PATCH_COLUMN("color") ", "
    PATCH_COLUMN("duration_min") ", "
    PATCH_COLUMN("buffer_before_min") ", "
    PATCH_COLUMN("buffer_after_min") ", "
    PATCH_COLUMN("price_minor") ", "
    PATCH_COLUMN("currency") ", "
    PATCH_COLUMN("grid_min") ", "
    PATCH_COLUMN("grid_offset_min") ", "
    PATCH_COLUMN("seats") ", "
    PATCH_COLUMN("visibility") ", "
    PATCH_COLUMN("modality") ", "
    PATCH_ARCHIVED ", version = version + 1, updated_at = now()"
    " WHERE id = :id AND version = :if_version RETURNING " SERVICE_OUT;
/* clang-format on */

static const char service_probe_sql[] = "SELECT 1 FROM service WHERE id = :id";

const struct route service_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/services",
        .summary = "List services",
        .need = PERM_SERVICE_READ,
        .cost = COST_FAST,
        .params = service_list_params,
        .columns = service_columns,
        .sorts = service_sorts,
        .sql = service_list_sql,
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/services",
        .summary = "Create a service",
        .need = PERM_SERVICE_WRITE,
        .cost = COST_FAST,
        .params = service_create_params,
        .columns = service_columns,
        .sql = service_create_sql,
        .shape = SHAPE_ONE,
        .success = 201,
        .etag = true,
        .location = "/api/v1/services/{id}",
    },
    {
        .method = M_GET,
        .path = "/api/v1/services/{id}",
        .summary = "Read a service",
        .need = PERM_SERVICE_READ,
        .cost = COST_FAST,
        .params = service_one_params,
        .columns = service_columns,
        .sql = "SELECT " SERVICE_OUT " FROM service WHERE id = :id",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/services/{id}",
        .summary = "Change a service, or bring an archived one back",
        .need = PERM_SERVICE_WRITE,
        .cost = COST_FAST,
        .params = service_change_params,
        .columns = service_columns,
        .sql = service_change_sql,
        .probe = service_probe_sql,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/services/{id}",
        .summary = "Archive a service",
        .need = PERM_SERVICE_WRITE,
        .cost = COST_FAST,
        .params = service_one_params,
        .sql = "UPDATE service SET " ARCHIVE_COLUMNS
               " WHERE id = :id AND version = :if_version RETURNING id",
        .probe = service_probe_sql,
        .shape = SHAPE_NONE,
        .success = 204,
        .if_match = true,
    },
    { 0 },
};
