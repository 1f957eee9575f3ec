/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Holidays out of a file: they close the practice, are there once however often they are imported, and go when the file says so. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/sbuf.h"
#include "tests/support/db.h"
#include "tests/support/guest.h"

#define IMPORT "/api/v1/schedule-exceptions/import"

TestSuite(holidays, .timeout = 120);

static const char *undashed(const char *day)
{
    return api_text("%.4s%.2s%.2s", day, day + 5, day + 8);
}

static const char *event(const char *uid, const char *day, const char *more)
{
    return api_text("BEGIN:VEVENT\\r\\nUID:%s\\r\\nDTSTART;VALUE=DATE:%s\\r\\n%sEND:VEVENT\\r\\n",
                    uid, undashed(day), more);
}

static struct answer *import(struct api *a, const char *events)
{
    return api_post(a, IMPORT,
                    "{\"ics\":\"BEGIN:VCALENDAR\\r\\nVERSION:2.0\\r\\nPRODID:-//x//x//ES\\r\\n"
                    "%sEND:VCALENDAR\\r\\n\"}",
                    events);
}

static void expect_counts(const struct answer *r, int added, int changed, int removed)
{
    cr_expect(r->status == 200 && answer_int(r, "added") == added &&
                  answer_int(r, "changed") == changed && answer_int(r, "removed") == removed,
              "%d %s", r->status, r->http.body);
}

Test(holidays, they_close_the_practice_once)
{
    struct api a = api_login(OWNER_A);
    const char *service = api_new_service(&a, "Corte", 30), *staff = api_new_staff(&a, "Ana");
    const char *client = api_new_client(&a, "Eva"), *day = api_day(20);
    struct answer *r = import(
        &a, event("uno@example", day, "SUMMARY:Día de la Constitución\\\\, puente\\r\\n"));
    expect_counts(r, 1, 0, 0);
    r = api_get(&a,
                "/api/v1/availability/slots?service_id=%s&staff_id=%s&from=%s&to=%s&explain=true",
                service, staff, day, day);
    cr_expect_eq(answer_count(r, "days.0.starts"), 0);
    cr_expect(strstr(r->http.body, "\"exception\""), "%s", r->http.body);
    r = api_book(&a, client, service, staff, api_text("%sT10:00", day));
    cr_expect_str_eq(answer_text(r, "why"), "[ \"exception\" ]", "%s", r->http.body);
    r = api_get(&a, "/api/v1/schedule-exceptions?from=%s&to=%s", day, day);
    cr_expect_str_eq(answer_text(r, "data.0.reason"), "Día de la Constitución, puente");
    cr_expect_str_eq(answer_text(r, "data.0.source"), "ical");
    expect_counts(
        import(&a, event("uno@example", day, "SUMMARY:Día de la Constitución\\\\, puente\\r\\n")),
        0, 0, 0);
    expect_counts(import(&a, event("uno@example", api_day(21), "SUMMARY:Puente\\r\\n")), 0, 1, 0);
    r = api_book(&a, client, service, staff, api_text("%sT10:00", day));
    cr_expect_eq(r->status, 201, "it is another day now: %s", r->http.body);
    expect_counts(import(&a, event("uno@example", api_day(21), "STATUS:CANCELLED\\r\\n")), 0, 0, 1);
    r = api_book(&a, client, service, staff, api_text("%sT10:00", api_day(21)));
    cr_expect_eq(r->status, 201, "%s", r->http.body);
    api_close(&a);
    api_release();
}

