/* SPDX-License-Identifier: LicenseRef-Gremio */
/* An account's sessions: seen, ended one by one or all, opened in another practice; and what a change of password ends. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define SESSIONS "/api/v1/auth/sessions"
#define SWITCH   "/api/v1/auth/switch"
#define PASSWORD "/api/v1/auth/password"
#define ME       "/api/v1/me"

TestSuite(sessions, .timeout = 300);

/* A new account with the stack's password that belongs to practice a and, both, to b. */
static const char *new_account(bool both)
{
    PGconn *db = db_super();
    const char *email = api_text("session-%d-%ld@example.com", (int)getpid(), random());
    char *id = db_value(db,
                        "INSERT INTO public.account(id, email, password_hash)"
                        " SELECT gen_random_uuid(), $1, password_hash FROM public.account"
                        " WHERE email = '" OWNER_A "' RETURNING id",
                        email, NULL);
    db_number(db,
              "WITH made AS (INSERT INTO public.membership(account_id, tenant_id, staff_id, role)"
              " SELECT $1::uuid, m.tenant_id, m.staff_id, 'receptionist' FROM public.membership m"
              " JOIN public.account a ON a.id = m.account_id WHERE a.email = '" OWNER_A "'"
              " OR ($2 = 'both' AND a.email = '" OWNER_B
              "') RETURNING 1) SELECT count(*) FROM made",
              id, both ? "both" : "one", NULL);
    free(id);
    PQfinish(db);
    return email;
}

static struct answer *login_to(struct api *a, const char *email, const char *password,
                               const char *tenant)
{
    struct answer *r = tenant ? api_post(a, "/api/v1/auth/login",
                                         "{\"email\":\"%s\",\"password\":\"%s\",\"tenant\":\"%s\"}",
                                         email, password, tenant)
                              : api_post(a, "/api/v1/auth/login",
                                         "{\"email\":\"%s\",\"password\":\"%s\"}", email, password);
    return r;
}

static struct api with_tokens(const struct answer *r)
{
    struct api a = api_anonymous();
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    snprintf(a.token, sizeof a.token, "%s", answer_text(r, "access_token"));
    snprintf(a.refresh, sizeof a.refresh, "%s", answer_text(r, "refresh_token"));
    return a;
}

static struct api log_in(const char *email, const char *tenant)
{
    struct api a = api_anonymous();
    struct api in = with_tokens(login_to(&a, email, stack_password(), tenant));
    api_close(&a);
    return in;
}

static int refresh_status(const struct api *who)
{
    struct api a = api_anonymous();
    int status = api_post(&a, "/api/v1/auth/refresh", "{\"refresh_token\":\"%s\"}", who->refresh)
                     ->status;
    api_close(&a);
    return status;
}

static bool is_dead(void *arg)
{
    return api_get(arg, ME)->status == 401;
}

static void expect_dead(struct api *a, const char *what)
{
    cr_expect(wait_until(is_dead, a, WAIT_LONG_MS), "%s: its access token lives", what);
    cr_expect_eq(refresh_status(a), 401, "%s: its refresh token lives", what);
}

static void expect_alive(struct api *a, const char *what)
{
    cr_expect_eq(api_get(a, ME)->status, 200, "%s has ended", what);
}

static const char *id_of_current(struct api *a)
{
    struct answer *r = api_get(a, SESSIONS);
    for (int i = 0; i < answer_count(r, "data"); i++) {
        if (strcmp(answer_text(r, api_text("data.%d.current", i)), "true") == 0) {
            return answer_text(r, api_text("data.%d.id", i));
        }
    }
    return NULL;
}

