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
#include "tests/support/stack.h"

enum {
    MINUTE = 60,
    DAY = 86400,
    DAYS = 5,   /* asked for */
    MARGIN = 4, /* days on both sides that may matter */
    MINUTES = (DAYS + 2 * MARGIN) * 1440,
    PEOPLE = 2,
    MOST = 6, /* of schedules, exceptions and visits of a world, and spans of a schedule */
    ZONES = 2,
    ROUNDS = 8,
};

enum bits {
    HORIZON = 1,
    NOTICE = 2,
    CLOSED = 4,
    EXCEPTION = 8,
    BREAK = 16,
    BUSY = 32,
    BUFFER = 64
};
static const char *const bit_names[] = { "horizon", "notice", "closed", "exception",
                                         "break",   "busy",   "buffer" };

struct moment {
    int64_t day;
    int minute;
};

struct span {
    bool is_break;
    int weekday, starts, minutes, parity; /* parity -1: every week */
};

struct schedule {
    int person, zone; /* zone 0: the practice's, as null */
    bool for_service;
    int64_t from, to; /* days; 0: open */
    struct span spans[MOST];
    size_t span_count;
};

struct exception {
    int person, effect; /* person -1: everybody; 0 closed, 1 open, 2 special */
    int64_t first, last;
    int starts, minutes; /* minutes 0: whole days */
};

struct visit {
    int person;
    int64_t from, to;
    int before, after;
};

struct world {
    const char *zones[ZONES];
    int64_t first_day;
    struct schedule schedules[MOST];
    struct exception exceptions[MOST];
    struct visit visits[MOST];
    struct span hours[MOST]; /* the opening hours */
    size_t schedule_count, exception_count, visit_count, hour_count;
    int length[PEOPLE], before, after, step, offset; /* minutes */
    int notice_min, horizon_days;
    int64_t start;                /* first minute that is looked at */
    struct moment *clocks[ZONES]; /* what they show in each minute */
    unsigned char *strip[PEOPLE]; /* bit 7 open, below them enum bits */
};

/* What the test has: a practice of its own. */
struct place {
    struct api api;
    PGconn *db;
    const char *service, *staff[PEOPLE], *client;
};

static unsigned seed = 20261101;

static int64_t pick(int64_t below)
{
    return rand_r(&seed) % below;
}

/* ---- clocks ---- */

static void use_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static struct moment moment_at(int64_t at)
{
    time_t now = (time_t)at;
    struct tm t;
    localtime_r(&now, &t);
    struct tm day = { .tm_year = t.tm_year, .tm_mon = t.tm_mon, .tm_mday = t.tm_mday };
    return (struct moment){ timegm(&day) / DAY, t.tm_hour * 60 + t.tm_min };
}

static struct tm date(int64_t day)
{
    time_t at = (time_t)(day * DAY);
    struct tm t;
    gmtime_r(&at, &t);
    return t;
}

static const char *date_text(int64_t day)
{
    char text[16];
    struct tm t = date(day);
    strftime(text, sizeof text, "%Y-%m-%d", &t);
    return api_text("%s", text);
}

static int iso_week(int64_t day)
{
    char text[8];
    struct tm t = date(day);
    strftime(text, sizeof text, "%V", &t);
    return atoi(text);
}

static int weekday(int64_t day)
{
    return (int)((day + 3) % 7) + 1;
}

/* The next day on which the zone's clocks change, or one that is picked. */
static int64_t day_of_change(const char *zone, int n)
{
    use_zone(zone);
    int64_t now = time(NULL);
    for (int64_t at = now + 2 * DAY; at < now + 600 * DAY; at += DAY) {
        time_t one = (time_t)at, next = (time_t)(at + DAY);
        struct tm a, b;
        localtime_r(&one, &a);
        localtime_r(&next, &b);
        if (a.tm_gmtoff != b.tm_gmtoff && n-- == 0) {
            return moment_at(at + DAY).day;
        }
    }
    return now / DAY + 3 + pick(300);
}

