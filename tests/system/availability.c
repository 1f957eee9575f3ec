/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Schedules, exceptions and who offers what: what is taken, what is refused, and what becomes of it in slots. tests/system/slots.c compares slots themselves
 * with an oracle. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/member.h"

#define SCHEDULES  "/api/v1/schedules"
#define EXCEPTIONS "/api/v1/schedule-exceptions"
#define SLOTS      "/api/v1/availability/slots"

TestSuite(availability, .timeout = 120);

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

static int starts(struct scene *s, const char *day)
{
    return answer_count(slots(s, day, ""), "days.0.starts");
}

static bool offers(const struct answer *r, const char *start)
{
    return strstr(r->http.body, api_text("\"%s\"", start)) != NULL;
}

/* ---- rules ---- */

Test(availability, a_schedule_is_shown_as_it_was_given)
{
    struct scene s = scene_open();
    struct answer *r = api_post(
        &s.owner, SCHEDULES,
        "{\"name\":\"Verano\",\"staff_id\":\"%s\",\"service_id\":\"%s\",\"time_zone\":"
        "\"America/Tijuana\",\"valid_from\":\"2027-06-01\",\"valid_to\":\"2027-08-31\","
        "\"spans\":[\"monday 09:00-14:00\",\"monday 11:00-11:15 break\","
        "\"tuesday 22:00-02:00 odd\",\"sunday 00:00-24:00\",\"sunday 00:00-00:00\"]}",
        s.staff, s.service);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    const char *path = answer_header(r, "location");
    struct answer *again = api_get(&s.owner, "%s", path);
    cr_expect_str_eq(again->http.body, r->http.body);
    cr_expect_str_eq(answer_text(again, "spans"),
                     "[ \"monday 09:00-14:00\", \"monday 11:00-11:15 break\", \"tuesday "
                     "22:00-02:00 odd\", \"sunday 00:00-00:00\" ]");
    cr_expect_str_eq(answer_text(again, "time_zone"), "America/Tijuana");
    cr_expect_str_eq(answer_text(again, "valid_to"), "2027-08-31");
    r = api_patch(&s.owner, path, 1, "{\"spans\":[],\"service_id\":null,\"valid_from\":null}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_eq(answer_count(r, "spans"), 0);
    cr_expect_null(answer_text(r, "service_id"));
    cr_expect_str_eq(answer_text(r, "name"), "Verano", "what is not named stays");
    cr_expect_eq(api_patch(&s.owner, path, 1, "{\"name\":\"x\"}")->status, 412);
    expect_blamed(api_patch(&s.owner, path, 2, "{\"valid_from\":\"2027-09-01\"}"), "/valid_to",
                  "dates in the wrong order, one of them new");
    r = api_get(&s.owner, SCHEDULES "?staff_id=%s", s.staff);
    cr_expect_eq(answer_count(r, "data"), 1);
    cr_expect_eq(api_send(&s.owner, "DELETE", path, NULL, "If-Match: \"1\"\r\n")->status, 412);
    cr_expect_eq(api_send(&s.owner, "DELETE", path, NULL, "If-Match: \"2\"\r\n")->status, 204);
    cr_expect_eq(api_get(&s.owner, "%s", path)->status, 404);
    scene_close(&s);
}

Test(availability, schedules_that_are_refused)
{
    struct scene s = scene_open();
    static const char *const bad[][2] = {
        { "/spans", "\"spans\":[\"09:00-14:00\"]" },
        { "/spans", "\"spans\":[\"lunes 09:00-14:00\"]" },
        { "/spans", "\"spans\":[\"monday\"]" },
        { "/spans", "\"spans\":[\"monday 9:00-14:00\"]" },
        { "/spans", "\"spans\":[\"monday 24:00-14:00\"]" },
        { "/spans", "\"spans\":[\"monday  09:00-14:00\"]" },
        { "/spans", "\"spans\":[\"monday 09:00-14:00 \"]" },
        { "/spans", "\"spans\":[\"monday 09:00-14:00 break odd\"]" },
        { "/spans", "\"spans\":[\"monday 09:00-14:00 sometimes\"]" },
        { "/spans", "\"spans\":[\"monday 09:00-14:00\",\"monday 09:00-14:00\"]" },
        { "/spans", "\"spans\":[\"monday 09:00-14:00\",\"\"]" },
        { "/spans", "\"spans\":[\"\"]" },
        { "/spans", "\"spans\":\"monday 09:00-14:00\"" },
        { "/spans", "\"spans\":null" },
        { "/valid_to", "\"valid_from\":\"2027-02-02\",\"valid_to\":\"2027-02-01\"" },
        { "/valid_from", "\"valid_from\":\"2027-02-30\"" },
        { "/time_zone", "\"time_zone\":\"America/Nowhere\"" },
        { "/service_id", "\"service_id\":\"01900000-0000-7000-8000-000000000000\"" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        expect_blamed(api_post(&s.owner, SCHEDULES, "{\"name\":\"x\",\"staff_id\":\"%s\",%s}",
                               s.staff, bad[i][1]),
                      bad[i][0], bad[i][1]);
    }
    expect_blamed(
        api_post(&s.owner, SCHEDULES,
                 "{\"name\":\"x\",\"staff_id\":\"01900000-0000-7000-8000-000000000000\"}"),
        "/staff_id", "nobody");
    scene_close(&s);
}

Test(availability, schedules_have_limits)
{
    struct scene s = scene_open();
    char spans[6000] = "";
    for (int i = 0; i < 101; i++) {
        size_t n = strlen(spans);
        snprintf(spans + n, sizeof spans - n, "%s\"monday %02d:%02d-23:59\"", i ? "," : "", i / 10,
                 i % 10);
    }
    const char *body = api_text("{\"name\":\"x\",\"staff_id\":\"%s\",\"spans\":[%s]}", s.staff,
                                spans);
    expect_blamed(api_post(&s.owner, SCHEDULES, "%s", body), "/spans", "101 spans");
    *strrchr(spans, ',') = '\0';
    for (int i = 0; i < 50; i++) {
        api_new_schedule(&s.owner, s.staff, i ? "" : spans);
    }
    struct answer *r = api_post(&s.owner, SCHEDULES, "{\"name\":\"x\",\"staff_id\":\"%s\"}",
                                s.staff);
    cr_expect_eq(r->status, 409, "%d", r->status);
    cr_expect_str_eq(answer_code(r), "state_conflict");
    cr_expect(strstr(answer_text(r, "detail"), "50 horarios") != NULL, "%s", r->http.body);
    api_new_schedule(&s.owner, api_new_staff(&s.owner, "Otra"), "");
    scene_close(&s);
}

Test(availability, exceptions)
{
    struct scene s = scene_open();
    struct answer *r = api_post(
        &s.owner, EXCEPTIONS,
        "{\"staff_id\":\"%s\",\"effect\":\"special\",\"first_day\":"
        "\"2027-12-24\",\"hours\":[\"22:00-02:00\"],\"reason\":\"Guardia\"}",
        s.staff);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    const char *path = answer_header(r, "location");
    cr_expect_str_eq(answer_text(r, "last_day"), "2027-12-24");
    cr_expect_str_eq(answer_text(r, "hours.0"), "22:00-02:00");
    cr_expect_str_eq(answer_text(r, "source"), "manual");
    cr_expect_str_eq(api_get(&s.owner, "%s", path)->http.body, r->http.body);
    expect_blamed(api_patch(&s.owner, path, 1, "{\"hours\":[]}"), "/hours", "special, all day");
    expect_blamed(api_patch(&s.owner, path, 1, "{\"first_day\":\"2027-12-25\"}"), "/last_day",
                  "behind its end");
    r = api_patch(&s.owner, path, 1, "{\"effect\":\"closed\",\"hours\":[],\"reason\":null}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_eq(answer_count(r, "hours"), 0);
    cr_expect_null(answer_text(r, "reason"));
    expect_blamed(api_patch(&s.owner, path, 2, "{\"effect\":\"open\"}"), "/hours", "open, all day");
    static const char *const bad[][2] = {
        { "/hours", "\"effect\":\"open\",\"first_day\":\"2027-01-01\"" },
        { "/hours", "\"effect\":\"special\",\"first_day\":\"2027-01-01\",\"hours\":[]" },
        { "/hours", "\"effect\":\"closed\",\"first_day\":\"2027-01-01\",\"hours\":"
                    "[\"09:00-10:00\",\"11:00-12:00\"]" },
        { "/effect", "\"effect\":\"away\",\"first_day\":\"2027-01-01\"" },
        { "/effect", "\"first_day\":\"2027-01-01\"" },
        { "/first_day", "\"effect\":\"closed\"" },
        { "/last_day", "\"effect\":\"closed\",\"first_day\":\"2027-01-02\",\"last_day\":"
                       "\"2027-01-01\"" },
        { "/last_day", "\"effect\":\"closed\",\"first_day\":\"2027-01-01\",\"last_day\":"
                       "\"2029-01-01\"" },
        { "/staff_id", "\"effect\":\"closed\",\"first_day\":\"2027-01-01\",\"staff_id\":"
                       "\"01900000-0000-7000-8000-000000000000\"" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        expect_blamed(api_post(&s.owner, EXCEPTIONS, "{%s}", bad[i][1]), bad[i][0], bad[i][1]);
    }
    r = api_post(&s.owner, EXCEPTIONS,
                 "{\"staff_id\":\"%s\",\"effect\":\"closed\",\"first_day\":\"2027-01-01\","
                 "\"last_day\":\"2028-12-31\"}",
                 s.staff);
    cr_expect_eq(r->status, 201, "730 days later: %s", r->http.body);
    char *list = api_text(EXCEPTIONS "?staff_id=%s", s.staff);
    cr_expect_eq(answer_count(api_get(&s.owner, "%s", list), "data"), 2);
    cr_expect_eq(answer_count(api_get(&s.owner, "%s&to=2027-06-01", list), "data"), 1);
    cr_expect_eq(answer_count(api_get(&s.owner, "%s&from=2029-01-01", list), "data"), 0);
    cr_expect_eq(api_send(&s.owner, "DELETE", path, NULL, "If-Match: \"2\"\r\n")->status, 204);
    scene_close(&s);
}

Test(availability, exceptions_have_a_limit)
{
    struct scene s = { .owner = api_login(OWNER_B) };
    const char *staff = api_new_staff(&s.owner, "Llena");
    PGconn *db = db_super();
    char *code = db_code(db, "practice-b");
    db_do(db, api_text("INSERT INTO t_%s.schedule_exception(id, staff_id, effect, first_day,"
                       " last_day) SELECT gen_random_uuid(), '%s', 'closed', d, d FROM (SELECT"
                       " current_date + 600 AS d, n FROM generate_series(1, 999 - (SELECT count(*)"
                       " FROM t_%s.schedule_exception)::int) n) x",
                       code, staff, code));
    api_new_exception(&s.owner, staff, "closed", api_day(500));
    struct answer *r = api_post(&s.owner, EXCEPTIONS,
                                "{\"effect\":\"closed\",\"first_day\":\"2027-01-01\"}");
    cr_expect_eq(r->status, 409, "%d %s", r->status, r->http.body);
    db_do(db, api_text("DELETE FROM t_%s.schedule_exception WHERE staff_id = '%s'", code, staff));
    free(code);
    PQfinish(db);
    scene_close(&s);
}

Test(availability, who_offers_a_service)
{
    struct scene s = scene_open();
    char *path = api_text("/api/v1/services/%s/staff", s.service);
    const char *other = api_new_staff(&s.owner, api_unique("Dr"));
    cr_expect_eq(answer_count(api_get(&s.owner, "%s", path), "data"), 0);
    struct answer *r = put(&s.owner, path,
                           api_text("{\"staff\":[\"%s:45\",\"%s\"]}", s.staff, other));
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_assert_eq(answer_count(r, "data"), 2);
    int first = strcmp(answer_text(r, "data.0.staff.id"), s.staff) == 0 ? 0 : 1;
    cr_expect_eq(answer_int(r, api_text("data.%d.duration_min", first)), 45);
    cr_expect_eq(answer_int(r, api_text("data.%d.duration_min", 1 - first)), 30);
    const char *const bad[] = {
        "{\"staff\":[\"x\"]}",
        "{}",
        api_text("{\"staff\":[\"%s:0\"]}", other),
        api_text("{\"staff\":[\"%s:1441\"]}", other),
        api_text("{\"staff\":[\"%s:\"]}", other),
        api_text("{\"staff\":[\"%s:4:5\"]}", other),
        api_text("{\"staff\":[\"%s\",\"%s:5\"]}", other, other),
        api_text("{\"staff\":[\"%s\",\"01900000-0000-7000-8000-000000000000\"]}", other),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        expect_blamed(put(&s.owner, path, bad[i]), "/staff", bad[i]);
    }
    cr_expect_eq(put(&s.owner, "/api/v1/services/01900000-0000-7000-8000-000000000000/staff",
                     "{\"staff\":[]}")
                     ->status,
                 404);
    r = slots(&s, guest_monday(10), "");
    cr_expect_eq(answer_count(r, "staff"), 1);
    cr_expect_eq(answer_int(r, "staff.0.duration_min"), 45);
    cr_expect_eq(answer_count(r, "days.0.starts"), 34, "9:00 to 17:15: %s", r->http.body);
    r = api_get(&s.owner, SLOTS "?service_id=%s&duration_min=60", s.service);
    cr_expect_eq(answer_count(r, "staff"), 2);
    cr_expect_eq(answer_int(r, "staff.0.duration_min"), 60, "as asked");
    cr_expect_eq(answer_count(put(&s.owner, path, "{\"staff\":[]}"), "data"), 0);
    r = api_get(&s.owner, SLOTS "?service_id=%s", s.service);
    cr_expect_gt(answer_count(r, "staff"), 2, "whoever takes appointments");
    scene_close(&s);
}

Test(availability, fifty_people_are_looked_at)
{
    struct scene s = { .owner = api_login(OWNER_B) };
    s.service = api_new_service(&s.owner, "Consulta", 30);
    PGconn *db = db_super();
    char *code = db_code(db, "practice-b");
    db_do(db, api_text("SET search_path = t_%s", code));
    db_do(db, "INSERT INTO resource(id, kind) SELECT gen_random_uuid(), 'staff' FROM"
              " generate_series(1, 60)");
    db_do(db, "INSERT INTO staff(id, role, name) SELECT id, 'professional', 'Muchas' FROM resource"
              " r WHERE NOT EXISTS (SELECT FROM staff s WHERE s.id = r.id)");
    struct answer *r = api_get(&s.owner, SLOTS "?service_id=%s", s.service);
    cr_expect_eq(answer_count(r, "staff"), 50, "%d %s", r->status, r->http.body);
    db_do(db, "UPDATE staff SET bookable = false WHERE name = 'Muchas'");
    free(code);
    PQfinish(db);
    scene_close(&s);
}

Test(availability, a_service_has_a_grid)
{
    struct scene s = scene_open();
    char *path = api_text("/api/v1/services/%s", s.service);
    struct answer *r = api_get(&s.owner, "%s", path);
    cr_expect_null(answer_text(r, "grid_min"));
    cr_expect_eq(answer_int(r, "grid_offset_min"), 0);
    cr_expect_eq(starts(&s, guest_monday(10)), 35, "quarter hours from 9:00 to 17:30");
    r = api_patch(&s.owner, path, 1, "{\"grid_min\":60,\"grid_offset_min\":80}");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    r = slots(&s, guest_monday(10), "");
    cr_expect_eq(answer_count(r, "days.0.starts"), 9, "9:20 to 17:20: %s", r->http.body);
    cr_expect(offers(r, api_text("%sT09:20:00-06:00", guest_monday(10))), "%s", r->http.body);
    static const char *const bad[][2] = { { "/grid_min", "{\"grid_min\":4}" },
                                          { "/grid_min", "{\"grid_min\":1441}" },
                                          { "/grid_offset_min", "{\"grid_offset_min\":-1}" },
                                          { "/grid_offset_min", "{\"grid_offset_min\":1440}" },
                                          { "/grid_offset_min", "{\"grid_offset_min\":null}" } };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        expect_blamed(api_patch(&s.owner, path, 2, "%s", bad[i][1]), bad[i][0], bad[i][1]);
    }
    cr_expect_eq(api_patch(&s.owner, path, 2, "{\"grid_min\":null}")->status, 200);
    scene_close(&s);
}

/* ---- slots ---- */

Test(availability, what_slots_refuse)
{
    struct scene s = scene_open();
    const char *const bad[][2] = {
        { "service_id", "?from=2027-01-01" },
        { "service_id", "?service_id=01900000-0000-7000-8000-000000000000" },
        { "staff_id", api_text("?service_id=%s&staff_id=%s", s.service, s.client) },
        { "ignore", api_text("?service_id=%s&ignore=%s", s.service, s.client) },
        { "duration_min", api_text("?service_id=%s&duration_min=0", s.service) },
        { "duration_min", api_text("?service_id=%s&duration_min=1441", s.service) },
        { "from", api_text("?service_id=%s&to=2027-01-01", s.service) },
        { "from", api_text("?service_id=%s&from=0001-01-01", s.service) },
        { "to", api_text("?service_id=%s&from=2027-01-02&to=2027-01-01", s.service) },
        { "to", api_text("?service_id=%s&from=2027-01-01&to=2027-03-04", s.service) },
        { "to", api_text("?service_id=%s&from=2027-01-01&to=9999-12-31", s.service) },
        { "explain", api_text("?service_id=%s&explain=yes", s.service) },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        expect_blamed(api_get(&s.owner, SLOTS "%s", bad[i][1]), bad[i][0], bad[i][1]);
    }
    struct answer *r = api_get(&s.owner, SLOTS "?service_id=%s&from=2027-01-01&to=2027-03-03",
                               s.service);
    cr_expect_eq(r->status, 200, "62 days: %s", r->http.body);
    cr_expect_eq(answer_count(api_get(&s.owner, SLOTS "?service_id=%s", s.service), "days"), 7);
    scene_close(&s);
}

/* Every reason once, alone and in company. */
Test(availability, why_not)
{
    struct scene s = scene_open();
    const char *day = guest_monday(14);
    api_new_schedule(&s.owner, s.staff,
                     "\"monday 08:00-18:00\",\"monday 12:00-13:00 break\",\"tuesday 08:00-09:00\"");
    cr_assert_eq(api_post(&s.owner, EXCEPTIONS,
                          "{\"staff_id\":\"%s\",\"effect\":\"closed\",\"first_day\":\"%s\","
                          "\"hours\":[\"16:00-20:00\"],\"reason\":\"Secreto\"}",
                          s.staff, day)
                     ->status,
                 201);
    int version = (int)answer_int(api_get(&s.owner, "/api/v1/services/%s", s.service), "version");
    cr_assert_eq(api_patch(&s.owner, api_text("/api/v1/services/%s", s.service), version,
                           "{\"grid_min\":60,\"buffer_after_min\":30,\"duration_min\":60}")
                     ->status,
                 200);
    cr_assert_eq(
        api_book(&s.owner, s.client, s.service, s.staff, api_text("%sT10:00", day))->status, 201);
    struct answer *r = slots(&s, day, "&explain=true");
    static const struct {
        int first, last;
        const char *why, *alone;
    } want[] = {
        { 0, 7, "[ \"closed\" ]", "true" },
        { 9, 9, "[ \"buffer\" ]", "true" },
        { 10, 10, "[ \"busy\" ]", "true" },
        { 11, 11, "[ \"buffer\" ]", "true" },
        { 12, 12, "[ \"break\" ]", "true" },
        { 16, 17, "[ \"exception\" ]", "true" },
        { 18, 19, "[ \"closed\", \"exception\" ]", "false" },
        { 20, 23, "[ \"closed\" ]", "true" },
    };
    cr_expect_eq(answer_count(r, "days.0.starts"), 4, "8, 13, 14 and 15: %s", r->http.body);
    cr_assert_eq(answer_count(r, "days.0.closed"), (int)ARRAY_LEN(want), "%s", r->http.body);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        char *at = api_text("days.0.closed.%zu", i);
        cr_expect_str_eq(answer_text(r, api_text("%s.first", at)),
                         api_text("%sT%02d:00:00-06:00", day, want[i].first));
        cr_expect_str_eq(answer_text(r, api_text("%s.last", at)),
                         api_text("%sT%02d:00:00-06:00", day, want[i].last));
        cr_expect_str_eq(answer_text(r, api_text("%s.why", at)), want[i].why);
        cr_expect_str_eq(answer_text(r, api_text("%s.alone", at)), want[i].alone);
    }
    cr_expect_null(strstr(r->http.body, "Secreto"));
    cr_expect_null(strstr(r->http.body, s.client));
    cr_expect_str_eq(answer_text(r, "next.at"), api_text("%sT08:00:00-06:00", day));
    r = slots(&s, guest_day(14, 2), "&explain=true");
    cr_expect_str_eq(answer_text(r, "next.at"), api_text("%sT08:00:00-06:00", guest_day(14, 7)),
                     "no Wednesday: %s", r->http.body);
    r = slots(&s, api_day(-1), "&explain=true");
    cr_expect(strstr(r->http.body, "\"notice\"") != NULL);
    r = slots(&s, guest_monday(200), "&explain=true");
    cr_expect(strstr(r->http.body, "\"horizon\"") != NULL);
    cr_expect_str_eq(answer_text(r, "next_day") ? "" : "null", "null");
    cr_expect_null(answer_text(r, "next"), "beyond the horizon");
    r = api_book(&s.owner, s.client, s.service, s.staff, api_text("%sT19:30", day));
    cr_expect_str_eq(answer_code(r), "outside_hours");
    cr_expect_str_eq(answer_text(r, "why.0"), "closed", "the same reason: %s", r->http.body);
    scene_close(&s);
}

/* Closed wins over everything, special over the week, one's own special over everybody's. */
Test(availability, what_wins)
{
    struct scene s = { .owner = api_login(OWNER_B) };
    s.service = api_new_service(&s.owner, "Consulta", 30);
    s.staff = api_new_staff(&s.owner, "Una");
    const char *day = guest_monday(21);
    api_new_schedule(&s.owner, s.staff, "\"monday 09:00-10:00\"");
    cr_expect_eq(starts(&s, day), 3);
    const char *all = api_new_exception(&s.owner, NULL, "special", day);
    cr_expect_eq(starts(&s, day), 7, "10 to 12 for everybody");
    api_new_exception(&s.owner, s.staff, "special", day);
    cr_expect_eq(starts(&s, day), 7, "the same, her own");
    cr_assert_eq(
        api_patch(&s.owner, api_text(EXCEPTIONS "/%s", all), 1, "{\"hours\":[\"00:00-24:00\"]}")
            ->status,
        200);
    cr_expect_eq(starts(&s, day), 7, "hers counts");
    cr_assert_eq(api_patch(&s.owner, api_text(EXCEPTIONS "/%s", all), 2,
                           "{\"effect\":\"open\",\"hours\":[\"12:00-13:00\"]}")
                     ->status,
                 200);
    cr_expect_eq(starts(&s, day), 11, "and an hour more");
    cr_assert_eq(api_patch(&s.owner, api_text(EXCEPTIONS "/%s", all), 3,
                           "{\"effect\":\"closed\",\"hours\":[]}")
                     ->status,
                 200);
    cr_expect_eq(starts(&s, day), 0, "a holiday");
    cr_assert_eq(
        api_send(&s.owner, "DELETE", api_text(EXCEPTIONS "/%s", all), NULL, "If-Match: \"4\"\r\n")
            ->status,
        204);
    scene_close(&s);
}

Test(availability, the_schedule_that_begins_last_holds)
{
    struct scene s = scene_open();
    const char *day = guest_monday(14), *later = guest_day(14, 7);
    api_new_schedule(&s.owner, s.staff, "\"monday 09:00-10:00\"");
    cr_assert_eq(api_post(&s.owner, SCHEDULES,
                          "{\"name\":\"x\",\"staff_id\":\"%s\",\"valid_from\":\"%s\",\"spans\":"
                          "[\"monday 09:00-12:00\"]}",
                          s.staff, later)
                     ->status,
                 201);
    cr_expect_eq(starts(&s, day), 3);
    cr_expect_eq(starts(&s, later), 11);
    cr_assert_eq(api_post(&s.owner, SCHEDULES,
                          "{\"name\":\"x\",\"staff_id\":\"%s\",\"service_id\":\"%s\",\"spans\":"
                          "[\"monday 09:00-09:30\"]}",
                          s.staff, s.service)
                     ->status,
                 201);
    cr_expect_eq(starts(&s, later), 1, "one for the service comes first");
    scene_close(&s);
}

/* With quarter hours there is room for twenty days of one person; the answer says where to go on. */
Test(availability, long_answers_are_cut_between_days)
{
    struct scene s = scene_open();
    api_new_schedule(&s.owner, s.staff,
                     "\"monday 00:00-24:00\",\"tuesday 00:00-24:00\",\"wednesday 00:00-24:00\","
                     "\"thursday 00:00-24:00\",\"friday 00:00-24:00\",\"saturday 00:00-24:00\","
                     "\"sunday 00:00-24:00\"");
    char *query = api_text("?service_id=%s&staff_id=%s", s.service, s.staff);
    struct answer *r = api_get(&s.owner, SLOTS "%s&from=%s&to=%s", query, api_day(2), api_day(40));
    cr_expect_eq(answer_count(r, "days"), 21, "21 times 96 starts");
    cr_expect_str_eq(answer_text(r, "next_day"), api_day(23));
    r = api_get(&s.owner, SLOTS "%s&from=%s&to=%s", query, api_day(23), api_day(40));
    cr_expect_eq(answer_count(r, "days"), 18);
    cr_expect_null(answer_text(r, "next_day"));
    r = api_get(&s.owner, "/api/v1/availability/days%s&from=%s&to=%s", query, api_day(2),
                api_day(40));
    cr_expect_eq(answer_count(r, "days"), 39);
    cr_expect_eq(answer_int(r, "days.38.starts"), 96);
    scene_close(&s);
}

Test(availability, the_next_one)
{
    struct scene s = scene_open();
    char *path = api_text("/api/v1/availability/next?service_id=%s&staff_id=%s", s.service,
                          s.staff);
    struct answer *r = api_get(&s.owner, "%s", path);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect(answer_text(r, "next.at") != NULL, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "next.staff.0"), s.staff);
    cr_assert_eq(api_post(&s.owner, SCHEDULES,
                          "{\"name\":\"x\",\"staff_id\":\"%s\",\"valid_to\":\"%s\"}", s.staff,
                          api_day(49))
                     ->status,
                 201);
    r = api_get(&s.owner, "%s", path);
    cr_expect_geq(strcmp(answer_text(r, "next.date"), api_day(50)), 0, "%s", r->http.body);
    api_new_schedule(&s.owner, s.staff, "");
    r = api_get(&s.owner, "%s", path);
    cr_expect_eq(r->status, 200);
    cr_expect_null(answer_text(r, "next"), "never: %s", r->http.body);
    scene_close(&s);
}

/* Days that are over or too soon are jumped over, whatever their number. */
Test(availability, the_next_one_is_far)
{
    struct scene s = { .owner = api_login(OWNER_B) };
    s.service = api_new_service(&s.owner, "Consulta", 30);
    s.staff = api_new_staff(&s.owner, "Una");
    int version = (int)answer_int(api_get(&s.owner, "/api/v1/booking-policy"), "version");
    cr_assert_eq(api_patch(&s.owner, "/api/v1/booking-policy", version,
                           "{\"notice_min\":43200,\"horizon_days\":60}")
                     ->status,
                 200);
    api_new_schedule(&s.owner, s.staff, "\"monday 09:00-10:00\"");
    struct answer *r = api_get(&s.owner, "/api/v1/availability/next?service_id=%s&staff_id=%s",
                               s.service, s.staff);
    cr_expect(answer_text(r, "next.date") && strcmp(answer_text(r, "next.date"), api_day(29)) > 0,
              "%s", r->http.body);
    struct answer *old = slots(&s, "1990-01-01", "&explain=true");
    cr_expect_str_eq(answer_text(old, "next.at"), answer_text(r, "next.at"));
    cr_expect_null(answer_text(slots(&s, "2199-12-31", "&explain=true"), "next"));
    cr_assert_eq(api_patch(&s.owner, "/api/v1/booking-policy", version + 1,
                           "{\"notice_min\":43200,\"horizon_days\":10}")
                     ->status,
                 200);
    r = api_get(&s.owner, "/api/v1/availability/next?service_id=%s", s.service);
    cr_expect_eq(r->status, 200);
    cr_expect_null(answer_text(r, "next"), "nothing is both late and early enough");
    cr_assert_eq(api_patch(&s.owner, "/api/v1/booking-policy", version + 2,
                           "{\"notice_min\":120,\"horizon_days\":60}")
                     ->status,
                 200);
    scene_close(&s);
}

/* Whoever has the fewest visits that day is named first. */
Test(availability, work_is_shared)
{
    struct scene s = scene_open();
    const char *other = api_new_staff(&s.owner, api_unique("Aa")), *day = guest_monday(14);
    put(&s.owner, api_text("/api/v1/services/%s/staff", s.service),
        api_text("{\"staff\":[\"%s\",\"%s\"]}", s.staff, other));
    char *path = api_text(SLOTS "?service_id=%s&from=%s&to=%s", s.service, day, day);
    struct answer *r = api_get(&s.owner, "%s", path);
    cr_expect_eq(answer_count(r, "days.0.starts.0.staff"), 2);
    cr_expect_str_eq(answer_text(r, "days.0.starts.0.staff.0"), other, "by name");
    const char *client = api_new_client(&s.owner, "Ana");
    const char *visit = answer_text(
        api_book(&s.owner, client, s.service, other, api_text("%sT09:00", day)), "id");
    r = api_get(&s.owner, "%s", path);
    cr_expect_eq(answer_count(r, "days.0.starts.0.staff"), 1, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "days.0.starts.4.staff.0"), s.staff, "by visits");
    cr_expect_str_eq(answer_text(r, "days.0.starts.4.staff.1"), other);
    r = api_get(&s.owner, "%s&ignore=%s", path, visit);
    cr_expect_eq(answer_count(r, "days.0.starts.0.staff"), 2, "its own time is free");
    scene_close(&s);
}

