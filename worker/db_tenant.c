/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The only file of the worker that sets role and path. One statement for all practices: the role comes from the id, the path
 * from the code, and only where both are one practice's does the role find its tables. The role comes last in the list,
 * since the tenant's role may not call set_config. */
#include "worker/db_tenant.h"

#include <stdio.h>

#define PATH_AND "SELECT pg_catalog.set_config('search_path', $1, true),"
#define AND_ROLE " pg_catalog.set_config('role', $2, true)"
static char alone_text[] = PATH_AND
    " pg_catalog.set_config('transaction_read_only', $3, true)," AND_ROLE;
static char grouped_text[] = PATH_AND AND_ROLE; /* a group is read-only from its start */
static const struct stmt_plan alone = {
    .id = STMT_ID_SWITCH, .name = "set_tenant", .text = alone_text, .count = 3
};
static const struct stmt_plan grouped = {
    .id = STMT_ID_SWITCH_GROUPED, .name = "set_tenant_grouped", .text = grouped_text, .count = 2
};

enum err db_tenant_send(struct db_conn *c, const struct tenant *t, bool read_only)
{
    char schema[TENANT_NAME_MAX];
    if (tenant_schema(slice_of(t->code), schema) != OK) {
        return E_INTERNAL;
    }
    char path[TENANT_NAME_MAX + 16];
    char role[TENANT_ROLE_MAX];
    snprintf(path, sizeof(path), "%s, pg_temp", schema);
    tenant_role(&t->id, role);
    const char *values[] = { path, role, read_only ? "on" : "off" };
    return db_send(c, STEP_TENANT, 0, c->grouped ? &grouped : &alone, values) ? OK : E_CLOSED;
}

bool db_tenant_send_replan(struct db_conn *c)
{
    static char text[] = "SELECT pg_catalog.set_config('plan_cache_mode', 'auto', true)";
    static const struct stmt_plan plan = { .id = STMT_ID_REPLAN, .name = "replan", .text = text };
    return db_send(c, STEP_REPLAN, 0, &plan, NULL);
}

bool db_tenant_ok(const PGresult *result, const struct tenant *t)
{
    char role[TENANT_ROLE_MAX];
    tenant_role(&t->id, role);
    int last = PQnfields(result) - 1;
    return PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 && last > 0 &&
           strcmp(PQgetvalue(result, 0, last), role) == 0;
}
