/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The practice itself: one row, read by all of its staff, changed by its owners. */
#include "worker/call.h"

#define BUSINESS_OUT                                                                        \
    "name, legal_name, tax_id, sector, country, time_zone, locale, currency, phone, email," \
    " address, version, updated_at"

static const struct column business_columns[] = {
    { "name", T_TEXT, NULL },
    { "legal_name", T_TEXT, NULL },
    { "tax_id", T_TEXT, NULL },
    { "sector", T_TEXT, NULL },
    { "country", T_TEXT, "ISO 3166-1, two letters" },
    { "time_zone", T_TEXT, "IANA zone: local times of the agenda are of this zone" },
    { "locale", T_TEXT, "BCP 47" },
    { "currency", T_TEXT, "ISO 4217; of new services" },
    { "phone", T_TEXT, "E.164" },
    { "email", T_TEXT, NULL },
    { "address", T_TEXT, NULL },
    { "version", T_INT, NULL },
    { "updated_at", T_INSTANT, NULL },
    { 0 },
};

static const struct param business_change_params[] = {
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 120 },
    { .name = "legal_name", .in = IN_BODY, .type = T_TEXT, .max = 200, .nullable = true },
    { .name = "tax_id", .in = IN_BODY, .type = T_TEXT, .max = 40, .nullable = true },
    { .name = "time_zone",
      .in = IN_BODY,
      .type = T_ZONE,
      .doc = "IANA zone. Appointments made before keep the zone they were made in" },
    { .name = "locale", .in = IN_BODY, .type = T_LOCALE },
    { .name = "currency", .in = IN_BODY, .type = T_CURRENCY },
    { .name = "phone", .in = IN_BODY, .type = T_PHONE, .nullable = true },
    { .name = "email", .in = IN_BODY, .type = T_EMAIL, .nullable = true },
    { .name = "address", .in = IN_BODY, .type = T_TEXT, .max = 500, .nullable = true },
    { 0 },
};

static const struct stmt business_zone = {
    "zone",
    "SELECT ext.zone_known(:time_zone) AS known",
};

/* The directory keeps a copy of name, zone, locale and currency: it follows in the same transaction. */
/* clang-format off */
static const struct stmt business_update = {
    "update",
    "UPDATE business SET "
    PATCH_COLUMN("name") ", "
    PATCH_COLUMN("legal_name") ", "
    PATCH_COLUMN("tax_id") ", "
    PATCH_COLUMN("time_zone") ", "
    PATCH_COLUMN("locale") ", "
    PATCH_COLUMN("currency") ", "
    PATCH_COLUMN("phone") ", "
    PATCH_COLUMN("email") ", "
    PATCH_COLUMN("address") ", "
    "version = version + 1, updated_at = now()"
    " WHERE version = :if_version"
    " RETURNING " BUSINESS_OUT ", ext.practice_changed(name, time_zone, locale, currency)",
};
/* clang-format on */

static const struct stmt *const business_change_stmts[] = { &business_zone, &business_update,
                                                            NULL };

static enum err business_change(struct call *c)
{
    PGresult *rows;
    if (call_get(c, "time_zone")->present) {
        TRY(call_query(c, &business_zone, &rows));
        if (call_cell(rows, 0, "known")[0] != 't') {
            return call_refuse_field(c, "/time_zone", "unknown_zone",
                                     "No se conoce esa zona horaria",
                                     "That time zone is not known");
        }
    }
    TRY(call_query(c, &business_update, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_PRECONDITION_FAILED, NULL, NULL);
    }
    return call_answer(c, rows);
}

const struct route business_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/business",
        .summary = "Read the practice",
        .need = PERM_BUSINESS_READ,
        .cost = COST_FAST,
        .columns = business_columns,
        .sql = "SELECT " BUSINESS_OUT " FROM business",
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
    },
    {
        .method = M_PATCH,
        .path = "/api/v1/business",
        .summary = "Change the practice",
        .need = PERM_BUSINESS_WRITE,
        .cost = COST_FAST,
        .params = business_change_params,
        .columns = business_columns,
        .stmts = business_change_stmts,
        .handler = business_change,
        .shape = SHAPE_ONE,
        .success = 200,
        .etag = true,
        .if_match = true,
    },
    { 0 },
};
