/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A government changes its clocks after visits were booked: what that leaves behind is planted (instants by the old rules beside wall clocks that were agreed), and
 * gremioctl tz puts it right, while others book, and again after it was killed. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/stack.h"

TestSuite(tz, .timeout = 240);

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
    db_do(d.db, "UPDATE appointment SET state = 'cancelled', group_id = NULL"); /* another test's */
    db_do(d.db, "DELETE FROM allocation");
    db_do(d.db, "DELETE FROM client_busy");
    d.client = api_new_client(&d.owner, "Ana");
    d.service = api_new_service(&d.owner, "Corte", 60);
    d.staff = api_new_staff(&d.owner, "Beto");
    return d;
}

static void desk_close(struct desk *d)
{
    PQfinish(d->db);
    api_close(&d->owner);
    api_release();
}

static const char *book(struct desk *d, const char *client, const char *when)
{
    struct answer *r = api_book(&d->owner, client, d->service, d->staff, when);
    cr_assert_eq(r->status, 201, "%s %s", when, r->http.body);
    return answer_text(r, "id");
}

/* As if they had been booked when summer was an hour ahead: everything an hour earlier, but for the wall clock. */
static void plant_old_rules(struct desk *d, const char *of)
{
    static const char *const steps[] = {
        "DELETE FROM allocation USING appointment a WHERE a.id = appointment_id AND %s",
        "DELETE FROM client_busy USING appointment a WHERE a.id = appointment_id AND %s",
        "UPDATE appointment a SET starts_at = starts_at - interval '1 hour',"
        " ends_at = ends_at - interval '1 hour' WHERE %s",
        "INSERT INTO allocation(id, resource_id, busy, kind, appointment_id) SELECT "
        "gen_random_uuid(),"
        " staff_id, tstzrange(starts_at, ends_at), 'visit', id FROM appointment a WHERE %s",
        "INSERT INTO client_busy SELECT id, client_id, tstzrange(starts_at, ends_at)"
        " FROM appointment a WHERE %s",
    };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        const char *hole = strstr(steps[i], "%s");
        db_do(d->db, api_text("%.*s%s", (int)(hole - steps[i]), steps[i], of));
    }
}

static int tz(const char *verb, struct json_object **out)
{
    char *output = NULL;
    int code = stack_ctl(
        (const char *const[]){ "--json", "tz", verb, "--tenant", "practice-a", NULL }, &output);
    *out = json_tokener_parse(output);
    cr_assert(*out != NULL, "%s", output);
    free(output);
    return code;
}

static int64_t count_of(struct json_object *o, const char *name)
{
    struct json_object *v = NULL;
    cr_assert(json_object_object_get_ex(o, name, &v), "%s", json_object_to_json_string(o));
    return json_object_get_int64(v);
}

/* Every visit's time is what its wall clock says, taken once, and nobody's is over another's. */
static void expect_all_right(struct desk *d)
{
    cr_expect_eq(db_number(d->db,
                           "SELECT count(*) FROM appointment a LEFT JOIN allocation l"
                           " ON l.appointment_id = a.id LEFT JOIN client_busy c"
                           " ON c.appointment_id = a.id WHERE a.state = 'confirmed' AND"
                           " (a.starts_at <> a.local_start AT TIME ZONE a.time_zone"
                           " OR a.ends_at <> a.local_end AT TIME ZONE a.time_zone"
                           " OR l.busy IS DISTINCT FROM tstzrange(a.starts_at, a.ends_at)"
                           " OR c.busy IS DISTINCT FROM tstzrange(a.starts_at, a.ends_at))",
                           NULL),
                 0);
    cr_expect_eq(
        db_number(d->db,
                  "SELECT count(*) FROM allocation x JOIN allocation y ON x.id < y.id AND"
                  " x.resource_id = y.resource_id AND x.lane = y.lane AND x.busy && y.busy",
                  NULL),
        0);
}

