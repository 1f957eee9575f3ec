/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Rooms, chairs and devices: a visit takes one of each need with it, wherever its time is taken, moved, held, given up or taken again; none is ever two
 * visits' at a time. And how much one person is booked a day and a week. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/practice.h"
#include "tests/support/stack.h"

#define SLOTS "/api/v1/availability/slots"

TestSuite(assets, .timeout = 120);

/* A service of two people's, each with time, that needs one of two chairs. */
struct scene {
    struct api owner;
    const char *service, *staff[2], *chair[2];
};

static struct answer *need(struct scene *s, const char *service, int n, const char *ids)
{
    return api_send(&s->owner, "PUT", api_text("/api/v1/services/%s/needs/%d", service, n),
                    api_text("{\"any_of\":[%s]}", ids), NULL);
}

static struct scene scene_open(void)
{
    struct scene s = { .owner = api_login(OWNER_A) };
    s.service = api_new_service(&s.owner, api_unique("Limpieza"), 30);
    for (int i = 0; i < 2; i++) {
        s.staff[i] = api_new_staff(&s.owner, api_unique("Dra"));
        s.chair[i] = api_new_asset(&s.owner, "chair", api_unique(i ? "Sillon B" : "Sillon A"));
    }
    struct answer *r = need(&s, s.service, 1, api_text("\"%s\",\"%s\"", s.chair[0], s.chair[1]));
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    return s;
}

static void scene_close(struct scene *s)
{
    api_close(&s->owner);
    api_release();
}

static const char *at(int day, const char *time)
{
    return api_text("%sT%s", api_day(day), time);
}

static struct answer *book(struct scene *s, int staff, const char *starts_at)
{
    return api_book(&s->owner, api_new_client(&s->owner, "Ana"), s->service, s->staff[staff],
                    starts_at);
}

static struct answer *expect(struct answer *r, int status, const char *code)
{
    cr_assert_eq(r->status, status, "%d %s", r->status, r->http.body);
    cr_assert_str_eq(answer_code(r), code, "%s", r->http.body);
    return r;
}

static const char *chair_of(const struct answer *r)
{
    return answer_text(r, "assets.0.id");
}

static bool is_listed(struct scene *s, int staff, int day, const char *time)
{
    struct answer *r = api_get(&s->owner, SLOTS "?service_id=%s&staff_id=%s&from=%s&to=%s",
                               s->service, s->staff[staff], api_day(day), api_day(day));
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    return strstr(r->http.body, api_text("\"at\":\"%sT%s", api_day(day), time)) != NULL;
}

static bool is_explained(struct scene *s, int staff, int day, const char *why)
{
    struct answer *r = api_get(&s->owner,
                               SLOTS "?service_id=%s&staff_id=%s&from=%s&to=%s&explain=true",
                               s->service, s->staff[staff], api_day(day), api_day(day));
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    return strstr(r->http.body, api_text("\"why\":[\"%s\"]", why)) != NULL;
}

static char *path_of(const struct answer *r, const char *step)
{
    return api_text("/api/v1/appointments/%s%s", answer_text(r, "id"), step);
}

static struct answer *step(struct scene *s, const struct answer *r, const char *verb, int version)
{
    const char *body = strcmp(verb, "/no-show") == 0 ? NULL : "{\"reason\":\"x\"}";
    return api_send(&s->owner, "POST", path_of(r, verb), body,
                    api_text("If-Match: \"%d\"\r\n", version));
}

/* ---- what there is ---- */

