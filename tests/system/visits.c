/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The life of a visit over the real socket: every step of the product's own table from every state, then what must not happen, written by hand; the
 * practice's rules and who may override them; answers that do not come in time. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/member.h"
#include "tests/support/wait.h"
#include "worker/api/appointment.h"

#define APPOINTMENTS "/api/v1/appointments"

TestSuite(visits, .timeout = 240);

struct desk {
    struct api owner;
    PGconn *db; /* in the practice's schema */
    char *code;
    const char *client, *service, *staff;
    int booked; /* each visit is at another hour */
};

static struct desk desk_of(const char *email, const char *slug)
{
    struct desk d = { .owner = api_login(email), .db = db_super() };
    d.code = db_code(d.db, slug);
    db_do(d.db, api_text("SET search_path = t_%s, ext, public", d.code));
    d.client = api_new_client(&d.owner, api_unique("Ana"));
    d.service = api_new_service(&d.owner, api_unique("Corte"), 20);
    d.staff = api_new_staff(&d.owner, api_unique("Beto"));
    return d;
}

static struct desk desk_open(void)
{
    return desk_of(OWNER_A, "practice-a");
}

static void desk_close(struct desk *d)
{
    PQfinish(d->db);
    free(d->code);
    api_close(&d->owner);
    api_release();
}

static const char *next_hour(struct desk *d)
{
    int n = d->booked++;
    return api_text("%sT%02d:00", api_day(5 + n / 20), n % 20);
}

static const char *book(struct desk *d)
{
    struct answer *r = api_book(&d->owner, d->client, d->service, d->staff, next_hour(d));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return answer_text(r, "id");
}

/* As if it had come there: what gives its time up has none. */
static void put_into(struct desk *d, const char *id, const char *state)
{
    bool taken = !strstr(" cancelled declined expired no_show ", api_text(" %s ", state));
    db_do(d->db, api_text("UPDATE appointment SET state = '%s' WHERE id = '%s'", state, id));
    if (!taken) {
        db_do(d->db, api_text("DELETE FROM allocation WHERE appointment_id = '%s'", id));
        db_do(d->db, api_text("DELETE FROM client_busy WHERE appointment_id = '%s'", id));
    }
}

static long rows_of_time(struct desk *d, const char *id)
{
    return db_number(d->db,
                     "SELECT (SELECT count(*) FROM allocation WHERE appointment_id = $1::uuid)"
                     " + (SELECT count(*) FROM client_busy WHERE appointment_id = $1::uuid)",
                     id, NULL);
}

/* ---- the table ---- */

static struct answer *take(struct desk *d, const char *id, int version, const char *verb)
{
    char *match = api_text("If-Match: \"%d\"\r\n", version),
         *path = api_text(APPOINTMENTS "/%s", id);
    char *time = api_text("{\"starts_at\":\"%s\"}", next_hour(d));
    if (strcmp(verb, "reschedule") == 0) {
        return api_send(&d->owner, "PATCH", path, time, match);
    }
    return api_send(&d->owner, "POST", api_text("%s/%s", path, verb),
                    strcmp(verb, "propose") == 0  ? time
                    : strcmp(verb, "reopen") == 0 ? "{\"reason\":\"It was a mistake\"}"
                    : strcmp(verb, "paid") == 0   ? "{\"method\":\"cash\"}"
                                                  : NULL,
                    match);
}