Test(sessions, are_listed_and_end_one_by_one)
{
    const char *email = new_account(false);
    struct api one = log_in(email, NULL), two = log_in(email, NULL), other = api_login(OWNER_A);
    struct answer *r = api_get(&one, SESSIONS);
    cr_assert_eq(r->status, 200);
    cr_assert_eq(answer_count(r, "data"), 2);
    cr_expect_str_eq(answer_text(r, "data.0.tenant.slug"), "practice-a");
    cr_expect_str_eq(answer_text(r, "data.0.peer"), stack_host());
    const char *first = id_of_current(&one), *second = id_of_current(&two);
    cr_assert(first && second && strcmp(first, second) != 0);
    /* Nobody else's, and none that is not there. */
    const char *foreign = id_of_current(&other);
    cr_expect_eq(api_send(&one, "DELETE", api_text(SESSIONS "/%s", foreign), NULL, NULL)->status,
                 404);
    expect_alive(&other, "another account's session");
    cr_expect_eq(
        api_send(&one, "DELETE", SESSIONS "/00000000-0000-7000-8000-000000000000", NULL, NULL)
            ->status,
        404);
    cr_expect_eq(api_send(&one, "DELETE", api_text(SESSIONS "/%s", second), NULL, NULL)->status,
                 204);
    expect_dead(&two, "the session that was ended");
    expect_alive(&one, "the session that ended it");
    cr_expect_eq(answer_count(api_get(&one, SESSIONS), "data"), 1);
    cr_expect_eq(api_send(&one, "DELETE", api_text(SESSIONS "/%s", second), NULL, NULL)->status,
                 404, "ended twice");
    api_close(&one);
    api_close(&two);
    api_close(&other);
    api_release();
}

Test(sessions, end_all_at_once)
{
    const char *email = new_account(true);
    struct api here = log_in(email, "practice-a"), there = log_in(email, "practice-b"),
               again = log_in(email, "practice-a"), other = api_login(OWNER_A);
    struct answer *r = api_send(&here, "DELETE", SESSIONS "?keep_current=true", NULL, NULL);
    cr_assert_eq(r->status, 204, "%d %s", r->status, r->http.body);
    expect_dead(&there, "in another practice");
    expect_dead(&again, "in the same practice");
    expect_alive(&here, "the current one");
    cr_expect_eq(answer_count(api_get(&here, SESSIONS), "data"), 1);
    cr_expect_eq(api_send(&here, "DELETE", SESSIONS, NULL, NULL)->status, 204);
    expect_dead(&here, "the current one");
    expect_alive(&other, "another account's");
    api_close(&here);
    api_close(&there);
    api_close(&again);
    api_close(&other);
    api_release();
}

Test(sessions, switch_opens_one_in_another_practice)
{
    const char *email = new_account(true);
    struct api nobody = api_anonymous();
    struct answer *r = login_to(&nobody, email, stack_password(), NULL);
    cr_assert_eq(r->status, 409);
    cr_expect_eq(answer_count(r, "tenants"), 2);
    struct api a = log_in(email, "practice-a");
    r = api_get(&a, "/api/v1/auth/tenants");
    cr_assert_eq(answer_count(r, "data"), 2);
    cr_expect_str_eq(answer_text(r, "data.0.slug"), "practice-a");
    cr_expect_str_eq(answer_text(r, "data.0.current"), "true");
    cr_expect_str_eq(answer_text(r, "data.1.current"), "false");
    cr_expect_str_eq(answer_text(r, "data.1.role"), "receptionist");
    struct api b = with_tokens(api_post(&a, SWITCH, "{\"tenant\":\"practice-b\"}"));
    r = api_get(&b, ME);
    cr_assert_eq(r->status, 200);
    cr_expect_str_eq(answer_text(r, "business.name"), "Practice B");
    expect_alive(&a, "the session that was left");
    cr_expect_str_eq(answer_text(api_get(&a, ME), "business.name"), "Practice A");
    /* Only to one's own practices. */
    struct api alone = api_login(OWNER_A);
    cr_expect_eq(api_post(&alone, SWITCH, "{\"tenant\":\"practice-b\"}")->status, 403);
    cr_expect_eq(api_post(&a, SWITCH, "{\"tenant\":\"no-such-practice\"}")->status, 403);
    api_close(&nobody);
    api_close(&a);
    api_close(&b);
    api_close(&alone);
    api_release();
}

