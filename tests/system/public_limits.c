/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What keeps strangers within bounds: work that is done once for each hold and booking, holds and visits that are counted, rates; and many of them at the
 * same moment. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/secret.h"
#include "tests/support/db.h"
#include "tests/support/own.h"
#include "tests/support/stack.h"
#include "tests/support/stranger.h"
#include "tests/support/volley.h"
#include "worker/work_proof.h"

#define A    "practice-a"
#define MANY 50

TestSuite(public_limits, .timeout = 180);

static struct answer *expect(struct answer *r, int status, const char *code)
{
    cr_assert_eq(r->status, status, "%d %s", r->status, r->http.body);
    cr_assert_str_eq(answer_code(r), code, "%s", r->http.body);
    return r;
}

/* ---- work ---- */

static long count_all(struct lobby *l)
{
    return db_number(l->db,
                     "SELECT (SELECT count(*) FROM client) + (SELECT count(*) FROM appointment) +"
                     " (SELECT count(*) FROM allocation) + (SELECT count(*) FROM used_proof)",
                     NULL);
}

static struct answer *with_proof(struct lobby *l, const char *rest, const char *start,
                                 const char *proof)
{
    const char *who = strcmp(rest, "/book") == 0
                          ? ",\"given_name\":\"Ana\",\"email\":\"a@example.com\""
                          : "";
    return api_post(&l->stranger, stranger_path(A, rest),
                    "{\"service_id\":\"%s\",\"starts_at\":\"%s\"%s%s}", l->service, start, who,
                    proof);
}

/* Of stranger_work's members with one character of the challenge or another nonce. */
static const char *spoilt(const char *work, size_t at)
{
    char *out = api_text(",%s", work);
    char *c = strstr(out, "challenge\":\"") + strlen("challenge\":\"") + at;
    *c = *c == '1' ? '2' : '1';
    return out;
}

static const char *with_nonce(const char *work, const char *nonce)
{
    const char *end = strstr(work, "\"nonce\":\"");
    return api_text(",%.*s\"nonce\":\"%s\"", (int)(end - work), work, nonce);
}

/* By both routes, and nothing is changed. */
static void expect_refused(struct lobby *l, const char *start, const char *proof, const char *at,
                           const char *code)
{
    static const char *const routes[] = { "/holds", "/book" };
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        long before = count_all(l);
        struct answer *r = with_proof(l, routes[i], start, proof);
        cr_expect_eq(r->status, 422, "%s%s: %d %s", routes[i], proof, r->status, r->http.body);
        cr_expect(answer_blames(r, at), "%s: %s", proof, r->http.body);
        cr_expect(strstr(r->http.body, api_text("\"code\":\"%s\"", code)) != NULL, "%s: %s", proof,
                  r->http.body);
        cr_expect_eq(count_all(l), before, "%s%s changed something", routes[i], proof);
    }
}

Test(public_limits, no_work_no_booking)
{
    struct lobby l = lobby_open("");
    struct api other = api_login(OWNER_B);
    const char *start = lobby_start(&l, 2), *work = stranger_work(&l.stranger, A);
    stranger_let_in(&other, "");
    const char *theirs = stranger_work(&l.stranger, "practice-b");
    expect_refused(&l, start, "", "/challenge", "required");
    expect_refused(&l, start, ",\"nonce\":\"1\"", "/challenge", "required");
    expect_refused(&l, start, ",\"challenge\":\"18.99999999999.x.y\"", "/nonce", "required");
    expect_refused(&l, start, ",\"challenge\":\"18.99999999999.x.y\",\"nonce\":\"1\"", "/challenge",
                   "not_found");
    expect_refused(&l, start, api_text(",%s", theirs), "/challenge", "not_found");
    for (size_t i = 0; i < 20; i += 3) {
        expect_refused(&l, start, spoilt(work, i), "/challenge", "not_found");
    }
    int wrong = 0; /* one in 256 solves it by luck */
    for (int i = 0; i < 3; i++) {
        struct answer *r = with_proof(&l, "/book", "1999-01-01T10:00",
                                      with_nonce(work, api_text("guess-%d", i)));
        wrong += answer_blames(r, "/nonce");
    }
    cr_expect_geq(wrong, 2);
    expect(with_proof(&l, "/book", start, api_text(",%s", work)), 201, "");
    stranger_policy(&other, "\"public_booking\":false");
    api_close(&other);
    lobby_close(&l);
}