/* ---- worlds ---- */

static struct span make_span(bool may_break)
{
    return (struct span){
        .is_break = may_break && pick(4) == 0,
        .weekday = (int)pick(7) + 1,
        .starts = (int)pick(pick(2) ? 1440 : 300),
        .minutes = pick(5) ? 1 + (int)pick(700) : 1440,
        .parity = may_break && pick(4) == 0 ? (int)pick(2) : -1,
    };
}

static void make_schedule(struct world *w)
{
    struct schedule *s = &w->schedules[w->schedule_count++];
    *s = (struct schedule){ .person = (int)pick(PEOPLE), .zone = pick(3) == 0 };
    s->for_service = pick(4) == 0;
    s->from = pick(2) ? w->first_day + pick(DAYS + 4) - 3 : 0;
    s->to = pick(3) == 0 ? (s->from ? s->from : w->first_day) + pick(DAYS) : 0;
    while (s->span_count < MOST) {
        s->spans[s->span_count++] = make_span(true);
    }
}

static void make_exception(struct world *w)
{
    struct exception *e = &w->exceptions[w->exception_count++];
    *e = (struct exception){ .person = (int)pick(PEOPLE + 1) - 1, .effect = (int)pick(3) };
    e->first = w->first_day + pick(DAYS + 2) - 1;
    e->last = e->first + pick(2);
    if (e->effect != 0 || pick(2)) {
        e->starts = (int)pick(1440);
        e->minutes = 1 + (int)pick(600);
    }
}

/* Visits of one person that do not overlap, buffers and all. */
static void make_visits(struct world *w)
{
    int64_t at = w->first_day * DAY;
    for (w->visit_count = 0; w->visit_count < MOST; w->visit_count++) {
        struct visit *v = &w->visits[w->visit_count];
        at += (60 + pick(500)) * MINUTE;
        *v = (struct visit){ (int)pick(PEOPLE), at, at + (5 + pick(120)) * MINUTE, (int)pick(3) * 5,
                             (int)pick(3) * 10 };
        at = v->to + (v->after + 10) * MINUTE;
    }
}

static void make_world(struct world *w, const char *zone, int round)
{
    static const int steps[] = { 5, 10, 15, 20, 30, 45, 60, 50 };
    *w = (struct world){ .zones = { zone, round % 2 ? "America/Tijuana" : "Asia/Kolkata" } };
    w->first_day = day_of_change(zone, round / 2 % 3) - pick(DAYS);
    for (size_t n = (size_t)pick(MOST); w->schedule_count < n;) {
        make_schedule(w);
    }
    for (size_t n = (size_t)pick(MOST); w->exception_count < n;) {
        make_exception(w);
    }
    make_visits(w);
    while (w->hour_count < MOST) { /* a start of a weekday once */
        w->hours[w->hour_count] = make_span(false);
        w->hours[w->hour_count].weekday = (int)w->hour_count + 1;
        w->hour_count++;
    }
    w->step = steps[pick((int64_t)ARRAY_LEN(steps))];
    w->offset = pick(2) ? (int)pick(80) : 0;
    w->before = (int)pick(3) * 5;
    w->after = (int)pick(3) * 5;
    w->length[0] = 10 + (int)pick(90);
    w->length[1] = pick(2) ? w->length[0] : 10 + (int)pick(300);
    int64_t ahead = w->first_day - time(NULL) / DAY;
    bool soon = pick(3) == 0 && ahead > 0 && ahead < 25;
    w->notice_min = soon ? (int)(ahead * 1440 + pick(DAYS * 1440)) : 60;
    w->horizon_days = pick(3) == 0 && ahead > 0 ? (int)(ahead + pick(DAYS)) : 730;
}

/* ---- the oracle ---- */

