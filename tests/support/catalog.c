/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Reads just what our own document uses of OpenAPI 3.1: paths, parameters, one JSON body, references by $ref. */
#include "tests/support/catalog.h"
#include "tests/support/guest.h"
#include "tests/support/mail.h"
#include "tests/support/stranger.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static struct json_object *document;

static struct json_object *member(struct json_object *o, const char *name)
{
    struct json_object *out = NULL;
    if (o && json_object_is_type(o, json_type_object)) {
        json_object_object_get_ex(o, name, &out);
    }
    return out;
}

/* Follows "#/components/schemas/x". */
static struct json_object *resolved(struct json_object *o)
{
    struct json_object *ref = member(o, "$ref");
    if (!ref) {
        return o;
    }
    struct json_object *at = document;
    char *path = strdup(json_object_get_string(ref)), *rest = path + 2, *part;
    while ((part = strsep(&rest, "/"))) {
        at = member(at, part);
    }
    free(path);
    return at;
}

size_t catalog_read(struct api *a, struct operation out[CATALOG_MAX])
{
    struct answer *r = api_get(a, "/api/openapi.json");
    cr_assert_eq(r->status, 200, "/api/openapi.json: %d", r->status);
    cr_assert(r->json != NULL, "/api/openapi.json is no JSON");
    document = json_object_get(r->json);
    size_t n = 0;
    json_object_object_foreach(member(document, "paths"), path, item)
    {
        json_object_object_foreach(item, method, doc)
        {
            if (strcmp(method, "parameters") == 0 || n == CATALOG_MAX) {
                continue;
            }
            char upper[16] = "";
            for (size_t i = 0; method[i] && i < sizeof upper - 1; i++) {
                upper[i] = (char)toupper((unsigned char)method[i]);
            }
            out[n++] = (struct operation){ .method = strdup(upper), .path = path, .doc = doc };
        }
    }
    cr_assert_geq(n, 20, "only %zu operations", n);
    return n;
}

struct ids catalog_things(struct api *owner, const char *name, const char *staff,
                          const char *starts_at)
{
    struct ids i = {
        .client = api_new_client(owner, name),
        .service = api_new_service(owner, name, 30),
        .staff = staff ? staff : api_new_staff(owner, name),
        .invitation = api_new_invitation(owner, name),
        .role = api_new_role(owner, api_unique(name), "client.read"),
        .key = api_new_key(owner, name, "client.read"),
    };
    struct answer *r = api_book_anyway(owner, i.client, i.service, i.staff, starts_at);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    i.appointment = answer_text(r, "id");
    r = api_post(owner, "/api/v1/series",
                 "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                 "\"starts_at\":\"%.10sT15:00\",\"rrule\":\"FREQ=DAILY;COUNT=1\","
                 "\"override\":\"whenever\"}",
                 i.client, i.service, i.staff, starts_at);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    i.series = answer_text(r, "id");
    i.schedule = api_new_schedule(owner, i.staff, "\"monday 09:00-14:00\"");
    i.asset = api_new_asset(owner, "room", name);
    i.entry = api_new_wait(owner, i.client, i.service, i.staff);
    i.block = api_new_block(owner, i.staff);
    i.exception = api_new_exception(owner, i.staff, "closed", api_day(400));
    struct guest_link l = guest_link_to(owner, api_text("clients/%s", i.client), GUEST_ALL_SCOPES);
    struct api guest = guest_enter(l.token);
    i.link = l.id;
    i.proposal = guest_proposal(owner, &guest, i.client, "Otra");
    api_close(&guest);
    return i;
}

/* Others may take the next time first. */
void catalog_hold(struct api *owner, struct ids *ids)
{
    struct answer *r = NULL;
    for (int i = 0; i < 50 && (!r || r->status == 409); i++) {
        r = api_get(owner, "/api/v1/availability/next?service_id=%s&staff_id=%s", ids->service,
                    ids->staff);
        r = api_post(owner, "/api/v1/holds",
                     "{\"service_id\":\"%s\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}",
                     ids->service, ids->staff, answer_text(r, "next.at"));
    }
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    ids->hold = answer_text(r, "token");
}