/* The same with everything that they take, which moves an hour early as it is. */
static void plant_old_rules_for_all_parts(struct desk *d)
{
    static const char *const steps[] = {
        "UPDATE appointment SET starts_at = starts_at - interval '1 hour',"
        " ends_at = ends_at - interval '1 hour' WHERE staff_id = '%s'",
        "UPDATE client_busy c SET busy = tstzrange(a.starts_at, a.ends_at) FROM appointment a"
        " WHERE a.id = c.appointment_id AND a.staff_id = '%s'",
        "UPDATE allocation l SET busy = tstzrange(lower(l.busy) - interval '1 hour', upper(l.busy)"
        " - interval '1 hour'), group_span = CASE WHEN l.seats IS NOT NULL THEN tstzrange("
        "lower(l.group_span) - interval '1 hour', upper(l.group_span) - interval '1 hour') END"
        " FROM appointment a WHERE a.staff_id = '%s' AND (l.appointment_id = a.id"
        " OR l.id = a.group_id OR l.held_with = a.group_id)",
    };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        const char *hole = strstr(steps[i], "%s");
        db_do(d->db, api_text("%.*s%s%s", (int)(hole - steps[i]), steps[i], d->staff, hole + 2));
    }
}

static int64_t parts_that_fit(struct desk *d)
{
    return db_number(d->db,
                     api_text("SELECT count(*) FROM allocation l JOIN appointment a ON"
                              " l.appointment_id = a.id OR l.id = a.group_id"
                              " OR l.held_with = a.group_id WHERE a.staff_id = '%s'"
                              " AND l.lane = 1 AND l.busy = tstzrange(a.starts_at, a.ends_at)"
                              " AND (l.seats IS NULL OR l.group_span = l.busy)"
                              " AND a.starts_at = a.local_start AT TIME ZONE a.time_zone",
                              d->staff),
                     NULL);
}

Test(tz, rooms_and_groups_move_with_their_visits_or_all_stay)
{
    struct desk d = desk_open();
    const char *room = api_new_asset(&d.owner, "room", "Salon");
    struct answer *r = api_post(&d.owner, "/api/v1/services",
                                "{\"name\":\"Yoga\",\"duration_min\":60,\"seats\":3}");
    const char *service = answer_text(r, "id");
    r = api_send(&d.owner, "PUT", api_text("/api/v1/services/%s/needs/1", service),
                 api_text("{\"any_of\":[\"%s\"]}", room), NULL);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    const char *when = api_text("%sT10:00", api_day(40));
    for (int i = 0; i < 3; i++) { /* two share a time, the third is alone an hour later */
        r = api_book_anyway(&d.owner, api_new_client(&d.owner, "Ana"), service, d.staff,
                            i < 2 ? when : api_text("%sT11:00", api_day(40)));
        cr_assert_eq(r->status, 201, "%s", r->http.body);
    }
    cr_expect_eq(parts_that_fit(&d), 6);
    plant_old_rules_for_all_parts(&d);
    cr_expect_eq(parts_that_fit(&d), 0);
    struct json_object *said;
    cr_expect_eq(tz("rebase", &said), 0, "%s", json_object_to_json_string(said));
    cr_expect_eq(count_of(said, "moved"), 3);
    json_object_put(said);
    cr_expect_eq(parts_that_fit(&d), 6);
    plant_old_rules_for_all_parts(&d);
    db_do(d.db, api_text("INSERT INTO allocation(id, resource_id, busy, kind) SELECT"
                         " gen_random_uuid(), '%s', tstzrange(max(ends_at),"
                         " max(ends_at) + interval '1 hour'), 'block' FROM appointment"
                         " WHERE staff_id = '%s'",
                         room, d.staff));
    cr_expect_neq(tz("rebase", &said), 0);
    cr_expect_eq(count_of(said, "left"), 3,
                 "the third stays for the room, the group for the third");
    json_object_put(said);
    desk_close(&d);
}

