/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Many people want the same time at the same moment: exactly one gets it, everybody else a clear 409, nobody an
 * error; and what the database holds afterwards agrees with what was answered. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"
#include "tests/support/volley.h"
#include "tests/support/wait.h"

#define CLIENTS 200
#define ROUNDS  5

struct race {
    struct api owner;
    PGconn *db;
    const char *service, *staff, *staff2;
    const char *clients[CLIENTS];
    struct shot shots[CLIENTS];
};

static struct shot new_shot(struct race *r, const char *method, const char *path, const char *body)
{
    return (struct shot){ .token = r->owner.token, .method = method, .path = path, .body = body };
}

static void make_clients(struct race *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        r->shots[i] = new_shot(r, "POST", "/api/v1/clients",
                               api_text("{\"given_name\":\"%s\"}", api_unique("Racer")));
    }
    volley_fire(r->shots, n);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(r->shots[i].status, 201, "client %zu: %d %s", i, r->shots[i].status,
                     r->shots[i].code);
        r->clients[i] = api_text("%s", r->shots[i].id);
    }
}

static struct race *race_open(size_t clients)
{
    struct race *r = calloc(1, sizeof *r);
    r->owner = api_login(OWNER_A);
    r->db = db_super();
    char *code = db_code(r->db, "practice-a");
    db_do(r->db, api_text("SET search_path = t_%s", code));
    free(code);
    r->service = api_new_service(&r->owner, api_unique("Race"), 30);
    r->staff = api_new_staff(&r->owner, api_unique("Racing"));
    r->staff2 = api_new_staff(&r->owner, api_unique("Racing"));
    make_clients(r, clients);
    return r;
}

static void race_close(struct race *r)
{
    api_close(&r->owner);
    PQfinish(r->db);
    free(r);
    api_release();
}

static const char *booking(const struct race *r, const char *client, const char *staff,
                           const char *starts_at)
{
    return api_text("{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                    "\"starts_at\":\"%s\"}",
                    client, r->service, staff, starts_at);
}

static void expect_no_errors(const struct race *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cr_expect(r->shots[i].status >= 200 && r->shots[i].status < 500, "shot %zu: %d %s", i,
                  r->shots[i].status, r->shots[i].code);
    }
}

/* Pairs of allocations of the same resource that overlap: the exclusion constraint's promise, asked another way. */
static long overlaps(const struct race *r)
{
    return db_number(r->db,
                     "SELECT count(*) FROM allocation a JOIN allocation b ON a.resource_id = "
                     "b.resource_id AND a.lane = b.lane AND a.id < b.id AND a.busy && b.busy",
                     NULL);
}

static long taken(const struct race *r, const char *staff)
{
    return db_number(r->db,
                     "SELECT count(*) FROM appointment p JOIN allocation l ON l.appointment_id = "
                     "p.id WHERE p.staff_id = $1::uuid AND l.resource_id = p.staff_id AND p.state "
                     "<> 'cancelled'",
                     staff, NULL);
}

Test(race, one_of_200_gets_the_slot, .timeout = 240)
{
    struct race *r = race_open(CLIENTS);
    for (int round = 0; round < ROUNDS; round++) {
        const char *at = api_text("%sT09:00", api_day(30 + round));
        for (size_t i = 0; i < CLIENTS; i++) {
            r->shots[i] = new_shot(r, "POST", "/api/v1/appointments",
                                   booking(r, r->clients[i], r->staff, at));
        }
        volley_fire(r->shots, CLIENTS);
        volley_print("same slot", r->shots, CLIENTS);
        expect_no_errors(r, CLIENTS);
        cr_expect_eq(volley_count(r->shots, CLIENTS, 201, NULL), 1);
        cr_expect_eq(volley_count(r->shots, CLIENTS, 409, "slot_taken"), CLIENTS - 1);
        cr_expect_eq(taken(r, r->staff), round + 1);
    }
    cr_expect_eq(overlaps(r), 0);
    race_close(r);
}

