/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Which visits a change of the rules would leave outside, before it is made: held against what the judge of bookings says once it really is, for changes written down and for
 * random ones. And nothing is left behind, whatever happens meanwhile. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/sbuf.h"
#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/member.h"
#include "tests/support/wait.h"

#define APPOINTMENTS "/api/v1/appointments"
#define SCHEDULES    "/api/v1/schedules"
#define EXCEPTIONS   "/api/v1/schedule-exceptions"
#define HOURS        "/api/v1/opening-hours"

enum { VISITS = 28, ROUNDS = 40, LENGTH = 60, ZONE_DAYS = 6 };

TestSuite(impact, .timeout = 240);

struct desk {
    struct api owner;
    PGconn *db; /* in the practice's schema */
    char *code;
    const char *client, *service, *staff;
};

/* letter: of a practice that is no other test's, as rules of everybody and whole schemas are compared. */
static struct desk desk_open(char letter)
{
    struct desk d = { .owner = api_login(api_text("owner-%c@example.com", letter)),
                      .db = db_super() };
    d.code = db_code(d.db, api_text("practice-%c", letter));
    db_do(d.db, api_text("SET search_path = t_%s, ext, public", d.code));
    d.client = api_new_client(&d.owner, api_unique("Ana"));
    d.service = api_new_service(&d.owner, api_unique("Corte"), LENGTH);
    d.staff = api_new_staff(&d.owner, api_unique("Beto"));
    return d;
}

static void desk_close(struct desk *d)
{
    PQfinish(d->db);
    free(d->code);
    api_close(&d->owner);
    api_release();
}

static const char *book(struct desk *d, const char *when)
{
    struct answer *r = api_book_anyway(&d->owner, d->client, d->service, d->staff, when);
    cr_assert_eq(r->status, 201, "%s: %s", when, r->http.body);
    return answer_text(r, "id");
}

/* Every row of every table of the practice, in one text; malloc. */
static char *all_rows(struct desk *d)
{
    char *list = db_value(
        d->db,
        "SELECT string_agg(format('SELECT %L || md5(coalesce(string_agg(x::text, '';'' ORDER BY"
        " x::text), '''')) AS h FROM %I x', tablename, tablename), ' UNION ALL ')"
        " FROM pg_tables WHERE schemaname = current_schema()",
        NULL);
    char *rows = db_value(d->db, api_text("SELECT string_agg(h, ' ' ORDER BY h) FROM (%s) q", list),
                          NULL);
    free(list);
    return rows;
}

static struct answer *ask_of(struct api *who, const char *path, const char *match, const char *body)
{
    struct answer *r = api_send(who, "POST", api_text("%s/impact", path), body, match);
    cr_assert_eq(r->status, 200, "%s %s: %d %s", path, body, r->status, r->http.body);
    return r;
}

/* Asks, and sees that nothing has changed. */
static struct answer *ask(struct desk *d, const char *path, const char *match, const char *body)
{
    char *before = all_rows(d);
    struct answer *r = ask_of(&d->owner, path, match, body);
    char *behind = all_rows(d);
    cr_expect_str_eq(before, behind, "%s %s left something behind", path, body);
    free(before);
    free(behind);
    return r;
}

/* The answer names these visits and no other; ids and whys: "ID why ID why". */
static void expect_named(const struct answer *r, const char *const *ids, const char *const *whys)
{
    int n = 0;
    for (; ids[n]; n++) {
        const char *id = answer_text(r, api_text("visits.%d.id", n));
        const char *why = answer_text(r, api_text("visits.%d.why", n));
        cr_expect(id && strcmp(id, ids[n]) == 0, "visit %d: %s", n, r->http.body);
        cr_expect(why && strcmp(why, whys[n]) == 0, "visit %d: %s, not %s", n, why, whys[n]);
    }
    cr_expect_eq(answer_count(r, "visits"), n, "%s", r->http.body);
    cr_expect_eq(answer_int(r, "count"), n);
}

#define NAMED(r, ...) expect_named(r, (const char *const[]){ __VA_ARGS__ NULL }, whys)

