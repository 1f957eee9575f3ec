/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Booking by anybody: only where the practice says so, only what it says, for a piece of work that is good once, and without a word about anybody who is
 * known to the practice. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/mail.h"
#include "tests/support/practice.h"
#include "tests/support/stack.h"
#include "tests/support/volley.h"
#include "worker/work_proof.h"

enum { BITS = 8 };

TestSuite(public_booking, .timeout = 240);

/* A practice that is open to the public, and a stranger. */
struct place {
    struct api owner, stranger;
    const char *slug, *path, *service, *staff;
    int version; /* of the policy */
};

static struct answer *expect(struct answer *r, int status, const char *code)
{
    cr_assert_eq(r->status, status, "%d %s", r->status, r->http.body);
    cr_assert_str_eq(answer_code(r), code, "%s", r->http.body);
    return r;
}

static void rule(struct place *p, const char *members)
{
    struct answer *r = api_patch(&p->owner, "/api/v1/booking-policy", p->version, "{%s}", members);
    p->version = (int)answer_int(expect(r, 200, ""), "version");
}

static struct place place_open(const char *slug)
{
    const char *email = api_text("%s@example.com", slug);
    practice_make(slug, slug, email);
    practice_open_always(slug);
    struct place p = { .owner = api_login(email), .stranger = api_anonymous(), .slug = slug };
    p.version = (int)answer_int(api_get(&p.owner, "/api/v1/booking-policy"), "version");
    p.path = api_text("/api/v1/public/%s", slug);
    p.service = api_new_service(&p.owner, "Consulta", 30);
    p.staff = api_new_staff(&p.owner, "Dra");
    expect(api_send(&p.owner, "PUT", api_text("/api/v1/services/%s/staff", p.service),
                    api_text("{\"staff\":[\"%s\"]}", p.staff), NULL),
           200, "");
    rule(&p, "\"public_booking\":true");
    return p;
}

static void place_close(struct place *p)
{
    api_close(&p->owner);
    api_close(&p->stranger);
    api_release();
}

static const char *new_proof(struct place *p)
{
    char proof[WORK_PROOF_TEXT + WORK_PROOF_NONCE_MAX];
    struct answer *r = expect(api_get(&p->stranger, "%s/challenge", p->path), 200, "");
    cr_assert_eq(answer_int(r, "bits"), BITS);
    work_proof_solve(answer_text(r, "challenge"), BITS, proof);
    return api_text("%s", proof);
}

static const char *at(int day, const char *time)
{
    return api_text("%sT%s", api_day(day), time);
}

#define WHO "\"given_name\":\"Eva\",\"email\":\"%s\""

/* more: further members of the body, with a comma in front. */
static char *body_of(struct place *p, const char *proof, const char *starts_at, const char *email,
                     const char *more)
{
    return api_text("{\"proof\":\"%s\",\"service_id\":\"%s\",\"starts_at\":\"%s\"," WHO "%s}",
                    proof, p->service, starts_at, email, more);
}

static struct answer *book(struct place *p, const char *starts_at, const char *email,
                           const char *more)
{
    return api_send(&p->stranger, "POST", api_text("%s/book", p->path),
                    body_of(p, new_proof(p), starts_at, email, more), NULL);
}

static long count(struct place *p, const char *from)
{
    PGconn *db = db_super();
    char *code = db_code(db, p->slug);
    db_do(db, api_text("SET search_path = t_%s, ext, public", code));
    long n = db_number(db, api_text("SELECT count(*) FROM %s", from), NULL);
    free(code);
    PQfinish(db);
    return n;
}

static const char *link_token(const struct answer *r)
{
    return strrchr(answer_text(r, "link"), '/') + 1;
}

/* ---- who is there ---- */