static void expect_step(struct desk *d, const struct visit_step *s, const char *state)
{
    const char *id = book(d);
    put_into(d, id, state);
    struct answer *r = take(d, id, 1, s->verb);
    if (!visit_may(s, state)) {
        struct sbuf legal;
        sbuf_init(&legal);
        visit_legal(&legal, state, VISIT_STAFF);
        cr_expect(r->status == 409 && strcmp(answer_code(r), "state_conflict") == 0,
                  "%s from %s: %d %s", s->verb, state, r->status, r->http.body);
        cr_expect(strstr(r->http.body, api_text("\"state\":\"%s\",\"legal\":%.*s", state,
                                                (int)legal.len, legal.data)),
                  "%s", r->http.body);
        r = api_get(&d->owner, APPOINTMENTS "/%s", id);
        cr_expect_str_eq(answer_text(r, "state"), state);
        cr_expect_eq(answer_int(r, "version"), 1);
        sbuf_fini(&legal);
        return;
    }
    cr_expect_eq(r->status, 200, "%s from %s: %d %s", s->verb, state, r->status, r->http.body);
    cr_expect_str_eq(answer_text(r, "state"), s->to ? s->to : state);
    cr_expect_eq(answer_int(r, "version"), 2);
    cr_expect_eq(rows_of_time(d, id), s->time == VISIT_FREES ? 0 : 2, "%s from %s", s->verb, state);
    struct answer *h = api_get(&d->owner, APPOINTMENTS "/%s/history", id);
    cr_expect_str_eq(answer_text(h, "data.1.from_state"), state);
    cr_expect_str_eq(answer_text(h, "data.1.to_state"), s->to ? s->to : state);
}

Test(visits, every_step_of_staff_from_every_state)
{
    struct desk d = desk_open();
    int steps = 0;
    for (const struct visit_step *s = visit_steps; s->verb; s++) {
        char states[] = APPOINTMENT_STATES, *rest = states, *state;
        if (!(s->who & VISIT_STAFF)) {
            continue;
        }
        while ((state = strsep(&rest, " "))) {
            expect_step(&d, s, state);
            steps++;
        }
    }
    cr_expect_eq(steps, 11 * 12);
    desk_close(&d);
}

Test(visits, every_step_of_clients_from_every_state)
{
    struct desk d = desk_open();
    struct api guest = guest_of(&d.owner, api_text("clients/%s", d.client), GUEST_ALL_SCOPES);
    int steps = 0;
    for (const struct visit_step *s = visit_steps; s->verb; s++) {
        char states[] = APPOINTMENT_STATES, *rest = states, *state;
        if (!(s->who & VISIT_CLIENT)) {
            continue;
        }
        while ((state = strsep(&rest, " "))) {
            const char *id = book(&d);
            put_into(&d, id, state);
            struct answer *r = api_post(
                &guest, api_text("/api/v1/guest/appointments/%s/%s", id, s->verb),
                strcmp(s->verb, "reschedule") ? "{}" : "{\"starts_at\":\"%s\"}", next_hour(&d));
            bool may = visit_may(s, state);
            cr_expect_eq(r->status, may ? 200 : 409, "%s from %s: %s", s->verb, state,
                         r->http.body);
            cr_expect_str_eq(may ? answer_text(r, "state") : answer_code(r), !may ? "state_conflict"
                                                                             : s->to ? s->to
                                                                                     : state);
            steps++;
        }
    }
    cr_expect_eq(steps, 3 * 12);
    api_close(&guest);
    desk_close(&d);
}

/* Nobody derives these from the table. */
Test(visits, what_must_not_happen)
{
    static const struct {
        const char *state, *verb;
    } never[] = {
        { "cancelled", "confirm" },        { "cancelled", "reopen" },
        { "cancelled", "reschedule" },     { "declined", "confirm" },
        { "expired", "confirm" },          { "expired", "reschedule" },
        { "no_show", "complete" },         { "no_show", "check-in" },
        { "completed", "cancel" },         { "completed", "no-show" },
        { "completed", "reschedule" },     { "in_progress", "cancel" },
        { "in_progress", "no-show" },      { "checked_in", "complete" },
        { "requested", "check-in" },       { "requested", "no-show" },
        { "awaiting_client", "start" },    { "confirmed", "complete" },
        { "confirmed", "decline" },        { "confirmed", "reopen" },
        { "confirmed", "paid" },           { "expired", "paid" },
        { "cancelled", "paid" },           { "requested", "paid" },
        { "awaiting_payment", "confirm" }, { "awaiting_payment", "check-in" },
    };
    struct desk d = desk_open();
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        const char *id = book(&d);
        put_into(&d, id, never[i].state);
        struct answer *r = take(&d, id, 1, never[i].verb);
        cr_expect_str_eq(answer_code(r), "state_conflict", "%s %s: %s", never[i].state,
                         never[i].verb, r->http.body);
    }
    const char *id = book(&d);
    cr_expect_eq(take(&d, id, 2, "cancel")->status, 412);
    cr_expect_eq(api_post(&d.owner, api_text(APPOINTMENTS "/%s/cancel", id), "{}")->status, 428);
    cr_expect_eq(take(&d, "01900000-0000-7000-8000-000000000000", 1, "decline")->status, 404);
    put_into(&d, id, "completed");
    cr_expect_eq(api_send(&d.owner, "POST", api_text(APPOINTMENTS "/%s/reopen", id), "{}",
                          "If-Match: \"1\"\r\n")
                     ->status,
                 422, "reopening says why");
    desk_close(&d);
}

