/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What SQLSTATEs mean to a client. Connections are tried by the system tests. */
#include "common/pg.h"

#include <criterion/criterion.h>

Test(pg, meanings)
{
    static const struct {
        const char *state;
        const char *constraint;
        enum err want;
    } cases[] = {
        { "", "", E_DB_UNAVAILABLE },
        { NULL, NULL, E_DB_UNAVAILABLE },
        { "23P01", "allocation_no_overlap", E_SLOT_TAKEN },
        { "23P01", "client_busy_no_overlap", E_CLIENT_CONFLICT },
        { "23P01", "another", E_INTERNAL },
        { "23P01", NULL, E_INTERNAL },
        { "23505", "client_pkey", E_ALREADY_EXISTS },
        { "23503", "allocation_no_overlap", E_INTERNAL },
        { "57014", "", E_DEADLINE },
        { "55P03", "", E_BUSY },
        { "40001", "", E_AGAIN },
        { "40P01", "", E_AGAIN },
        { "40003", "", E_INTERNAL },
        { "25006", "", E_TENANT_READ_ONLY },
        { "57P01", "", E_DB_UNAVAILABLE },
        { "57P03", "", E_DB_UNAVAILABLE },
        { "08006", "", E_DB_UNAVAILABLE },
        { "53300", "", E_DB_UNAVAILABLE },
        { "53100", "", E_STORAGE_FULL },
        { "42501", "", E_INTERNAL },
        { "22P02", "", E_INTERNAL },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(pg_err(cases[i].state, cases[i].constraint), cases[i].want, "%s %s",
                     cases[i].state ? cases[i].state : "-",
                     cases[i].constraint ? cases[i].constraint : "-");
    }
}

Test(pg, open_says_why_and_never_the_password)
{
    struct pg_target t = {
        .host = "/nonexistent", .port = "5432", .dbname = "x", .user = "y", .password = "geheim"
    };
    struct sbuf why;
    sbuf_init(&why);
    cr_expect_null(pg_open(&t, 2, 0, 0, &why));
    cr_expect_not_null(strstr(why.data, "/nonexistent"), "%s", why.data);
    cr_expect_null(strchr(why.data, '\n'));
    cr_expect_null(strstr(why.data, "geheim"));
    sbuf_fini(&why);
}

Test(pg, a_libpq_with_known_holes_is_refused)
{
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(pg_floor(PQlibVersion(), &why), OK);
    cr_assert_eq(pg_floor(150011, &why), OK);
    cr_assert_eq(pg_floor(160000, &why), OK);
    cr_assert_eq(why.len, 0);
    cr_assert_eq(pg_floor(150010, &why), E_CONFIG);
    cr_assert(why.len > 12 && memcmp(why.data, "libpq 15.10 ", 12) == 0);
    sbuf_fini(&why);
}
