/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A forgotten password and an account's address, by the mail that comes: what a link does, once; what it does not; and that nobody learns which
 * addresses are accounts. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/mail.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define FORGOT "/api/v1/auth/password/forgot"
#define RESET  "/api/v1/auth/password/reset"
#define VERIFY "/api/v1/auth/email/verify"

TestSuite(recovery, .timeout = 240);

/* A practice of its own, so that no other test's owner gets another password. */
static const char *new_owner(const char *locale)
{
    const char *slug = api_unique("mail");
    char *small = api_text("%s", slug), *output;
    for (char *p = small; *p; p++) {
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p == ' ' ? '-' : *p;
    }
    char *email = api_text("%s@example.com", small);
    const char *args[] = { "tenant",
                           "create",
                           small,
                           "--name",
                           "Práctica de correo",
                           "--owner-email",
                           email,
                           "--owner-password-file",
                           api_text("%s/password", stack_env("GREMIO_STATE")),
                           "--sector",
                           "dental",
                           "--country",
                           "MX",
                           "--time-zone",
                           "America/Mexico_City",
                           "--locale",
                           locale,
                           "--currency",
                           "MXN",
                           NULL };
    int code = stack_ctl(args, &output);
    cr_assert_eq(code, 0, "%s", output);
    free(output);
    return email;
}

static struct answer *ask(const char *from, const char *email)
{
    struct api a = api_anonymous();
    a.from = from;
    struct answer *r = api_post(&a, FORGOT, "{\"email\":\"%s\"}", email);
    api_close(&a);
    return r;
}

static struct answer *choose_from(const char *from, const char *code, const char *password)
{
    struct api a = api_anonymous();
    a.from = from;
    struct answer *r = api_post(&a, RESET, "{\"token\":\"%s\",\"new_password\":\"%s\"}", code,
                                password);
    api_close(&a);
    return r;
}

static struct answer *choose(const char *code, const char *password)
{
    return choose_from(NULL, code, password);
}

static struct answer *prove(const char *code)
{
    struct api a = api_anonymous();
    struct answer *r = api_post(&a, VERIFY, "{\"token\":\"%s\"}", code);
    api_close(&a);
    return r;
}

static void expect_over(const struct answer *r)
{
    cr_expect_eq(r->status, 410, "%d", r->status);
    cr_expect_str_eq(answer_code(r), "link_expired");
}

static int login_status(const char *email, const char *password)
{
    int status;
    struct api a = api_try_login(email, password, &status);
    api_close(&a);
    return status;
}

Test(recovery, a_link_gives_a_new_password_once)
{
    static const char fresh[] = "una frase larga y nueva 57";
    const char *email = new_owner("es-MX");
    struct api before = api_login(email);
    cr_assert_eq(ask("127.0.7.1", email)->status, 202);
    struct mail_read m = mail_wait(email, 1);
    cr_expect_str_eq(m.subject, "Elija una contraseña nueva");
    cr_expect(strstr(m.text, "contraseña"), "%s", m.text);
    cr_expect(strstr(m.link, "/auth/reset#") && strstr(m.link, m.code), "%s", m.link);
    cr_expect_eq(strncmp(m.link, stack_env("GREMIO_URL"), strlen(stack_env("GREMIO_URL"))), 0);
    /* What is not acceptable uses nothing up, and neither does looking at it. */
    cr_expect_eq(choose(m.code, "kurz")->status, 422);
    cr_expect_eq(choose(m.code, "password123")->status, 422);
    struct api nobody = api_anonymous();
    cr_expect_eq(api_get(&nobody, "/auth/reset")->status, 301);
    cr_expect_eq(api_get(&nobody, "/auth/reset/")->status, 200);
    cr_expect_eq(api_get(&nobody, RESET "?token=%s", m.code)->status, 405);
    api_close(&nobody);
    struct answer *done = choose(m.code, fresh);
    cr_assert_eq(done->status, 204, "%s", done->http.body);
    expect_over(choose(m.code, "otra frase larga y nueva 58"));
    cr_expect_eq(login_status(email, stack_password()), 401);
    cr_expect_eq(login_status(email, fresh), 200);
    cr_expect_eq(
        api_post(&before, "/api/v1/auth/refresh", "{\"refresh_token\":\"%s\"}", before.refresh)
            ->status,
        401, "an old session goes on");
    api_close(&before);
    mail_free(&m);
    api_release();
}

Test(recovery, a_newer_link_replaces_the_older_and_both_expire)
{
    const char *email = new_owner("en-US");
    PGconn *db = db_super();
    cr_assert_eq(ask("127.0.7.2", email)->status, 202);
    struct mail_read first = mail_wait(email, 1);
    cr_expect_str_eq(first.subject, "Choose a new password");
    cr_assert_eq(ask("127.0.7.2", email)->status, 202);
    struct mail_read second = mail_wait(email, 2);
    cr_expect_str_neq(first.code, second.code);
    expect_over(choose(first.code, "a long and new phrase 61"));
    db_number(
        db,
        "WITH old AS (UPDATE public.one_time_token SET expires_at = now() WHERE bound_email = $1"
        " RETURNING 1) SELECT count(*) FROM old",
        email, NULL);
    expect_over(choose(second.code, "a long and new phrase 61"));
    cr_expect_eq(login_status(email, stack_password()), 200);
    PQfinish(db);
    mail_free(&first);
    mail_free(&second);
    api_release();
}

