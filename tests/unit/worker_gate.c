/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The order of refusals before the database: each check alone, and which one wins. Permissions as a whole matrix. */
#include <criterion/criterion.h>

#include "common/clock.h"
#include "common/link_token.h"
#include "worker/exact.h"
#include "worker/gate.h"
#include "worker/perms.h"
#include "worker/slot_env.h"

static enum err handle(struct call *c)
{
    UNUSED(c);
    return OK;
}

static const struct param id_param[] = { { .name = "id", .in = IN_PATH, .type = T_UUID }, { 0 } };
static const struct param body_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .required = true },
    { 0 },
};
static const struct param token_param[] = { { .name = "token", .in = IN_PATH, .type = T_TEXT },
                                            { 0 } };
static const struct param slug_param[] = { { .name = "slug", .in = IN_PATH, .type = T_TEXT },
                                           { .name = "n", .in = IN_QUERY, .type = T_INT },
                                           { 0 } };
static const struct column one_column[] = { { "one", T_INT, NULL }, { 0 } };
static const struct route table[] = {
    { .method = M_GET,
      .path = "/x/{id}",
      .summary = "s",
      .need = PERM_SERVICE_READ,
      .cost = COST_FAST,
      .params = id_param,
      .handler = handle,
      .shape = SHAPE_RAW,
      .success = 200 },
    { .method = M_PATCH,
      .path = "/x/{id}",
      .summary = "s",
      .need = PERM_BUSINESS_WRITE,
      .cost = COST_FAST,
      .params = body_params,
      .handler = handle,
      .shape = SHAPE_RAW,
      .success = 200,
      .if_match = true,
      .max_body = 100 },
    { .method = M_POST,
      .path = "/danger",
      .summary = "s",
      .need = PERM_SERVICE_READ,
      .step_up = true,
      .cost = COST_FAST,
      .handler = handle,
      .shape = SHAPE_RAW,
      .success = 200 },
    { .method = M_POST,
      .path = "/enrol",
      .summary = "s",
      .need = PERM_SELF,
      .enrolment = true,
      .cost = COST_FAST,
      .handler = handle,
      .shape = SHAPE_RAW,
      .success = 200 },
    { .method = M_GET,
      .path = "/open",
      .summary = "s",
      .open = true,
      .cost = COST_FAST,
      .handler = handle,
      .shape = SHAPE_RAW,
      .success = 200 },
    { .method = M_POST,
      .path = "/login",
      .summary = "s",
      .open = true,
      .cost = COST_AUTH,
      .handler = handle,
      .shape = SHAPE_RAW,
      .success = 200 },
    { .method = M_POST,
      .path = "/i/{token}",
      .summary = "s",
      .open = true,
      .by_link = true,
      .cost = COST_AUTH,
      .params = token_param,
      .handler = handle,
      .shape = SHAPE_RAW,
      .success = 200 },
    { .method = M_GET,
      .path = "/p/{slug}",
      .summary = "s",
      .open = true,
      .by_link = true,
      .cost = COST_FAST,
      .params = slug_param,
      .sql = "SELECT 1 AS one WHERE :slug <> :n::text",
      .columns = one_column,
      .shape = SHAPE_ONE,
      .success = 200 },
    { .method = M_GET,
      .path = "/i/{token}",
      .summary = "s",
      .open = true,
      .by_link = true,
      .cost = COST_FAST,
      .params = token_param,
      .sql = "SELECT 1 AS one WHERE :token <> ''",
      .columns = one_column,
      .shape = SHAPE_ONE,
      .success = 200 },
    { 0 },
};

static struct routes routes;
static struct slot_env env;
static struct frame_request req;
static struct call call;
static struct arena arena;
static struct sbuf body;

