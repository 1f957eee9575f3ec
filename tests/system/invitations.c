/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Invitations to work in a practice, from the mail to the first login: bound to their address, good once, replaced by the next, gone when withdrawn. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/mail.h"
#include "tests/support/member.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define INVITE "/api/v1/invitations"
#define ACCEPT "/api/v1/invitations/accept"
#define MINE   "/api/v1/auth/invitations"
#define PHRASE "una frase larga y nueva 57"

TestSuite(invitations, .timeout = 240);

static const char *new_address(void)
{
    char *text = api_text("%s@example.com", api_unique("guest"));
    for (char *p = text; *p; p++) {
        *p = *p == ' ' ? '.' : *p;
    }
    return text;
}

static struct answer *invite(struct api *who, const char *email, const char *role)
{
    return api_post(who, INVITE, "{\"email\":\"%s\",\"name\":\"Ana Pérez\",\"role\":\"%s\"}", email,
                    role);
}

static const char *invited(struct api *who, const char *email)
{
    struct answer *r = invite(who, email, "receptionist");
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return answer_text(r, "id");
}

static struct answer *accept_from(const char *from, const char *code, const char *password)
{
    struct api a = api_anonymous();
    a.from = from;
    struct answer *r = api_post(&a, ACCEPT, "{\"token\":\"%s\",\"password\":\"%s\"}", code,
                                password);
    api_close(&a);
    return r;
}

static struct answer *accept(const char *code, const char *password)
{
    return accept_from(NULL, code, password);
}

static struct answer *accept_mine(struct api *a, const char *code)
{
    return api_post(a, MINE, "{\"token\":\"%s\"}", code);
}

static void expect_over(const struct answer *r)
{
    cr_expect_eq(r->status, 410, "%d", r->status);
    cr_expect_str_eq(answer_code(r), "link_expired");
}

static void expect_state(struct api *who, const char *id, const char *state)
{
    struct answer *r = api_get(who, INVITE "/%s", id);
    cr_expect_eq(r->status, 200);
    cr_expect_str_eq(answer_text(r, "state"), state);
}

static struct answer *send_again(struct api *who, const char *id)
{
    return api_send(who, "POST", api_text(INVITE "/%s/resend", id), NULL, NULL);
}

static struct answer *withdraw(struct api *who, const char *id)
{
    return api_send(who, "DELETE", api_text(INVITE "/%s", id), NULL, NULL);
}

Test(invitations, somebody_new_joins_with_a_password)
{
    struct api owner = api_login(OWNER_A);
    const char *email = new_address(), *id = invited(&owner, email);
    struct mail_read m = mail_wait(email, 1);
    cr_expect_str_eq(m.subject, "Invitación a trabajar en Practice A");
    cr_expect(strstr(m.link, "/invitation#"), "%s", m.link);
    expect_state(&owner, id, "pending");
    cr_expect_eq(accept(m.code, "kurz")->status, 422);
    struct answer *r = accept(m.code, PHRASE);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "email"), email);
    cr_expect_str_eq(answer_text(r, "tenant.slug"), "practice-a");
    cr_expect_null(strstr(r->http.body, "argon2"));
    expect_over(accept(m.code, PHRASE));
    int status;
    struct api ana = api_try_login(email, PHRASE, &status);
    cr_assert_eq(status, 200);
    struct answer *me = api_get(&ana, "/api/v1/me");
    cr_expect_str_eq(answer_text(me, "name"), "Ana Pérez");
    cr_expect_str_neq(answer_text(me, "role"), "owner");
    expect_state(&owner, id, "accepted");
    cr_expect_str_eq(answer_text(api_get(&owner, INVITE "/%s", id), "staff_id"),
                     answer_text(me, "id"));
    /* Who joined does not invite. */
    cr_expect_eq(invite(&ana, new_address(), "receptionist")->status, 403);
    cr_expect_eq(send_again(&owner, id)->status, 409);
    cr_expect_eq(withdraw(&owner, id)->status, 409);
    /* Nothing that opens the door is in the database. */
    PGconn *db = db_super();
    cr_expect_eq(
        db_number(db,
                  "SELECT count(*) FROM public.one_time_token t WHERE t::text LIKE '%' || $1"
                  " || '%'",
                  m.code, NULL),
        0);
    cr_expect_eq(db_number(db,
                           "SELECT count(*) FROM public.account WHERE email = $1 AND"
                           " email_verified_at IS NOT NULL",
                           email, NULL),
                 1);
    PQfinish(db);
    mail_free(&m);
    api_close(&ana);
    api_close(&owner);
    api_release();
}

