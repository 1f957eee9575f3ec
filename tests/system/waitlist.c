/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Who waits is offered what is freed: the first whose wishes fit, with a deadline, then the next. What is offered is nobody else's meanwhile, and is booked
 * once, by the link of the message or by staff. Its cases of states come from the product's own table; tests/unit/worker_wait.c has it once more. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/mail.h"
#include "tests/support/stack.h"
#include "tests/support/volley.h"
#include "tests/support/wait.h"
#include "worker/wait.h"

#define WAITLIST "/api/v1/waitlist"

TestSuite(waitlist, .timeout = 240);

/* One person whose day has two hours, all of them taken. */
struct desk {
    struct api owner;
    PGconn *db;
    const char *service, *staff, *day;
    struct answer *visits[4];
};

static struct answer *expect(struct answer *r, int status, const char *code)
{
    cr_assert_eq(r->status, status, "%d %s", r->status, r->http.body);
    cr_assert_str_eq(answer_code(r), code, "%s", r->http.body);
    return r;
}

static const char *at(const struct desk *d, const char *time)
{
    return api_text("%sT%s", d->day, time);
}

static struct desk desk_open(int day)
{
    static const char *const times[] = { "10:00", "10:30", "11:00", "11:30" };
    struct desk d = { .owner = api_login(OWNER_A), .db = db_super(), .day = api_day(day) };
    char *code = db_code(d.db, "practice-a");
    db_do(d.db, api_text("SET search_path = t_%s, ext, public", code));
    free(code);
    d.service = api_new_service(&d.owner, api_unique("Corte"), 30);
    d.staff = api_new_staff(&d.owner, api_unique("Beto"));
    api_new_exception(&d.owner, d.staff, "special", d.day); /* 10:00 to 12:00 */
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        d.visits[i] = expect(api_book(&d.owner, api_new_client(&d.owner, "Ana"), d.service, d.staff,
                                      at(&d, times[i])),
                             201, "");
    }
    return d;
}

static void desk_close(struct desk *d)
{
    PQfinish(d->db);
    api_close(&d->owner);
    api_release();
}

/* Waits on the desk's day; more: further members of the body. */
static const char *wait_for(struct desk *d, const char *client, const char *more)
{
    struct answer *r = api_post(&d->owner, WAITLIST,
                                "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                                "\"first_day\":\"%s\",\"last_day\":\"%s\"%s}",
                                client, d->service, d->staff, d->day, d->day, more);
    return answer_text(expect(r, 201, ""), "id");
}

static const char *new_client(struct desk *d, const char *email)
{
    struct answer *r = api_post(&d->owner, "/api/v1/clients",
                                "{\"given_name\":\"Eva\",\"email\":\"%s\",\"locale\":\"es\"}",
                                email);
    return answer_text(expect(r, 201, ""), "id");
}

static const char *new_email(void)
{
    char *email = api_text("%s@example.com", api_unique("eva"));
    for (char *p = email; *p; p++) {
        *p = *p == ' ' ? '.' : *p;
    }
    return email;
}

static struct answer *entry(struct desk *d, const char *id)
{
    return expect(api_get(&d->owner, WAITLIST "/%s", id), 200, "");
}

static void free_visit(struct desk *d, int i)
{
    expect(api_send(&d->owner, "POST",
                    api_text("/api/v1/appointments/%s/cancel", answer_text(d->visits[i], "id")),
                    "{\"reason\":\"x\"}", "If-Match: \"1\"\r\n"),
           200, "");
}

struct looked {
    struct desk *desk;
    const char *id, *state;
};

static bool has_state(void *arg)
{
    struct looked *l = arg;
    return strcmp(answer_text(entry(l->desk, l->id), "state"), l->state) == 0;
}

static void expect_state(struct desk *d, const char *id, const char *state)
{
    struct looked l = { d, id, state };
    cr_assert(wait_until(has_state, &l, WAIT_LONG_MS), "%s is %s, not %s", id,
              answer_text(entry(d, id), "state"), state);
}

