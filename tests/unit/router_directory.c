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

static void slug_of(struct tenant *t, unsigned n)
{
    snprintf(t->slug, sizeof(t->slug), "practice-%u", n);
}

static const struct tenant *by_slug(struct directory *d, unsigned n)
{
    char slug[64];
    snprintf(slug, sizeof slug, "practice-%u", n);
    return directory_find_slug(d, (struct slice){ slug, strlen(slug) });
}

/* Every name leads to who has it, after rows came, changed their names, changed places with another, and left. */
Test(router_directory, names_follow_their_rows)
{
    enum { N = 5000 };
    struct directory *d;
    cr_assert_eq(directory_new(&d), OK);
    for (unsigned i = 0; i < N; i++) {
        struct tenant t = tenant_of(i);
        slug_of(&t, i);
        cr_assert_eq(directory_put(d, &t), OK);
    }
    for (unsigned i = 0; i < N; i += 4) { /* two change names: for a moment both have one */
        struct tenant one = tenant_of(i), two = tenant_of(i + 1);
        slug_of(&one, i + 1);
        slug_of(&two, i);
        cr_assert_eq(directory_put(d, &one), OK);
        cr_assert(uuid_eq(&by_slug(d, i + 1)->id, &one.id));
        cr_assert_eq(directory_put(d, &two), OK);
    }
    for (unsigned i = 2; i < N; i += 4) { /* one gets a new name, one leaves */
        struct tenant one = tenant_of(i), two = tenant_of(i + 1);
        slug_of(&one, N + i);
        cr_assert_eq(directory_put(d, &one), OK);
        directory_remove(d, &two.id);
    }
    for (unsigned i = 0; i < 2 * N; i++) {
        unsigned whose = i >= N ? i - N : i % 4 == 0 ? i + 1 : i % 4 == 1 ? i - 1 : i;
        bool want = i >= N ? i % 4 == (N + 2) % 4 : i % 4 < 2;
        struct tenant t = tenant_of(whose);
        const struct tenant *found = by_slug(d, i);
        cr_assert_eq(found != NULL, want, "practice-%u", i);
        cr_assert(!found || uuid_eq(&found->id, &t.id), "practice-%u", i);
    }
    cr_assert_null(directory_find_slug(d, (struct slice){ "", 0 }));
    cr_assert_null(directory_find_slug(d, SLICE("PRACTICE-1")));
    cr_assert_null(
        directory_find_slug(d, SLICE("practice-1-and-more-than-forty-characters-of-it")));
    directory_begin(d);
    directory_swap(d);
    cr_assert_null(by_slug(d, 0), "an empty load leaves no names");
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

/* Row of a GET of path in the joined table, -1 for none. */
static int row_of(const struct routes *r, const char *path)
{
    struct route_match found;
    route_map_find(routes_map(r), M_GET, slice_of(path), &found);
    return found.row;
}

Test(router_directory, a_kind_speaks_for_its_own_routes)
{
    struct routes *r;
    struct route_map *api = calloc(1, sizeof(*api)), *auth = calloc(1, sizeof(*auth));
    int slots[2];
    cr_assert_eq(routes_new(&r), OK);
    add_row(api, M_GET, KIND_API, "/api/v1/clients/{id}");
    add_row(api, M_GET, KIND_AUTH, "/api/v1/auth/me");
    *auth = *api;
    auth->rows[1].max_body = 77;
    cr_assert_eq(routes_learn(r, &slots[0], KIND_API, api), OK);
    cr_assert_geq(row_of(r, "/api/v1/auth/me"), 0, "no auth slot yet: the api slot is believed");
    cr_assert_eq(routes_learn(r, &slots[1], KIND_AUTH, auth), OK);
    cr_assert_eq(routes_map(r)->count, 2);
    cr_assert_eq(routes_map(r)->rows[row_of(r, "/api/v1/auth/me")].max_body, 77);
    routes_forget(r, &slots[0]);
    routes_forget(r, &slots[1]);
    cr_assert_eq(routes_map(r)->count, 2, "slots come back: their routes stay known");
    routes_free(r);
    free(api);
    free(auth);
}

/* A release replaces slots one after another: nobody is asked for a route that it does not have. */
Test(router_directory, a_route_is_served_when_every_slot_of_its_kind_has_it)
{
    struct routes *r;
    struct route_map *old = calloc(1, sizeof(*old)), *new = calloc(1, sizeof(*new));
    int slots[4];
    cr_assert_eq(routes_new(&r), OK);
    add_row(old, M_GET, KIND_API, "/kept");
    add_row(old, M_GET, KIND_API, "/dropped");
    add_row(new, M_GET, KIND_API, "/kept");
    add_row(new, M_GET, KIND_API, "/added");
    old->rows[0].max_body = 10;
    old->rows[0].open = true;
    new->rows[0].max_body = 20;
    cr_assert_eq(routes_learn(r, &slots[0], KIND_API, old), OK);
    cr_assert_eq(routes_learn(r, &slots[1], KIND_API, old), OK);
    cr_assert_eq(routes_learn(r, &slots[2], KIND_API, new), OK);
    cr_assert_eq(routes_learn(r, &slots[3], KIND_SLOW, new), OK);
    routes_forget(r, &slots[0]);
    cr_assert_geq(row_of(r, "/kept"), 0);
    cr_assert_not(routes_map(r)->rows[row_of(r, "/kept")].open, "the stricter word counts");
    cr_assert_eq(routes_map(r)->rows[row_of(r, "/kept")].max_body, 10);
    cr_assert_eq(row_of(r, "/dropped"), -1);
    cr_assert_eq(row_of(r, "/added"), -1, "slot 1 does not know it");
    routes_forget(r, &slots[1]);
    cr_assert_geq(row_of(r, "/added"), 0);
    cr_assert_eq(routes_map(r)->rows[row_of(r, "/kept")].max_body, 20);
    routes_free(r);
    free(old);
    free(new);
}
