/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Strangers at a practice's public name: what they see, the whole way from a free time to a visit of their own, what becomes of what they say, and what they
 * never learn. Limits and races are public_limits.c's. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/mail.h"
#include "tests/support/stack.h"
#include "tests/support/stranger.h"
#include "tests/support/wait.h"

#define A      "practice-a"
#define NOBODY "01900000-0000-7000-8000-00000000dead"

TestSuite(public_booking, .timeout = 120);

static struct answer *expect(struct answer *r, int status, const char *code)
{
    cr_assert_eq(r->status, status, "%d %s", r->status, r->http.body);
    cr_assert_str_eq(answer_code(r), code, "%s", r->http.body);
    return r;
}

static struct answer *look(struct lobby *l, const char *rest)
{
    return api_get(&l->stranger, "%s", stranger_path(A, rest));
}

static char *service_path(struct lobby *l, const char *rest)
{
    return api_text("/services/%s%s", l->service, rest);
}

/* Whose requests differ in nothing else: the answer without its id. */
static const char *essence(struct answer *r)
{
    if (!r->json) {
        return r->http.body;
    }
    json_object_object_del(r->json, "request_id");
    return json_object_to_json_string(r->json);
}

static const char *a_body(struct lobby *l)
{
    return api_text("{\"service_id\":\"%s\",\"starts_at\":\"%sT10:00\",\"given_name\":\"Ana\","
                    "\"email\":\"x@example.com\"}",
                    l->service, api_day(20));
}

/* ---- the door ---- */

/* Of a practice that does not exist, does not let strangers in, or is suspended: one answer, whatever is asked and however wrongly. */
static void expect_no_practice(struct lobby *l, const char *slug)
{
    const struct {
        const char *method, *rest, *body, *headers;
    } all[] = {
        { "GET", "", NULL, NULL },
        { "GET", "/services", NULL, NULL },
        { "GET", service_path(l, ""), NULL, NULL },
        { "GET", service_path(l, "/slots"), NULL, NULL },
        { "GET", "/services/1/slots", NULL, NULL },
        { "GET", service_path(l, "/next"), NULL, NULL },
        { "GET", service_path(l, "/slots?from=2030-01-01&to=2029-01-01"), NULL, NULL },
        { "GET", service_path(l, "/slots?from=x"), NULL, NULL },
        { "GET", "/challenge", NULL, NULL },
        { "POST", "/holds", a_body(l), NULL },
        { "POST", "/book", a_body(l), NULL },
        { "POST", "/book", a_body(l), "Idempotency-Key: 3f1c5b9e-aaaa\r\n" },
        { "POST", "/book", a_body(l), "Idempotency-Key: not a key\r\n" },
        { "POST", "/book", "{\"given_name\":1}", NULL },
        { "POST", "/book", "{", NULL },
        { "DELETE", "/book", NULL, NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct answer *r = api_send(&l->stranger, all[i].method, stranger_path(slug, all[i].rest),
                                    all[i].body, all[i].headers);
        const char *theirs = essence(r);
        int status = r->status;
        r = api_send(&l->stranger, all[i].method, stranger_path("no-such-name", all[i].rest),
                     all[i].body, all[i].headers);
        cr_expect_eq(status, r->status, "%s %s: %d, %d", all[i].method, all[i].rest, status,
                     r->status);
        cr_expect_str_eq(theirs, essence(r), "%s %s", all[i].method, all[i].rest);
        cr_expect(status == 404 || status == 405 || status == 422 || status == 400, "%d", status);
    }
}

Test(public_booking, is_off_until_the_practice_says_so)
{
    struct lobby l = lobby_open("");
    expect(look(&l, ""), 200, "");
    expect_no_practice(&l, "practice-b"); /* as every practice begins */
    stranger_policy(&l.owner, "\"public_booking\":false");
    expect_no_practice(&l, A);
    expect_no_practice(&l, "PRACTICE-A");
    lobby_close(&l);
}

static bool is_there(void *arg)
{
    struct lobby *l = arg;
    return look(l, "")->status == 200;
}

static bool is_gone(void *arg)
{
    return !is_there(arg);
}

Test(public_booking, a_practice_that_is_not_at_work_is_not_there)
{
    static const char *const states[] = { "suspended", "read_only", "migrating", "provisioning",
                                          "closing" };
    struct lobby l = lobby_open("");
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        db_do(l.db,
              api_text("UPDATE public.tenant SET state = '%s' WHERE slug = '" A "'", states[i]));
        cr_assert(wait_until(is_gone, &l, WAIT_LONG_MS), "%s", states[i]);
        expect_no_practice(&l, A);
        db_do(l.db, "UPDATE public.tenant SET state = 'active' WHERE slug = '" A "'");
        cr_assert(wait_until(is_there, &l, WAIT_LONG_MS));
    }
    lobby_close(&l);
}