/* Nothing is left to be done for the practice's waitlist. */
static bool is_quiet(void *arg)
{
    struct desk *d = arg;
    return db_number(d->db,
                     "SELECT count(*) FROM public.due_work WHERE kind = 'waitlist'"
                     " AND (due_at <= now() OR leased_until IS NOT NULL)",
                     NULL) == 0;
}

static void settle(struct desk *d)
{
    cr_assert(wait_until(is_quiet, d, WAIT_LONG_MS), "the waitlist's work does not end");
}

static struct answer *step(struct desk *d, const char *id, const char *verb)
{
    int version = (int)answer_int(entry(d, id), "version");
    return api_send(&d->owner, "POST", api_text(WAITLIST "/%s/%s", id, verb), NULL,
                    api_text("If-Match: \"%d\"\r\n", version));
}

static bool starts_at(const struct answer *r, const char *path, const char *time)
{
    const char *text = answer_text(r, path);
    return text && strstr(text, time) != NULL;
}

/* The offer's deadline has passed, as far as the database knows; no word is given, as none is when time passes. */
static void let_it_pass(struct desk *d, const char *id)
{
    settle(d);
    db_do(d->db,
          api_text("UPDATE allocation SET expires_at = now() - interval '1 second' WHERE id IN"
                   " (SELECT o.id FROM waitlist_offer o WHERE o.waitlist_id = '%s')",
                   id));
    db_do(d->db, api_text("UPDATE waitlist_offer SET until = now() - interval '1 second'"
                          " WHERE waitlist_id = '%s' AND state = 'open'",
                          id));
    db_do(d->db, "UPDATE public.due_work SET due_at = now() WHERE kind = 'waitlist'");
    db_do(d->db, "NOTIFY gremio_work");
}

/* ---- in line ---- */

Test(waitlist, the_first_whose_wishes_fit_is_offered_what_is_freed)
{
    struct desk d = desk_open(20);
    const char *late = wait_for(&d, api_new_client(&d.owner, "Tarde"),
                                ",\"hours\":[\"11:00-12:00\"]");
    const char *first = wait_for(&d, api_new_client(&d.owner, "Uno"), "");
    const char *second = wait_for(&d, api_new_client(&d.owner, "Dos"), "");
    settle(&d);
    cr_expect_str_eq(answer_text(entry(&d, first), "state"), "waiting", "nothing is free");
    free_visit(&d, 1); /* 10:30: not the first in line's, as he wants later */
    expect_state(&d, first, "offered");
    settle(&d);
    struct answer *r = entry(&d, first);
    cr_expect_str_eq(answer_text(r, "offer.staff_id"), d.staff);
    cr_expect_str_eq(answer_text(entry(&d, late), "state"), "waiting");
    cr_expect_str_eq(answer_text(entry(&d, second), "state"), "waiting");
    free_visit(&d, 2); /* 11:00 */
    expect_state(&d, late, "offered");
    settle(&d);
    cr_expect_str_eq(answer_text(entry(&d, second), "state"), "waiting", "one each");
    r = expect(step(&d, first, "accept"), 201, "");
    cr_expect(starts_at(r, "starts_at", "T10:30"), "%s", r->http.body);
    r = entry(&d, first);
    cr_expect_str_eq(answer_text(r, "state"), "booked");
    cr_expect_not_null(answer_text(r, "appointment_id"));
    desk_close(&d);
}