Test(holidays, what_counts_as_one)
{
    struct api a = api_login(OWNER_B);
    struct sbuf all;
    sbuf_init(&all);
    sbuf_text(&all, event("fiestas@example", api_day(30),
                          api_text("DTEND;VALUE=DATE:%s\\r\\n", undashed(api_day(33)))));
    sbuf_text(&all, event("dos@example", api_day(40), "DURATION:P2D\\r\\n"));
    sbuf_text(&all, "BEGIN:VEVENT\\r\\nUID:navidad@example\\r\\nDTSTART;VALUE=DATE:20001225\\r\\n"
                    "RRULE:FREQ=YEARLY\\r\\nSUMMARY:Navidad\\r\\nEND:VEVENT\\r\\n");
    sbuf_text(&all, "BEGIN:VEVENT\\r\\nUID:lunes@example\\r\\nDTSTART;VALUE=DATE:20060206\\r\\n"
                    "RRULE:FREQ=YEARLY;BYMONTH=2;BYDAY=1MO\\r\\nEND:VEVENT\\r\\n");
    sbuf_text(&all, event("semanal@example", api_day(9), "RRULE:FREQ=WEEKLY\\r\\n"));
    sbuf_text(
        &all,
        "BEGIN:VEVENT\\r\\nUID:cita@example\\r\\nDTSTART:20270301T100000Z\\r\\nEND:VEVENT\\r\\n");
    sbuf_text(&all, event("ayer@example", api_day(-10), ""));
    sbuf_text(&all, event("lejos@example", api_day(900), ""));
    sbuf_char(&all, '\0');
    struct answer *r = import(&a, all.data);
    expect_counts(r, 6, 0, 0);
    cr_expect_eq(answer_count(r, "skipped"), 2);
    cr_expect_str_eq(answer_text(r, "skipped.0.why"), "recurrence");
    cr_expect_str_eq(answer_text(r, "skipped.1.why"), "not_whole_days");
    r = api_get(&a, "/api/v1/schedule-exceptions?from=%s&to=%s", api_day(30), api_day(30));
    cr_expect_str_eq(answer_text(r, "data.0.last_day"), api_day(32), "the end does not count");
    PGconn *db = db_super();
    char *code = db_code(db, "practice-b");
    cr_expect_eq(db_number(db,
                           api_text("SELECT count(*) FROM t_%s.schedule_exception WHERE uid LIKE"
                                    " 'lunes@example/%%' AND extract(isodow FROM first_day) = 1"
                                    " AND extract(month FROM first_day) = 2"
                                    " AND extract(day FROM first_day) <= 7",
                                    code),
                           NULL),
                 2);
    expect_counts(import(&a, all.data), 0, 0, 0);
    free(code);
    PQfinish(db);
    sbuf_fini(&all);
    api_close(&a);
    api_release();
}

Test(holidays, what_is_no_calendar_changes_nothing)
{
    struct api a = api_login(OWNER_A);
    static const char *const bad[] = {
        "{\"ics\":\"\"}",
        "{\"ics\":\"holidays\"}",
        "{\"ics\":\"BEGIN:VCALENDAR\\r\\nBEGIN:VEVENT\\r\\n\"}",
        "{\"ics\":\"BEGIN:VEVENT\\r\\nUID:x\\r\\nEND:VEVENT\\r\\n\"}",
        "{\"ics\":7}",
        "{}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer *r = api_post(&a, IMPORT, "%s", bad[i]);
        cr_expect(r->status == 422 && answer_blames(r, "/ics"), "%s: %d %s", bad[i], r->status,
                  r->http.body);
    }
    struct sbuf many;
    sbuf_init(&many);
    for (int i = 0; i < 401; i++) {
        sbuf_text(&many, event(api_text("m%d@example", i), api_day(50 + i), ""));
    }
    sbuf_char(&many, '\0');
    struct answer *r = import(&a, many.data);
    cr_expect(r->status == 422 && strstr(r->http.body, "too_many"), "%d %s", r->status,
              r->http.body);
    cr_expect_eq(
        answer_count(api_get(&a, "/api/v1/schedule-exceptions?from=%s", api_day(50)), "data"), 0);
    char *large = malloc(262200);
    memset(large, 'x', 262199);
    large[262199] = '\0';
    r = import(&a, large);
    cr_expect(r->status == 422 && answer_blames(r, "/ics"), "%d", r->status);
    free(large);
    sbuf_fini(&many);
    api_close(&a);
    api_release();
}
