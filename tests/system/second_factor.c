/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The second factor: set up, asked for at login, each code good once, backup codes, removal; a practice that requires it; and
 * dangerous actions that want a recent proof. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/api.h"
#include "tests/support/authenticator.h"
#include "tests/support/db.h"
#include "tests/support/failures.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define FACTOR   "/api/v1/auth/second-factor"
#define CONFIRM  FACTOR "/confirm"
#define CODES    FACTOR "/backup-codes"
#define STEP_UP  "/api/v1/auth/step-up"
#define REQUIRED "/api/v1/business/second-factor"
#define ME       "/api/v1/me"
#define WRONG    "000000"

TestSuite(second_factor, .timeout = 240);

/* Somebody with the stack's password, a member of practice a with this role. */
struct person {
    const char *email;
    struct api api;
    struct authenticator app;
    const char *backup[10];
};

static const char *new_account(const char *tenant, const char *role)
{
    PGconn *db = db_super();
    const char *email = api_text("factor-%d-%ld@example.com", (int)getpid(), random());
    char *id = db_value(db,
                        "INSERT INTO public.account(id, email, password_hash)"
                        " SELECT gen_random_uuid(), $1, password_hash FROM public.account"
                        " WHERE email = '" OWNER_A "' RETURNING id",
                        email, NULL);
    cr_assert_eq(db_number(db,
                           "WITH made AS (INSERT INTO public.membership(account_id, tenant_id,"
                           " staff_id, role) SELECT $1::uuid, t.id, (SELECT m.staff_id FROM"
                           " public.membership m WHERE m.tenant_id = t.id LIMIT 1), $3"
                           " FROM public.tenant t WHERE t.slug = $2 RETURNING 1)"
                           " SELECT count(*) FROM made",
                           id, tenant, role, NULL),
                 1);
    free(id);
    PQfinish(db);
    return email;
}

static struct answer *login(const char *email, const char *code)
{
    struct api a = api_anonymous();
    struct answer *r = code ? api_post(&a, "/api/v1/auth/login",
                                       "{\"email\":\"%s\",\"password\":\"%s\",\"code\":\"%s\"}",
                                       email, stack_password(), code)
                            : api_post(&a, "/api/v1/auth/login",
                                       "{\"email\":\"%s\",\"password\":\"%s\"}", email,
                                       stack_password());
    api_close(&a);
    return r;
}

static void take_tokens(struct api *a, const struct answer *r)
{
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    snprintf(a->token, sizeof a->token, "%s", answer_text(r, "access_token"));
    if (answer_text(r, "refresh_token")) {
        snprintf(a->refresh, sizeof a->refresh, "%s", answer_text(r, "refresh_token"));
    }
}

static void renew_tokens(struct api *a)
{
    struct api nobody = api_anonymous();
    take_tokens(
        a, api_post(&nobody, "/api/v1/auth/refresh", "{\"refresh_token\":\"%s\"}", a->refresh));
    api_close(&nobody);
}

static void expect_refused(const struct answer *r, int status, const char *code, const char *what)
{
    cr_expect_eq(r->status, status, "%s: %d %s", what, r->status, r->http.body);
    cr_expect_str_eq(answer_code(r), code, "%s", what);
}

static struct answer *begin(struct api *a)
{
    return api_post(a, FACTOR, "{\"password\":\"%s\"}", stack_password());
}

/* Codes of this step and those before become good again: what the clock would do. */
static void forget_step(const char *email)
{
    PGconn *db = db_super();
    cr_assert_eq(db_number(db,
                           "WITH changed AS (UPDATE public.second_factor f SET last_step = 0"
                           " FROM public.account a WHERE a.id = f.account_id AND a.email = $1"
                           " RETURNING 1) SELECT count(*) FROM changed",
                           email, NULL),
                 1);
    PQfinish(db);
}

static void enrol(struct person *p)
{
    struct answer *r = begin(&p->api);
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    p->app = authenticator_with(answer_text(r, "secret"));
    r = api_post(&p->api, CONFIRM, "{\"code\":\"%s\"}", authenticator_code(&p->app, 0));
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    cr_assert_eq(answer_count(r, "backup_codes"), 10);
    for (int i = 0; i < 10; i++) {
        p->backup[i] = answer_text(r, api_text("backup_codes.%d", i));
    }
    forget_step(p->email);
}