Test(public_booking, a_practice_is_there_only_if_it_says_so)
{
    struct place p = place_open("public-one");
    struct answer *open = expect(api_get(&p.stranger, "%s", p.path), 200, "");
    cr_expect_str_eq(answer_text(open, "name"), "public-one");
    cr_expect_null(strstr(open->http.body, "@"), "no address of anybody's: %s", open->http.body);
    rule(&p, "\"public_booking\":false");
    static const char *const reads[] = { "", "/services", "/challenge",
                                         "/slots?service_id=01900000-0000-7000-8000-000000000000" };
    for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
        struct answer *closed = api_get(&p.stranger, "%s%s", p.path, reads[i]);
        struct answer *none = api_get(&p.stranger, "/api/v1/public/nobody-here%s", reads[i]);
        expect(closed, 404, "not_found");
        expect(none, 404, "not_found");
        cr_expect_str_eq(answer_text(closed, "title"), answer_text(none, "title"));
        cr_expect_eq(closed->http.body_len, none->http.body_len, "%s", reads[i]);
    }
    rule(&p, "\"public_booking\":true");
    char *said = NULL;
    cr_assert_eq(stack_ctl((const char *const[]){ "tenant", "suspend", "public-one", NULL }, &said),
                 0, "%s", said);
    free(said);
    struct answer *r = api_get(&p.stranger, "%s", p.path);
    for (int i = 0; i < 100 && r->status == 200; i++) {
        r = api_get(&p.stranger, "%s", p.path);
    }
    expect(r, 404, "not_found");
    place_close(&p);
}

Test(public_booking, services_that_are_not_public_are_not_there)
{
    struct place p = place_open("public-two");
    struct answer *r = api_post(
        &p.owner, "/api/v1/services",
        "{\"name\":\"Secreta\",\"duration_min\":30,\"visibility\":\"staff\"}");
    const char *secret = answer_text(expect(r, 201, ""), "id");
    r = api_post(&p.owner, "/api/v1/services",
                 "{\"name\":\"Por enlace\",\"duration_min\":30,\"visibility\":\"link\","
                 "\"modality\":\"video\"}");
    const char *by_link = answer_text(expect(r, 201, ""), "id");
    r = expect(api_get(&p.stranger, "%s/services", p.path), 200, "");
    cr_expect_eq(answer_count(r, "data"), 1, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "data.0.id"), p.service);
    expect(api_get(&p.stranger, "%s/slots?service_id=%s", p.path, secret), 404, "not_found");
    expect(api_get(&p.stranger, "%s/slots?service_id=%s", p.path, by_link), 200, "");
    const char *service = p.service;
    p.service = secret;
    expect(book(&p, at(20, "10:00"), "eva@example.com", ""), 404, "not_found");
    p.service = by_link;
    expect(book(&p, at(20, "10:00"), "eva@example.com", ""), 201, "");
    p.service = service;
    place_close(&p);
}

/* ---- the whole way ---- */

Test(public_booking, a_stranger_books_sees_moves_and_cancels)
{
    struct place p = place_open("public-three");
    const char *day = api_day(20);
    struct answer *r = expect(
        api_get(&p.stranger, "%s/slots?service_id=%s&from=%s&to=%s", p.path, p.service, day, day),
        200, "");
    cr_expect_eq(answer_count(r, "days.0.starts"), 48);
    const char *start = answer_text(r, "days.0.starts.20.at");
    r = expect(book(&p, start, "eva.tres@example.com", ",\"notes\":\"Hola\""), 201, "");
    cr_expect_str_eq(answer_text(r, "state"), "confirmed");
    cr_expect_str_eq(answer_text(r, "starts_at"), start);
    const char *id = answer_text(r, "id"), *token = link_token(r);
    struct mail_read m = mail_wait("eva.tres@example.com", 1);
    cr_expect(strstr(m.text, token) != NULL, "the mail has the same link: %s", m.text);
    mail_free(&m);
    r = expect(api_get(&p.owner, "/api/v1/appointments/%s", id), 200, "");
    cr_expect_str_eq(answer_text(r, "notes"), "Hola");
    r = expect(api_get(&p.owner, "/api/v1/clients/%s", answer_text(r, "client.id")), 200, "");
    cr_expect_str_eq(answer_text(r, "source"), "public");
    r = expect(api_get(&p.owner, "/api/v1/appointments/%s/history", id), 200, "");
    cr_expect_str_eq(answer_text(r, "data.0.actor.kind"), "client");
    struct api guest = guest_enter(token);
    r = expect(api_get(&guest, "/api/v1/guest/appointments"), 200, "");
    cr_expect_eq(answer_count(r, "data"), 1, "only its own: %s", r->http.body);
    r = expect(api_post(&guest, api_text("/api/v1/guest/appointments/%s/reschedule", id),
                        "{\"starts_at\":\"%s\"}", at(21, "10:00")),
               200, "");
    r = expect(
        api_send(&guest, "POST", api_text("/api/v1/guest/appointments/%s/cancel", id), "{}", NULL),
        200, "");
    cr_expect_str_eq(answer_text(r, "state"), "cancelled");
    api_close(&guest);
    place_close(&p);
}

