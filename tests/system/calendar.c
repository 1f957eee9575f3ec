/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Calendars for other programs, read back by one (tests/programs/read_calendar): every visit as it is, whatever names look like; what changes and what is
 * cancelled; and whose calendars end when. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/sbuf.h"
#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/member.h"
#include "tests/support/stack.h"

#define FEEDS "/api/v1/calendar-feeds"

TestSuite(calendar, .timeout = 120);

struct desk {
    struct api owner;
    PGconn *db;
    const char *service;
};

static struct desk desk_open(void)
{
    struct desk d = { .owner = api_login(OWNER_A), .db = db_super() };
    char *code = db_code(d.db, "practice-a");
    db_do(d.db, api_text("SET search_path = t_%s, ext, public", code));
    free(code);
    d.service = api_new_service(&d.owner, api_unique("Corte, lavado; y 😀"), 30);
    return d;
}

static void desk_close(struct desk *d)
{
    PQfinish(d->db);
    api_close(&d->owner);
    api_release();
}

/* What another implementation reads; freed by api_release. */
static const char *read_back(const struct answer *r)
{
    char *file = api_text("%s/calendar.%d.ics", stack_env("GREMIO_STATE"), (int)getpid()),
         line[4096];
    FILE *out = fopen(file, "we");
    struct sbuf all;
    cr_assert(out && fwrite(r->http.body, 1, r->http.body_len, out) == r->http.body_len);
    fclose(out);
    FILE *in = popen(api_text("%s <%s 2>&1", READ_CALENDAR, file), "re");
    sbuf_init(&all);
    while (fgets(line, sizeof line, in)) {
        sbuf_text(&all, line);
    }
    cr_assert_eq(pclose(in), 0, "%.*s", (int)all.len, all.data);
    const char *text = api_text("%.*s", (int)all.len, all.len ? all.data : "");
    sbuf_fini(&all);
    return text;
}

/* The same from the tables: of a client's visits or of somebody's, by a condition on a. */
static const char *from_tables(struct desk *d, const char *of, const char *other, const char *title)
{
    char *text = db_value(
        d->db,
        api_text(
            "SELECT string_agg(json_build_array(a.id || '@gremio',"
            " to_char(a.starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"UTC\"'),"
            " to_char(a.ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"UTC\"'),"
            " CASE WHEN a.state IN ('cancelled','declined','expired','no_show') THEN 'CANCELLED'"
            " WHEN a.state IN ('requested','awaiting_client') THEN 'TENTATIVE' ELSE 'CONFIRMED'"
            " END, a.version - 1, replace(a.service_name || ' · ' || %s, chr(9), ' '))::text,"
            " chr(10) ORDER BY a.starts_at, a.id) || chr(10) FROM appointment a, business b"
            " WHERE %s",
            other, of),
        NULL);
    const char *all = api_text("[\"%s\"]\n%s", title, text);
    free(text);
    return all;
}

static struct answer *subscribe(struct api *who, const char *path)
{
    struct answer *r = api_send(who, "POST", path, NULL, NULL);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return r;
}

/* As a program does that has the address alone. */
static struct answer *look(const char *url, const char *etag)
{
    struct api program = api_anonymous();
    program.headers = etag ? api_text("If-None-Match: %s\r\n", etag) : NULL;
    struct answer *r = api_get(&program, "%s", strstr(url, "/calendars/"));
    program.headers = NULL;
    api_close(&program);
    return r;
}

static const char *book_for(struct desk *d, struct api *who, const char *staff, const char *client,
                            const char *when)
{
    struct answer *r = api_book(who, client, d->service, staff, when);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return answer_text(r, "id");
}

static void step(struct desk *d, const char *id, const char *verb, int version)
{
    struct answer *r = api_send(&d->owner, "POST", api_text("/api/v1/appointments/%s/%s", id, verb),
                                NULL, api_text("If-Match: \"%d\"\r\n", version));
    cr_assert_eq(r->status, 200, "%s", r->http.body);
}