/* A challenge without work, signed as a worker signs it, so many seconds ago. */
static const char *signed_ago(struct lobby *l, int64_t seconds)
{
    char pool_key[SECRET_KEY_TEXT], proof_key[SECRET_KEY_TEXT], challenge[WORK_PROOF_TEXT];
    const char *path = api_text("%s/secrets/pool.key", stack_env("GREMIO_STATE"));
    char *id = db_value(l->db, "SELECT id FROM public.tenant WHERE slug = $1", A, NULL);
    struct uuid practice;
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(secret_init(), OK);
    cr_assert_eq(uuid_parse(slice_of(id), &practice), OK);
    cr_assert_eq(conf_secret(path, pool_key, sizeof pool_key, &why), OK);
    cr_assert_eq(secret_login_password(pool_key, "proof", proof_key), OK);
    cr_assert_eq(work_proof_make(proof_key, &practice, 0, clock_wall_s() - seconds, challenge), OK);
    sbuf_fini(&why);
    free(id);
    return api_text(",\"challenge\":\"%s\",\"nonce\":\"1\"", challenge);
}

Test(public_limits, a_challenge_is_good_for_five_minutes)
{
    struct lobby l = lobby_open("");
    const char *start = lobby_start(&l, 2);
    expect_refused(&l, start, signed_ago(&l, 300), "/challenge", "stale");
    expect(with_proof(&l, "/book", start, signed_ago(&l, 240)), 201, "");
    lobby_close(&l);
}

/* Once for all that it is for; what is refused has used nothing up. */
Test(public_limits, a_solution_works_once)
{
    struct lobby l = lobby_open("");
    const char *proof = api_text(",%s", stranger_work(&l.stranger, A));
    expect(with_proof(&l, "/book", api_text("%sT10:07", api_day(8)), proof), 409, "slot_taken");
    expect(with_proof(&l, "/holds", lobby_start(&l, 2), proof), 201, "");
    expect_refused(&l, lobby_start(&l, 5), proof, "/challenge", "used");
    lobby_close(&l);
}

Test(public_limits, of_many_with_one_solution_one_is_served)
{
    struct lobby l = lobby_open("");
    static struct shot shots[MANY];
    const char *work = stranger_work(&l.stranger, A);
    for (int i = 0; i < MANY; i++) {
        shots[i] = (struct shot){
            .token = "",
            .method = "POST",
            .path = stranger_path(A, "/book"),
            .body = api_text("{\"service_id\":\"%s\",\"starts_at\":\"%s\",\"given_name\":\"Ana\","
                             "\"email\":\"a@example.com\",%s}",
                             l.service, lobby_start(&l, i), work),
        };
    }
    volley_fire(shots, MANY);
    volley_print("one solution", shots, MANY);
    cr_expect_eq(volley_count(shots, MANY, 201, NULL), 1);
    cr_expect_eq(
        db_number(l.db, "SELECT count(*) FROM appointment WHERE service_id = $1", l.service, NULL),
        1);
    lobby_close(&l);
}

/* Used ones are forgotten once they are too old to be used. */
Test(public_limits, used_solutions_are_swept)
{
    struct lobby l = lobby_open("");
    expect(lobby_book(&l, lobby_start(&l, 2), "a@example.com", ""), 201, "");
    db_do(l.db, "UPDATE used_proof SET expires_at = now() - interval '1 second'");
    expect(lobby_book(&l, lobby_start(&l, 2), "a@example.com", ""), 201, "");
    cr_expect_eq(db_number(l.db, "SELECT count(*) FROM used_proof", NULL), 1);
    lobby_close(&l);
}