/* Who reaches their own agenda sees their own starts; a colleague is as if not there. */
Test(availability, reach)
{
    struct scene s = scene_open();
    struct member m = member_join("practice-a", "professional", NULL);
    char *path = api_text(SLOTS "?service_id=%s", s.service);
    struct answer *r = api_get(&m.api, "%s", path);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_assert_eq(answer_count(r, "staff"), 1, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "staff.0.id"), m.staff);
    expect_blamed(api_get(&m.api, "%s&staff_id=%s", path, s.staff), "staff_id", "a colleague");
    const char *visit = answer_text(
        api_book(&s.owner, s.client, s.service, s.staff, api_text("%sT09:00", guest_monday(21))),
        "id");
    expect_blamed(api_get(&m.api, "%s&ignore=%s", path, visit), "ignore", "a colleague's visit");
    cr_expect_eq(api_get(&m.api, SCHEDULES)->status, 200);
    cr_expect_eq(
        api_post(&m.api, SCHEDULES, "{\"name\":\"x\",\"staff_id\":\"%s\"}", m.staff)->status, 403);
    member_close(&m);
    scene_close(&s);
}

/* ---- guests ---- */

/* Every quarter hour of two days is tried: what is listed can be taken, what is refused is absent. */
Test(availability, a_guest_can_take_what_is_listed_and_nothing_else)
{
    struct scene s = { .owner = api_login(OWNER_B) };
    s.client = api_new_client(&s.owner, "Ana");
    s.service = api_new_service(&s.owner, "Corte", 40);
    s.staff = api_new_staff(&s.owner, "Beto");
    const char *day = guest_monday(14);
    int version = (int)answer_int(api_get(&s.owner, "/api/v1/booking-policy"), "version");
    cr_assert_eq(api_patch(&s.owner, "/api/v1/booking-policy", version,
                           "{\"max_reschedules\":100,\"horizon_days\":60}")
                     ->status,
                 200);
    api_new_schedule(&s.owner, s.staff,
                     "\"monday 07:10-15:00\",\"monday 09:00-09:20 break\",\"monday 22:00-01:30\","
                     "\"wednesday 09:00-12:00\"");
    api_post(&s.owner, EXCEPTIONS,
             "{\"staff_id\":\"%s\",\"effect\":\"closed\",\"first_day\":\"%s\",\"hours\":"
             "[\"13:00-13:30\"]}",
             s.staff, day);
    cr_assert_eq(api_book(&s.owner, api_new_client(&s.owner, "Eva"), s.service, s.staff,
                          api_text("%sT11:00", day))
                     ->status,
                 201);
    cr_assert_eq(api_patch(&s.owner, api_text("/api/v1/services/%s", s.service), 1,
                           "{\"grid_min\":30,\"grid_offset_min\":15}")
                     ->status,
                 200);
    struct answer *made = api_book(&s.owner, s.client, s.service, s.staff,
                                   api_text("%sT10:00", guest_day(14, 2)));
    cr_assert_eq(made->status, 201, "%s", made->http.body);
    char *path = api_text("/api/v1/guest/appointments/%s", answer_text(made, "id"));
    struct api guest = guest_of(&s.owner, api_text("clients/%s", s.client), "");
    char *list = api_text("%s/slots?from=%s&to=%s", path, day, guest_day(14, 1));
    struct answer *listed = api_get(&guest, "%s", list);
    int taken = 0;
    for (int i = 0; i < 192; i++) {
        char *at = api_text("%sT%02d:%02d:00-06:00", i < 96 ? day : guest_day(14, 1), i % 96 / 4,
                            i % 4 * 15);
        struct answer *r = api_post(&guest, api_text("%s/reschedule", path),
                                    "{\"starts_at\":\"%s\"}", at);
        cr_expect_eq(r->status == 200, offers(listed, at), "%s: %d %s", at, r->status,
                     listed->http.body);
        if (r->status == 200) { /* from here on other times are free */
            listed = api_get(&guest, "%s", list);
            taken++;
        }
    }
    printf("guest: 192 quarter hours tried, %d taken, all of them listed\n", taken);
    cr_expect_geq(taken, 8);
    api_close(&guest);
    scene_close(&s);
}