/* Two practices change names: each answers under its new one. */
Test(public_booking, a_name_leads_to_who_has_it)
{
    struct lobby l = lobby_open("");
    db_do(l.db, "UPDATE public.tenant SET slug = 'renamed' WHERE slug = '" A "'");
    cr_assert(wait_until(is_gone, &l, WAIT_LONG_MS));
    struct answer *r = api_get(&l.stranger, "%s", stranger_path("renamed", ""));
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "name"), "Practice A");
    db_do(l.db, "UPDATE public.tenant SET slug = '" A "' WHERE slug = 'renamed'");
    cr_assert(wait_until(is_there, &l, WAIT_LONG_MS));
    cr_expect_eq(api_get(&l.stranger, "%s", stranger_path("renamed", ""))->status, 404);
    lobby_close(&l);
}

/* ---- what is shown ---- */

Test(public_booking, shows_the_practice_and_nobody_who_works_there)
{
    struct lobby l = lobby_open("");
    struct answer *r = expect(look(&l, ""), 200, "");
    cr_expect_str_eq(answer_text(r, "name"), "Practice A");
    cr_expect_str_eq(answer_text(r, "time_zone"), "America/Mexico_City");
    cr_expect_str_eq(answer_text(r, "approval"), "false");
    cr_expect_null(strstr(r->http.body, "@"), "%s", r->http.body);
    r = expect(look(&l, service_path(&l, "/slots")), 200, "");
    cr_expect_eq(answer_count(r, "people"), 1);
    cr_expect_str_eq(answer_text(r, "people.0.id"), l.staff);
    cr_expect_eq(answer_count(r, "days"), 7);
    cr_expect_null(strstr(r->http.body, "@"), "%s", r->http.body);
    lobby_close(&l);
}

static bool lists(struct lobby *l, const char *service)
{
    return strstr(expect(look(l, "/services"), 200, "")->http.body, service) != NULL;
}

/* What is staff's is nowhere, by name, by id or by booking; what is linked to is where its id is known. */
Test(public_booking, a_service_is_shown_to_whom_it_is_for)
{
    static const struct {
        const char *visibility;
        bool listed, known;
    } all[] = { { "public", true, true }, { "link", false, true }, { "staff", false, false } };
    struct lobby l = lobby_open("");
    const char *start = lobby_start(&l, 3);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        int status = all[i].known ? 200 : 404;
        stranger_show(&l.owner, l.service, all[i].visibility);
        cr_expect_eq(lists(&l, l.service), all[i].listed, "%s", all[i].visibility);
        cr_expect_eq(look(&l, service_path(&l, ""))->status, status, "%s", all[i].visibility);
        cr_expect_eq(look(&l, service_path(&l, "/slots"))->status, status, "%s", all[i].visibility);
        cr_expect_eq(look(&l, service_path(&l, "/next"))->status, status, "%s", all[i].visibility);
    }
    struct answer *r = lobby_book(&l, start, "x@example.com", "");
    cr_expect_eq(r->status, 422);
    cr_expect(answer_blames(r, "/service_id"), "%s", r->http.body);
    const char *hidden = essence(r);
    const char *service = l.service;
    l.service = NOBODY;
    cr_expect_str_eq(essence(lobby_book(&l, start, "x@example.com", "")), hidden);
    cr_expect_str_eq(essence(lobby_hold(&l, start)), hidden);
    l.service = service;
    cr_expect_str_eq(essence(lobby_hold(&l, start)), hidden);
    stranger_show(&l.owner, l.service, "public");
    r = api_get(&l.owner, "/api/v1/services/%s", l.service);
    api_send(&l.owner, "DELETE", api_text("/api/v1/services/%s", l.service), NULL,
             api_text("If-Match: \"%d\"\r\n", (int)answer_int(r, "version")));
    cr_expect_not(lists(&l, l.service), "archived");
    cr_expect_eq(look(&l, service_path(&l, "/slots"))->status, 404);
    lobby_close(&l);
}

