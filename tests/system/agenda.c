/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The calendar of a day or a week: hours as the rules say, visits on each day they touch, other taken time without details, nothing beyond the caller's
 * reach, and nothing at all for who has it already. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/member.h"
#include "tests/support/practice.h"
#include "tests/support/stack.h"

#define AGENDA "/api/v1/agenda"

TestSuite(agenda, .timeout = 120);

struct desk {
    struct api owner;
    const char *client, *service, *staff;
};

static struct desk desk_open(const char *email)
{
    struct desk d = { .owner = api_login(email) };
    d.client = api_new_client(&d.owner, api_unique("Ana"));
    d.service = api_new_service(&d.owner, api_unique("Corte"), 60);
    d.staff = api_new_staff(&d.owner, api_unique("Beto"));
    return d;
}

static void desk_close(struct desk *d)
{
    api_close(&d->owner);
    api_release();
}

static struct answer *week(struct desk *d, const char *date)
{
    struct answer *r = api_get(&d->owner, AGENDA "?date=%s&staff_id=%s", date, d->staff);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    return r;
}

static const char *book(struct desk *d, const char *when)
{
    struct answer *r = api_book(&d->owner, d->client, d->service, d->staff, when);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return answer_text(r, "id");
}

static void expect_text(const struct answer *r, const char *path, const char *want)
{
    const char *got = answer_text(r, path);
    cr_expect(got && strcmp(got, want) == 0, "%s: %s, not %s", path, got ? got : "(none)", want);
}

Test(agenda, a_week_has_seven_days_and_what_is_in_them)
{
    struct desk d = desk_open(OWNER_A);
    const char *monday = guest_monday(10);
    api_new_schedule(&d.owner, d.staff,
                     "\"monday 09:00-12:00\",\"monday 12:00-14:00\",\"monday 10:00-10:15 break\","
                     "\"tuesday 22:00-02:00\",\"wednesday 09:00-10:00\"");
    const char *early = book(&d, api_text("%sT09:00", monday));
    book(&d, api_text("%sT23:30", guest_day(10, 1)));
    api_new_exception(&d.owner, d.staff, "closed", guest_day(10, 2));
    struct answer *hold = api_post(
        &d.owner, "/api/v1/holds",
        "{\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%sT12:30\"}", d.service,
        d.staff, monday);
    cr_assert_eq(hold->status, 201, "%s", hold->http.body);
    struct answer *r = week(&d, guest_day(10, 3));
    cr_expect_eq(answer_count(r, "days"), 7);
    expect_text(r, "time_zone", "America/Mexico_City");
    expect_text(r, "staff.0.id", d.staff);
    expect_text(r, "days.0.date", monday);
    expect_text(r, "days.6.date", guest_day(10, 6));
    cr_expect_eq(answer_count(r, "days.0.staff.0.work"), 1, "what meets is one: %s", r->http.body);
    expect_text(r, "days.0.staff.0.work.0.from", api_text("%sT09:00:00-06:00", monday));
    expect_text(r, "days.0.staff.0.work.0.to", api_text("%sT14:00:00-06:00", monday));
    expect_text(r, "days.0.staff.0.breaks.0.to", api_text("%sT10:15:00-06:00", monday));
    expect_text(r, "days.0.staff.0.visits.0.id", early);
    expect_text(r, "days.0.staff.0.visits.0.client.id", d.client);
    expect_text(r, "days.0.staff.0.visits.0.continues", "false");
    expect_text(r, "days.0.staff.0.blocks.0.kind", "hold");
    expect_text(r, "days.0.staff.0.blocks.0.from", api_text("%sT12:30:00-06:00", monday));
    expect_text(r, "days.1.staff.0.work.0.to", api_text("%sT00:00:00-06:00", guest_day(10, 2)));
    expect_text(r, "days.1.staff.0.visits.0.ends_at",
                api_text("%sT00:30:00-06:00", guest_day(10, 2)));
    expect_text(r, "days.2.staff.0.visits.0.continues", "true");
    expect_text(r, "days.2.staff.0.work.0.to", api_text("%sT02:00:00-06:00", guest_day(10, 2)));
    expect_text(r, "days.2.staff.0.closed.0.from", api_text("%sT00:00:00-06:00", guest_day(10, 2)));
    cr_expect_eq(answer_count(r, "days.4.staff.0.work"), 0);
    r = api_get(&d.owner, AGENDA "?view=day&date=%s&staff_id=%s", monday, d.staff);
    cr_expect_eq(answer_count(r, "days"), 1);
    expect_text(r, "days.0.staff.0.visits.0.id", early);
    desk_close(&d);
}

