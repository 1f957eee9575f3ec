/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Local times in every zone there is, over the API, held against the C library's clocks: where clocks change within what can be booked a time that they leave out is
 * refused, one that they show twice names both, and offered is what they show. What cannot be booked any more, by the function that bookings ask. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/sbuf.h"
#include "tests/support/api.h"
#include "tests/support/db.h"
#include "tests/support/wait.h"

enum { MINUTE = 60, DAY = 86400, GRID = 15, CHANGES_MAX = 12, AHEAD = 725 };

TestSuite(zones, .timeout = 240);

/* ---- the C library's clocks ---- */

static void use_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static struct tm local(int64_t at)
{
    time_t t = (time_t)at;
    struct tm tm;
    localtime_r(&t, &tm);
    return tm;
}

static long offset_of(int64_t at)
{
    return local(at).tm_gmtoff;
}

/* What clocks show, as seconds since 1970 as if that were UTC. */
static int64_t shown_at(int64_t at)
{
    return at + offset_of(at);
}

/* The first second behind low with another offset than low's; they differ at high. */
static int64_t find_change(int64_t low, int64_t high)
{
    long before = offset_of(low);
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;
        if (offset_of(mid) == before) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return high;
}

static size_t list_changes(int64_t from, int64_t to, int64_t *out, size_t cap)
{
    size_t n = 0;
    for (int64_t at = from; at + DAY < to && n < cap; at += DAY) {
        if (offset_of(at) != offset_of(at + DAY)) {
            out[n++] = find_change(at, at + DAY);
        }
    }
    return n;
}

/* All instants at which clocks show it, ascending; at most two. Brute: each offset there is around it. */
static size_t instants_of(int64_t shown, int64_t out[2])
{
    size_t n = 0;
    for (int64_t at = shown - 26 * 3600; at <= shown + 26 * 3600; at += 900) {
        int64_t candidate = shown - offset_of(at);
        bool known = n > 0 && out[n - 1] == candidate;
        if (shown_at(candidate) == shown && !known && n < 2) {
            out[n++] = candidate;
        }
    }
    if (n == 2 && out[0] > out[1]) {
        int64_t first = out[1];
        out[1] = out[0];
        out[0] = first;
    }
    return n;
}

/* "2026-11-01T01:30" of a time as shown. */
static const char *wall(int64_t shown)
{
    time_t t = (time_t)shown;
    struct tm tm;
    char text[32];
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M", &tm);
    return api_text("%s", text);
}