/* What is public at one practice is nowhere at another. */
Test(public_booking, another_practice_is_another)
{
    struct lobby l = lobby_open("");
    struct api other = api_login(OWNER_B);
    stranger_let_in(&other, "");
    const char *own = l.service, *theirs = api_new_service(&other, api_unique("Ajeno"), 30);
    const char *start = lobby_start(&l, 3);
    stranger_show(&other, theirs, "public");
    cr_expect_eq(
        api_get(&l.stranger, "%s/services/%s", stranger_path("practice-b", ""), theirs)->status,
        200);
    l.service = theirs;
    cr_expect_eq(look(&l, service_path(&l, ""))->status, 404);
    cr_expect_eq(look(&l, service_path(&l, "/slots"))->status, 404);
    cr_expect(answer_blames(lobby_book(&l, start, "x@example.com", ""), "/service_id"));
    l.service = own;
    const char *hold = answer_text(expect(lobby_hold(&l, start), 201, ""), "token");
    expect(stranger_book(
               &l.stranger, "practice-b",
               api_text("\"hold\":\"%s\",\"given_name\":\"Ana\",\"email\":\"a@b.mx\"", hold)),
           410, "hold_expired");
    stranger_policy(&other, "\"public_booking\":false");
    api_close(&other);
    lobby_close(&l);
}

/* New services are staff's until somebody says otherwise. */
Test(public_booking, no_service_is_public_by_itself)
{
    struct lobby l = lobby_open("");
    const char *service = api_new_service(&l.owner, api_unique("Interno"), 30);
    struct answer *r = api_get(&l.owner, "/api/v1/services/%s", service);
    cr_expect_str_eq(answer_text(r, "visibility"), "staff");
    cr_expect_str_eq(answer_text(r, "modality"), "in_person");
    cr_expect_not(lists(&l, service));
    lobby_close(&l);
}

Test(public_booking, days_are_bounded)
{
    static const struct {
        const char *query;
        int status;
    } all[] = {
        { "?from=2030-01-01&to=2030-01-14", 200 },
        { "?from=2030-01-01&to=2030-01-15", 422 },
        { "?from=2030-01-02&to=2030-01-01", 422 },
        { "?to=2030-01-01", 422 },
        { "?from=2030-02-30", 422 },
        { "?staff_id=1", 422 },
        { "?from=2030-01-01", 200 },
        { "?staff_id=" NOBODY, 200 },
    };
    struct lobby l = lobby_open("");
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct answer *r = look(&l, service_path(&l, api_text("/slots%s", all[i].query)));
        cr_expect_eq(r->status, all[i].status, "%s: %s", all[i].query, r->http.body);
    }
    struct answer *r = look(&l, service_path(&l, "/slots?staff_id=" NOBODY));
    cr_expect_eq(answer_count(r, "people"), 0);
    cr_expect_eq(answer_count(r, "days.0.starts"), 0);
    lobby_close(&l);
}

/* Their rules are those of guests: notice and horizon. */
Test(public_booking, times_keep_notice_and_horizon)
{
    struct lobby l = lobby_open("\"notice_min\":2880,\"horizon_days\":3");
    struct answer *r = expect(look(&l, service_path(&l, "/slots")), 200, "");
    cr_expect_eq(answer_count(r, "days.0.starts"), 0, "too soon");
    cr_expect_eq(answer_count(r, "days.6.starts"), 0, "too far");
    cr_expect_gt(answer_count(r, "days.3.starts") + answer_count(r, "days.2.starts"), 0);
    expect(lobby_book(&l, api_text("%sT10:00", api_day(1)), "x@example.com", ""), 409,
           "slot_taken");
    expect(lobby_book(&l, api_text("%sT10:00", api_day(20)), "x@example.com", ""), 409,
           "slot_taken");
    lobby_close(&l);
}