Test(visits, what_was_missed_is_reopened_only_while_its_time_is_free)
{
    struct desk d = desk_open();
    const char *id = book(&d);
    cr_assert_eq(take(&d, id, 1, "no-show")->status, 200);
    const char *at = answer_text(api_get(&d.owner, APPOINTMENTS "/%s", id), "starts_at");
    const char *other = api_new_client(&d.owner, api_unique("Eva"));
    struct answer *r = api_book(&d.owner, other, d.service, d.staff, at);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    const char *beside = answer_text(r, "id");
    cr_expect_str_eq(answer_code(take(&d, id, 2, "reopen")), "slot_taken");
    cr_expect_eq(take(&d, beside, 1, "cancel")->status, 200);
    cr_expect_eq(take(&d, id, 2, "reopen")->status, 200);
    cr_expect_eq(rows_of_time(&d, id), 2);
    desk_close(&d);
}

/* ---- the practice's rules ---- */

static struct answer *book_with(struct api *who, struct desk *d, const char *when,
                                const char *members)
{
    return api_post(who, APPOINTMENTS,
                    "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                    "\"starts_at\":\"%s\"%s}",
                    d->client, d->service, d->staff, when, members);
}

Test(visits, rules_bind_staff_who_do_not_say_why)
{
    struct desk d = desk_open();
    const char *day = guest_monday(10);
    api_new_schedule(&d.owner, d.staff, "\"monday 09:00-12:00\",\"monday 10:00-10:30 break\"");
    struct answer *r = book_with(&d.owner, &d, api_text("%sT10:20", day), "");
    cr_expect_eq(r->status, 409);
    cr_expect_str_eq(answer_code(r), "outside_hours");
    cr_expect_str_eq(answer_text(r, "why"), "[ \"break\" ]");
    r = book_with(&d.owner, &d, api_text("%sT11:50", day), "");
    cr_expect_str_eq(answer_text(r, "why"), "[ \"closed\" ]", "it ends too late: %s", r->http.body);
    r = book_with(&d.owner, &d, api_text("%sT09:07", day), "");
    cr_expect_eq(r->status, 201, "staff need no grid: %s", r->http.body);
    const char *id = answer_text(r, "id");
    r = api_patch(&d.owner, api_text(APPOINTMENTS "/%s", id), 1, "{\"starts_at\":\"%sT13:00\"}",
                  day);
    cr_expect_str_eq(answer_code(r), "outside_hours");
    r = api_patch(&d.owner, api_text(APPOINTMENTS "/%s", id), 1, "{\"duration_min\":60}");
    cr_expect_str_eq(answer_text(r, "why"), "[ \"break\" ]", "%s", r->http.body);
    r = api_patch(&d.owner, api_text(APPOINTMENTS "/%s", id), 1,
                  "{\"starts_at\":\"%sT13:00\",\"override\":\"She comes from far away\"}", day);
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    r = api_get(&d.owner, APPOINTMENTS "/%s/history", id);
    cr_expect_str_eq(answer_text(r, "data.1.change.override.reason"), "She comes from far away");
    cr_expect_str_eq(answer_text(r, "data.1.change.override.rules"), "[ \"closed\" ]");
    r = api_patch(&d.owner, api_text(APPOINTMENTS "/%s", id), 2, "{\"notes\":\"Pays in cash\"}");
    cr_expect_eq(r->status, 200, "what stays where it is needs no reason: %s", r->http.body);
    desk_close(&d);
}