/* 30 minutes each, starting every 15: neighbours overlap, so at most every other one wins. */
Test(race, overlapping_slots_never_both_win, .timeout = 240)
{
    struct race *r = race_open(CLIENTS);
    size_t won = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < CLIENTS; i++) {
            int minutes = (int)(i % 20) * 15;
            const char *at = api_text("%sT%02d:%02d", api_day(30 + round), 9 + minutes / 60,
                                      minutes % 60);
            r->shots[i] = new_shot(r, "POST", "/api/v1/appointments",
                                   booking(r, r->clients[i], r->staff, at));
        }
        volley_fire(r->shots, CLIENTS);
        volley_print("overlapping slots", r->shots, CLIENTS);
        expect_no_errors(r, CLIENTS);
        size_t winners = volley_count(r->shots, CLIENTS, 201, NULL);
        won += winners;
        /* 20 starts, every winner blocks itself and one neighbour on each side: 7 to 10 can win. */
        cr_expect(winners >= 7 && winners <= 10, "%zu winners", winners);
        cr_expect_eq(volley_count(r->shots, CLIENTS, 409, "slot_taken"), CLIENTS - winners);
    }
    cr_expect_eq((size_t)taken(r, r->staff), won);
    cr_expect_eq(overlaps(r), 0);
    race_close(r);
}

Test(race, a_client_is_not_in_two_places, .timeout = 120)
{
    struct race *r = race_open(1);
    size_t n = 40;
    for (int round = 0; round < ROUNDS; round++) {
        const char *at = api_text("%sT09:00", api_day(30 + round));
        for (size_t i = 0; i < n; i++) {
            r->shots[i] = new_shot(r, "POST", "/api/v1/appointments",
                                   booking(r, r->clients[0], i % 2 ? r->staff : r->staff2, at));
        }
        volley_fire(r->shots, n);
        volley_print("same client, two staff", r->shots, n);
        expect_no_errors(r, n);
        cr_expect_eq(volley_count(r->shots, n, 201, NULL), 1);
        cr_expect_eq(volley_count(r->shots, n, 409, "slot_taken") +
                         volley_count(r->shots, n, 409, "client_conflict"),
                     n - 1);
    }
    cr_expect_eq(taken(r, r->staff) + taken(r, r->staff2), ROUNDS);
    race_close(r);
}

static const char *booked(struct race *r, const char *client, const char *staff, const char *at)
{
    struct answer *a = api_post(&r->owner, "/api/v1/appointments", "%s",
                                booking(r, client, staff, at));
    cr_assert_eq(a->status, 201, "booking: %d %s", a->status, answer_code(a));
    return answer_text(a, "id");
}

static void aim_move(struct race *r, size_t i, const char *id, const char *body)
{
    r->shots[i] = new_shot(r, "PATCH", api_text("/api/v1/appointments/%s", id), body);
    r->shots[i].headers = "If-Match: \"1\"\r\n";
}

Test(race, moves_to_one_slot, .timeout = 120)
{
    enum { MOVERS = 40 };
    struct race *r = race_open(MOVERS);
    for (size_t i = 0; i < MOVERS; i++) {
        const char *at = api_text("%sT%02d:00", api_day(30 + (int)i / 8), (int)(i % 8) + 9);
        aim_move(r, i, booked(r, r->clients[i], r->staff, at),
                 api_text("{\"starts_at\":\"%sT09:00\"}", api_day(50)));
    }
    volley_fire(r->shots, MOVERS);
    volley_print("moves to one slot", r->shots, MOVERS);
    expect_no_errors(r, MOVERS);
    cr_expect_eq(volley_count(r->shots, MOVERS, 200, NULL), 1);
    cr_expect_eq(volley_count(r->shots, MOVERS, 409, "slot_taken"), MOVERS - 1);
    cr_expect_eq(taken(r, r->staff), MOVERS, "a losing move lost its old slot");
    cr_expect_eq(overlaps(r), 0);
    race_close(r);
}

Test(race, one_version_is_changed_once, .timeout = 120)
{
    enum { MOVERS = 40 };
    struct race *r = race_open(1);
    const char *id = booked(r, r->clients[0], r->staff, api_text("%sT09:00", api_day(30)));
    for (size_t i = 0; i < MOVERS; i++) {
        aim_move(r, i, id, api_text("{\"starts_at\":\"%sT10:00\"}", api_day(31 + (int)i)));
    }
    volley_fire(r->shots, MOVERS);
    volley_print("moves of one version", r->shots, MOVERS);
    expect_no_errors(r, MOVERS);
    cr_expect_eq(volley_count(r->shots, MOVERS, 200, NULL), 1);
    cr_expect_eq(volley_count(r->shots, MOVERS, 412, "version_conflict"), MOVERS - 1);
    cr_expect_eq(taken(r, r->staff), 1);
    struct answer *now = api_get(&r->owner, "/api/v1/appointments/%s", id);
    cr_expect_eq(answer_int(now, "version"), 2);
    race_close(r);
}

