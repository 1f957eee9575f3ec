/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The real rows compile, and their description is valid JSON that names every route, parameter and answer. */
#include <criterion/criterion.h>
#include <json-c/json.h>

#include "common/json.h"
#include "worker/openapi.h"

static struct routes all;

static void compile(void)
{
    struct sbuf why;
    sbuf_init(&why);
    enum err e = routes_compile(route_tables, &all, &why);
    sbuf_char(&why, '\0');
    cr_assert_eq(e, OK, "%s", why.data);
    sbuf_fini(&why);
}

static void done(void)
{
    routes_free(&all);
}

TestSuite(openapi, .init = compile, .fini = done);

static struct json_object *document(void)
{
    struct sbuf text;
    struct arena scratch;
    struct json_fault fault = { 0 };
    struct json_object *doc = NULL;
    sbuf_init(&text);
    arena_init(&scratch, 0);
    openapi_write(&all, &text);
    cr_assert_not(sbuf_failed(&text));
    cr_assert_eq(json_read(sbuf_slice(&text), &scratch, &fault, &doc), OK, "%s at %zu %s",
                 fault.why ? fault.why->code : "", fault.at, fault.pointer);
    arena_fini(&scratch);
    sbuf_fini(&text);
    return doc;
}

/* The member a.b.c.. of o, its names ended by NULL; fails the test when one is missing. */
static struct json_object *at(struct json_object *o, const char *const *names)
{
    for (; *names; names++) {
        struct json_object *next = NULL;
        cr_assert(json_object_object_get_ex(o, *names, &next), "member %s", *names);
        o = next;
    }
    return o;
}
#define AT(o, ...) at(o, (const char *const[]){ __VA_ARGS__, NULL })

static struct json_object *operation(struct json_object *doc, const struct route *r)
{
    char method[16] = "";
    for (size_t i = 0; method_name(r->method)[i]; i++) {
        method[i] = (char)(method_name(r->method)[i] | 0x20);
    }
    return AT(doc, "paths", r->path, method);
}

Test(openapi, names_every_route_with_its_answer)
{
    struct json_object *doc = document();
    cr_assert_str_eq(json_object_get_string(AT(doc, "openapi")), "3.1.0");
    cr_assert_gt(all.count, 25);
    for (size_t i = 0; i < all.count; i++) {
        const struct route *r = all.plans[i].row;
        if (r->page) {
            continue; /* for people */
        }
        struct json_object *op = operation(doc, r);
        char status[16];
        snprintf(status, sizeof(status), "%d", r->success);
        AT(op, "responses", status);
        AT(op, "responses", "default");
        cr_assert_str_eq(json_object_get_string(AT(op, "summary")), r->summary);
        cr_assert_eq(json_object_object_get_ex(op, "security", NULL), r->open);
        cr_assert_eq(json_object_object_get_ex(op, "requestBody", NULL),
                     all.plans[i].params.has_body);
    }
    json_object_put(doc);
}

static bool has_parameter(struct json_object *op, const char *name)
{
    struct json_object *list = AT(op, "parameters");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *v;
        struct json_object *one = json_object_array_get_idx(list, i);
        if ((json_object_object_get_ex(one, "name", &v) ||
             json_object_object_get_ex(one, "$ref", &v)) &&
            strstr(json_object_get_string(v), name)) {
            return true;
        }
    }
    return false;
}

Test(openapi, shows_parameters_headers_and_bounds)
{
    struct json_object *doc = document();
    struct json_object *list = AT(doc, "paths", "/api/v1/clients", "get");
    cr_assert(has_parameter(list, "q"));
    cr_assert(has_parameter(list, "limit"));
    cr_assert(has_parameter(list, "cursor"));
    cr_assert(has_parameter(list, "sort"));
    struct json_object *change = AT(doc, "paths", "/api/v1/clients/{id}", "patch");
    cr_assert(has_parameter(change, "IfMatch"));
    AT(change, "responses", "412");
    AT(change, "responses", "428");
    struct json_object *make = AT(doc, "paths", "/api/v1/services", "post");
    cr_assert(has_parameter(make, "IdempotencyKey"));
    struct json_object *minutes = AT(make, "requestBody", "content", "application/json", "schema",
                                     "properties", "duration_min");
    cr_assert_eq(json_object_get_int(AT(minutes, "minimum")), 1);
    cr_assert_eq(json_object_get_int(AT(minutes, "maximum")), 1440);
    json_object_put(doc);
}

Test(openapi, nests_dotted_columns)
{
    struct json_object *doc = document();
    struct json_object *visit = AT(doc, "components", "schemas", "appointments", "properties");
    AT(visit, "client", "properties", "name");
    AT(visit, "service", "properties", "id");
    cr_assert_str_eq(json_object_get_string(AT(visit, "starts_at", "format")), "date-time");
    struct json_object *guest = AT(doc, "components", "schemas", "guest_appointments",
                                   "properties");
    AT(guest, "can", "properties", "confirm");
    AT(guest, "can", "properties", "reschedule", "properties", "left");
    struct json_object *made = AT(doc, "components", "schemas", "clients_links_POST", "properties");
    AT(made, "texts", "properties", "es", "properties", "whatsapp_url");
    AT(made, "expires_at");
    json_object_put(doc);
}

Test(openapi, shows_lists)
{
    struct json_object *doc = document();
    struct json_object *body = AT(doc, "paths", "/api/v1/clients/{id}/links", "post", "requestBody",
                                  "content", "application/json", "schema", "properties");
    struct json_object *scopes = AT(body, "scopes");
    cr_assert_str_eq(json_object_get_string(AT(scopes, "type")), "array");
    cr_assert_eq(json_object_array_length(AT(scopes, "items", "enum")), 5);
    cr_assert_eq(json_object_array_length(AT(scopes, "default")), 4);
    json_object_put(doc);
}

Test(openapi, text_is_made_once)
{
    struct slice etag, again;
    struct slice one = openapi_text(&all, &etag), two = openapi_text(&all, &again);
    cr_expect(slice_eq(etag, again) && etag.n == 34);
    cr_assert_gt(one.n, 1000);
    cr_assert_eq(one.p, two.p);
}