Test(visits, who_does_not_offer_a_service_needs_a_reason_too)
{
    struct desk d = desk_open();
    const char *other = api_new_staff(&d.owner, api_unique("Carla"));
    cr_assert_eq(api_send(&d.owner, "PUT", api_text("/api/v1/services/%s/staff", d.service),
                          api_text("{\"staff\":[\"%s:50\"]}", other), NULL)
                     ->status,
                 200);
    const char *when = api_text("%sT09:00", api_day(10));
    struct answer *r = book_with(&d.owner, &d, when, "");
    cr_expect_eq(r->status, 422, "%s", r->http.body);
    cr_expect(answer_blames(r, "/staff_id"));
    r = book_with(&d.owner, &d, when, ",\"override\":\"The other one is ill\"");
    cr_expect_eq(r->status, 201, "%s", r->http.body);
    d.staff = other;
    d.client = api_new_client(&d.owner, api_unique("Eva"));
    r = book_with(&d.owner, &d, when, "");
    cr_expect_eq(r->status, 201, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "ends_at"), api_text("%sT09:50:00-06:00", api_day(10)),
                     "as long as it takes them");
    desk_close(&d);
}

Test(visits, overriding_takes_a_permission)
{
    struct desk d = desk_open();
    struct member desk = member_join("practice-a", "receptionist", NULL);
    struct member assistant = member_join("practice-a", "assistant", "uno");
    const char *day = guest_monday(17);
    d.staff = assistant.staff;
    d.client = api_new_client(&assistant.api, api_unique("Eva"));
    api_new_schedule(&d.owner, d.staff, "\"monday 09:00-12:00\"");
    const char *late = api_text("%sT20:00", day), *why = ",\"override\":\"urgent\"";
    cr_expect_str_eq(answer_code(book_with(&assistant.api, &d, late, "")), "outside_hours");
    struct answer *r = book_with(&assistant.api, &d, late, why);
    cr_expect_eq(r->status, 403, "%s", r->http.body);
    cr_expect(strstr(r->http.body, "appointment.override"));
    r = book_with(&assistant.api, &d, api_text("%sT09:00", day), why);
    cr_expect_eq(r->status, 201, "nothing is overridden: %s", r->http.body);
    cr_expect_eq(book_with(&desk.api, &d, late, why)->status, 201);
    member_close(&desk);
    member_close(&assistant);
    desk_close(&d);
}

Test(visits, beside_another_visit_on_purpose)
{
    struct desk d = desk_open();
    const char *when = api_text("%sT09:00", api_day(40)), *first = d.client;
    cr_assert_eq(book_with(&d.owner, &d, when, "")->status, 201);
    d.client = api_new_client(&d.owner, api_unique("Eva"));
    cr_expect_str_eq(answer_code(book_with(&d.owner, &d, when, "")), "slot_taken");
    cr_expect_str_eq(answer_code(book_with(&d.owner, &d, when, ",\"override\":\"urgent\"")),
                     "slot_taken", "a reason alone takes nobody's time");
    cr_expect_eq(book_with(&d.owner, &d, when, ",\"overbook\":true")->status, 422);
    const char *beside = ",\"overbook\":true,\"override\":\"urgent\"";
    struct answer *r = book_with(&d.owner, &d, when, beside);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "overbooked"), "true");
    const char *second = answer_text(r, "id"), *eva = d.client;
    cr_expect_str_eq(answer_code(book_with(&d.owner, &d, when, beside)), "client_conflict",
                     "nobody is in two places");
    d.client = first;
    r = book_with(&d.owner, &d, api_text("%sT11:00", api_day(40)), beside);
    cr_expect_str_eq(answer_text(r, "overbooked"), "false", "the time is free");
    r = api_patch(&d.owner, api_text(APPOINTMENTS "/%s", second), 1, "{\"starts_at\":\"%sT15:00\"}",
                  api_day(40));
    cr_expect_str_eq(answer_text(r, "overbooked"), "false");
    for (int lane = 2; lane <= 20; lane++) {
        d.client = api_new_client(&d.owner, api_unique("Ema"));
        cr_expect_eq(book_with(&d.owner, &d, when, beside)->status, 201, "lane %d", lane);
    }
    d.client = eva;
    cr_expect_str_eq(answer_code(book_with(&d.owner, &d, when, beside)), "slot_taken",
                     "twenty at a time");
    cr_expect_eq(db_number(d.db,
                           "SELECT count(*) FROM allocation x JOIN allocation y ON x.id < y.id"
                           " AND x.resource_id = y.resource_id AND x.lane = y.lane"
                           " AND x.busy && y.busy",
                           NULL),
                 0);
    desk_close(&d);
}

