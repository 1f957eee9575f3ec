/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The only file of the worker that sets role and path. The statement reads the stamp (schema_meta.tenant_id) while it
 * switches: a wrong stamp gives no row, so nothing is set and everything after it runs as the bare login, which may
 * read nothing. The role comes last in the list, since the tenant's role may not call set_config. */
#include "worker/db_tenant.h"

#include <stdio.h>

enum { OID_TEXT = 25, OID_UUID = 2950 };

enum err db_tenant_send(struct db_conn *c, const struct tenant *t, bool read_only)
{
    char schema[TENANT_NAME_MAX];
    if (tenant_schema(slice_of(t->code), schema) != OK) {
        return E_INTERNAL;
    }
    char path[TENANT_NAME_MAX + 16];
    char id[UUID_TEXT];
    snprintf(path, sizeof(path), "%s, pg_temp", schema);
    uuid_format(&t->id, id);
    char text[320];
    struct stmt_plan plan = { .id = STMT_ID_SWITCH,
                              .name = "set_tenant",
                              .text = text,
                              .count = 4,
                              .types = { OID_TEXT, OID_TEXT, OID_TEXT, OID_UUID } };
    uint64_t code = stmt_code(t->code);
    if (!stmt_cache_find(&c->cache, code, STMT_ID_SWITCH)) {
        c->tenants++;
        snprintf(text, sizeof(text),
                 "SELECT pg_catalog.set_config('search_path', $1, true),"
                 " pg_catalog.set_config('transaction_read_only', $2, true),"
                 " pg_catalog.set_config('role', $3, true)"
                 " FROM %s.schema_meta WHERE tenant_id OPERATOR(pg_catalog.=) $4",
                 schema);
    }
    const char *values[] = { path, read_only ? "on" : "off", schema, id };
    return db_send(c, STEP_TENANT, code, &plan, values) ? OK : E_CLOSED;
}

bool db_tenant_send_replan(struct db_conn *c)
{
    static char text[] = "SELECT pg_catalog.set_config('plan_cache_mode', 'auto', true)";
    static const struct stmt_plan plan = { .id = STMT_ID_REPLAN, .name = "replan", .text = text };
    return db_send(c, STEP_REPLAN, 0, &plan, NULL);
}

bool db_tenant_ok(const PGresult *result, const struct tenant *t)
{
    char schema[TENANT_NAME_MAX];
    return PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 &&
           PQnfields(result) == 3 && tenant_schema(slice_of(t->code), schema) == OK &&
           strcmp(PQgetvalue(result, 0, 2), schema) == 0;
}
