/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The pages of who has opened a link, over real sockets: confirming, moving, cancelling, contact data; what went wrong is said on the page, and
 * nothing that people typed is ever markup or a field. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/sbuf.h"
#include "tests/support/db.h"
#include "tests/support/scene.h"

TestSuite(guest_forms, .timeout = 120);

Test(guest_forms, confirming)
{
    struct scene s = scene_of("");
    struct visitor v = { .language = "en" };
    visitor_open(&v, s.link.token);
    cr_expect(visitor_sees(visitor_get(&v, "/i"), "Confirm that I will come"));
    scene_expect_led(visitor_post(&v, "/i/confirm", api_text("id=%s", s.visit)),
                     "/i?done=confirmed");
    const struct http_response *r = visitor_get(&v, "/i?done=confirmed");
    cr_expect(visitor_sees(r, "role=\"status\"") && visitor_sees(r, "Confirmed by you"));
    cr_expect_not(visitor_sees(r, "Confirm that I will come"));
    scene_expect_led(visitor_post(&v, "/i/confirm", api_text("id=%s", s.visit)),
                     "/i?done=confirmed");
    scene_leave(&s, &v);
}

/* The first of the page's free times, as its radio button has it. */
static char *first_start(const struct http_response *r)
{
    static const char mark[] = "name=\"starts_at\" value=\"";
    const char *at = strstr(r->body, mark);
    cr_assert(at, "no free time: %s", r->body);
    at += sizeof mark - 1;
    return api_text("%.*s", (int)strcspn(at, "\""), at);
}

static char *version_of(const struct http_response *r)
{
    static const char mark[] = "name=\"version\" value=\"";
    const char *at = strstr(r->body, mark) + sizeof mark - 1;
    return api_text("%.*s", (int)strcspn(at, "\""), at);
}

static char *escaped(const char *start)
{
    struct sbuf out;
    sbuf_init(&out);
    sbuf_percent(&out, slice_of(start));
    char *text = api_text("%.*s", (int)out.len, out.data);
    sbuf_fini(&out);
    return text;
}

Test(guest_forms, moving)
{
    struct scene s = scene_of("");
    struct visitor v = { .language = "en" };
    visitor_open(&v, s.link.token);
    char *page = api_text("/i/reschedule?appointment=%s&day=%s", s.visit, guest_day(10, 1));
    const struct http_response *r = visitor_get(&v, "%s", page);
    scene_expect_page(r, 200, "en");
    char *start = first_start(r), *version = version_of(r);
    cr_expect(visitor_sees(r, "Tuesday") && visitor_sees(r, "Later days") &&
              visitor_sees(r, "Earlier days"));
    char *form = api_text("id=%s&version=%s&starts_at=%s", s.visit, version, escaped(start));
    scene_expect_led(visitor_post(&v, "/i/reschedule", form), "/i?done=moved");
    struct answer *visit = api_get(&s.owner, "/api/v1/appointments/%s", s.visit);
    cr_expect_str_eq(answer_text(visit, "starts_at"), start);
    char *back = api_text("/i/reschedule?appointment=%s&problem=", s.visit);
    scene_expect_led(visitor_post(&v, "/i/reschedule", form), api_text("%sversion_conflict", back));
    scene_expect_led(visitor_post(&v, "/i/reschedule", api_text("id=%s", s.visit)),
                     api_text("%svalidation_failed", back));
    r = visitor_get(&v, "%svalidation_failed", back);
    cr_expect(r->status == 200 && visitor_sees(r, "role=\"alert\""), "%s", r->body);
    scene_leave(&s, &v);
}

/* Somebody takes the time while the page is read. */
Test(guest_forms, a_time_that_was_taken_meanwhile)
{
    struct scene s = scene_of("");
    struct visitor v = { .language = "es" };
    visitor_open(&v, s.link.token);
    const struct http_response *r = visitor_get(&v, "/i/reschedule?appointment=%s&day=%s", s.visit,
                                                guest_day(10, 2));
    char *start = first_start(r);
    struct answer *other = api_book(&s.owner, api_new_client(&s.owner, "Ana"),
                                    api_new_service(&s.owner, "Larga", 60), s.staff, start);
    cr_assert_eq(other->status, 201, "%s", other->http.body);
    r = visitor_post(&v, "/i/reschedule", api_text("id=%s&starts_at=%s", s.visit, escaped(start)));
    scene_expect_led(r, api_text("/i/reschedule?appointment=%s&problem=slot_taken", s.visit));
    r = visitor_get(&v, "%s", http_response_header(r, "location"));
    cr_expect(visitor_sees(r, "se acaba de ocupar"), "%s", r->body);
    scene_leave(&s, &v);
}