Test(public_booking, a_hold_is_booked_by_its_token_and_waits_for_staff_where_they_want_that)
{
    struct place p = place_open("public-four");
    rule(&p, "\"public_approval\":true");
    struct answer *r = api_send(
        &p.stranger, "POST", api_text("%s/holds", p.path),
        api_text("{\"proof\":\"%s\",\"service_id\":\"%s\",\"starts_at\":\"%s\"}", new_proof(&p),
                 p.service, at(20, "10:00")),
        NULL);
    const char *token = answer_text(expect(r, 201, ""), "token");
    cr_expect_str_eq(answer_text(r, "staff_id"), p.staff);
    expect(book(&p, at(20, "10:00"), "otro@example.com", ""), 422, "validation_failed");
    const char *path = api_text("%s/holds/%s/book", p.path, token);
    expect(api_send(&p.stranger, "POST", path, "{\"given_name\":\"Eva\"}", NULL), 422,
           "validation_failed");
    r = expect(api_send(&p.stranger, "POST", path,
                        "{\"given_name\":\"Eva\",\"phone\":\"+52 55 1234 5678\"}", NULL),
               201, "");
    cr_expect_str_eq(answer_text(r, "state"), "requested");
    expect(api_send(&p.stranger, "POST", path,
                    "{\"given_name\":\"Eva\",\"phone\":\"+525512345678\"}", NULL),
           410, "hold_expired");
    r = expect(api_send(&p.owner, "POST",
                        api_text("/api/v1/appointments/%s/confirm", answer_text(r, "id")), NULL,
                        "If-Match: \"1\"\r\n"),
               200, "");
    cr_expect_str_eq(answer_text(r, "state"), "confirmed");
    place_close(&p);
}

Test(public_booking, questions_are_answered)
{
    struct place p = place_open("public-five");
    const char *path = api_text("/api/v1/services/%s/intake", p.service);
    struct answer *r = api_send(&p.owner, "PUT", path,
                                "{\"questions\":[{\"key\":\"x y\",\"label\":{\"es\":\"a\"},"
                                "\"type\":\"text\"}]}",
                                NULL);
    cr_expect(answer_blames(r, "/questions/0/key"), "%s", r->http.body);
    expect(api_send(
               &p.owner, "PUT", path,
               "{\"questions\":[{\"key\":\"why\",\"label\":{\"es\":\"¿Motivo?\"},\"type\":\"text\","
               "\"required\":true},{\"key\":\"first\",\"label\":{\"es\":\"¿Primera vez?\"},"
               "\"type\":\"bool\"}]}",
               NULL),
           200, "");
    r = expect(api_get(&p.stranger, "%s/services", p.path), 200, "");
    cr_expect_str_eq(answer_text(r, "data.0.intake.0.key"), "why");
    r = book(&p, at(20, "10:00"), "eva@example.com", "");
    cr_expect(answer_blames(r, "/answers/why"), "%s", r->http.body);
    r = book(&p, at(20, "10:00"), "eva@example.com", ",\"answers\":{\"why\":1}");
    cr_expect(answer_blames(r, "/answers/why"), "%s", r->http.body);
    r = book(&p, at(20, "10:00"), "eva@example.com", ",\"answers\":[]");
    cr_expect(answer_blames(r, "/answers"), "%s", r->http.body);
    r = book(
        &p, at(20, "10:00"), "eva@example.com",
        ",\"answers\":{\"why\":\"<b>'; DROP TABLE x; --\\u00f1\\ud83d\\ude00\",\"first\":true}");
    expect(r, 201, "");
    r = expect(api_get(&p.owner, "/api/v1/appointments/%s/intake", answer_text(r, "id")), 200, "");
    cr_expect_str_eq(answer_text(r, "answers.why"), "<b>'; DROP TABLE x; --ñ😀");
    cr_expect_str_eq(answer_text(r, "answers.first"), "true");
    cr_expect_str_eq(answer_text(r, "questions.0.key"), "why");
    place_close(&p);
}

