/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Visits of several clients at once: who comes to the same service of the same person at the same time shares it while seats last, and each has a visit of
 * their own that is cancelled, moved and reopened by itself. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/stack.h"

#define SLOTS "/api/v1/availability/slots"

TestSuite(groups, .timeout = 120);

struct scene {
    struct api owner;
    const char *service, *staff;
};

static const char *new_group(struct api *a, int seats)
{
    struct answer *r = api_post(a, "/api/v1/services",
                                "{\"name\":\"Yoga\",\"duration_min\":60,\"seats\":%d}", seats);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return answer_text(r, "id");
}

static struct scene scene_open(int seats)
{
    struct scene s = { .owner = api_login(OWNER_A) };
    s.service = new_group(&s.owner, seats);
    s.staff = api_new_staff(&s.owner, api_unique("Maestra"));
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

static struct answer *expect(struct answer *r, int status, const char *code)
{
    cr_assert_eq(r->status, status, "%d %s", r->status, r->http.body);
    cr_assert_str_eq(answer_code(r), code, "%s", r->http.body);
    return r;
}

static struct answer *book(struct scene *s, const char *starts_at)
{
    return api_book(&s->owner, api_new_client(&s->owner, "Ana"), s->service, s->staff, starts_at);
}

static char *path_of(const struct answer *r, const char *step)
{
    return api_text("/api/v1/appointments/%s%s", answer_text(r, "id"), step);
}

static struct answer *step(struct scene *s, const struct answer *r, const char *verb, int version)
{
    bool plain = strcmp(verb, "/no-show") == 0;
    return api_send(&s->owner, "POST", path_of(r, verb), plain ? NULL : "{\"reason\":\"x\"}",
                    api_text("If-Match: \"%d\"\r\n", version));
}

/* Seats that are said to be left at that start; 0: it is not listed. */
static int seats_left(struct scene *s, int day, const char *time)
{
    struct answer *r = api_get(&s->owner, SLOTS "?service_id=%s&staff_id=%s&from=%s&to=%s",
                               s->service, s->staff, api_day(day), api_day(day));
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    for (int i = 0; i < answer_count(r, "days.0.starts"); i++) {
        if (strstr(answer_text(r, api_text("days.0.starts.%d.at", i)), api_text("T%s", time))) {
            return (int)answer_int(r, api_text("days.0.starts.%d.seats.0", i));
        }
    }
    return 0;
}

/* Of every group: seats that are counted as taken and visits that have one; they are as many. */
static void check_counts(void)
{
    PGconn *db = db_super();
    char *code = db_code(db, "practice-a");
    db_do(db, api_text("SET search_path = t_%s", code));
    char *wrong = db_value(db,
                           "SELECT count(*) FROM allocation l WHERE l.seats IS NOT NULL AND l.taken"
                           " <> (SELECT count(*) FROM appointment a WHERE a.group_id = l.id)",
                           NULL);
    cr_expect_str_eq(wrong, "0", "groups that count wrongly");
    free(wrong);
    free(code);
    PQfinish(db);
}

Test(groups, share_their_time_until_all_seats_are_taken)
{
    struct scene s = scene_open(3);
    cr_expect_eq(seats_left(&s, 20, "10:00"), 3);
    struct answer *one = expect(book(&s, at(20, "10:00")), 201, "");
    struct answer *two = expect(book(&s, at(20, "10:00")), 201, "");
    cr_expect_str_eq(answer_text(one, "group_id"), answer_text(two, "group_id"));
    cr_expect_eq(seats_left(&s, 20, "10:00"), 1);
    cr_expect_eq(seats_left(&s, 20, "10:30"), 0, "in the middle of it");
    expect(book(&s, at(20, "10:30")), 409, "slot_taken");
    expect(book(&s, at(20, "10:00")), 201, "");
    cr_expect_eq(seats_left(&s, 20, "10:00"), 0);
    expect(book(&s, at(20, "10:00")), 409, "slot_taken");
    struct answer *r = api_get(&s.owner, "/api/v1/appointments?group_id=%s",
                               answer_text(one, "group_id"));
    cr_expect_eq(answer_count(r, "data"), 3);
    expect(step(&s, two, "/cancel", 1), 200, "");
    cr_expect_eq(seats_left(&s, 20, "10:00"), 1);
    expect(book(&s, at(20, "10:00")), 201, "");
    check_counts();
    scene_close(&s);
}

Test(groups, the_last_who_leaves_leaves_the_time)
{
    struct scene s = scene_open(2);
    struct answer *one = expect(book(&s, at(21, "10:00")), 201, "");
    struct answer *two = expect(book(&s, at(21, "10:00")), 201, "");
    expect(step(&s, one, "/cancel", 1), 200, "");
    expect(step(&s, two, "/no-show", 1), 200, "");
    cr_expect_eq(seats_left(&s, 21, "10:30"), 2, "nobody is there any more");
    expect(book(&s, at(21, "10:30")), 201, "");
    expect(step(&s, two, "/reopen", 2), 409, "slot_taken");
    check_counts();
    scene_close(&s);
}

Test(groups, whoever_comes_back_has_a_seat_if_there_is_one)
{
    struct scene s = scene_open(2);
    struct answer *one = expect(book(&s, at(22, "10:00")), 201, "");
    expect(book(&s, at(22, "10:00")), 201, "");
    expect(step(&s, one, "/no-show", 1), 200, "");
    struct answer *r = expect(step(&s, one, "/reopen", 2), 200, "");
    cr_expect_str_eq(answer_text(r, "group_id"), answer_text(one, "group_id"));
    cr_expect_eq(seats_left(&s, 22, "10:00"), 0);
    expect(step(&s, one, "/no-show", 3), 200, "");
    expect(book(&s, at(22, "10:00")), 201, "");
    expect(step(&s, one, "/reopen", 4), 409, "slot_taken");
    check_counts();
    scene_close(&s);
}

Test(groups, one_moves_and_the_others_stay)
{
    struct scene s = scene_open(2);
    struct answer *one = expect(book(&s, at(23, "10:00")), 201, "");
    struct answer *two = expect(book(&s, at(23, "10:00")), 201, "");
    expect(book(&s, at(23, "12:00")), 201, "");
    struct answer *r = api_patch(&s.owner, path_of(one, ""), 1, "{\"starts_at\":\"%s\"}",
                                 at(23, "12:00"));
    expect(r, 200, "");
    cr_expect_eq(seats_left(&s, 23, "10:00"), 1);
    cr_expect_eq(seats_left(&s, 23, "12:00"), 0);
    r = api_patch(&s.owner, path_of(two, ""), 1, "{\"starts_at\":\"%s\"}", at(23, "12:00"));
    expect(r, 409, "slot_taken"); /* full */
    r = api_patch(&s.owner, path_of(two, ""), 1, "{\"starts_at\":\"%s\"}", at(23, "10:15"));
    expect(r, 200, ""); /* over its own time, as it is alone there */
    cr_expect_eq(seats_left(&s, 23, "10:15"), 1);
    const char *alone = api_new_service(&s.owner, "Sola", 60);
    r = api_patch(&s.owner, path_of(one, ""), 2, "{\"service_id\":\"%s\",\"starts_at\":\"%s\"}",
                  alone, at(23, "16:00"));
    expect(r, 200, "");
    cr_expect_null(answer_text(r, "group_id"), "another service is no group");
    cr_expect_eq(seats_left(&s, 23, "12:00"), 1);
    r = api_patch(&s.owner, path_of(one, ""), 3, "{\"service_id\":\"%s\",\"starts_at\":\"%s\"}",
                  s.service, at(23, "12:00"));
    expect(r, 200, "");
    cr_expect_not_null(answer_text(r, "group_id"));
    cr_expect_eq(seats_left(&s, 23, "12:00"), 0);
    check_counts();
    scene_close(&s);
}

Test(groups, have_one_room_for_all)
{
    struct scene s = scene_open(2);
    const char *room = api_new_asset(&s.owner, "room", api_unique("Salon"));
    expect(api_send(&s.owner, "PUT", api_text("/api/v1/services/%s/needs/1", s.service),
                    api_text("{\"any_of\":[\"%s\"]}", room), NULL),
           200, "");
    struct answer *one = expect(book(&s, at(24, "10:00")), 201, "");
    struct answer *two = expect(book(&s, at(24, "10:00")), 201, "");
    cr_expect_str_eq(answer_text(two, "assets.0.id"), room);
    const char *first = s.staff;
    s.staff = api_new_staff(&s.owner, api_unique("Otra"));
    expect(book(&s, at(24, "10:00")), 409, "no_asset");
    expect(step(&s, one, "/cancel", 1), 200, "");
    expect(book(&s, at(24, "10:00")), 409, "no_asset");
    struct answer *r = api_patch(&s.owner, path_of(two, ""), 1, "{\"starts_at\":\"%s\"}",
                                 at(24, "10:30"));
    expect(r, 200, "");
    cr_expect_str_eq(answer_text(r, "assets.0.id"), room);
    expect(step(&s, two, "/cancel", 2), 200, "");
    expect(book(&s, at(24, "10:00")), 201, "");
    s.staff = first;
    check_counts();
    scene_close(&s);
}

Test(groups, of_another_length_or_another_service_are_in_the_way)
{
    struct scene s = scene_open(5);
    expect(book(&s, at(25, "10:00")), 201, "");
    struct answer *r = api_post(&s.owner, "/api/v1/appointments",
                                "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                                "\"starts_at\":\"%s\",\"duration_min\":30}",
                                api_new_client(&s.owner, "Eva"), s.service, s.staff,
                                at(25, "10:00"));
    expect(r, 409, "slot_taken");
    s.service = new_group(&s.owner, 5);
    cr_expect_eq(seats_left(&s, 25, "10:00"), 0);
    expect(book(&s, at(25, "10:00")), 409, "slot_taken");
    scene_close(&s);
}

Test(groups, nobody_sits_twice_and_a_group_is_not_held)
{
    struct scene s = scene_open(5);
    const char *client = api_new_client(&s.owner, "Ana");
    expect(api_book(&s.owner, client, s.service, s.staff, at(26, "10:00")), 201, "");
    expect(api_book(&s.owner, client, s.service, s.staff, at(26, "10:00")), 409, "client_conflict");
    cr_expect_eq(seats_left(&s, 26, "10:00"), 4);
    struct answer *r = api_post(&s.owner, "/api/v1/holds",
                                "{\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}",
                                s.service, s.staff, at(26, "10:00"));
    cr_expect(answer_blames(r, "/starts_at"), "%s", r->http.body);
    check_counts();
    scene_close(&s);
}

Test(groups, are_told_one_by_one_by_the_agenda)
{
    struct scene s = scene_open(3);
    struct answer *one = expect(book(&s, at(27, "10:00")), 201, "");
    expect(book(&s, at(27, "10:00")), 201, "");
    struct answer *r = api_get(&s.owner, "/api/v1/agenda?view=day&date=%s&staff_id=%s", api_day(27),
                               s.staff);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_eq(answer_count(r, "days.0.staff.0.visits"), 2, "%s", r->http.body);
    cr_expect_str_eq(answer_text(r, "days.0.staff.0.visits.1.group_id"),
                     answer_text(one, "group_id"));
    cr_expect_eq(answer_count(r, "days.0.staff.0.blocks"), 0);
    scene_close(&s);
}

/* ---- a race ---- */

enum { RACERS = 12, ROUNDS = 8, SEATS = 5 };

struct racer {
    pthread_t thread;
    const char *service, *staff, *client;
    int other;
};

/* Books, and gives every other seat back at once. */
static void *race(void *arg)
{
    struct racer *me = arg;
    struct scene s = { .owner = api_login(OWNER_A) };
    for (int i = 0; i < ROUNDS; i++) {
        struct answer *r = api_book(&s.owner, me->client, me->service, me->staff,
                                    at(31 + i / 2, "10:00"));
        me->other += r->status != 201 &&
                     (r->status != 409 || (strcmp(answer_code(r), "slot_taken") != 0 &&
                                           strcmp(answer_code(r), "client_conflict") != 0));
        if (r->status == 201 && i % 2 == 0) {
            me->other += step(&s, r, "/cancel", 1)->status != 200;
        }
    }
    scene_close(&s);
    return NULL;
}

Test(groups, no_seat_is_given_twice_however_many_come_and_go)
{
    struct scene s = scene_open(SEATS);
    struct racer all[RACERS];
    for (int i = 0; i < RACERS; i++) {
        all[i] = (struct racer){ .service = s.service,
                                 .staff = s.staff,
                                 .client = api_new_client(&s.owner, "Ana") };
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_create(&all[i].thread, NULL, race, &all[i]);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(all[i].thread, NULL);
        cr_expect_eq(all[i].other, 0);
    }
    check_counts();
    for (int day = 31; day < 31 + ROUNDS / 2; day++) {
        struct answer *r = api_get(&s.owner,
                                   "/api/v1/appointments?from=%s&to=%s&staff_id=%s&state=confirmed",
                                   api_day(day), api_day(day), s.staff);
        int n = answer_count(r, "data");
        cr_expect(n > 0 && n <= SEATS, "%d visits on %s", n, api_day(day));
        cr_expect_eq(seats_left(&s, day, "10:00"), SEATS - n);
    }
    scene_close(&s);
}