/* The first of the free ones, of everybody or of one person, by the same rules; days that are too soon are passed over. */
Test(public_booking, the_next_time_is_the_first_that_is_free)
{
    struct lobby l = lobby_open("");
    struct answer *r = expect(look(&l, service_path(&l, "/next")), 200, "");
    cr_expect_str_eq(answer_text(r, "next"), lobby_start(&l, 0));
    cr_expect_str_eq(answer_text(r, "time_zone"), "America/Mexico_City");
    expect(lobby_hold(&l, lobby_start(&l, 0)), 201, "");
    r = expect(look(&l, service_path(&l, "/next")), 200, "");
    cr_expect_str_eq(answer_text(r, "next"), lobby_start(&l, 0));
    r = look(&l, service_path(&l, api_text("/next?staff_id=%s", l.staff)));
    cr_expect_str_eq(answer_text(r, "next"), lobby_start(&l, 0));
    r = expect(look(&l, service_path(&l, "/next?staff_id=" NOBODY)), 200, "");
    cr_expect(strstr(r->http.body, "\"next\":null") != NULL, "%s", r->http.body);
    stranger_policy(&l.owner, "\"notice_min\":28800,\"horizon_days\":60"); /* twenty days */
    r = expect(look(&l, service_path(&l, "/next")), 200, "");
    /* api_day is of UTC, the answer of the practice, where it may still be the day before */
    cr_expect(strncmp(answer_text(r, "next"), api_day(19), 10) >= 0, "%s", r->http.body);
    cr_expect(strncmp(answer_text(r, "next"), api_day(22), 10) < 0, "%s", r->http.body);
    expect(lobby_book(&l, answer_text(r, "next"), "x@example.com", ""), 201, "");
    stranger_policy(&l.owner, "\"notice_min\":28800,\"horizon_days\":3");
    r = expect(look(&l, service_path(&l, "/next")), 200, "");
    cr_expect(strstr(r->http.body, "\"next\":null") != NULL, "%s", r->http.body);
    lobby_close(&l);
}

/* ---- the whole way ---- */

static void expect_visit(struct lobby *l, const struct answer *booked, const char *start)
{
    const char *id = answer_text(booked, "id");
    struct answer *r = api_get(&l->owner, "/api/v1/appointments/%s", id);
    cr_expect_str_eq(answer_text(r, "starts_at"), start);
    cr_expect_str_eq(answer_text(r, "state"), "confirmed");
    cr_expect_str_eq(answer_text(r, "client.name"), "Ana Extraña");
    cr_expect_str_eq(answer_text(r, "notes"), "Puerta verde");
    cr_expect_str_eq(answer_text(r, "staff.id"), l->staff);
    r = api_get(&l->owner, "/api/v1/clients/%s", answer_text(r, "client.id"));
    cr_expect_str_eq(answer_text(r, "source"), "public");
    cr_expect_str_eq(answer_text(r, "phone"), "+525512345678");
    const char *client = answer_text(r, "id");
    r = api_get(&l->owner, "/api/v1/appointments/%s/history", id);
    cr_expect_str_eq(answer_text(r, "data.0.actor.kind"), "client");
    cr_expect_str_eq(answer_text(r, "data.0.actor.id"), client);
    r = api_get(&l->owner, "/api/v1/appointments/%s/intake", id);
    cr_expect_str_eq(answer_text(r, "answers.0.answer"), "Dolor");
    cr_expect_str_eq(answer_text(r, "answers.0.label.es"), "Motivo");
    cr_expect_eq(answer_count(r, "answers"), 1);
}

static void ask(struct lobby *l, const char *questions)
{
    struct answer *r = api_send(&l->owner, "PUT",
                                api_text("/api/v1/services/%s/intake", l->service),
                                api_text("{\"questions\":%s}", questions), NULL);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
}

#define QUESTION                                                                              \
    "[{\"key\":\"motivo\",\"label\":{\"es\":\"Motivo\"},\"type\":\"text\",\"required\":true," \
    "\"max\":40},{\"key\":\"seguro\",\"label\":{\"es\":\"Seguro\"},\"type\":\"bool\"}]"