/* The token of what is offered to somebody who waits, from the message. */
static const char *new_offer(struct api *owner)
{
    char *email = api_text("%s@example.com", api_unique("waits"));
    for (char *p = email; *p; p++) {
        *p = *p == ' ' ? '.' : *p;
    }
    struct answer *r = api_post(owner, "/api/v1/clients",
                                "{\"given_name\":\"Waits\",\"email\":\"%s\"}", email);
    r = api_post(owner, "/api/v1/waitlist",
                 "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                 "\"first_day\":\"%s\",\"last_day\":\"%s\"}",
                 answer_text(r, "id"), api_new_service(owner, api_unique("Waited"), 30),
                 api_new_staff(owner, api_unique("Waited")), api_day(40), api_day(50));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    struct mail_read m = mail_wait(email, 1);
    const char *found = strstr(m.text, "/o/");
    cr_assert(found != NULL, "%s", m.text);
    const char *token = api_text("%.54s", found + 3);
    mail_free(&m);
    return token;
}

void catalog_tokens(struct api *owner, struct ids *ids)
{
    ids->offer = new_offer(owner);
    struct answer *r = api_send(owner, "POST", "/api/v1/calendar-feeds", NULL, NULL);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    ids->feed = strrchr(answer_text(r, "url"), '/') + 1;
    catalog_hold(owner, ids);
    stranger_let_in(owner, "");
    stranger_show(owner, ids->service, "public");
    ids->slug = "practice-a";
}

static const char *id_for(const char *name, const struct ids *ids)
{
    const struct {
        const char *prefix, *id;
    } all[] = {
        { "client", ids->client },
        { "schedule-exceptions", ids->exception },
        { "schedule", ids->schedule },
        { "service", ids->service },
        { "asset", ids->asset },
        { "any_of", ids->asset },
        { "waitlist", ids->entry },
        { "blocks", ids->block },
        { "series", ids->series },
        { "staff", ids->staff },
        { "invitation", ids->invitation },
        { "links", ids->link },
        { "proposals", ids->proposal },
        { "role", ids->role },
        { "api-key", ids->key },
        { "appointment", ids->appointment },
        { "holds", ids->hold },
        { "calendars", ids->feed },
        { "offers", ids->offer },
        { "guest/appointments", ids->appointment },
        { "public/", ids->slug },
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i].id && strncmp(name, all[i].prefix, strlen(all[i].prefix)) == 0) {
            return all[i].id;
        }
    }
    return "01900000-0000-7000-8000-000000000000";
}

/* What stands in a path behind its first parameter is a number, or behind a practice's name a service. */
char *catalog_path(const struct operation *op, const struct ids *ids)
{
    const char *brace = strchr(op->path, '{');
    if (!brace) {
        return api_text("%s", op->path);
    }
    bool api = strncmp(op->path, "/api/v1/", strlen("/api/v1/")) == 0;
    const char *resource = op->path + strlen(api ? "/api/v1/" : "/"),
               *rest = strchr(brace, '}') + 1;
    const char *second = strchr(rest, '{');
    return api_text("%.*s%s%.*s%s", (int)(brace - op->path), op->path, id_for(resource, ids),
                    second ? (int)(second - rest) : (int)strlen(rest), rest,
                    !second ? ""
                    : !catalog_for_strangers(op)
                        ? "1"
                        : api_text("%s%s", id_for("service", ids), strchr(second, '}') + 1));
}

char *catalog_target(const struct operation *op, const struct ids *ids)
{
    struct json_object *list = member(op->doc, "parameters");
    size_t count = list ? json_object_array_length(list) : 0;
    char *out = catalog_path(op, ids);
    for (size_t i = 0; i < count; i++) {
        struct json_object *p = resolved(json_object_array_get_idx(list, i));
        const char *name = json_object_get_string(member(p, "name"));
        if (strcmp(json_object_get_string(member(p, "in")), "query") == 0 &&
            json_object_get_boolean(member(p, "required"))) {
            out = api_text("%s%c%s=%s", out, strchr(out, '?') ? '&' : '?', name, id_for(name, ids));
        }
    }
    return out;
}

static bool is_type(struct json_object *schema, const char *type)
{
    struct json_object *t = member(schema, "type");
    if (t && json_object_is_type(t, json_type_array)) {
        t = json_object_array_get_idx(t, 0);
    }
    return t && strcmp(json_object_get_string(t), type) == 0;
}

