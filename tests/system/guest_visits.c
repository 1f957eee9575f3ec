/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a client does by a link: sees what may be done, confirms, cancels, moves, within the rules that were agreed when it was booked. The answer that
 * shows a button and the one that takes the step agree. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/volley.h"

#define VISITS "/api/v1/guest/appointments"
#define POLICY "/api/v1/booking-policy"

TestSuite(guest_visits, .timeout = 120);

struct scene {
    struct api owner;
    const char *client, *service, *staff;
};

static struct scene scene_of(const char *email)
{
    struct scene s = { .owner = api_login(email) };
    s.client = api_new_client(&s.owner, api_unique("Visitor"));
    s.service = api_new_service(&s.owner, api_unique("Visit"), 30);
    s.staff = api_new_staff(&s.owner, api_unique("Dra"));
    return s;
}

static void scene_close(struct scene *s)
{
    api_close(&s->owner);
    api_release();
}

/* Books for the client; further members of the body, or "". */
static const char *book_with(struct scene *s, const char *when, const char *members)
{
    struct answer *r = api_post(&s->owner, "/api/v1/appointments",
                                "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                                "\"starts_at\":\"%s\"%s}",
                                s->client, s->service, s->staff, when, members);
    cr_assert_eq(r->status, 201, "%s: %s", when, r->http.body);
    return answer_text(r, "id");
}

static const char *book(struct scene *s, const char *when)
{
    return book_with(s, when, "");
}

static struct api guest_to_visit(struct scene *s, const char *visit, const char *members)
{
    return guest_of(&s->owner, api_text("appointments/%s", visit), members);
}

static struct answer *act(struct api *guest, const char *visit, const char *verb, const char *body)
{
    return api_post(guest, api_text(VISITS "/%s/%s", visit, verb), "%s", body);
}

static struct answer *move_to(struct api *guest, const char *visit, const char *when)
{
    return act(guest, visit, "reschedule", api_text("{\"starts_at\":\"%s\"}", when));
}

static void expect_refused(const struct answer *r, int status, const char *code)
{
    cr_expect_eq(r->status, status, "%d %s", r->status, r->http.body);
    cr_expect_str_eq(answer_code(r), code);
}

static void set_policy(struct api *owner, const char *members)
{
    int version = (int)answer_int(api_get(owner, POLICY), "version");
    struct answer *r = api_patch(owner, POLICY, version, "{%s}", members);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
}

/* ---- reading ---- */

Test(guest_visits, sees_what_may_be_done_and_nothing_else)
{
    struct scene s = scene_of(OWNER_A);
    const char *first = book_with(&s, api_text("%sT10:00", guest_monday(10)),
                                  ",\"notes\":\"internal-note\"");
    const char *second = book(&s, api_text("%sT10:00", guest_day(10, 1)));
    struct api guest = guest_of(&s.owner, api_text("clients/%s", s.client), "");
    struct answer *r = api_get(&guest, "/api/v1/guest/me");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "practice.name"), "Practice A");
    cr_expect_str_eq(answer_text(r, "practice.time_zone"), "America/Mexico_City");
    cr_expect_str_eq(answer_text(r, "practice.color"), "#0f766e");
    cr_expect_str_eq(answer_text(r, "can.cancel"), "true");
    cr_expect_str_eq(answer_text(r, "can.profile"), "false");
    r = api_get(&guest, VISITS);
    cr_assert_eq(answer_count(r, "data"), 2, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "data.0.id"), first);
    cr_expect_str_eq(answer_text(r, "data.1.id"), second);
    cr_expect_str_eq(answer_text(r, "data.0.can.confirm"), "true");
    cr_expect_str_eq(answer_text(r, "data.0.can.cancel.allowed"), "true");
    cr_expect_eq(answer_int(r, "data.0.can.reschedule.left"), 3);
    cr_expect_null(answer_text(r, "data.0.can.reschedule.why"));
    cr_expect_null(strstr(r->http.body, "internal-note"));
    cr_expect_null(strstr(r->http.body, "price"));
    cr_expect_str_eq(answer_text(r, "data.0.can.cancel.until"),
                     api_text("%sT16:00:00Z", guest_day(10, -1)), "a day before 10:00 -06:00");
    struct answer *one = api_get(&guest, VISITS "/%s", first);
    cr_expect_eq(one->status, 200);
    cr_expect_str_eq(answer_text(one, "starts_at"),
                     api_text("%sT10:00:00-06:00", guest_monday(10)));
    cr_expect_eq(answer_count(api_get(&guest, VISITS "?past=true"), "data"), 0);
    /* The link to one visit opens that one. */
    struct api one_guest = guest_to_visit(&s, first, "");
    r = api_get(&one_guest, VISITS);
    cr_expect_eq(answer_count(r, "data"), 1);
    cr_expect_str_eq(answer_text(r, "data.0.id"), first);
    cr_expect_eq(api_get(&one_guest, VISITS "/%s", second)->status, 404);
    expect_refused(act(&one_guest, second, "cancel", "{}"), 404, "not_found");
    expect_refused(act(&one_guest, second, "confirm", "{}"), 404, "not_found");
    expect_refused(move_to(&one_guest, second, api_text("%sT12:00", guest_day(10, 1))), 404,
                   "not_found");
    cr_expect_eq(api_get(&one_guest, VISITS "/%s/slots", second)->status, 404);
    api_close(&one_guest);
    api_close(&guest);
    scene_close(&s);
}