Test(agenda, who_has_it_gets_it_again_only_when_it_changed)
{
    struct desk d = desk_open(OWNER_A);
    const char *monday = guest_monday(20), *id = book(&d, api_text("%sT09:00", monday));
    const char *etag = answer_header(week(&d, monday), "etag");
    cr_assert_not_null(etag);
    d.owner.headers = api_text("If-None-Match: %s\r\n", etag);
    struct answer *r = api_get(&d.owner, AGENDA "?date=%s&staff_id=%s", monday, d.staff);
    cr_expect_eq(r->status, 304);
    cr_expect_eq(r->http.body_len, 0);
    char *path = api_text("/api/v1/appointments/%s/cancel", id);
    cr_assert_eq(api_send(&d.owner, "POST", path, "{}", "If-Match: \"1\"\r\n")->status, 200);
    r = week(&d, monday);
    cr_expect_eq(answer_count(r, "days.0.staff.0.visits"), 0, "%s", r->http.body);
    d.owner.headers = NULL;
    desk_close(&d);
}

/* 23 hours in March and 25 in November: days begin at their own midnight. */
Test(agenda, days_on_which_clocks_change)
{
    char *output;
    char *file = api_text("%s/password", stack_env("GREMIO_STATE"));
    const char *const create[] = { "tenant",
                                   "create",
                                   "tijuana",
                                   "--name",
                                   "Tijuana",
                                   "--owner-email",
                                   "tijuana@example.com",
                                   "--owner-password-file",
                                   file,
                                   "--sector",
                                   "dental",
                                   "--country",
                                   "MX",
                                   "--time-zone",
                                   "America/Tijuana",
                                   "--locale",
                                   "es-MX",
                                   "--currency",
                                   "MXN",
                                   NULL };
    cr_assert_eq(stack_ctl(create, &output), 0, "%s", output);
    free(output);
    practice_open_always("tijuana");
    struct desk d = desk_open("tijuana@example.com");
    struct answer *r = week(&d, "2027-03-14");
    expect_text(r, "days.6.date", "2027-03-14");
    expect_text(r, "days.6.staff.0.work.0.from", "2027-03-14T00:00:00-08:00");
    expect_text(r, "days.6.staff.0.work.0.to", "2027-03-15T00:00:00-07:00");
    r = week(&d, "2027-11-07");
    expect_text(r, "days.6.staff.0.work.0.from", "2027-11-07T00:00:00-07:00");
    expect_text(r, "days.6.staff.0.work.0.to", "2027-11-08T00:00:00-08:00");
    expect_text(r, "days.0.date", "2027-11-01");
    desk_close(&d);
}

Test(agenda, nobody_sees_beyond_their_reach)
{
    struct desk d = desk_open(OWNER_A);
    struct member mine = member_join("practice-a", "professional", "uno");
    const char *monday = guest_monday(30);
    book(&d, api_text("%sT09:00", monday));
    struct answer *r = api_get(&mine.api, AGENDA "?date=%s", monday);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_eq(answer_count(r, "staff"), 1);
    expect_text(r, "staff.0.id", mine.staff);
    cr_expect_null(strstr(r->http.body, d.client));
    cr_expect_eq(api_get(&mine.api, AGENDA "?date=%s&staff_id=%s", monday, d.staff)->status, 404);
    struct api other = api_login(OWNER_B);
    cr_expect_eq(api_get(&other, AGENDA "?staff_id=%s", d.staff)->status, 404);
    cr_expect_eq(api_get(&d.owner, AGENDA "?view=month")->status, 422);
    cr_expect_eq(api_get(&d.owner, AGENDA "?date=2027-02-30")->status, 422);
    api_close(&other);
    member_close(&mine);
    desk_close(&d);
}

Test(agenda, too_much_is_refused)
{
    struct desk d = desk_open(OWNER_A);
    PGconn *db = db_super();
    char *code = db_code(db, "practice-a");
    const char *id = book(&d, api_text("%sT09:00", guest_monday(40)));
    db_do(db,
          api_text("INSERT INTO t_%s.appointment SELECT (r).* FROM (SELECT jsonb_populate_record(a,"
                   " jsonb_build_object('id', gen_random_uuid())) AS r FROM t_%s.appointment a"
                   " CROSS JOIN generate_series(1, 2000) WHERE a.id = '%s') copies",
                   code, code, id));
    struct answer *r = api_get(&d.owner, AGENDA "?date=%s&staff_id=%s", guest_monday(40), d.staff);
    cr_expect_eq(r->status, 422, "%d", r->status);
    cr_expect(answer_blames(r, "view"));
    free(code);
    PQfinish(db);
    desk_close(&d);
}