/* The setting asks for more, or for none; the two workers agree about what the other has signed. */
Test(public_limits, as_much_work_as_the_setting_says)
{
    struct lobby l = lobby_open("");
    const char *made = stranger_work(&l.stranger, A);
    struct own o = own_open("work", (const char *const[]){ "proof_bits=12", NULL }, NULL);
    http_client_close(&l.stranger.http);
    struct answer *r = api_get(&l.stranger, "%s", stranger_path(A, "/challenge"));
    cr_expect_eq(answer_int(r, "bits"), 12);
    cr_expect_eq(answer_int(r, "expires_in"), 300);
    cr_expect_str_eq(answer_header(r, "cache-control"), "no-store");
    expect(with_proof(&l, "/book", lobby_start(&l, 2), api_text(",%s", made)), 201, "");
    own_close(&o);
    o = own_open("none", (const char *const[]){ "proof_bits=0", NULL }, NULL);
    http_client_close(&l.stranger.http);
    r = api_get(&l.stranger, "%s", stranger_path(A, "/challenge"));
    cr_expect_eq(answer_int(r, "bits"), 0);
    expect(with_proof(&l, "/book", lobby_start(&l, 2), ""), 201, "");
    own_close(&o);
    http_client_close(&l.stranger.http);
    lobby_close(&l);
}

/* ---- what is counted ---- */

/* Five of one address; another has its own. */
Test(public_limits, holds_of_one_address)
{
    struct lobby l = lobby_open("");
    struct lobby near = l;
    near.stranger = api_anonymous();
    near.stranger.from = "127.0.0.9";
    for (int i = 0; i < 5; i++) {
        expect(lobby_hold(&l, lobby_start(&l, 2)), 201, "");
    }
    expect(lobby_hold(&l, lobby_start(&l, 2)), 409, "limit_reached");
    expect(lobby_hold(&near, lobby_start(&l, 2)), 201, "");
    db_do(l.db, "UPDATE allocation SET expires_at = now() WHERE id IN (SELECT id FROM hold LIMIT"
                " 1)");
    cr_expect_eq(db_number(l.db, "SELECT count(*) FROM hold WHERE made_from IS NOT NULL", NULL), 6);
    cr_expect_eq(db_number(l.db, "SELECT count(DISTINCT made_from) FROM hold", NULL), 2);
    expect(lobby_hold(&l, lobby_start(&l, 2)), 201, "");
    api_close(&near.stranger);
    lobby_close(&l);
}

/* Two hundred of all strangers of a practice; staff hold on. */
Test(public_limits, holds_of_all_strangers)
{
    struct lobby l = lobby_open("");
    const char *other = api_new_staff(&l.owner, api_unique("Otra"));
    db_do(l.db,
          api_text("WITH x AS (INSERT INTO allocation(id, resource_id, busy, kind, expires_at)"
                   " SELECT gen_random_uuid(), '%s', tstzrange(t, t + interval '5 minutes'),"
                   " 'hold', now() + interval '1 hour' FROM generate_series(now() + interval '20"
                   " days', now() + interval '20 days' + 198 * interval '10 minutes', interval '10"
                   " minutes') t RETURNING id, busy) INSERT INTO hold(id, secret_hash, service_id,"
                   " staff_id, starts_at, ends_at, made_from) SELECT id,"
                   " sha256(id::text::bytea), '%s', '%s', lower(busy), upper(busy),"
                   " sha256(id::text::bytea) FROM x",
                   other, l.service, other));
    cr_assert_eq(db_number(l.db, "SELECT count(*) FROM hold WHERE made_from IS NOT NULL", NULL),
                 199);
    expect(lobby_hold(&l, lobby_start(&l, 2)), 201, "");
    expect(lobby_hold(&l, lobby_start(&l, 2)), 409, "limit_reached");
    struct answer *r = api_post(&l.owner, "/api/v1/holds",
                                "{\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}",
                                l.service, l.staff, lobby_start(&l, 2));
    expect(r, 201, "");
    expect(lobby_book(&l, lobby_start(&l, 2), "a@example.com", ""), 201, "");
    lobby_close(&l);
}

