/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Keys for integrations: shown once, stored hashed, good for what they say and no more, gone at once. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/member.h"
#include "tests/support/wait.h"

#define KEYS  "/api/v1/api-keys"
#define TOKEN "/api/v1/auth/token"

TestSuite(api_keys, .timeout = 120);

static struct answer *make(struct api *who, const char *permissions)
{
    return api_post(who, KEYS, "{\"name\":\"Contabilidad\",\"permissions\":\"%s\"}", permissions);
}

static struct answer *exchange(const char *key)
{
    struct api a = api_anonymous();
    struct answer *r = api_post(&a, TOKEN, "{\"api_key\":\"%s\"}", key);
    api_close(&a);
    return r;
}

static struct api enter(const char *key)
{
    struct api a = api_anonymous();
    struct answer *r = exchange(key);
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    cr_expect_null(answer_text(r, "refresh_token"));
    snprintf(a.token, sizeof a.token, "%s", answer_text(r, "access_token"));
    return a;
}

static bool was_used(const struct answer *list, const char *id)
{
    for (int i = 0; i < answer_count(list, "data"); i++) {
        if (strcmp(answer_text(list, api_text("data.%d.id", i)), id) == 0) {
            return answer_text(list, api_text("data.%d.last_used_at", i)) != NULL;
        }
    }
    return false;
}

static bool is_refused(void *arg)
{
    return api_get(arg, "/api/v1/clients")->status == 401;
}

Test(api_keys, a_key_does_what_it_says_until_it_is_revoked)
{
    struct api owner = api_login(OWNER_A);
    struct answer *made = make(&owner, "client.read client.write appointment.read");
    cr_assert_eq(made->status, 201, "%s", made->http.body);
    cr_expect(strstr(answer_header(made, "Cache-Control"), "no-store"));
    const char *key = answer_text(made, "key"), *id = answer_text(made, "id");
    struct api k = enter(key);
    cr_expect_eq(api_get(&k, "/api/v1/clients")->status, 200);
    cr_expect_eq(api_get(&k, "/api/v1/appointments")->status, 200);
    const char *client = api_new_client(&k, api_unique("Llave"));
    cr_expect_eq(api_get(&owner, "/api/v1/clients/%s", client)->status, 200);
    static const char *const closed[] = { "/api/v1/services", "/api/v1/staff", KEYS,
                                          "/api/v1/auth/sessions", "/api/v1/business" };
    for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
        cr_expect_eq(api_get(&k, "%s", closed[i])->status, 403, "%s", closed[i]);
    }
    struct answer *list = api_get(&owner, KEYS);
    cr_expect(was_used(list, id));
    cr_expect(!strstr(list->http.body, key), "shown once");
    cr_expect_eq(api_send(&owner, "DELETE", api_text(KEYS "/%s", id), NULL, NULL)->status, 204);
    cr_expect(wait_until(is_refused, &k, WAIT_LONG_MS), "its token outlives it");
    cr_expect_eq(exchange(key)->status, 401);
    cr_expect_eq(api_send(&owner, "DELETE", api_text(KEYS "/%s", id), NULL, NULL)->status, 404);
    api_close(&k);
    api_close(&owner);
    api_release();
}

Test(api_keys, what_is_dangerous_stays_closed)
{
    struct api owner = api_login(OWNER_A);
    struct answer *made = make(&owner, "staff.read staff.write role.write key.write");
    cr_assert_eq(made->status, 201, "%s", made->http.body);
    struct api k = enter(answer_text(made, "key"));
    struct answer *r = api_post(&k, "/api/v1/roles",
                                "{\"name\":\"x\",\"permissions\":\"staff.read\"}");
    cr_expect_eq(r->status, 403);
    cr_expect_str_eq(answer_code(r), "step_up_required");
    cr_expect_eq(make(&k, "staff.read")->status, 403);
    api_close(&k);
    api_close(&owner);
    api_release();
}

