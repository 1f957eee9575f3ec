/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The starts that are listed, and the reasons why others are none, against an oracle that knows nothing but minutes and the C library's clocks: random
 * schedules, exceptions and visits, planted in the database, in zones whose clocks change, around the days on which they do. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/practice.h"
#include "tests/support/rules_world.h"
#include "tests/support/stack.h"

/* What the test has: a practice of its own. */
struct place {
    struct api api;
    PGconn *db;
    const char *service, *staff[PEOPLE], *room[ROOMS], *client;
};

/* ---- planting ---- */

static struct place place_open(const char *slug)
{
    const char *email = api_text("%s@example.com", slug);
    practice_make(slug, slug, email);
    struct place p = { .api = api_login(email), .db = db_super() };
    char *schema = db_code(p.db, slug);
    db_do(p.db, api_text("SET search_path = t_%s", schema));
    db_do(p.db, "SET TIME ZONE 'UTC'");
    free(schema);
    p.client = api_new_client(&p.api, "Ana");
    p.service = api_new_service(&p.api, "Consulta", 30);
    p.staff[0] = api_new_staff(&p.api, "Beto");
    p.staff[1] = api_new_staff(&p.api, "Carla");
    p.room[0] = api_new_asset(&p.api, "room", "Sala 1");
    p.room[1] = api_new_asset(&p.api, "room", "Sala 2");
    return p;
}

static void place_close(struct place *p)
{
    PQfinish(p->db);
    api_close(&p->api);
    api_release();
}

static const char *id_of(size_t n)
{
    return api_text("00000000-0000-7000-9000-%012zu", n);
}

/* Whose it is, for columns staff_id and asset_id. */
static const char *owner(const struct place *p, int who)
{
    return who < 0        ? "NULL, NULL"
           : who < PEOPLE ? api_text("'%s', NULL", p->staff[who])
                          : api_text("NULL, '%s'", p->room[who - PEOPLE]);
}

static const char *day_or_null(int64_t day)
{
    return day ? api_text("'%s'", date_text(day)) : "NULL";
}

static void plant_schedules(const struct place *p, const struct world *w)
{
    db_do(p->db, "DELETE FROM schedule");
    for (size_t i = 0; i < w->schedule_count; i++) {
        const struct schedule *s = &w->schedules[i];
        db_do(p->db,
              api_text("INSERT INTO schedule(id, name, staff_id, asset_id, service_id, time_zone,"
                       " valid_from, valid_to) VALUES ('%s', 'x', %s, %s, %s, %s, %s)",
                       id_of(i), owner(p, s->person),
                       s->for_service ? api_text("'%s'", p->service) : "NULL",
                       s->zone ? api_text("'%s'", w->zones[1]) : "NULL", day_or_null(s->from),
                       day_or_null(s->to)));
        for (size_t k = 0; k < s->span_count; k++) {
            const struct span *x = &s->spans[k];
            db_do(p->db,
                  api_text("INSERT INTO schedule_span VALUES ('%s', '%s', %d, '%02d:%02d', %d, %s)"
                           " ON CONFLICT DO NOTHING",
                           id_of(i), x->is_break ? "break" : "work", x->weekday, x->starts / 60,
                           x->starts % 60, x->minutes,
                           x->parity < 0 ? "NULL" : api_text("%d", x->parity)));
        }
    }
}

static void plant_exceptions(const struct place *p, const struct world *w)
{
    static const char *const effects[] = { "closed", "open", "special" };
    db_do(p->db, "DELETE FROM schedule_exception");
    for (size_t i = 0; i < w->exception_count; i++) {
        const struct exception *e = &w->exceptions[i];
        db_do(
            p->db,
            api_text("INSERT INTO schedule_exception(id, staff_id, asset_id, effect, first_day,"
                     " last_day, starts, minutes) VALUES ('%s', %s, '%s', '%s', '%s', %s, %s)",
                     id_of(i), owner(p, e->person), effects[e->effect], date_text(e->first),
                     date_text(e->last),
                     e->minutes ? api_text("'%02d:%02d'", e->starts / 60, e->starts % 60) : "NULL",
                     e->minutes ? api_text("%d", e->minutes) : "NULL"));
    }
    db_do(p->db, "DELETE FROM opening_hours");
    for (size_t i = 0; i < w->hour_count; i++) {
        const struct span *h = &w->hours[i];
        db_do(p->db, api_text("INSERT INTO opening_hours VALUES (%d, '%02d:%02d', %d)", h->weekday,
                              h->starts / 60, h->starts % 60, h->minutes));
    }
}