Test(guest_forms, cancelling_asks_first)
{
    struct scene s = scene_of("");
    struct visitor v = { .language = "en" };
    visitor_open(&v, s.link.token);
    const struct http_response *r = visitor_get(&v, "/i/cancel?appointment=%s", s.visit);
    scene_expect_page(r, 200, "en");
    cr_expect_str_eq(scene_visit(&s, "state"), "confirmed");
    cr_expect(visitor_sees(r, "Cancel this appointment?"));
    scene_expect_led(
        visitor_post(&v, "/i/cancel",
                     api_text("id=%s&version=%s&reason=a%%3Cb%%3E", s.visit, version_of(r))),
        "/i?done=cancelled");
    cr_expect_str_eq(scene_visit(&s, "state"), "cancelled");
    r = visitor_get(&v, "/i?done=cancelled");
    cr_expect(visitor_sees(r, "Cancelled") && !visitor_sees(r, "/i/cancel"));
    scene_expect_led(visitor_get(&v, "/i/cancel?appointment=%s", s.visit),
                     "/i?problem=state_conflict");
    scene_leave(&s, &v);
}

Test(guest_forms, what_is_too_late_is_said_with_whom_to_call)
{
    struct scene s = scene_of("");
    struct visitor v = { .language = "en" };
    PGconn *db = scene_db();
    db_do(db, api_text("UPDATE appointment SET policy = policy || '{\"cancel_cutoff_min\": 43200,"
                       " \"reschedule_cutoff_min\": 43200}' WHERE id = '%s'",
                       s.visit));
    visitor_open(&v, s.link.token);
    const struct http_response *r = visitor_get(&v, "/i");
    cr_expect(visitor_sees(r, "can no longer be changed or cancelled here"), "%s", r->body);
    cr_expect_not(visitor_sees(r, "/i/cancel") || visitor_sees(r, "/i/reschedule"));
    scene_expect_led(visitor_post(&v, "/i/cancel", api_text("id=%s", s.visit)),
                     "/i?problem=cutoff_passed");
    cr_expect(visitor_sees(visitor_get(&v, "/i?problem=cutoff_passed"), "too late"));
    scene_expect_led(visitor_get(&v, "/i/reschedule?appointment=%s", s.visit),
                     "/i?problem=cutoff_passed");
    cr_expect_str_eq(scene_visit(&s, "state"), "confirmed");
    PQfinish(db);
    scene_leave(&s, &v);
}

Test(guest_forms, contact_data_are_proposed)
{
    struct scene s = scene_of("\"scopes\":[\"see\",\"profile\"]");
    struct visitor v = { .language = "en" };
    visitor_open(&v, s.link.token);
    const struct http_response *r = visitor_get(&v, "/i");
    cr_expect(visitor_sees(r, "/i/profile") && !visitor_sees(r, "/i/cancel"));
    scene_expect_page(visitor_get(&v, "/i/profile"), 200, "en");
    scene_expect_led(
        visitor_post(&v, "/i/profile", "given_name=%3Cb%3EZoe&phone=%2B52+55+1234+5678"),
        "/i?done=profile");
    r = visitor_get(&v, "/i/profile");
    cr_expect(visitor_sees(r, "value=\"&lt;b&gt;Zoe\"") && visitor_sees(r, "+525512345678"), "%s",
              r->body);
    scene_expect_led(visitor_post(&v, "/i/profile", "phone=12"),
                     "/i/profile?problem=validation_failed");
    scene_expect_led(visitor_post(&v, "/i/cancel", api_text("id=%s", s.visit)),
                     "/i?problem=scope_missing");
    scene_leave(&s, &v);
}