static struct person new_person(const char *role)
{
    struct person p = { .email = new_account("practice-a", role), .api = api_anonymous() };
    take_tokens(&p.api, login(p.email, NULL));
    return p;
}

static struct person new_enrolled(const char *role)
{
    struct person p = new_person(role);
    enrol(&p);
    return p;
}

static bool is_dead(void *arg)
{
    return api_get(arg, ME)->status == 401;
}

Test(second_factor, is_set_up_and_asked_for)
{
    struct person p = new_person("receptionist");
    struct api other = api_anonymous();
    take_tokens(&other, login(p.email, NULL));
    struct answer *r = api_get(&p.api, FACTOR);
    cr_assert_eq(r->status, 200);
    cr_expect_str_eq(answer_text(r, "enabled"), "false");
    expect_refused(api_post(&p.api, FACTOR, "{\"password\":\"not the password\"}"), 422,
                   "validation_failed", "a wrong password");
    expect_refused(api_post(&p.api, CONFIRM, "{\"code\":\"" WRONG "\"}"), 409, "state_conflict",
                   "nothing to confirm");
    r = begin(&p.api);
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    p.app = authenticator_with(answer_text(r, "secret"));
    char *label = strdup(p.email);
    *strchr(label, '@') = '\0';
    cr_expect_str_eq(answer_text(r, "uri"),
                     api_text("otpauth://totp/Gremio:%s%%40example.com?secret=%s&issuer=Gremio"
                              "&algorithm=SHA1&digits=6&period=30",
                              label, answer_text(r, "secret")));
    free(label);
    cr_expect_str_eq(answer_header(r, "cache-control"), "no-store");
    /* Not in force before a code was given. */
    cr_expect_eq(login(p.email, NULL)->status, 200);
    expect_refused(api_post(&p.api, CONFIRM, "{\"code\":\"" WRONG "\"}"), 422, "validation_failed",
                   "a wrong code");
    r = api_post(&p.api, CONFIRM, "{\"code\":\"%s\"}", authenticator_code(&p.app, 0));
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    expect_refused(login(p.email, authenticator_code(&p.app, -1)), 401, "invalid_code",
                   "a code before the one that confirmed it");
    forget_step(p.email);
    cr_expect(wait_until(is_dead, &other, WAIT_LONG_MS), "a session without a code lives");
    cr_expect_eq(api_get(&p.api, ME)->status, 200, "the session that confirmed it");
    expect_refused(begin(&p.api), 409, "state_conflict", "a second one");
    expect_refused(login(p.email, NULL), 401, "second_factor_required", "no code");
    expect_refused(login(p.email, WRONG), 401, "invalid_code", "a wrong code");
    r = login(p.email, authenticator_code(&p.app, 0));
    cr_expect_eq(r->status, 200, "%d %s", r->status, r->http.body);
    r = api_get(&p.api, FACTOR);
    cr_expect_str_eq(answer_text(r, "enabled"), "true");
    cr_expect_eq(answer_int(r, "backup_codes"), 10);
    api_close(&other);
    api_close(&p.api);
    api_release();
}

/* What a camera sees of an SVG: drawn by librsvg, read by zbar. Freed by the caller. */
static char *read_qr(const char *svg)
{
    static const char command[] =
        "rsvg-convert --width 600 '%s/code.svg' >'%s/code.png' && zbarimg --raw -q '%s/code.png'";
    char folder[] = "/tmp/gremio-qr-XXXXXX", text[512] = "";
    cr_assert_not_null(mkdtemp(folder));
    FILE *file = fopen(api_text("%s/code.svg", folder), "w");
    cr_assert(file && fputs(svg, file) >= 0 && fclose(file) == 0);
    FILE *said = popen(api_text(command, folder, folder, folder), "r");
    cr_assert_not_null(said);
    size_t n = fread(text, 1, sizeof(text) - 1, said);
    cr_expect_eq(pclose(said), 0, "rsvg-convert and zbarimg read it");
    cr_expect_eq(system(api_text("rm -r '%s'", folder)), 0);
    text[n > 0 && text[n - 1] == '\n' ? n - 1 : n] = '\0';
    return strdup(text);
}