/* Switching to and fro must not keep a session alive beyond its limit, nor one that has ended. */
Test(sessions, switch_prolongs_nothing)
{
    const char *email = new_account(true);
    struct api a = log_in(email, "practice-a");
    PGconn *db = db_super();
    char *id = strdup(id_of_current(&a));
    db_number(db,
              "WITH cut AS (UPDATE public.session SET hard_deadline = now() + interval '1 hour'"
              " WHERE id = $1::uuid RETURNING 1) SELECT count(*) FROM cut",
              id, NULL);
    struct api b = with_tokens(api_post(&a, SWITCH, "{\"tenant\":\"practice-b\"}"));
    char *later = strdup(id_of_current(&b));
    cr_expect_eq(db_number(db,
                           "SELECT count(*) FROM public.session n, public.session o WHERE o.id ="
                           " $1::uuid AND n.id = $2::uuid AND n.hard_deadline = o.hard_deadline"
                           " AND n.idle_deadline <= o.hard_deadline",
                           id, later, NULL),
                 1);
    /* The router has not heard of it, the token is good: the database has the last word. */
    db_do(db, "SET session_replication_role = replica");
    db_number(db,
              "WITH cut AS (UPDATE public.session SET revoked_at = now() WHERE id = $1::uuid"
              " RETURNING 1) SELECT count(*) FROM cut",
              id, NULL);
    db_do(db, "RESET session_replication_role");
    cr_expect_eq(api_post(&a, SWITCH, "{\"tenant\":\"practice-b\"}")->status, 401);
    free(id);
    free(later);
    PQfinish(db);
    api_close(&a);
    api_close(&b);
    api_release();
}

static struct api switched(struct api *a, const char *tenant)
{
    return with_tokens(api_post(a, SWITCH, "{\"tenant\":\"%s\"}", tenant));
}

/* A session that was switched to ends with the one it comes from, and the other way round. */
Test(sessions, what_was_switched_to_ends_with_its_login)
{
    enum { LOGOUT, END_ONE, REUSE, FROM_BELOW, WAYS };
    const char *email = new_account(true);
    struct api other = log_in(email, "practice-a");
    for (int way = 0; way < WAYS; way++) {
        struct api a = log_in(email, "practice-a"), b = switched(&a, "practice-b"),
                   c = switched(&b, "practice-a");
        if (way == LOGOUT || way == FROM_BELOW) {
            struct api *who = way == LOGOUT ? &a : &c;
            cr_expect_eq(
                api_send(who, "POST", "/api/v1/auth/logout", NULL, "Content-Length: 0\r\n")->status,
                204);
        } else if (way == END_ONE) {
            const char *id = id_of_current(&a);
            cr_expect_eq(
                api_send(&other, "DELETE", api_text(SESSIONS "/%s", id), NULL, NULL)->status, 204);
        } else {
            struct api nobody = api_anonymous();
            for (int i = 0; i < 2; i++) {
                struct answer *r = api_post(&nobody, "/api/v1/auth/refresh",
                                            "{\"refresh_token\":\"%s\"}",
                                            i ? b.refresh : a.refresh);
                snprintf(b.refresh, sizeof b.refresh, "%s", answer_text(r, "refresh_token"));
            }
            snprintf(b.refresh, sizeof b.refresh, "%s", a.refresh);
            cr_expect_eq(refresh_status(&b), 401, "two steps behind");
            api_close(&nobody);
        }
        expect_dead(&a, "the login");
        cr_expect(wait_until(is_dead, &b, WAIT_LONG_MS), "way %d: what was switched to lives", way);
        expect_dead(&c, "what was switched to from there");
        api_close(&a);
        api_close(&b);
        api_close(&c);
    }
    expect_alive(&other, "another login");
    api_close(&other);
    api_release();
}

/* Nobody is kept in a session because the practice is read-only or suspended. */
Test(sessions, end_whatever_state_the_practice_is_in)
{
    static const char *const states[] = { "read_only", "suspended" };
    cr_assert_eq(
        stack_ctl((const char *const[]){ "tenant", "create", "session-state", "--name", "S",
                                         "--owner-email", "session-state@example.com", "--sector",
                                         "dentist", "--country", "MX", "--time-zone", "UTC",
                                         "--locale", "es-MX", "--currency", "MXN", NULL },
                  NULL),
        0);
    PGconn *db = db_super();
    db_do(db, "UPDATE public.account SET password_hash = (SELECT password_hash FROM public.account"
              " WHERE email = '" OWNER_A "') WHERE email = 'session-state@example.com'");
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        db_do(db, "UPDATE public.tenant SET state = 'active' WHERE slug = 'session-state'");
        struct api a = log_in("session-state@example.com", NULL);
        db_number(
            db,
            "WITH changed AS (UPDATE public.tenant SET state = $1 WHERE slug = 'session-state'"
            " RETURNING 1) SELECT count(*) FROM changed",
            states[i], NULL);
        cr_expect_eq(api_get(&a, SESSIONS)->status, 200, "%s", states[i]);
        cr_expect_eq(api_send(&a, "DELETE", SESSIONS, NULL, NULL)->status, 204, "%s", states[i]);
        cr_expect_eq(refresh_status(&a), 401);
        api_close(&a);
    }
    PQfinish(db);
    api_release();
}