static void setup(void)
{
    const struct route *const tables[] = { table, NULL };
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(routes_compile(tables, &routes, &why), OK, "%s", why.data);
    sbuf_fini(&why);
    env = (struct slot_env){ .kind = KIND_API, .routes = &routes };
    arena_init(&arena, 1 << 20);
    sbuf_init(&body);
    req = (struct frame_request){
        .method = M_GET,
        .path = SLICE("/x/01a206d8-cb2d-735a-87bb-fb9fb348b56c"),
        .deadline_us = 1000,
        .has_tenant = true,
        .tenant = { .id = { .b = { 1 } }, .code = "abcd", .state = TENANT_ACTIVE },
        .principal = { .present = true,
                       .tenant = { .b = { 1 } },
                       .member = { .b = { 2 } },
                       .role = "owner" },
    };
}

static void teardown(void)
{
    arena_fini(&arena);
    sbuf_fini(&body);
    routes_free(&routes);
}

TestSuite(gate, .init = setup, .fini = teardown);

static enum err check(void)
{
    call = (struct call){ .req = &req, .arena = &arena, .body = &body, .env = &env };
    enum err e = gate_check(&call, 500);
    cr_assert_eq(call.problem.err, e);
    return e;
}

static void as_patch(void)
{
    req.method = M_PATCH;
    req.if_match = SLICE("\"3\"");
    req.content_type = SLICE("application/json");
    req.body = SLICE("{\"name\":\"a\"}");
}

Test(gate, lets_pass)
{
    cr_assert_eq(check(), OK);
    cr_assert_str_eq(call.builtins[BUILTIN_ME_MEMBER].text, "02000000-0000-0000-0000-000000000000");
    cr_assert_str_eq(call.builtins[BUILTIN_ME_ROLE].text, "owner");
    cr_assert_not_null(call.builtins[BUILTIN_NEW_ID].text);
    as_patch();
    cr_assert_eq(check(), OK);
    cr_assert_str_eq(call.builtins[BUILTIN_IF_VERSION].text, "3");
}

static struct worker_settings settings = { .step_up_within = 600000 };

static enum err check_danger(int64_t age_s)
{
    env.settings = &settings;
    req.method = M_POST;
    req.path = SLICE("/danger");
    req.principal.proved_s = (uint64_t)(clock_wall_s() - age_s);
    return check();
}

Test(gate, danger_wants_a_recent_proof)
{
    cr_expect_eq(check_danger(0), OK);
    cr_expect_eq(check_danger(590), OK);
    cr_expect_eq(check_danger(610), E_STEP_UP);
    settings.step_up_within = 1000;
    cr_expect_eq(check_danger(10), E_STEP_UP);
    cr_expect_eq(check_danger(-5), OK, "another machine's clock");
    req.principal.proved_s = 0;
    cr_expect_eq(check(), E_STEP_UP, "no proof on record");
    strcpy(req.principal.role, "nobody");
    cr_expect_eq(check(), E_FORBIDDEN, "who may not is not asked for more");
}

Test(gate, who_must_enrol_can_do_nothing_else)
{
    req.principal.enrol = true;
    cr_expect_eq(check(), E_ENROLMENT);
    cr_expect_eq(check_danger(0), E_ENROLMENT);
    req.path = SLICE("/enrol");
    cr_expect_eq(check(), OK);
}

Test(gate, route_and_method)
{
    req.path = SLICE("/y");
    cr_assert_eq(check(), E_NOT_FOUND);
    req.path = SLICE("/x/1");
    req.method = M_DELETE;
    cr_assert_eq(check(), E_METHOD);
    cr_assert(slice_eq(call.reply.allow, SLICE("GET, HEAD, PATCH")), "%.*s",
              (int)call.reply.allow.n, call.reply.allow.p);
}

Test(gate, wrong_kind_of_slot)
{
    req.path = SLICE("/login");
    req.method = M_POST;
    cr_assert_eq(check(), E_UNAVAILABLE);
}