Test(second_factor, qr_code_is_read_by_a_camera)
{
    struct person p = new_person("receptionist");
    struct answer *r = begin(&p.api);
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    char *seen = read_qr(answer_text(r, "qr_svg"));
    cr_expect_str_eq(seen, answer_text(r, "uri"));
    free(seen);
    api_close(&p.api);
    api_release();
}

/* Who does not know the password learns nothing of the factor, and a new password does not remove it. */
Test(second_factor, stays_behind_the_password)
{
    struct person p = new_enrolled("receptionist");
    struct api nobody = api_anonymous();
    struct answer *r = api_post(&nobody, "/api/v1/auth/login",
                                "{\"email\":\"%s\",\"password\":\"not the password\"}", p.email);
    expect_refused(r, 401, "invalid_credentials", "a wrong password");
    r = api_post(&p.api, "/api/v1/auth/password",
                 "{\"password\":\"%s\",\"new_password\":\"otro-caballo-sin-bateria\"}",
                 stack_password());
    cr_assert_eq(r->status, 204, "%d %s", r->status, r->http.body);
    r = api_post(&nobody, "/api/v1/auth/login",
                 "{\"email\":\"%s\",\"password\":\"otro-caballo-sin-bateria\"}", p.email);
    expect_refused(r, 401, "second_factor_required", "after a new password");
    api_close(&nobody);
    api_close(&p.api);
    api_release();
}

Test(second_factor, each_code_is_good_once)
{
    struct person p = new_enrolled("receptionist");
    const char *used = api_text("%s", authenticator_code(&p.app, 0));
    cr_assert_eq(login(p.email, used)->status, 200);
    expect_refused(login(p.email, used), 401, "invalid_code", "the same code");
    /* What is older than a used one is used too. */
    expect_refused(login(p.email, authenticator_code(&p.app, -1)), 401, "invalid_code",
                   "an older code");
    expect_refused(login(p.email, authenticator_code(&p.app, 5)), 401, "invalid_code",
                   "a code of the future");
    forget_step(p.email);
    expect_refused(login(p.email, authenticator_code(&p.app, -5)), 401, "invalid_code",
                   "a code of the past");
    cr_expect_eq(login(p.email, authenticator_code(&p.app, 0))->status, 200);
    api_close(&p.api);
    api_release();
}

struct racer {
    pthread_t thread;
    const char *email, *code;
    int status;
};

static void *race_login(void *arg)
{
    struct racer *me = arg;
    me->status = login(me->email, me->code)->status;
    api_release();
    return NULL;
}

