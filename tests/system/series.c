/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Series over the real socket: a preview is what is then booked, each policy does what it says and nothing by halves, local times stay on the wall clock, and two
 * series never take the same time. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/db.h"
#include "tests/support/member.h"
#include "tests/support/series.h"
#include "tests/support/stack.h"
#include "tests/support/volley.h"
#include "tests/support/wait.h"

#define PREVIEW  SERIES "/preview"
#define DAILY(n) "FREQ=DAILY;COUNT=" #n

TestSuite(series, .timeout = 240);

static const char *at(int day, const char *clock)
{
    return api_text("%sT%s", api_day(day), clock);
}

static void expect_refused(const struct answer *r, int status, const char *code)
{
    cr_expect(r->status == status && strcmp(answer_code(r), code) == 0, "%d %s", r->status,
              r->http.body);
}

/* ---- preview and policies ---- */

/* Of eight days from 09:00 on the second is another's, the fourth the client's, the sixth closed, the seventh taken in part. */
static void put_obstacles(struct series_desk *d, int day)
{
    series_block(d, at(day + 1, "09:00"));
    const char *elsewhere = api_new_staff(&d->owner, api_unique("Carla"));
    cr_assert_eq(
        api_book(&d->owner, d->client, d->service, elsewhere, at(day + 3, "09:00"))->status, 201);
    api_new_exception(&d->owner, d->staff, "closed", api_day(day + 5));
    series_block(d, at(day + 6, "09:15"));
    series_block(d, at(day + 6, "08:30"));
}

static const struct {
    int day;
    const char *why, *nearest; /* where nearest takes it; "": nowhere */
} obstacles[] = {
    { 1, "[\"busy\"]", "08:30" },
    { 3, "[\"client_busy\"]", "08:30" },
    { 5, "[\"exception\"]", "" },
    { 6, "[\"busy\"]", "09:45" },
};

static const char *why_of(const struct answer *r, const char *path, const char *key)
{
    char *out = api_text("%s", series_of(r, path, key, "why")), *to = out;
    for (const char *from = out; *from; from++) {
        if (*from != ' ') {
            *to++ = *from;
        }
    }
    *to = '\0';
    return out;
}

static void expect_obstacles(const struct answer *r, const char *path, int day, const char *policy)
{
    bool nearest = strcmp(policy, "nearest") == 0;
    for (size_t i = 0; i < ARRAY_LEN(obstacles); i++) {
        const char *key = at(day + obstacles[i].day, "09:00");
        bool moved = nearest && obstacles[i].nearest[0];
        cr_expect_str_eq(why_of(r, path, key), obstacles[i].why, "%s %s: %s", policy, key,
                         r->http.body);
        cr_expect_str_eq(series_of(r, path, key, "outcome"), moved ? "moved"
                                                             : strcmp(policy, "reject") == 0
                                                                 ? "conflict"
                                                                 : "skipped");
        if (moved) {
            cr_expect_str_eq(
                series_of(r, path, key, "starts_at"),
                api_text("%sT%s:00-06:00", api_day(day + obstacles[i].day), obstacles[i].nearest));
        }
    }
}