/* Sees, holds, books, comes back by the link, moves and cancels. */
Test(public_booking, the_whole_way_of_a_stranger)
{
    struct lobby l = lobby_open("");
    ask(&l, QUESTION);
    struct answer *r = expect(look(&l, service_path(&l, "")), 200, "");
    cr_expect_str_eq(answer_text(r, "questions.0.key"), "motivo");
    const char *start = lobby_start(&l, 4);
    r = expect(lobby_hold(&l, start), 201, "");
    const char *hold = answer_text(r, "token");
    cr_expect_str_eq(answer_text(r, "starts_at"), start);
    cr_expect_str_neq(lobby_start(&l, 4), start, "it is kept free");
    r = expect(stranger_book(&l.stranger, A,
                             api_text("\"hold\":\"%s\",\"given_name\":\"Ana\",\"family_name\":"
                                      "\"Extraña\",\"email\":\"%s\",\"phone\":\"+52 "
                                      "55 1234 5678\",\"notes\":\"Puerta verde\",\"answers\":{"
                                      "\"motivo\":\"Dolor\"}",
                                      hold, "Ana.Camino@Example.com")),
               201, "");
    cr_expect_str_eq(answer_text(r, "starts_at"), start);
    cr_expect_str_eq(answer_text(r, "state"), "confirmed");
    cr_expect(strstr(answer_text(r, "url"), answer_text(r, "token")) != NULL);
    expect_visit(&l, r, start);
    const char *id = answer_text(r, "id"), *token = answer_text(r, "token");
    struct mail_read m = mail_wait("ana.camino@example.com", 1);
    cr_expect(strstr(m.text, api_text("/i/%s\n", token)) != NULL, "the link once more: %s", m.text);
    mail_free(&m);
    struct api guest = guest_enter(token);
    struct answer *g = api_get(&guest, "/api/v1/guest/appointments/%s", id);
    cr_expect_eq(g->status, 200, "%s", g->http.body);
    const char *other = lobby_start(&l, 9);
    g = api_post(&guest, api_text("/api/v1/guest/appointments/%s/reschedule", id),
                 "{\"starts_at\":\"%s\"}", other);
    cr_expect_eq(g->status, 200, "%s", g->http.body);
    g = api_post(&guest, api_text("/api/v1/guest/appointments/%s/cancel", id), "{}");
    cr_expect_eq(g->status, 200, "%s", g->http.body);
    cr_expect_str_eq(answer_text(g, "state"), "cancelled");
    expect(stranger_book(
               &l.stranger, A,
               api_text("\"hold\":\"%s\",\"given_name\":\"Ana\",\"email\":\"a@b.mx\"", hold)),
           410, "hold_expired");
    api_close(&guest);
    lobby_close(&l);
}

/* A link opens the visit that it came with, and no other of its client's or anybody's. */
Test(public_booking, a_strangers_link_opens_its_own_visit)
{
    struct lobby l = lobby_open("");
    const char *email = stranger_email();
    struct answer *one = expect(lobby_book(&l, lobby_start(&l, 1), email, ""), 201, "");
    struct answer *two = expect(lobby_book(&l, lobby_start(&l, 3), email, ""), 201, "");
    struct api guest = guest_enter(answer_text(one, "token"));
    struct answer *r = api_get(&guest, "/api/v1/guest/appointments");
    cr_expect_eq(answer_count(r, "data"), 1, "%s", r->http.body);
    cr_expect_eq(api_get(&guest, "/api/v1/guest/appointments/%s", answer_text(two, "id"))->status,
                 404);
    cr_expect_eq(api_get(&guest, "/api/v1/guest/profile")->status, 403);
    cr_expect_eq(api_get(&guest, "/api/v1/clients")->status, 403);
    api_close(&guest);
    lobby_close(&l);
}

/* Without staff_id somebody of those who can; with it that person; what cannot be is one refusal. */
Test(public_booking, with_anybody_or_somebody)
{
    struct lobby l = lobby_open("");
    const char *second = api_new_staff(&l.owner, api_unique("Carla"));
    struct answer *r = api_send(&l.owner, "PUT", api_text("/api/v1/services/%s/staff", l.service),
                                api_text("{\"staff\":[\"%s\",\"%s\"]}", l.staff, second), NULL);
    cr_assert_eq(r->status, 200);
    const char *start = lobby_start(&l, 6);
    r = expect(lobby_book(&l, start, "a@example.com", api_text(",\"staff_id\":\"%s\"", second)),
               201, "");
    expect(lobby_book(&l, start, "b@example.com", api_text(",\"staff_id\":\"%s\"", second)), 409,
           "slot_taken");
    expect(lobby_book(&l, start, "b@example.com", ",\"staff_id\":\"" NOBODY "\""), 409,
           "slot_taken");
    r = expect(lobby_book(&l, start, "b@example.com", ""), 201, "");
    cr_expect_str_neq(lobby_start(&l, 6), start, "both are taken");
    expect(lobby_book(&l, start, "c@example.com", ""), 409, "slot_taken");
    cr_expect_eq(db_number(l.db,
                           "SELECT count(DISTINCT staff_id) FROM appointment WHERE service_id"
                           " = $1 AND starts_at = $2::timestamptz",
                           l.service, start, NULL),
                 2);
    lobby_close(&l);
}