Test(tz, visits_move_to_their_wall_clock)
{
    struct desk d = desk_open();
    const char *first = NULL, *last = NULL;
    for (int i = 0; i < 8; i++) { /* back to back: each moves into the next one's old time */
        const char *id = book(&d, d.client, api_text("%sT%02d:00", api_day(20), 9 + i));
        first = first ? first : id;
        last = id;
    }
    plant_old_rules(&d, api_text("a.staff_id = '%s'", d.staff));
    struct json_object *said;
    cr_expect_eq(tz("check", &said), 0);
    cr_expect_eq(count_of(said, "left"), 8);
    cr_expect_eq(count_of(said, "moved"), 0);
    json_object_put(said);
    cr_expect_eq(
        db_number(d.db,
                  "SELECT count(*) FROM appointment WHERE staff_id = $1::uuid AND version > 1",
                  d.staff, NULL),
        0, "a look changed something");
    cr_expect_eq(tz("rebase", &said), 0);
    cr_expect_eq(count_of(said, "moved"), 8);
    json_object_put(said);
    expect_all_right(&d);
    struct answer *r = api_get(&d.owner, "/api/v1/appointments/%s", first);
    cr_expect_str_eq(answer_text(r, "starts_at"), api_text("%sT09:00:00-06:00", api_day(20)));
    cr_expect_eq(answer_int(r, "version"), 2);
    r = api_get(&d.owner, "/api/v1/appointments/%s/history", last);
    cr_expect_str_eq(answer_text(r, "data.1.actor.kind"), "system");
    cr_expect_str_eq(answer_text(r, "data.1.change.reason"), "time_zone_rules");
    cr_expect_eq(tz("rebase", &said), 0);
    cr_expect_eq(count_of(said, "moved") + count_of(said, "left"), 0, "again");
    json_object_put(said);
    desk_close(&d);
}

Test(tz, who_would_meet_another_stays_and_is_named)
{
    struct desk d = desk_open();
    const char *day = api_day(30), *eva = api_new_client(&d.owner, "Eva");
    const char *moved = book(&d, d.client, api_text("%sT09:00", day));
    const char *blocked = book(&d, d.client, api_text("%sT13:00", day));
    const char *behind = book(&d, eva, api_text("%sT12:00", day));
    plant_old_rules(&d, api_text("a.id IN ('%s', '%s', '%s')", moved, blocked, behind));
    /* made after the rules changed, in the time that the second one has by its wall clock */
    const char *new = book(&d, eva, api_text("%sT13:00", day));
    struct json_object *said;
    cr_expect_eq(tz("rebase", &said), 5, "some are left");
    cr_expect_eq(count_of(said, "moved"), 1);
    cr_expect_eq(count_of(said, "left"), 2, "and who would move into the time that is kept: %s",
                 json_object_to_json_string(said));
    const char *text = json_object_to_json_string(said);
    cr_expect(strstr(text, blocked) && strstr(text, "slot_taken"), "%s", text);
    json_object_put(said);
    cr_expect_eq(answer_int(api_get(&d.owner, "/api/v1/appointments/%s", moved), "version"), 2);
    cr_expect_eq(answer_int(api_get(&d.owner, "/api/v1/appointments/%s", blocked), "version"), 1);
    cr_expect_eq(answer_int(api_get(&d.owner, "/api/v1/appointments/%s", new), "version"), 1);
    struct answer *r = api_send(&d.owner, "POST", api_text("/api/v1/appointments/%s/cancel", new),
                                NULL, "If-Match: \"1\"\r\n");
    cr_assert_eq(r->status, 200);
    cr_expect_eq(tz("rebase", &said), 0, "the way is free now");
    cr_expect_eq(count_of(said, "moved"), 2);
    json_object_put(said);
    expect_all_right(&d);
    desk_close(&d);
}

