/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Time that is held: nobody else gets it, the token books it once, and it is free again by itself. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/volley.h"
#include "tests/support/wait.h"

#define HOLDS "/api/v1/holds"

TestSuite(holds, .timeout = 120);

struct desk {
    struct api owner;
    PGconn *db;
    const char *client, *service, *staff;
};

static struct desk desk_open(void)
{
    struct desk d = { .owner = api_login(OWNER_A), .db = db_super() };
    char *code = db_code(d.db, "practice-a");
    db_do(d.db, api_text("SET search_path = t_%s, ext, public", code));
    free(code);
    d.client = api_new_client(&d.owner, api_unique("Ana"));
    d.service = api_new_service(&d.owner, api_unique("Corte"), 30);
    d.staff = api_new_staff(&d.owner, api_unique("Beto"));
    return d;
}

/* Its holds go too, as a member has twenty at a time. */
static void desk_close(struct desk *d)
{
    db_do(d->db,
          api_text("DELETE FROM allocation WHERE resource_id = '%s' AND kind = 'hold'", d->staff));
    PQfinish(d->db);
    api_close(&d->owner);
    api_release();
}

static struct answer *hold(struct desk *d, const char *when)
{
    return api_post(&d->owner, HOLDS,
                    "{\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}", d->service,
                    d->staff, when);
}

static const char *hold_token(struct desk *d, const char *when)
{
    struct answer *r = hold(d, when);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return answer_text(r, "token");
}

static struct answer *book_held(struct desk *d, const char *token)
{
    return api_post(&d->owner, api_text(HOLDS "/%s/book", token), "{\"client_id\":\"%s\"}",
                    d->client);
}

static bool is_listed(struct desk *d, const char *day, const char *at)
{
    struct answer *r = api_get(&d->owner,
                               "/api/v1/availability/slots?service_id=%s&staff_id=%s&from=%s&to=%s",
                               d->service, d->staff, day, day);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    return strstr(r->http.body, at) != NULL;
}

Test(holds, what_is_held_is_nobody_elses_until_its_token_books_it)
{
    struct desk d = desk_open();
    const char *day = api_day(20), *when = api_text("%sT10:00", day);
    cr_expect(is_listed(&d, day, "T10:00:00"));
    const char *token = hold_token(&d, when);
    cr_expect_not(is_listed(&d, day, "T10:00:00"));
    cr_expect_str_eq(answer_code(api_book(&d.owner, d.client, d.service, d.staff, when)),
                     "slot_taken");
    cr_expect_str_eq(answer_code(hold(&d, api_text("%sT10:15", day))), "slot_taken");
    struct answer *r = api_get(&d.owner, HOLDS "/%s", token);
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "ends_at"), api_text("%sT10:30:00-06:00", day));
    cr_expect_null(answer_text(r, "token"));
    r = book_held(&d, token);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "starts_at"), api_text("%sT10:00:00-06:00", day));
    cr_expect_str_eq(answer_text(r, "state"), "confirmed");
    cr_expect_str_eq(answer_header(r, "location"),
                     api_text("/api/v1/appointments/%s", answer_text(r, "id")));
    r = book_held(&d, token);
    cr_expect_eq(r->status, 410);
    cr_expect_str_eq(answer_code(r), "hold_expired");
    cr_expect_eq(api_get(&d.owner, HOLDS "/%s", token)->status, 404);
    desk_close(&d);
}

Test(holds, one_of_many_books_it)
{
    enum { MANY = 40 };
    struct desk d = desk_open();
    const char *token = hold_token(&d, api_text("%sT12:00", api_day(20)));
    struct shot shots[MANY];
    for (int i = 0; i < MANY; i++) {
        shots[i] = (struct shot){
            .token = d.owner.token,
            .method = "POST",
            .path = api_text(HOLDS "/%s/book", token),
            .body = api_text("{\"client_id\":\"%s\"}", api_new_client(&d.owner, api_unique("Eva"))),
        };
    }
    volley_fire(shots, MANY);
    volley_print("one hold", shots, MANY);
    cr_expect_eq(volley_count(shots, MANY, 201, NULL), 1);
    cr_expect_eq(volley_count(shots, MANY, 410, "hold_expired"), MANY - 1);
    desk_close(&d);
}

