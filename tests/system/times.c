/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Local wall time is the truth: zones with clock changes, hours that do not exist, hours that come twice. Each test
 * has a practice of its own, so that nobody else sees its zone change. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/api.h"
#include "tests/support/practice.h"
#include "tests/support/stack.h"

TestSuite(times, .timeout = 120);

struct place {
    struct api api;
    const char *client, *service, *staff;
};

static struct place place_open(const char *slug, const char *zone)
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
    practice_open_always(slug);
    struct place p = { .api = api_login(email) };
    p.client = api_new_client(&p.api, "Ana");
    p.service = api_new_service(&p.api, "Consulta", 60);
    p.staff = api_new_staff(&p.api, "Beto");
    return p;
}

static void place_close(struct place *p)
{
    api_close(&p->api);
    api_release();
}

static struct answer *book(struct place *p, const char *when)
{
    return api_book(&p->api, p->client, p->service, p->staff, when);
}

static void expect_start(struct place *p, const char *when, const char *start, const char *end)
{
    struct answer *r = book(p, when);
    cr_assert_eq(r->status, 201, "%s: %d %s", when, r->status, r->http.body);
    cr_expect_str_eq(answer_text(r, "starts_at"), start);
    cr_expect_str_eq(answer_text(r, "ends_at"), end);
}

/* The year of the next time that day of the year comes. */
static int year_of_next(int month, int day)
{
    time_t now = time(NULL);
    struct tm t;
    gmtime_r(&now, &t);
    bool over = t.tm_mon + 1 > month || (t.tm_mon + 1 == month && t.tm_mday >= day);
    return t.tm_year + 1900 + over;
}

/* Day of the month of the nth Sunday (1..) or, counted from the end, the last one (0). */
static int sunday(int year, int month, int nth)
{
    struct tm t = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1, .tm_hour = 12 };
    timegm(&t);
    int first = 1 + (7 - t.tm_wday) % 7;
    if (nth > 0) {
        return first + 7 * (nth - 1);
    }
    return first + 28 <= 31 ? first + 28 : first + 21; /* March and October have 31 days */
}

/* Mexico keeps standard time all year since 2022, whatever old zone data says. */
Test(times, mexico_has_no_summer_time)
{
    struct place p = place_open("times-mexico", "America/Mexico_City");
    int y = year_of_next(7, 1);
    expect_start(&p, api_text("%d-07-01T09:00", y), api_text("%d-07-01T09:00:00-06:00", y),
                 api_text("%d-07-01T10:00:00-06:00", y));
    char *utc = api_text("/api/v1/appointments?from=%d-07-01T15:00:00Z&to=%d-07-01T15:00:01Z", y,
                         y);
    cr_expect_eq(answer_count(api_get(&p.api, "%s", utc), "data"), 1, "09:00 is not 15:00Z");
    expect_start(&p, api_text("%d-07-01T18:00:00Z", y), api_text("%d-07-01T12:00:00-06:00", y),
                 api_text("%d-07-01T13:00:00-06:00", y));
    expect_start(&p, api_text("%d-07-01T21:00:00+02:00", y), api_text("%d-07-01T13:00:00-06:00", y),
                 api_text("%d-07-01T14:00:00-06:00", y));
    place_close(&p);
}