/* A stranger's token books what a stranger held; staff's is not known there. */
Test(public_limits, staffs_holds_are_not_strangers)
{
    struct lobby l = lobby_open("");
    struct answer *r = api_post(&l.owner, "/api/v1/holds",
                                "{\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}",
                                l.service, l.staff, lobby_start(&l, 2));
    const char *token = answer_text(expect(r, 201, ""), "token");
    expect(stranger_book(
               &l.stranger, A,
               api_text("\"hold\":\"%s\",\"given_name\":\"Ana\",\"email\":\"a@b.mx\"", token)),
           410, "hold_expired");
    r = expect(lobby_hold(&l, lobby_start(&l, 2)), 201, "");
    token = answer_text(r, "token");
    stranger_show(&l.owner, l.service, "staff");
    expect(stranger_book(
               &l.stranger, A,
               api_text("\"hold\":\"%s\",\"given_name\":\"Ana\",\"email\":\"a@b.mx\"", token)),
           410, "hold_expired");
    lobby_close(&l);
}

/* By e-mail or by phone, of what strangers booked and is still to come. */
Test(public_limits, visits_to_come_of_one_person)
{
    struct lobby l = lobby_open("\"open_per_client\":2");
    const char *email = stranger_email();
    const char *phone = api_text(",\"phone\":\"+5255%08u\"", (unsigned)getpid());
    struct answer *first = expect(lobby_book(&l, lobby_start(&l, 2), email, phone), 201, "");
    expect(lobby_book(&l, lobby_start(&l, 2), email, ""), 201, "");
    expect(lobby_book(&l, lobby_start(&l, 2), email, ""), 409, "limit_reached");
    expect(lobby_book(&l, lobby_start(&l, 2), api_text("o%s", email), phone), 201, "");
    expect(lobby_book(&l, lobby_start(&l, 2), api_text("p%s", email), phone), 409, "limit_reached");
    expect(lobby_book(&l, lobby_start(&l, 2), api_text("q%s", email), ""), 201, "");
    struct answer *r = api_send(
        &l.owner, "POST", api_text("/api/v1/appointments/%s/cancel", answer_text(first, "id")),
        "{}", "If-Match: \"1\"\r\n");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    expect(lobby_book(&l, lobby_start(&l, 2), email, ""), 201, "");
    stranger_policy(&l.owner, "\"open_per_client\":0");
    expect(lobby_book(&l, lobby_start(&l, 2), email, ""), 201, "");
    lobby_close(&l);
}

/* Who is a client of the practice is not found out by its limit. */
Test(public_limits, visits_of_clients_are_not_counted)
{
    struct lobby l = lobby_open("\"open_per_client\":1");
    const char *email = stranger_email();
    struct answer *r = api_post(&l.owner, "/api/v1/clients",
                                "{\"given_name\":\"Eva\",\"email\":\"%s\"}", email);
    const char *known = answer_text(r, "id");
    expect(api_book(&l.owner, known, l.service, l.staff, lobby_start(&l, 3)), 201, "");
    expect(lobby_book(&l, lobby_start(&l, 3), email, ""), 201, "");
    expect(lobby_book(&l, lobby_start(&l, 3), email, ""), 409, "limit_reached");
    lobby_close(&l);
}

/* For that reason, or turned away by the router before anything was asked: on a busy machine so many at once are too many for a stack that has hardly begun. */
static size_t refused(const struct shot *shots, const char *code)
{
    return volley_count(shots, MANY, 409, code) + volley_count(shots, MANY, 503, "overloaded");
}

/* Somebody new who books, with the work done. */
static struct shot shot_of_stranger(struct lobby *l, const char *start, const char *from)
{
    return (struct shot){
        .token = "",
        .method = "POST",
        .path = stranger_path(A, "/book"),
        .from = from,
        .body = api_text("{\"service_id\":\"%s\",\"starts_at\":\"%s\",\"given_name\":\"Ana\","
                         "\"email\":\"%s\",%s}",
                         l->service, start, stranger_email(), stranger_work(&l->stranger, A)),
    };
}