Test(waitlist, what_is_offered_is_nobody_elses)
{
    struct desk d = desk_open(21);
    const char *id = wait_for(&d, api_new_client(&d.owner, "Uno"), "");
    free_visit(&d, 0);
    expect_state(&d, id, "offered");
    expect(
        api_book(&d.owner, api_new_client(&d.owner, "Otro"), d.service, d.staff, at(&d, "10:00")),
        409, "slot_taken");
    struct answer *r = api_get(&d.owner,
                               "/api/v1/availability/slots?service_id=%s&staff_id=%s&from=%s&to=%s",
                               d.service, d.staff, d.day, d.day);
    cr_expect_eq(answer_count(r, "days.0.starts"), 0, "%s", r->http.body);
    r = api_get(&d.owner, "/api/v1/agenda?view=day&date=%s&staff_id=%s", d.day, d.staff);
    cr_expect_str_eq(answer_text(r, "days.0.staff.0.blocks.0.kind"), "waitlist_offer", "%s",
                     r->http.body);
    expect(step(&d, id, "cancel"), 204, "");
    expect(
        api_book(&d.owner, api_new_client(&d.owner, "Otro"), d.service, d.staff, at(&d, "10:00")),
        201, "");
    desk_close(&d);
}

Test(waitlist, the_next_is_offered_what_nobody_takes_and_nobody_the_same_twice)
{
    struct desk d = desk_open(22);
    const char *first = wait_for(&d, api_new_client(&d.owner, "Uno"), "");
    const char *second = wait_for(&d, api_new_client(&d.owner, "Dos"), "");
    const char *fourth = wait_for(&d, api_new_client(&d.owner, "Cuatro"), "");
    free_visit(&d, 3);
    expect_state(&d, first, "offered");
    expect(step(&d, first, "decline"), 204, "");
    expect_state(&d, second, "offered");
    cr_expect_str_eq(answer_text(entry(&d, first), "state"), "waiting");
    cr_expect_eq(answer_int(entry(&d, first), "offers"), 1);
    let_it_pass(&d, second);
    expect_state(&d, second, "waiting");
    expect_state(&d, fourth, "offered"); /* who was looked at before, too */
    expect(step(&d, fourth, "cancel"), 204, "");
    settle(&d);
    cr_expect_str_eq(answer_text(entry(&d, first), "state"), "waiting", "he has left it already");
    const char *third = wait_for(&d, api_new_client(&d.owner, "Tres"), "");
    expect_state(&d, third, "offered"); /* it is free: at once */
    let_it_pass(&d, third);
    struct answer *r = step(&d, third, "accept");
    cr_expect(r->status == 409 || r->status == 410 || r->status == 412, "%d %s", r->status,
              r->http.body); /* the jobs slot may be first */
    expect_state(&d, third, "waiting");
    expect(
        api_book(&d.owner, api_new_client(&d.owner, "Otro"), d.service, d.staff, at(&d, "11:30")),
        201, "");
    desk_close(&d);
}

Test(waitlist, five_offers_that_nobody_took_are_enough)
{
    struct desk d = desk_open(23);
    const char *id = wait_for(&d, api_new_client(&d.owner, "Uno"), "");
    settle(&d);
    db_do(d.db, api_text("UPDATE waitlist SET offers = 4 WHERE id = '%s'", id));
    free_visit(&d, 0);
    expect_state(&d, id, "offered");
    expect(step(&d, id, "decline"), 204, "");
    expect_state(&d, id, "passed");
    const char *old = wait_for(&d, api_new_client(&d.owner, "Dos"), "");
    settle(&d);
    db_do(d.db, api_text("UPDATE waitlist SET state = 'waiting', first_day = current_date - 9,"
                         " last_day = current_date - 3 WHERE id = '%s'",
                         old));
    db_do(d.db, "UPDATE public.due_work SET due_at = now(), raised = raised + 1"
                " WHERE kind = 'waitlist'");
    db_do(d.db, "NOTIFY gremio_work");
    expect_state(&d, old, "expired");
    desk_close(&d);
}