static void without_id(struct answer *r)
{
    json_object_object_del(r->json, "request_id");
}

/* The same answer, and in the database the same rows: only that one of the messages is nobody's. */
Test(recovery, an_unknown_address_looks_the_same)
{
    const char *email = new_owner("es-MX"), *nobody = api_text("no-%s", email);
    struct answer *known = ask("127.0.7.3", email), *unknown = ask("127.0.7.3", nobody);
    cr_expect_eq(known->status, 202);
    cr_expect_eq(unknown->status, 202);
    cr_expect_str_eq(known->http.body, unknown->http.body);
    PGconn *db = db_super();
    const char *const addresses[] = { email, nobody };
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(db_number(db,
                               "SELECT count(*) FROM public.one_time_token WHERE bound_email = $1",
                               addresses[i], NULL),
                     1);
        cr_expect_eq(db_number(db, "SELECT count(*) FROM public.outbox WHERE recipient = $1",
                               addresses[i], NULL),
                     1);
    }
    struct mail_read m = mail_wait(email, 1);
    mail_settle();
    cr_expect_eq(mail_count(nobody), 0);
    /* Nothing that opens the account is in the database. */
    cr_expect_eq(db_number(db,
                           "SELECT count(*) FROM public.one_time_token t WHERE t::text LIKE '%'"
                           " || $1 || '%'",
                           m.code, NULL),
                 0);
    cr_expect_eq(db_number(db,
                           "SELECT count(*) FROM public.outbox WHERE recipient = $1 AND state ="
                           " 'sent' AND sealed IS NULL",
                           email, NULL),
                 1);
    mail_free(&m);
    PQfinish(db);
    api_release();
}

Test(recovery, asking_has_limits)
{
    const char *email = new_owner("es-MX");
    /* Three messages in a quarter of an hour; the last stays good, however often strangers ask. */
    for (int i = 0; i < 6; i++) {
        cr_expect_eq(ask(api_text("127.0.8.%d", i + 1), email)->status, 202);
    }
    struct mail_read m = mail_wait(email, 3);
    mail_settle();
    cr_expect_eq(mail_count(email), 3);
    cr_expect_eq(choose(m.code, "una frase larga y nueva 57")->status, 204);
    /* One address may ask for twenty. */
    for (int i = 0; i < 20; i++) {
        cr_expect_eq(ask("127.0.8.99", api_text("n%d-%s", i, email))->status, 202);
    }
    struct answer *known = ask("127.0.8.99", email), *unknown = ask("127.0.8.99", "x@example.com");
    cr_expect_eq(known->status, 429);
    cr_expect_not_null(answer_header(known, "retry-after"));
    without_id(known);
    without_id(unknown);
    cr_expect_str_eq(json_object_to_json_string(known->json),
                     json_object_to_json_string(unknown->json));
    mail_free(&m);
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
    char password[40], from[20]; /* one address may not fill all slots */
    int status;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    r->status = choose_from(r->from, r->code, r->password)->status;
    api_release();
    return NULL;
}

Test(recovery, of_many_at_once_one_wins)
{
    const char *email = new_owner("es-MX");
    cr_assert_eq(ask("127.0.7.4", email)->status, 202);
    struct mail_read m = mail_wait(email, 1);
    struct racer racers[6];
    PGconn *holder = db_super(), *watcher = db_super();
    db_do(holder, "BEGIN");
    db_do(holder,
          api_text("SELECT id FROM public.one_time_token WHERE bound_email = '%s' FOR UPDATE",
                   email));
    int won = 0, in = 0;
    for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
        racers[i].code = m.code;
        snprintf(racers[i].from, sizeof racers[i].from, "127.0.9.%zu", i + 1);
        snprintf(racers[i].password, sizeof racers[i].password, "frase larga y nueva %zu", i);
        pthread_create(&racers[i].thread, NULL, race, &racers[i]);
    }
    cr_expect(wait_until(two_wait, watcher, WAIT_LONG_MS));
    db_do(holder, "COMMIT");
    PQfinish(holder);
    PQfinish(watcher);
    for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
        pthread_join(racers[i].thread, NULL);
        bool mine = racers[i].status == 204;
        cr_expect(mine || racers[i].status == 410, "%d", racers[i].status);
        won += mine;
        in += mine && login_status(email, racers[i].password) == 200;
    }
    cr_expect_eq(won, 1);
    cr_expect_eq(in, 1);
    mail_free(&m);
    api_release();
}