/* ---- of a day ---- */

/* So many bookings are counted, of all addresses. */
static void expect_counts(struct lobby *l, long n)
{
    cr_expect_eq(db_number(l->db, "SELECT count(*) FROM public_count", NULL), n);
}

/* Twenty of one address, whatever became of them; another has its own, and so has tomorrow. What was refused is not counted. */
Test(public_limits, a_day_of_one_address)
{
    struct lobby l = lobby_open("");
    struct lobby near = l;
    near.stranger = api_anonymous();
    near.stranger.from = "127.0.0.9";
    struct answer *r = NULL;
    for (int i = 0; i < 20; i++) {
        r = expect(lobby_book(&l, lobby_start(&l, 2), stranger_email(), ""), 201, "");
    }
    r = api_send(&l.owner, "POST", api_text("/api/v1/appointments/%s/cancel", answer_text(r, "id")),
                 "{}", "If-Match: \"1\"\r\n");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    long before = count_all(&l);
    expect(lobby_book(&l, lobby_start(&l, 2), stranger_email(), ""), 409, "limit_reached");
    cr_expect_eq(count_all(&l), before);
    expect_counts(&l, 20);
    expect(lobby_book(&near, lobby_start(&l, 2), stranger_email(), ""), 201, "");
    expect(lobby_book(&near, api_text("%sT10:07", api_day(8)), stranger_email(), ""), 409,
           "slot_taken");
    expect_counts(&l, 21);
    db_do(l.db, "UPDATE public_count SET made_at = made_at - interval '1 day'");
    expect(lobby_book(&l, lobby_start(&l, 2), stranger_email(), ""), 201, "");
    expect_counts(&l, 1);
    api_close(&near.stranger);
    lobby_close(&l);
}

/* Ten of one e-mail or phone, from wherever, so that nobody's mailbox is filled; what staff entered is not counted. */
Test(public_limits, a_day_of_one_contact)
{
    struct lobby l = lobby_open("");
    const char *email = stranger_email(), *phone = ",\"phone\":\"+525500000077\"";
    struct answer *r = api_post(&l.owner, "/api/v1/clients",
                                "{\"given_name\":\"Eva\",\"email\":\"%s\"}", email);
    cr_assert_eq(r->status, 201);
    for (int i = 0; i < 10; i++) {
        l.stranger.from = api_text("127.0.2.%d", i + 1);
        http_client_close(&l.stranger.http);
        expect(lobby_book(&l, lobby_start(&l, 2), email, phone), 201, "");
    }
    expect(lobby_book(&l, lobby_start(&l, 2), email, ""), 409, "limit_reached");
    expect(lobby_book(&l, lobby_start(&l, 2), stranger_email(), phone), 409, "limit_reached");
    expect(lobby_book(&l, lobby_start(&l, 2), stranger_email(), ""), 201, "");
    db_do(l.db, "UPDATE client SET created_at = created_at - interval '1 day' WHERE source ="
                " 'public'");
    expect(lobby_book(&l, lobby_start(&l, 2), email, phone), 201, "");
    lobby_close(&l);
}

Test(public_limits, fifty_bookings_from_one_address)
{
    struct lobby l = lobby_open("");
    static struct shot shots[MANY];
    for (int i = 0; i < MANY; i++) {
        shots[i] = shot_of_stranger(&l, lobby_start(&l, i), "127.0.3.1");
    }
    volley_fire(shots, MANY);
    volley_print("one address", shots, MANY);
    cr_expect_eq(volley_count(shots, MANY, 201, NULL), 20);
    cr_expect_eq(refused(shots, "limit_reached"), MANY - 20);
    lobby_close(&l);
}

/* As every practice begins. */
Test(public_limits, three_visits_to_come_unless_said_otherwise)
{
    struct api other = api_login(OWNER_B);
    struct answer *r = api_get(&other, "/api/v1/booking-policy");
    cr_expect_eq(answer_int(r, "open_per_client"), 3, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "public_booking"), "false");
    api_close(&other);
    api_release();
}