static const struct schedule *chosen(const struct world *w, int person, int64_t day)
{
    const struct schedule *best = NULL;
    for (size_t i = 0; i < w->schedule_count; i++) {
        const struct schedule *s = &w->schedules[i];
        if (s->person != person || (s->from && day < s->from) || (s->to && day > s->to)) {
            continue;
        }
        bool better = !best || s->for_service > best->for_service ||
                      (s->for_service == best->for_service && s->from >= best->from);
        best = better ? s : best;
    }
    return best;
}

/* The exceptions of that kind that are about the person on the day. */
static const struct exception *next_exception(const struct world *w, int person, int64_t day,
                                              size_t *i)
{
    while (*i < w->exception_count) {
        const struct exception *e = &w->exceptions[(*i)++];
        if ((e->person < 0 || e->person == person) && day >= e->first && day <= e->last) {
            return e;
        }
    }
    return NULL;
}

static bool is_special(const struct world *w, int person, int64_t day, bool own)
{
    size_t i = 0;
    for (const struct exception *e; (e = next_exception(w, person, day, &i));) {
        if (e->effect == 2 && (!own || e->person == person)) {
            return true;
        }
    }
    return false;
}

/* minute: of the day, beyond 1440 on the next. */
static bool covers(int starts, int minutes, int minute)
{
    return minute >= starts && minute < starts + minutes;
}

static unsigned of_week(const struct world *w, int person, int zone, int64_t day, int minute)
{
    const struct schedule *s = chosen(w, person, day);
    const struct span *spans = s ? s->spans : w->hours;
    size_t n = s ? s->span_count : w->hour_count;
    unsigned bits = 0;
    if ((s ? s->zone : 0) != zone || is_special(w, person, day, false)) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        bool this_week = spans[i].parity < 0 || spans[i].parity == iso_week(day) % 2;
        if (this_week && spans[i].weekday == weekday(day) &&
            covers(spans[i].starts, spans[i].minutes, minute)) {
            bits |= spans[i].is_break ? BREAK : 0x80;
        }
    }
    return bits;
}

static unsigned of_exceptions(const struct world *w, int person, int64_t day, int minute)
{
    unsigned bits = 0;
    size_t i = 0;
    for (const struct exception *e; (e = next_exception(w, person, day, &i));) {
        if (!covers(e->starts, e->minutes ? e->minutes : 1440, minute)) {
            continue;
        }
        bool beaten = e->effect == 2 && e->person < 0 && is_special(w, person, day, true);
        bits |= e->effect == 0 ? EXCEPTION : beaten ? 0 : 0x80;
    }
    return bits;
}

static unsigned paint_minute(const struct world *w, int person, int64_t at)
{
    unsigned bits = 0;
    for (int back = 0; back <= 1; back++) { /* spans of the day, and of the day before */
        for (int zone = 0; zone < ZONES; zone++) {
            struct moment m = w->clocks[zone][at];
            bits |= of_week(w, person, zone, m.day - back, m.minute + back * 1440);
        }
        struct moment m = w->clocks[0][at];
        bits |= of_exceptions(w, person, m.day - back, m.minute + back * 1440);
    }
    for (size_t i = 0; i < w->visit_count; i++) {
        const struct visit *v = &w->visits[i];
        int64_t now = w->start + at * MINUTE;
        bool near = now >= v->from - v->before * MINUTE && now < v->to + v->after * MINUTE;
        bits |= v->person == person && near ? BUFFER : 0;
        bits |= v->person == person && now >= v->from && now < v->to ? BUSY : 0;
    }
    return bits;
}