Test(waitlist, rules_for_clients_hold_for_offers)
{
    struct desk d = desk_open(24);
    const char *busy = api_new_client(&d.owner, "Ocupada");
    const char *other = api_new_staff(&d.owner, api_unique("Otro"));
    expect(api_book(&d.owner, busy, d.service, other, at(&d, "10:00")), 201, "");
    const char *id = wait_for(&d, busy, "");
    const char *weekend = wait_for(&d, api_new_client(&d.owner, "Nunca"),
                                   ",\"hours\":[\"06:00-09:00\"]");
    free_visit(&d, 0);
    settle(&d);
    cr_expect_str_eq(answer_text(entry(&d, id), "state"), "waiting", "she is elsewhere then");
    cr_expect_str_eq(answer_text(entry(&d, weekend), "state"), "waiting");
    free_visit(&d, 1);
    expect_state(&d, id, "offered");
    cr_expect(strstr(answer_text(entry(&d, id), "offer.starts_at"), "10:00") == NULL);
    desk_close(&d);
}

Test(waitlist, other_ways_to_free_time_wake_it_too)
{
    struct desk d = desk_open(25);
    const char *id = wait_for(&d, api_new_client(&d.owner, "Uno"), ",\"hours\":[\"10:00-10:30\"]");
    settle(&d);
    struct answer *r = api_patch(
        &d.owner, api_text("/api/v1/appointments/%s", answer_text(d.visits[0], "id")), 1,
        "{\"starts_at\":\"%sT14:00\",\"override\":\"x\"}", d.day);
    expect(r, 200, "");
    expect_state(&d, id, "offered");
    expect(step(&d, id, "accept"), 201, "");
    id = wait_for(&d, api_new_client(&d.owner, "Dos"), ",\"hours\":[\"11:00-11:30\"]");
    settle(&d);
    expect(api_send(&d.owner, "POST",
                    api_text("/api/v1/appointments/%s/no-show", answer_text(d.visits[2], "id")),
                    NULL, "If-Match: \"1\"\r\n"),
           200, "");
    expect_state(&d, id, "offered");
    expect(step(&d, id, "accept"), 201, "");
    free_visit(&d, 3);
    r = expect(api_post(&d.owner, "/api/v1/holds",
                        "{\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}",
                        d.service, d.staff, at(&d, "11:30")),
               201, "");
    id = wait_for(&d, api_new_client(&d.owner, "Tres"), ",\"hours\":[\"11:30-12:00\"]");
    settle(&d);
    cr_expect_str_eq(answer_text(entry(&d, id), "state"), "waiting");
    expect(api_send(&d.owner, "DELETE", api_text("/api/v1/holds/%s", answer_text(r, "token")), NULL,
                    NULL),
           204, "");
    expect_state(&d, id, "offered");
    desk_close(&d);
}

/* ---- by link ---- */

/* The token of the message to that address. */
static const char *token_of(struct desk *d, const char *email)
{
    UNUSED(d);
    struct mail_read m = mail_wait(email, 1);
    const char *found = strstr(m.text, "/o/");
    cr_assert(found != NULL && strstr(m.subject, "Hay lugar"), "%s", m.text);
    const char *token = api_text("%.54s", found + 3);
    mail_free(&m);
    return token;
}

