/* SPDX-License-Identifier: LicenseRef-Gremio */
#include "tests/support/practice.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"

/* What gremioctl says; malloc. file: with the password; NULL: the owner is invited. */
static char *create(const char *slug, const char *name, const char *email, const char *file)
{
    char *output = NULL;
    const char *args[] = {
        "--json",
        "tenant",
        "create",
        slug,
        "--name",
        name,
        "--owner-email",
        email,
        "--sector",
        "dental",
        "--country",
        "MX",
        "--time-zone",
        "America/Mexico_City",
        "--locale",
        "es-MX",
        "--currency",
        "MXN",
        file ? "--owner-password-file" : "--invite-owner",
        file,
        NULL,
    };
    cr_assert_eq(stack_ctl(args, &output), 0, "%s: %s", slug, output);
    return output;
}

void practice_make(const char *slug, const char *name, const char *owner_email)
{
    free(create(slug, name, owner_email, api_text("%s/password", stack_env("GREMIO_STATE"))));
}

void practice_open_always(const char *slug)
{
    PGconn *super = db_super();
    char *code = db_code(super, slug);
    db_do(super, api_text("DELETE FROM t_%s.opening_hours", code));
    db_do(super, api_text("INSERT INTO t_%s.opening_hours SELECT d, '00:00', 1440 FROM"
                          " generate_series(1, 7) d",
                          code));
    free(code);
    PQfinish(super);
}

const char *practice_invite(const char *slug, const char *name, const char *owner_email)
{
    char *output = create(slug, name, owner_email, NULL);
    struct json_object *made = json_tokener_parse(output), *tenant, *link;
    cr_assert(json_object_object_get_ex(made, "tenant", &tenant) &&
                  json_object_object_get_ex(tenant, "owner_link", &link),
              "%s", output);
    const char *url = api_text("%s", json_object_get_string(link));
    json_object_put(made);
    free(output);
    return url;
}
