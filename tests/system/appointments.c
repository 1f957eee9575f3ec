/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The agenda through the API: booking, moving, the steps of a visit, its history, and the lists by day and person. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"

TestSuite(appointments, .timeout = 120);

#define PATH "/api/v1/appointments"

struct desk {
    struct api api;
    const char *client, *service, *staff;
};

static struct desk desk_open(void)
{
    struct desk d = { .api = api_login(OWNER_A) };
    d.client = api_new_client(&d.api, api_unique("Ana"));
    d.service = api_new_service(&d.api, api_unique("Corte"), 45);
    d.staff = api_new_staff(&d.api, api_unique("Beto"));
    return d;
}

static void desk_close(struct desk *d)
{
    api_close(&d->api);
    api_release();
}

static struct answer *book_at(struct desk *d, const char *when)
{
    return api_book(&d->api, d->client, d->service, d->staff, when);
}

/* A booked appointment; the test fails when it is refused. */
static struct answer *booked(struct desk *d, const char *when)
{
    struct answer *r = book_at(d, when);
    cr_assert_eq(r->status, 201, "%s: %d %s", when, r->status, r->http.body);
    return r;
}

static char *one(const struct answer *r)
{
    return api_text(PATH "/%s", answer_text(r, "id"));
}

static struct answer *step(struct desk *d, const char *path, const char *verb, int version,
                           const char *body)
{
    return api_send(&d->api, "POST", api_text("%s/%s", path, verb), body,
                    api_text("If-Match: \"%d\"\r\n", version));
}

Test(appointments, booking_says_all_of_it)
{
    struct desk d = desk_open();
    struct answer *r = booked(&d, api_text("%sT09:00", api_day(40)));
    cr_expect_str_eq(answer_header(r, "location"), one(r));
    cr_expect_str_eq(answer_header(r, "etag"), "\"1\"");
    cr_expect_str_eq(answer_text(r, "starts_at"), api_text("%sT09:00:00-06:00", api_day(40)));
    cr_expect_str_eq(answer_text(r, "ends_at"), api_text("%sT09:45:00-06:00", api_day(40)));
    cr_expect_str_eq(answer_text(r, "time_zone"), "America/Mexico_City");
    cr_expect_str_eq(answer_text(r, "state"), "confirmed");
    cr_expect_eq(answer_int(r, "version"), 1);
    cr_expect_str_eq(answer_text(r, "client.id"), d.client);
    cr_expect_str_eq(answer_text(r, "service.id"), d.service);
    cr_expect_str_eq(answer_text(r, "staff.id"), d.staff);
    cr_expect(answer_text(r, "client.name") &&
              strncmp(answer_text(r, "client.name"), "Ana", 3) == 0);
    struct answer *got = api_get(&d.api, "%s", one(r));
    cr_expect_str_eq(got->http.body, r->http.body);
    struct answer *same = api_send(&d.api, "GET", one(r), NULL, "If-None-Match: \"1\"\r\n");
    cr_expect_eq(same->status, 304);
    desk_close(&d);
}