#define IF_1 "If-Match: \"1\"\r\n"

Test(impact, each_kind_of_change)
{
    struct desk d = desk_open('c');
    const char *closed[] = { "[ \"closed\" ]", "[ \"closed\" ]", "[ \"closed\" ]" },
               *exception[] = { "[ \"exception\" ]", "[ \"exception\" ]" },
               *pause[] = { "[ \"break\" ]" }, **whys = closed;
    const char *day = guest_monday(10), *next = guest_day(10, 1);
    const char *early = book(&d, api_text("%sT08:00", day)),
               *noon = book(&d, api_text("%sT12:00", day));
    const char *late = book(&d, api_text("%sT23:30", day)),
               *tuesday = book(&d, api_text("%sT12:00", next));
    const char *mine = d.staff;
    d.staff = api_new_staff(&d.owner, api_unique("Carla"));
    d.client = api_new_client(&d.owner, api_unique("Eva"));
    const char *other = book(&d, api_text("%sT12:00", day));

    struct answer *r = ask(
        &d, SCHEDULES, NULL,
        api_text("{\"name\":\"x\",\"staff_id\":\"%s\",\"spans\":[\"monday 08:00-18:00\","
                 "\"monday 12:30-12:45 break\",\"tuesday 12:00-13:00\"]}",
                 mine));
    const char *mixed[] = { "[ \"break\" ]", "[ \"closed\" ]" };
    whys = mixed;
    NAMED(r, noon, late, );
    cr_expect_eq(answer_int(r, "checked"), 4, "of others' visits too: %s", r->http.body);
    cr_expect_null(answer_text(r, "checked_until"));
    cr_expect_str_eq(answer_text(r, "visits.0.starts_at"), api_text("%sT12:00:00-06:00", day));
    cr_expect_str_eq(answer_text(r, "visits.0.ends_at"), api_text("%sT13:00:00-06:00", day));
    cr_expect_str_eq(answer_text(r, "visits.0.state"), "confirmed");
    cr_expect_str_eq(answer_text(r, "visits.0.staff.id"), mine);
    cr_expect(strncmp(answer_text(r, "visits.0.client.name"), "Ana", 3) == 0);
    cr_expect_str_eq(answer_text(r, "visits.0.service.id"), d.service);
    whys = closed;
    r = ask(&d, SCHEDULES, NULL,
            api_text("{\"name\":\"x\",\"staff_id\":\"%s\",\"valid_from\":\"%s\"}", mine, next));
    NAMED(r, late, tuesday, );

    const char *id = api_new_schedule(&d.owner, mine,
                                      "\"monday 08:00-02:00\",\"tuesday 08:00-18:00\"");
    const char *path = api_text(SCHEDULES "/%s", id);
    NAMED(ask(&d, path, IF_1, "{\"spans\":[\"monday 12:00-00:15\",\"tuesday 08:00-18:00\"]}"),
          early, late, );
    NAMED(ask(&d, path, IF_1, "{\"deleted\":true}"), NULL, ); /* open around the clock */
    NAMED(ask(&d, path, IF_1, "{}"), NULL, );
    r = api_send(&d.owner, "POST", api_text("%s/impact", path), "{\"deleted\":true,\"name\":\"y\"}",
                 IF_1);
    cr_expect_eq(r->status, 422, "%s", r->http.body);
    r = api_send(&d.owner, "POST", api_text("%s/impact", path), "{}", "If-Match: \"2\"\r\n");
    cr_expect_eq(r->status, 412, "%s", r->http.body);
    cr_expect_eq(api_send(&d.owner, "POST", api_text("%s/impact", path), "{}", NULL)->status, 428);

    whys = exception;
    NAMED(ask(&d, EXCEPTIONS, NULL,
              api_text("{\"effect\":\"closed\",\"first_day\":\"%s\",\"staff_id\":\"%s\"}", next,
                       mine)),
          late, tuesday, );
    NAMED(ask(&d, EXCEPTIONS, NULL,
              api_text("{\"effect\":\"closed\",\"first_day\":\"%s\",\"hours\":[\"12:59-13:00\"]}",
                       day)),
          strcmp(noon, other) < 0 ? noon : other, strcmp(noon, other) < 0 ? other : noon, );
    whys = closed;
    NAMED(ask(&d, EXCEPTIONS, NULL,
              api_text("{\"effect\":\"special\",\"first_day\":\"%s\",\"hours\":[\"12:00-13:00\"],"
                       "\"staff_id\":\"%s\"}",
                       day, mine)),
          early, late, );
    r = api_post(&d.owner, EXCEPTIONS,
                 "{\"effect\":\"special\",\"first_day\":\"%s\",\"hours\":[\"11:00-14:00\"],\"staff_"
                 "id\":\"%s\"}",
                 next, mine);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    path = api_text(EXCEPTIONS "/%s", answer_text(r, "id"));
    NAMED(ask(&d, path, IF_1, "{\"hours\":[\"12:30-14:00\"]}"), tuesday, );
    NAMED(ask(&d, path, IF_1, "{\"deleted\":true}"), NULL, );
    NAMED(ask(&d, path, IF_1, api_text("{\"first_day\":\"%s\",\"last_day\":\"%s\"}", day, next)),
          early, late, );
    whys = pause;
    NAMED(ask(&d, HOURS, NULL, "{\"monday\":[\"12:00-13:00\"]}"),
          NULL, ); /* they have a schedule */
    whys = closed;
    NAMED(ask(&d, HOURS, NULL, "{\"monday\":[\"12:30-13:00\"]}"), other, );
    desk_close(&d);
}

