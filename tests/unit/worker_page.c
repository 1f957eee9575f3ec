/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The statement around a list, and cursors: there and back, and every way of tampering with one. */
#include <criterion/criterion.h>

#include "worker/page.h"

static const struct sort by_name = { .name = "name", .key = "name", .type = "text" };
static const struct sort newest = {
    .name = "-created_at", .key = "created_at", .type = "timestamptz", .desc = true
};
static const char id[] = "01a206d8-cb2d-735a-87bb-fb9fb348b56c";

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 1 << 20);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(page, .init = setup, .fini = teardown);

static const char *sql_of(const struct sort *s, bool with_cursor)
{
    static struct sbuf out;
    struct sbuf why;
    sbuf_init(&why);
    sbuf_reset(&out, SIZE_MAX);
    cr_assert_eq(page_sql("SELECT id, name FROM client", s, with_cursor, &out, &why), OK);
    sbuf_char(&out, '\0');
    return out.data;
}

Test(page, statements)
{
    cr_assert_str_eq(sql_of(NULL, false),
                     "SELECT page.* FROM (SELECT id, name FROM client) page LIMIT 200");
    cr_assert_str_eq(sql_of(&by_name, false),
                     "SELECT page.* FROM (SELECT id, name FROM client) page"
                     " ORDER BY page.name, page.id LIMIT :limit_plus");
    cr_assert_str_eq(sql_of(&newest, true),
                     "SELECT page.* FROM (SELECT id, name FROM client) page WHERE (page.created_at,"
                     " page.id) < (:cursor_key::timestamptz, :cursor_id)"
                     " ORDER BY page.created_at DESC, page.id DESC LIMIT :limit_plus");
}

Test(page, a_key_type_that_cursors_cannot_carry)
{
    const struct sort s = { .name = "x", .key = "x", .type = "jsonb" };
    struct sbuf out, why;
    sbuf_init(&out);
    sbuf_init(&why);
    cr_assert_eq(page_sql("SELECT 1", &s, false, &out, &why), E_CONFIG);
    sbuf_fini(&out);
    sbuf_fini(&why);
}

static struct slice cursor_of(const struct sort *s, const char *key)
{
    static struct sbuf out;
    sbuf_reset(&out, SIZE_MAX);
    page_cursor(s, key, id, &out);
    return sbuf_slice(&out);
}

Test(page, there_and_back)
{
    const char *keys[] = { "", "Ana", "\xc3\x89l \"o\" 'x'" };
    const char *key, *back;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        cr_assert_eq(page_decode(&by_name, cursor_of(&by_name, keys[i]), &arena, &key, &back), OK);
        cr_assert_str_eq(key, keys[i]);
        cr_assert_str_eq(back, id);
    }
    struct slice c = cursor_of(&newest, "2026-07-01 15:00:00.123456+00");
    cr_assert_eq(page_decode(&newest, c, &arena, &key, &back), OK);
    cr_assert_str_eq(key, "2026-07-01 15:00:00.123456+00");
}

Test(page, cursors_belong_to_their_order)
{
    const char *key, *back;
    cr_assert_eq(page_decode(&newest, cursor_of(&by_name, "Ana"), &arena, &key, &back),
                 E_BAD_REQUEST);
}

Test(page, keys_the_database_would_refuse)
{
    const char *key, *back;
    struct sort s = newest;
    const char *const bad[][2] = { { "timestamptz", "soon" }, { "timestamptz", "" },
                                   { "date", "2026-02-30" },  { "date", "2026-02-3" },
                                   { "bigint", "1.5" },       { "bigint", "99999999999999999999" },
                                   { "uuid", "x" },           { "text", "\xff" } };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        s.type = bad[i][0];
        cr_expect_eq(page_decode(&s, cursor_of(&s, bad[i][1]), &arena, &key, &back), E_BAD_REQUEST,
                     "%s %s", bad[i][0], bad[i][1]);
    }
}

Test(page, any_broken_byte_is_refused_or_harmless)
{
    const char *key, *back;
    char text[200];
    struct slice c = cursor_of(&by_name, "Ana");
    for (size_t cut = 0; cut < c.n; cut++) {
        struct slice part = { .p = c.p, .n = cut };
        enum err e = page_decode(&by_name, part, &arena, &key, &back);
        cr_assert(e == OK || e == E_BAD_REQUEST);
    }
    for (size_t i = 0; i < c.n; i++) {
        memcpy(text, c.p, c.n);
        text[i] = '*';
        cr_assert_eq(
            page_decode(&by_name, (struct slice){ .p = text, .n = c.n }, &arena, &key, &back),
            E_BAD_REQUEST);
    }
}

Test(page, the_longest_name_a_client_can_have_fits)
{
    char name[201 * 12 + 1];
    const char *key, *back;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct slice c = cursor_of(&by_name, name);
    cr_assert_lt(c.n, 4096, "T_CURSOR takes no more");
    cr_assert_eq(page_decode(&by_name, c, &arena, &key, &back), OK);
    cr_assert_str_eq(key, name);
}

Test(page, a_key_too_long_for_a_cursor_is_an_error_not_a_short_list)
{
    char key[3000];
    struct sbuf out;
    memset(key, 'x', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    sbuf_init(&out);
    page_cursor(&by_name, key, id, &out);
    cr_assert(sbuf_failed(&out));
    sbuf_fini(&out);
}