Test(invitations, an_account_that_exists_proves_itself)
{
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    const char *email = new_address();
    invited(&a, email);
    struct mail_read m = mail_wait(email, 1);
    cr_assert_eq(accept(m.code, PHRASE)->status, 200);
    mail_free(&m);
    const char *id = invited(&b, email);
    m = mail_wait(email, 2);
    /* Not with another password, and it is not changed to it. */
    cr_expect_eq(accept(m.code, "otra frase larga y nueva 58")->status, 401);
    expect_state(&b, id, "pending");
    int status;
    struct api ana = api_try_login(email, PHRASE, &status);
    cr_assert_eq(status, 200);
    /* Logged in as somebody else: refused, and still pending. */
    struct answer *r = accept_mine(&a, m.code);
    cr_expect_eq(r->status, 403, "%s", r->http.body);
    expect_state(&b, id, "pending");
    cr_expect_eq(accept_mine(&ana, m.code)->status, 200);
    expect_state(&b, id, "accepted");
    expect_over(accept_mine(&ana, m.code));
    cr_expect_eq(answer_count(api_get(&ana, "/api/v1/auth/tenants"), "data"), 2);
    mail_free(&m);
    /* Works there already. */
    id = invited(&b, email);
    m = mail_wait(email, 3);
    cr_expect_eq(accept(m.code, PHRASE)->status, 409);
    expect_state(&b, id, "pending");
    mail_free(&m);
    api_close(&ana);
    api_close(&a);
    api_close(&b);
    api_release();
}

Test(invitations, a_new_link_replaces_the_old_and_a_withdrawn_one_is_dead)
{
    struct api owner = api_login(OWNER_A);
    const char *email = new_address(), *id = invited(&owner, email);
    struct mail_read first = mail_wait(email, 1);
    cr_expect_eq(invite(&owner, email, "receptionist")->status, 409, "two at once");
    cr_expect_eq(send_again(&owner, id)->status, 200);
    struct mail_read second = mail_wait(email, 2);
    expect_over(accept(first.code, PHRASE));
    cr_expect_eq(withdraw(&owner, id)->status, 204);
    expect_over(accept(second.code, PHRASE));
    expect_state(&owner, id, "withdrawn");
    cr_expect_eq(withdraw(&owner, id)->status, 409);
    /* Another one may follow. */
    invited(&owner, email);
    struct mail_read third = mail_wait(email, 3);
    expect_over(accept(second.code, PHRASE));
    cr_expect_eq(accept(third.code, PHRASE)->status, 200);
    mail_free(&first);
    mail_free(&second);
    mail_free(&third);
    api_close(&owner);
    api_release();
}

Test(invitations, an_old_one_has_expired)
{
    struct api owner = api_login(OWNER_A);
    PGconn *db = db_super();
    char *code = db_code(db, "practice-a");
    const char *email = new_address(), *id = invited(&owner, email);
    struct mail_read m = mail_wait(email, 1);
    db_do(db,
          api_text("UPDATE public.one_time_token SET expires_at = now() WHERE bound_email = '%s'",
                   email));
    db_do(db, api_text("UPDATE t_%s.invitation SET expires_at = now() WHERE id = '%s'", code, id));
    expect_over(accept(m.code, PHRASE));
    expect_state(&owner, id, "expired");
    cr_expect_eq(send_again(&owner, id)->status, 200);
    struct mail_read again = mail_wait(email, 2);
    cr_expect_eq(accept(again.code, PHRASE)->status, 200);
    free(code);
    PQfinish(db);
    mail_free(&m);
    mail_free(&again);
    api_close(&owner);
    api_release();
}

Test(invitations, who_left_comes_back_as_the_same_person)
{
    struct api owner = api_login(OWNER_A);
    const char *email = new_address(), *id = invited(&owner, email);
    struct mail_read m = mail_wait(email, 1);
    cr_assert_eq(accept(m.code, PHRASE)->status, 200);
    const char *staff = answer_text(api_get(&owner, INVITE "/%s", id), "staff_id");
    cr_assert_eq(
        api_send(&owner, "DELETE", api_text("/api/v1/staff/%s", staff), NULL, "If-Match: \"1\"\r\n")
            ->status,
        204);
    int status;
    struct api out = api_try_login(email, PHRASE, &status);
    cr_expect_eq(status, 403);
    api_close(&out);
    mail_free(&m);
    id = invited(&owner, email);
    m = mail_wait(email, 2);
    cr_assert_eq(accept(m.code, PHRASE)->status, 200);
    cr_expect_str_eq(answer_text(api_get(&owner, INVITE "/%s", id), "staff_id"), staff);
    struct api in = api_try_login(email, PHRASE, &status);
    cr_expect_eq(status, 200);
    cr_expect_str_eq(answer_text(api_get(&in, "/api/v1/me"), "id"), staff);
    api_close(&in);
    mail_free(&m);
    api_close(&owner);
    api_release();
}