Test(impact, what_is_outside_already_or_not_open_is_not_named)
{
    struct desk d = desk_open('h');
    const char *closed[] = { "[ \"closed\" ]" }, **whys = closed, *day = guest_monday(17);
    api_new_schedule(&d.owner, d.staff, "\"monday 08:00-20:00\"");
    (void)book(&d, api_text("%sT21:00", day));
    const char *gone = book(&d, api_text("%sT10:00", day)),
               *there = book(&d, api_text("%sT12:00", day));
    cr_assert_eq(
        api_send(&d.owner, "POST", api_text(APPOINTMENTS "/%s/cancel", gone), "{}", IF_1)->status,
        200);
    struct answer *r = ask(
        &d, SCHEDULES, NULL,
        api_text("{\"name\":\"x\",\"staff_id\":\"%s\",\"valid_from\":\"%s\"}", d.staff, day));
    NAMED(r, there, );
    cr_expect_eq(answer_int(r, "checked"), 2);
    desk_close(&d);
}

/* ---- random changes ---- */

struct chance {
    struct desk desk;
    unsigned seed;
    const char *staff[2], *services[2], *ids[VISITS];
    int versions[VISITS];
    const char *why[VISITS]; /* as the judge says it: "" is inside */
    const char *schedule, *exception;
    int schedule_version, exception_version;
    long named, rounds_with;
};

static int pick(struct chance *c, int below)
{
    return rand_r(&c->seed) % below;
}

static const char *some_span(struct chance *c)
{
    int from = pick(c, 96) * 15, length = 60 + pick(c, 70) * 15;
    int to = (from + length) % 1440;
    return api_text("%02d:%02d-%02d:%02d", from / 60, from % 60, to / 60, to % 60);
}

static const char *some_spans(struct chance *c)
{
    static const char *const days[] = { "monday", "tuesday",  "wednesday", "thursday",
                                        "friday", "saturday", "sunday" };
    struct sbuf out;
    sbuf_init(&out);
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        if (pick(c, 10) < 8) {
            sbuf_fmt(&out, "%s\"%s %s\"", out.len ? "," : "", days[i], some_span(c));
        }
        if (pick(c, 10) < 3) {
            int at = 300 + pick(c, 60) * 15;
            sbuf_fmt(&out, "%s\"%s %02d:%02d-%02d:%02d%s break\"", out.len ? "," : "", days[i],
                     at / 60, at % 60, (at + 45) / 60, (at + 45) % 60, pick(c, 2) ? " odd" : "");
        }
    }
    const char *text = api_text("%.*s", (int)out.len, out.data ? out.data : "");
    sbuf_fini(&out);
    return text;
}