/* ---- what is refused ---- */

Test(public_booking, work_is_done_and_good_once)
{
    struct place p = place_open("public-six"), other = place_open("public-seven");
    const char *good = new_proof(&p), *foreign = new_proof(&other);
    const char *bad[] = { "", "x", foreign, api_text("%.71s.%s", good, "zzzz-nothing") };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer *r = api_send(&p.stranger, "POST", api_text("%s/book", p.path),
                                    body_of(&p, bad[i], at(20, "10:00"), "eva@example.com", ""),
                                    NULL);
        cr_expect_eq(r->status, 422, "%s", bad[i]);
        cr_expect(answer_blames(r, "/proof"), "%s: %s", bad[i], r->http.body);
    }
    cr_expect_eq(count(&p, "client"), 0);
    cr_expect_eq(count(&p, "appointment"), 0);
    expect(api_send(&p.stranger, "POST", api_text("%s/book", p.path),
                    body_of(&p, good, at(20, "10:00"), "eva@example.com", ""), NULL),
           201, "");
    struct answer *r = api_send(&p.stranger, "POST", api_text("%s/book", p.path),
                                body_of(&p, good, at(20, "12:00"), "eva@example.com", ""), NULL);
    cr_expect_eq(r->status, 422);
    cr_expect(strstr(r->http.body, "proof_used") != NULL, "%s", r->http.body);
    cr_expect_eq(count(&p, "appointment"), 1);
    place_close(&other);
    place_close(&p);
}

Test(public_booking, times_that_clients_may_not_have)
{
    struct place p = place_open("public-eight");
    const char *bad[] = { at(0, "00:00"), at(100, "10:00"), at(20, "10:07"), "2027-02-30T10:00",
                          at(-5, "10:00") };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer *r = book(&p, bad[i], "eva@example.com", "");
        cr_expect_eq(r->status, 422, "%s: %d", bad[i], r->status);
        cr_expect(answer_blames(r, "/starts_at"), "%s: %s", bad[i], r->http.body);
    }
    api_new_exception(&p.owner, p.staff, "closed", api_day(22));
    struct answer *r = book(&p, at(22, "10:00"), "eva@example.com", "");
    cr_expect(answer_blames(r, "/starts_at"), "%s", r->http.body);
    r = expect(api_get(&p.stranger, "%s/slots?service_id=%s&from=%s&to=%s", p.path, p.service,
                       api_day(22), api_day(22)),
               200, "");
    cr_expect_str_eq(answer_text(r, "days.0.why"), "closed");
    r = api_get(&p.stranger, "%s/slots?service_id=%s&from=%s&to=%s", p.path, p.service,
                api_day(100), api_day(100));
    cr_expect_str_eq(answer_text(r, "days.0.why"), "too_far");
    r = api_get(&p.stranger, "%s/slots?service_id=%s&from=%s&to=%s", p.path, p.service, api_day(1),
                api_day(40));
    cr_expect_eq(r->status, 422, "at most 31 days");
    cr_expect_eq(count(&p, "appointment"), 0);
    place_close(&p);
}

Test(public_booking, one_contact_has_so_many_visits_to_come)
{
    struct place p = place_open("public-nine");
    rule(&p, "\"open_per_client\":2");
    expect(book(&p, at(20, "10:00"), "eva@example.com", ""), 201, "");
    struct answer *two = expect(book(&p, at(20, "11:00"), "eva@example.com", ""), 201, "");
    expect(book(&p, at(20, "12:00"), "eva@example.com", ""), 409, "limit_reached");
    expect(book(&p, at(20, "12:00"), "otra@example.com", ""), 201, "");
    expect(api_send(&p.owner, "POST",
                    api_text("/api/v1/appointments/%s/cancel", answer_text(two, "id")),
                    "{\"reason\":\"x\"}", "If-Match: \"1\"\r\n"),
           200, "");
    expect(book(&p, at(20, "13:00"), "eva@example.com", ""), 201, "");
    rule(&p, "\"open_per_client\":0");
    expect(book(&p, at(20, "14:00"), "eva@example.com", ""), 201, "");
    place_close(&p);
}

