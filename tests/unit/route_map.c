/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Which row a path finds: literals before names, methods, the Allow field. */
#include "common/route_map.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct route_map map;
static struct route_match found;

static void add(enum method m, const char *pattern)
{
    struct route_entry *e = &map.rows[map.count++];
    *e = (struct route_entry){ .method = m, .kind = KIND_API };
    snprintf(e->pattern, sizeof(e->pattern), "%s", pattern);
}

static void init(void)
{
    add(M_GET, "/");
    add(M_GET, "/api/v1/clients/{id}");
    add(M_GET, "/api/v1/clients");
    add(M_POST, "/api/v1/clients");
    add(M_PATCH, "/api/v1/clients/{id}");
    add(M_GET, "/api/v1/clients/search");
    add(M_POST, "/api/v1/{kind}/search");
    add(M_POST, "/api/v1/clients/{id}");
    add(M_GET, "/a/{x}/c");
    add(M_GET, "/a/b/{x}");
    add(M_GET, "/{a}/{b}/{c}/{d}/end");
    route_map_index(&map);
}

TestSuite(route_map, .init = init);

static int find(enum method m, const char *path)
{
    route_map_find(&map, m, slice_of(path), &found);
    return found.row;
}

Test(route_map, rows)
{
    cr_expect_eq(find(M_GET, "/"), 0);
    cr_expect_eq(find(M_GET, "/api/v1/clients"), 2);
    cr_expect_eq(find(M_POST, "/api/v1/clients"), 3);
    cr_expect_eq(find(M_PATCH, "/api/v1/clients/7"), 4);
    cr_expect_eq(find(M_HEAD, "/api/v1/clients"), 2, "HEAD is answered by the GET row");
}

Test(route_map, params)
{
    cr_expect_eq(find(M_GET, "/api/v1/clients/0192-x"), 1);
    cr_assert_eq(found.param_count, 1);
    cr_expect(slice_eq(found.params[0], SLICE("0192-x")));
    cr_expect_eq(find(M_GET, "/1/22/3/4/end"), 10);
    cr_assert_eq(found.param_count, 4);
    cr_expect(slice_eq(found.params[1], SLICE("22")));
    cr_expect(slice_eq(found.params[3], SLICE("4")));
    cr_expect_eq(find(M_GET, "/api/v1/clients/{id}"), 1, "a path may look like a pattern");
    cr_assert_eq(found.param_count, 1);
    cr_expect(slice_eq(found.params[0], SLICE("{id}")));
}

Test(route_map, a_literal_wins)
{
    cr_expect_eq(find(M_GET, "/api/v1/clients/search"), 5);
    cr_expect_eq(found.param_count, 0);
    cr_expect_eq(find(M_POST, "/api/v1/clients/search"), 7, "the earlier literal counts for more");
    cr_expect_eq(find(M_GET, "/a/b/c"), 9);
}

Test(route_map, nothing_found)
{
    static const char *const unknown[] = { "",
                                           "x",
                                           "/api",
                                           "/api/v1/client",
                                           "/api/v1/clients/",
                                           "/api/v1/clientsx",
                                           "/api/v1/clients/1/2",
                                           "//",
                                           "/api/v1/Clients",
                                           "/1/2//4/end" };
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        cr_expect_eq(find(M_GET, unknown[i]), -1, "%s", unknown[i]);
        cr_expect_not(found.path_known, "%s", unknown[i]);
        cr_expect_eq(found.allow, 0);
    }
    route_map_find(&map, M_GET, (struct slice){ 0 }, &found);
    cr_expect_eq(found.row, -1);
}

Test(route_map, method_not_allowed)
{
    char text[64];
    cr_expect_eq(find(M_DELETE, "/api/v1/clients"), -1);
    cr_expect(found.path_known);
    method_list(found.allow, text);
    cr_expect_str_eq(text, "GET, HEAD, POST");
    cr_expect_eq(find(M_OTHER, "/"), -1);
    cr_expect(found.path_known);
    method_list(0, text);
    cr_expect_str_eq(text, "");
    method_list(UINT32_MAX, text);
    cr_expect_str_eq(text, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

Test(route_map, patterns)
{
    static const char *const good[] = { "/", "/a", "/{id}", "/a/{b}/c/{d}/{e}/{f}", "/a.b-c_d" };
    static const char *const bad[] = { "",       "a",       "/{a}/{b}/{c}/{d}/{e}",
                                       "/x{id}", "/{id}x",  "/{id",
                                       "/{}",    "/{{id}}", "/a b",
                                       "/a\x01", "/ñ" };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_expect(route_map_pattern_valid(slice_of(good[i])), "%s", good[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_not(route_map_pattern_valid(slice_of(bad[i])), "%s", bad[i]);
    }
    char text[ROUTE_PATTERN_MAX + 1];
    memset(text, 'a', sizeof(text));
    text[0] = '/';
    cr_expect(route_map_pattern_valid((struct slice){ text, ROUTE_PATTERN_MAX - 1 }));
    cr_expect_not(route_map_pattern_valid((struct slice){ text, ROUTE_PATTERN_MAX }));
}

Test(route_map, methods_and_kinds)
{
    for (int m = 0; m < M_OTHER; m++) {
        cr_expect_eq(method_parse(slice_of(method_name((enum method)m))), m);
    }
    cr_expect_eq(method_parse(SLICE("get")), M_OTHER);
    cr_expect_eq(method_parse(SLICE("OTHER")), M_OTHER);
    cr_expect_eq(method_parse(SLICE("")), M_OTHER);
    cr_expect(method_is_safe(M_GET) && method_is_safe(M_HEAD) && method_is_safe(M_OPTIONS));
    cr_expect_not(method_is_safe(M_POST) || method_is_safe(M_DELETE) || method_is_safe(M_OTHER));
    cr_expect_str_eq(slot_kind_name(KIND_API), "api");
    cr_expect_str_eq(slot_kind_name(KIND_JOBS), "jobs");
}