static const char *some_schedule(struct chance *c)
{
    static const char *const zones[] = { "null", "null", "\"America/New_York\"",
                                         "\"Pacific/Auckland\"" };
    const char *service = pick(c, 3) ? "null" : api_text("\"%s\"", c->services[0]);
    const char *from = pick(c, 2) ? "null" : api_text("\"%s\"", api_day(3 + pick(c, 6)));
    const char *to = pick(c, 3) ? "null" : api_text("\"%s\"", api_day(9 + pick(c, 4)));
    return api_text(
        "\"service_id\":%s,\"time_zone\":%s,\"valid_from\":%s,\"valid_to\":%s,\"spans\":[%s]",
        service, zones[pick(c, 4)], from, to, some_spans(c));
}

static const char *some_exception(struct chance *c)
{
    static const char *const effects[] = { "closed", "open", "special" };
    const char *effect = effects[pick(c, 3)];
    int first = 4 + pick(c, 6);
    bool whole = strcmp(effect, "closed") == 0 && pick(c, 2);
    return api_text("\"effect\":\"%s\",\"first_day\":\"%s\",\"last_day\":\"%s\",\"hours\":[%s]",
                    effect, api_day(first), api_day(first + pick(c, 3)),
                    whole ? "" : api_text("\"%s\"", some_span(c)));
}

static const char *some_hours(struct chance *c)
{
    static const char *const days[] = { "monday", "tuesday",  "wednesday", "thursday",
                                        "friday", "saturday", "sunday" };
    struct sbuf out;
    sbuf_init(&out);
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        if (pick(c, 10) < 8) {
            sbuf_fmt(&out, "%s\"%s\":[\"%s\"]", out.len ? "," : "", days[i], some_span(c));
        }
    }
    const char *text = api_text("{%.*s}", (int)out.len, out.data ? out.data : "");
    sbuf_fini(&out);
    return text;
}

/* A change as its route takes it. */
struct change {
    const char *method, *path, *match, *body, *ask_path, *ask_body;
};

static struct change some_change(struct chance *c)
{
    const char *staff = c->staff[pick(c, 2)];
    int what = pick(c, 9);
    if (what == 0 || (what <= 3 && !c->schedule)) {
        const char *body = api_text("{\"name\":\"x\",\"staff_id\":\"%s\",%s}", staff,
                                    some_schedule(c));
        return (struct change){ "POST", SCHEDULES, NULL, body, SCHEDULES, body };
    }
    if (what <= 3) {
        const char *one = api_text(SCHEDULES "/%s", c->schedule);
        const char *match = api_text("If-Match: \"%d\"\r\n", c->schedule_version);
        const char *body = api_text("{%s}", some_schedule(c));
        return what < 3 ? (struct change){ "PATCH", one, match, body, one, body }
                        : (struct change){ "DELETE", one, match, NULL, one, "{\"deleted\":true}" };
    }
    if (what == 4 || (what <= 7 && !c->exception)) {
        const char *whose = pick(c, 2) ? "null" : api_text("\"%s\"", staff);
        const char *body = api_text("{\"staff_id\":%s,%s}", whose, some_exception(c));
        return (struct change){ "POST", EXCEPTIONS, NULL, body, EXCEPTIONS, body };
    }
    if (what <= 7) {
        const char *one = api_text(EXCEPTIONS "/%s", c->exception);
        const char *match = api_text("If-Match: \"%d\"\r\n", c->exception_version);
        const char *body = api_text("{%s}", some_exception(c));
        return what < 7 ? (struct change){ "PATCH", one, match, body, one, body }
                        : (struct change){ "DELETE", one, match, NULL, one, "{\"deleted\":true}" };
    }
    const char *body = some_hours(c);
    return (struct change){ "PUT", HOURS, NULL, body, HOURS, body };
}