Test(recovery, guesses_find_nothing_and_hash_nothing)
{
    static const char *const guesses[] = {
        "",
        "x",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", /* not canonical */
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "' OR true --",
        "%",
        "../../etc/passwd",
    };
    for (size_t i = 1; i < ARRAY_LEN(guesses); i++) {
        expect_over(choose(guesses[i], "una frase larga y nueva 57"));
        expect_over(prove(guesses[i]));
    }
    cr_expect_eq(choose(guesses[0], "una frase larga y nueva 57")->status, 422);
    struct answer *r = choose(guesses[2], "kurz");
    expect_over(r); /* the password is not even looked at */
    api_release();
}

Test(recovery, an_address_is_proved_once)
{
    const char *email = new_owner("es-MX");
    struct api owner = api_login(email);
    cr_assert_eq(api_send(&owner, "POST", "/api/v1/auth/email/verification", NULL, NULL)->status,
                 202);
    struct mail_read m = mail_wait(email, 1);
    cr_expect_str_eq(m.subject, "Confirme su correo");
    /* A link for one thing does not do another. */
    expect_over(choose(m.code, "una frase larga y nueva 57"));
    cr_expect_eq(prove(m.code)->status, 204);
    expect_over(prove(m.code));
    cr_expect_eq(api_send(&owner, "POST", "/api/v1/auth/email/verification", NULL, NULL)->status,
                 409);
    api_close(&owner);
    mail_free(&m);
    api_release();
}

static struct answer *move(struct api *a, const char *password, const char *to)
{
    return api_post(a, "/api/v1/auth/email", "{\"password\":\"%s\",\"new_email\":\"%s\"}", password,
                    to);
}

Test(recovery, an_address_changes_once_the_new_one_is_proved)
{
    const char *old = new_owner("es-MX"), *new = api_text("new-%s", old);
    struct api owner = api_login(old);
    cr_assert_eq(ask("127.0.7.5", old)->status, 202);
    struct mail_read reset = mail_wait(old, 1);
    cr_expect_eq(move(&owner, "not the password", new)->status, 422);
    cr_expect_eq(move(&owner, stack_password(), old)->status, 422);
    cr_assert_eq(move(&owner, stack_password(), new)->status, 202);
    struct mail_read m = mail_wait(new, 1);
    cr_expect_str_eq(m.subject, "Confirme su nuevo correo");
    cr_expect_eq(login_status(old, stack_password()), 200, "it changed before it was proved");
    cr_assert_eq(prove(m.code)->status, 204);
    cr_expect_eq(login_status(old, stack_password()), 401);
    cr_expect_eq(login_status(new, stack_password()), 200);
    struct mail_read told = mail_wait(old, 2);
    cr_expect_str_eq(told.subject, "Su cuenta usa otro correo");
    cr_expect(strstr(told.text, new) && !told.code[0], "%s", told.text);
    expect_over(choose(reset.code, "una frase larga y nueva 57"));
    expect_over(prove(m.code));
    mail_free(&reset);
    mail_free(&m);
    mail_free(&told);
    api_close(&owner);
    api_release();
}

Test(recovery, an_address_that_is_taken_is_not_told)
{
    const char *one = new_owner("es-MX"), *two = new_owner("es-MX"),
               *free_one = api_text("f-%s", one);
    struct api a = api_login(one), b = api_login(two);
    struct answer *taken = move(&a, stack_password(), two),
                  *open = move(&a, stack_password(), free_one);
    cr_expect_eq(taken->status, 202);
    cr_expect_str_eq(taken->http.body, open->http.body);
    struct mail_read m = mail_wait(free_one, 1);
    mail_settle();
    cr_expect_eq(mail_count(two), 0);
    /* Somebody else takes it meanwhile. */
    cr_assert_eq(move(&b, stack_password(), free_one)->status, 202);
    struct mail_read n = mail_wait(free_one, 2);
    cr_assert_eq(prove(n.code)->status, 204);
    cr_expect_eq(prove(m.code)->status, 409);
    cr_expect_eq(login_status(one, stack_password()), 200);
    mail_free(&m);
    mail_free(&n);
    api_close(&a);
    api_close(&b);
    api_release();
}

/* What would add a field or a recipient is no address. */
Test(recovery, no_header_can_be_smuggled_in)
{
    static const char *const evil[] = {
        "a@example.com\\r\\nBcc: b@example.com",
        "a@example.com\\nBcc: b@example.com",
        "a@example.com,b@example.com",
        "a@example.com>\\r\\n\\r\\nhello",
        "<a@example.com>",
        "a@example.com\\u0000",
        "a b@example.com",
        "\\\"a\\\"@example.com",
        "a@example.com;b@x.org",
    };
    const char *email = new_owner("es-MX");
    struct api owner = api_login(email);
    for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
        int forgot = ask("127.0.7.6", evil[i])->status;
        int change = move(&owner, stack_password(), evil[i])->status;
        cr_expect(forgot == 422 || forgot == 400, "%s: %d", evil[i], forgot);
        cr_expect(change == 422 || change == 400, "%s: %d", evil[i], change);
    }
    api_close(&owner);
    api_release();
}