Test(waitlist, the_message_leads_to_it_and_takes_it_once)
{
    struct desk d = desk_open(26);
    const char *email = new_email();
    const char *id = wait_for(&d, new_client(&d, email), "");
    free_visit(&d, 1);
    const char *token = token_of(&d, email);
    struct api anybody = api_anonymous();
    struct answer *r = expect(api_get(&anybody, "/api/v1/offers/%s", token), 200, "");
    cr_expect_str_eq(answer_text(r, "state"), "open");
    cr_expect(starts_at(r, "starts_at", "T10:30"), "%s", r->http.body);
    expect(api_get(&anybody, "/api/v1/offers/%s", token), 200, "");
    cr_expect_str_eq(answer_text(entry(&d, id), "state"), "offered", "looking takes nothing");
    r = api_get(&anybody, "/o/%s", token);
    cr_expect_eq(r->status, 200);
    cr_expect(strstr(r->http.body, "Tomar la cita") != NULL);
    struct shot shots[8];
    for (size_t i = 0; i < ARRAY_LEN(shots); i++) {
        shots[i] = (struct shot){ .method = "POST",
                                  .path = api_text("/api/v1/offers/%s/accept", token) };
    }
    volley_fire(shots, ARRAY_LEN(shots));
    cr_expect_eq(volley_count(shots, ARRAY_LEN(shots), 200, NULL), ARRAY_LEN(shots));
    expect_state(&d, id, "booked");
    char *n = db_value(
        d.db,
        "SELECT count(*) FROM appointment a JOIN waitlist w ON w.client_id = a.client_id"
        " WHERE w.id = $1",
        id, NULL);
    cr_expect_str_eq(n, "1");
    free(n);
    r = api_get(&d.owner, "/api/v1/appointments/%s/history",
                answer_text(entry(&d, id), "appointment_id"));
    cr_expect_str_eq(answer_text(r, "data.0.actor.kind"), "client");
    expect(api_send(&anybody, "POST", api_text("/api/v1/offers/%s/decline", token), NULL, NULL),
           410, "hold_expired");
    r = api_get(&anybody, "/o/%s", token);
    cr_expect(strstr(r->http.body, "La cita es suya") != NULL, "%s", r->http.body);
    api_close(&anybody);
    desk_close(&d);
}

Test(waitlist, by_the_page_without_scripts)
{
    struct desk d = desk_open(27);
    const char *email = new_email();
    const char *id = wait_for(&d, new_client(&d, email), "");
    free_visit(&d, 2);
    const char *token = token_of(&d, email);
    struct api browser = api_anonymous();
    browser.headers = "Content-Type: application/x-www-form-urlencoded\r\nAccept: text/html\r\n";
    struct answer *r = api_send(&browser, "POST", api_text("/o/%s/decline", token), NULL, NULL);
    cr_expect_eq(r->status, 303, "%d %s", r->status, r->http.body);
    cr_expect_str_eq(answer_header(r, "location"), api_text("/o/%s", token));
    expect_state(&d, id, "waiting");
    r = api_get(&browser, "/o/%s", token);
    cr_expect(strstr(r->http.body, "Sigue en la lista de espera") != NULL, "%s", r->http.body);
    r = api_send(&browser, "POST", api_text("/o/%s/accept", token), NULL, NULL);
    cr_expect_eq(r->status, 410, "%d", r->status);
    api_close(&browser);
    desk_close(&d);
}

Test(waitlist, a_token_that_is_nobodys_opens_nothing)
{
    struct api anybody = api_anonymous();
    static const char *const bad[] = { "x",
                                       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer *r = api_get(&anybody, "/api/v1/offers/%s", bad[i]);
        cr_expect(r->status == 404 || r->status == 410, "%d", r->status);
        r = api_send(&anybody, "POST", api_text("/api/v1/offers/%s/accept", bad[i]), NULL, NULL);
        cr_expect(r->status == 404 || r->status == 410, "%d", r->status);
    }
    api_close(&anybody);
    api_release();
}

/* ---- what is refused ---- */