/* The change as the API makes it. */
static void make(struct chance *c, const struct change *change)
{
    struct answer *r = api_send(&c->desk.owner, change->method, change->path, change->body,
                                change->match);
    cr_assert(r->status < 300, "%s %s %s: %d %s", change->method, change->path, change->body,
              r->status, r->http.body);
    bool gone = strcmp(change->method, "DELETE") == 0;
    if (strncmp(change->path, EXCEPTIONS, strlen(EXCEPTIONS)) == 0) {
        c->exception = gone ? NULL : answer_text(r, "id");
        c->exception_version = gone ? 0 : (int)answer_int(r, "version");
    } else if (strncmp(change->path, SCHEDULES, strlen(SCHEDULES)) == 0) {
        c->schedule = gone ? NULL : answer_text(r, "id");
        c->schedule_version = gone ? 0 : (int)answer_int(r, "version");
    }
}

/* What the judge says of a visit that moves to where it is. */
static const char *judged(struct chance *c, int i)
{
    struct answer *r = api_patch(&c->desk.owner, api_text(APPOINTMENTS "/%s", c->ids[i]),
                                 c->versions[i], "{\"duration_min\":%d}", LENGTH);
    if (r->status == 200) {
        c->versions[i] = (int)answer_int(r, "version");
        return "";
    }
    cr_assert_str_eq(answer_code(r), "outside_hours", "%d %s", r->status, r->http.body);
    return answer_text(r, "why");
}

static const char *why_named(const struct answer *r, const char *id)
{
    for (int i = 0; i < answer_count(r, "visits"); i++) {
        if (strcmp(answer_text(r, api_text("visits.%d.id", i)), id) == 0) {
            return answer_text(r, api_text("visits.%d.why", i));
        }
    }
    return "";
}

static void one_round(struct chance *c, int round)
{
    struct change change = some_change(c);
    struct answer *r = ask(&c->desk, change.ask_path, change.match, change.ask_body);
    int want = 0;
    make(c, &change);
    for (int i = 0; i < VISITS; i++) {
        const char *now = judged(c, i), *named = why_named(r, c->ids[i]);
        bool left = now[0] && !c->why[i][0];
        cr_expect_str_eq(named, left ? now : "",
                         "round %d, %s %s %s: visit %s was \"%s\" is \"%s\"", round, change.method,
                         change.path, change.body, c->ids[i], c->why[i], now);
        c->why[i] = now;
        want += left;
    }
    cr_expect_eq(answer_int(r, "count"), want, "round %d", round);
    cr_expect_eq(answer_count(r, "visits"), want, "round %d", round);
    c->named += want;
    c->rounds_with += want > 0;
}

Test(impact, random_changes_do_what_was_said)
{
    static struct chance c;
    c = (struct chance){ .desk = desk_open('d'), .seed = 20270301 };
    for (int k = 0; k < 2; k++) {
        c.staff[k] = api_new_staff(&c.desk.owner, api_unique("Dora"));
        c.services[k] = api_new_service(&c.desk.owner, api_unique("Tinte"), LENGTH);
    }
    for (int i = 0; i < VISITS;
         i++) { /* each reaches into another part of a day, some into the next */
        int minute = 40 + (i / 2 * 7 % 15) * 96;
        c.desk.staff = c.staff[i % 2];
        c.desk.service = c.services[i / 2 % 2];
        c.desk.client = i < 2 ? api_new_client(&c.desk.owner, api_unique("Eva")) : c.desk.client;
        c.ids[i] = book(&c.desk,
                        api_text("%sT%02d:%02d", api_day(4 + i / 2 % ZONE_DAYS + i % 2 * ZONE_DAYS),
                                 minute / 60, minute % 60));
        c.versions[i] = 1;
        c.why[i] = "";
    }
    for (int round = 0; round < ROUNDS; round++) {
        one_round(&c, round);
    }
    printf("impact: %d changes, %ld visits left outside by %ld of them\n", ROUNDS, c.named,
           c.rounds_with);
    cr_expect_geq(c.rounds_with, 10, "too few changes did anything");
    desk_close(&c.desk);
}