/* Whatever is in the way of a time, the refusal is the same: nobody learns how busy the practice is. */
Test(public_booking, refusals_of_a_time_tell_nothing)
{
    struct lobby l = lobby_open("\"notice_min\":60");
    const char *busy = lobby_start(&l, 30), *day = api_day(9);
    expect(lobby_book(&l, busy, "a@example.com", ""), 201, "");
    struct answer *r = api_post(&l.owner, "/api/v1/schedule-exceptions",
                                "{\"staff_id\":\"%s\",\"effect\":\"closed\",\"first_day\":\"%s\"}",
                                l.staff, day);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    const char *const times[] = {
        busy,                               /* taken */
        api_text("%sT10:00", day),          /* closed */
        api_text("%sT10:07", api_day(8)),   /* off the grid */
        api_text("%sT10:00", api_day(200)), /* too far */
        api_text("%sT10:00", api_day(-1)),  /* past */
        api_text("%sT10:00:00.5", api_day(8)),
    };
    const char *first = NULL;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        r = expect(lobby_book(&l, times[i], "b@example.com", ""), 409, "slot_taken");
        first = first ? first : essence(r);
        cr_expect_str_eq(essence(r), first, "%s", times[i]);
        cr_expect_str_eq(essence(expect(lobby_hold(&l, times[i]), 409, "slot_taken")), first);
    }
    lobby_close(&l);
}

/* ---- what becomes of what they say ---- */

static char *everybody(struct lobby *l, const char *but_client)
{
    return db_value(l->db,
                    "SELECT md5(string_agg(c::text, '|' ORDER BY id)) FROM client c WHERE"
                    " source = 'staff' OR id::text = $1",
                    but_client, NULL);
}

/* Who has the e-mail and phone of a client is not that client: nothing of theirs is changed or shown; staff are told. */
Test(public_booking, nobody_who_is_there_is_changed_or_shown)
{
    struct lobby l = lobby_open("");
    const char *email = stranger_email();
    struct answer *r = api_post(&l.owner, "/api/v1/clients",
                                "{\"given_name\":\"Privada\",\"family_name\":\"Secreta\",\"email\":"
                                "\"%s\",\"phone\":\"+525500000001\",\"notes\":\"VIH\","
                                "\"birth_date\":\"1980-01-01\"}",
                                email);
    cr_assert_eq(r->status, 201);
    const char *known = answer_text(r, "id");
    char *before = everybody(&l, known);
    struct answer *fresh = expect(lobby_book(&l, lobby_start(&l, 2), "nadie@example.com", ""), 201,
                                  "");
    r = expect(lobby_book(&l, lobby_start(&l, 5), email, ",\"phone\":\"+525500000001\""), 201, "");
    cr_expect_eq(r->http.header_count, fresh->http.header_count);
    cr_expect_eq(r->http.body_len, fresh->http.body_len, "%s\n%s", r->http.body, fresh->http.body);
    cr_expect_null(strstr(r->http.body, "Privada"));
    char *after = everybody(&l, known);
    cr_expect_str_eq(before, after);
    r = api_get(&l.owner, "/api/v1/appointments/%s", answer_text(r, "id"));
    const char *stranger = answer_text(r, "client.id");
    cr_expect_str_neq(stranger, known);
    r = api_get(&l.owner, "/api/v1/clients/%s/matches", stranger);
    cr_expect_eq(answer_count(r, "data"), 1, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "data.0.id"), known);
    cr_expect_str_eq(answer_text(r, "data.0.by.email"), "true");
    cr_expect_str_eq(answer_text(r, "data.0.by.phone"), "true");
    r = api_get(&l.owner, "/api/v1/clients/%s/matches", known);
    cr_expect_str_eq(answer_text(r, "data.0.id"), stranger);
    cr_expect_eq(api_get(&l.owner, "/api/v1/clients/%s/matches", NOBODY)->status, 404);
    free(before);
    free(after);
    lobby_close(&l);
}

