/* SPDX-License-Identifier: LicenseRef-Gremio */
/* First byte: a method. Then one path a line, each also tried as a pattern. What is found is within the table and the
 * path; a valid pattern without names finds itself. */
#include <string.h>

#include "common/route_map.h"
#include "common/str.h"
#include "tests/fuzz/fuzz.h"

static struct route_map map = {
    .count = 5,
    .rows = {
        { .method = M_GET, .pattern = "/" },
        { .method = M_GET, .pattern = "/a/{x}" },
        { .method = M_POST, .pattern = "/a/b" },
        { .method = M_GET, .pattern = "/{x}/b" },
        { .method = M_PUT, .pattern = "/{a}/{b}/{c}/{d}" },
    },
};

static bool inside(struct slice part, struct slice whole)
{
    return part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

static void try_path(enum method m, struct slice path)
{
    struct route_match found;
    char text[64];
    route_map_find(&map, m, path, &found);
    FUZZ_CHECK(found.row >= -1 && found.row < (int)map.count);
    FUZZ_CHECK(found.path_known == (found.allow != 0));
    FUZZ_CHECK(found.row < 0 || found.path_known);
    FUZZ_CHECK(found.param_count <= ROUTE_PARAMS_MAX);
    for (size_t i = 0; i < found.param_count; i++) {
        struct slice p = found.params[i];
        FUZZ_CHECK(p.n > 0 && inside(p, path) && !memchr(p.p, '/', p.n));
    }
    method_list(found.allow, text);
    FUZZ_CHECK((text[0] != '\0') == found.path_known);
}

static void try_pattern(struct slice pattern)
{
    struct route_match found;
    struct route_entry *last = &map.rows[map.count];
    if (!route_map_pattern_valid(pattern)) {
        return;
    }
    last->method = M_DELETE; /* no other row's, so nothing stands before it */
    FUZZ_CHECK(str_copy(pattern, last->pattern, sizeof(last->pattern)) == OK);
    map.count++;
    route_map_index(&map);
    route_map_find(&map, M_DELETE, pattern, &found);
    FUZZ_CHECK(found.row == (int)map.count - 1);
    map.count--;
    route_map_index(&map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice rest = { (const char *)data, n };
    if (n == 0) {
        return 0;
    }
    enum method m = (enum method)(data[0] % METHOD_COUNT);
    rest.p++;
    rest.n--;
    route_map_index(&map);
    while (rest.n > 0) {
        struct slice line = str_cut(&rest, '\n');
        try_path(m, line);
        try_pattern(line);
    }
    return 0;
}
