/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Names are filled in only where SQL is code; statements that would leave the transaction are refused. */
#include "provisioning/script.h"

#include <criterion/criterion.h>

static const struct script_token tokens[] = {
    { "tenant", "\"t_ab12\"" },
    { "pool", "\"gremio_pool_00\"" },
    { 0 },
};

static void expect_filled(const char *sql, const char *wanted)
{
    struct sbuf out;
    sbuf_init(&out);
    cr_assert_eq(script_fill(slice_of(sql), tokens, &out), OK, "%s", sql);
    sbuf_char(&out, '\0');
    cr_assert_str_eq(out.data, wanted);
    sbuf_fini(&out);
}

Test(provisioning_script, tokens_are_filled_in_code)
{
    expect_filled("GRANT SELECT ON a TO :tenant;", "GRANT SELECT ON a TO \"t_ab12\";");
    expect_filled("GRANT :tenant TO :pool", "GRANT \"t_ab12\" TO \"gremio_pool_00\"");
    expect_filled(":tenant", "\"t_ab12\"");
    expect_filled("TO :tenant,:pool;", "TO \"t_ab12\",\"gremio_pool_00\";");
}

Test(provisioning_script, what_is_not_code_stays)
{
    static const char *const same[] = {
        "SELECT ':tenant'",
        "SELECT 'it''s :tenant'",
        "SELECT E'\\':tenant'",
        "SELECT \":tenant\"",
        "SELECT $$ :tenant $$",
        "SELECT $a$ $$ :tenant $a$",
        "-- :tenant",
        "-- :tenant\nSELECT 1",
        "/* /* :pool */ :tenant */ SELECT 1",
        "SELECT x::tenant",
        "SELECT a := tenant",
        "SELECT a[1:n]",
        "SELECT :tenants",
        "SELECT :other",
        "SELECT $1",
        "SELECT :",
        "SELECT : tenant",
        "SELECT ':', ': :'",
        "",
    };
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        expect_filled(same[i], same[i]);
    }
}

Test(provisioning_script, what_never_ends_is_refused)
{
    static const char *const open[] = { "'a", "\"a", "$$a", "$x$ a $y$", "/* /* */", "E'\\'" };
    for (size_t i = 0; i < ARRAY_LEN(open); i++) {
        struct sbuf out;
        sbuf_init(&out);
        cr_expect_eq(script_fill(slice_of(open[i]), tokens, &out), E_BAD_REQUEST, "%s", open[i]);
        cr_expect_eq(script_check(slice_of(open[i]), &out), E_BAD_REQUEST, "%s", open[i]);
        sbuf_fini(&out);
    }
}

static enum err checked(struct slice sql, struct sbuf *why)
{
    sbuf_reset(why, SIZE_MAX);
    return script_check(sql, why);
}

Test(provisioning_script, statements_that_leave_the_transaction_are_refused)
{
    static const char *const refused[] = {
        "COMMIT",
        "SELECT 1; commit;",
        "/* x */ RoLLback",
        "BEGIN; SELECT 1",
        "SELECT 1;;END",
        "SET search_path = public",
        "RESET ROLE",
        "\\i other.sql",
        "SAVEPOINT a",
        "COPY a FROM '/x'",
        "CREATE TABLE atomic(i int); COMMIT",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; COMMIT",
    };
    static const char *const fine[] = {
        "CREATE TABLE a(i int); GRANT SELECT ON a TO :tenant",
        "SELECT 'x; COMMIT'",
        "-- COMMIT\nSELECT 1",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 1",
        "ALTER TABLE a ALTER COLUMN i SET NOT NULL",
        "UPDATE a SET i = 1",
    };
    struct sbuf why;
    sbuf_init(&why);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        cr_expect_eq(checked(slice_of(refused[i]), &why), E_BAD_REQUEST, "%s", refused[i]);
        cr_expect_gt(why.len, 0, "%s", refused[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        cr_expect_eq(checked(slice_of(fine[i]), &why), OK, "%s", fine[i]);
    }
    cr_expect_eq(checked((struct slice){ "SELECT\0 1", 9 }, &why), E_BAD_REQUEST);
    cr_expect_eq(checked(slice_of("SELECT '\xc3'"), &why), E_BAD_REQUEST);
    sbuf_fini(&why);
}