Test(series, a_preview_is_what_is_booked)
{
    static const struct {
        const char *policy;
        int possible;
    } cases[] = { { "reject", 4 }, { "skip", 4 }, { "nearest", 7 } };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct series_desk d = series_desk_open(OWNER_A, "practice-a");
        int day = 40;
        put_obstacles(&d, day);
        const char *more = api_text(",\"on_conflict\":\"%s\"", cases[i].policy);
        const char *before = series_stored(&d);
        struct answer *p = series_post(&d, PREVIEW, at(day, "09:00"), DAILY(8), more);
        cr_assert_eq(p->status, 200, "%s", p->http.body);
        cr_expect_str_eq(series_stored(&d), before, "a preview changes nothing");
        cr_expect_eq(answer_int(p, "possible"), cases[i].possible, "%s", p->http.body);
        cr_expect_eq(answer_count(p, "occurrences"), 8);
        expect_obstacles(p, "occurrences", day, cases[i].policy);
        struct answer *r = series_post(&d, SERIES, at(day, "09:00"), DAILY(8), more);
        if (strcmp(cases[i].policy, "reject") == 0) {
            expect_refused(r, 409, "series_conflict");
            cr_expect_eq(answer_count(r, "conflicts"), 4);
            expect_obstacles(r, "conflicts", day, "reject");
            cr_expect_str_eq(series_stored(&d), before, "half of it was booked");
        } else {
            cr_assert_eq(r->status, 201, "%s", r->http.body);
            cr_expect_str_eq(answer_text(r, "outcomes"), answer_text(p, "occurrences"));
            cr_expect_eq(db_number(d.db,
                                   "SELECT count(*) FROM appointment a JOIN allocation l ON"
                                   " l.appointment_id = a.id JOIN client_busy y ON y.appointment_id"
                                   " = a.id JOIN appointment_event e ON e.appointment_id = a.id"
                                   " WHERE a.series_id = $1::uuid AND a.policy IS NOT NULL",
                                   answer_text(r, "id"), NULL),
                         cases[i].possible);
            cr_expect_eq(
                db_number(d.db, "SELECT count(*) FROM series_exception WHERE series_id = $1::uuid",
                          answer_text(r, "id"), NULL),
                8 - cases[i].possible);
        }
        cr_expect_eq(series_overlaps(&d), 0);
        series_desk_close(&d);
    }
}

/* What is booked is where the outcomes say, each an appointment as any other. */
Test(series, occurrences_are_appointments)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    struct answer *r = series_post(&d, SERIES, at(60, "10:00"), "FREQ=DAILY;INTERVAL=7;COUNT=3",
                                   ",\"notes\":\"con cuidado\",\"duration_min\":45");
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    cr_expect_str_eq(answer_header(r, "location"), api_text(SERIES "/%s", answer_text(r, "id")));
    for (int i = 0; i < 3; i++) {
        const char *key = at(60 + 7 * i, "10:00");
        struct answer *a = api_get(&d.owner, "/api/v1/appointments/%s",
                                   series_of(r, "occurrences", key, "appointment_id"));
        cr_expect_str_eq(answer_text(a, "series_id"), answer_text(r, "id"));
        cr_expect_str_eq(answer_text(a, "series_key"), key);
        cr_expect_str_eq(answer_text(a, "detached"), "false");
        cr_expect_str_eq(answer_text(a, "notes"), "con cuidado");
        cr_expect_str_eq(answer_text(a, "starts_at"), api_text("%s:00-06:00", key));
        cr_expect_str_eq(answer_text(a, "ends_at"), api_text("%.10sT10:45:00-06:00", key));
        cr_expect_str_eq(answer_text(a, "starts_at"), series_of(r, "outcomes", key, "starts_at"));
        cr_expect_str_eq(answer_text(a, "starts_at"),
                         series_of(r, "occurrences", key, "starts_at"));
    }
    struct answer *got = api_get(&d.owner, SERIES "/%s", answer_text(r, "id"));
    cr_expect_str_eq(answer_text(got, "occurrences"), answer_text(r, "occurrences"));
    cr_expect_eq(answer_int(got, "duration_min"), 45);
    struct answer *list = api_get(&d.owner, SERIES "?client_id=%s", d.client);
    cr_expect_eq(answer_count(list, "data"), 1, "%s", list->http.body);
    const char *other = api_new_client(&d.owner, "Otra");
    cr_expect_eq(answer_count(api_get(&d.owner, SERIES "?client_id=%s", other), "data"), 0);
    const char *single = series_of(r, "occurrences", at(60, "10:00"), "appointment_id");
    cr_expect_eq(answer_count(api_get(&d.owner, "/api/v1/appointments/%s/history", single), "data"),
                 1);
    struct answer *plain = api_book(&d.owner, d.client, d.service, d.staff, at(60, "15:00"));
    cr_expect_null(answer_text(plain, "series_id"));
    series_desk_close(&d);
}