Test(gate, deadline_comes_before_rights)
{
    req.deadline_us = 499;
    req.principal.present = false;
    cr_assert_eq(check(), E_DEADLINE);
}

Test(gate, who)
{
    req.principal.present = false;
    cr_assert_eq(check(), E_UNAUTHENTICATED);
    req.principal.present = true;
    req.principal.tenant.b[0] = 9;
    cr_assert_eq(check(), E_UNAUTHENTICATED);
    req.principal.tenant.b[0] = 1;
    req.has_tenant = false;
    cr_assert_eq(check(), E_UNAUTHENTICATED);
    req.has_tenant = true;
    memcpy(req.tenant.code, "a\";x", 5);
    cr_assert_eq(check(), E_UNAUTHENTICATED);
}

Test(gate, tenant_states)
{
    static const struct {
        enum tenant_state state;
        enum err reads, writes;
    } cases[] = {
        { TENANT_ACTIVE, OK, OK },
        { TENANT_READ_ONLY, OK, E_TENANT_READ_ONLY },
        { TENANT_SUSPENDED, E_TENANT_SUSPENDED, E_TENANT_SUSPENDED },
        { TENANT_CLOSING, E_TENANT_SUSPENDED, E_TENANT_SUSPENDED },
        { TENANT_MIGRATING, E_TENANT_BUSY, E_TENANT_BUSY },
        { TENANT_PROVISIONING, E_TENANT_BUSY, E_TENANT_BUSY },
        { TENANT_STATE_COUNT, E_TENANT_BUSY, E_TENANT_BUSY },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        req.tenant.state = cases[i].state;
        req.method = M_GET;
        req.body = (struct slice){ 0 };
        cr_expect_eq(check(), cases[i].reads);
        as_patch();
        cr_expect_eq(check(), cases[i].writes);
    }
}

Test(gate, rights)
{
    strcpy(req.principal.role, "receptionist");
    cr_assert_eq(check(), OK);
    as_patch();
    cr_assert_eq(check(), E_FORBIDDEN);
    strcpy(req.principal.role, "nobody");
    req.method = M_GET;
    cr_assert_eq(check(), E_FORBIDDEN);
}

Test(gate, body_size_and_precondition)
{
    char big[200];
    as_patch();
    memset(big, ' ', sizeof(big));
    req.body = (struct slice){ .p = big, .n = sizeof(big) };
    cr_assert_eq(check(), E_BODY_TOO_LARGE);
    as_patch();
    req.if_match = (struct slice){ 0 };
    cr_assert_eq(check(), E_PRECONDITION_REQUIRED);
    req.body = SLICE("{}");
    cr_assert_eq(check(), E_INVALID, "faults of the body are said first");
}

Test(gate, open_routes_need_nobody)
{
    req = (struct frame_request){ .method = M_GET, .path = SLICE("/open"), .deadline_us = 1000 };
    cr_assert_eq(check(), OK);
    cr_assert_null(call.builtins[BUILTIN_ME_MEMBER].text);
}

#define TOKEN "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVvWwXxYyZz0w"

Test(gate, a_link_runs_in_its_practice_or_not_at_all)
{
    struct link_token token;
    cr_assert_eq(link_token_parse(SLICE(TOKEN), &token), OK);
    req.path = SLICE("/i/" TOKEN);
    req.principal = (struct principal){ 0 };
    cr_assert_eq(check(), E_LINK_EXPIRED, "another practice's");
    req.tenant.id = link_token_tenant(&token);
    cr_assert_eq(check(), OK);
    cr_assert_null(call.builtins[BUILTIN_ME_MEMBER].text);
    req.tenant.state = TENANT_SUSPENDED;
    cr_assert_eq(check(), E_TENANT_SUSPENDED);
    req.tenant.state = TENANT_ACTIVE;
    strcpy(req.tenant.code, "A");
    cr_assert_eq(check(), E_LINK_EXPIRED);
    strcpy(req.tenant.code, "abcd");
    req.path = SLICE("/i/" TOKEN "A");
    cr_assert_eq(check(), E_LINK_EXPIRED, "what is no token is nobody's");
    req.path = SLICE("/i/" TOKEN);
    req.has_tenant = false;
    cr_assert_eq(check(), E_LINK_EXPIRED, "as of a link that nobody knows");
}