Test(waitlist, what_cannot_be_waited_for)
{
    struct desk d = desk_open(28);
    const char *client = api_new_client(&d.owner, "Uno");
    struct {
        const char *pointer, *body;
    } bad[] = {
        { "/last_day",
          api_text("\"first_day\":\"%s\",\"last_day\":\"%s\"", api_day(-9), api_day(-3)) },
        { "/last_day",
          api_text("\"first_day\":\"%s\",\"last_day\":\"%s\"", api_day(1), api_day(80)) },
        { "/last_day",
          api_text("\"first_day\":\"%s\",\"last_day\":\"%s\"", api_day(5), api_day(4)) },
        { "/weekdays", api_text("\"first_day\":\"%s\",\"last_day\":\"%s\",\"weekdays\":[\"lunes\"]",
                                api_day(5), api_day(6)) },
        { "/staff_id", api_text("\"first_day\":\"%s\",\"last_day\":\"%s\",\"staff_id\":\"%s\"",
                                api_day(5), api_day(6), client) },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer *r = api_post(&d.owner, WAITLIST,
                                    "{\"client_id\":\"%s\",\"service_id\":\"%s\",%s}", client,
                                    d.service, bad[i].body);
        cr_expect_eq(r->status, 422, "%s: %d", bad[i].body, r->status);
        cr_expect(answer_blames(r, bad[i].pointer), "%s: %s", bad[i].body, r->http.body);
    }
    struct answer *r = api_post(&d.owner, "/api/v1/services",
                                "{\"name\":\"Yoga\",\"duration_min\":60,\"seats\":3}");
    r = api_post(
        &d.owner, WAITLIST,
        "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"first_day\":\"%s\",\"last_day\":\"%s\"}",
        client, answer_text(r, "id"), d.day, d.day);
    cr_expect(answer_blames(r, "/service_id"), "%s", r->http.body);
    for (int i = 0; i < 5; i++) {
        wait_for(&d, client, ",\"hours\":[\"05:00-06:00\"]");
    }
    r = api_post(
        &d.owner, WAITLIST,
        "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"first_day\":\"%s\",\"last_day\":\"%s\"}",
        client, d.service, d.day, d.day);
    expect(r, 409, "limit_reached");
    desk_close(&d);
}

/* Every step of staff's from every state, planted: what the table says is done, all else is refused with what is legal. */
Test(waitlist, steps_are_legal_where_the_table_says_so)
{
    static const char *const states[] = { "waiting", "offered",   "booked",
                                          "passed",  "cancelled", "expired" };
    struct desk d = desk_open(29);
    size_t done = 0, refused = 0;
    for (const struct visit_step *s = wait_steps; s->verb; s++) {
        for (size_t k = 0; (s->who & VISIT_STAFF) && k < ARRAY_LEN(states); k++) {
            const char *id = api_new_wait(&d.owner, api_new_client(&d.owner, "Uno"), d.service,
                                          d.staff);
            settle(&d);
            db_do(d.db, api_text("UPDATE waitlist SET state = '%s', looked = 0 WHERE id = '%s'",
                                 states[k], id));
            struct answer *r = step(&d, id, s->verb);
            if (!visit_may(s, states[k])) {
                expect(r, 409, "state_conflict");
                cr_expect_str_eq(answer_text(r, "state"), states[k]);
                cr_expect(answer_count(r, "legal") >= 0);
                refused++;
            } else if (strcmp(s->verb, "accept") == 0) {
                cr_expect_neq(r->status, 201, "there is no offer");
            } else {
                expect(r, 204, "");
                cr_expect_str_eq(answer_text(entry(&d, id), "state"), s->to);
                done++;
            }
        }
    }
    printf("waitlist: %zu steps done, %zu refused\n", done, refused);
    cr_expect_geq(refused, 13);
    desk_close(&d);
}

Test(waitlist, nobody_is_woken_where_nobody_waits)
{
    struct api b = api_login(OWNER_B);
    PGconn *db = db_super();
    const char *service = api_new_service(&b, "Corte", 30), *staff = api_new_staff(&b, "Beto");
    struct answer *r = expect(
        api_book(&b, api_new_client(&b, "Ana"), service, staff, api_text("%sT10:00", api_day(20))),
        201, "");
    expect(api_send(&b, "POST", api_text("/api/v1/appointments/%s/cancel", answer_text(r, "id")),
                    "{\"reason\":\"x\"}", "If-Match: \"1\"\r\n"),
           200, "");
    cr_expect_eq(
        db_number(db,
                  "SELECT count(*) FROM public.due_work w JOIN public.tenant t"
                  " ON t.id = w.tenant_id WHERE w.kind = 'waitlist' AND t.slug = 'practice-b'",
                  NULL),
        0);
    PQfinish(db);
    api_close(&b);
    api_release();
}
