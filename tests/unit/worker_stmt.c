/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Placeholders compiled to $n, what is left alone, what is refused; the cache of prepared statements and its bound. */
#include <criterion/criterion.h>

#include "worker/stmt.h"

static const struct param params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "name", .in = IN_BODY, .type = T_TEXT },
    { .name = "at", .in = IN_BODY, .type = T_TIME },
    { .name = "n", .in = IN_BODY, .type = T_INT },
    { 0 },
};
static const struct param vars[] = { { .name = "total", .type = T_INT }, { 0 } };
static const struct stmt_scope scope = { .params = params, .vars = vars };

static void compiles(const char *sql, const char *expected, int count)
{
    struct stmt_plan plan = { 0 };
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(stmt_compile(sql, &scope, &plan, NULL, &why), OK, "%s: %s", sql, why.data);
    cr_assert_str_eq(plan.text, expected);
    cr_assert_eq(plan.count, count);
    stmt_free(&plan);
    sbuf_fini(&why);
}

Test(stmt, names_become_numbers)
{
    compiles("SELECT :id, :name, :id", "SELECT $1, $2, $1", 2);
    compiles("UPDATE t SET a = CASE WHEN :name? THEN :name ELSE a END",
             "UPDATE t SET a = CASE WHEN $1 THEN $2 ELSE a END", 2);
    compiles("SELECT :at::timestamptz, :total, :new_id,:limit_plus",
             "SELECT $1::timestamptz, $2, $3,$4", 4);
}

Test(stmt, what_is_no_placeholder)
{
    compiles("SELECT ':id', a::text, \":id\", b -- :id\n, c /* :id */",
             "SELECT ':id', a::text, \":id\", b -- :id\n, c /* :id */", 0);
    compiles("SELECT 'it''s :id', :id", "SELECT 'it''s :id', $1", 1);
    compiles("SELECT a[1:2], $$ :id $$", "SELECT a[1:2], $$ :id $$", 0);
    compiles("SELECT count(*) FROM t", "SELECT count(*) FROM t", 0);
}

static uint32_t id_of(const char *sql, const struct stmt_scope *names)
{
    struct stmt_plan plan = { 0 };
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(stmt_compile(sql, names, &plan, NULL, &why), OK, "%s", sql);
    uint32_t id = plan.id;
    stmt_free(&plan);
    sbuf_fini(&why);
    return id;
}

/* The same text is the same statement, whatever its values are called; another type makes another one. */
Test(stmt, ids_are_of_text_and_types)
{
    static const struct param others[] = { { .name = "other", .type = T_UUID }, { 0 } };
    static const struct param numbers[] = { { .name = "other", .type = T_INT }, { 0 } };
    const struct stmt_scope other = { .vars = others }, number = { .vars = numbers };
    cr_expect_eq(id_of("SELECT :id", &scope), id_of("SELECT :id", &scope));
    cr_expect_eq(id_of("SELECT :id", &scope), id_of("SELECT :other", &other));
    cr_expect_neq(id_of("SELECT :id", &scope), id_of("SELECT :other", &number));
    cr_expect_neq(id_of("SELECT :id", &scope), id_of("SELECT  :id", &scope));
}

Test(stmt, types)
{
    struct stmt_plan plan = { 0 };
    struct sbuf why;
    uint64_t used = 0;
    sbuf_init(&why);
    cr_assert_eq(stmt_compile(":id :name :at :n :n? :me_member", &scope, &plan, &used, &why), OK);
    const Oid types[] = { 2950, 25, 25, 20, 16, 2950 };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        cr_assert_eq(plan.types[i], types[i]);
    }
    cr_assert_eq(used, 0xf);
    stmt_free(&plan);
}

Test(stmt, bind)
{
    struct stmt_plan plan = { 0 };
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(stmt_compile(":name :n? :total :me_role :id", &scope, &plan, NULL, &why), OK);
    struct value p[4] = { { .text = "ID" }, { .text = "N" }, { 0 }, { .present = true } };
    struct value v[1] = { { .text = "9" } };
    struct value b[BUILTIN_COUNT] = { [BUILTIN_ME_ROLE] = { .text = "owner" } };
    const struct call call = { .params = p, .vars = v, .builtins = b };
    const char *values[STMT_PARAMS_MAX];
    stmt_bind(&plan, &call, values);
    const char *expected[] = { "N", "t", "9", "owner", "ID" };
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        cr_assert_str_eq(values[i], expected[i]);
    }
    stmt_free(&plan);
}