Test(holds, one_of_many_holds_and_books)
{
    enum { MANY = 40 };
    struct desk d = desk_open();
    const char *when = api_text("%sT13:00", api_day(20));
    struct shot shots[MANY];
    for (int i = 0; i < MANY; i++) {
        bool books = i % 2;
        shots[i] = (struct shot){
            .token = d.owner.token,
            .method = "POST",
            .path = books ? "/api/v1/appointments" : HOLDS,
            .body = api_text(
                "{%s%s%s\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}",
                books ? "\"client_id\":\"" : "",
                books ? api_new_client(&d.owner, api_unique("Eva")) : "", books ? "\"," : "",
                d.service, d.staff, when),
        };
    }
    volley_fire(shots, MANY);
    volley_print("holds and bookings", shots, MANY);
    cr_expect_eq(volley_count(shots, MANY, 201, NULL), 1);
    cr_expect_eq(volley_count(shots, MANY, 409, "slot_taken"), MANY - 1);
    desk_close(&d);
}

static void expire_all(struct desk *d)
{
    db_do(d->db,
          api_text("UPDATE allocation SET expires_at = now() WHERE resource_id = '%s'", d->staff));
}

/* Whether or not anybody has swept it away yet. */
Test(holds, what_is_over_stands_in_nobodys_way)
{
    struct desk d = desk_open();
    const char *day = api_day(21), *when = api_text("%sT10:00", day);
    for (int i = 0; i < 10; i++) {
        const char *token = hold_token(&d, when);
        expire_all(&d);
        cr_expect(is_listed(&d, day, "T10:00:00"));
        cr_expect_eq(api_get(&d.owner, HOLDS "/%s", token)->status, 404);
        cr_expect_str_eq(answer_code(book_held(&d, token)), "hold_expired");
    }
    cr_expect_eq(api_book(&d.owner, d.client, d.service, d.staff, when)->status, 201);
    desk_close(&d);
}

static bool is_swept(void *arg)
{
    struct desk *d = arg;
    return db_number(d->db, "SELECT count(*) FROM allocation WHERE resource_id = $1::uuid",
                     d->staff, NULL) == 0;
}

Test(holds, what_is_over_is_swept_away_by_itself)
{
    struct desk d = desk_open();
    hold_token(&d, api_text("%sT10:00", api_day(22)));
    cr_expect_eq(db_number(d.db,
                           "SELECT count(*) FROM public.due_work WHERE kind = 'agenda' AND due_at"
                           " BETWEEN now() - interval '1 minute' AND now() + interval '10 minutes'",
                           NULL),
                 1, "its end is known to who sweeps");
    expire_all(&d);
    db_do(d.db,
          "UPDATE public.due_work SET due_at = now(), raised = raised + 1 WHERE kind = 'agenda'");
    cr_expect(wait_until(is_swept, &d, WAIT_LONG_MS));
    cr_expect_eq(
        db_number(d.db, "SELECT count(*) FROM hold WHERE staff_id = $1::uuid", d.staff, NULL), 0);
    desk_close(&d);
}

Test(holds, given_up_it_is_free)
{
    struct desk d = desk_open();
    struct api other = api_login(OWNER_B);
    const char *when = api_text("%sT10:00", api_day(23)), *token = hold_token(&d, when);
    cr_expect_eq(api_get(&other, HOLDS "/%s", token)->status, 404, "another practice's");
    cr_expect_eq(api_send(&other, "DELETE", api_text(HOLDS "/%s", token), NULL, NULL)->status, 404);
    cr_expect_eq(api_send(&d.owner, "DELETE", api_text(HOLDS "/%s", token), NULL, NULL)->status,
                 204);
    cr_expect_eq(api_send(&d.owner, "DELETE", api_text(HOLDS "/%s", token), NULL, NULL)->status,
                 404);
    cr_expect_eq(api_book(&d.owner, d.client, d.service, d.staff, when)->status, 201);
    api_close(&other);
    desk_close(&d);
}

Test(holds, they_obey_the_rules_and_a_limit)
{
    struct desk d = desk_open();
    const char *day = guest_monday(30);
    cr_expect_eq(hold(&d, "2020-01-01T10:00")->status, 422);
    cr_expect_eq(hold(&d, "tomorrow")->status, 422);
    int held = 0;
    struct answer *r = NULL;
    for (int i = 0; i < 21; i++) {
        r = hold(&d, api_text("%sT%02d:00", guest_day(30, i / 20), i % 20));
        held += r->status == 201;
    }
    cr_expect_eq(held, 20);
    cr_expect_str_eq(answer_code(r), "limit_reached");
    expire_all(&d);
    cr_expect_eq(hold(&d, api_text("%sT21:00", day))->status, 201,
                 "those that are over do not count");
    api_new_schedule(&d.owner, d.staff, "\"monday 09:00-12:00\"");
    r = hold(&d, api_text("%sT22:00", day));
    cr_expect_str_eq(answer_code(r), "outside_hours", "%s", r->http.body);
    desk_close(&d);
}
