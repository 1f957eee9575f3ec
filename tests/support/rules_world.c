/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A minute is looked at by itself: which schedule holds on its day, whether a span of that or the day before covers it, what exceptions say. */
#include "tests/support/rules_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/api.h"

const char *const bit_names[BIT_COUNT] = { "horizon", "notice", "closed", "exception", "break",
                                           "busy",    "buffer", "limit",  "no_room" };

unsigned world_seed = 20261101;

static int64_t pick(int64_t below)
{
    return rand_r(&world_seed) % below;
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

const char *date_text(int64_t day)
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
    *s = (struct schedule){ .person = (int)pick(ALL), .zone = pick(3) == 0 };
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
    *e = (struct exception){ .person = (int)pick(ALL + 1) - 1, .effect = (int)pick(3) };
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
        *v = (struct visit){ (int)pick(ALL), at, at + (5 + pick(120)) * MINUTE, (int)pick(3) * 5,
                             (int)pick(3) * 10 };
        if (v->person >= PEOPLE) { /* a room is only taken */
            v->before = v->after = 0;
        }
        at = v->to + (v->after + 10) * MINUTE;
    }
}

void make_world(struct world *w, const char *zone, int round)
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
    w->pool = (unsigned)pick(1 << ROOMS);
    w->day_visits = pick(3) ? 0 : 1 + (int)pick(3);
    w->day_minutes = pick(3) ? 0 : 30 + (int)pick(300);
    w->week_visits = pick(3) ? 0 : 1 + (int)pick(4);
    w->week_minutes = pick(3) ? 0 : 60 + (int)pick(600);
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
        if (((e->person < 0 && person < PEOPLE) || e->person == person) && day >= e->first &&
            day <= e->last) {
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
    if (!s && person >= PEOPLE) { /* around the clock */
        return covers(0, 1440, minute) ? OPEN : 0;
    }
    for (size_t i = 0; i < n; i++) {
        bool this_week = spans[i].parity < 0 || spans[i].parity == iso_week(day) % 2;
        if (this_week && spans[i].weekday == weekday(day) &&
            covers(spans[i].starts, spans[i].minutes, minute)) {
            bits |= spans[i].is_break ? BREAK : OPEN;
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
        bits |= e->effect == 0 ? EXCEPTION : beaten ? 0 : OPEN;
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

void paint(struct world *w)
{
    w->start = (w->first_day - MARGIN) * DAY;
    for (int z = 0; z < ZONES; z++) {
        w->clocks[z] = calloc(MINUTES, sizeof(struct moment));
        use_zone(w->zones[z]);
        for (int64_t i = 0; i < MINUTES; i++) {
            w->clocks[z][i] = moment_at(w->start + i * MINUTE);
        }
    }
    for (int p = 0; p < ALL; p++) {
        w->strip[p] = calloc(MINUTES, sizeof(*w->strip[p]));
        for (int64_t i = 0; i < MINUTES; i++) {
            w->strip[p][i] = (unsigned short)paint_minute(w, p, i);
        }
    }
}

void wipe(struct world *w)
{
    for (int i = 0; i < ZONES; i++) {
        free(w->clocks[i]);
    }
    for (int i = 0; i < ALL; i++) {
        free(w->strip[i]);
    }
}

bool on_grid(const struct world *w, int64_t at)
{
    int minute = w->clocks[0][at].minute, offset = w->offset % w->step;
    return minute >= offset && (minute - offset) % w->step == 0;
}

/* What is against a visit of that length by itself, whoever or whatever it is of. */
static unsigned look_at(const struct world *w, int who, int64_t at, int length)
{
    int64_t end = at + length;
    unsigned why = 0;
    for (int64_t i = at - w->before; i < end + w->after; i++) {
        unsigned here = w->strip[who][i];
        bool inside = i >= at && i < end;
        why |= here & BUFFER;
        why |= inside ? here & (EXCEPTION | BREAK | BUSY) : 0;
        why |= inside && !(here & OPEN) ? CLOSED : 0;
    }
    return why & BUSY ? why & ~(unsigned)BUFFER : why;
}

static bool has_room(const struct world *w, int64_t at, int length)
{
    for (int i = 0; i < ROOMS; i++) {
        if ((w->pool & 1u << i) && look_at(w, PEOPLE + i, at, length) == 0) {
            return true;
        }
    }
    return w->pool == 0;
}

/* With this visit, of the local day and of the week that Monday begins. */
static bool is_too_much(const struct world *w, int person, int64_t at)
{
    int64_t day = w->clocks[0][at].day;
    int day_visits = 1, day_minutes = w->length[person], week_visits = 1,
        week_minutes = w->length[person];
    for (size_t i = 0; i < w->visit_count; i++) {
        const struct visit *v = &w->visits[i];
        int64_t its = w->clocks[0][(v->from - w->start) / MINUTE].day;
        int minutes = (int)((v->to - v->from) / MINUTE);
        bool theirs = v->person == person;
        bool same_week = its - weekday(its) == day - weekday(day);
        day_visits += theirs && its == day;
        day_minutes += theirs && its == day ? minutes : 0;
        week_visits += theirs && same_week;
        week_minutes += theirs && same_week ? minutes : 0;
    }
    return (w->day_visits && day_visits > w->day_visits) ||
           (w->day_minutes && day_minutes > w->day_minutes) ||
           (w->week_visits && week_visits > w->week_visits) ||
           (w->week_minutes && week_minutes > w->week_minutes);
}

unsigned look(const struct world *w, int person, int64_t at, int64_t now)
{
    int64_t start = w->start + at * MINUTE;
    unsigned why = start < now + w->notice_min * MINUTE ? NOTICE : 0;
    why |= start > now + (int64_t)w->horizon_days * DAY ? HORIZON : 0;
    why |= has_room(w, at, w->length[person]) ? 0 : NO_ROOM;
    why |= is_too_much(w, person, at) ? LIMIT : 0;
    return why | look_at(w, person, at, w->length[person]);
}