Test(assets, are_kept_and_refused_like_everything_else)
{
    struct scene s = scene_open();
    struct answer *r = api_get(&s.owner, "/api/v1/assets/%s", s.chair[0]);
    cr_expect_str_eq(answer_text(r, "kind"), "chair");
    const char *path = api_text("/api/v1/assets/%s", s.chair[0]);
    r = api_patch(&s.owner, path, 1, "{\"name\":\"Sillon nuevo\"}");
    cr_expect_eq(r->status, 200, "%s", r->http.body);
    cr_expect_eq(api_patch(&s.owner, path, 1, "{\"name\":\"x\"}")->status, 412);
    cr_expect_eq(
        api_post(&s.owner, "/api/v1/assets", "{\"kind\":\"staff\",\"name\":\"x\"}")->status, 422);
    r = api_get(&s.owner, "/api/v1/services/%s/needs", s.service);
    cr_expect_eq(answer_count(r, "data"), 1, "%s", r->http.body);
    cr_expect_eq(answer_count(r, "data.0.any_of"), 2);
    cr_expect_str_eq(answer_text(r, "data.0.any_of.1.name"), "Sillon nuevo");
    expect(need(&s, s.service, 6, ""), 404, "not_found");
    r = need(&s, s.service, 2, api_text("\"%s\"", s.staff[0]));
    cr_expect(answer_blames(r, "/any_of"), "staff are no assets: %s", r->http.body);
    cr_expect_eq(need(&s, s.chair[0], 1, "")->status, 404);
    scene_close(&s);
}

Test(assets, a_pool_has_at_most_64_and_a_practice_200)
{
    practice_make("practice-full", "practice-full", "full@example.com");
    struct scene s = { .owner = api_login("full@example.com") };
    const char *service = api_new_service(&s.owner, "Todo", 30);
    char *ids = api_text("\"%s\"", api_new_asset(&s.owner, "room", "Sala"));
    for (int i = 1; i < 65; i++) {
        ids = api_text("%s,\"%s\"", ids, api_new_asset(&s.owner, "room", "Sala"));
    }
    struct answer *r = need(&s, service, 1, ids);
    cr_expect(answer_blames(r, "/any_of"), "%s", r->http.body);
    cr_expect_eq(need(&s, service, 1, strchr(ids, ',') + 1)->status, 200);
    r = need(&s, service, 2, api_text("%.38s", ids));
    cr_expect(answer_blames(r, "/any_of"), "one more by another need: %s", r->http.body);
    PGconn *db = db_super();
    char *code = db_code(db, "practice-full");
    db_do(db, api_text("SET search_path = t_%s", code));
    db_do(db, "WITH r AS (INSERT INTO resource(id, kind) SELECT gen_random_uuid(), 'room'"
              " FROM generate_series(1, 134) RETURNING id) INSERT INTO asset(id, kind, name)"
              " SELECT id, 'room', 'x' FROM r");
    free(code);
    PQfinish(db);
    api_new_asset(&s.owner, "room", "La 200");
    r = api_post(&s.owner, "/api/v1/assets", "{\"kind\":\"room\",\"name\":\"x\"}");
    expect(r, 409, "limit_reached");
    scene_close(&s);
}

/* ---- visits ---- */

Test(assets, a_visit_takes_a_free_one_and_the_third_finds_none)
{
    struct scene s = scene_open();
    const char *third = api_new_staff(&s.owner, api_unique("Dra"));
    struct answer *one = expect(book(&s, 0, at(20, "10:00")), 201, "");
    struct answer *two = expect(book(&s, 1, at(20, "10:15")), 201, "");
    cr_expect_str_neq(chair_of(one), chair_of(two));
    cr_expect_str_eq(answer_text(one, "assets.0.kind"), "chair");
    s.staff[0] = third;
    cr_expect_not(is_listed(&s, 0, 20, "10:15"));
    cr_expect(is_explained(&s, 0, 20, "no_chair"));
    struct answer *r = expect(book(&s, 0, at(20, "10:15")), 409, "no_asset");
    cr_expect_str_eq(answer_text(r, "why.0"), "no_chair");
    r = api_book_anyway(&s.owner, api_new_client(&s.owner, "Eva"), s.service, third,
                        at(20, "10:15"));
    expect(r, 409, "no_asset");
    cr_expect(is_listed(&s, 0, 20, "10:45"));
    expect(step(&s, two, "/cancel", 1), 200, "");
    cr_expect(is_listed(&s, 0, 20, "10:15"));
    r = expect(book(&s, 0, at(20, "10:15")), 201, "");
    cr_expect_str_eq(chair_of(r), chair_of(two));
    scene_close(&s);
}