/* Whoever was invited twice does not come back by the second one after being sent away; by a later one, and as nobody suspended, they do. */
Test(invitations, one_from_before_brings_nobody_back)
{
    struct api owner = api_login(OWNER_A);
    const char *email = new_address(), *id = invited(&owner, email);
    struct mail_read first = mail_wait(email, 1);
    cr_assert_eq(accept(first.code, PHRASE)->status, 200);
    const char *staff = answer_text(api_get(&owner, INVITE "/%s", id), "staff_id");
    id = invited(&owner, email);
    struct mail_read spare = mail_wait(email, 2);
    cr_assert_eq(
        api_patch(&owner, api_text("/api/v1/staff/%s", staff), 1, "{\"suspended\":true}")->status,
        200);
    expect_over(accept(spare.code, PHRASE));
    int status;
    struct api out = api_try_login(email, PHRASE, &status);
    cr_expect_eq(status, 403, "%d", status);
    cr_expect_eq(send_again(&owner, id)->status, 200);
    struct mail_read later = mail_wait(email, 3);
    cr_expect_eq(accept(later.code, PHRASE)->status, 200);
    struct api in = api_try_login(email, PHRASE, &status);
    cr_expect_eq(status, 200, "%d", status);
    struct answer *r = api_get(&owner, "/api/v1/staff/%s", staff);
    cr_expect_null(answer_text(r, "suspended_at"), "%s", r->http.body);
    mail_free(&first);
    mail_free(&spare);
    mail_free(&later);
    api_close(&in);
    api_close(&out);
    api_close(&owner);
    api_release();
}

/* An invitation is the word of who sent it last: good while they work here, and for no more than they may. */
Test(invitations, it_needs_somebody_who_still_works_here)
{
    struct api owner = api_login(OWNER_A);
    const char *role = api_new_role(&owner, api_unique("Invita"), "staff.read staff.write");
    struct member manager = member_join("practice-a", role, NULL);
    const char *email = new_address();
    struct answer *r = invite(&manager.api, email, role);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    const char *id = answer_text(r, "id");
    cr_expect_eq(send_again(&manager.api, invited(&owner, new_address()))->status, 403,
                 "one with more than the sender may");
    struct mail_read first = mail_wait(email, 1);
    cr_assert_eq(
        api_patch(&owner, api_text("/api/v1/staff/%s", manager.staff), 1, "{\"suspended\":true}")
            ->status,
        200);
    expect_over(accept(first.code, PHRASE));
    expect_state(&owner, id, "pending");
    cr_expect_eq(send_again(&owner, id)->status, 200);
    struct mail_read again = mail_wait(email, 2);
    cr_expect_eq(accept(again.code, PHRASE)->status, 200);
    mail_free(&first);
    mail_free(&again);
    member_close(&manager);
    api_close(&owner);
    api_release();
}

Test(invitations, another_practice_sees_and_touches_none)
{
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    const char *email = new_address(), *id = invited(&a, email);
    struct mail_read m = mail_wait(email, 1);
    cr_expect_eq(api_get(&b, INVITE "/%s", id)->status, 404);
    cr_expect_eq(send_again(&b, id)->status, 404);
    cr_expect_eq(withdraw(&b, id)->status, 404);
    /* The same address, invited by both: neither disturbs the other. */
    invited(&b, email);
    struct mail_read n = mail_wait(email, 2);
    cr_expect_eq(accept(m.code, PHRASE)->status, 200);
    cr_expect_eq(accept(n.code, PHRASE)->status, 200);
    mail_free(&m);
    mail_free(&n);
    api_close(&a);
    api_close(&b);
    api_release();
}