static void plant_visits(const struct place *p, const struct world *w)
{
    for (size_t i = 0; i < w->visit_count; i++) {
        const struct visit *v = &w->visits[i];
        if (v->person >= PEOPLE) {
            db_do(p->db,
                  api_text("INSERT INTO allocation(id, resource_id, busy, kind) VALUES"
                           " (gen_random_uuid(), '%s', tstzrange(to_timestamp(%lld),"
                           " to_timestamp(%lld)), 'block')",
                           p->room[v->person - PEOPLE], (long long)v->from, (long long)v->to));
            continue;
        }
        db_do(p->db,
              api_text(
                  "INSERT INTO appointment(id, client_id, client_name, service_id,"
                  " service_name, staff_id, staff_name, state, starts_at, ends_at,"
                  " local_start, local_end, time_zone, buffer_before_min, buffer_after_min,"
                  " price_minor, currency) SELECT gen_random_uuid(), c.id, c.name, s.id,"
                  " s.name, t.id, t.name, 'confirmed', to_timestamp(%lld),"
                  " to_timestamp(%lld), to_timestamp(%lld) AT TIME ZONE '%s', now(), 'UTC', %d, %d,"
                  " 0, 'MXN' FROM client c,"
                  " service s, staff t WHERE c.id = '%s' AND s.id = '%s' AND t.id = '%s'",
                  (long long)v->from, (long long)v->to, (long long)v->from, w->zones[0], v->before,
                  v->after, p->client, p->service, p->staff[v->person]));
    }
    db_do(p->db, "INSERT INTO allocation(id, resource_id, busy, kind, appointment_id) SELECT"
                 " gen_random_uuid(), staff_id, tstzrange(starts_at - make_interval(mins =>"
                 " buffer_before_min), ends_at + make_interval(mins => buffer_after_min)),"
                 " 'visit', id FROM appointment WHERE state = 'confirmed'");
}

static void plant(const struct place *p, const struct world *w)
{
    db_do(p->db, "DELETE FROM allocation");
    db_do(p->db, "UPDATE appointment SET state = 'cancelled'");
    db_do(p->db, api_text("UPDATE business SET time_zone = '%s'", w->zones[0]));
    db_do(p->db, api_text("UPDATE service SET duration_min = %d, buffer_before_min = %d,"
                          " buffer_after_min = %d, grid_min = %d, grid_offset_min = %d",
                          w->length[0], w->before, w->after, w->step, w->offset));
    db_do(p->db, "DELETE FROM service_staff");
    db_do(p->db, api_text("INSERT INTO service_staff VALUES ('%s', '%s', NULL), ('%s', '%s', %d)",
                          p->service, p->staff[0], p->service, p->staff[1], w->length[1]));
    db_do(p->db, api_text("UPDATE booking_policy SET rules = rules || '{\"notice_min\": %d,"
                          " \"horizon_days\": %d, \"day_visits\": %d, \"day_minutes\": %d,"
                          " \"week_visits\": %d, \"week_minutes\": %d}'",
                          w->notice_min, w->horizon_days, w->day_visits, w->day_minutes,
                          w->week_visits, w->week_minutes));
    db_do(p->db, "DELETE FROM service_need");
    for (int i = 0; i < ROOMS; i++) {
        if (w->pool & 1u << i) {
            db_do(p->db, api_text("INSERT INTO service_need VALUES ('%s', 1, '%s')", p->service,
                                  p->room[i]));
        }
    }
    plant_schedules(p, w);
    plant_exceptions(p, w);
    plant_visits(p, w);
}

/* ---- comparing ---- */

#define NOTHING 0xffff

static int64_t instant(const char *text)
{
    struct tm t = { 0 };
    int hours, minutes;
    char sign;
    sscanf(text, "%d-%d-%dT%d:%d:00%c%d:%d", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
           &t.tm_min, &sign, &hours, &minutes);
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    int64_t off = (hours * 60 + minutes) * MINUTE;
    return timegm(&t) - (sign == '-' ? -off : off);
}

static struct json_object *member(struct json_object *o, const char *name)
{
    struct json_object *out = NULL;
    json_object_object_get_ex(o, name, &out);
    cr_assert(out != NULL, "no %s in %s", name, json_object_to_json_string(o));
    return out;
}

static const char *text_of(struct json_object *o, const char *name)
{
    return json_object_get_string(member(o, name));
}