/* ---- clocks ---- */

static const char *clock_day(struct desk *d, const char *length)
{
    char *day = db_value(d->db,
                         "SELECT day FROM ext.local_days(current_date + 2, current_date + 500,"
                         " 'America/New_York') WHERE to_s - from_s = $1::bigint LIMIT 1",
                         length, NULL);
    const char *text = api_text("%s", day);
    free(day);
    return text;
}

Test(impact, days_on_which_clocks_change)
{
    struct desk d = desk_open('e');
    const char *closed[] = { "[ \"closed\" ]" }, *exception[] = { "[ \"exception\" ]" },
               **whys = closed;
    int version = (int)answer_int(api_get(&d.owner, "/api/v1/business"), "version");
    cr_assert_eq(
        api_patch(&d.owner, "/api/v1/business", version, "{\"time_zone\":\"America/New_York\"}")
            ->status,
        200);
    const char *spring = clock_day(&d, "82800"), *autumn = clock_day(&d, "90000");
    const char *over = book(&d, api_text("%sT01:30", spring));
    const char *rest = "\"monday\":[\"00:00-24:00\"],\"tuesday\":[\"00:00-24:00\"]";
    const char *id = answer_text(api_get(&d.owner, APPOINTMENTS "/%s", over), "ends_at");
    cr_expect_str_eq(id, api_text("%sT03:30:00-04:00", spring));
    NAMED(ask(&d, HOURS, NULL, api_text("{%s,\"sunday\":[\"01:30-03:30\"]}", rest)), NULL, );
    NAMED(ask(&d, HOURS, NULL, api_text("{%s,\"sunday\":[\"01:30-03:15\"]}", rest)), over, );
    NAMED(ask(&d, HOURS, NULL, api_text("{%s,\"sunday\":[\"01:30-02:30\"]}", rest)), over, );
    whys = exception;
    NAMED(ask(&d, EXCEPTIONS, NULL,
              api_text("{\"effect\":\"closed\",\"first_day\":\"%s\",\"hours\":[\"02:00-03:00\"]}",
                       spring)),
          NULL, ); /* no clock shows these hours */
    NAMED(ask(&d, EXCEPTIONS, NULL,
              api_text("{\"effect\":\"closed\",\"first_day\":\"%s\",\"hours\":[\"02:00-03:05\"]}",
                       spring)),
          over, );
    const char *twice = book(&d, api_text("%sT01:30:00-04:00", autumn));
    whys = closed;
    NAMED(ask(&d, HOURS, NULL, api_text("{%s,\"sunday\":[\"01:00-03:30\"]}", rest)), NULL, );
    const char *both[] = { "[ \"closed\" ]", "[ \"closed\" ]" };
    whys = both;
    bool first = strcmp(spring, autumn) < 0;
    NAMED(ask(&d, HOURS, NULL, api_text("{%s,\"sunday\":[\"01:30-02:00\"]}", rest)),
          first ? over : twice,
          first ? twice : over, ); /* a half hour, twice, with a half hour between */
    desk_close(&d);
}

/* ---- who asks ---- */