Test(series, a_series_does_not_stand_in_its_own_way)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    struct answer *r = series_post(&d, SERIES, at(70, "10:00"), DAILY(5), ",\"duration_min\":1440");
    cr_expect_eq(r->status, 201, "%s", r->http.body);
    /* a buffer that reaches into the next day's visit */
    const char *service = api_new_service(&d.owner, api_unique("Larga"), 1440);
    cr_assert_eq(api_patch(&d.owner, api_text("/api/v1/services/%s", service), 1,
                           "{\"buffer_after_min\":30}")
                     ->status,
                 200);
    d.service = service;
    d.client = api_new_client(&d.owner, "Otra");
    d.staff = api_new_staff(&d.owner, "Otra");
    r = series_post(&d, PREVIEW, at(70, "10:00"), DAILY(5), "");
    cr_expect_eq(answer_int(r, "possible"), 3, "%s", r->http.body);
    cr_expect_str_eq(why_of(r, "occurrences", at(71, "10:00")), "[\"buffer\"]", "%s", r->http.body);
    expect_refused(series_post(&d, SERIES, at(70, "10:00"), DAILY(5), ""), 409, "series_conflict");
    r = series_post(&d, SERIES, at(70, "10:00"), DAILY(5), ",\"on_conflict\":\"skip\"");
    cr_expect_eq(r->status, 201, "%s", r->http.body);
    cr_expect_eq(series_overlaps(&d), 0);
    series_desk_close(&d);
}

Test(series, nothing_possible_is_refused_by_every_policy)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    api_new_exception(&d.owner, d.staff, "closed", api_day(80));
    const char *before = series_stored(&d);
    static const char *const policies[] = { "reject", "skip", "nearest" };
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct answer *r = series_post(&d, SERIES, at(80, "10:00"), DAILY(1),
                                       api_text(",\"on_conflict\":\"%s\"", policies[i]));
        expect_refused(r, 409, "series_conflict");
    }
    cr_expect_str_eq(series_stored(&d), before);
    series_desk_close(&d);
}

/* ---- hours ---- */

Test(series, hours_bind_and_who_may_says_why_not)
{
    struct series_desk d = series_desk_open(OWNER_B, "practice-b");
    api_new_schedule(&d.owner, d.staff,
                     "\"monday 09:00-12:00\",\"tuesday 09:00-12:00\",\"wednesday 09:00-12:00\","
                     "\"thursday 09:00-12:00\",\"friday 09:00-12:00\",\"saturday 09:00-12:00\","
                     "\"sunday 09:00-12:00\"");
    struct answer *r = series_post(&d, SERIES, at(30, "13:00"), DAILY(2), "");
    expect_refused(r, 409, "series_conflict");
    cr_expect_str_eq(why_of(r, "conflicts", at(30, "13:00")), "[\"closed\"]");
    r = series_post(&d, SERIES, at(30, "13:00"), DAILY(2), ",\"on_conflict\":\"nearest\"");
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    cr_expect_str_eq(series_of(r, "outcomes", at(30, "13:00"), "starts_at"),
                     api_text("%sT11:30:00-06:00", api_day(30)), "the last that ends in time");
    r = series_post(&d, SERIES, at(30, "14:00"), DAILY(2), ",\"override\":\"urge\"");
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    struct answer *h = api_get(&d.owner, "/api/v1/appointments/%s/history",
                               series_of(r, "occurrences", at(30, "14:00"), "appointment_id"));
    cr_expect_str_eq(answer_text(h, "data.0.change.override.reason"), "urge");
    cr_expect(strstr(h->http.body, "\"closed\""), "%s", h->http.body);
    series_block(&d, at(33, "10:00"));
    d.client = api_new_client(&d.owner, "Otra");
    r = series_post(&d, SERIES, at(33, "10:00"), DAILY(1), ",\"override\":\"urge\"");
    expect_refused(r, 409, "series_conflict");
    cr_expect_str_eq(why_of(r, "conflicts", at(33, "10:00")), "[\"busy\"]",
                     "an override takes no time");
    struct member m = member_join(
        "practice-b",
        api_new_role(&d.owner, api_unique("Sin"), "appointment.book appointment.read"), NULL);
    r = api_post(&m.api, SERIES, "{%s,\"override\":\"urge\"}",
                 series_body(&d, at(34, "20:00"), DAILY(2)));
    expect_refused(r, 403, "forbidden");
    r = api_post(&m.api, SERIES, "{%s,\"override\":\"urge\"}",
                 series_body(&d, at(34, "10:00"), DAILY(2)));
    cr_expect_eq(r->status, 201, "nothing was overridden: %s", r->http.body);
    member_close(&m);
    series_desk_close(&d);
}

/* ---- clocks ---- */