Test(calendar, another_program_reads_every_visit_as_it_is)
{
    /* clang-format off */
    static const char *const names[] = {
        "Ana",
        "Pérez, Ana; \\\"La Güera\\\" \\\\ 3",
        "Uno\\nBEGIN:VEVENT\\nUID:x\\nEND:VCALENDAR",
        "tab\\there",
        "👩‍⚕️👩‍⚕️👩‍⚕️👩‍⚕️👩‍⚕️👩‍⚕️👩‍⚕️👩"
        "‍"
        "⚕"
        "️",
        "ññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññññ",
        ":;,\\\\,\\\\;\\\\n\\\\N",
        "\\u2028 \\u00a0 \\ufeff x",
    };
    /* clang-format on */
    struct desk d = desk_open();
    struct member m = member_join("practice-a", "professional", NULL);
    const char *url = answer_text(subscribe(&m.api, FEEDS), "url"), *id[ARRAY_LEN(names)];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct answer *c = api_post(&m.api, "/api/v1/clients", "{\"given_name\":\"%s\"}", names[i]);
        cr_assert_eq(c->status, 201, "%s", c->http.body);
        id[i] = book_for(&d, &m.api, m.staff, answer_text(c, "id"),
                         api_text("%sT%02zu:00", api_day(3), i + 8));
    }
    step(&d, id[1], "no-show", 1);
    step(&d, id[2], "check-in", 1);
    const char *of = api_text("a.staff_id = '%s'", m.staff);
    char *title = db_value(d.db,
                           "SELECT b.name || ' · ' || t.name FROM business b, staff t"
                           " WHERE t.id = $1::uuid",
                           m.staff, NULL);
    struct answer *r = look(url, NULL);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    cr_expect_str_eq(answer_header(r, "content-type"), "text/calendar; charset=utf-8");
    cr_expect_str_eq(read_back(r), from_tables(&d, of, "a.client_name", title));
    r = api_get(&m.api, "/api/v1/appointments/%s/ics", id[4]);
    cr_expect_str_eq(read_back(r), from_tables(&d, api_text("a.id = '%s'", id[4]), "a.client_name",
                                               "Practice A"));
    free(title);
    member_close(&m);
    desk_close(&d);
}

Test(calendar, it_follows_a_move_and_a_cancellation)
{
    struct desk d = desk_open();
    struct member m = member_join("practice-a", "professional", NULL);
    const char *url = answer_text(subscribe(&m.api, FEEDS), "url");
    const char *id = book_for(&d, &m.api, m.staff, api_new_client(&m.api, "Eva"),
                              api_text("%sT09:00", api_day(5)));
    struct answer *r = look(url, NULL);
    const char *etag = answer_header(r, "etag"), *first = read_back(r);
    cr_expect(strstr(first, api_text("%sT15:00:00UTC", api_day(5))) &&
                  strstr(first, "CONFIRMED\", 0,"),
              "%s", first);
    r = look(url, etag);
    cr_expect_eq(r->status, 304);
    cr_expect_eq(r->http.body_len, 0);
    cr_assert_eq(api_patch(&d.owner, api_text("/api/v1/appointments/%s", id), 1,
                           "{\"starts_at\":\"%sT12:00\"}", api_day(6))
                     ->status,
                 200);
    r = look(url, etag);
    cr_assert_eq(r->status, 200);
    const char *moved = read_back(r);
    cr_expect(strstr(moved, api_text("%s@gremio", id)), "the same event");
    cr_expect(strstr(moved, api_text("%sT18:00:00UTC", api_day(6))) &&
                  strstr(moved, "CONFIRMED\", 1,"),
              "%s", moved);
    step(&d, id, "cancel", 2);
    const char *over = read_back(look(url, NULL));
    cr_expect(strstr(over, api_text("%s@gremio", id)) && strstr(over, "CANCELLED\", 2,"), "%s",
              over);
    member_close(&m);
    desk_close(&d);
}

