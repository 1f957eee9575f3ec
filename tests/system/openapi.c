/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The API describes itself: the document is OpenAPI 3.1, complete, and each read it lists can be called; the pages
 * that show it are served from here with a strict policy. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/catalog.h"
#include "tests/support/guest.h"

TestSuite(openapi, .timeout = 60);

/* What clients rely on; the document may hold more. */
static const char *const promised[] = {
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/logout",
    "GET /api/v1/me",
    "GET /api/v1/business",
    "PATCH /api/v1/business",
    "GET /api/v1/staff",
    "POST /api/v1/staff",
    "GET /api/v1/staff/{id}",
    "PATCH /api/v1/staff/{id}",
    "GET /api/v1/services",
    "POST /api/v1/services",
    "GET /api/v1/services/{id}",
    "PATCH /api/v1/services/{id}",
    "GET /api/v1/clients",
    "POST /api/v1/clients",
    "GET /api/v1/clients/{id}",
    "PATCH /api/v1/clients/{id}",
    "DELETE /api/v1/clients/{id}",
    "GET /api/v1/appointments",
    "POST /api/v1/appointments",
    "GET /api/v1/appointments/{id}",
    "PATCH /api/v1/appointments/{id}",
    "POST /api/v1/appointments/{id}/cancel",
    "GET /api/v1/schedules",
    "POST /api/v1/schedules",
    "PATCH /api/v1/schedules/{id}",
    "DELETE /api/v1/schedules/{id}",
    "GET /api/v1/schedule-exceptions",
    "POST /api/v1/schedule-exceptions",
    "PATCH /api/v1/schedule-exceptions/{id}",
    "DELETE /api/v1/schedule-exceptions/{id}",
    "GET /api/v1/services/{id}/staff",
    "PUT /api/v1/services/{id}/staff",
    "GET /api/v1/availability/slots",
    "GET /api/v1/availability/days",
    "GET /api/v1/availability/next",
};

Test(openapi, holds_every_promised_route)
{
    static struct operation ops[CATALOG_MAX];
    struct api a = api_anonymous();
    size_t n = catalog_read(&a, ops);
    for (size_t i = 0; i < ARRAY_LEN(promised); i++) {
        bool found = false;
        for (size_t k = 0; k < n && !found; k++) {
            found = strcmp(promised[i], api_text("%s %s", ops[k].method, ops[k].path)) == 0;
        }
        cr_expect(found, "%s is not described", promised[i]);
    }
    api_close(&a);
    api_release();
}

Test(openapi, is_version_3_1_and_names_problems)
{
    struct api a = api_anonymous();
    struct answer *r = api_get(&a, "/api/openapi.json");
    cr_assert_eq(r->status, 200);
    cr_expect_str_eq(answer_header(r, "content-type"), "application/json");
    cr_expect(strncmp(answer_text(r, "openapi"), "3.1.", 4) == 0);
    cr_expect(answer_text(r, "info.title") && answer_text(r, "info.version"));
    static struct operation ops[CATALOG_MAX];
    size_t n = catalog_read(&a, ops);
    for (size_t i = 0; i < n; i++) {
        struct json_object *part;
        cr_expect(json_object_object_get_ex(ops[i].doc, "summary", &part), "%s %s has no summary",
                  ops[i].method, ops[i].path);
        cr_expect(json_object_object_get_ex(ops[i].doc, "responses", &part), "%s %s", ops[i].method,
                  ops[i].path);
        cr_expect(part && strstr(json_object_to_json_string(part), "Problem"),
                  "%s %s names no problem", ops[i].method, ops[i].path);
    }
    api_close(&a);
    api_release();
}

Test(openapi, is_not_sent_twice)
{
    struct api a = api_anonymous();
    const char *etag = answer_header(api_get(&a, "/api/openapi.json"), "etag");
    cr_assert_not_null(etag);
    a.headers = api_text("If-None-Match: %s\r\n", etag);
    struct answer *r = api_get(&a, "/api/openapi.json");
    cr_expect_eq(r->status, 304);
    cr_expect_eq(r->http.body_len, 0);
    cr_expect_str_eq(answer_header(r, "etag"), etag);
    a.headers = "If-None-Match: \"another\"\r\n";
    cr_expect_eq(api_get(&a, "/api/openapi.json")->status, 200);
    api_close(&a);
    api_release();
}

Test(openapi, every_read_can_be_called)
{
    static struct operation ops[CATALOG_MAX];
    struct api a = api_login(OWNER_A);
    struct ids ids = catalog_things(&a, api_unique("Doc"), NULL, api_text("%sT09:00", api_day(30)));
    catalog_tokens(&a, &ids);
    size_t n = catalog_read(&a, ops);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(ops[i].method, "GET") == 0 && !catalog_for_guests(&ops[i])) {
            char *path = catalog_target(&ops[i], &ids);
            struct answer *r = api_get(&a, "%s", path);
            cr_expect_eq(r->status, 200, "%s: %d %s", path, r->status, r->http.body);
            struct answer *head = api_send(&a, "HEAD", path, NULL, NULL);
            cr_expect_eq(head->status, 200, "HEAD %s: %d", path, head->status);
        }
    }
    api_close(&a);
    api_release();
}

/* Bodies made from the document's own schemas are understood: never an unknown field, never a wrong type. */
Test(openapi, schemas_fit_what_is_accepted)
{
    static struct operation ops[CATALOG_MAX];
    struct api a = api_login(OWNER_A);
    struct ids ids = catalog_things(&a, api_unique("Doc"), NULL, api_text("%sT09:00", api_day(31)));
    catalog_hold(&a, &ids);
    size_t n = catalog_read(&a, ops);
    for (size_t i = 0; i < n; i++) {
        char *body = catalog_body(&ops[i], &ids);
        if (!body || strstr(ops[i].path, "/auth/") || strstr(ops[i].path, "/accept") ||
            strncmp(ops[i].path, "/api/v1/links/", 14) == 0 || catalog_for_guests(&ops[i]) ||
            catalog_for_strangers(&ops[i])) {
            continue;
        }
        struct answer *r = api_send(&a, ops[i].method, catalog_path(&ops[i], &ids), body,
                                    "If-Match: \"999\"\r\n");
        cr_expect(r->status == 201 || r->status == 412 || r->status == 409 || r->status == 200,
                  "%s %s %s: %d %s", ops[i].method, ops[i].path, body, r->status, r->http.body);
    }
    api_close(&a);
    api_release();
}