static int year_of_next(int month)
{
    time_t now = time(NULL);
    struct tm t;
    gmtime_r(&now, &t);
    return t.tm_year + 1900 + (t.tm_mon + 1 >= month);
}

/* The nth Sunday of a month, and so many weeks later; at that time. */
static const char *sunday(int year, int month, int nth, int weeks, const char *clock)
{
    struct tm t = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1, .tm_hour = 12 };
    timegm(&t);
    t.tm_mday += (7 - t.tm_wday) % 7 + 7 * (nth - 1 + weeks);
    t.tm_isdst = 0;
    timegm(&t);
    return api_text("%04d-%02d-%02dT%s", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, clock);
}

static struct series_desk desk_in(const char *slug, const char *zone)
{
    char *output, *email = api_text("%s@example.com", slug);
    char *file = api_text("%s/password", stack_env("GREMIO_STATE"));
    int code = stack_ctl(
        (const char *const[]){ "tenant", "create",        slug,     "--name",
                               slug,     "--owner-email", email,    "--owner-password-file",
                               file,     "--sector",      "dental", "--country",
                               "MX",     "--time-zone",   zone,     "--locale",
                               "es-MX",  "--currency",    "MXN",    NULL },
        &output);
    cr_assert_eq(code, 0, "%s", output);
    free(output);
    struct series_desk d = series_desk_open(email, slug);
    db_do(d.db, "DELETE FROM opening_hours");
    db_do(d.db, "INSERT INTO opening_hours SELECT d, '00:00', 1440 FROM generate_series(1, 7) d");
    return d;
}

/* Tijuana changes its clocks with California on the second Sunday of March. */
Test(series, the_wall_clock_stays)
{
    struct series_desk d = desk_in("series-tijuana", "America/Tijuana");
    int y = year_of_next(3);
    const char *before = sunday(y, 3, 1, 0, "10:00"), *after = sunday(y, 3, 2, 0, "10:00");
    struct answer *r = series_post(&d, SERIES, before, "FREQ=WEEKLY;COUNT=3", "");
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    cr_expect_str_eq(series_of(r, "occurrences", before, "starts_at"),
                     api_text("%s:00-08:00", before));
    cr_expect_str_eq(series_of(r, "occurrences", after, "starts_at"),
                     api_text("%s:00-07:00", after));
    cr_expect_str_eq(series_of(r, "outcomes", after, "starts_at"), api_text("%s:00-07:00", after));
    r = series_change(&d, answer_text(r, "id"), "\"scope\":\"all\",\"time_of_day\":\"11:30\"");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(series_of(r, "occurrences", before, "starts_at"),
                     api_text("%.10sT11:30:00-08:00", before));
    cr_expect_str_eq(series_of(r, "occurrences", after, "starts_at"),
                     api_text("%.10sT11:30:00-07:00", after));
    series_desk_close(&d);
}