/* Pairs change places between two people at once: locks taken in any order would deadlock here. */
Test(race, crossing_moves_do_not_deadlock, .timeout = 120)
{
    enum { MOVERS = 40 };
    struct race *r = race_open(MOVERS);
    for (size_t i = 0; i < MOVERS; i++) {
        const char *from = i % 2 ? r->staff : r->staff2, *to = i % 2 ? r->staff2 : r->staff;
        const char *at = api_text("%sT%02d:00", api_day(30 + (int)i / 16), (int)(i % 16 / 2) + 9);
        const char *id = booked(r, r->clients[i], from, at);
        aim_move(r, i, id,
                 api_text("{\"staff_id\":\"%s\",\"starts_at\":\"%sT%02d:00\"}", to,
                          api_day(40 + (int)i % 4), (int)(i % 8) + 9));
    }
    volley_fire(r->shots, MOVERS);
    volley_print("crossing moves", r->shots, MOVERS);
    expect_no_errors(r, MOVERS);
    cr_expect_eq(volley_count(r->shots, MOVERS, 200, NULL) +
                     volley_count(r->shots, MOVERS, 409, "slot_taken"),
                 MOVERS);
    cr_expect_eq(taken(r, r->staff) + taken(r, r->staff2), MOVERS);
    cr_expect_eq(overlaps(r), 0);
    race_close(r);
}

/* Client, service and staff are renamed while they are booked and moved: a row that read the old name must not keep it. */
Test(race, names_are_never_left_behind, .timeout = 240)
{
    enum { BOOKED = 10, MOVED = 10, RENAMED = 3, ALL = BOOKED + MOVED + RENAMED };
    struct race *r = race_open(1);
    const char *others[] = { api_text("/api/v1/clients/%s", r->clients[0]),
                             api_text("/api/v1/services/%s", r->service),
                             api_text("/api/v1/staff/%s", r->staff) };
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BOOKED; i++) {
            const char *at = api_text("%sT%02d:00", api_day(30 + round), i + 8);
            r->shots[i] = new_shot(r, "POST", "/api/v1/appointments",
                                   booking(r, r->clients[0], r->staff, at));
        }
        for (int i = BOOKED; i < BOOKED + MOVED; i++) {
            const char *at = api_text("%sT%02d:00", api_day(130 + round), i - 2);
            aim_move(r, (size_t)i, booked(r, r->clients[0], r->staff2, at),
                     api_text("{\"staff_id\":\"%s\",\"starts_at\":\"%sT%02d:00\"}", r->staff,
                              api_day(60 + round), i - 2));
        }
        for (int i = 0; i < RENAMED; i++) {
            struct shot *s = &r->shots[BOOKED + MOVED + i];
            const char *member = i == 0 ? "given_name" : "name";
            *s = new_shot(r, "PATCH", others[i],
                          api_text("{\"%s\":\"%s\"}", member, api_unique("Renamed")));
            s->headers = api_text("If-Match: \"%d\"\r\n", round + 1);
        }
        volley_fire(r->shots, ALL);
        volley_print("names", r->shots, ALL);
        cr_expect_eq(volley_count(r->shots, ALL, 201, NULL), BOOKED);
        cr_expect_eq(volley_count(r->shots, ALL, 200, NULL), MOVED + RENAMED);
    }
    cr_expect_eq(db_number(r->db,
                           "SELECT count(*) FROM appointment a JOIN client c ON c.id = a.client_id"
                           " JOIN service s ON s.id = a.service_id JOIN staff t ON t.id ="
                           " a.staff_id WHERE (a.client_name, a.service_name, a.staff_name) IS"
                           " DISTINCT FROM (c.name, s.name, t.name)",
                           NULL),
                 0, "an appointment shows a name that is nobody's any more");
    race_close(r);
}

