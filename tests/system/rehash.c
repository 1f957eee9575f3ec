/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Hashes of an older cost are replaced by the next login: many at once are all let in. The stack's practices were made at
 * another cost than its worker hashes at. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/volley.h"

TestSuite(rehash, .timeout = 120);

Test(rehash, logins_at_once_are_all_let_in)
{
    enum { LOGINS = 8 };
    struct shot shots[LOGINS];
    PGconn *db = db_super();
    char *before = db_value(db, "SELECT password_hash FROM public.account WHERE email = $1",
                            OWNER_A, NULL);
    const char *body = api_text("{\"email\":\"%s\",\"password\":\"%s\"}", OWNER_A,
                                stack_password());
    for (size_t i = 0; i < LOGINS; i++) {
        shots[i] = (struct shot){ .method = "POST", .path = "/api/v1/auth/login", .body = body };
    }
    volley_fire(shots, LOGINS);
    volley_print("logins that hash anew", shots, LOGINS);
    cr_expect_eq(volley_count(shots, LOGINS, 200, NULL), LOGINS);
    char *after = db_value(db, "SELECT password_hash FROM public.account WHERE email = $1", OWNER_A,
                           NULL);
    cr_expect_str_neq(before, after, "the cost is the old one");
    free(before);
    free(after);
    PQfinish(db);
    api_release();
}