Test(series, times_that_clocks_leave_out_or_show_twice)
{
    struct series_desk d = desk_in("series-gap", "America/Tijuana");
    static const struct {
        int month, nth;
        const char *clock, *why, *nearest;
    } cases[] = {
        { 3, 2, "02:30", "[\"nonexistent_time\"]", "03:00:00-07:00" },
        { 11, 1, "01:30", "[\"ambiguous_time\"]", "01:30:00-07:00" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int y = year_of_next(cases[i].month);
        const char *start = sunday(y, cases[i].month, cases[i].nth, -1, cases[i].clock);
        const char *odd = sunday(y, cases[i].month, cases[i].nth, 0, cases[i].clock);
        struct answer *r = series_post(&d, SERIES, start, "FREQ=WEEKLY;COUNT=3", "");
        expect_refused(r, 409, "series_conflict");
        cr_expect_eq(answer_count(r, "conflicts"), 1);
        cr_expect_str_eq(why_of(r, "conflicts", odd), cases[i].why, "%s", r->http.body);
        r = series_post(&d, SERIES, start, "FREQ=WEEKLY;COUNT=3", ",\"on_conflict\":\"skip\"");
        cr_assert_eq(r->status, 201, "%s", r->http.body);
        cr_expect_str_eq(series_of(r, "occurrences", odd, "state"), "skipped");
        cr_expect_str_eq(why_of(r, "occurrences", odd), cases[i].why);
        cr_assert_eq(series_cancel(&d, answer_text(r, "id"), "\"scope\":\"all\"")->status, 200);
        r = series_post(&d, SERIES, start, "FREQ=WEEKLY;COUNT=3", ",\"on_conflict\":\"nearest\"");
        cr_assert_eq(r->status, 201, "%s", r->http.body);
        cr_expect_str_eq(series_of(r, "outcomes", odd, "starts_at"),
                         api_text("%.10sT%s", odd, cases[i].nearest), "%s", r->http.body);
        cr_expect_str_eq(series_of(r, "outcomes", odd, "outcome"), "moved");
    }
    series_desk_close(&d);
}

Test(series, mexico_city_has_one_offset_all_year)
{
    struct series_desk d = series_desk_open(OWNER_B, "practice-b");
    struct answer *r = series_post(&d, SERIES, at(20, "16:00"), "FREQ=MONTHLY;COUNT=12", "");
    int y, m, day;
    cr_assert_eq(sscanf(api_day(20), "%d-%d-%d", &y, &m, &day), 3);
    if (day > 28) { /* months without that day are left out */
        r = series_post(&d, SERIES, at(25, "16:00"), "FREQ=MONTHLY;COUNT=12", "");
    }
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    for (int i = 0; i < 12; i++) {
        const char *start = answer_text(r, api_text("occurrences.%d.starts_at", i));
        cr_expect(strstr(start, "T16:00:00-06:00"), "%s", start);
    }
    series_desk_close(&d);
}

/* ---- bad requests ---- */

Test(series, what_is_refused_changes_nothing)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    const char *good = at(90, "10:00"), *before = series_stored(&d);
    const struct {
        const char *starts_at, *rrule, *more, *pointer;
    } cases[] = {
        { good, "FREQ=YEARLY;COUNT=2", "", "/rrule" },
        { good, "FREQ=DAILY", "", "/rrule" },
        { good, "FREQ=DAILY;COUNT=101", "", "/rrule" },
        { good, "FREQ=DAILY;UNTIL=20990101", "", "/rrule" },
        { good, "FREQ=DAILY;COUNT=2;BYHOUR=9,10", "", "/rrule" },
        { good, "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30;BYMONTH=2;COUNT=2", "", "/rrule" },
        { good, "FREQ=DAILY;INTERVAL=10;COUNT=100", "", "/rrule" },
        { good, "", "", "/rrule" },
        { good, "FREQ=DAILY;INTERVAL=99;COUNT=8", "", "/rrule" }, /* beyond two years from now */
        { api_text("%s-06:00", good), DAILY(2), "", "/starts_at" },
        { api_text("%sZ", good), DAILY(2), "", "/starts_at" },
        { api_text("%s:30", good), DAILY(2), "", "/starts_at" },
        { api_day(90), DAILY(2), "", "/starts_at" },
        { "2019-01-01T10:00", DAILY(2), "", "/starts_at" },
        { at(740, "10:00"), DAILY(2), "", "/starts_at" },
        { good, DAILY(2), ",\"on_conflict\":\"squeeze\"", "/on_conflict" },
        { good, DAILY(2), ",\"duration_min\":0", "/duration_min" },
        { good, DAILY(2), ",\"duration_min\":1441", "/duration_min" },
        { good, DAILY(2), ",\"overbook\":true", "/overbook" },
        { good, DAILY(2), ",\"series_id\":\"01900000-0000-7000-8000-000000000000\"", "/series_id" },
        { good, DAILY(2), ",\"version\":7", "/version" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static const char *const paths[] = { PREVIEW, SERIES };
        for (size_t k = 0; k < ARRAY_LEN(paths); k++) {
            struct answer *r = series_post(&d, paths[k], cases[i].starts_at, cases[i].rrule,
                                           cases[i].more);
            cr_expect(r->status == 422 && answer_blames(r, cases[i].pointer), "%s %s%s: %d %s",
                      cases[i].starts_at, cases[i].rrule, cases[i].more, r->status, r->http.body);
        }
    }
    struct series_desk wrong = d;
    wrong.client = "01900000-0000-7000-8000-000000000000";
    cr_expect(answer_blames(series_post(&wrong, SERIES, good, DAILY(2), ""), "/client_id"));
    wrong = d;
    wrong.service = wrong.client;
    cr_expect(answer_blames(series_post(&wrong, SERIES, good, DAILY(2), ""), "/service_id"));
    wrong = d;
    wrong.staff = wrong.client;
    cr_expect(answer_blames(series_post(&wrong, SERIES, good, DAILY(2), ""), "/staff_id"));
    cr_expect_str_eq(series_stored(&d), before);
    series_desk_close(&d);
}

Test(series, a_hundred_is_the_limit_and_can_be_had)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    struct answer *r = series_post(&d, SERIES, at(10, "20:00"), "FREQ=DAILY;INTERVAL=7;COUNT=100",
                                   "");
    cr_assert_eq(r->status, 201, "%d %s", r->status, r->http.body);
    cr_expect_eq(answer_count(r, "occurrences"), 100);
    r = series_change(&d, answer_text(r, "id"), "\"scope\":\"all\",\"time_of_day\":\"21:00\"");
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    cr_expect_eq(db_number(d.db,
                           "SELECT count(*) FROM appointment WHERE series_id = $1::uuid"
                           " AND local_start::time = '21:00' AND version = 2",
                           answer_text(r, "id"), NULL),
                 100);
    r = series_cancel(&d, answer_text(r, "id"), "\"scope\":\"all\"");
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    cr_expect_eq(db_number(d.db, "SELECT count(*) FROM allocation WHERE resource_id = $1::uuid",
                           d.staff, NULL),
                 0);
    series_desk_close(&d);
}