static long count_all(struct lobby *l)
{
    return db_number(l->db,
                     "SELECT (SELECT count(*) FROM client) + (SELECT count(*) FROM appointment) +"
                     " (SELECT count(*) FROM allocation) + (SELECT count(*) FROM access_link) +"
                     " (SELECT count(*) FROM appointment_intake) + (SELECT count(*) FROM"
                     " used_proof) + (SELECT count(*) FROM idempotency)",
                     NULL);
}

Test(public_booking, what_is_wrong_is_refused_by_name_and_changes_nothing)
{
    static const struct {
        const char *members, *pointer;
    } all[] = {
        { "", "/answers/motivo" },
        { ",\"answers\":{}", "/answers/motivo" },
        { ",\"answers\":[]", "/answers" },
        { ",\"answers\":\"x\"", "/answers" },
        { ",\"answers\":{\"motivo\":null}", "/answers/motivo" },
        { ",\"answers\":{\"motivo\":\"\"}", "/answers/motivo" },
        { ",\"answers\":{\"motivo\":{\"$gt\":\"\"}}", "/answers/motivo" },
        { ",\"answers\":{\"motivo\":\"\\u001b[31m\"}", "/answers/motivo" },
        { ",\"answers\":{\"motivo\":\"12345678901234567890123456789012345678901\"}",
          "/answers/motivo" },
        { ",\"answers\":{\"motivo\":\"x\",\"seguro\":\"si\"}", "/answers/seguro" },
        { ",\"answers\":{\"motivo\":\"x\",\"otra\":1}", "/answers/otra" },
        { ",\"answers\":{\"motivo\":\"x\",\"__proto__\":1}", "/answers" },
        { ",\"answers\":{\"motivo\":\"x\"},\"phone\":\"123\"", "/phone" },
        { ",\"answers\":{\"motivo\":\"x\"},\"client_id\":\"" NOBODY "\"", "/client_id" },
        { ",\"answers\":{\"motivo\":\"x\"},\"state\":\"confirmed\"", "/state" },
        { ",\"answers\":{\"motivo\":\"x\"},\"override\":\"x\"", "/override" },
        { ",\"answers\":{\"motivo\":\"x\"},\"hold\":\"x\"", "/hold" },
        { ",\"answers\":{\"motivo\":\"x\"},\"locale\":\"xx-yy-zz\"", "/locale" },
    };
    struct lobby l = lobby_open("");
    ask(&l, QUESTION);
    const char *start = lobby_start(&l, 2);
    long before = count_all(&l);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct answer *r = lobby_book(&l, start, "a@example.com", all[i].members);
        cr_expect_eq(r->status, 422, "%s: %d %s", all[i].members, r->status, r->http.body);
        cr_expect(answer_blames(r, all[i].pointer), "%s: %s", all[i].members, r->http.body);
    }
    struct answer *r = stranger_book(&l.stranger, A,
                                     api_text("\"service_id\":\"%s\",\"starts_at\":\"%s\","
                                              "\"given_name\":\"Ana\",\"answers\":{\"motivo\":"
                                              "\"x\"}",
                                              l.service, start));
    cr_expect(answer_blames(r, "/email"), "%s", r->http.body);
    r = stranger_book(&l.stranger, A, "\"given_name\":\"Ana\",\"email\":\"a@example.com\"");
    cr_expect(answer_blames(r, "/service_id"), "%s", r->http.body);
    cr_expect_eq(count_all(&l), before);
    expect(lobby_book(&l, start, "a@example.com", ",\"answers\":{\"motivo\":\"x\"}"), 201, "");
    lobby_close(&l);
}