static void paint(struct world *w)
{
    w->start = (w->first_day - MARGIN) * DAY;
    for (int z = 0; z < ZONES; z++) {
        w->clocks[z] = calloc(MINUTES, sizeof(struct moment));
        use_zone(w->zones[z]);
        for (int64_t i = 0; i < MINUTES; i++) {
            w->clocks[z][i] = moment_at(w->start + i * MINUTE);
        }
    }
    for (int p = 0; p < PEOPLE; p++) {
        w->strip[p] = calloc(MINUTES, 1);
        for (int64_t i = 0; i < MINUTES; i++) {
            w->strip[p][i] = (unsigned char)paint_minute(w, p, i);
        }
    }
}

static void wipe(struct world *w)
{
    for (int i = 0; i < ZONES; i++) {
        free(w->clocks[i]);
    }
    for (int i = 0; i < PEOPLE; i++) {
        free(w->strip[i]);
    }
}

static bool on_grid(const struct world *w, int64_t at)
{
    int minute = w->clocks[0][at].minute, offset = w->offset % w->step;
    return minute >= offset && (minute - offset) % w->step == 0;
}

static unsigned look(const struct world *w, int person, int64_t at, int64_t now)
{
    int64_t end = at + w->length[person], start = w->start + at * MINUTE;
    unsigned why = start < now + w->notice_min * MINUTE ? NOTICE : 0;
    why |= start > now + (int64_t)w->horizon_days * DAY ? HORIZON : 0;
    for (int64_t i = at - w->before; i < end + w->after; i++) {
        unsigned char here = w->strip[person][i];
        bool inside = i >= at && i < end;
        why |= here & BUFFER;
        why |= inside ? here & (EXCEPTION | BREAK | BUSY) : 0;
        why |= inside && !(here & 0x80) ? CLOSED : 0;
    }
    return why & BUSY ? why & ~(unsigned)BUFFER : why;
}

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
              api_text("INSERT INTO schedule(id, name, staff_id, service_id, time_zone, valid_from,"
                       " valid_to) VALUES ('%s', 'x', '%s', %s, %s, %s, %s)",
                       id_of(i), p->staff[s->person],
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
            api_text("INSERT INTO schedule_exception(id, staff_id, effect, first_day, last_day,"
                     " starts, minutes) VALUES ('%s', %s, '%s', '%s', '%s', %s, %s)",
                     id_of(i), e->person < 0 ? "NULL" : api_text("'%s'", p->staff[e->person]),
                     effects[e->effect], date_text(e->first), date_text(e->last),
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
    db_do(p->db, "DELETE FROM allocation");
    for (size_t i = 0; i < w->visit_count; i++) {
        const struct visit *v = &w->visits[i];
        db_do(p->db,
              api_text("INSERT INTO appointment(id, client_id, client_name, service_id,"
                       " service_name, staff_id, staff_name, state, starts_at, ends_at,"
                       " local_start, local_end, time_zone, buffer_before_min, buffer_after_min,"
                       " price_minor, currency) SELECT gen_random_uuid(), c.id, c.name, s.id,"
                       " s.name, t.id, t.name, 'confirmed', to_timestamp(%lld),"
                       " to_timestamp(%lld), now(), now(), 'UTC', %d, %d, 0, 'MXN' FROM client c,"
                       " service s, staff t WHERE c.id = '%s' AND s.id = '%s' AND t.id = '%s'",
                       (long long)v->from, (long long)v->to, v->before, v->after, p->client,
                       p->service, p->staff[v->person]));
    }
    db_do(p->db, "INSERT INTO allocation(id, resource_id, busy, kind, appointment_id) SELECT"
                 " gen_random_uuid(), staff_id, tstzrange(starts_at - make_interval(mins =>"
                 " buffer_before_min), ends_at + make_interval(mins => buffer_after_min)),"
                 " 'visit', id FROM appointment WHERE state = 'confirmed'");
}

static void plant(const struct place *p, const struct world *w)
{
    db_do(p->db, "DELETE FROM allocation");
    db_do(p->db, "UPDATE appointment SET state = 'completed'");
    db_do(p->db, api_text("UPDATE business SET time_zone = '%s'", w->zones[0]));
    db_do(p->db, api_text("UPDATE service SET duration_min = %d, buffer_before_min = %d,"
                          " buffer_after_min = %d, grid_min = %d, grid_offset_min = %d",
                          w->length[0], w->before, w->after, w->step, w->offset));
    db_do(p->db, "DELETE FROM service_staff");
    db_do(p->db, api_text("INSERT INTO service_staff VALUES ('%s', '%s', NULL), ('%s', '%s', %d)",
                          p->service, p->staff[0], p->service, p->staff[1], w->length[1]));
    db_do(p->db, api_text("UPDATE booking_policy SET rules = rules || '{\"notice_min\": %d,"
                          " \"horizon_days\": %d}'",
                          w->notice_min, w->horizon_days));
    plant_schedules(p, w);
    plant_exceptions(p, w);
    plant_visits(p, w);
}

/* ---- comparing ---- */

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
        for (unsigned b = 0; b < ARRAY_LEN(bit_names); b++) {
            const char *name = json_object_get_string(json_object_array_get_idx(list, i));
            why |= strcmp(name, bit_names[b]) == 0 ? 1u << b : 0;
        }
    }
    cr_expect_eq(json_object_get_boolean(member(interval, "alone")), (why & (why - 1)) == 0);
    return why;
}