/* How many of four logins at once with one code are let in. */
static int race(const char *email, const char *code)
{
    struct racer racers[4];
    int in = 0;
    for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
        racers[i] = (struct racer){ .email = email, .code = code };
        cr_assert_eq(pthread_create(&racers[i].thread, NULL, race_login, &racers[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
        pthread_join(racers[i].thread, NULL);
        cr_expect(racers[i].status == 200 || racers[i].status == 401, "%d", racers[i].status);
        in += racers[i].status == 200;
    }
    return in;
}

static void forget_failures(void)
{
    PGconn *db = db_super();
    db_do(db, "DELETE FROM public.login_failure");
    PQfinish(db);
}

Test(second_factor, of_racing_logins_with_one_code_one_wins)
{
    struct person p = new_enrolled("receptionist");
    for (int round = 0; round < 5; round++) {
        forget_failures();
        forget_step(p.email);
        cr_expect_eq(race(p.email, api_text("%s", authenticator_code(&p.app, 0))), 1);
        cr_expect_eq(race(p.email, p.backup[round]), 1);
    }
    cr_expect_eq(answer_int(api_get(&p.api, FACTOR), "backup_codes"), 5);
    api_close(&p.api);
    api_release();
}

/* A thread that confirms the person's factor; the login is a struct racer without a code. */
struct confirmer {
    pthread_t thread;
    struct api api;
    const char *code;
    int status;
};

static void *race_confirm(void *arg)
{
    struct confirmer *me = arg;
    me->status = api_post(&me->api, CONFIRM, "{\"code\":\"%s\"}", me->code)->status;
    api_release();
    return NULL;
}

struct waiting {
    PGconn *db;
    long count;
};

static bool auth_slots_wait(void *arg)
{
    const struct waiting *w = arg;
    return db_number(w->db,
                     "SELECT count(*) FROM pg_stat_activity WHERE usename = 'gremio_auth'"
                     " AND wait_event_type = 'Lock'",
                     NULL) == w->count;
}

/* A login without a code has seen no factor and cannot yet open its session; then the factor is confirmed. False when one of them
 * was told to come again, because it waited for too long. */
static bool meet(struct person *p, struct racer *racer, struct confirmer *confirmer)
{
    struct waiting w = { db_super(), 1 };
    db_do(w.db, "BEGIN");
    db_do(w.db, "LOCK TABLE public.session IN SHARE MODE");
    cr_assert_eq(pthread_create(&racer->thread, NULL, race_login, racer), 0);
    bool met = wait_until(auth_slots_wait, &w, WAIT_LONG_MS);
    cr_assert_eq(pthread_create(&confirmer->thread, NULL, race_confirm, confirmer), 0);
    w.count = 2;
    met = wait_until(auth_slots_wait, &w, 1500) && met;
    db_do(w.db, "COMMIT");
    PQfinish(w.db);
    pthread_join(racer->thread, NULL);
    pthread_join(confirmer->thread, NULL);
    p->api = confirmer->api;
    return met && racer->status < 500 && confirmer->status < 500;
}

/* It opens nothing that stays. */
Test(second_factor, a_login_without_a_code_does_not_outlive_the_confirmation)
{
    bool met = false;
    for (int i = 0; i < 10 && !met; i++) {
        struct person p = new_person("receptionist");
        p.app = authenticator_with(answer_text(begin(&p.api), "secret"));
        struct racer racer = { .email = p.email };
        struct confirmer confirmer = { .api = p.api,
                                       .code = api_text("%s", authenticator_code(&p.app, 0)) };
        met = meet(&p, &racer, &confirmer);
        if (met) {
            cr_expect_eq(confirmer.status, 200);
            cr_expect_eq(answer_count(api_get(&p.api, "/api/v1/auth/sessions"), "data"), 1,
                         "the login (%d) opened a session that stays", racer.status);
        }
        api_close(&p.api);
        api_release();
    }
    cr_expect(met, "the two never met");
}

Test(second_factor, backup_codes_are_good_once_and_replaced)
{
    struct person p = new_enrolled("receptionist");
    cr_expect_eq(strlen(p.backup[0]), 11);
    cr_expect_eq(login(p.email, p.backup[0])->status, 200);
    expect_refused(login(p.email, p.backup[0]), 401, "invalid_code", "used twice");
    /* As people type it: without the dash, in capitals. */
    char typed[12] = "";
    for (const char *c = p.backup[1]; *c; c++) {
        if (*c != '-') {
            typed[strlen(typed)] = (char)(*c >= 'a' ? *c - 32 : *c);
        }
    }
    cr_expect_eq(login(p.email, typed)->status, 200);
    expect_refused(login(p.email, "aaaaa-aaaaa"), 401, "invalid_code", "a guess");
    cr_expect_eq(answer_int(api_get(&p.api, FACTOR), "backup_codes"), 8);
    struct answer *r = api_post(&p.api, CODES, "{\"password\":\"%s\",\"code\":\"" WRONG "\"}",
                                stack_password());
    cr_expect_eq(r->status, 422);
    cr_expect(answer_blames(r, "/code"));
    r = api_post(&p.api, CODES, "{\"password\":\"%s\",\"code\":\"%s\"}", stack_password(),
                 authenticator_code(&p.app, 0));
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    cr_expect_eq(answer_count(r, "backup_codes"), 10);
    expect_refused(login(p.email, p.backup[2]), 401, "invalid_code", "one of those before");
    cr_expect_eq(login(p.email, answer_text(r, "backup_codes.9"))->status, 200);
    api_close(&p.api);
    api_release();
}

/* Nothing that opens an account is in the database as it is. */
Test(second_factor, is_stored_sealed_and_hashed)
{
    struct person p = new_enrolled("receptionist"), thief = new_enrolled("staff");
    PGconn *db = db_super();
    char hex[2 * TOTP_SECRET_BYTES + 1];
    for (int i = 0; i < TOTP_SECRET_BYTES; i++) {
        snprintf(hex + 2 * i, 3, "%02x", p.app.secret[i]);
    }
    cr_expect_eq(db_number(db,
                           "SELECT count(*) FROM public.second_factor f, public.backup_code b"
                           " WHERE b.account_id = f.account_id AND (f::text LIKE '%' || $1 || '%'"
                           " OR b::text LIKE '%' || $2 || '%'"
                           " OR b.code_hash = sha256(convert_to($2, 'UTF8')))",
                           hex, p.backup[0], NULL),
                 0);
    /* A secret put into another account's row opens nothing. */
    db_number(db,
              "WITH changed AS (UPDATE public.second_factor f SET secret_sealed = t.secret_sealed"
              " FROM public.second_factor t, public.account a, public.account b WHERE a.email = $1"
              " AND b.email = $2 AND f.account_id = a.id AND t.account_id = b.id RETURNING 1)"
              " SELECT count(*) FROM changed",
              p.email, thief.email, NULL);
    cr_expect_geq(login(p.email, authenticator_code(&thief.app, 0))->status, 401);
    PQfinish(db);
    api_close(&p.api);
    api_close(&thief.api);
    api_release();
}

Test(second_factor, guessing_codes_gets_slow_and_the_owner_gets_in)
{
    struct person p = new_enrolled("receptionist");
    struct api guesser = api_anonymous();
    guesser.from = "127.0.9.1";
    struct answer *r = NULL;
    forget_failures();
    for (int i = 0; i < 11; i++) {
        if (i == 10) {
            failures_hold();
        }
        r = api_post(&guesser, "/api/v1/auth/login",
                     "{\"email\":\"%s\",\"password\":\"%s\",\"code\":\"%06d\"}", p.email,
                     stack_password(), i);
        cr_assert_eq(r->status, i < 10 ? 401 : 429, "try %d: %d", i, r->status);
    }
    cr_expect_not_null(answer_header(r, "retry-after"));
    cr_expect_eq(login(p.email, authenticator_code(&p.app, 0))->status, 200);
    /* In a session that somebody found open, too. */
    for (int i = 0; i < 11; i++) {
        if (i == 10) {
            failures_hold();
        }
        r = api_post(&p.api, STEP_UP, "{\"code\":\"%06d\"}", i);
        cr_assert_eq(r->status, i < 10 ? 422 : 429, "try %d: %d", i, r->status);
    }
    forget_failures();
    api_close(&guesser);
    api_close(&p.api);
    api_release();
}

static void add_wrong_codes(const char *email, const char *count)
{
    PGconn *db = db_super();
    db_number(db,
              "WITH changed AS (UPDATE public.second_factor f SET failures = f.failures + $2::int"
              " FROM public.account a WHERE a.id = f.account_id AND a.email = $1 RETURNING 1)"
              " SELECT count(*) FROM changed",
              email, count, NULL);
    PQfinish(db);
}

/* Guessing slowly is no way in either: after a hundred wrong codes in a row only a backup code is taken. */
Test(second_factor, a_hundred_wrong_codes_in_a_row_are_the_last)
{
    struct person p = new_enrolled("receptionist");
    add_wrong_codes(p.email, "98");
    cr_expect_eq(login(p.email, WRONG)->status, 401);
    cr_expect_eq(login(p.email, authenticator_code(&p.app, 0))->status, 200, "after 99");
    forget_step(p.email);
    cr_expect_eq(login(p.email, WRONG)->status, 401, "the first of a new row");
    add_wrong_codes(p.email, "98");
    cr_expect_eq(login(p.email, WRONG)->status, 401, "the hundredth");
    expect_refused(login(p.email, authenticator_code(&p.app, 0)), 401, "invalid_code",
                   "a good one");
    cr_expect_eq(login(p.email, p.backup[0])->status, 200, "a backup code");
    cr_expect_eq(login(p.email, authenticator_code(&p.app, 0))->status, 200, "and then the next");
    api_close(&p.api);
    api_release();
}

/* Device and backup codes are lost: an operator helps, and whoever has found the device is out. */
Test(second_factor, an_operator_removes_what_was_lost)
{
    struct person p = new_enrolled("receptionist");
    const char *const args[] = { "account", "remove-factor", p.email, NULL };
    cr_expect_eq(stack_ctl(args, NULL), 0);
    cr_expect(wait_until(is_dead, &p.api, WAIT_LONG_MS), "a session lives");
    cr_expect_eq(login(p.email, NULL)->status, 200);
    cr_expect_eq(stack_ctl(args, NULL), 3, "removed twice");
    cr_expect_eq(
        stack_ctl((const char *const[]){ "account", "remove-factor", "nowhere", NULL }, NULL), 2);
    api_close(&p.api);
    api_release();
}

static struct answer *remove_factor(struct person *p, const char *password, const char *code)
{
    return api_send(&p->api, "DELETE", FACTOR,
                    api_text("{\"password\":\"%s\",\"code\":\"%s\"}", password, code), NULL);
}

Test(second_factor, is_removed_with_password_and_code)
{
    struct person p = new_enrolled("receptionist");
    cr_expect_eq(remove_factor(&p, "not the password", authenticator_code(&p.app, 0))->status, 422);
    cr_expect_eq(remove_factor(&p, stack_password(), WRONG)->status, 422);
    expect_refused(login(p.email, NULL), 401, "second_factor_required", "after refusals");
    cr_expect_eq(remove_factor(&p, stack_password(), authenticator_code(&p.app, 0))->status, 204);
    cr_expect_eq(login(p.email, NULL)->status, 200);
    expect_refused(remove_factor(&p, stack_password(), authenticator_code(&p.app, 1)), 409,
                   "state_conflict", "removed twice");
    expect_refused(api_post(&p.api, STEP_UP, "{\"code\":\"%s\"}", authenticator_code(&p.app, 1)),
                   409, "state_conflict", "step-up with what is gone");
    enrol(&p); /* another device */
    cr_expect_eq(login(p.email, authenticator_code(&p.app, 0))->status, 200);
    api_close(&p.api);
    api_release();
}

/* ---- a practice that requires it ---- */

static void put_required(struct api *a, bool required)
{
    struct answer *r = api_send(a, "PUT", REQUIRED,
                                required ? "{\"required\":true}" : "{\"required\":false}", NULL);
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    cr_expect_str_eq(answer_text(api_get(a, REQUIRED), "required"), required ? "true" : "false");
}

static void make_practice(const char *slug, const char *owner)
{
    const char *const args[] = {
        "tenant", "create",   slug,      "--name",     "F",   "--owner-email",
        owner,    "--sector", "dentist", "--country",  "MX",  "--time-zone",
        "UTC",    "--locale", "es-MX",   "--currency", "MXN", NULL
    };
    cr_assert_eq(stack_ctl(args, NULL), 0);
    PGconn *db = db_super();
    db_number(db,
              "WITH changed AS (UPDATE public.account SET password_hash = (SELECT password_hash"
              " FROM public.account WHERE email = '" OWNER_A "') WHERE email = $1 RETURNING 1)"
              " SELECT count(*) FROM changed",
              owner, NULL);
    PQfinish(db);
}

static bool is_limited(void *arg)
{
    struct api *a = arg;
    renew_tokens(a);
    return strcmp(answer_code(api_get(a, ME)), "second_factor_enrolment_required") == 0;
}

Test(second_factor, a_practice_may_require_it)
{
    make_practice("factor-all", "factor-owner@example.com");
    struct person owner = { .email = "factor-owner@example.com", .api = api_anonymous() };
    struct person member = { .email = new_account("factor-all", "receptionist"),
                             .api = api_anonymous() };
    take_tokens(&owner.api, login(owner.email, NULL));
    take_tokens(&member.api, login(member.email, NULL));
    expect_refused(api_send(&owner.api, "PUT", REQUIRED, "{\"required\":true}", NULL), 409,
                   "state_conflict", "by an owner without one");
    enrol(&owner);
    expect_refused(api_send(&member.api, "PUT", REQUIRED, "{\"required\":true}", NULL), 403,
                   "forbidden", "by staff");
    put_required(&owner.api, true);
    /* The session that was there is limited as of its next token, a new one at once. */
    cr_expect(wait_until(is_limited, &member.api, WAIT_LONG_MS));
    take_tokens(&member.api, login(member.email, NULL));
    static const char *const closed[] = { ME, "/api/v1/clients", "/api/v1/auth/sessions",
                                          "/api/v1/auth/tenants" };
    for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
        expect_refused(api_get(&member.api, "%s", closed[i]), 403,
                       "second_factor_enrolment_required", closed[i]);
    }
    expect_refused(api_post(&member.api, "/api/v1/auth/switch", "{\"tenant\":\"practice-a\"}"), 403,
                   "second_factor_enrolment_required", "switch");
    struct answer *r = api_get(&member.api, FACTOR);
    cr_expect_eq(r->status, 200);
    cr_expect_str_eq(answer_text(r, "required"), "true");
    enrol(&member);
    renew_tokens(&member.api);
    cr_expect_eq(api_get(&member.api, ME)->status, 200, "after enrolment");
    /* Without it again: removed, and everything else is closed again with the next token. */
    cr_expect_eq(
        remove_factor(&member, stack_password(), authenticator_code(&member.app, 0))->status, 204);
    cr_expect(wait_until(is_limited, &member.api, WAIT_LONG_MS));
    put_required(&owner.api, false);
    take_tokens(&member.api, login(member.email, NULL));
    cr_expect_eq(api_get(&member.api, ME)->status, 200, "no longer required");
    api_close(&owner.api);
    api_close(&member.api);
    api_release();
}

/* ---- step-up ---- */

/* The session's last proof is so long ago. */
static void age_proof(struct api *a, const char *interval)
{
    struct answer *r = api_get(a, "/api/v1/auth/sessions");
    PGconn *db = db_super();
    cr_assert_eq(answer_count(r, "data") > 0, true);
    cr_assert_eq(db_number(db,
                           "WITH changed AS (UPDATE public.session SET proved_at = now() -"
                           " $2::interval WHERE id = $1::uuid RETURNING 1)"
                           " SELECT count(*) FROM changed",
                           answer_text(r, "data.0.id"), interval, NULL),
                 1);
    PQfinish(db);
    renew_tokens(a);
}

static struct answer *rename_staff(struct api *a, const char *id, int version)
{
    return api_patch(a, api_text("/api/v1/staff/%s", id), version, "{\"name\":\"%s\"}",
                     api_unique("Step"));
}

Test(second_factor, dangerous_actions_want_a_recent_proof)
{
    make_practice("factor-step", "factor-step@example.com");
    struct person p = { .email = "factor-step@example.com", .api = api_anonymous() };
    take_tokens(&p.api, login(p.email, NULL));
    const char *id = api_new_staff(&p.api, "Somebody");
    cr_expect_eq(rename_staff(&p.api, id, 1)->status, 200, "just after the login");
    age_proof(&p.api, "9 minutes");
    cr_expect_eq(rename_staff(&p.api, id, 2)->status, 200, "within ten minutes");
    age_proof(&p.api, "11 minutes");
    expect_refused(rename_staff(&p.api, id, 3), 403, "step_up_required", "after ten minutes");
    expect_refused(
        api_send(&p.api, "DELETE", api_text("/api/v1/staff/%s", id), NULL, "If-Match: \"3\"\r\n"),
        403, "step_up_required", "archiving");
    expect_refused(api_send(&p.api, "PUT", REQUIRED, "{\"required\":false}", NULL), 403,
                   "step_up_required", "the practice's rule");
    cr_expect_eq(api_get(&p.api, "/api/v1/staff/%s", id)->status, 200, "reading");
    struct answer *r = api_post(&p.api, STEP_UP, "{}");
    cr_expect_eq(r->status, 422);
    r = api_post(&p.api, STEP_UP, "{\"password\":\"not the password\"}");
    cr_expect(r->status == 422 && answer_blames(r, "/password"), "%d", r->status);
    expect_refused(rename_staff(&p.api, id, 3), 403, "step_up_required", "after a wrong password");
    r = api_post(&p.api, STEP_UP, "{\"password\":\"%s\"}", stack_password());
    cr_expect_null(answer_text(r, "refresh_token"));
    take_tokens(&p.api, r);
    cr_expect_eq(rename_staff(&p.api, id, 3)->status, 200, "after the password");
    renew_tokens(&p.api);
    cr_expect_eq(rename_staff(&p.api, id, 4)->status, 200, "a renewed token still says so");
    enrol(&p);
    age_proof(&p.api, "11 minutes");
    expect_refused(rename_staff(&p.api, id, 5), 403, "step_up_required", "again too late");
    take_tokens(&p.api,
                api_post(&p.api, STEP_UP, "{\"code\":\"%s\"}", authenticator_code(&p.app, 0)));
    cr_expect_eq(rename_staff(&p.api, id, 5)->status, 200, "after a code");
    api_close(&p.api);
    api_release();
}
