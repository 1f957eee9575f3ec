/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The directory in memory: lookups after any order of changes, a load swapped whole, keys compared, and the union of
 * the slots' route tables. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "router/directory.h"
#include "router/routes.h"

static struct tenant tenant_of(unsigned n)
{
    struct tenant t = { .pool = (uint16_t)(n % 7), .state = TENANT_ACTIVE };
    t.id.b[0] = 1;
    memcpy(t.id.b + 12, &n, sizeof(n));
    snprintf(t.code, sizeof(t.code), "c%07u", n);
    return t;
}

Test(router_directory, finds_what_was_put_and_nothing_else)
{
    enum { N = 20000 };
    struct directory *d;
    cr_assert_eq(directory_new(&d), OK);
    for (unsigned i = 0; i < N; i++) {
        struct tenant t = tenant_of(i);
        cr_assert_eq(directory_put(d, &t), OK);
    }
    for (unsigned i = 0; i < N; i += 3) {
        struct tenant t = tenant_of(i);
        directory_remove(d, &t.id);
        directory_remove(d, &t.id);
    }
    for (unsigned i = 0; i < N + 100; i++) {
        struct tenant t = tenant_of(i);
        const struct tenant *found = directory_find(d, &t.id);
        bool want = i < N && i % 3 != 0;
        cr_assert_eq(found != NULL, want, "tenant %u", i);
        cr_assert(!found || strcmp(found->code, t.code) == 0);
    }
    cr_assert_eq(directory_count(d), N - (N + 2) / 3);
    cr_assert_null(directory_find(d, &(struct uuid){ { 0 } }));
    directory_free(d);
}

Test(router_directory, a_load_is_swapped_whole)
{
    struct directory *d;
    struct tenant one = tenant_of(1), two = tenant_of(2), three = tenant_of(3);
    cr_assert_eq(directory_new(&d), OK);
    cr_assert_not(directory_loaded(d));
    cr_assert_eq(directory_put(d, &one), OK);
    directory_begin(d);
    cr_assert_eq(directory_stage(d, &two), OK);
    cr_assert_not_null(directory_find(d, &one.id));
    cr_assert_null(directory_find(d, &two.id), "not before the swap");
    directory_begin(d);
    cr_assert_eq(directory_stage(d, &three), OK);
    directory_swap(d);
    cr_assert(directory_loaded(d));
    cr_assert_null(directory_find(d, &one.id));
    cr_assert_null(directory_find(d, &two.id), "an abandoned load leaves nothing");
    cr_assert_not_null(directory_find(d, &three.id));
    directory_begin(d);
    directory_swap(d);
    cr_assert_eq(directory_count(d), 0, "an empty load is a load");
    cr_assert_null(directory_find(d, &three.id));
    directory_free(d);
}

Test(router_directory, pools_are_counted)
{
    struct directory *d;
    struct tenant t = tenant_of(1);
    cr_assert_eq(directory_new(&d), OK);
    for (unsigned i = 0; i < 100; i++) {
        struct tenant other = tenant_of(i);
        cr_assert_eq(directory_put(d, &other), OK);
    }
    cr_assert_eq(directory_pools(d), 7);
    t.pool = 500;
    cr_assert_eq(directory_put(d, &t), OK);
    cr_assert_eq(directory_pools(d), 8);
    t.pool = 1;
    cr_assert_eq(directory_put(d, &t), OK);
    cr_assert_eq(directory_pools(d), 7);
    directory_free(d);
}

Test(router_directory, keys_that_differ_are_seen)
{
    struct directory *d;
    struct token_keys keys = { .count = 1 };
    strcpy(keys.rows[0].kid, "a");
    strcpy(keys.rows[0].pem, "p");
    cr_assert_eq(directory_new(&d), OK);
    cr_assert(directory_set_keys(d, &keys));
    cr_assert_not(directory_set_keys(d, &keys));
    strcpy(keys.rows[0].pem, "q");
    cr_assert(directory_set_keys(d, &keys));
    keys.count = 0;
    cr_assert(directory_set_keys(d, &keys));
    cr_assert_eq(directory_keys(d)->count, 0);
    directory_free(d);
}

static void add_row(struct route_map *m, enum method method, enum slot_kind kind, const char *path)
{
    struct route_entry *row = &m->rows[m->count++];
    *row = (struct route_entry){ .method = method, .kind = kind };
    snprintf(row->pattern, sizeof(row->pattern), "%s", path);
}

Test(router_directory, routes_are_the_union_of_what_slots_said)
{
    struct routes *r;
    struct route_match found;
    struct route_map *api = calloc(1, sizeof(*api)), *auth = calloc(1, sizeof(*auth));
    cr_assert_eq(routes_new(&r), OK);
    add_row(api, M_GET, KIND_API, "/api/v1/clients/{id}");
    add_row(api, M_POST, KIND_AUTH, "/api/v1/auth/login");
    add_row(auth, M_POST, KIND_AUTH, "/api/v1/auth/login");
    add_row(auth, M_GET, KIND_API, "/api/v1/clients/{id}");
    auth->rows[0].max_body = 77;
    routes_learn(r, KIND_API, api);
    route_map_find(routes_map(r), M_POST, SLICE("/api/v1/auth/login"), &found);
    cr_assert_geq(found.row, 0);
    routes_learn(r, KIND_AUTH, auth);
    cr_assert_eq(routes_map(r)->count, 2);
    route_map_find(routes_map(r), M_POST, SLICE("/api/v1/auth/login"), &found);
    cr_assert_eq(routes_map(r)->rows[found.row].max_body, 77, "its own kind's word goes first");
    api->count = 0;
    auth->count = 1;
    routes_learn(r, KIND_API, api);
    routes_learn(r, KIND_AUTH, auth);
    route_map_find(routes_map(r), M_GET, SLICE("/api/v1/clients/1"), &found);
    cr_assert_eq(found.row, -1, "no slot says so any more");
    routes_free(r);
    free(api);
    free(auth);
}