Test(appointments, taken_time_is_409)
{
    struct desk d = desk_open();
    const char *day = api_day(41);
    booked(&d, api_text("%sT10:00", day));
    const char *other = api_new_client(&d.api, api_unique("Otra"));
    static const struct {
        const char *time;
        int status;
    } rows[] = {
        { "10:00", 409 }, { "09:16", 409 }, { "10:44", 409 }, { "10:45", 201 }, { "09:15", 201 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer *r = api_book(&d.api, other, d.service, d.staff,
                                    api_text("%sT%s", day, rows[i].time));
        cr_expect_eq(r->status, rows[i].status, "%s: %d %s", rows[i].time, r->status, r->http.body);
        cr_expect(r->status == 201 || strcmp(answer_code(r), "slot_taken") == 0);
    }
    const char *elsewhere = api_new_staff(&d.api, api_unique("Carla"));
    struct answer *twice = api_book(&d.api, d.client, d.service, elsewhere,
                                    api_text("%sT10:20", day));
    cr_expect_eq(twice->status, 409, "%d", twice->status);
    cr_expect_str_eq(answer_code(twice), "client_conflict");
    desk_close(&d);
}

Test(appointments, buffers_take_the_staffs_time)
{
    struct desk d = desk_open();
    struct answer *service = api_post(
        &d.api, "/api/v1/services",
        "{\"name\":\"%s\",\"duration_min\":30,\"buffer_before_min\":15,"
        "\"buffer_after_min\":10}",
        api_unique("Buffered"));
    d.service = answer_text(service, "id");
    const char *day = api_day(42);
    struct answer *first = booked(&d, api_text("%sT10:00", day));
    cr_expect_str_eq(answer_text(first, "ends_at"), api_text("%sT10:30:00-06:00", day));
    d.client = api_new_client(&d.api, api_unique("Next"));
    cr_expect_eq(book_at(&d, api_text("%sT10:54", day))->status, 409);
    cr_expect_eq(book_at(&d, api_text("%sT10:55", day))->status, 201);
    desk_close(&d);
}

Test(appointments, unknown_people_are_named)
{
    struct desk d = desk_open();
    const char *no = "01900000-0000-7000-8000-000000000000";
    const char *when = api_text("%sT09:00", api_day(43));
    const struct {
        const char *client, *service, *staff, *pointer;
    } rows[] = {
        { no, d.service, d.staff, "/client_id" },
        { d.client, no, d.staff, "/service_id" },
        { d.client, d.service, no, "/staff_id" },
        { d.staff, d.service, d.staff, "/client_id" },
        { d.client, d.service, d.client, "/staff_id" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer *r = api_book(&d.api, rows[i].client, rows[i].service, rows[i].staff, when);
        cr_expect_eq(r->status, 422, "%zu: %d", i, r->status);
        cr_expect(answer_blames(r, rows[i].pointer), "%s", r->http.body);
    }
    api_send(&d.api, "DELETE", api_text("/api/v1/clients/%s", d.client), NULL,
             "If-Match: \"1\"\r\n");
    cr_expect_eq(book_at(&d, when)->status, 422, "an archived client was booked");
    desk_close(&d);
}

Test(appointments, moving_keeps_the_id)
{
    struct desk d = desk_open();
    const char *day = api_day(44);
    struct answer *r = booked(&d, api_text("%sT09:00", day));
    char *path = one(r);
    cr_expect_eq(api_send(&d.api, "PATCH", path, "{\"notes\":\"x\"}", NULL)->status, 428);
    /* Onto itself, half overlapping its own old place. */
    struct answer *moved = api_patch(&d.api, path, 1,
                                     "{\"starts_at\":\"%sT09:15\",\"notes\":\"tarde\"}", day);
    cr_assert_eq(moved->status, 200, "%s", moved->http.body);
    cr_expect_str_eq(answer_text(moved, "id"), answer_text(r, "id"));
    cr_expect_eq(answer_int(moved, "version"), 2);
    cr_expect_eq(answer_int(moved, "reschedules"), 1);
    cr_expect_str_eq(answer_text(moved, "starts_at"), api_text("%sT09:15:00-06:00", day));
    cr_expect_str_eq(answer_text(moved, "notes"), "tarde");
    cr_expect_eq(api_patch(&d.api, path, 1, "{\"notes\":\"y\"}")->status, 412);
    /* The old place is free again. */
    d.client = api_new_client(&d.api, api_unique("Otro"));
    booked(&d, api_text("%sT08:30", day));
    struct answer *staff = api_patch(&d.api, path, 2, "{\"staff_id\":\"%s\"}",
                                     api_new_staff(&d.api, api_unique("Nueva")));
    cr_expect_eq(staff->status, 200, "%s", staff->http.body);
    cr_expect_str_eq(answer_text(staff, "starts_at"), answer_text(moved, "starts_at"));
    struct answer *taken = api_patch(
        &d.api, path, 3, "{\"staff_id\":\"%s\",\"starts_at\":\"%sT08:30\"}", d.staff, day);
    cr_expect_eq(taken->status, 409, "%d", taken->status);
    cr_expect_eq(answer_int(api_get(&d.api, "%s", path), "version"), 3);
    desk_close(&d);
}

Test(appointments, cancelling_frees_the_time)
{
    struct desk d = desk_open();
    const char *when = api_text("%sT09:00", api_day(45));
    struct answer *r = booked(&d, when);
    char *path = one(r);
    cr_expect_eq(api_send(&d.api, "POST", api_text("%s/cancel", path), "{}", NULL)->status, 428);
    struct answer *gone = step(&d, path, "cancel", 1, "{\"reason\":\"viaje\"}");
    cr_assert_eq(gone->status, 200, "%s", gone->http.body);
    cr_expect_str_eq(answer_text(gone, "state"), "cancelled");
    cr_expect_str_eq(answer_text(gone, "cancel_reason"), "viaje");
    booked(&d, when);
    struct answer *back = api_patch(&d.api, path, 2, "{\"starts_at\":\"%s\"}", when);
    cr_expect_eq(back->status, 409);
    cr_expect_str_eq(answer_code(back), "state_conflict");
    desk_close(&d);
}

/* Every step from every state: only the rows of the state machine are allowed. */
Test(appointments, steps_of_a_visit)
{
    static const char *const verbs[] = { "cancel", "check-in", "start", "complete", "no-show" };
    static const struct {
        const char *way[4];
        const char *state;
        unsigned allowed; /* bit per verb */
    } states[] = {
        { { NULL }, "confirmed", 1u << 0 | 1u << 1 | 1u << 4 },
        { { "check-in", NULL }, "checked_in", 1u << 2 },
        { { "check-in", "start", NULL }, "in_progress", 1u << 3 },
        { { "check-in", "start", "complete", NULL }, "completed", 0 },
        { { "cancel", NULL }, "cancelled", 0 },
        { { "no-show", NULL }, "no_show", 0 },
    };
    struct desk d = desk_open();
    for (size_t s = 0; s < ARRAY_LEN(states); s++) {
        for (size_t v = 0; v < ARRAY_LEN(verbs); v++) {
            const char *when = api_text("%sT%02zu:00", api_day(50 + (int)s), v + 9);
            char *path = one(booked(&d, when));
            int version = 1;
            for (const char *const *w = states[s].way; *w; w++) {
                cr_assert_eq(step(&d, path, *w, version++, NULL)->status, 200, "%s", *w);
            }
            cr_expect_str_eq(answer_text(api_get(&d.api, "%s", path), "state"), states[s].state);
            struct answer *stale = step(&d, path, verbs[v], version + 1, NULL);
            cr_expect_eq(stale->status, 412, "%d", stale->status);
            struct answer *r = step(&d, path, verbs[v], version, NULL);
            bool allowed = states[s].allowed & 1u << v;
            cr_expect_eq(r->status, allowed ? 200 : 409, "%s from %s: %d", verbs[v],
                         states[s].state, r->status);
            cr_expect(allowed || strcmp(answer_code(r), "state_conflict") == 0);
            cr_expect(!allowed || answer_int(r, "version") == version + 1);
        }
    }
    desk_close(&d);
}

Test(appointments, history_tells_everything)
{
    struct desk d = desk_open();
    char *path = one(booked(&d, api_text("%sT09:00", api_day(46))));
    api_patch(&d.api, path, 1, "{\"starts_at\":\"%sT11:00\"}", api_day(46));
    step(&d, path, "cancel", 2, "{\"reason\":\"lluvia\"}");
    struct answer *h = api_get(&d.api, "%s/history", path);
    cr_assert_eq(h->status, 200, "%s", h->http.body);
    cr_expect_eq(answer_count(h, "data"), 3);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(answer_int(h, api_text("data.%d.seq", i)), i + 1);
    }
    cr_expect_str_eq(answer_text(h, "data.2.to_state"), "cancelled");
    cr_expect(answer_text(h, "data.1.change.starts_at") != NULL, "%s", h->http.body);
    desk_close(&d);
}

/* No number of changes hides what happened last. */
Test(appointments, a_long_history_shows_its_end)
{
    struct desk d = desk_open();
    struct answer *r = booked(&d, api_text("%sT09:00", api_day(47)));
    PGconn *db = db_super();
    char *code = db_code(db, "practice-a");
    db_do(db, api_text("INSERT INTO t_%s.appointment_event(appointment_id, seq, actor_kind,"
                       " from_state, to_state) SELECT '%s', g, 'staff', 'confirmed', 'confirmed'"
                       " FROM generate_series(2, 300) g",
                       code, answer_text(r, "id")));
    struct answer *h = api_get(&d.api, PATH "/%s/history", answer_text(r, "id"));
    cr_expect_eq(answer_count(h, "data"), 200);
    cr_expect_eq(answer_int(h, "data.0.seq"), 101);
    cr_expect_eq(answer_int(h, "data.199.seq"), 300);
    free(code);
    PQfinish(db);
    desk_close(&d);
}

/* Ids of a list in order, joined. */
static const char *ids(struct answer *r)
{
    char *out = api_text("%s", "");
    for (int i = 0; i < answer_count(r, "data"); i++) {
        out = api_text("%s%s ", out, answer_text(r, api_text("data.%d.id", i)));
    }
    return out;
}

Test(appointments, lists_by_day_and_person)
{
    struct desk d = desk_open();
    const char *id[6];
    for (int i = 0; i < 6; i++) {
        struct answer *r = booked(&d, api_text("%sT%02d:30", api_day(60 + i / 3), i % 3 * 11));
        id[i] = answer_text(r, "id");
    }
    step(&d, api_text(PATH "/%s", id[1]), "cancel", 1, NULL);
    char *staff = api_text(PATH "?staff_id=%s", d.staff);
    const char *day1 = api_day(60), *day2 = api_day(61);
    char *all = api_text("%s %s %s %s %s %s ", id[0], id[1], id[2], id[3], id[4], id[5]);
    char *first = api_text("%s %s %s ", id[0], id[1], id[2]);
    char *falling = api_text("%s %s %s %s %s %s ", id[5], id[4], id[3], id[2], id[1], id[0]);
    const struct {
        const char *query, *expected;
    } rows[] = {
        { "", all },
        { "&sort=starts_at", all },
        { "&sort=-starts_at", falling },
        { api_text("&from=%s&to=%s", day1, day1), first },
        { api_text("&from=%s&to=%s", day1, day2), all },
        { api_text("&from=%s&to=%s", day2, day1), "" },
        { api_text("&from=%sT11:30&to=%sT22:30", day1, day1), api_text("%s ", id[1]) },
        { api_text("&from=%sT17:30:00Z&to=%sT17:30:01Z", day1, day1), api_text("%s ", id[1]) },
        { "&state=cancelled", api_text("%s ", id[1]) },
        { api_text("&client_id=%s", d.client), all },
        { "&client_id=01900000-0000-7000-8000-000000000000", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer *r = api_get(&d.api, "%s%s", staff, rows[i].query);
        cr_assert_eq(r->status, 200, "%s: %s", rows[i].query, r->http.body);
        cr_expect_str_eq(ids(r), rows[i].expected, "%s", rows[i].query);
    }
    static const char *const bad[] = { "&from=yesterday", "&from=2026-13-01", "&state=gone",
                                       "&staff_id=x",     "&client_id=",      "&day=2026-01-01" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer *r = api_get(&d.api, "%s%s", staff, bad[i]);
        cr_expect(r->status == 422 || r->status == 400, "%s: %d", bad[i], r->status);
    }
    desk_close(&d);
}

Test(appointments, pages_of_an_agenda)
{
    struct desk d = desk_open();
    for (int i = 0; i < 12; i++) {
        booked(&d, api_text("%sT%02d:00", api_day(70 + i / 6), 9 + i % 6));
    }
    char cursor[600] = "", last[64] = "";
    int seen = 0;
    do {
        struct answer *r = api_get(&d.api, PATH "?staff_id=%s&limit=5%s%s", d.staff,
                                   cursor[0] ? "&cursor=" : "", cursor);
        cr_assert_eq(r->status, 200, "%s", r->http.body);
        for (int i = 0; i < answer_count(r, "data"); i++, seen++) {
            const char *at = answer_text(r, api_text("data.%d.starts_at", i));
            cr_expect_gt(strcmp(at, last), 0);
            snprintf(last, sizeof last, "%s", at);
        }
        const char *next = answer_text(r, "next_cursor");
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
    } while (cursor[0]);
    cr_expect_eq(seen, 12);
    desk_close(&d);
}

Test(appointments, a_key_books_once)
{
    struct desk d = desk_open();
    char *body = api_text("{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                          "\"starts_at\":\"%sT09:00\"}",
                          d.client, d.service, d.staff, api_day(80));
    char *key = api_text("Idempotency-Key: %s\r\n", strrchr(api_unique("k"), ' ') + 1);
    struct answer *first = api_send(&d.api, "POST", PATH, body, key);
    struct answer *again = api_send(&d.api, "POST", PATH, body, key);
    cr_assert_eq(first->status, 201, "%s", first->http.body);
    cr_expect_eq(again->status, 201, "%d", again->status);
    cr_expect_str_eq(again->http.body, first->http.body);
    cr_expect_str_eq(answer_header(again, "idempotency-replayed"), "true");
    struct answer *blind = api_send(&d.api, "POST", PATH, body, NULL);
    cr_expect_eq(blind->status, 409, "without the key it is another booking: %d", blind->status);
    desk_close(&d);
}

Test(appointments, times_that_are_refused)
{
    static const struct {
        const char *time;
        int status;
    } rows[] = {
        { "tomorrow", 422 },
        { "2027-02-30T09:00", 422 },
        { "2027-01-01", 422 },
        { "2027-01-01T25:00", 422 },
        { "2027-01-01T09:60", 422 },
        { "1999-01-01T09:00", 422 },
        { "2199-01-01T09:00", 422 },
        { "now", 422 },
        { "infinity", 422 },
        { "2027-01-01T09:00+99:00", 422 },
        { "", 422 },
    };
    struct desk d = desk_open();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer *r = book_at(&d, rows[i].time);
        cr_expect_eq(r->status, rows[i].status, "%s: %d", rows[i].time, r->status);
        cr_expect(answer_blames(r, "/starts_at"), "%s", r->http.body);
    }
    desk_close(&d);
}