Test(guest_visits, a_scope_for_each_action)
{
    struct scene s = scene_of(OWNER_A);
    const char *visit = book(&s, api_text("%sT10:00", guest_monday(10)));
    struct api seer = guest_to_visit(&s, visit, "\"scopes\":[\"see\"]");
    struct answer *r = api_get(&seer, VISITS "/%s", visit);
    cr_expect_str_eq(answer_text(r, "can.confirm"), "false");
    cr_expect_str_eq(answer_text(r, "can.cancel.allowed"), "false");
    cr_expect_str_eq(answer_text(r, "can.cancel.why"), "scope_missing");
    cr_expect_str_eq(answer_text(r, "can.reschedule.why"), "scope_missing");
    expect_refused(act(&seer, visit, "confirm", "{}"), 403, "scope_missing");
    expect_refused(act(&seer, visit, "cancel", "{}"), 403, "scope_missing");
    expect_refused(move_to(&seer, visit, api_text("%sT12:00", guest_monday(10))), 403,
                   "scope_missing");
    expect_refused(api_get(&seer, VISITS "/%s/slots", visit), 403, "scope_missing");
    expect_refused(api_get(&seer, "/api/v1/guest/profile"), 403, "scope_missing");
    expect_refused(
        api_send(&seer, "PATCH", "/api/v1/guest/profile", "{\"given_name\":\"x\"}", NULL), 403,
        "scope_missing");
    struct api doer = guest_to_visit(&s, visit, "\"scopes\":[\"confirm\"]");
    expect_refused(api_get(&doer, VISITS), 403, "scope_missing");
    expect_refused(api_get(&doer, VISITS "/%s", visit), 403, "scope_missing");
    cr_expect_eq(act(&doer, visit, "confirm", "{}")->status, 200);
    api_close(&seer);
    api_close(&doer);
    scene_close(&s);
}

/* ---- confirming and cancelling ---- */

