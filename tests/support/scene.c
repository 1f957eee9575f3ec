/* SPDX-License-Identifier: LicenseRef-Gremio */
#include "tests/support/scene.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/db.h"

static const char *booked(struct scene *s, const char *day, const char *clock)
{
    struct answer *r = api_book(&s->owner, s->client, api_new_service(&s->owner, "Limpieza", 30),
                                s->staff, api_text("%sT%s", day, clock));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return answer_text(r, "id");
}

struct scene scene_of(const char *members)
{
    struct scene s = { .owner = api_login(OWNER_A) };
    struct answer *r = api_post(&s.owner, "/api/v1/clients",
                                "{\"given_name\":\"%s\",\"family_name\":\"Privada\",\"email\":"
                                "\"%s@example.com\",\"birth_date\":\"1990-05-05\"}",
                                api_unique("Zoe"), strrchr(api_unique("g"), ' ') + 1);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    s.client = answer_text(r, "id");
    s.staff = api_new_staff(&s.owner, api_unique("Dra"));
    s.visit = booked(&s, guest_monday(10), "10:00");
    s.link = guest_link_to(&s.owner, api_text("clients/%s", s.client), members);
    return s;
}

void scene_leave(struct scene *s, struct visitor *v)
{
    visitor_forget(v);
    api_close(&s->owner);
    api_release();
}

PGconn *scene_db(void)
{
    PGconn *db = db_super();
    char *code = db_code(db, "practice-a");
    db_do(db, api_text("SET search_path = t_%s", code));
    free(code);
    return db;
}

const char *scene_visit(struct scene *s, const char *member)
{
    return answer_text(api_get(&s->owner, "/api/v1/appointments/%s", s->visit), member);
}

void scene_expect_page(const struct http_response *r, int status, const char *language)
{
    static const struct {
        const char *name, *value;
    } fields[] = {
        { "content-type", "text/html; charset=utf-8" },
        { "cache-control", "no-store" },
        { "x-robots-tag", "noindex" },
        { "x-content-type-options", "nosniff" },
    };
    cr_expect_eq(r->status, status, "%d %s", r->status, r->body);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *value = http_response_header(r, fields[i].name);
        cr_expect(value && strcmp(value, fields[i].value) == 0, "%s: %s", fields[i].name, value);
    }
    const char *csp = http_response_header(r, "content-security-policy");
    cr_expect(csp && strstr(csp, "default-src 'none'; style-src 'sha256-") &&
                  strstr(csp, "; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
              "%s", csp);
    const char *policy = http_response_header(r, "referrer-policy");
    cr_expect(policy && strstr("no-referrer same-origin", policy), "%s", policy);
    cr_expect_str_eq(http_response_header(r, "content-language"), language);
    cr_expect(visitor_sees(r, api_text("<html lang=\"%s\">", language)));
    cr_expect_not(visitor_sees(r, "<script"));
    cr_expect_not(visitor_sees(r, "style="));
}

void scene_expect_led(const struct http_response *r, const char *where)
{
    cr_expect_eq(r->status, 303, "%d %s", r->status, r->body);
    const char *location = http_response_header(r, "location");
    cr_expect(location && strcmp(location, where) == 0, "%s, not %s", location, where);
    cr_expect_eq(r->body_len, 0);
}