static unsigned reasons_of(struct json_object *interval)
{
    unsigned why = 0;
    struct json_object *list = member(interval, "why");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        for (unsigned b = 0; b < BIT_COUNT; b++) {
            const char *name = json_object_get_string(json_object_array_get_idx(list, i));
            why |= strcmp(name, bit_names[b]) == 0 ? 1u << b : 0;
        }
    }
    cr_expect_eq(json_object_get_boolean(member(interval, "alone")), (why & (why - 1)) == 0);
    return why;
}

/* What the answer says of each minute: NOTHING, 0 it is a start, else the reasons. */
static void read_day(const struct place *p, const struct world *w, struct json_object *day,
                     unsigned short *said[PEOPLE])
{
    struct json_object *starts = member(day, "starts"), *closed = member(day, "closed");
    for (size_t i = 0; i < json_object_array_length(starts); i++) {
        struct json_object *s = json_object_array_get_idx(starts, i);
        int64_t at = (instant(text_of(s, "at")) - w->start) / MINUTE;
        cr_expect(strncmp(text_of(s, "at"), text_of(day, "date"), 10) == 0, "another day's");
        for (int k = 0; k < PEOPLE; k++) {
            if (strstr(json_object_to_json_string(member(s, "staff")), p->staff[k])) {
                said[k][at] = 0;
            }
        }
    }
    for (size_t i = 0; i < json_object_array_length(closed); i++) {
        struct json_object *c = json_object_array_get_idx(closed, i);
        int k = strcmp(text_of(c, "staff_id"), p->staff[1]) == 0;
        int64_t last = (instant(text_of(c, "last")) - w->start) / MINUTE;
        for (int64_t at = (instant(text_of(c, "first")) - w->start) / MINUTE; at <= last; at++) {
            if (on_grid(w, at)) {
                cr_expect_eq(said[k][at], NOTHING, "said twice");
                said[k][at] = (unsigned short)reasons_of(c);
            }
        }
    }
}

/* Every minute of the days: how many starts were compared. */
static size_t compare(const struct world *w, unsigned short *said[PEOPLE], int64_t now,
                      size_t *open)
{
    size_t n = 0;
    for (int64_t at = 0; at < MINUTES; at++) {
        int64_t day = w->clocks[0][at].day, start = w->start + at * MINUTE;
        bool asked = day >= w->first_day && day < w->first_day + DAYS && on_grid(w, at);
        bool edge = llabs(start - now - w->notice_min * MINUTE) < 30 ||
                    llabs(start - now - (int64_t)w->horizon_days * DAY) < 30;
        for (int k = 0; k < PEOPLE && !edge; k++, n += asked) {
            unsigned want = asked ? look(w, k, at, now) : NOTHING;
            cr_expect_eq(said[k][at], want, "%s %s, person %d, minute %d (%lld): %x, not %x",
                         w->zones[0], date_text(day), k, w->clocks[0][at].minute, (long long)start,
                         said[k][at], want);
            *open += want == 0;
        }
    }
    return n;
}

/* The other answers about the same days agree with the first. */
static void compare_others(struct place *p, const struct world *w, struct answer *slots)
{
    char *query = api_text("service_id=%s&from=%s&to=%s", p->service, date_text(w->first_day),
                           date_text(w->first_day + DAYS - 1));
    struct answer *days = api_get(&p->api, "/api/v1/availability/days?%s", query);
    cr_assert_eq(days->status, 200, "%s", days->http.body);
    for (int i = 0; i < DAYS; i++) {
        cr_expect_eq(answer_int(days, api_text("days.%d.starts", i)),
                     answer_count(slots, api_text("days.%d.starts", i)));
    }
    const char *first = NULL;
    for (int i = 0; i < DAYS && !first; i++) {
        first = answer_text(slots, api_text("days.%d.starts.0.at", i));
    }
    cr_expect(!first || strcmp(answer_text(slots, "next.at"), first) == 0, "%s is next", first);
}

/* ---- booking ---- */

#define HOURS_BITS (CLOSED | EXCEPTION | BREAK)
#define STAFF_BITS (HOURS_BITS | NO_ROOM | LIMIT) /* staff are bound by these alone */

static unsigned why_of(const struct answer *r)
{
    unsigned why = 0;
    for (int i = 0; i < answer_count(r, "why"); i++) {
        for (unsigned b = 0; b < BIT_COUNT; b++) {
            why |= strcmp(answer_text(r, api_text("why.%d", i)), bit_names[b]) == 0 ? 1u << b : 0;
        }
    }
    return why;
}

static void undo(const struct place *p, const char *id)
{
    static const char *const from[] = { "appointment_event", "allocation", "client_busy" };
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        db_do(p->db, api_text("DELETE FROM %s WHERE appointment_id = '%s'", from[i], id));
    }
    db_do(p->db, api_text("DELETE FROM appointment WHERE id = '%s'", id));
}