Test(series, another_practices_series_is_not_there)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a"),
                       other = series_desk_open(OWNER_B, "practice-b");
    const char *id = series_make(&d, at(100, "10:00"), DAILY(2), ""), *before = series_stored(&d);
    cr_expect_eq(api_get(&other.owner, SERIES "/%s", id)->status, 404);
    expect_refused(api_patch(&other.owner, api_text(SERIES "/%s", id), 1,
                             "{\"scope\":\"all\",\"time_of_day\":\"11:00\"}"),
                   404, "not_found");
    expect_refused(api_send(&other.owner, "POST", api_text(SERIES "/%s/cancel", id),
                            "{\"scope\":\"all\"}", "If-Match: \"1\"\r\n"),
                   404, "not_found");
    cr_expect_null(strstr(api_get(&other.owner, SERIES)->http.body, id));
    cr_expect_str_eq(series_stored(&d), before);
    series_desk_close(&other);
    series_desk_close(&d);
}

Test(series, sent_again_under_its_key_it_is_booked_once)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    char *body = api_text("{%s}", series_body(&d, at(110, "10:00"), DAILY(3)));
    char *key = api_text("Idempotency-Key: %s\r\n", d.client);
    struct answer *r = api_send(&d.owner, "POST", SERIES, body, key);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    struct answer *again = api_send(&d.owner, "POST", SERIES, body, key);
    cr_expect_str_eq(again->http.body, r->http.body);
    cr_expect_eq(db_number(d.db, "SELECT count(*) FROM appointment WHERE client_id = $1::uuid",
                           d.client, NULL),
                 3);
    series_desk_close(&d);
}

/* ---- at once ---- */

/* Whoever wants Mondays and whoever wants every day of the same week: one of them gets it. */
Test(series, of_series_that_overlap_one_wins)
{
    enum { ROUNDS = 5, SHOTS = 8 };
    struct series_desk d = series_desk_open(OWNER_B, "practice-b");
    for (int round = 0; round < ROUNDS; round++) {
        struct shot shots[SHOTS];
        int day = 120 + 20 * round;
        for (int i = 0; i < SHOTS; i++) {
            d.client = api_new_client(&d.owner, api_unique("Eva"));
            shots[i] = (struct shot){
                .token = d.owner.token,
                .method = "POST",
                .path = SERIES,
                .body = api_text(
                    "{%s}", series_body(&d, at(day + i, i % 2 ? "09:15" : "09:00"),
                                        i % 2 ? "FREQ=DAILY;COUNT=10" : "FREQ=DAILY;COUNT=12")),
            };
        }
        volley_fire(shots, SHOTS);
        volley_print("series", shots, SHOTS);
        cr_expect_eq(volley_count(shots, SHOTS, 201, NULL), 1);
        cr_expect_eq(volley_count(shots, SHOTS, 409, "series_conflict"), SHOTS - 1);
    }
    cr_expect_eq(
        db_number(d.db,
                  "SELECT count(DISTINCT series_id) FROM appointment WHERE staff_id = $1::uuid",
                  d.staff, NULL),
        ROUNDS);
    cr_expect_eq(series_overlaps(&d), 0);
    series_desk_close(&d);
}

