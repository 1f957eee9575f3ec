/* SPDX-License-Identifier: LicenseRef-Gremio */
/* How starts are told: in the caller's zone beside the practice's, and whom of those who can first. */
#include <criterion/criterion.h>

#include "tests/support/api.h"

#define SLOTS "/api/v1/availability/slots"

TestSuite(telling, .timeout = 120);

struct scene {
    struct api owner;
    const char *client, *service, *staff;
};

static struct scene scene_open(void)
{
    struct scene s = { .owner = api_login(OWNER_A) };
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

static struct answer *put(struct api *a, const char *path, const char *body)
{
    return api_send(a, "PUT", path, body, NULL);
}

/* Refused with 422, and the member is named. */
static void expect_blamed(const struct answer *r, const char *pointer, const char *what)
{
    cr_expect_eq(r->status, 422, "%s: %d %s", what, r->status, r->http.body);
    cr_expect(answer_blames(r, pointer), "%s: %s", what, r->http.body);
}

static struct answer *slots(struct scene *s, const char *day, const char *more)
{
    struct answer *r = api_get(&s->owner, SLOTS "?service_id=%s&staff_id=%s&from=%s&to=%s%s",
                               s->service, s->staff, day, day, more);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_assert_eq(answer_count(r, "days"), 1);
    return r;
}

static bool offers(const struct answer *r, const char *start)
{
    return strstr(r->http.body, api_text("\"%s\"", start)) != NULL;
}

Test(telling, starts_are_told_in_the_callers_zone_too)
{
    struct scene s = scene_open();
    api_new_schedule(&s.owner, s.staff, "\"monday 08:00-24:00\",\"sunday 08:00-24:00\"");
    struct answer *r = api_get(&s.owner,
                               SLOTS "?service_id=%s&staff_id=%s&from=2027-03-14&to=2027-03-15"
                                     "&tz=America/Tijuana",
                               s.service, s.staff);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    if (answer_count(r, "days.0.starts") > 0) { /* within the horizon */
        cr_expect_str_eq(answer_text(r, "days.0.starts.0.at"), "2027-03-14T08:00:00-06:00");
        cr_expect_str_eq(answer_text(r, "days.0.starts.0.local"), "2027-03-14T07:00:00-07:00");
    }
    const char *day = api_day(10);
    api_new_exception(&s.owner, s.staff, "open", day); /* 10:00 to 12:00 */
    r = slots(&s, day, "&tz=Asia/Kolkata");
    cr_expect(offers(r, api_text("%sT10:00:00-06:00", day)), "%s", r->http.body);
    cr_expect(offers(r, api_text("%sT21:30:00+05:30", day)), "%s", r->http.body);
    r = slots(&s, day, "&tz=Pacific/Auckland"); /* the day after, there */
    cr_expect(strstr(r->http.body, api_text("\"local\":\"%sT", api_day(11))), "%s", r->http.body);
    expect_blamed(api_get(&s.owner, SLOTS "?service_id=%s&tz=America/Atlantis", s.service), "tz",
                  "no such zone");
    cr_expect_null(strstr(slots(&s, day, "")->http.body, "local"));
    scene_close(&s);
}

Test(telling, those_who_can_are_ranked_by_visits_or_by_gaps)
{
    struct scene s = scene_open();
    const char *day = api_day(12), *other = api_new_staff(&s.owner, api_unique("Dr"));
    const char *both[] = { s.staff, other };
    for (int i = 0; i < 2; i++) {
        api_new_exception(&s.owner, both[i], "special", day); /* 10:00 to 12:00 */
    }
    put(&s.owner, api_text("/api/v1/services/%s/staff", s.service),
        api_text("{\"staff\":[\"%s\",\"%s\"]}", s.staff, other));
    struct answer *r = api_book(&s.owner, s.client, s.service, s.staff, api_text("%sT10:00", day));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    for (int gaps = 0; gaps < 2; gaps++) {
        r = api_get(&s.owner, SLOTS "?service_id=%s&from=%s&to=%s%s", s.service, day, day,
                    gaps ? "&rank=gaps" : "");
        cr_assert_eq(r->status, 200, "%s", r->http.body);
        int last = answer_count(r, "days.0.starts") - 1;
        for (int i = 0; i <= last; i++) {
            const char *at = answer_text(r, api_text("days.0.starts.%d.at", i));
            const char *first = answer_text(r, api_text("days.0.starts.%d.staff.0", i));
            if (strstr(at,
                       "T10:30")) { /* beside a visit of one, in the middle of the other's day */
                cr_expect_str_eq(first, gaps ? s.staff : other, "%s", r->http.body);
            }
        }
    }
    scene_close(&s);
}