/* What was said of a start is what a booking of it meets, for the same reasons. */
static void try_booking(struct place *p, const struct world *w, int person, int64_t at,
                        unsigned said)
{
    char when[32];
    time_t start = (time_t)(w->start + at * MINUTE);
    struct tm t;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&start, &t));
    struct answer *r = api_book(&p->api, p->client, p->service, p->staff[person], when);
    if (said & STAFF_BITS) {
        cr_expect_str_eq(answer_code(r),
                         said & HOURS_BITS ? "outside_hours"
                         : said & NO_ROOM  ? "no_asset"
                                           : "limit_reached",
                         "%s %x: %s", when, said, r->http.body);
        cr_expect_eq(why_of(r), said & STAFF_BITS, "%s %x: %s", when, said, r->http.body);
    } else if (said & (BUSY | BUFFER)) {
        cr_expect_str_eq(answer_code(r), "slot_taken", "%s %x: %s", when, said, r->http.body);
    } else {
        cr_expect_eq(r->status, 201, "%s %x: %s", when, said, r->http.body);
    }
    if (r->status == 201) {
        undo(p, answer_text(r, "id"));
    }
}

/* Some of each kind: of what is said, the first starts of a day that say it. */
static size_t try_bookings(struct place *p, const struct world *w, unsigned short *said[PEOPLE],
                           int64_t now)
{
    size_t n = 0;
    for (int k = 0; k < PEOPLE; k++) {
        int64_t last_day = -1;
        bool tried[1 << BIT_COUNT] = { false };
        for (int64_t at = 0; at < MINUTES; at++) {
            int64_t start = w->start + at * MINUTE;
            if (w->clocks[0][at].day != last_day) {
                last_day = w->clocks[0][at].day;
                memset(tried, 0, sizeof tried);
            }
            if (said[k][at] == NOTHING || tried[said[k][at]] || start < now - 360 * DAY ||
                start > now + 720 * DAY) {
                continue;
            }
            tried[said[k][at]] = true;
            try_booking(p, w, k, at, said[k][at]);
            n++;
        }
    }
    return n;
}

static size_t check_world(struct place *p, struct world *w, size_t *open, size_t *booked)
{
    static unsigned short lines[PEOPLE][MINUTES];
    unsigned short *said[PEOPLE] = { lines[0], lines[1] };
    memset(lines, 0xff, sizeof lines);
    plant(p, w);
    paint(w);
    int64_t now = time(NULL);
    struct answer *r = api_get(
        &p->api, "/api/v1/availability/slots?service_id=%s&from=%s&to=%s&explain=true", p->service,
        date_text(w->first_day), date_text(w->first_day + DAYS - 1));
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_assert_eq(answer_count(r, "days"), DAYS);
    for (size_t i = 0; i < DAYS; i++) {
        read_day(p, w, json_object_array_get_idx(member(r->json, "days"), i), said);
    }
    size_t n = compare(w, said, now, open);
    compare_others(p, w, r);
    *booked += try_bookings(p, w, said, now);
    wipe(w);
    return n;
}

static void check_zones(const char *slug, const char *const *zones, size_t count)
{
    struct place p = place_open(slug);
    size_t starts = 0, open = 0, worlds = 0, booked = 0;
    for (size_t z = 0; z < count; z++) {
        for (int round = 0; round < ROUNDS; round++, worlds++) {
            static struct world w;
            make_world(&w, zones[z], round);
            starts += check_world(&p, &w, &open, &booked);
        }
    }
    printf("slots: %zu zones, %zu worlds, %zu starts compared, %zu of them possible, %zu tried by "
           "a booking\n",
           count, worlds, starts, open, booked);
    cr_expect_gt(booked, worlds);
    cr_expect_gt(open, starts / 100);
    place_close(&p);
}

TestSuite(slots, .timeout = 240);

Test(slots, as_the_oracle_says_where_clocks_change)
{
    static const char *const zones[] = { "America/Tijuana", "Australia/Lord_Howe",
                                         "Africa/Casablanca", "America/Havana" };
    check_zones("slots-one", zones, ARRAY_LEN(zones));
}

Test(slots, as_the_oracle_says_elsewhere)
{
    static const char *const zones[] = { "America/Mexico_City", "America/Santiago", "Asia/Beirut",
                                         "Pacific/Kiritimati", "Europe/Madrid" };
    world_seed = 7;
    check_zones("slots-two", zones, ARRAY_LEN(zones));
}