Test(impact, within_the_callers_reach)
{
    struct desk d = desk_open('f');
    const char *closed[] = { "[ \"closed\" ]" }, **whys = closed, *day = guest_monday(10);
    const char *role = api_new_role(&d.owner, api_unique("Jefe"),
                                    "business.write appointment.read:own");
    struct member own = member_join("practice-f", role, NULL);
    role = api_new_role(&d.owner, api_unique("Casa"), "business.write");
    struct member blind = member_join("practice-f", role, NULL);
    struct member desk = member_join("practice-f", "receptionist", NULL);
    (void)book(&d, api_text("%sT12:00", day));
    d.staff = own.staff;
    d.client = api_new_client(&d.owner, api_unique("Eva"));
    const char *mine = book(&d, api_text("%sT12:00", day));
    const char *body = "{\"tuesday\":[\"09:00-12:00\"]}";
    struct answer *r = ask_of(&own.api, HOURS, NULL, body);
    NAMED(r, mine, );
    cr_expect_eq(answer_int(r, "checked"), 1, "of others: %s", r->http.body);
    cr_expect_eq(answer_int(ask(&d, HOURS, NULL, body), "count"), 2);
    cr_expect_eq(api_send(&blind.api, "POST", HOURS "/impact", body, NULL)->status, 403);
    cr_expect_eq(api_send(&desk.api, "POST", HOURS "/impact", body, NULL)->status, 403);
    struct api b = api_login(OWNER_B);
    const char *id = api_new_schedule(&d.owner, d.staff, "\"monday 09:00-12:00\"");
    cr_expect_eq(api_send(&b, "POST", api_text(SCHEDULES "/%s/impact", id), "{}", IF_1)->status,
                 404);
    api_close(&b);
    static const char *const bad[][2] = {
        { SCHEDULES, "{\"name\":\"x\"}" },
        { SCHEDULES, "{\"name\":\"x\",\"staff_id\":\"01900000-0000-7000-8000-000000000000\"}" },
        { EXCEPTIONS, "{\"effect\":\"open\",\"first_day\":\"2027-01-01\"}" },
        { HOURS, "{\"monday\":[\"9-12\"]}" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        r = api_send(&d.owner, "POST", api_text("%s/impact", bad[i][0]), bad[i][1], NULL);
        cr_expect_eq(r->status, 422, "%s: %d %s", bad[i][1], r->status, r->http.body);
    }
    member_close(&own);
    member_close(&blind);
    member_close(&desk);
    desk_close(&d);
}

/* ---- nothing is left behind ---- */

/* A request sent again under its key asks again: there is nothing to remember. */
Test(impact, a_key_remembers_nothing)
{
    struct desk d = desk_open('i');
    const char *key = "Idempotency-Key: impact-1\r\n",
               *body = "{\"name\":\"x\",\"staff_id\":\"%s\"}";
    const char *day = api_day(30);
    struct answer *r = ask(&d, SCHEDULES, key, api_text(body, d.staff));
    cr_expect_eq(answer_int(r, "count"), 0);
    (void)book(&d, api_text("%sT12:00", day));
    r = ask(&d, SCHEDULES, key, api_text(body, d.staff));
    cr_expect_eq(answer_int(r, "count"), 1);
    cr_expect_null(answer_header(r, "idempotency-replayed"));
    desk_close(&d);
}

static bool is_waiting(void *arg)
{
    return db_number(arg,
                     "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                     " AND query LIKE '%schedule_span%'",
                     NULL) > 0;
}

static void *ask_aside(void *arg)
{
    struct desk *d = arg;
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", d->owner.token);
    struct answer *r = api_post(
        &a, SCHEDULES "/impact",
        "{\"name\":\"x\",\"staff_id\":\"%s\",\"spans\":[\"monday 09:00-10:00\"]}", d->staff);
    intptr_t status = r->status;
    api_close(&a);
    api_release();
    return (void *)status;
}

/* Its connection ends when the schedule is in, and its times are not. */
Test(impact, what_dies_in_between_leaves_nothing)
{
    struct desk d = desk_open('j');
    PGconn *locker = db_super();
    pthread_t thread;
    void *status;
    char *before = all_rows(&d);
    db_do(locker, "BEGIN");
    db_do(locker, api_text("LOCK TABLE t_%s.schedule_span IN SHARE MODE", d.code));
    pthread_create(&thread, NULL, ask_aside, &d);
    cr_expect(wait_until(is_waiting, d.db, WAIT_LONG_MS));
    cr_expect_geq(db_number(d.db,
                            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                            " WHERE wait_event_type = 'Lock' AND query LIKE '%schedule_span%'",
                            NULL),
                  1);
    pthread_join(thread, &status);
    db_do(locker, "ROLLBACK");
    char *behind = all_rows(&d);
    cr_expect_str_eq(before, behind);
    cr_expect_geq((intptr_t)status, 500, "%ld", (long)(intptr_t)status);
    free(before);
    free(behind);
    PQfinish(locker);
    desk_close(&d);
}

struct rush {
    struct desk *desk;
    atomic_int end;
    long asked;
};

static void *ask_on_and_on(void *arg)
{
    struct rush *rush = arg;
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", rush->desk->owner.token);
    while (!atomic_load(&rush->end)) {
        struct answer *r = api_send(&a, "POST", HOURS "/impact", "{}", NULL);
        rush->asked += r->status == 200;
        r = api_post(&a, EXCEPTIONS "/impact",
                     "{\"effect\":\"closed\",\"first_day\":\"%s\",\"last_day\":\"%s\"}", api_day(0),
                     api_day(300));
        rush->asked += r->status == 200;
        api_release();
    }
    api_close(&a);
    return NULL;
}

/* A change that is not made refuses nobody. */
Test(impact, bookings_meanwhile_see_nothing_of_it)
{
    struct desk d = desk_open('g');
    struct rush rush = { .desk = &d };
    pthread_t thread;
    char *rules = db_value(
        d.db, "SELECT md5(string_agg(h::text, ';' ORDER BY h::text)) FROM opening_hours h", NULL);
    pthread_create(&thread, NULL, ask_on_and_on, &rush);
    for (int i = 0; i < 60; i++) {
        struct answer *r = api_book(&d.owner, d.client, d.service, d.staff,
                                    api_text("%sT%02d:00", api_day(5 + i / 20), i % 20));
        cr_expect_eq(r->status, 201, "%s", r->http.body);
    }
    atomic_store(&rush.end, 1);
    pthread_join(thread, NULL);
    struct answer *r = ask(&d, HOURS, NULL, "{}");
    cr_expect_eq(answer_int(r, "count"), 60);
    cr_expect_gt(rush.asked, 5);
    char *still = db_value(
        d.db, "SELECT md5(string_agg(h::text, ';' ORDER BY h::text)) FROM opening_hours h", NULL);
    cr_expect_str_eq(still, rules);
    free(rules);
    free(still);
    desk_close(&d);
}

Test(impact, so_many_are_looked_at)
{
    struct desk d = desk_open('b');
    db_do(d.db,
          api_text(
              "INSERT INTO appointment(id, client_id, client_name, service_id, service_name, "
              "staff_id,"
              " staff_name, state, starts_at, ends_at, local_start, local_end, time_zone,"
              " buffer_before_min, buffer_after_min, price_minor, currency, policy)"
              " SELECT gen_random_uuid(), c.id, c.name, s.id, s.name, t.id, t.name, 'confirmed', g,"
              " g + interval '1 hour', g AT TIME ZONE 'America/Mexico_City',"
              " (g + interval '1 hour') AT TIME ZONE 'America/Mexico_City', 'America/Mexico_City',"
              " 0, 0, 0, 'MXN', p.rules FROM client c, service s, staff t, booking_policy p,"
              " generate_series(date_trunc('hour', now()) + interval '1 day',"
              " date_trunc('hour', now()) + interval '1 day' + 5001 * interval '3 hours',"
              " interval '3 hours') g WHERE c.id = '%s' AND s.id = '%s' AND t.id = '%s'",
              d.client, d.service, d.staff));
    int64_t start = wait_now_ms();
    struct answer *r = ask_of(&d.owner, HOURS, NULL, "{}");
    printf("impact: 5,000 visits in %lld ms\n", (long long)(wait_now_ms() - start));
    cr_expect_eq(answer_int(r, "checked"), 5000, "%.200s", r->http.body);
    cr_expect_eq(answer_int(r, "count"), 5000);
    cr_expect_eq(answer_count(r, "visits"), 200);
    char *until = db_value(
        d.db,
        "SELECT to_char((date_trunc('hour', now()) + interval '1 day' + 5000 * interval"
        " '3 hours') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
        NULL);
    cr_expect_str_eq(answer_text(r, "checked_until"), until);
    free(until);
    desk_close(&d);
}