/* ---- many at once ---- */

/* From as many addresses: of one they come one after another. */
static void load_strangers(struct lobby *l, struct shot *shots, const char *start)
{
    for (int i = 0; i < MANY; i++) {
        shots[i] = shot_of_stranger(l, start, api_text("127.0.1.%d", i + 1));
    }
}

Test(public_limits, fifty_strangers_want_one_time)
{
    struct lobby l = lobby_open("");
    static struct shot shots[MANY];
    const char *start = lobby_start(&l, 8);
    load_strangers(&l, shots, start);
    volley_fire(shots, MANY);
    volley_print("one start", shots, MANY);
    cr_expect_eq(volley_count(shots, MANY, 201, NULL), 1);
    cr_expect_eq(refused(shots, "slot_taken"), MANY - 1);
    cr_expect_eq(
        db_number(l.db, "SELECT count(*) FROM appointment WHERE service_id = $1", l.service, NULL),
        1);
    cr_expect_eq(db_number(l.db,
                           "SELECT count(*) FROM client c WHERE c.source = 'public' AND NOT EXISTS"
                           " (SELECT FROM appointment a WHERE a.client_id = c.id)",
                           NULL),
                 0, "a client of nothing is left behind");
    lobby_close(&l);
}

/* With anybody: as many as there are people. */
Test(public_limits, fifty_strangers_want_one_of_four)
{
    struct lobby l = lobby_open("");
    static struct shot shots[MANY];
    struct answer *r = api_send(&l.owner, "PUT", api_text("/api/v1/services/%s/staff", l.service),
                                api_text("{\"staff\":[\"%s\",\"%s\",\"%s\",\"%s\"]}", l.staff,
                                         api_new_staff(&l.owner, api_unique("Dos")),
                                         api_new_staff(&l.owner, api_unique("Tres")),
                                         api_new_staff(&l.owner, api_unique("Cuatro"))),
                                NULL);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    load_strangers(&l, shots, lobby_start(&l, 8));
    volley_fire(shots, MANY);
    volley_print("one of four", shots, MANY);
    cr_expect_eq(volley_count(shots, MANY, 201, NULL), 4);
    cr_expect_eq(refused(shots, "slot_taken"), MANY - 4);
    lobby_close(&l);
}

/* Of a group as many as there are seats. */
Test(public_limits, fifty_strangers_want_twelve_seats)
{
    struct lobby l = lobby_open("");
    static struct shot shots[MANY];
    struct answer *r = api_get(&l.owner, "/api/v1/services/%s", l.service);
    r = api_patch(&l.owner, api_text("/api/v1/services/%s", l.service),
                  (int)answer_int(r, "version"), "{\"seats\":12}");
    cr_assert_eq(r->status, 200);
    const char *start = lobby_start(&l, 8);
    expect(lobby_book(&l, start, "first@example.com", ""), 201, "");
    r = lobby_hold(&l, start);
    cr_expect_eq(r->status, 422, "a group is not held");
    load_strangers(&l, shots, start);
    volley_fire(shots, MANY);
    volley_print("twelve seats", shots, MANY);
    cr_expect_eq(volley_count(shots, MANY, 201, NULL), 11);
    cr_expect_eq(refused(shots, "slot_taken"), MANY - 11);
    cr_expect_eq(
        db_number(l.db, "SELECT taken FROM allocation WHERE group_service = $1", l.service, NULL),
        12);
    lobby_close(&l);
}

/* At different times: as many as one e-mail may have. */
Test(public_limits, fifty_bookings_with_one_address)
{
    struct lobby l = lobby_open("\"open_per_client\":3");
    static struct shot shots[MANY];
    const char *email = stranger_email();
    for (int i = 0; i < MANY; i++) {
        shots[i] = (struct shot){
            .token = "",
            .method = "POST",
            .path = stranger_path(A, "/book"),
            .body = api_text("{\"service_id\":\"%s\",\"starts_at\":\"%s\",\"given_name\":\"Ana\","
                             "\"email\":\"%s\",%s}",
                             l.service, lobby_start(&l, i), email, stranger_work(&l.stranger, A)),
        };
    }
    volley_fire(shots, MANY);
    volley_print("one e-mail", shots, MANY);
    cr_expect_eq(volley_count(shots, MANY, 201, NULL), 3);
    cr_expect_eq(refused(shots, "limit_reached"), MANY - 3);
    lobby_close(&l);
}