/* Single visits are booked meanwhile: whatever wins, nobody overlaps and a series is whole. */
Test(series, bookings_and_series_at_once)
{
    enum { SHOTS = 24, DAYS = 12 };
    struct series_desk d = series_desk_open(OWNER_B, "practice-b");
    struct shot shots[SHOTS];
    for (int i = 0; i < SHOTS; i++) {
        const char *client = api_new_client(&d.owner, api_unique("Eva"));
        bool series = i % 2;
        d.client = client;
        shots[i] = (struct shot){
            .token = d.owner.token,
            .method = "POST",
            .path = series ? SERIES : "/api/v1/appointments",
            .body = series ? api_text("{%s,\"on_conflict\":\"%s\"}",
                                      series_body(&d, at(250 + i % 4, "09:00"), DAILY(8)),
                                      i % 4 == 1   ? "nearest"
                                      : i % 8 == 3 ? "skip"
                                                   : "reject")
                           : api_text("{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":"
                                      "\"%s\",\"starts_at\":\"%s\"}",
                                      client, d.service, d.staff, at(250 + i % DAYS, "09:00")),
        };
    }
    volley_fire(shots, SHOTS);
    volley_print("bookings and series", shots, SHOTS);
    size_t made = volley_count(shots, SHOTS, 201, NULL);
    cr_expect_eq(made + volley_count(shots, SHOTS, 409, "series_conflict") +
                     volley_count(shots, SHOTS, 409, "slot_taken"),
                 SHOTS);
    cr_expect_gt(made, 6);
    cr_expect_eq(series_overlaps(&d), 0);
    cr_expect_eq(
        db_number(d.db,
                  "SELECT count(*) FROM series s WHERE s.staff_id = $1::uuid AND"
                  " (SELECT count(*) FROM appointment a WHERE a.series_id = s.id) + (SELECT"
                  " count(*) FROM series_exception e WHERE e.series_id = s.id) <> 8",
                  d.staff, NULL),
        0);
    series_desk_close(&d);
}

/* Somebody else's transaction, and a request that comes to wait for it. */
struct meeting {
    PGconn *other, *watcher;
    pthread_t thread;
    struct shot shot;
};

static bool waits(void *arg)
{
    struct meeting *m = arg;
    return db_number(
               m->watcher,
               "SELECT count(*) FROM pg_stat_activity WHERE $1::int = ANY (pg_blocking_pids(pid))",
               api_text("%d", PQbackendPID(m->other)), NULL) > 0;
}

static void *ask(void *arg)
{
    struct meeting *m = arg;
    volley_fire(&m->shot, 1);
    return NULL;
}

/* Runs sql, and the request meanwhile; whether that waited, until sql's transaction ended so. */
static bool meet(struct series_desk *d, struct shot *shot, const char *sql, const char *end)
{
    struct meeting m = { .other = db_super(), .watcher = d->db, .shot = *shot };
    char *path = db_value(d->db, "SELECT current_setting('search_path')", NULL);
    db_do(m.other, api_text("SET search_path = %s", path));
    db_do(m.other, "BEGIN");
    db_do(m.other, sql);
    cr_assert_eq(pthread_create(&m.thread, NULL, ask, &m), 0);
    bool waited = wait_until(waits, &m, 4000);
    db_do(m.other, end);
    pthread_join(m.thread, NULL);
    *shot = m.shot;
    free(path);
    PQfinish(m.other);
    return waited;
}

static const char *agenda_of(const char *staff)
{
    return api_text("SELECT pg_advisory_xact_lock(hashtextextended((SELECT tenant_id::text FROM"
                    " schema_meta) || '%s', 0))",
                    staff);
}