/* ---- answers ---- */

Test(visits, a_clients_move_waits_for_staff_where_the_policy_says_so)
{
    struct desk d = desk_of("owner-c@example.com",
                            "practice-c"); /* whose policy nobody else books by */
    int version = (int)answer_int(api_get(&d.owner, "/api/v1/booking-policy"), "version");
    struct answer *r = api_patch(&d.owner, "/api/v1/booking-policy", version,
                                 "{\"approve_moves\":true,\"answer_min\":60}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    const char *id = book(&d), *second = book(&d);
    cr_assert_eq(
        api_patch(&d.owner, "/api/v1/booking-policy", version + 1, "{\"approve_moves\":false}")
            ->status,
        200);
    struct api guest = guest_of(&d.owner, api_text("clients/%s", d.client), GUEST_ALL_SCOPES);
    const char *const both[] = { id, second };
    for (int i = 0; i < 2; i++) {
        r = api_post(&guest, api_text("/api/v1/guest/appointments/%s/reschedule", both[i]),
                     "{\"starts_at\":\"%s\"}", next_hour(&d));
        cr_assert_eq(r->status, 200, "%s", r->http.body);
        cr_expect_str_eq(answer_text(r, "state"), "requested", "as agreed when it was booked");
    }
    cr_expect_eq(db_number(d.db,
                           "SELECT count(*) FROM appointment WHERE id = $1::uuid AND expires_at"
                           " BETWEEN now() + interval '50 minutes' AND now() + interval '1 hour'",
                           id, NULL),
                 1);
    r = take(&d, id, 2, "confirm");
    cr_expect_str_eq(answer_text(r, "state"), "confirmed");
    cr_expect_null(answer_text(r, "expires_at"));
    r = api_send(&d.owner, "POST", api_text(APPOINTMENTS "/%s/decline", second),
                 "{\"reason\":\"Not on Sundays\"}", "If-Match: \"2\"\r\n");
    cr_expect_str_eq(answer_text(r, "state"), "declined");
    cr_expect_eq(rows_of_time(&d, second), 0);
    r = api_get(&d.owner, APPOINTMENTS "/%s/history", second);
    cr_expect_str_eq(answer_text(r, "data.2.change.reason"), "Not on Sundays");
    api_close(&guest);
    desk_close(&d);
}

struct waiting {
    struct desk *d;
    const char *id, *state;
};

static bool has_state(void *arg)
{
    struct waiting *w = arg;
    const char *is = answer_text(api_get(&w->d->owner, APPOINTMENTS "/%s", w->id), "state");
    return is && strcmp(is, w->state) == 0;
}

Test(visits, what_nobody_answers_is_over_by_itself)
{
    struct desk d = desk_open();
    const char *when = next_hour(&d);
    struct answer *r = book_with(&d.owner, &d, when, ",\"ask_client\":true");
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    const char *id = answer_text(r, "id"), *kept = book(&d);
    cr_expect_neq(answer_text(r, "expires_at"), NULL);
    cr_expect_str_eq(answer_code(book_with(&d.owner, &d, when, "")), "slot_taken");
    db_do(d.db, api_text("UPDATE appointment SET expires_at = now() WHERE id = '%s'", id));
    db_do(d.db,
          "UPDATE public.due_work SET due_at = now(), raised = raised + 1 WHERE kind = 'agenda'");
    struct waiting w = { &d, id, "expired" };
    cr_expect(wait_until(has_state, &w, WAIT_LONG_MS));
    r = api_get(&d.owner, APPOINTMENTS "/%s/history", id);
    cr_expect_str_eq(answer_text(r, "data.1.actor.kind"), "system");
    cr_expect_str_eq(answer_text(r, "data.1.from_state"), "awaiting_client");
    cr_expect_eq(book_with(&d.owner, &d, when, "")->status, 201, "its time is free");
    r = api_get(&d.owner, APPOINTMENTS "/%s", kept);
    cr_expect_str_eq(answer_text(r, "state"), "confirmed");
    desk_close(&d);
}

static long expires_in(struct desk *d, const char *id)
{
    return db_number(d->db,
                     "SELECT extract(epoch FROM expires_at - now())::int / 60 FROM appointment"
                     " WHERE id = $1::uuid",
                     id, NULL);
}

static struct answer *pay(struct desk *d, const char *id, int version, const char *body)
{
    return api_send(&d->owner, "POST", api_text(APPOINTMENTS "/%s/paid", id), body,
                    api_text("If-Match: \"%d\"\r\n", version));
}

Test(visits, what_is_to_be_paid_first_waits_for_that)
{
    struct desk d = desk_of("owner-d@example.com", "practice-d");
    const char *when = next_hour(&d), *ask = ",\"ask_payment\":true";
    struct answer *r = book_with(&d.owner, &d, when, ask);
    cr_expect_eq(r->status, 422, "%s", r->http.body);
    cr_expect(answer_blames(r, "/ask_payment"), "the policy knows of no payment");
    int version = (int)answer_int(api_get(&d.owner, "/api/v1/booking-policy"), "version");
    cr_expect_eq(answer_int(api_get(&d.owner, "/api/v1/booking-policy"), "pay_min"), 0);
    static const char *const bad[] = { "-1", "43201", "null" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        r = api_patch(&d.owner, "/api/v1/booking-policy", version, "{\"pay_min\":%s}", bad[i]);
        cr_expect_eq(r->status, 422, "%s", bad[i]);
    }
    r = api_patch(&d.owner, "/api/v1/booking-policy", version,
                  "{\"pay_min\":120,\"approve_moves\":true}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    r = book_with(&d.owner, &d, when, ",\"ask_payment\":true,\"ask_client\":true");
    cr_expect(r->status == 422 && answer_blames(r, "/ask_payment"), "%s", r->http.body);
    r = book_with(&d.owner, &d, when, ask);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    const char *id = answer_text(r, "id");
    cr_expect_str_eq(answer_text(r, "state"), "awaiting_payment");
    cr_expect(expires_in(&d, id) >= 118 && expires_in(&d, id) <= 120);
    cr_expect_eq(rows_of_time(&d, id), 2, "its time is kept meanwhile");
    /* Moving it pays nothing, neither by staff nor by the client, whose moves staff would have to confirm. */
    db_do(d.db, api_text("UPDATE appointment SET expires_at = expires_at - interval '1 hour'"));
    cr_expect_eq(take(&d, id, 1, "reschedule")->status, 200);
    cr_expect_leq(expires_in(&d, id), 60);
    struct api guest = guest_of(&d.owner, api_text("clients/%s", d.client), GUEST_ALL_SCOPES);
    r = api_post(&guest, api_text("/api/v1/guest/appointments/%s/reschedule", id),
                 "{\"starts_at\":\"%s\"}", next_hour(&d));
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "state"), "awaiting_payment");
    cr_expect_leq(expires_in(&d, id), 60);
    r = api_post(&guest, api_text("/api/v1/guest/appointments/%s/confirm", id), "{}");
    cr_expect_eq(r->status, 409, "%s", r->http.body);
    cr_expect_eq(pay(&d, id, 3, "{}")->status, 422);
    cr_expect_eq(pay(&d, id, 3, "{\"method\":\"gold\"}")->status, 422);
    cr_expect_eq(pay(&d, id, 2, "{\"method\":\"cash\"}")->status, 412);
    r = pay(&d, id, 3, "{\"method\":\"transfer\",\"reference\":\"SPEI \\\"42\\\"\"}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "state"), "confirmed");
    cr_expect_null(answer_text(r, "expires_at"));
    r = api_get(&d.owner, APPOINTMENTS "/%s/history", id);
    cr_expect_str_eq(answer_text(r, "data.3.change.payment.method"), "transfer");
    cr_expect_str_eq(answer_text(r, "data.3.change.payment.reference"), "SPEI \"42\"");
    cr_expect_eq(pay(&d, id, 4, "{\"method\":\"cash\"}")->status, 409, "once");
    api_close(&guest);
    desk_close(&d);
}