/* The answer does not tell a practice that is not at work from one that is not there, nor the one behind another's name. */
Test(gate, a_public_name_is_a_practice_at_work_or_nobody)
{
    req.path = SLICE("/p/uno");
    req.principal = (struct principal){ 0 };
    strcpy(req.tenant.slug, "uno");
    cr_assert_eq(check(), OK);
    cr_expect_null(call.builtins[BUILTIN_ME_MEMBER].text);
    cr_expect_null(call.builtins[BUILTIN_ME_ROLE].text);
    for (int state = 0; state < TENANT_STATE_COUNT; state++) {
        req.tenant.state = (enum tenant_state)state;
        cr_expect_eq(check(), state == TENANT_ACTIVE ? OK : E_NOT_FOUND, "state %d", state);
    }
    req.tenant.state = TENANT_ACTIVE;
    strcpy(req.tenant.slug, "dos");
    cr_expect_eq(check(), E_NOT_FOUND, "the router and the path disagree");
    strcpy(req.tenant.slug, "uno");
    strcpy(req.tenant.code, "A");
    cr_expect_eq(check(), E_NOT_FOUND);
    strcpy(req.tenant.code, "abcd");
    req.has_tenant = false;
    cr_expect_eq(check(), E_NOT_FOUND);
    req.query = SLICE("n=x");
    cr_expect_eq(check(), E_INVALID, "what is wrong with the request is said all the same");
    req.has_tenant = true;
    cr_expect_eq(check(), E_INVALID);
}

Test(gate, a_link_is_opened_where_guesses_are_counted)
{
    env.kind = KIND_AUTH;
    req = (struct frame_request){ .method = M_POST,
                                  .path = SLICE("/i/" TOKEN),
                                  .deadline_us = 1000 };
    cr_assert_eq(check(), OK);
    req.path = SLICE("/i/short");
    cr_assert_eq(check(), E_LINK_EXPIRED);
}

Test(gate, if_match_field)
{
    static const struct {
        const char *text;
        int64_t version;
    } cases[] = { { "\"7\"", 7 },    { " \"7\" ", 7 },
                  { "W/\"7\"", -1 }, { "*", -1 },
                  { "\"x\"", -1 },   { "7", -1 },
                  { "\"\"", -1 },    { "\"07\"", -1 },
                  { "\"-1\"", -1 },  { "\"99999999999\"", -1 } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t version;
        cr_assert_eq(gate_if_match(slice_of(cases[i].text), &version), OK);
        cr_expect_eq(version, cases[i].version, "%s", cases[i].text);
    }
}

Test(exact, keys)
{
    struct slice key;
    char long_key[300];
    memset(long_key, 'k', sizeof(long_key));
    cr_assert_eq(exact_key(SLICE("abc-1"), &key), OK);
    cr_assert(slice_eq(key, SLICE("abc-1")));
    cr_assert_eq(exact_key(SLICE(" \"abc-1\" "), &key), OK);
    cr_assert(slice_eq(key, SLICE("abc-1")));
    cr_assert_eq(exact_key((struct slice){ .p = long_key, .n = 255 }, &key), OK);
    cr_assert_eq(exact_key((struct slice){ .p = long_key, .n = 256 }, &key), E_BAD_PARAM);
    const char *bad[] = { "", "\"\"", "a b", "a\"b", "\"a\\\"b\"", "\xc3\xa9", "a\x7f" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(exact_key(slice_of(bad[i]), &key), E_BAD_PARAM, "%s", bad[i]);
    }
}