/* By the lock that every booking takes, so that it is judged by what those have left. */
Test(series, it_waits_for_who_books_there)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    struct shot shot = { .token = d.owner.token,
                         .method = "POST",
                         .path = SERIES,
                         .body = api_text("{%s}", series_body(&d, at(150, "10:00"), DAILY(2))) };
    cr_expect(meet(&d, &shot, agenda_of(d.staff), "COMMIT"), "the agenda was not locked");
    cr_expect_eq(shot.status, 201, "%d %s", shot.status, shot.code);
    const char *carla = api_new_staff(&d.owner, api_unique("Carla"));
    shot = (struct shot){
        .token = d.owner.token,
        .method = "PATCH",
        .path = api_text(SERIES "/%s", shot.id),
        .headers = "If-Match: \"1\"\r\n",
        .body = api_text("{\"scope\":\"all\",\"staff_id\":\"%s\"}", carla),
    };
    struct shot same = shot;
    cr_expect(meet(&d, &same, agenda_of(carla), "COMMIT"), "the new agenda was not locked");
    cr_expect_eq(same.status, 200, "%d %s", same.status, same.code);
    shot.headers = "If-Match: \"2\"\r\n";
    shot.body = "{\"scope\":\"all\",\"time_of_day\":\"11:00\"}";
    cr_expect(meet(&d, &shot, agenda_of(d.client), "COMMIT"), "the client's was not locked");
    cr_expect_eq(shot.status, 200, "%d %s", shot.status, shot.code);
    series_desk_close(&d);
}

/* Who takes time without asking is met by the constraint: a clean refusal, and nothing of the series is left. */
Test(series, the_constraint_has_the_last_word)
{
    struct series_desk d = series_desk_open(OWNER_A, "practice-a");
    const char *block = api_text(
        "INSERT INTO allocation(id, resource_id, busy, kind) VALUES (gen_random_uuid(), '%s',"
        " tstzrange('%s:00-06', '%s:00-06'), 'block')",
        d.staff, at(162, "10:00"), at(162, "10:10"));
    struct shot shot = { .token = d.owner.token,
                         .method = "POST",
                         .path = SERIES,
                         .body = api_text("{%s}", series_body(&d, at(160, "10:00"), DAILY(4))) };
    cr_expect(meet(&d, &shot, block, "COMMIT"));
    cr_expect(shot.status == 409 && strcmp(shot.code, "slot_taken") == 0, "%d %s", shot.status,
              shot.code);
    cr_expect_eq(db_number(d.db,
                           "SELECT (SELECT count(*) FROM appointment WHERE staff_id = $1::uuid) +"
                           " (SELECT count(*) FROM series WHERE staff_id = $1::uuid)",
                           d.staff, NULL),
                 0);
    cr_expect(meet(&d, &shot, api_text("DELETE FROM allocation WHERE resource_id = '%s'", d.staff),
                   "ROLLBACK") == false,
              "it sees the block that is there, and does not wait for it");
    cr_expect_str_eq(shot.code, "series_conflict");
    series_desk_close(&d);
}

/* ---- calendars ---- */

static int events_in(struct api *a, const char *url)
{
    int n = 0;
    const char *body = api_get(a, "%s", strstr(url, "/calendars/"))->http.body;
    for (const char *p = body; p && (p = strstr(p, "BEGIN:VEVENT")); p++) {
        n++;
    }
    return n;
}

Test(series, each_occurrence_is_an_event_of_its_own)
{
    struct series_desk d = series_desk_open(OWNER_B, "practice-b");
    struct member m = member_join("practice-b", "professional", NULL);
    d.staff = m.staff;
    struct answer *feed = api_send(&m.api, "POST", "/api/v1/calendar-feeds", NULL, NULL);
    const char *url = answer_text(feed, "url"),
               *id = series_make(&d, at(40, "10:00"), DAILY(4), "");
    struct api anybody = api_anonymous();
    cr_expect_eq(events_in(&anybody, url), 4, "%s", url);
    cr_assert_eq(
        series_cancel(&d, id, api_text("\"scope\":\"following\",\"from\":\"%s\"", at(42, "10:00")))
            ->status,
        200);
    const char *body = api_get(&anybody, "%s", strstr(url, "/calendars/"))->http.body;
    int cancelled = 0;
    for (const char *p = body; (p = strstr(p, "STATUS:CANCELLED")); p++) {
        cancelled++;
    }
    cr_expect_eq(cancelled, 2);
    api_close(&anybody);
    member_close(&m);
    series_desk_close(&d);
}