Test(assets, overbooking_shares_one_when_it_must)
{
    struct scene s = scene_open();
    expect(book(&s, 0, at(21, "10:00")), 201, "");
    expect(book(&s, 1, at(21, "10:00")), 201, "");
    struct answer *r = api_post(
        &s.owner, "/api/v1/appointments",
        "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\","
        "\"override\":\"Urgencia\",\"overbook\":true}",
        api_new_client(&s.owner, "Eva"), s.service, s.staff[0], at(21, "10:00"));
    expect(r, 201, "");
    cr_expect_str_eq(answer_text(r, "overbooked"), "true");
    cr_expect_eq(answer_count(r, "assets"), 1);
    scene_close(&s);
}

Test(assets, moving_gives_the_old_one_back_and_keeps_its_own_time_free)
{
    struct scene s = scene_open();
    need(&s, s.service, 1, api_text("\"%s\"", s.chair[0]));
    struct answer *one = expect(book(&s, 0, at(22, "10:00")), 201, "");
    const char *path = path_of(one, "");
    struct answer *r = api_patch(&s.owner, path, 1, "{\"starts_at\":\"%s\"}", at(22, "10:15"));
    expect(r, 200, "");
    cr_expect_str_eq(chair_of(r), s.chair[0], "over its own time");
    expect(book(&s, 1, at(22, "10:30")), 409, "no_asset");
    need(&s, s.service, 1, api_text("\"%s\"", s.chair[1]));
    r = api_patch(&s.owner, path, 2, "{\"starts_at\":\"%s\"}", at(22, "12:00"));
    expect(r, 200, "");
    cr_expect_str_eq(chair_of(r), s.chair[1]);
    r = api_get(&s.owner, "%s/history", path);
    cr_expect_str_eq(answer_text(r, "data.2.change.assets.0.0.id"), s.chair[0], "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "data.2.change.assets.1.0.id"), s.chair[1]);
    need(&s, s.service, 1, api_text("\"%s\"", s.chair[0]));
    expect(book(&s, 1, at(22, "10:30")), 201, "");
    scene_close(&s);
}

Test(assets, what_was_given_up_must_be_free_to_be_taken_again)
{
    struct scene s = scene_open();
    need(&s, s.service, 1, api_text("\"%s\"", s.chair[0]));
    struct answer *one = expect(book(&s, 0, at(23, "10:00")), 201, "");
    expect(step(&s, one, "/no-show", 1), 200, "");
    struct answer *two = expect(book(&s, 1, at(23, "10:00")), 201, "");
    expect(step(&s, one, "/reopen", 2), 409, "slot_taken");
    expect(step(&s, two, "/cancel", 1), 200, "");
    struct answer *r = expect(step(&s, one, "/reopen", 2), 200, "");
    cr_expect_str_eq(chair_of(r), s.chair[0]);
    expect(book(&s, 1, at(23, "10:00")), 409, "no_asset");
    scene_close(&s);
}

Test(assets, a_hold_keeps_them_too)
{
    struct scene s = scene_open();
    need(&s, s.service, 1, api_text("\"%s\"", s.chair[0]));
    const char *body = api_text("{\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}",
                                s.service, s.staff[0], at(24, "10:00"));
    struct answer *hold = expect(api_post(&s.owner, "/api/v1/holds", "%s", body), 201, "");
    cr_expect_not(is_listed(&s, 1, 24, "10:00"));
    expect(book(&s, 1, at(24, "10:00")), 409, "no_asset");
    const char *path = api_text("/api/v1/holds/%s", answer_text(hold, "token"));
    expect(api_send(&s.owner, "DELETE", path, NULL, NULL), 204, "");
    cr_expect(is_listed(&s, 1, 24, "10:00"));
    hold = expect(api_post(&s.owner, "/api/v1/holds", "%s", body), 201, "");
    struct answer *r = api_post(&s.owner,
                                api_text("/api/v1/holds/%s/book", answer_text(hold, "token")),
                                "{\"client_id\":\"%s\"}", api_new_client(&s.owner, "Ana"));
    expect(r, 201, "");
    cr_expect_str_eq(chair_of(r), s.chair[0]);
    expect(book(&s, 1, at(24, "10:15")), 409, "no_asset");
    scene_close(&s);
}

Test(assets, each_need_has_one_of_its_own)
{
    struct scene s = scene_open();
    const char *both = api_text("\"%s\",\"%s\"", s.chair[0], s.chair[1]);
    expect(need(&s, s.service, 1, both), 200, "");
    expect(need(&s, s.service, 2, api_text("\"%s\"", s.chair[0])), 200, "");
    struct answer *r = expect(book(&s, 0, at(25, "10:00")), 201, "");
    cr_expect_eq(answer_count(r, "assets"), 2, "%s", r->http.body);
    cr_expect_str_neq(answer_text(r, "assets.0.id"), answer_text(r, "assets.1.id"));
    expect(need(&s, s.service, 3, both), 200, "");
    cr_expect_not(is_listed(&s, 1, 25, "12:00"), "three needs, two chairs");
    cr_expect(is_explained(&s, 1, 25, "no_chair"));
    scene_close(&s);
}

Test(assets, have_weeks_and_closed_days_of_their_own)
{
    struct scene s = scene_open();
    need(&s, s.service, 1, api_text("\"%s\"", s.chair[0]));
    expect(api_post(&s.owner, "/api/v1/schedule-exceptions",
                    "{\"asset_id\":\"%s\",\"effect\":\"closed\",\"first_day\":\"%s\"}", s.chair[0],
                    api_day(26)),
           201, "");
    cr_expect_not(is_listed(&s, 0, 26, "10:00"));
    cr_expect(is_explained(&s, 0, 26, "no_chair"));
    cr_expect(is_listed(&s, 0, 27, "10:00"), "around the clock without a schedule");
    expect(book(&s, 0, at(26, "10:00")), 409, "no_asset");
    struct answer *r = api_book_anyway(&s.owner, api_new_client(&s.owner, "Eva"), s.service,
                                       s.staff[0], at(26, "10:00"));
    expect(r, 201, "");
    cr_expect_str_eq(chair_of(r), s.chair[0], "with a reason, closed or not");
    r = api_post(&s.owner, "/api/v1/schedules",
                 "{\"name\":\"Manana\",\"asset_id\":\"%s\",\"spans\":[\"monday 08:00-11:00\","
                 "\"tuesday 08:00-11:00\",\"wednesday 08:00-11:00\",\"thursday 08:00-11:00\","
                 "\"friday 08:00-11:00\",\"saturday 08:00-11:00\",\"sunday 08:00-11:00\"]}",
                 s.chair[0]);
    expect(r, 201, "");
    cr_expect_str_eq(answer_text(r, "asset_id"), s.chair[0]);
    cr_expect(is_listed(&s, 0, 27, "10:30"));
    cr_expect_not(is_listed(&s, 0, 27, "10:45"));
    r = api_get(&s.owner, "/api/v1/schedules?asset_id=%s", s.chair[0]);
    cr_expect_eq(answer_count(r, "data"), 1);
    r = api_get(&s.owner, "/api/v1/schedule-exceptions?staff_id=%s&from=%s&to=%s", s.staff[0],
                api_day(26), api_day(26));
    cr_expect_null(strstr(r->http.body, s.chair[0]), "a person's are not an asset's");
    scene_close(&s);
}

Test(assets, belong_to_a_person_or_an_asset_never_both)
{
    struct scene s = scene_open();
    struct answer *r = api_post(&s.owner, "/api/v1/schedules",
                                "{\"name\":\"x\",\"asset_id\":\"%s\",\"staff_id\":\"%s\"}",
                                s.chair[0], s.staff[0]);
    cr_expect(answer_blames(r, "/staff_id"), "%s", r->http.body);
    r = api_post(&s.owner, "/api/v1/schedules", "{\"name\":\"x\"}");
    cr_expect(answer_blames(r, "/staff_id"), "%s", r->http.body);
    r = api_post(&s.owner, "/api/v1/schedules", "{\"name\":\"x\",\"asset_id\":\"%s\"}", s.staff[0]);
    cr_expect(answer_blames(r, "/asset_id"), "%s", r->http.body);
    r = api_post(&s.owner, "/api/v1/schedule-exceptions",
                 "{\"asset_id\":\"%s\",\"staff_id\":\"%s\",\"effect\":\"closed\","
                 "\"first_day\":\"%s\"}",
                 s.chair[0], s.staff[0], api_day(30));
    cr_expect(answer_blames(r, "/asset_id"), "%s", r->http.body);
    scene_close(&s);
}

Test(assets, an_archived_one_is_given_to_nobody_and_kept_by_whoever_has_it)
{
    struct scene s = scene_open();
    need(&s, s.service, 1, api_text("\"%s\"", s.chair[0]));
    struct answer *one = expect(book(&s, 0, at(28, "10:00")), 201, "");
    const char *path = api_text("/api/v1/assets/%s", s.chair[0]);
    expect(api_patch(&s.owner, path, 1, "{\"name\":\"El azul\"}"), 200, "");
    struct answer *r = api_get(&s.owner, "%s", path_of(one, ""));
    cr_expect_str_eq(answer_text(r, "assets.0.name"), "El azul");
    expect(api_send(&s.owner, "DELETE", path, NULL, "If-Match: \"2\"\r\n"), 204, "");
    cr_expect_not(is_listed(&s, 1, 28, "12:00"));
    expect(book(&s, 1, at(28, "12:00")), 409, "no_asset");
    r = api_get(&s.owner, "%s", path_of(one, ""));
    cr_expect_str_eq(chair_of(r), s.chair[0]);
    scene_close(&s);
}

/* ---- a race ---- */

enum { RACERS = 8, ROUNDS = 6 };

struct racer {
    pthread_t thread;
    const char *service, *staff, *client;
    int won, refused, other;
};

static void *race(void *arg)
{
    struct racer *me = arg;
    struct api a = api_login(OWNER_A);
    for (int i = 0; i < ROUNDS; i++) {
        struct answer *r = api_book(&a, me->client, me->service, me->staff, at(31 + i, "10:00"));
        me->won += r->status == 201;
        me->refused += r->status == 409 && strcmp(answer_code(r), "no_asset") == 0;
        me->other += r->status != 201 && r->status != 409;
    }
    api_close(&a);
    api_release();
    return NULL;
}

Test(assets, eight_at_once_for_two_chairs_are_two_visits)
{
    struct scene s = scene_open();
    struct racer all[RACERS];
    int won = 0;
    for (int i = 0; i < RACERS; i++) {
        all[i] = (struct racer){ .service = s.service,
                                 .staff = api_new_staff(&s.owner, api_unique("Dra")),
                                 .client = api_new_client(&s.owner, "Ana") };
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_create(&all[i].thread, NULL, race, &all[i]);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(all[i].thread, NULL);
        won += all[i].won;
        cr_expect_eq(all[i].other, 0);
        cr_expect_eq(all[i].won + all[i].refused, ROUNDS);
    }
    cr_expect_eq(won, 2 * ROUNDS);
    scene_close(&s);
}

/* ---- how much ---- */

static void limit(struct api *a, const char *rules)
{
    struct answer *r = api_get(a, "/api/v1/booking-policy");
    r = api_patch(a, "/api/v1/booking-policy", (int)answer_int(r, "version"), "%s", rules);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
}

/* The first Monday that is at least so many days ahead. */
static int monday(int ahead)
{
    PGconn *db = db_super();
    char *day = db_value(db, "SELECT (8 - extract(isodow FROM $1::date)::int) % 7", api_day(ahead),
                         NULL);
    int more = atoi(day);
    free(day);
    PQfinish(db);
    return ahead + more;
}

Test(assets, a_day_and_a_week_have_limits)
{
    practice_make("practice-few", "practice-few", "few@example.com");
    practice_open_always("practice-few");
    struct scene s = { .owner = api_login("few@example.com") };
    s.service = api_new_service(&s.owner, "Consulta", 30);
    s.staff[0] = api_new_staff(&s.owner, "Dra");
    s.staff[1] = api_new_staff(&s.owner, "Dr");
    int m = monday(8);
    limit(&s.owner, "{\"day_visits\":2}");
    expect(book(&s, 0, at(m, "09:00")), 201, "");
    struct answer *two = expect(book(&s, 0, at(m, "10:00")), 201, "");
    struct answer *r = expect(book(&s, 0, at(m, "11:00")), 409, "limit_reached");
    cr_expect_str_eq(answer_text(r, "why.0"), "limit");
    cr_expect_not(is_listed(&s, 0, m, "11:00"));
    cr_expect(is_explained(&s, 0, m, "limit"));
    cr_expect(is_listed(&s, 1, m, "11:00"), "each for themselves");
    cr_expect(is_listed(&s, 0, m + 1, "11:00"));
    r = api_patch(&s.owner, path_of(two, ""), 1, "{\"starts_at\":\"%s\"}", at(m, "12:00"));
    expect(r, 200, ""); /* its own does not count */
    r = api_book_anyway(&s.owner, api_new_client(&s.owner, "Eva"), s.service, s.staff[0],
                        at(m, "15:00"));
    expect(r, 201, "");
    limit(&s.owner, "{\"day_visits\":0,\"day_minutes\":100}");
    expect(book(&s, 0, at(m, "17:00")), 409, "limit_reached");
    expect(step(&s, two, "/cancel", 2), 200, "");
    expect(book(&s, 0, at(m, "17:00")), 201, "");
    limit(&s.owner, "{\"day_minutes\":0,\"week_visits\":4}");
    expect(book(&s, 0, at(m + 6, "23:00")), 201, ""); /* Sunday is the fourth */
    expect(book(&s, 0, at(m + 3, "09:00")), 409, "limit_reached");
    cr_expect_not(is_listed(&s, 0, m + 3, "09:00"));
    cr_expect(is_listed(&s, 0, m + 7, "09:00"), "the next week");
    cr_expect(is_listed(&s, 0, m - 1, "23:30"), "and the one before");
    limit(&s.owner, "{\"week_visits\":0,\"week_minutes\":149}");
    expect(book(&s, 0, at(m + 3, "09:00")), 409, "limit_reached");
    limit(&s.owner, "{\"week_minutes\":150}");
    expect(api_post(&s.owner, "/api/v1/holds",
                    "{\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}", s.service,
                    s.staff[0], at(m + 2, "09:00")),
           201, "");
    expect(book(&s, 0, at(m + 3, "09:00")), 409, "limit_reached"); /* what is held counts */
    limit(&s.owner, "{\"week_minutes\":0,\"day_visits\":1}");
    r = api_post(&s.owner, "/api/v1/services",
                 "{\"name\":\"Yoga\",\"duration_min\":60,\"seats\":3}");
    s.service = answer_text(expect(r, 201, ""), "id");
    expect(book(&s, 1, at(m + 8, "09:00")), 201, "");
    expect(book(&s, 1, at(m + 8, "09:00")), 201, ""); /* a group is one visit */
    expect(book(&s, 1, at(m + 8, "12:00")), 409, "limit_reached");
    scene_close(&s);
}