Test(stmt, refusals)
{
    const char *const bad[][2] = {
        { "SELECT :nobody", ":nobody is not declared" },
        { "SELECT :total?", ":total? is not declared" },
        { "SELECT * FROM t", "select *" },
        { "select\n\t*, 1 from t", "select *" },
        { "SELECT 'open", "not closed" },
        { "SELECT /* open", "not closed" },
        { "SELECT 1; SELECT 2", "one statement" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct stmt_plan plan = { 0 };
        struct sbuf why;
        sbuf_init(&why);
        cr_assert_eq(stmt_compile(bad[i][0], &scope, &plan, NULL, &why), E_CONFIG, "%s", bad[i][0]);
        sbuf_char(&why, '\0');
        cr_assert_not_null(strstr(why.data, bad[i][1]), "%s", why.data);
        cr_assert_null(plan.text);
        sbuf_fini(&why);
    }
}

Test(cache, finds_what_was_added_for_that_tenant)
{
    struct stmt_cache c;
    uint32_t evicted;
    cr_assert_eq(stmt_cache_init(&c, 10), OK);
    uint32_t a = stmt_cache_add(&c, stmt_code("aaaa"), 1, &evicted);
    uint32_t b = stmt_cache_add(&c, stmt_code("bbbb"), 1, &evicted);
    cr_assert_neq(a, b);
    cr_assert_eq(stmt_cache_find(&c, stmt_code("aaaa"), 1), a);
    cr_assert_eq(stmt_cache_find(&c, stmt_code("bbbb"), 1), b);
    cr_assert_eq(stmt_cache_find(&c, stmt_code("aaaa"), 2), 0);
    stmt_cache_drop(&c, stmt_code("aaaa"), 1, b); /* another serial: not that one */
    cr_assert_eq(stmt_cache_find(&c, stmt_code("aaaa"), 1), a);
    stmt_cache_drop(&c, stmt_code("aaaa"), 1, a);
    cr_assert_eq(stmt_cache_find(&c, stmt_code("aaaa"), 1), 0);
    stmt_cache_fini(&c);
}

Test(cache, the_least_recently_used_goes_first)
{
    struct stmt_cache c;
    uint32_t evicted;
    cr_assert_eq(stmt_cache_init(&c, 3), OK);
    uint32_t s1 = stmt_cache_add(&c, 7, 1, &evicted);
    uint32_t s2 = stmt_cache_add(&c, 7, 2, &evicted);
    (void)stmt_cache_add(&c, 7, 3, &evicted);
    cr_assert_eq(evicted, 0);
    cr_assert_eq(stmt_cache_find(&c, 7, 1), s1);
    (void)stmt_cache_add(&c, 7, 4, &evicted);
    cr_assert_eq(evicted, s2);
    cr_assert_eq(stmt_cache_find(&c, 7, 2), 0);
    cr_assert_eq(c.count, 3);
    stmt_cache_fini(&c);
}

/* Against a plain model: many adds, finds and drops over few keys. */
Test(cache, holds_against_a_model)
{
    enum { KEYS = 50, MAX = 20 };
    struct stmt_cache c;
    uint32_t model[KEYS] = { 0 };
    uint32_t seed = 1, evicted;
    cr_assert_eq(stmt_cache_init(&c, MAX), OK);
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        uint32_t key = (seed >> 16) % KEYS;
        uint32_t found = stmt_cache_find(&c, key / 5, key % 5);
        cr_assert_eq(found, model[key]);
        if (found && (seed >> 8) % 4 == 0) {
            stmt_cache_drop(&c, key / 5, key % 5, found);
            model[key] = 0;
        } else if (!found) {
            model[key] = stmt_cache_add(&c, key / 5, key % 5, &evicted);
            for (size_t k = 0; k < KEYS && evicted; k++) {
                model[k] = model[k] == evicted ? 0 : model[k];
            }
        }
        cr_assert_leq(c.count, MAX);
    }
    stmt_cache_clear(&c);
    cr_assert_eq(stmt_cache_find(&c, 1, 1), 0);
    stmt_cache_fini(&c);
}

Test(cache, names)
{
    char name[STMT_NAME_MAX];
    stmt_name(0, name);
    cr_assert_str_eq(name, "s0");
    stmt_name(4294967295u, name);
    cr_assert_str_eq(name, "s4294967295");
}