static struct answer *change(struct api *a, const char *old, const char *fresh)
{
    return api_post(a, PASSWORD, "{\"password\":\"%s\",\"new_password\":\"%s\"}", old, fresh);
}

#define FRESH "otro-caballo-sin-bateria"

Test(sessions, a_new_password_ends_the_others)
{
    const char *email = new_account(true);
    struct api a = log_in(email, "practice-a"), b = log_in(email, "practice-b"),
               nobody = api_anonymous();
    struct answer *r = change(&a, "not the password", FRESH);
    cr_expect_eq(r->status, 422);
    cr_expect(answer_blames(r, "/password"));
    r = change(&a, stack_password(), "contraseña123");
    cr_expect_eq(r->status, 422);
    cr_expect(answer_blames(r, "/new_password"));
    cr_expect_str_eq(answer_text(r, "errors.0.code"), "too_common");
    cr_expect_str_eq(answer_text(change(&a, stack_password(), "corta"), "errors.0.code"),
                     "too_short");
    cr_expect_str_eq(answer_text(change(&a, stack_password(), stack_password()), "errors.0.code"),
                     "unchanged");
    expect_alive(&b, "after refusals, another session");
    r = change(&a, stack_password(), FRESH);
    cr_assert_eq(r->status, 204, "%d %s", r->status, r->http.body);
    expect_dead(&b, "another session");
    expect_alive(&a, "the session that changed it");
    cr_expect_eq(refresh_status(&a), 200);
    cr_expect_eq(login_to(&nobody, email, stack_password(), "practice-a")->status, 401);
    cr_expect_eq(login_to(&nobody, email, FRESH, "practice-a")->status, 200);
    api_close(&a);
    api_close(&b);
    api_close(&nobody);
    api_release();
}

enum { RACERS = 4, ROUNDS = 12 };

struct racer {
    pthread_t thread;
    const char *email, *password;
    atomic_uint in;
};

/* Logs in until the password is not good any more. */
static void *race_logins(void *arg)
{
    struct racer *me = arg;
    struct api a = api_anonymous();
    while (login_to(&a, me->email, me->password, "practice-a")->status == 200) {
        atomic_fetch_add(&me->in, 1);
        api_release();
    }
    api_close(&a);
    api_release();
    return NULL;
}

static bool all_are_in(void *arg)
{
    struct racer *racers = arg;
    bool in = true;
    for (size_t i = 0; i < RACERS; i++) {
        in = in && atomic_load(&racers[i].in) > 0;
    }
    return in;
}

static unsigned race_a_change(struct api *a, const char *email, const char *old, const char *fresh)
{
    struct racer racers[RACERS];
    unsigned in = 0;
    for (size_t i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){ .email = email, .password = old };
        pthread_create(&racers[i].thread, NULL, race_logins, &racers[i]);
    }
    cr_assert(wait_until(all_are_in, racers, WAIT_LONG_MS));
    struct answer *r = change(a, old, fresh);
    cr_assert_eq(r->status, 204, "%d %s", r->status, r->http.body);
    for (size_t i = 0; i < RACERS; i++) {
        pthread_join(racers[i].thread, NULL);
        in += racers[i].in;
    }
    return in;
}

/* A login that has proved the old password while the new one is set opens nothing that stays. */
Test(sessions, no_login_by_the_old_password_outlives_the_change)
{
    const char *email = new_account(false);
    struct api a = log_in(email, NULL);
    const char *old = stack_password();
    unsigned in = 0;
    for (int i = 0; i < ROUNDS; i++) {
        const char *fresh = api_text(FRESH "-%d", i);
        in += race_a_change(&a, email, old, fresh);
        old = fresh;
        struct answer *r = api_get(&a, SESSIONS);
        cr_expect_eq(answer_count(r, "data"), 1, "round %d: %s", i, r->http.body);
    }
    printf("sessions: %u logins beside %d changes of password, none of them left\n", in, ROUNDS);
    api_close(&a);
    api_release();
}
