/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Accounts that are more, or less, than the owner of one practice: of several practices, of a suspended one, of none at
 * all; and the demonstration's, which gremioctl makes again without a change. */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(accounts, .timeout = 120);

#define LOGIN "/api/v1/auth/login"

#define CTL(...) stack_ctl((const char *const[]){ __VA_ARGS__, NULL }, NULL)

static char *password_file(void)
{
    return api_text("%s/password", stack_env("GREMIO_STATE"));
}

static void make_practice(const char *slug, const char *email)
{
    cr_assert_eq(CTL("tenant", "create", slug, "--name", slug, "--owner-email", email, "--sector",
                     "dental", "--country", "MX", "--time-zone", "America/Mexico_City", "--locale",
                     "es-MX", "--currency", "MXN", "--owner-password-file", password_file()),
                 0);
}

/* slug NULL: none is said. */
static struct answer *login(struct api *a, const char *email, const char *slug)
{
    return api_post(a, LOGIN, "{\"email\":\"%s\",\"password\":\"%s\"%s}", email, stack_password(),
                    slug ? api_text(",\"tenant\":\"%s\"", slug) : "");
}

Test(accounts, one_of_several_practices_is_chosen)
{
    static const char email[] = "several@example.com";
    struct api a = api_anonymous();
    make_practice("several-one", email);
    make_practice("several-two", email);
    struct answer *r = login(&a, email, NULL);
    cr_assert_eq(r->status, 409);
    cr_expect_str_eq(answer_code(r), "tenant_choice");
    cr_expect_eq(answer_count(r, "tenants"), 2);
    for (int i = 0; i < 2; i++) {
        const char *slug = answer_text(r, api_text("tenants.%d.slug", i));
        struct answer *in = login(&a, email, slug);
        cr_assert_eq(in->status, 200, "%s", slug);
        struct api chosen = api_anonymous();
        snprintf(chosen.token, sizeof chosen.token, "%s", answer_text(in, "access_token"));
        cr_expect_str_eq(answer_text(api_get(&chosen, "/api/v1/me"), "business.name"), slug);
        api_close(&chosen);
    }
    cr_expect_eq(login(&a, email, "practice-a")->status, 403, "a practice of somebody else");
    cr_expect_eq(login(&a, email, "no-such-practice")->status, 403);
    r = api_post(&a, LOGIN, "{\"email\":\"%s\",\"password\":\"not the password\"}", email);
    cr_expect_eq(r->status, 401);
    cr_expect_eq(answer_count(r, "tenants"), -1, "strangers learn nothing of practices");
    api_close(&a);
    api_release();
}

static bool is_let_in(void *arg)
{
    return login(arg, "halted@example.com", NULL)->status == 200;
}

Test(accounts, a_suspended_practice_lets_nobody_in)
{
    struct api a = api_anonymous();
    make_practice("halted", "halted@example.com");
    cr_assert(wait_until(is_let_in, &a, WAIT_LONG_MS));
    cr_assert_eq(CTL("tenant", "suspend", "halted"), 0);
    struct answer *r = login(&a, "halted@example.com", NULL);
    cr_expect_eq(r->status, 403);
    cr_expect_str_eq(answer_code(r), "tenant_suspended");
    cr_assert_eq(CTL("tenant", "resume", "halted"), 0);
    cr_expect(wait_until(is_let_in, &a, WAIT_LONG_MS));
    api_close(&a);
    api_release();
}

/* Runs an installation, belongs to no practice: nothing to log in to. An account that is there keeps its password. */
Test(accounts, operators)
{
    struct api a = api_anonymous();
    char *said = NULL;
    cr_expect_eq(CTL("operator", "create", "--email", "nowhere"), 2);
    cr_expect_eq(
        CTL("operator", "create", "--email", "op@example.com", "--password-file", password_file()),
        0);
    cr_expect_eq(CTL("operator", "create", "--email", "op@example.com"), 4, "is one already");
    cr_expect_eq(login(&a, "op@example.com", NULL)->status, 403);
    const char *const owner[] = { "operator", "create", "--email", OWNER_B, NULL };
    cr_expect_eq(stack_ctl(owner, &said), 0);
    cr_expect(said && strstr(said, "password_kept"), "%s", said);
    cr_expect_eq(login(&a, OWNER_B, NULL)->status, 200);
    free(said);
    api_close(&a);
    api_release();
}

/* Every row of the demonstration's agenda with the transaction that wrote it last. */
static char *agenda(PGconn *super, const char *slug)
{
    char *code = db_code(super, slug);
    char *sql = api_text(
        "SELECT count(*) || ' ' || md5(string_agg(a::text || a.xmin, '' ORDER BY id))"
        " FROM t_%s.appointment a",
        code);
    free(code);
    return db_value(super, sql, NULL);
}

Test(accounts, a_second_demonstration_changes_nothing)
{
    PGconn *super = db_super();
    char *path = api_text("%s/demo.json", stack_env("GREMIO_STATE"));
    const char *const demo[] = { "demo", "--output", path, NULL };
    cr_assert_eq(stack_ctl(demo, NULL), 0);
    struct json_object *made = json_object_from_file(path);
    cr_assert(made && json_object_array_length(made) == 2);
    char *before[2];
    for (size_t i = 0; i < 2; i++) {
        struct json_object *row = json_object_array_get_idx(made, i);
        const char *email = json_object_get_string(json_object_object_get(row, "owner_email"));
        const char *word = json_object_get_string(json_object_object_get(row, "password"));
        int status = 0;
        struct api owner = api_try_login(email, word, &status);
        cr_expect_eq(status, 200, "%s", email);
        cr_expect_gt(answer_count(api_get(&owner, "/api/v1/clients"), "data"), 5);
        api_close(&owner);
        before[i] = agenda(super, json_object_get_string(json_object_object_get(row, "slug")));
        cr_expect_gt(atoi(before[i]), 20);
    }
    cr_assert_eq(stack_ctl(demo, NULL), 0);
    struct json_object *again = json_object_from_file(path);
    cr_expect(json_object_equal(made, again));
    for (size_t i = 0; i < 2; i++) {
        struct json_object *row = json_object_array_get_idx(made, i);
        char *after = agenda(super, json_object_get_string(json_object_object_get(row, "slug")));
        cr_expect_str_eq(after, before[i]);
        free(after);
        free(before[i]);
    }
    json_object_put(made);
    json_object_put(again);
    PQfinish(super);
    api_release();
}