/* Texts come back to staff as they were sent. */
Test(public_booking, naughty_answers_come_back_as_they_were)
{
    static const char *const texts[] = {
        "<script>alert(1)</script>",
        "'; DROP TABLE client; --",
        "${7*7} {{7*7}}",
        "%s%n%x",
        "\xf0\x9f\x98\x80 \xc3\xa1",
        "\\u0041",
        "../../etc/passwd",
    };
    struct lobby l = lobby_open("");
    ask(&l, QUESTION);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct json_object *o = json_object_new_string(texts[i]);
        const char *quoted = api_text("%s", json_object_to_json_string(o));
        json_object_put(o);
        struct answer *r = expect(lobby_book(&l, lobby_start(&l, 2), "a@example.com",
                                             api_text(",\"answers\":{\"motivo\":%s}", quoted)),
                                  201, "");
        r = api_get(&l.owner, "/api/v1/appointments/%s/intake", answer_text(r, "id"));
        cr_expect_str_eq(answer_text(r, "answers.0.answer"), texts[i]);
    }
    lobby_close(&l);
}

/* ---- approval ---- */

struct waiting {
    struct lobby *l;
    const char *path;
};

static bool is_expired(void *arg)
{
    const struct waiting *w = arg;
    const char *state = answer_text(api_get(&w->l->owner, "%s", w->path), "state");
    return state && strcmp(state, "expired") == 0;
}

Test(public_booking, what_staff_approve_is_requested_until_then)
{
    struct lobby l = lobby_open("\"public_approval\":true");
    cr_expect_str_eq(answer_text(look(&l, ""), "approval"), "true");
    const char *start = lobby_start(&l, 12);
    struct answer *r = expect(lobby_book(&l, start, "a@example.com", ""), 201, "");
    cr_expect_str_eq(answer_text(r, "state"), "requested");
    cr_expect_not_null(answer_text(r, "expires_at"));
    expect(lobby_book(&l, start, "b@example.com", ""), 409, "slot_taken");
    const char *path = api_text("/api/v1/appointments/%s", answer_text(r, "id"));
    r = api_send(&l.owner, "POST", api_text("%s/confirm", path), NULL, "If-Match: \"1\"\r\n");
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "state"), "confirmed");
    lobby_close(&l);
}

Test(public_booking, a_request_that_nobody_answers_is_over_by_itself)
{
    struct lobby l = lobby_open("\"public_approval\":true");
    const char *start = lobby_start(&l, 14);
    struct answer *r = expect(lobby_book(&l, start, "a@example.com", ""), 201, "");
    struct waiting w = { &l, api_text("/api/v1/appointments/%s", answer_text(r, "id")) };
    db_do(l.db, api_text("UPDATE appointment SET expires_at = now() WHERE id = '%s'",
                         answer_text(r, "id")));
    db_do(l.db,
          "UPDATE public.due_work SET due_at = now(), raised = raised + 1 WHERE kind = 'agenda'");
    cr_expect(wait_until(is_expired, &w, WAIT_LONG_MS));
    expect(lobby_book(&l, start, "b@example.com", ""), 201, "");
    lobby_close(&l);
}

/* ---- once ---- */

Test(public_booking, the_same_key_books_once)
{
    struct lobby l = lobby_open("");
    const char *start = lobby_start(&l, 7), *work = stranger_work(&l.stranger, A);
    const char *key = api_text("Idempotency-Key: %s\r\n", stranger_email());
    char *body = api_text("{\"service_id\":\"%s\",\"starts_at\":\"%s\",\"given_name\":\"Ana\","
                          "\"email\":\"a@example.com\",%s}",
                          l.service, start, work);
    const char *path = stranger_path(A, "/book");
    struct answer *r = expect(api_send(&l.stranger, "POST", path, body, key), 201, "");
    cr_expect_not_null(answer_text(r, "token"));
    struct answer *again = expect(api_send(&l.stranger, "POST", path, body, key), 201, "");
    cr_expect_str_eq(answer_text(again, "id"), answer_text(r, "id"));
    cr_expect_not_null(answer_header(again, "idempotency-replayed"));
    cr_expect_null(answer_text(again, "token"), "a link is shown once");
    cr_expect_null(answer_text(again, "url"));
    expect(api_send(&l.stranger, "POST", path,
                    api_text("{\"service_id\":\"%s\",\"starts_at\":\"%s\",\"given_name\":\"Eva\","
                             "\"email\":\"a@example.com\",%s}",
                             l.service, start, work),
                    key),
           422, "idempotency_mismatch");
    cr_expect_eq(
        db_number(l.db, "SELECT count(*) FROM appointment WHERE service_id = $1", l.service, NULL),
        1);
    lobby_close(&l);
}