/* What the answer says of each minute: 0xff nothing, 0 it is a start, else the reasons. */
static void read_day(const struct place *p, const struct world *w, struct json_object *day,
                     unsigned char *said[PEOPLE])
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
                cr_expect_eq(said[k][at], 0xff, "said twice");
                said[k][at] = (unsigned char)reasons_of(c);
            }
        }
    }
}

/* Every minute of the days: how many starts were compared. */
static size_t compare(const struct world *w, unsigned char *said[PEOPLE], int64_t now, size_t *open)
{
    size_t n = 0;
    for (int64_t at = 0; at < MINUTES; at++) {
        int64_t day = w->clocks[0][at].day, start = w->start + at * MINUTE;
        bool asked = day >= w->first_day && day < w->first_day + DAYS && on_grid(w, at);
        bool edge = llabs(start - now - w->notice_min * MINUTE) < 30 ||
                    llabs(start - now - (int64_t)w->horizon_days * DAY) < 30;
        for (int k = 0; k < PEOPLE && !edge; k++, n += asked) {
            unsigned want = asked ? look(w, k, at, now) : 0xff;
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

#define HOURS_BITS (CLOSED | EXCEPTION | BREAK) /* staff are bound by these alone */

static unsigned why_of(const struct answer *r)
{
    unsigned why = 0;
    for (int i = 0; i < answer_count(r, "why"); i++) {
        for (unsigned b = 0; b < ARRAY_LEN(bit_names); b++) {
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
    if (said & HOURS_BITS) {
        cr_expect_str_eq(answer_code(r), "outside_hours", "%s %x: %s", when, said, r->http.body);
        cr_expect_eq(why_of(r), said & HOURS_BITS, "%s %x: %s", when, said, r->http.body);
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
static size_t try_bookings(struct place *p, const struct world *w, unsigned char *said[PEOPLE],
                           int64_t now)
{
    size_t n = 0;
    for (int k = 0; k < PEOPLE; k++) {
        int64_t last_day = -1;
        bool tried[256] = { false };
        for (int64_t at = 0; at < MINUTES; at++) {
            int64_t start = w->start + at * MINUTE;
            if (w->clocks[0][at].day != last_day) {
                last_day = w->clocks[0][at].day;
                memset(tried, 0, sizeof tried);
            }
            if (said[k][at] == 0xff || tried[said[k][at]] || start < now - 360 * DAY ||
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
    static unsigned char lines[PEOPLE][MINUTES];
    unsigned char *said[PEOPLE] = { lines[0], lines[1] };
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
    seed = 7;
    check_zones("slots-two", zones, ARRAY_LEN(zones));
}
