/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Only checked codes become names; anything that could leave its quotes is refused. */
#include "common/tenant.h"

#include <criterion/criterion.h>

Test(tenant, code)
{
    static const char *const good[] = { "abcd", "0000", "a1b2c3d4", "zzzzzzzz" };
    static const char *const bad[] = { "",     "abc",   "abcdefghi", "ABCD", "ab-d", "ab_d",
                                       "ab d", "ab\"d", "abc\n",     "ñabc", "a.bc", "abc;" };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_expect(tenant_code_valid(slice_of(good[i])), "%s", good[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char out[TENANT_NAME_MAX] = "kept";
        cr_expect_not(tenant_code_valid(slice_of(bad[i])), "%s", bad[i]);
        cr_expect_eq(tenant_schema(slice_of(bad[i]), out), E_BAD_REQUEST);
        cr_expect_str_eq(out, "kept");
    }
    cr_expect_not(tenant_code_valid((struct slice){ "abc\0", 4 }));
}

Test(tenant, code_make)
{
    char a[TENANT_CODE_MAX];
    char b[TENANT_CODE_MAX];
    for (int i = 0; i < 1000; i++) {
        tenant_code_make(a);
        cr_assert(tenant_code_valid(slice_of(a)));
        cr_assert_eq(strlen(a), 8);
    }
    tenant_code_make(b);
    cr_expect_str_neq(a, b);
}

Test(tenant, slug)
{
    static const char *const good[] = { "abc", "dental-sur", "a-1-b", "3er-piso",
                                        "abcdefghijklmnopqrstuvwxyzabcdefghijklmn" };
    static const char *const bad[] = {
        "",
        "ab",
        "-abc",
        "abc-",
        "a--b",
        "Abc",
        "a b",
        "a_b",
        "a.b",
        "ábc",
        "api",
        "www",
        "public",
        "gremio",
        "---",
        "a/b",
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmno",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_expect(tenant_slug_valid(slice_of(good[i])), "%s", good[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_not(tenant_slug_valid(slice_of(bad[i])), "%s", bad[i]);
    }
}

Test(tenant, names)
{
    char out[24];
    cr_expect_eq(tenant_schema(SLICE("ab12"), out), OK);
    cr_expect_str_eq(out, "t_ab12");
    cr_expect_eq(tenant_pool_login(0, out), OK);
    cr_expect_str_eq(out, "gremio_pool_00");
    cr_expect_eq(tenant_pool_login(999, out), OK);
    cr_expect_str_eq(out, "gremio_pool_999");
    cr_expect_eq(tenant_pool_login(TENANT_POOLS_MAX, out), E_BAD_REQUEST);
    cr_expect_str_eq(out, "gremio_pool_999");
    struct uuid id;
    char role[TENANT_ROLE_MAX];
    cr_assert_eq(uuid_parse(SLICE("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"), &id), OK);
    tenant_role(&id, role);
    cr_expect_str_eq(role, "p_0190a1b2c3d47e5f8a9b0c1d2e3f4a5b");
}

Test(tenant, quote)
{
    static const char *const good[] = { "t_abcd",         "t_a1b2c3d4",
                                        "gremio",         "gremio_owner",
                                        "gremio_pool_07", "p_0190a1b2c3d47e5f8a9b0c1d2e3f4a5b" };
    static const char *const bad[] = {
        "",
        "t_",
        "t_abc",
        "t_abcdefghi",
        "p_0190a1b2c3d47e5f8a9b0c1d2e3f4a5",
        "p_0190a1b2c3d47e5f8a9b0c1d2e3f4a5B",
        "p_0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f",
        "public",
        "postgres",
        "T_abcd",
        "t_ab\"cd",
        "gremio_\"",
        "gremio_a;b",
        "gremio_A",
        "gremiox",
        "gremio-x",
        "pg_temp",
        " t_abcd",
        "gremio_ñ",
        "gremio_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    char out[68];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_expect_eq(tenant_quote(good[i], out), OK, "%s", good[i]);
        cr_expect_eq(out[0], '"');
        cr_expect_eq(strncmp(out + 1, good[i], strlen(good[i])), 0);
        cr_expect_str_eq(out + 1 + strlen(good[i]), "\"");
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(tenant_quote(bad[i], out), E_BAD_REQUEST, "%s", bad[i]);
    }
    cr_expect_eq(
        tenant_quote("gremio_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", out), OK,
        "63 bytes");
}

Test(tenant, states)
{
    for (int i = 0; i < TENANT_STATE_COUNT; i++) {
        enum tenant_state s = TENANT_STATE_COUNT;
        const char *name = tenant_state_name((enum tenant_state)i);
        cr_expect_eq(tenant_state_parse(slice_of(name), &s), OK, "%s", name);
        cr_expect_eq(s, i);
    }
    enum tenant_state s = TENANT_CLOSING;
    cr_expect_str_eq(tenant_state_name(TENANT_READ_ONLY), "read_only");
    cr_expect_eq(tenant_state_parse(SLICE("Active"), &s), E_BAD_REQUEST);
    cr_expect_eq(tenant_state_parse(SLICE(""), &s), E_BAD_REQUEST);
    cr_expect_eq(tenant_state_parse(SLICE("unknown"), &s), E_BAD_REQUEST);
    cr_expect_eq(s, TENANT_CLOSING);
}