/* As RFC 3339 with the offset that clocks have then. */
static const char *stamp(int64_t at)
{
    long offset = offset_of(at), minutes = labs(offset) / 60;
    return api_text("%s:%02d%c%02ld:%02ld", wall(shown_at(at)), local(at).tm_sec,
                    offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/* ---- a practice that moves from zone to zone ---- */

struct place {
    struct api api;
    PGconn *db;
    const char *client, *service, *staff;
    int version; /* of the business */
    long zones, changes, gaps, overlaps, booked, refused, starts;
};

static struct place place_open(void)
{
    struct place p = { .api = api_login(OWNER_B), .db = db_super() };
    char *code = db_code(p.db, "practice-b");
    db_do(p.db, api_text("SET search_path = t_%s, ext, public", code));
    db_do(p.db,
          "UPDATE booking_policy SET rules = rules || '{\"notice_min\":0,\"horizon_days\":730}'");
    free(code);
    p.client = api_new_client(&p.api, "Ana");
    p.staff = api_new_staff(&p.api, "Beto");
    struct answer *r = api_post(&p.api, "/api/v1/services",
                                "{\"name\":\"Minuto\",\"duration_min\":1,\"grid_min\":%d}", GRID);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    p.service = answer_text(r, "id");
    p.version = (int)answer_int(api_get(&p.api, "/api/v1/business"), "version");
    return p;
}

static void place_close(struct place *p)
{
    PQfinish(p->db);
    api_close(&p->api);
    api_release();
}

/* Its own texts live on. */
static struct answer *book(struct place *p, const char *when)
{
    return api_book(&p->api, p->client, p->service, p->staff, when);
}

static void expect_booked(struct place *p, const char *zone, const char *when, int64_t at)
{
    struct answer *r = book(p, when);
    const char *start = answer_text(r, "starts_at");
    cr_expect(r->status == 201 && start && strcmp(start, stamp(at)) == 0, "%s %s is %s: %d %s",
              zone, when, stamp(at), r->status, r->http.body);
    p->booked += r->status == 201;
}

static void expect_left_out(struct place *p, const char *zone, const char *when)
{
    struct answer *r = book(p, when);
    cr_expect(r->status == 422 && strcmp(answer_code(r), "nonexistent_time") == 0, "%s %s: %d %s",
              zone, when, r->status, r->http.body);
    p->refused++;
}

/* Refused, naming both. */
static void expect_twice(struct place *p, const char *zone, const char *when, int64_t first,
                         int64_t second)
{
    struct answer *r = book(p, when);
    const char *detail = answer_text(r, "detail");
    cr_expect(r->status == 422 && strcmp(answer_code(r), "ambiguous_time") == 0 && detail &&
                  strstr(detail, stamp(first)) && strstr(detail, stamp(second)),
              "%s %s is %s and %s: %d %s", zone, when, stamp(first), stamp(second), r->status,
              r->http.body);
    p->refused++;
}

static void look_at_gap(struct place *p, const char *zone, int64_t change, long shift)
{
    int64_t from = shown_at(change) - shift, to = shown_at(change);
    expect_left_out(p, zone, wall(from));
    expect_left_out(p, zone, wall(from + shift / 2 / MINUTE * MINUTE));
    expect_left_out(p, zone, wall(to - MINUTE));
    expect_booked(p, zone, wall(from - MINUTE), change - MINUTE);
    expect_booked(p, zone, wall(to), change);
    p->gaps++;
}

static void look_at_overlap(struct place *p, const char *zone, int64_t change, long shift)
{
    int64_t from = shown_at(change), to = from + shift, mid = from + shift / 2 / MINUTE * MINUTE;
    expect_twice(p, zone, wall(from), change - shift, change);
    expect_twice(p, zone, wall(to - MINUTE), change - MINUTE, change + shift - MINUTE);
    int64_t second = change + mid - from, first = second - shift;
    expect_twice(p, zone, wall(mid), first, second);
    expect_booked(p, zone, stamp(first), first);
    expect_booked(p, zone, stamp(second),
                  second); /* the shift later by the sun, the same by the clock */
    expect_booked(p, zone, wall(from - MINUTE), change - shift - MINUTE);
    expect_booked(p, zone, wall(to), change + shift);
    p->overlaps++;
}

/* What is offered on the day of the change: each quarter of an hour that clocks show, as often as they show it. */
static void look_at_slots(struct place *p, const char *zone, int64_t change)
{
    int64_t date = shown_at(change) / DAY;
    const char *day = api_text("%.10s", wall(date * DAY));
    struct answer *r = api_get(&p->api,
                               "/api/v1/availability/slots?service_id=%s&staff_id=%s&from=%s&to=%s",
                               p->service, p->staff, day, day);
    struct json_object *days, *starts, *at;
    cr_assert(r->status == 200 && json_object_object_get_ex(r->json, "days", &days), "%s",
              r->http.body);
    cr_assert(json_object_object_get_ex(json_object_array_get_idx(days, 0), "starts", &starts));
    size_t n = 0, given = json_object_array_length(starts);
    for (int64_t t = change - 27 * 3600; t < change + 27 * 3600; t += MINUTE) {
        if (shown_at(t) / DAY != date || shown_at(t) / MINUTE % GRID != 0) {
            continue;
        }
        const char *text = "(none)";
        if (n < given &&
            json_object_object_get_ex(json_object_array_get_idx(starts, n), "at", &at)) {
            text = json_object_get_string(at);
        }
        if (strcmp(text, stamp(t)) != 0) {
            cr_expect(false, "%s %s: start %zu is %s, not %s", zone, day, n, text, stamp(t));
            return;
        }
        n++;
    }
    cr_expect_eq(n, given, "%s %s: %zu starts, not %zu", zone, day, given, n);
    p->starts += (long)n;
}

/* A time of an ordinary day, too. */
static void look_at_zone(struct place *p, const char *zone)
{
    int64_t now = (int64_t)time(NULL), changes[CHANGES_MAX], both[2];
    use_zone(zone);
    struct answer *r = api_patch(&p->api, "/api/v1/business", p->version, "{\"time_zone\":\"%s\"}",
                                 zone);
    cr_assert_eq(r->status, 200, "%s: %s", zone, r->http.body);
    p->version = (int)answer_int(r, "version");
    db_do(p->db, "DELETE FROM client_busy");
    db_do(p->db, "DELETE FROM allocation");
    int64_t shown = (now / DAY + 100) * DAY + 9 * 3600 + 37 * MINUTE;
    cr_assert_eq(instants_of(shown, both), 1, "%s", zone);
    expect_booked(p, zone, wall(shown), both[0]);
    size_t n = list_changes(now + 2 * DAY, now + AHEAD * DAY, changes, CHANGES_MAX);
    for (size_t i = 0; i < n; i++) {
        long shift = offset_of(changes[i]) - offset_of(changes[i] - 1);
        look_at_slots(p, zone, changes[i]);
        if (shift > 0) {
            look_at_gap(p, zone, changes[i], shift);
        } else {
            look_at_overlap(p, zone, changes[i], -shift);
        }
        p->changes++;
    }
    p->zones++;
}

static PGresult *all_zones(PGconn *db)
{
    PGresult *r = PQexec(
        db, "SELECT name FROM pg_timezone_names WHERE ext.zone_known(name) ORDER BY name");
    cr_assert_eq(PQresultStatus(r), PGRES_TUPLES_OK, "%s", PQerrorMessage(db));
    return r;
}

/* The whole of the machine's zones in one practice. */
Test(zones, a_practice_in_each_of_them)
{
    struct place p = place_open();
    PGresult *names = all_zones(p.db);
    int64_t begun = wait_now_ms();
    for (int i = 0; i < PQntuples(names); i++) {
        look_at_zone(&p, PQgetvalue(names, i, 0));
    }
    printf("zones: %ld, %ld changes (%ld leave time out, %ld show it twice), %ld booked, %ld "
           "refused, %ld"
           " starts listed, in %lld s\n",
           p.zones, p.changes, p.gaps, p.overlaps, p.booked, p.refused, p.starts,
           (long long)(wait_now_ms() - begun) / 1000);
    cr_expect_gt(p.zones, 300);
    cr_expect_gt(p.gaps, 100);
    cr_expect_gt(p.overlaps, 100);
    PQclear(names);
    place_close(&p);
}

/* ---- by the function ---- */

struct asked {
    struct sbuf locals;
    int64_t shown[4 * 400];
    size_t count;
};

static void ask_about(struct asked *a, int64_t shown)
{
    if (a->count < ARRAY_LEN(a->shown)) {
        time_t t = (time_t)shown;
        struct tm tm;
        char text[32];
        gmtime_r(&t, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        sbuf_fmt(&a->locals, "%s%s", a->count ? "," : "", text);
        a->shown[a->count++] = shown;
    }
}

/* ext.local_instants of each change there was since 1970 and is known of until 2037: in the middle, a second before and behind, and at its ends. */
static long look_at_history(PGconn *db, const char *zone)
{
    static int64_t changes[400];
    static struct asked a;
    use_zone(zone);
    a.count = 0;
    sbuf_init(&a.locals);
    sbuf_char(&a.locals, '{');
    size_t n = list_changes(DAY, INT64_C(2114380800), changes, ARRAY_LEN(changes));
    for (size_t i = 0; i < n; i++) {
        int64_t before = changes[i] + offset_of(changes[i] - 1), behind = shown_at(changes[i]);
        ask_about(&a, (before + behind) / 2);
        ask_about(&a, (before < behind ? before : behind) - 1);
        ask_about(&a, before < behind ? behind - 1 : behind);
        ask_about(&a, before < behind ? behind : before);
    }
    sbuf_text(&a.locals, "}");
    const char *values[] = { a.locals.data, zone };
    PGresult *r = PQexecParams(db,
                               "SELECT coalesce(extract(epoch FROM i[1])::bigint, 0),"
                               " coalesce(extract(epoch FROM i[2])::bigint, 0), cardinality(i)"
                               " FROM unnest($1::timestamp[]) WITH ORDINALITY l(at, nth)"
                               " CROSS JOIN LATERAL ext.local_instants(l.at, $2) i ORDER BY l.nth",
                               2, NULL, values, NULL, NULL, 0);
    cr_assert_eq(PQresultStatus(r), PGRES_TUPLES_OK, "%s: %s", zone, PQerrorMessage(db));
    cr_assert_eq((size_t)PQntuples(r), a.count);
    for (size_t i = 0; i < a.count; i++) {
        int64_t want[2] = { 0, 0 };
        size_t count = instants_of(a.shown[i], want);
        int row = (int)i;
        bool same = strtoll(PQgetvalue(r, row, 0), NULL, 10) == want[0] &&
                    strtoll(PQgetvalue(r, row, 1), NULL, 10) == want[1] &&
                    strtoull(PQgetvalue(r, row, 2), NULL, 10) == count;
        cr_expect(same, "%s %s: %s of %s and %s, not %zu of %lld and %lld", zone, wall(a.shown[i]),
                  PQgetvalue(r, row, 2), PQgetvalue(r, row, 0), PQgetvalue(r, row, 1), count,
                  (long long)want[0], (long long)want[1]);
    }
    PQclear(r);
    sbuf_fini(&a.locals);
    return (long)a.count;
}

Test(zones, times_around_each_change_there_was)
{
    PGconn *db = db_super();
    PGresult *names = all_zones(db);
    long asked = 0;
    for (int i = 0; i < PQntuples(names); i++) {
        asked += look_at_history(db, PQgetvalue(names, i, 0));
    }
    printf("zones: %ld local times of the past asked for\n", asked);
    cr_expect_gt(asked, 20000);
    PQclear(names);
    PQfinish(db);
    api_release();
}

/* Written down, not derived. */
Test(zones, known_ones)
{
    static const struct {
        const char *zone, *when, *want;
    } known[] = {
        { "America/Mexico_City", "2026-07-01 09:00", "{\"2026-07-01 15:00:00+00\"}" },
        { "America/Mexico_City", "2022-07-01 09:00", "{\"2022-07-01 14:00:00+00\"}" },
        { "America/Tijuana", "2026-07-01 09:00", "{\"2026-07-01 16:00:00+00\"}" },
        { "America/Tijuana", "2026-12-01 09:00", "{\"2026-12-01 17:00:00+00\"}" },
        { "America/Tijuana", "2026-03-08 02:30", "{}" },
        { "America/Cancun", "2026-07-01 09:00", "{\"2026-07-01 14:00:00+00\"}" },
        { "America/Hermosillo", "2026-07-01 09:00", "{\"2026-07-01 16:00:00+00\"}" },
        { "Australia/Lord_Howe", "2026-10-04 02:15", "{}" },
        { "Australia/Lord_Howe", "2026-10-04 02:30", "{\"2026-10-03 15:30:00+00\"}" },
        { "Australia/Lord_Howe", "2026-04-05 01:45",
          "{\"2026-04-04 14:45:00+00\",\"2026-04-04 15:15:00+00\"}" },
        { "Pacific/Apia", "2011-12-29 23:59", "{\"2011-12-30 09:59:00+00\"}" },
        { "Pacific/Apia", "2011-12-30 00:00", "{}" },
        { "Pacific/Apia", "2011-12-30 12:00", "{}" },
        { "Pacific/Apia", "2011-12-31 00:00", "{\"2011-12-30 10:00:00+00\"}" },
        { "America/Caracas", "2007-12-09 02:45",
          "{\"2007-12-09 06:45:00+00\",\"2007-12-09 07:15:00+00\"}" },
        { "Asia/Kathmandu", "1986-01-01 00:10", "{}" },
        { "Asia/Pyongyang", "2018-05-04 23:45", "{}" },
        { "Antarctica/Troll", "2026-03-29 02:00", "{}" },
        { "America/Havana", "2026-03-08 00:30", "{}" },
    };
    PGconn *db = db_super();
    db_do(db, "SET TimeZone = 'UTC'");
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char *got = db_value(db, "SELECT ext.local_instants($1::timestamp, $2)", known[i].when,
                             known[i].zone, NULL);
        cr_expect_str_eq(got, known[i].want, "%s %s: %s", known[i].zone, known[i].when, got);
        free(got);
    }
    PQfinish(db);
    api_release();
}