Test(guest_visits, a_booking_asks_for_confirmation)
{
    struct scene s = scene_of(OWNER_A);
    const char *visit = book_with(&s, api_text("%sT10:00", guest_monday(10)),
                                  ",\"ask_client\":true");
    struct answer *r = api_get(&s.owner, "/api/v1/appointments/%s", visit);
    cr_expect_str_eq(answer_text(r, "state"), "awaiting_client");
    struct guest_link l = guest_link_to(&s.owner, api_text("appointments/%s", visit), "");
    struct api guest = guest_enter(l.token);
    expect_refused(act(&guest, visit, "confirm", "{\"version\":9}"), 412, "version_conflict");
    r = act(&guest, visit, "confirm", "{\"version\":1}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "state"), "confirmed");
    cr_expect(answer_text(r, "client_confirmed_at") != NULL);
    cr_expect_eq(answer_int(r, "version"), 2);
    struct answer *again = act(&guest, visit, "confirm", "{}");
    cr_expect_str_eq(again->http.body, r->http.body, "twice is once");
    struct answer *h = api_get(&s.owner, "/api/v1/appointments/%s/history", visit);
    cr_assert_eq(answer_count(h, "data"), 2, "%s", h->http.body);
    cr_expect_str_eq(answer_text(h, "data.0.actor.kind"), "staff");
    cr_expect_str_eq(answer_text(h, "data.1.actor.kind"), "client");
    cr_expect_str_eq(answer_text(h, "data.1.actor.id"), s.client);
    cr_expect_str_eq(answer_text(h, "data.1.actor.link_id"), l.id);
    cr_expect_str_eq(answer_text(h, "data.1.from_state"), "awaiting_client");
    /* The practice moves it: that time was not confirmed. */
    r = api_patch(&s.owner, api_text("/api/v1/appointments/%s", visit), 2,
                  "{\"starts_at\":\"%sT11:00\"}", guest_monday(10));
    cr_expect_eq(r->status, 200);
    cr_expect_null(answer_text(r, "client_confirmed_at"));
    cr_expect_eq(act(&guest, visit, "confirm", "{}")->status, 200, "a confirmed one, too");
    api_close(&guest);
    scene_close(&s);
}

Test(guest_visits, cancelling_frees_the_time)
{
    struct scene s = scene_of(OWNER_A);
    const char *when = api_text("%sT10:00", guest_monday(10)), *visit = book(&s, when);
    struct api guest = guest_to_visit(&s, visit, "");
    struct answer *r = act(&guest, visit, "cancel", "{\"reason\":\"Me enfermé\"}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "state"), "cancelled");
    cr_expect_str_eq(answer_text(r, "can.cancel.why"), "state_conflict");
    cr_expect_str_eq(answer_text(r, "can.confirm"), "false");
    expect_refused(act(&guest, visit, "cancel", "{}"), 409, "state_conflict");
    expect_refused(act(&guest, visit, "confirm", "{}"), 409, "state_conflict");
    expect_refused(move_to(&guest, visit, api_text("%sT12:00", guest_monday(10))), 409,
                   "state_conflict");
    r = api_get(&s.owner, "/api/v1/appointments/%s", visit);
    cr_expect_str_eq(answer_text(r, "cancel_reason"), "Me enfermé");
    book(&s, when);
    api_close(&guest);
    scene_close(&s);
}

/* Decided by the rules of the day it was booked; staff are not bound by them. */
Test(guest_visits, rules_are_frozen_with_the_booking)
{
    struct scene s = scene_of(OWNER_B);
    set_policy(&s.owner, "\"cancel_cutoff_min\":1440,\"reschedule_cutoff_min\":43200,"
                         "\"guest_confirm\":true,\"guest_cancel\":true,\"guest_reschedule\":true");
    const char *visit = book(&s, api_text("%sT10:00", guest_monday(10)));
    set_policy(&s.owner, "\"cancel_cutoff_min\":43200,\"reschedule_cutoff_min\":0,"
                         "\"guest_confirm\":false");
    const char *later = book(&s, api_text("%sT12:00", guest_monday(10)));
    struct api guest = guest_of(&s.owner, api_text("clients/%s", s.client), "");
    struct answer *r = api_get(&guest, VISITS "/%s", visit);
    cr_expect_str_eq(answer_text(r, "can.cancel.allowed"), "true");
    cr_expect_str_eq(answer_text(r, "can.reschedule.why"), "cutoff_passed");
    cr_expect_str_eq(answer_text(r, "can.confirm"), "true");
    expect_refused(move_to(&guest, visit, api_text("%sT15:00", guest_monday(10))), 409,
                   "cutoff_passed");
    expect_refused(api_get(&guest, VISITS "/%s/slots", visit), 409, "cutoff_passed");
    r = api_get(&guest, VISITS "/%s", later);
    cr_expect_str_eq(answer_text(r, "can.cancel.why"), "cutoff_passed");
    cr_expect_str_eq(answer_text(r, "can.reschedule.allowed"), "true");
    cr_expect_str_eq(answer_text(r, "can.confirm"), "false");
    expect_refused(act(&guest, later, "cancel", "{}"), 409, "cutoff_passed");
    expect_refused(act(&guest, later, "confirm", "{}"), 403, "policy_forbids");
    cr_expect_eq(act(&guest, visit, "cancel", "{}")->status, 200);
    r = api_send(&s.owner, "POST", api_text("/api/v1/appointments/%s/cancel", later), "{}",
                 "If-Match: \"1\"\r\n");
    cr_expect_eq(r->status, 200, "staff may: %s", r->http.body);
    set_policy(&s.owner, "\"cancel_cutoff_min\":1440,\"reschedule_cutoff_min\":1440,"
                         "\"guest_confirm\":true");
    api_close(&guest);
    scene_close(&s);
}

/* ---- moving ---- */

static struct answer *slots_of(struct api *guest, const char *visit, const char *day)
{
    struct answer *r = api_get(guest, VISITS "/%s/slots?day=%s", visit, day);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_assert_eq(answer_count(r, "days"), 1);
    return r;
}

static bool offers(const struct answer *r, const char *start)
{
    return strstr(r->http.body, api_text("\"%s\"", start)) != NULL;
}

Test(guest_visits, slots_are_what_is_free)
{
    struct scene s = scene_of(OWNER_A);
    const char *day = guest_monday(10), *visit = book(&s, api_text("%sT10:00", day));
    struct api guest = guest_to_visit(&s, visit, "");
    struct answer *r = slots_of(&guest, visit, day);
    cr_expect_eq(answer_count(r, "days.0.starts"), 17, "18 half hours but the own one: %s",
                 r->http.body);
    cr_expect_str_eq(answer_text(r, "time_zone"), "America/Mexico_City");
    cr_expect_str_eq(answer_text(r, "days.0.starts.0"), api_text("%sT09:00:00-06:00", day));
    cr_expect(offers(r, api_text("%sT17:30:00-06:00", day)));
    /* Somebody else's visit with buffers, and one of the client's own elsewhere. */
    struct answer *buffered = api_post(&s.owner, "/api/v1/services",
                                       "{\"name\":\"B\",\"duration_min\":30,"
                                       "\"buffer_before_min\":10,\"buffer_after_min\":10}");
    cr_assert_eq(api_book(&s.owner, api_new_client(&s.owner, "Otro"), answer_text(buffered, "id"),
                          s.staff, api_text("%sT13:00", day))
                     ->status,
                 201);
    cr_assert_eq(api_book(&s.owner, s.client, s.service, api_new_staff(&s.owner, "Dr"),
                          api_text("%sT16:00", day))
                     ->status,
                 201);
    r = slots_of(&guest, visit, day);
    cr_expect_eq(answer_count(r, "days.0.starts"), 13, "%s", r->http.body);
    static const char *const gone[] = { "12:30", "13:00", "13:30", "16:00" };
    for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
        cr_expect_not(offers(r, api_text("%sT%s:00-06:00", day, gone[i])), "%s", gone[i]);
    }
    cr_expect_eq(answer_count(slots_of(&guest, visit, guest_day(10, 5)), "days.0.starts"), 0,
                 "a Saturday");
    cr_expect_eq(answer_count(slots_of(&guest, visit, "2020-01-06"), "days.0.starts"), 0);
    cr_expect_eq(answer_count(slots_of(&guest, visit, guest_monday(70)), "days.0.starts"), 0,
                 "too far ahead");
    r = api_get(&guest, VISITS "/%s/slots?from=%s&to=%s", visit, day, guest_day(10, 13));
    cr_expect_eq(answer_count(r, "days"), 14);
    cr_expect_eq(answer_count(api_get(&guest, VISITS "/%s/slots", visit), "days"), 7);
    static const char *const bad[] = { "day=2026-02-30", "to=2026-01-01",
                                       "from=2026-01-01&to=2026-01-15",
                                       "from=2026-01-02&to=2026-01-01",
                                       "day=2026-01-01&from=2026-01-01" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(api_get(&guest, VISITS "/%s/slots?%s", visit, bad[i])->status, 422, "%s",
                     bad[i]);
    }
    api_close(&guest);
    scene_close(&s);
}

Test(guest_visits, a_move_keeps_the_appointment)
{
    struct scene s = scene_of(OWNER_A);
    const char *day = guest_monday(10), *visit = book(&s, api_text("%sT10:00", day));
    struct guest_link l = guest_link_to(&s.owner, api_text("appointments/%s", visit), "");
    struct api guest = guest_enter(l.token);
    struct answer *r = move_to(&guest, visit, api_text("%sT10:30:00-06:00", day));
    cr_assert_eq(r->status, 200, "over its own time: %s", r->http.body);
    cr_expect_str_eq(answer_text(r, "id"), visit);
    cr_expect_eq(answer_int(r, "version"), 2);
    cr_expect_eq(answer_int(r, "can.reschedule.left"), 2);
    r = api_get(&s.owner, "/api/v1/appointments/%s/history", visit);
    cr_expect_str_eq(answer_text(r, "data.1.actor.kind"), "client");
    cr_expect_str_eq(answer_text(r, "data.1.actor.link_id"), l.id);
    cr_expect(answer_text(r, "data.1.change.starts_at") != NULL);
    /* Moves by the practice are not the client's. */
    cr_expect_eq(api_patch(&s.owner, api_text("/api/v1/appointments/%s", visit), 2,
                           "{\"starts_at\":\"%sT08:00\",\"override\":\"urgent\"}", day)
                     ->status,
                 200);
    cr_expect_eq(answer_int(api_get(&guest, VISITS "/%s", visit), "can.reschedule.left"), 2);
    cr_expect_eq(move_to(&guest, visit, api_text("%sT11:00", day))->status, 200);
    cr_expect_eq(move_to(&guest, visit, api_text("%sT11:30", day))->status, 200);
    r = api_get(&guest, VISITS "/%s", visit);
    cr_expect_eq(answer_int(r, "can.reschedule.left"), 0);
    cr_expect_str_eq(answer_text(r, "can.reschedule.why"), "moves_exhausted");
    expect_refused(move_to(&guest, visit, api_text("%sT12:00", day)), 409, "moves_exhausted");
    cr_expect_eq(answer_int(api_get(&s.owner, "/api/v1/appointments/%s", visit), "reschedules"), 4);
    api_close(&guest);
    scene_close(&s);
}

Test(guest_visits, a_time_that_is_not_offered)
{
    struct scene s = scene_of(OWNER_A);
    const char *day = guest_monday(10), *visit = book(&s, api_text("%sT10:00", day));
    struct api guest = guest_to_visit(&s, visit, "");
    const char *const bad[] = {
        api_text("%sT08:30", day),              /* before the hours */
        api_text("%sT17:45", day),              /* ends behind them, and off the grid */
        api_text("%sT11:15", day),              /* off the grid */
        api_text("%sT12:00", guest_day(10, 6)), /* a Sunday */
        api_text("%sT12:00", guest_monday(70)), /* beyond the horizon */
        api_text("%sT10:00", day),              /* where it is */
        api_text("%sT12:00", api_day(-3)),      /* over */
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer *r = move_to(&guest, visit, bad[i]);
        cr_expect_eq(r->status, 422, "%s: %d %s", bad[i], r->status, r->http.body);
        cr_expect(answer_blames(r, "/starts_at"), "%s", bad[i]);
    }
    cr_assert_eq(api_book(&s.owner, api_new_client(&s.owner, "Otro"), s.service, s.staff,
                          api_text("%sT12:00", day))
                     ->status,
                 201);
    expect_refused(move_to(&guest, visit, api_text("%sT12:00", day)), 409, "slot_taken");
    cr_assert_eq(api_book(&s.owner, s.client, s.service, api_new_staff(&s.owner, "Dr"),
                          api_text("%sT15:00", day))
                     ->status,
                 201);
    expect_refused(move_to(&guest, visit, api_text("%sT15:00", day)), 409, "client_conflict");
    struct answer *r = api_get(&guest, VISITS "/%s", visit);
    cr_expect_eq(answer_int(r, "version"), 1);
    cr_expect_eq(answer_int(r, "can.reschedule.left"), 3, "a refused move counts");
    api_close(&guest);
    scene_close(&s);
}

/* Forty clients of one person want the same free half hour at once. */
Test(guest_visits, forty_guests_and_one_slot)
{
    enum { GUESTS = 40 };
    struct scene s = scene_of(OWNER_A);
    const char *day = guest_monday(10);
    struct shot shots[GUESTS];
    s.service = api_new_service(&s.owner, api_unique("Short"), 5);
    for (size_t i = 0; i < GUESTS; i++) {
        s.client = api_new_client(&s.owner, api_unique("Racer"));
        const char *visit = book(&s, api_text("%sT%02zu:%02zu", day, 9 + i / 6, i % 6 * 10));
        struct answer *r = guest_open(
            guest_link_to(&s.owner, api_text("appointments/%s", visit), "").token, "");
        shots[i] = (struct shot){ .token = answer_text(r, "access_token"),
                                  .method = "POST",
                                  .path = api_text(VISITS "/%s/reschedule", visit),
                                  .body = api_text("{\"starts_at\":\"%sT12:00\"}",
                                                   guest_day(10, 1)) };
    }
    volley_fire(shots, GUESTS);
    volley_print("guests", shots, GUESTS);
    cr_expect_eq(volley_count(shots, GUESTS, 200, NULL), 1);
    cr_expect_eq(volley_count(shots, GUESTS, 409, "slot_taken"), GUESTS - 1);
    scene_close(&s);
}

/* ---- the link ends, the clocks change ---- */

Test(guest_visits, a_revoked_link_stops_at_once)
{
    struct scene s = scene_of(OWNER_A);
    const char *visit = book(&s, api_text("%sT10:00", guest_monday(10)));
    struct guest_link l = guest_link_to(&s.owner, api_text("clients/%s", s.client),
                                        "\"scopes\":[\"see\",\"confirm\",\"cancel\","
                                        "\"reschedule\",\"profile\"]");
    struct api guest = guest_enter(l.token);
    char *key = api_text("Idempotency-Key: %s\r\n", strrchr(api_unique("x"), ' ') + 1);
    char *confirm = api_text(VISITS "/%s/confirm", visit);
    struct answer *r = api_send(&guest, "POST", confirm, "{}", key);
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    r = api_send(&guest, "POST", confirm, "{}", key);
    cr_expect_str_eq(answer_header(r, "idempotency-replayed"), "true");
    r = api_send(&s.owner, "POST", api_text("/api/v1/links/%s/revoke", l.id), NULL, NULL);
    cr_expect_str_eq(answer_text(r, "state"), "revoked");
    expect_refused(api_send(&guest, "POST", confirm, "{}", key), 410, "link_expired");
    expect_refused(api_get(&guest, "/api/v1/guest/me"), 410, "link_expired");
    expect_refused(api_get(&guest, "/api/v1/guest/logo"), 410, "link_expired");
    expect_refused(api_get(&guest, VISITS), 410, "link_expired");
    expect_refused(api_get(&guest, VISITS "/%s", visit), 410, "link_expired");
    expect_refused(api_get(&guest, VISITS "/%s/slots", visit), 410, "link_expired");
    expect_refused(act(&guest, visit, "confirm", "{}"), 410, "link_expired");
    expect_refused(act(&guest, visit, "cancel", "{}"), 410, "link_expired");
    expect_refused(move_to(&guest, visit, api_text("%sT12:00", guest_monday(10))), 410,
                   "link_expired");
    expect_refused(api_get(&guest, "/api/v1/guest/profile"), 410, "link_expired");
    expect_refused(
        api_send(&guest, "PATCH", "/api/v1/guest/profile", "{\"given_name\":\"x\"}", NULL), 410,
        "link_expired");
    /* A key is the link's: another of the same client does not get its answers. */
    struct api other = guest_of(&s.owner, api_text("clients/%s", s.client), "");
    r = api_send(&other, "POST", confirm, "{}", key);
    cr_expect_eq(r->status, 200);
    cr_expect_null(answer_header(r, "idempotency-replayed"));
    /* An archived client's links are over as well. */
    cr_expect_eq(api_send(&s.owner, "DELETE", api_text("/api/v1/clients/%s", s.client), NULL,
                          "If-Match: \"1\"\r\n")
                     ->status,
                 204);
    expect_refused(api_get(&other, VISITS), 410, "link_expired");
    api_close(&other);
    api_close(&guest);
    scene_close(&s);
}

/* The next day in that zone that has so many hours. */
static const char *day_of_hours(const char *zone, int hours)
{
    PGconn *db = db_super();
    char *day = db_value(db,
                         "SELECT to_char(d, 'YYYY-MM-DD') FROM generate_series((current_date +"
                         " 3)::timestamp, (current_date + 400)::timestamp, interval '1 day') d"
                         " WHERE (d + interval '1 day') AT TIME ZONE $1 - d AT TIME ZONE $1 ="
                         " make_interval(hours => $2::int) LIMIT 1",
                         zone, api_text("%d", hours), NULL);
    char *text = api_text("%s", day);
    free(day);
    PQfinish(db);
    return text;
}

Test(guest_visits, clocks_that_change)
{
    struct scene s = scene_of(OWNER_B);
    int version = (int)answer_int(api_get(&s.owner, "/api/v1/business"), "version");
    cr_assert_eq(
        api_patch(&s.owner, "/api/v1/business", version, "{\"time_zone\":\"America/Tijuana\"}")
            ->status,
        200);
    cr_assert_eq(api_send(&s.owner, "PUT", "/api/v1/opening-hours",
                          "{\"sunday\":[\"00:00-06:00\"],\"saturday\":[\"22:00-01:00\"],"
                          "\"monday\":[\"09:00-18:00\"]}",
                          NULL)
                     ->status,
                 200);
    set_policy(&s.owner, "\"horizon_days\":730,\"reschedule_cutoff_min\":0");
    const char *visit = book(&s, api_text("%sT10:00", guest_monday(10)));
    struct api guest = guest_to_visit(&s, visit, "");
    const char *spring = day_of_hours("America/Tijuana", 23);
    struct answer *r = slots_of(&guest, visit, spring);
    cr_expect_eq(answer_count(r, "days.0.starts"), 10, "no 2:00 and no 2:30: %s", r->http.body);
    cr_expect(offers(r, api_text("%sT01:30:00-08:00", spring)));
    cr_expect(offers(r, api_text("%sT03:00:00-07:00", spring)));
    expect_refused(move_to(&guest, visit, api_text("%sT02:30", spring)), 422, "nonexistent_time");
    const char *autumn = day_of_hours("America/Tijuana", 25);
    r = slots_of(&guest, visit, autumn);
    cr_expect_eq(answer_count(r, "days.0.starts"), 14, "1:00 and 1:30 twice: %s", r->http.body);
    cr_expect(offers(r, api_text("%sT01:30:00-07:00", autumn)) &&
              offers(r, api_text("%sT01:30:00-08:00", autumn)));
    expect_refused(move_to(&guest, visit, api_text("%sT01:30", autumn)), 422, "ambiguous_time");
    r = move_to(&guest, visit, api_text("%sT01:30:00-08:00", autumn));
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "starts_at"), api_text("%sT01:30:00-08:00", autumn));
    /* Hours that go on behind midnight belong to the day on which they end as well. */
    r = slots_of(&guest, visit, guest_day(10, 5));
    cr_expect_eq(answer_count(r, "days.0.starts"), 4, "22:00 to 23:30: %s", r->http.body);
    cr_expect_eq(answer_count(slots_of(&guest, visit, guest_day(10, 6)), "days.0.starts"), 12);
    api_close(&guest);
    scene_close(&s);
}
