/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What one connection may hold is bounded: statements beyond statements_max are deallocated, a backend beyond
 * connection_memory is replaced, and no request notices either. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/own.h"
#include "tests/support/stack.h"

TestSuite(recycle, .timeout = 120);

#define ROUNDS 12

static const char *const paths[] = {
    "/api/v1/appointments",  "/api/v1/appointments?sort=-starts_at",
    "/api/v1/business",      "/api/v1/clients",
    "/api/v1/clients?q=ana", "/api/v1/me",
    "/api/v1/services",      "/api/v1/staff",
};

/* Both practices ask for everything in turn, and write: through one slot, over one connection. */
static void ask_everything(struct api *a, struct api *b)
{
    for (size_t i = 0; i < ROUNDS * ARRAY_LEN(paths); i++) {
        const char *path = paths[i % ARRAY_LEN(paths)];
        int status_a = api_get(a, "%s", path)->status, status_b = api_get(b, "%s", path)->status;
        cr_expect(status_a == 200 && status_b == 200, "%s: %d and %d", path, status_a, status_b);
        if (i % ARRAY_LEN(paths) == 0) {
            api_new_client(a, "Recycled");
        }
    }
    api_release();
}

static void with_setting(const char *name, const char *setting)
{
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    http_client_close(&a.http); /* the tokens stay, the requests go to the own router */
    http_client_close(&b.http);
    struct own o = own_open(
        name, (const char *const[]){ "api_slots=1", "log_level=debug", setting, NULL }, NULL);
    ask_everything(&a, &b);
    api_close(&a);
    api_close(&b);
    own_close(&o);
}

Test(recycle, a_backend_that_has_grown_is_replaced)
{
    with_setting("memory", "connection_memory=1m");
    cr_expect(stack_log_has("worker-again.log", "\"reason\":\"memory\""));
}

Test(recycle, statements_beyond_the_limit_are_deallocated)
{
    PGconn *super = db_super();
    db_do(super, "ALTER ROLE gremio_pool_00 SET log_statement = 'all'");
    with_setting("statements", "statements_max=16");
    db_do(super, "ALTER ROLE gremio_pool_00 RESET log_statement");
    cr_expect(stack_log_has("postgresql.log", "DEALLOCATE s"));
    PQfinish(super);
}