Test(guest_forms, a_link_shows_its_own_client_only)
{
    struct scene s = scene_of(""), other = scene_of("");
    struct visitor v = { 0 };
    visitor_open(&v, s.link.token);
    scene_expect_led(visitor_get(&v, "/i/cancel?appointment=%s", other.visit),
                     "/i?problem=not_found");
    scene_expect_led(visitor_post(&v, "/i/cancel", api_text("id=%s", other.visit)),
                     "/i?problem=not_found");
    cr_expect_str_eq(scene_visit(&other, "state"), "confirmed");
    cr_assert_eq(
        api_send(&s.owner, "POST", api_text("/api/v1/links/%s/revoke", s.link.id), NULL, NULL)
            ->status,
        200);
    scene_expect_page(visitor_get(&v, "/i"), 410, "es");
    api_close(&other.owner);
    scene_leave(&s, &v);
}

/* ---- names that are markup ---- */

Test(guest_forms, what_people_typed_is_never_markup)
{
    struct scene s = scene_of("");
    struct visitor v = { .language = "en" };
    PGconn *db = scene_db();
    char *name = db_value(db, "SELECT name FROM business", NULL);
    db_do(db, "UPDATE business SET name = '</title><script>x</script>\"><img src=x>'");
    db_do(db,
          api_text("UPDATE client SET given_name = '<svg/onload=x>' WHERE id = '%s'", s.client));
    db_do(db, api_text("UPDATE service SET name = '\"><b>' WHERE id = (SELECT service_id FROM"
                       " appointment WHERE id = '%s')",
                       s.visit));
    db_do(db, api_text("UPDATE staff SET name = '''<i>' WHERE id = '%s'", s.staff));
    db_do(db, "UPDATE branding SET logo = '\\x89504e47', logo_type = 'image/png'");
    visitor_open(&v, s.link.token);
    const char *const paths[] = {
        api_text("/i/%s", s.link.token),
        "/i",
        api_text("/i/reschedule?appointment=%s", s.visit),
        api_text("/i/cancel?appointment=%s", s.visit),
        "/i?problem=%3Cscript%3E&done=%22%3E%3Cimg%3E",
    };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const struct http_response *r = visitor_get(&v, "%s", paths[i]);
        scene_expect_page(r, 200, "en");
        cr_expect_not(visitor_sees(r, "<svg") || visitor_sees(r, "<b>") || visitor_sees(r, "<i>") ||
                          visitor_sees(r, "<img src=x"),
                      "%s", paths[i]);
        cr_expect(visitor_sees(r, "<img src=\"data:image/png;base64,iVBORw==\" alt=\"\">"));
    }
    char *quoted = PQescapeLiteral(db, name, strlen(name));
    db_do(db, api_text("UPDATE business SET name = %s", quoted));
    PQfreemem(quoted);
    db_do(db, "UPDATE branding SET logo = NULL, logo_type = NULL");
    free(name);
    PQfinish(db);
    scene_leave(&s, &v);
}

/* No field of an answer is split, whatever comes in. */
Test(guest_forms, no_field_is_split)
{
    struct scene s = scene_of("");
    struct visitor v = { 0 };
    visitor_open(&v, s.link.token);
    const char *const forms[] = {
        "id=%0d%0aSet-Cookie:+a=b",
        api_text("id=%s%%0d%%0aX-Evil:+1", s.visit),
        api_text("id=%s&starts_at=x%%0d%%0aX-Evil:+1", s.visit),
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const struct http_response *r = visitor_post(&v, "/i/reschedule", forms[i]);
        cr_expect_eq(r->status, 303);
        cr_expect_null(http_response_header(r, "x-evil"));
        cr_expect_null(http_response_header(r, "set-cookie"));
        const char *location = http_response_header(r, "location");
        cr_expect(strncmp(location, "/i/reschedule?appointment=", 26) == 0 &&
                      !strpbrk(location, "\r\n %"),
                  "%s", location);
    }
    static const char *const paths[] = { "/i/%0d%0aX-Evil:1", "/i?problem=%0d%0aX-Evil:1",
                                         "/i/a%0d%0ab/code" };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const struct http_response *r = visitor_send(&v, "GET", paths[i], NULL, NULL);
        cr_expect_geq(r->status, 400);
        cr_expect_null(http_response_header(r, "x-evil"));
    }
    scene_leave(&s, &v);
}