/* Midnight comes an hour late on the first day of summer there: what was agreed for its first hour is at no time. */
Test(tz, a_time_that_is_gone_is_named)
{
    struct desk d = desk_open();
    const char *id = book(&d, d.client, api_text("%sT09:00", api_day(40)));
    char *spring = db_value(
        d.db,
        "SELECT to_char(day::date + time '00:30', 'YYYY-MM-DD HH24:MI') FROM"
        " generate_series(current_date, current_date + 700, '1 day') day WHERE"
        " cardinality(ext.local_instants(day::date + time '00:30', 'America/Havana')) = 0"
        " ORDER BY day LIMIT 1",
        NULL);
    db_do(d.db, api_text("UPDATE appointment SET time_zone = 'America/Havana', local_start = '%s',"
                         " local_end = timestamp '%s' + interval '1 hour', starts_at ="
                         " timestamp '%s' AT TIME ZONE 'UTC', ends_at = timestamp '%s'"
                         " AT TIME ZONE 'UTC' + interval '1 hour' WHERE id = '%s'",
                         spring, spring, spring, spring, id));
    struct json_object *said;
    cr_expect_eq(tz("rebase", &said), 5);
    cr_expect(strstr(json_object_to_json_string(said), "nonexistent_time"));
    json_object_put(said);
    free(spring);
    db_do(d.db, api_text("UPDATE appointment SET state = 'cancelled' WHERE id = '%s'", id));
    desk_close(&d);
}

static atomic_bool going;

struct booker {
    pthread_t thread;
    struct desk *d;
    const char *client;
    int won, wrong;
};

static void *keep_booking(void *arg)
{
    struct booker *b = arg;
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", b->d->owner.token);
    for (int i = 0; atomic_load(&going); i++) {
        struct answer *r = api_book(&a, b->client, b->d->service, b->d->staff,
                                    api_text("%sT%02d:00", api_day(50 + i % 40), i % 23));
        b->won += r->status == 201;
        b->wrong += r->status != 201 && r->status != 409;
        api_release();
    }
    api_close(&a);
    return NULL;
}

/* Killed at any moment of its work and begun again, while others book into the same days. */
Test(tz, killed_and_begun_again_while_others_book)
{
    enum { BOOKERS = 4 };
    struct desk d = desk_open();
    struct booker bookers[BOOKERS];
    for (int i = 0; i < 60; i++) {
        book(&d, d.client, api_text("%sT%02d:00", api_day(50 + i % 20), 8 + i / 20 * 3));
    }
    plant_old_rules(&d, api_text("a.staff_id = '%s'", d.staff));
    atomic_store(&going, true);
    for (int i = 0; i < BOOKERS; i++) {
        bookers[i] = (struct booker){ .d = &d, .client = api_new_client(&d.owner, "Eva") };
        cr_assert(pthread_create(&bookers[i].thread, NULL, keep_booking, &bookers[i]) == 0);
    }
    char *program = api_text("%s/gremioctl", stack_env("GREMIO_BIN"));
    char *conf = api_text("%s/conf/gremioctl.conf", stack_env("GREMIO_STATE"));
    for (int i = 0; i < 12; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            freopen("/dev/null", "w", stdout);
            freopen("/dev/null", "w", stderr);
            execl(program, program, "--config", conf, "tz", "rebase", "--tenant", "practice-a",
                  NULL);
            _exit(127);
        }
        usleep((useconds_t)(i * 9000)); /* another moment each time */
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    struct json_object *said;
    tz("rebase", &said);
    json_object_put(said);
    atomic_store(&going, false);
    int won = 0;
    for (int i = 0; i < BOOKERS; i++) {
        pthread_join(bookers[i].thread, NULL);
        cr_expect_eq(bookers[i].wrong, 0);
        won += bookers[i].won;
    }
    cr_expect_gt(won, 0);
    tz("rebase", &said);
    cr_expect_eq(count_of(said, "moved"), 0, "nothing is left to do");
    cr_expect_eq(
        db_number(d.db,
                  "SELECT count(*) FROM allocation x JOIN allocation y ON x.id < y.id AND"
                  " x.resource_id = y.resource_id AND x.lane = y.lane AND x.busy && y.busy",
                  NULL),
        0);
    cr_expect_eq(
        db_number(d.db,
                  "SELECT count(*) FROM appointment a WHERE a.staff_id = $1::uuid AND (SELECT"
                  " count(*) FROM allocation l WHERE l.appointment_id = a.id AND l.busy ="
                  " tstzrange(a.starts_at, a.ends_at)) <> 1",
                  d.staff, NULL),
        0);
    printf("tz: 12 kills, %d bookings meanwhile, %lld visits in the way of others\n", won,
           (long long)count_of(said, "left"));
    json_object_put(said);
    desk_close(&d);
}