Test(api_keys, what_is_refused)
{
    struct api owner = api_login(OWNER_A);
    struct member reception = member_join("practice-a", "receptionist", NULL);
    cr_expect_eq(make(&reception.api, "client.read")->status, 403);
    const char *role = api_new_role(&owner, api_unique("Llavera"), "key.write client.read:own");
    struct member keeper = member_join("practice-a", role, NULL);
    cr_expect_eq(make(&keeper.api, "client.read")->status, 403, "more than the maker may");
    cr_expect_eq(make(&keeper.api, "client.read:own")->status, 422, "a key owns nothing");
    cr_expect_eq(make(&owner, "everything")->status, 422);
    static const char *const wrong[] = { "", "x", "gmk_", "gmk_AAAA",
                                         "gmk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
    for (size_t i = 1; i < ARRAY_LEN(wrong); i++) {
        cr_expect_eq(exchange(wrong[i])->status, 401, "%s", wrong[i]);
    }
    member_close(&reception);
    member_close(&keeper);
    api_close(&owner);
    api_release();
}

/* A list shows 200: no number of revoked ones pushes a good one out of it. */
Test(api_keys, a_good_key_is_never_hidden)
{
    struct api owner = api_login(OWNER_B);
    struct answer *good = make(&owner, "client.read");
    PGconn *db = db_super();
    db_do(db, api_text("INSERT INTO public.api_key(id, tenant_id, name, role, secret_hash,"
                       " created_by, created_at, expires_at, revoked_at) SELECT gen_random_uuid(),"
                       " tenant_id, 'x', 'key_x', sha256(convert_to('hide ' || g, 'UTF8')),"
                       " created_by, now() + interval '1 minute', now(), now() FROM public.api_key,"
                       " generate_series(1, 250) g WHERE id = '%s'",
                       answer_text(good, "id")));
    cr_expect(strstr(api_get(&owner, KEYS)->http.body, answer_text(good, "id")) != NULL);
    PQfinish(db);
    api_close(&owner);
    api_release();
}

/* In no table as it is, not even for whoever asks twice with one Idempotency-Key. */
Test(api_keys, a_key_is_stored_nowhere)
{
    struct api owner = api_login(OWNER_A);
    static const char body[] = "{\"name\":\"Dos veces\",\"permissions\":\"client.read\"}";
    struct answer *first = api_send(&owner, "POST", KEYS, body, "Idempotency-Key: key-twice\r\n");
    cr_assert_eq(first->status, 201, "%s", first->http.body);
    struct answer *again = api_send(&owner, "POST", KEYS, body, "Idempotency-Key: key-twice\r\n");
    cr_expect_eq(again->status, 201, "%d", again->status);
    cr_expect_str_eq(answer_text(again, "id"), answer_text(first, "id"));
    cr_expect_null(answer_text(again, "key"), "%s", again->http.body);
    PGconn *db = db_super();
    char *code = db_code(db, "practice-a");
    const char *secret = answer_text(first, "key") + strlen("gmk_");
    cr_expect_eq(db_number(db,
                           api_text("SELECT (SELECT count(*) FROM t_%s.idempotency i WHERE"
                                    " i::text LIKE '%%' || $1 || '%%') + (SELECT count(*) FROM"
                                    " public.api_key k WHERE k::text LIKE '%%' || $1 || '%%')",
                                    code),
                           secret, NULL),
                 0);
    free(code);
    PQfinish(db);
    api_close(&owner);
    api_release();
}

Test(api_keys, a_key_gives_nothing_once_its_maker_has_left)
{
    struct api owner = api_login(OWNER_A);
    struct member maker = member_join("practice-a", "owner", NULL);
    struct answer *made = make(&maker.api, "client.read");
    cr_assert_eq(made->status, 201, "%s", made->http.body);
    const char *key = answer_text(made, "key");
    cr_expect_str_eq(answer_text(made, "good"), "true");
    cr_expect_eq(exchange(key)->status, 200);
    cr_assert_eq(
        api_patch(&owner, api_text("/api/v1/staff/%s", maker.staff), 1, "{\"suspended\":true}")
            ->status,
        200);
    cr_expect_eq(exchange(key)->status, 401);
    member_close(&maker);
    api_close(&owner);
    api_release();
}

Test(api_keys, an_expired_key_is_none_and_a_token_does_not_outlive_its_key)
{
    struct api owner = api_login(OWNER_A);
    struct answer *made = make(&owner, "client.read");
    PGconn *db = db_super();
    cr_assert_eq(db_number(db,
                           "WITH x AS (UPDATE public.api_key SET expires_at = now() + interval '90"
                           " seconds' WHERE id = $1::uuid RETURNING 1) SELECT count(*) FROM x",
                           answer_text(made, "id"), NULL),
                 1);
    struct answer *r = exchange(answer_text(made, "key"));
    cr_expect_eq(r->status, 200);
    cr_expect_leq(answer_int(r, "expires_in"), 90);
    db_do(db, api_text("UPDATE public.api_key SET expires_at = now() WHERE id = '%s'",
                       answer_text(made, "id")));
    cr_expect_eq(exchange(answer_text(made, "key"))->status, 401);
    PQfinish(db);
    api_close(&owner);
    api_release();
}
