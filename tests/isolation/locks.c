/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Each of the locks is broken on purpose under the running server: a schema that is another practice's, a role
 * the login may not take, a schema that is not there. Requests of that practice fail closed, the other practice is
 * served as before, and all works again once the lock is whole. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/wait.h"

TestSuite(locks, .timeout = 120);

#define MARK "only-practice-b-knows"

struct break_in {
    struct api a, b;
    PGconn *super;
    char *code_a, *code_b, *role_b;
    const char *client_b;
};

static struct break_in begin(void)
{
    struct break_in t = { .a = api_login(OWNER_A), .b = api_login(OWNER_B), .super = db_super() };
    t.code_a = db_code(t.super, "practice-a");
    t.code_b = db_code(t.super, "practice-b");
    t.role_b = db_role(t.super, "practice-b");
    t.client_b = api_new_client(&t.b, MARK);
    return t;
}

static void end(struct break_in *t)
{
    api_close(&t->a);
    api_close(&t->b);
    PQfinish(t->super);
    free(t->code_a);
    free(t->code_b);
    free(t->role_b);
    api_release();
}

static bool b_is_served(void *arg)
{
    struct break_in *t = arg;
    struct answer *r = api_get(&t->b, "/api/v1/clients/%s", t->client_b);
    return r->status == 200 && strcmp(answer_text(r, "name"), MARK) == 0;
}

/* b is refused everywhere, nothing of anybody is shown or written; a is served. */
static void expect_b_is_locked_out(struct break_in *t, const char *how)
{
    static const char *const paths[] = { "/api/v1/clients", "/api/v1/business", "/api/v1/me",
                                         "/api/v1/appointments", "/api/v1/staff" };
    for (size_t i = 0; i < ARRAY_LEN(paths) * 4; i++) {
        struct answer *r = api_get(&t->b, "%s", paths[i % ARRAY_LEN(paths)]);
        cr_expect_geq(r->status, 500, "%s: GET %s answered %d", how, paths[i % ARRAY_LEN(paths)],
                      r->status);
        cr_expect(answer_count(r, "data") < 0 && !strstr(r->http.body, MARK));
        cr_expect_eq(api_get(&t->a, "/api/v1/business")->status, 200, "%s: a suffers", how);
    }
    struct answer *written = api_post(&t->b, "/api/v1/clients", "{\"given_name\":\"Leak\"}");
    cr_expect_geq(written->status, 500, "%s: POST answered %d", how, written->status);
    struct answer *booked = api_book(&t->b, t->client_b, t->client_b, t->client_b,
                                     api_text("%sT09:00", api_day(10)));
    cr_expect_geq(booked->status, 500, "%s: booking answered %d", how, booked->status);
    struct answer *seen = api_get(&t->a, "/api/v1/clients?q=Leak");
    cr_expect_eq(answer_count(seen, "data"), 0, "%s: b wrote to a", how);
}

/* Breaks, looks, mends, and waits until b is served again. */
static void try_lock(struct break_in *t, const char *how, const char *breaks, const char *mends)
{
    cr_assert(b_is_served(t));
    db_do(t->super, breaks);
    expect_b_is_locked_out(t, how);
    db_do(t->super, mends);
    cr_expect(wait_until(b_is_served, t, WAIT_LONG_MS), "%s: b is not served again", how);
}

/* What is in b's place belongs to a. */
Test(locks, another_practices_schema_in_its_place_fails_closed)
{
    struct break_in t = begin();
    cr_assert(b_is_served(&t));
    db_do(t.super, api_text("ALTER SCHEMA t_%s RENAME TO t_hidden", t.code_b));
    db_do(t.super, api_text("ALTER SCHEMA t_%s RENAME TO t_%s", t.code_a, t.code_b));
    for (int i = 0; i < 20; i++) {
        struct answer *r = api_get(&t.b, i % 2 ? "/api/v1/business" : "/api/v1/clients");
        cr_expect_geq(r->status, 500, "a's schema was opened for b: %d", r->status);
    }
    db_do(t.super, api_text("ALTER SCHEMA t_%s RENAME TO t_%s", t.code_b, t.code_a));
    db_do(t.super, api_text("ALTER SCHEMA t_hidden RENAME TO t_%s", t.code_b));
    cr_expect(wait_until(b_is_served, &t, WAIT_LONG_MS));
    end(&t);
}

Test(locks, a_role_not_granted_fails_closed)
{
    struct break_in t = begin();
    try_lock(&t, "role revoked", api_text("REVOKE %s FROM gremio_pool_00", t.role_b),
             api_text("GRANT %s TO gremio_pool_00", t.role_b));
    end(&t);
}

Test(locks, a_schema_out_of_reach_fails_closed)
{
    struct break_in t = begin();
    try_lock(&t, "schema closed to the role",
             api_text("REVOKE USAGE ON SCHEMA t_%s FROM %s", t.code_b, t.role_b),
             api_text("GRANT USAGE ON SCHEMA t_%s TO %s", t.code_b, t.role_b));
    try_lock(&t, "schema gone", api_text("ALTER SCHEMA t_%s RENAME TO t_hidden", t.code_b),
             api_text("ALTER SCHEMA t_hidden RENAME TO t_%s", t.code_b));
    end(&t);
}

/* The directory says b's id belongs to a's schema: b's role finds nothing there. */
Test(locks, a_lying_directory_fails_closed)
{
    struct break_in t = begin();
    const char *swap = api_text(
        "UPDATE public.tenant SET code = CASE slug WHEN 'practice-a' THEN "
        "'swap0000' ELSE code END WHERE slug IN ('practice-a','practice-b')");
    const char *lie = api_text("UPDATE public.tenant SET code = '%s' WHERE slug = 'practice-b'",
                               t.code_a);
    const char *truth_b = api_text("UPDATE public.tenant SET code = '%s' WHERE slug = 'practice-b'",
                                   t.code_b);
    const char *truth_a = api_text("UPDATE public.tenant SET code = '%s' WHERE slug = 'practice-a'",
                                   t.code_a);
    db_do(t.super, swap);
    db_do(t.super, lie);
    int64_t end_ms = wait_now_ms() + WAIT_LONG_MS;
    struct answer *r;
    do {
        r = api_get(&t.b, "/api/v1/business");
        const char *name = answer_text(r, "name");
        cr_expect(!name || strcmp(name, "Practice A") != 0, "b was shown a's practice");
    } while (r->status == 200 && wait_now_ms() < end_ms);
    cr_expect_geq(r->status, 500, "%d", r->status);
    for (int i = 0; i < 20; i++) {
        cr_expect_geq(api_get(&t.b, "/api/v1/clients")->status, 500);
    }
    db_do(t.super, truth_b);
    db_do(t.super, truth_a);
    cr_expect(wait_until(b_is_served, &t, WAIT_LONG_MS));
    end(&t);
}