Test(public_booking, who_is_known_is_neither_shown_nor_changed)
{
    struct place p = place_open("public-ten");
    struct answer *r = api_post(&p.owner, "/api/v1/clients",
                                "{\"given_name\":\"Conocida\",\"family_name\":\"De Siempre\","
                                "\"email\":\"eva@example.com\",\"phone\":\"+525511112222\"}");
    const char *known = answer_text(expect(r, 201, ""), "id");
    for (int i = 0; i < 3; i++) { /* what staff book for her is not counted */
        expect(api_book(&p.owner, known, p.service, p.staff,
                        at(21, i == 0   ? "09:00"
                               : i == 1 ? "10:00"
                                        : "11:00")),
               201, "");
    }
    struct answer *mine = expect(book(&p, at(20, "10:00"), "eva@example.com",
                                      ",\"family_name\":\"Otra\",\"phone\":\"+525511112222\""),
                                 201, "");
    cr_expect_null(strstr(mine->http.body, "Conocida"));
    cr_expect_null(strstr(mine->http.body, known));
    r = expect(api_get(&p.owner, "/api/v1/clients/%s", known), 200, "");
    cr_expect_str_eq(answer_text(r, "name"), "Conocida De Siempre");
    cr_expect_eq(answer_int(r, "version"), 1);
    struct api guest = guest_enter(link_token(mine));
    r = expect(api_get(&guest, "/api/v1/guest/appointments"), 200, "");
    cr_expect_eq(answer_count(r, "data"), 1, "not hers: %s", r->http.body);
    api_close(&guest);
    r = expect(api_get(&p.owner, "/api/v1/appointments/%s", answer_text(mine, "id")), 200, "");
    r = expect(api_get(&p.owner, "/api/v1/clients/%s/matches", answer_text(r, "client.id")), 200,
               "");
    cr_expect_eq(answer_count(r, "data"), 1);
    cr_expect_str_eq(answer_text(r, "data.0.id"), known, "staff are told");
    place_close(&p);
}

/* ---- at once ---- */

Test(public_booking, of_forty_at_once_one_has_the_time)
{
    enum { MANY = 40 };
    struct place p = place_open("public-eleven");
    rule(&p, "\"open_per_client\":0");
    struct shot shots[MANY];
    for (int i = 0; i < MANY; i++) {
        shots[i] = (struct shot){ .method = "POST",
                                  .path = api_text("%s/book", p.path),
                                  .body = body_of(&p, new_proof(&p), at(20, "10:00"),
                                                  api_text("eva%d@example.com", i), "") };
    }
    volley_fire(shots, MANY);
    volley_print("public", shots, MANY);
    cr_expect_eq(volley_count(shots, MANY, 201, NULL), 1);
    cr_expect_eq(volley_count(shots, MANY, 409, "slot_taken") +
                     volley_count(shots, MANY, 422, "validation_failed"),
                 MANY - 1);
    cr_expect_eq(count(&p, "appointment"), 1);
    cr_expect_eq(count(&p, "client"), 1, "who got nothing is nobody's client");
    place_close(&p);
}

Test(public_booking, one_proof_and_one_contact_are_counted_at_once_too)
{
    enum { MANY = 20 };
    struct place p = place_open("public-twelve");
    rule(&p, "\"open_per_client\":2");
    struct shot shots[MANY];
    const char *proof = new_proof(&p);
    for (int i = 0; i < MANY; i++) {
        shots[i] = (struct shot){ .method = "POST",
                                  .path = api_text("%s/book", p.path),
                                  .body = body_of(&p, i < MANY / 2 ? proof : new_proof(&p),
                                                  at(20, api_text("%02d:00", i)), "eva@example.com",
                                                  "") };
    }
    volley_fire(shots, MANY);
    volley_print("one contact", shots, MANY);
    cr_expect_eq(volley_count(shots, MANY, 201, NULL), 2);
    cr_expect_eq(count(&p, "appointment"), 2);
    place_close(&p);
}