Test(race, one_key_has_one_effect, .timeout = 120)
{
    enum { COPIES = 20, KEYS = 10 };
    struct race *r = race_open(1);
    for (int key = 0; key < KEYS; key++) {
        const char *at = api_text("%sT09:00", api_day(30 + key));
        const char *field = api_text("Idempotency-Key: %s\r\n",
                                     strrchr(api_unique("race"), ' ') + 1);
        for (size_t i = 0; i < COPIES; i++) {
            r->shots[i] = new_shot(r, "POST", "/api/v1/appointments",
                                   booking(r, r->clients[0], r->staff, at));
            r->shots[i].headers = field;
        }
        volley_fire(r->shots, COPIES);
        volley_print("one idempotency key", r->shots, COPIES);
        size_t good = volley_count(r->shots, COPIES, 201, NULL);
        cr_expect_geq(good, 1);
        cr_expect_eq(good + volley_count(r->shots, COPIES, 409, "idempotency_in_progress"), COPIES);
        const char *id = NULL;
        size_t first_hand = 0;
        for (size_t i = 0; i < COPIES; i++) {
            if (r->shots[i].status == 201) {
                id = id ? id : r->shots[i].id;
                cr_expect_str_eq(r->shots[i].id, id, "two effects of one key");
                first_hand += !r->shots[i].replayed;
            }
        }
        cr_expect_eq(first_hand, 1, "%zu answers claim to be the first", first_hand);
    }
    cr_expect_eq(taken(r, r->staff), KEYS);
    race_close(r);
}

/* The locks another practice would hold for the same ids. */
Test(race, a_booking_waits_for_no_other_practice)
{
    struct race *r = race_open(1);
    db_do(r->db, "BEGIN");
    db_do(r->db, api_text("SELECT pg_advisory_xact_lock(hashtextextended(x || '%s', 0))"
                          " FROM (SELECT '' AS x UNION ALL SELECT id::text FROM public.tenant"
                          " WHERE slug = 'practice-b') other",
                          r->staff));
    struct answer *a = api_book(&r->owner, r->clients[0], r->service, r->staff,
                                api_text("%sT10:00", api_day(30)));
    db_do(r->db, "COMMIT");
    cr_expect_eq(a->status, 201, "%s", a->http.body);
    race_close(r);
}

/* ---- logins against the end of a membership ---- */

struct late_login {
    pthread_t thread;
    const char *email;
    int status;
    atomic_bool done;
};

static void *log_in(void *arg)
{
    struct late_login *l = arg;
    struct api a = api_try_login(l->email, stack_password(), &l->status);
    api_close(&a);
    api_release();
    l->done = true;
    return NULL;
}

struct late_watch {
    struct late_login *login;
    PGconn *db;
};

static bool waits_or_is_done(void *arg)
{
    struct late_watch *w = arg;
    return w->login->done ||
           db_number(w->db,
                     "SELECT count(*) FROM pg_stat_activity"
                     " WHERE usename = 'gremio_auth' AND wait_event_type = 'Lock'",
                     NULL) > 0;
}

/* Somebody who works in practice a and has owner a's password. */
static void make_member(struct race *r, const char *email)
{
    db_do(r->db, api_text("INSERT INTO public.account(id, email, password_hash)"
                          " SELECT gen_random_uuid(), '%s', password_hash FROM public.account"
                          " WHERE email = '" OWNER_A "'",
                          email));
    db_do(r->db,
          api_text("INSERT INTO public.membership(account_id, tenant_id, staff_id, role)"
                   " SELECT a.id, t.id, '%s', 'receptionist' FROM public.account a, public.tenant t"
                   " WHERE a.email = '%s' AND t.slug = 'practice-a'",
                   r->staff, email));
}

Test(race, a_login_sees_the_membership_that_ends_meanwhile)
{
    struct race *r = race_open(1);
    char *role = db_role(r->db, "practice-a");
    struct late_login l = { .email = api_text("%s@example.com", r->staff) };
    struct late_watch w = { &l, db_super() };
    make_member(r, l.email);
    db_do(r->db, "BEGIN");
    db_do(r->db, api_text("SET LOCAL ROLE %s", role));
    db_do(r->db, api_text("SELECT ext.member_changed('%s', 'receptionist', false)", r->staff));
    cr_assert_eq(pthread_create(&l.thread, NULL, log_in, &l), 0);
    cr_assert(wait_until(waits_or_is_done, &w, WAIT_LONG_MS));
    db_do(r->db, "COMMIT");
    pthread_join(l.thread, NULL);
    cr_expect_eq(l.status, 403, "%d", l.status);
    cr_expect_eq(db_number(r->db,
                           "SELECT count(*) FROM public.session s JOIN public.account a"
                           " ON a.id = s.account_id WHERE a.email = $1 AND s.revoked_at IS NULL",
                           l.email, NULL),
                 0);
    PQfinish(w.db);
    free(role);
    race_close(r);
}