/* A text that fits by format, else by name. */
static const char *text_for(struct json_object *schema, const char *name, const struct ids *ids)
{
    struct json_object *format = member(schema, "format");
    const char *f = format ? json_object_get_string(format) : "";
    static const struct {
        const char *name, *text;
    } known[] = {
        { "email", "someone@example.com" },
        { "phone", "+525512345678" },
        { "color", "#aabbcc" },
        { "currency", "MXN" },
        { "time_zone", "America/Mexico_City" },
        { "locale", "es-MX" },
        { "birth_date", "1990-05-05" },
        { "role", "read_only" },
        { "permissions", "client.read" },
        { "logo", "iVBORw0KGgo=" },
        { "rrule", "FREQ=DAILY;COUNT=2" },
        { "time_of_day", "11:00" },
        { "ics", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n" },
    };
    if (strcmp(f, "uuid") == 0) {
        return id_for(name, ids);
    }
    if (strcmp(f, "date") == 0 && strcmp(name, "birth_date") != 0) {
        return api_day(400);
    }
    if (strcmp(name, "starts_at") == 0 || strcmp(name, "expires_at") == 0 ||
        strcmp(name, "from") == 0) {
        return api_text("%sT09:00", api_day(300));
    }
    if (strcmp(name, "ends_at") == 0) {
        return api_text("%sT10:00", api_day(300));
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(name, known[i].name) == 0) {
            return known[i].text;
        }
    }
    return "Texto";
}

static struct json_object *value_for(struct json_object *schema, const char *name,
                                     const struct ids *ids)
{
    struct json_object *choices = member(schema, "enum");
    if (choices) {
        return json_object_get(json_object_array_get_idx(choices, 0));
    }
    if (strcmp(name, "questions") == 0) {
        return json_tokener_parse(
            "[{\"key\":\"motivo\",\"label\":{\"es\":\"Motivo\"},\"type\":\"text\"}]");
    }
    if (strcmp(name, "answers") == 0) {
        return json_object_new_object();
    }
    if (is_type(schema, "array")) {
        struct json_object *items = member(schema, "items"), *list = json_object_new_array();
        struct json_object *examples = member(items, "examples");
        json_object_array_add(list, examples
                                        ? json_object_get(json_object_array_get_idx(examples, 0))
                                        : value_for(items, name, ids));
        return list;
    }
    if (is_type(schema, "integer")) {
        struct json_object *least = member(schema, "minimum");
        return json_object_new_int64(least ? json_object_get_int64(least) : 1);
    }
    if (is_type(schema, "boolean")) {
        return json_object_new_boolean(0);
    }
    return json_object_new_string(text_for(schema, name, ids));
}

char *catalog_body(const struct operation *op, const struct ids *ids)
{
    struct json_object *content = member(resolved(member(op->doc, "requestBody")), "content");
    struct json_object *schema = resolved(member(member(content, "application/json"), "schema"));
    struct json_object *properties = member(schema, "properties");
    if (!properties) {
        return NULL;
    }
    struct json_object *out = json_object_new_object();
    json_object_object_foreach(properties, name, property)
    {
        /* the first takes a permission of its own, the second stands for staff_id */
        if (strcmp(name, "override") != 0 && strcmp(name, "asset_id") != 0) {
            json_object_object_add(out, name, value_for(resolved(property), name, ids));
        }
    }
    char *text = api_text("%s", json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
    json_object_put(out);
    return text;
}

bool catalog_needs_token(const struct operation *op)
{
    struct json_object *security = member(op->doc, "security");
    if (!security) {
        security = member(document, "security");
    }
    return security && json_object_array_length(security) > 0;
}

bool catalog_for_guests(const struct operation *op)
{
    return strncmp(op->path, "/api/v1/guest/", 14) == 0;
}

bool catalog_for_strangers(const struct operation *op)
{
    return strncmp(op->path, "/api/v1/public/", 15) == 0;
}

const char *catalog_query(const struct operation *op, size_t n)
{
    struct json_object *list = member(op->doc, "parameters");
    size_t count = list ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *p = resolved(json_object_array_get_idx(list, i));
        struct json_object *in = member(p, "in");
        if (in && strcmp(json_object_get_string(in), "query") == 0 && n-- == 0) {
            return json_object_get_string(member(p, "name"));
        }
    }
    return NULL;
}