/* ---- rates ---- */

/* One address has a share of its own; all of them together leave staff theirs. */
static int count_passed(struct lobby *l, const char *from, int n, const char *policy)
{
    struct api who = api_anonymous();
    int passed = 0;
    who.from = from;
    for (int i = 0; i < n; i++) {
        struct answer *r = api_get(&who, "%s", stranger_path(A, ""));
        passed += r->status == 200;
        if (r->status == 429) {
            cr_expect_str_eq(answer_code(r), "rate_limited");
            cr_expect_not_null(answer_header(r, "retry-after"));
            cr_expect_str_eq(answer_header(r, "ratelimit"), policy);
        }
    }
    UNUSED(l);
    api_close(&who);
    return passed;
}

Test(public_limits, one_address_has_its_own_rate)
{
    struct lobby l = lobby_open("");
    int port;
    pid_t router = stack_start_router(
        "router.conf", (const char *const[]){ "link_rate=1", "link_burst=5", "rest_max=0s", NULL },
        &port);
    stack_use_port(port);
    int passed = count_passed(&l, "127.0.0.21", 40, "\"address\";r=0;t=1");
    cr_expect(passed >= 5 && passed < 20, "%d passed", passed);
    cr_expect_eq(count_passed(&l, "127.0.0.22", 1, ""), 1, "another address");
    cr_expect_eq(api_get(&l.owner, "/api/v1/clients")->status, 200);
    stack_use_port(0);
    stack_stop(router, SIGTERM);
    http_client_close(&l.owner.http);
    lobby_close(&l);
}

Test(public_limits, strangers_leave_staff_their_share)
{
    struct lobby l = lobby_open("");
    int port;
    pid_t router = stack_start_router("router.conf",
                                      (const char *const[]){ "public_rate=1", "public_burst=10",
                                                             "link_rate=0", "rest_max=0s", NULL },
                                      &port);
    stack_use_port(port);
    int passed = 0;
    for (int i = 0; i < 8; i++) {
        passed += count_passed(&l, api_text("127.0.0.%d", 30 + i), 5, "\"public\";r=0;t=1");
    }
    cr_expect(passed >= 10 && passed < 25, "%d passed", passed);
    for (int i = 0; i < 20; i++) {
        cr_expect_eq(api_get(&l.owner, "/api/v1/clients")->status, 200);
    }
    stack_use_port(0);
    stack_stop(router, SIGTERM);
    http_client_close(&l.owner.http);
    lobby_close(&l);
}

/* Else the rate would tell which practices there are. */
Test(public_limits, a_name_that_is_nobodys_has_the_same_rate)
{
    static const char *const names[] = { A, "practice-b", "no-such-name" };
    int port;
    struct lobby l = lobby_open(""); /* b does not let strangers in */
    pid_t router = stack_start_router("router.conf",
                                      (const char *const[]){ "public_rate=1", "public_burst=10",
                                                             "link_rate=0", "rest_max=0s", NULL },
                                      &port);
    stack_use_port(port);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct api who = api_anonymous();
        int limited = 0;
        for (int k = 0; k < 40; k++) {
            struct answer *r = api_get(&who, "%s", stranger_path(names[i], "/challenge"));
            limited += r->status == 429;
            if (r->status == 429) {
                cr_expect_str_eq(answer_header(r, "ratelimit"), "\"public\";r=0;t=1");
            }
        }
        cr_expect(limited >= 15 && limited <= 30, "%s: %d limited", names[i], limited);
        api_close(&who);
    }
    stack_use_port(0);
    stack_stop(router, SIGTERM);
    http_client_close(&l.owner.http);
    http_client_close(&l.stranger.http);
    lobby_close(&l);
}