Test(calendar, a_clients_is_of_the_link_and_lives_as_long)
{
    struct desk d = desk_open();
    const char *client = api_new_client(&d.owner, "Zoe"), *staff = api_new_staff(&d.owner, "Beto");
    const char *one = book_for(&d, &d.owner, staff, client, api_text("%sT09:00", api_day(4)));
    book_for(&d, &d.owner, staff, client, api_text("%sT11:00", api_day(4)));
    book_for(&d, &d.owner, staff, api_new_client(&d.owner, "Otra"),
             api_text("%sT12:00", api_day(4)));
    db_do(d.db,
          api_text("UPDATE appointment SET notes = 'PRIVATE' WHERE client_id = '%s'", client));
    struct guest_link all = guest_link_to(&d.owner, api_text("clients/%s", client),
                                          GUEST_ALL_SCOPES);
    struct api guest = guest_enter(all.token);
    const char *url = answer_text(subscribe(&guest, "/api/v1/guest/calendar-feeds"), "url");
    struct answer *r = look(url, NULL);
    cr_expect_str_eq(read_back(r), from_tables(&d, api_text("a.client_id = '%s'", client), "b.name",
                                               "Practice A"));
    cr_expect_null(strstr(r->http.body, "PRIVATE"));
    struct api single = guest_of(&d.owner, api_text("appointments/%s", one), "");
    const char *only = answer_text(subscribe(&single, "/api/v1/guest/calendar-feeds"), "url");
    cr_expect_str_eq(read_back(look(only, NULL)),
                     from_tables(&d, api_text("a.id = '%s'", one), "b.name", "Practice A"));
    r = api_get(&single, "/api/v1/guest/appointments/%s/ics", one);
    cr_expect_str_eq(read_back(r), read_back(look(only, NULL)));
    cr_assert_eq(
        api_send(&d.owner, "POST", api_text("/api/v1/links/%s/revoke", all.id), NULL, NULL)->status,
        200);
    r = look(url, NULL);
    cr_expect_eq(r->status, 410, "%s", r->http.body);
    cr_expect_str_eq(answer_code(r), "link_expired");
    struct api blind = guest_of(&d.owner, api_text("clients/%s", client),
                                "\"scopes\":[\"confirm\"]");
    cr_expect_str_eq(
        answer_code(api_send(&blind, "POST", "/api/v1/guest/calendar-feeds", NULL, NULL)),
        "scope_missing");
    api_close(&blind);
    api_close(&single);
    api_close(&guest);
    desk_close(&d);
}

Test(calendar, it_ends_with_whom_it_is_of)
{
    struct desk d = desk_open();
    struct member m = member_join("practice-a", "professional", NULL);
    struct answer *made = subscribe(&m.api, FEEDS);
    const char *url = answer_text(made, "url"), *id = answer_text(made, "id");
    for (int i = 0; i < 4; i++) {
        subscribe(&m.api, FEEDS);
    }
    cr_expect_str_eq(answer_code(api_send(&m.api, "POST", FEEDS, NULL, NULL)), "limit_reached");
    cr_expect_eq(answer_count(api_get(&m.api, FEEDS), "data"), 5);
    cr_expect_null(strstr(api_get(&m.api, FEEDS)->http.body, "url"));
    cr_expect_eq(api_send(&d.owner, "DELETE", api_text(FEEDS "/%s", id), NULL, NULL)->status, 404,
                 "another's");
    cr_expect_eq(look(url, NULL)->status, 200);
    cr_expect_eq(api_send(&m.api, "DELETE", api_text(FEEDS "/%s", id), NULL, NULL)->status, 204);
    cr_expect_eq(look(url, NULL)->status, 410);
    url = answer_text(subscribe(&m.api, FEEDS), "url");
    db_do(d.db, api_text("UPDATE staff SET suspended_at = now() WHERE id = '%s'", m.staff));
    cr_expect_eq(look(url, NULL)->status, 410);
    db_do(d.db, api_text("UPDATE staff SET suspended_at = NULL WHERE id = '%s'", m.staff));
    cr_expect_eq(look(url, NULL)->status, 200);
    db_do(d.db, api_text("UPDATE staff SET archived_at = now() WHERE id = '%s'", m.staff));
    cr_expect_eq(look(url, NULL)->status, 410);
    cr_expect_eq(look("/calendars/nonsense", NULL)->status, 410);
    char *wrong = api_text("%s", url);
    size_t n = strlen(wrong);
    wrong[n - 5] = wrong[n - 5] == 'A' ? 'B' : 'A';
    cr_expect_eq(look(wrong, NULL)->status, 410);
    member_close(&m);
    desk_close(&d);
}