Test(visits, what_nobody_pays_is_over_by_itself)
{
    struct desk d = desk_of("owner-e@example.com", "practice-e");
    int version = (int)answer_int(api_get(&d.owner, "/api/v1/booking-policy"), "version");
    struct answer *r = api_patch(&d.owner, "/api/v1/booking-policy", version,
                                 "{\"pay_min\":43200}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    const char *when = next_hour(&d);
    r = api_post(&d.owner, "/api/v1/holds",
                 "{\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}", d.service,
                 d.staff, when);
    r = api_post(&d.owner, api_text("/api/v1/holds/%s/book", answer_text(r, "token")),
                 "{\"client_id\":\"%s\",\"ask_payment\":true}", d.client);
    cr_assert_eq(r->status, 201, "a hold, too: %s", r->http.body);
    const char *id = answer_text(r, "id");
    cr_expect_eq(db_number(d.db,
                           "SELECT count(*) FROM appointment WHERE id = $1::uuid AND state ="
                           " 'awaiting_payment' AND expires_at = starts_at",
                           id, NULL),
                 1, "no longer than until it begins");
    cr_expect_str_eq(answer_code(book_with(&d.owner, &d, when, "")), "slot_taken");
    db_do(d.db, api_text("UPDATE appointment SET expires_at = now() WHERE id = '%s'", id));
    db_do(d.db,
          "UPDATE public.due_work SET due_at = now(), raised = raised + 1 WHERE kind = 'agenda'");
    struct waiting w = { &d, id, "expired" };
    cr_expect(wait_until(has_state, &w, WAIT_LONG_MS));
    r = pay(&d, id, 2, "{\"method\":\"cash\"}");
    cr_expect_eq(r->status, 409, "%s", r->http.body);
    cr_expect_str_eq(answer_code(r), "state_conflict");
    cr_expect_eq(book_with(&d.owner, &d, when, "")->status, 201, "its time is free");
    desk_close(&d);
}

/* Nothing is asked of every practice: who has nothing to wait for has no work. */
Test(visits, what_is_agreed_is_no_work)
{
    struct desk d = desk_of(OWNER_B, "practice-b"); /* no other test's */
    const char *of = "FROM public.due_work w JOIN public.tenant t ON t.id = w.tenant_id"
                     " WHERE w.kind = 'agenda' AND t.slug = 'practice-b'";
    const char *id = book(&d);
    cr_expect_eq(take(&d, id, 1, "reschedule")->status, 200);
    cr_expect_eq(db_number(d.db, api_text("SELECT count(*) %s", of), NULL), 0);
    cr_expect_eq(take(&d, id, 2, "propose")->status, 200);
    cr_expect_eq(db_number(d.db, api_text("SELECT count(*) %s AND w.due_at > now()", of), NULL), 1);
    desk_close(&d);
}