Test(invitations, there_is_an_end_to_sending)
{
    struct api owner = api_login(OWNER_A);
    const char *email = new_address(), *id = invited(&owner, email);
    for (int i = 1; i < 10; i++) {
        cr_expect_eq(send_again(&owner, id)->status, 200);
    }
    struct answer *r = send_again(&owner, id);
    cr_expect_eq(r->status, 429);
    cr_expect_not_null(answer_header(r, "retry-after"));
    mail_settle();
    cr_expect_eq(mail_count(email), 10);
    /* And to inviting: a hundred a day. */
    PGconn *db = db_super();
    char *code = db_code(db, "practice-b");
    struct api b = api_login(OWNER_B);
    const char *me = answer_text(api_get(&b, "/api/v1/me"), "id");
    db_do(
        db,
        api_text("INSERT INTO t_%s.invitation(id, email, name, role, state, expires_at, invited_by)"
                 " SELECT gen_random_uuid(), 'old', 'old', 'receptionist', 'withdrawn', now(), '%s'"
                 " FROM generate_series(1, 100)",
                 code, me));
    cr_expect_eq(invite(&b, new_address(), "receptionist")->status, 429);
    db_do(
        db,
        api_text("UPDATE t_%s.invitation SET created_at = now() - interval '25 hours' WHERE email ="
                 " 'old'",
                 code));
    cr_expect_eq(invite(&b, new_address(), "receptionist")->status, 201);
    free(code);
    PQfinish(db);
    api_close(&owner);
    api_close(&b);
    api_release();
}

/* The last word is the database's: whatever the slot says of who was proved, a token opens its own address's account only. */
Test(invitations, the_database_refuses_a_stranger)
{
    struct api owner = api_login(OWNER_A);
    PGconn *db = db_super(), *auth = db_login("gremio_auth");
    const char *known = new_address();
    invited(&owner, known);
    struct mail_read m = mail_wait(known, 1);
    cr_assert_eq(accept(m.code, PHRASE)->status, 200);
    mail_free(&m);
    char *stranger = db_value(db, "SELECT id FROM public.account WHERE email = $1", OWNER_B, NULL);
    struct api b = api_login(OWNER_B);
    const char *fresh = new_address();
    const struct {
        const char *email, *proved;
    } tries[] = { { known, stranger }, { known, NULL }, { fresh, stranger } };
    invited(&b, known);
    invited(&b, fresh);
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        char *said = db_value(
            auth,
            api_text("SELECT ext.invitation_accept(t.secret_hash, %s, gen_random_uuid(),"
                     " gen_random_uuid(), 'x') FROM public.one_time_token t WHERE"
                     " t.bound_email = $1 AND t.consumed_at IS NULL",
                     tries[i].proved ? api_text("'%s'", stranger) : "NULL"),
            tries[i].email, NULL);
        cr_expect_str_eq(said, "stranger", "%zu", i);
        free(said);
    }
    cr_expect_eq(answer_count(api_get(&b, INVITE), "data") >= 2, true);
    free(stranger);
    PQfinish(db);
    PQfinish(auth);
    api_close(&b);
    api_close(&owner);
    api_release();
}

/* From gremioctl to the first login: nobody but the owner ever has the password. */
Test(invitations, an_owner_chooses_the_first_password)
{
    const char *email = new_address(), *link;
    char *output, *slug = api_text("%s", api_unique("own"));
    slug[3] = '-';
    const char *args[] = { "--json",
                           "tenant",
                           "create",
                           slug,
                           "--name",
                           "Con enlace",
                           "--owner-email",
                           email,
                           "--invite-owner",
                           "--sector",
                           "dental",
                           "--country",
                           "MX",
                           "--time-zone",
                           "America/Mexico_City",
                           "--locale",
                           "es-MX",
                           "--currency",
                           "MXN",
                           NULL };
    cr_assert_eq(stack_ctl(args, &output), 0, "%s", output);
    struct json_object *made = json_tokener_parse(output), *tenant, *code, *password;
    cr_assert(json_object_object_get_ex(made, "tenant", &tenant), "%s", output);
    cr_expect(json_object_object_get_ex(tenant, "owner_link", &code));
    link = json_object_get_string(code);
    cr_expect(!json_object_object_get_ex(tenant, "password", &password) || !password);
    cr_assert(link && strncmp(link, stack_env("GREMIO_URL"), strlen(stack_env("GREMIO_URL"))) == 0);
    struct api a = api_anonymous();
    int status;
    struct api none = api_try_login(email, "", &status);
    cr_expect_neq(status, 200);
    cr_expect_eq(api_post(&a, "/api/v1/auth/password/reset",
                          "{\"token\":\"%s\",\"new_password\":\"" PHRASE "\"}",
                          strchr(link, '#') + 1)
                     ->status,
                 204);
    struct api owner = api_try_login(email, PHRASE, &status);
    cr_expect_eq(status, 200);
    cr_expect_str_eq(answer_text(api_get(&owner, "/api/v1/me"), "role"), "owner");
    json_object_put(made);
    free(output);
    api_close(&none);
    api_close(&owner);
    api_close(&a);
    api_release();
}

