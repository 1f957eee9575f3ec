/* SPDX-License-Identifier: LicenseRef-Gremio */
/* How the practice looks to its clients: a colour and a logo, a picture of a kind that browsers show and that runs nothing. */
#include <sodium.h>

#include "common/arena.h"
#include "worker/call.h"
#include "worker/image_type.h"

#define LOGO_BYTES 102400
#define LOGO_TEXT  136536 /* in base64, with its padding */
_Static_assert(LOGO_TEXT == (LOGO_BYTES + 2) / 3 * 4, "three bytes are four characters");

#define BRANDING_OUT "color, logo_type, length(logo) AS logo_bytes, version, updated_at"

static const struct column branding_columns[] = {
    { "color", T_COLOR, "#rrggbb" },
    { "logo_type", T_TEXT, "image/png, image/jpeg or image/webp; null: there is none" },
    { "logo_bytes", T_INT, NULL },
    { "version", T_INT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct column branding_logo_columns[] = {
    { "logo_type", T_TEXT, "null: there is none" },
    { "logo", T_TEXT, "Base64 (RFC 4648 4)" },
    { "version", T_INT, NULL },
    { 0 },
};

static const struct param branding_params[] = {
    { .name = "color", .in = IN_BODY, .type = T_COLOR, .required = true },
    { 0 },
};

static const struct param branding_logo_params[] = {
    { .name = "logo",
      .in = IN_BODY,
      .type = T_TEXT,
      .min = 4,
      .max = LOGO_TEXT,
      .required = true,
      .doc = "PNG, JPEG or WebP in base64 (RFC 4648 4), at most 100 KiB when decoded" },
    { 0 },
};

static const struct param branding_vars[] = { { .name = "logo_type", .type = T_TEXT }, { 0 } };

static const struct stmt branding_set_logo = {
    "set_logo",
    "UPDATE branding SET logo = decode(:logo, 'base64'), logo_type = :logo_type,"
    " version = version + 1, updated_at = now() WHERE version = :if_version"
    " RETURNING " BRANDING_OUT,
};

static const struct stmt *const branding_logo_stmts[] = { &branding_set_logo, NULL };

static const char branding_probe_sql[] = "SELECT 1 FROM branding";

static enum err set_logo(struct call *c)
{
    const char *text = call_get(c, "logo")->text;
    uint8_t *bytes = arena_take(c->arena, LOGO_BYTES);
    size_t n = 0;
    PGresult *rows;
    if (!bytes) {
        return E_NOMEM;
    }
    if (sodium_base642bin(bytes, LOGO_BYTES, text, strlen(text), NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        return call_refuse_field(c, "/logo", "invalid_base64", "No es base64, o pasa de 100 KiB",
                                 "It is not base64, or has more than 100 KiB");
    }
    const char *type = image_type_of((struct slice){ (const char *)bytes, n });
    if (!type) {
        return call_refuse_field(c, "/logo", "invalid_image", "Debe ser PNG, JPEG o WebP",
                                 "It must be PNG, JPEG or WebP");
    }
    call_set(c, "logo_type", type);
    TRY(call_query(c, &branding_set_logo, &rows));
    return PQntuples(rows) ? call_answer(c, rows)
                           : call_refuse(c, E_PRECONDITION_FAILED, NULL, NULL);
}

const struct route branding_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/branding",
        .summary = "Read how the practice looks to its clients",
        .need = PERM_BUSINESS_READ,
        .cost = COST_FAST,
        .columns = branding_columns,
        .sql = "SELECT " BRANDING_OUT " FROM branding",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/branding",
        .summary = "Change how the practice looks to its clients",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = branding_params,
        .columns = branding_columns,
        .sql = "UPDATE branding SET color = :color, version = version + 1, updated_at = now()"
               " WHERE version = :if_version RETURNING " BRANDING_OUT,
        .probe = branding_probe_sql,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    {
        .method = M_GET,
        .path = "/api/v1/branding/logo",
        .summary = "Read the logo",
        .need = PERM_BUSINESS_READ,
        .cost = COST_FAST,
        .columns = branding_logo_columns,
        .sql = "SELECT logo_type, translate(encode(logo, 'base64'), E'\\n', ''), version"
               " FROM branding",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PUT,
        .path = "/api/v1/branding/logo",
        .summary = "Set the logo",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .max_body = LOGO_TEXT + 4096,
        .params = branding_logo_params,
        .vars = branding_vars,
        .columns = branding_columns,
        .stmts = branding_logo_stmts,
        .handler = set_logo,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/branding/logo",
        .summary = "Remove the logo",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .sql = "UPDATE branding SET logo = NULL, logo_type = NULL, version = version + 1,"
               " updated_at = now() WHERE version = :if_version RETURNING version",
        .probe = branding_probe_sql,
        .shape = SHAPE_NONE,
        .success = 204,
        .if_match = true,
    },
    { 0 },
};