Test(times, new_york)
{
    struct place p = place_open("times-new-york", "America/New_York");
    int y = year_of_next(3, 15), gap = sunday(y, 3, 2);
    struct answer *r = book(&p, api_text("%d-03-%02dT02:30", y, gap));
    cr_expect_eq(r->status, 422, "%d", r->status);
    cr_expect_str_eq(answer_code(r), "nonexistent_time");
    expect_start(&p, api_text("%d-03-%02dT01:30", y, gap),
                 api_text("%d-03-%02dT01:30:00-05:00", y, gap),
                 api_text("%d-03-%02dT03:30:00-04:00", y, gap));
    expect_start(&p, api_text("%d-03-%02dT03:30", y, gap),
                 api_text("%d-03-%02dT03:30:00-04:00", y, gap),
                 api_text("%d-03-%02dT04:30:00-04:00", y, gap));
    int z = year_of_next(11, 8), twice = sunday(z, 11, 1);
    r = book(&p, api_text("%d-11-%02dT01:30", z, twice));
    cr_expect_eq(r->status, 422, "%d", r->status);
    cr_expect_str_eq(answer_code(r), "ambiguous_time");
    const char *detail = answer_text(r, "detail");
    cr_expect(detail && strstr(detail, "-04:00") && strstr(detail, "-05:00"), "%s", r->http.body);
    expect_start(&p, api_text("%d-11-%02dT01:30:00-04:00", z, twice),
                 api_text("%d-11-%02dT01:30:00-04:00", z, twice),
                 api_text("%d-11-%02dT01:30:00-05:00", z, twice));
    /* An hour later by the sun, the same time by the clock: no overlap. */
    expect_start(&p, api_text("%d-11-%02dT01:30:00-05:00", z, twice),
                 api_text("%d-11-%02dT01:30:00-05:00", z, twice),
                 api_text("%d-11-%02dT02:30:00-05:00", z, twice));
    place_close(&p);
}

Test(times, madrid)
{
    struct place p = place_open("times-madrid", "Europe/Madrid");
    int y = year_of_next(3, 31), gap = sunday(y, 3, 0);
    cr_expect_str_eq(answer_code(book(&p, api_text("%d-03-%02dT02:00", y, gap))),
                     "nonexistent_time");
    cr_expect_str_eq(answer_code(book(&p, api_text("%d-03-%02dT02:59", y, gap))),
                     "nonexistent_time");
    cr_expect_eq(book(&p, api_text("%d-03-%02dT03:00", y, gap))->status, 201);
    int z = year_of_next(10, 31), twice = sunday(z, 10, 0);
    cr_expect_str_eq(answer_code(book(&p, api_text("%d-10-%02dT02:00", z, twice))),
                     "ambiguous_time");
    cr_expect_eq(book(&p, api_text("%d-10-%02dT03:00", z, twice))->status, 201);
    place_close(&p);
}

/* The agenda's day is the practice's day: it has 23 or 25 hours when the clocks change. */
Test(times, a_day_is_the_practices_day)
{
    struct place p = place_open("times-day", "America/New_York");
    int y = year_of_next(3, 15), gap = sunday(y, 3, 2);
    cr_expect_eq(book(&p, api_text("%d-03-%02dT00:00", y, gap))->status, 201);
    cr_expect_eq(book(&p, api_text("%d-03-%02dT23:00", y, gap))->status, 201);
    cr_expect_eq(book(&p, api_text("%d-03-%02dT00:00", y, gap + 1))->status, 201);
    char *day = api_text("/api/v1/appointments?from=%d-03-%02d&to=%d-03-%02d", y, gap, y, gap);
    cr_expect_eq(answer_count(api_get(&p.api, "%s", day), "data"), 2);
    place_close(&p);
}

/* Appointments keep the zone they were made in when the practice moves. */
Test(times, the_zone_of_the_booking_stays)
{
    struct place p = place_open("times-moving", "America/Mexico_City");
    int y = year_of_next(7, 1);
    struct answer *made = book(&p, api_text("%d-07-01T09:00", y));
    cr_assert_eq(made->status, 201);
    int version = (int)answer_int(api_get(&p.api, "/api/v1/business"), "version");
    cr_assert_eq(
        api_patch(&p.api, "/api/v1/business", version, "{\"time_zone\":\"America/Tijuana\"}")
            ->status,
        200);
    struct answer *again = api_get(&p.api, "/api/v1/appointments/%s", answer_text(made, "id"));
    cr_expect_str_eq(answer_text(again, "starts_at"), answer_text(made, "starts_at"));
    cr_expect_str_eq(answer_text(again, "time_zone"), "America/Mexico_City");
    expect_start(&p, api_text("%d-07-02T09:00", y), api_text("%d-07-02T09:00:00-07:00", y),
                 api_text("%d-07-02T10:00:00-07:00", y));
    place_close(&p);
}