/* Those that are inside at once: two at least wait for each other or for who holds the token. */
static bool two_wait(void *arg)
{
    return db_number(arg,
                     "SELECT count(*) FROM pg_stat_activity WHERE usename = 'gremio_auth' AND"
                     " wait_event_type = 'Lock'",
                     NULL) >= 2;
}

struct racer {
    pthread_t thread;
    const char *code;
    char from[20]; /* one address may not fill all slots */
    int status;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    r->status = accept_from(r->from, r->code, PHRASE)->status;
    api_release();
    return NULL;
}

Test(invitations, of_many_at_once_one_joins)
{
    struct api owner = api_login(OWNER_A);
    const char *email = new_address();
    invited(&owner, email);
    struct mail_read m = mail_wait(email, 1);
    struct racer racers[6];
    PGconn *holder = db_super(), *watcher = db_super();
    db_do(holder, "BEGIN");
    db_do(holder,
          api_text("SELECT id FROM public.one_time_token WHERE bound_email = '%s' FOR UPDATE",
                   email));
    int won = 0;
    for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
        racers[i].code = m.code;
        snprintf(racers[i].from, sizeof racers[i].from, "127.0.9.%zu", i + 1);
        pthread_create(&racers[i].thread, NULL, race, &racers[i]);
    }
    cr_expect(wait_until(two_wait, watcher, WAIT_LONG_MS));
    db_do(holder, "COMMIT");
    PQfinish(holder);
    PQfinish(watcher);
    for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
        pthread_join(racers[i].thread, NULL);
        cr_expect(racers[i].status == 200 || racers[i].status == 410, "%d", racers[i].status);
        won += racers[i].status == 200;
    }
    cr_expect_eq(won, 1);
    PGconn *db = db_super();
    cr_expect_eq(
        db_number(db,
                  "SELECT count(*) FROM public.membership m JOIN public.account a ON a.id ="
                  " m.account_id WHERE a.email = $1",
                  email, NULL),
        1);
    PQfinish(db);
    mail_free(&m);
    api_close(&owner);
    api_release();
}

/* A practice's name goes into the subject. */
Test(invitations, a_name_adds_no_header)
{
    struct api owner = api_login(OWNER_B);
    struct answer *now = api_get(&owner, "/api/v1/business");
    struct answer *r = api_patch(&owner, "/api/v1/business", (int)answer_int(now, "version"),
                                 "{\"name\":\"Uno\\nBcc: victim@example.com\\n\\nDos\"}");
    const char *email = new_address();
    invited(&owner, email);
    struct mail_read m = mail_wait(email, 1);
    char *end = strstr(m.raw, "\r\n\r\n");
    *end = '\0';
    cr_expect_null(strstr(m.raw, "\nBcc"), "%s", m.raw);
    cr_expect_eq(mail_count("victim@example.com"), 0);
    cr_expect_eq(r->status == 200, strstr(m.subject, "Uno Bcc: victim@example.com") != NULL, "%s",
                 m.subject);
    api_patch(&owner, "/api/v1/business", (int)answer_int(now, "version") + 1,
              "{\"name\":\"Practice B\"}");
    mail_free(&m);
    api_close(&owner);
    api_release();
}

Test(invitations, a_suspended_practice_takes_nobody)
{
    struct api owner = api_login(OWNER_B);
    const char *email = new_address();
    invited(&owner, email);
    struct mail_read m = mail_wait(email, 1);
    cr_assert_eq(stack_ctl((const char *const[]){ "tenant", "suspend", "practice-b", NULL }, NULL),
                 0);
    struct answer *r = accept(m.code, PHRASE);
    cr_expect_eq(r->status, 403);
    cr_expect_str_eq(answer_code(r), "tenant_suspended");
    cr_assert_eq(stack_ctl((const char *const[]){ "tenant", "resume", "practice-b", NULL }, NULL),
                 0);
    cr_expect_eq(accept(m.code, PHRASE)->status, 200);
    mail_free(&m);
    api_close(&owner);
    api_release();
}
