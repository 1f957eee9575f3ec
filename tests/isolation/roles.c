/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Role x route x whose object, over every operation of /api/openapi.json: what the rule below allows is not refused, what
 * it does not is 401 or 403 whatever object is named, and a foreign object is 404 to those who may ask. And members
 * that no request may set: each that an answer shows and no request declares is refused by name and changes nothing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/catalog.h"
#include "tests/support/db.h"
#include "tests/support/forge.h"
#include "tests/support/guest.h"

TestSuite(roles, .timeout = 120);

enum caller { OWNER, STAFF, GUEST, STRANGER, NOBODY, CALLERS };
static const char *const names[CALLERS] = { "owner", "staff", "guest", "a role nobody has",
                                            "nobody" };

struct stage {
    struct api callers[CALLERS];
    struct api other; /* practice b's owner */
    struct ids own, foreign;
    struct operation ops[CATALOG_MAX];
    size_t count;
};

static struct ids make_things(struct api *who)
{
    struct ids i = { 0 };
    i.client = api_new_client(who, api_unique("Role"));
    i.service = api_new_service(who, api_unique("Role"), 5);
    i.staff = api_new_staff(who, api_unique("Role"));
    struct answer *r = api_book(who, i.client, i.service, i.staff,
                                api_text("%sT09:00", api_day(150)));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    i.appointment = answer_text(r, "id");
    i.invitation = api_new_invitation(who, api_unique("Role"));
    struct guest_link l = guest_link_to(who, api_text("clients/%s", i.client), GUEST_ALL_SCOPES);
    struct api guest = guest_enter(l.token);
    i.link = l.id;
    i.proposal = guest_proposal(who, &guest, i.client, "Otra");
    api_close(&guest);
    return i;
}

/* The owner's token with another role, signed as the product would. */
static struct api with_role(const struct api *owner, const char *role)
{
    char kid[80], *header = forge_part(owner->token, 0), *claims = forge_part(owner->token, 1);
    struct json_object *o = json_tokener_parse(claims);
    json_object_object_add(o, "role", json_object_new_string(role));
    EVP_PKEY *key = forge_real_key(kid);
    char *token = forge_es256(key, header, json_object_to_json_string(o));
    struct api a = api_anonymous();
    snprintf(a.token, sizeof a.token, "%s", token);
    EVP_PKEY_free(key);
    json_object_put(o);
    free(token);
    free(header);
    free(claims);
    return a;
}

static struct stage *stage_open(void)
{
    static struct stage the_stage; /* one a process */
    struct stage *s = &the_stage;
    s->callers[OWNER] = api_login(OWNER_A);
    s->callers[STAFF] = with_role(&s->callers[OWNER], "staff");
    s->callers[STRANGER] = with_role(&s->callers[OWNER], "viewer");
    s->callers[NOBODY] = api_anonymous();
    s->other = api_login(OWNER_B);
    s->own = make_things(&s->callers[OWNER]);
    s->callers[GUEST] = guest_of(&s->callers[OWNER], api_text("clients/%s", s->own.client),
                                 GUEST_ALL_SCOPES);
    s->foreign = make_things(&s->other);
    s->count = catalog_read(&s->callers[OWNER], s->ops);
    return s;
}

static void stage_close(struct stage *s)
{
    for (int i = 0; i < CALLERS; i++) {
        api_close(&s->callers[i]);
    }
    api_close(&s->other);
    api_release();
}

static bool about(const struct operation *op, const char *resource)
{
    return strncmp(op->path + strlen("/api/v1/"), resource, strlen(resource)) == 0;
}

/* The rule, written down a second time: owners do everything; staff read everything and work with clients and agenda;
 * guests have routes of their own, and nobody else has them; a role that is not known may nothing. */
static bool allowed(enum caller who, const struct operation *op)
{
    if (!catalog_needs_token(op)) {
        return true;
    }
    if (catalog_for_guests(op)) {
        return who == GUEST;
    }
    switch (who) {
    case OWNER:
        return true;
    case STAFF:
        return (strcmp(op->method, "GET") == 0 && !about(op, "invitations")) ||
               about(op, "clients") || about(op, "appointments") || about(op, "links") ||
               about(op, "proposals");
    case GUEST:
    case STRANGER:
    case NOBODY:
    case CALLERS:
        break;
    }
    return false;
}

/* About the account, not the practice, whatever the role; some end the session that all callers share:
 * tests/system/auth.c, tests/system/sessions.c. */
static bool skipped(const struct operation *op)
{
    return about(op, "auth") && strcmp(op->method, "GET") != 0 && catalog_needs_token(op);
}

static struct answer *call(struct stage *s, enum caller who, const struct operation *op,
                           const struct ids *ids)
{
    struct ids fresh = *ids;
    if (strcmp(op->method, "DELETE") == 0 && ids == &s->own) {
        fresh.client = api_new_client(&s->callers[OWNER], api_unique("Role"));
    }
    return api_send(&s->callers[who], op->method, catalog_path(op, &fresh),
                    catalog_body(op, &s->own), "If-Match: \"1\"\r\n");
}

static void expect_cell(enum caller who, const struct operation *op, bool foreign, int status)
{
    bool good;
    if (!allowed(who, op)) {
        good = status == (who == NOBODY ? 401 : 403);
    } else if (foreign && strchr(op->path, '{')) {
        good = status == 404;
    } else {
        bool login = strstr(op->path, "/auth/") != NULL; /* whose refusal of strangers is a 401 */
        good = status >= 200 && status < 500 && status != 403 && status != 404 && status != 405 &&
               (login || status != 401);
    }
    cr_expect(good, "%s: %s %s of %s practice: %d", names[who], op->method, op->path,
              foreign ? "another" : "the own", status);
}

Test(roles, matrix_of_roles_routes_and_objects)
{
    struct stage *s = stage_open();
    size_t cells = 0, refused = 0;
    for (size_t i = 0; i < s->count; i++) {
        for (int who = 0; !skipped(&s->ops[i]) && who < CALLERS; who++) {
            for (int foreign = 0; foreign <= 1; foreign++, cells++) {
                const struct ids *ids = foreign ? &s->foreign : &s->own;
                int status = call(s, (enum caller)who, &s->ops[i], ids)->status;
                expect_cell((enum caller)who, &s->ops[i], foreign, status);
                refused += !allowed((enum caller)who, &s->ops[i]);
            }
        }
    }
    printf("roles: %zu operations, %zu cells, %zu of them to be refused\n", s->count, cells,
           refused);
    cr_expect_geq(cells, 160);
    cr_expect_geq(refused, 60);
    stage_close(s);
}

/* Everything of practice a's rows in one text. */
static char *fingerprint(PGconn *super, const char *code)
{
    char *sql = api_text("SELECT md5(string_agg(x, '|' ORDER BY x)) FROM ("
                         "SELECT c::text x FROM t_%s.client c UNION ALL SELECT s::text FROM "
                         "t_%s.service s UNION ALL SELECT s::text FROM t_%s.staff s UNION ALL "
                         "SELECT a::text FROM t_%s.appointment a UNION ALL SELECT b::text FROM "
                         "t_%s.business b) rows",
                         code, code, code, code, code);
    return db_value(super, sql, NULL);
}

/* Members of the answer about the operation's object. */
static struct json_object *shown(struct stage *s, const struct operation *op)
{
    static const char *const kinds[] = { "clients", "services", "staff", "appointments" };
    const char *const ids[] = { s->own.client, s->own.service, s->own.staff, s->own.appointment };
    const char *path = about(op, "business") ? "/api/v1/business" : "/api/v1/me";
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (about(op, kinds[i])) {
            path = api_text("/api/v1/%s/%s", kinds[i], ids[i]);
        }
    }
    struct answer *r = api_get(&s->callers[OWNER], "%s", path);
    cr_assert(r->status == 200 && json_object_is_type(r->json, json_type_object), "%s", path);
    return r->json;
}

/* Sends the body with one member more; 1 when it was tried. */
static size_t try_member(struct stage *s, const struct operation *op, const char *body,
                         const char *name)
{
    struct json_object *o = json_tokener_parse(body);
    bool declared = json_object_object_get_ex(o, name, NULL);
    json_object_object_add(o, name, json_object_new_string("1"));
    struct answer *r = declared ? NULL
                                : api_send(&s->callers[catalog_for_guests(op) ? GUEST : OWNER],
                                           op->method, catalog_path(op, &s->own),
                                           json_object_to_json_string(o), "If-Match: \"1\"\r\n");
    if (r) {
        cr_expect_eq(r->status, 422, "%s %s with %s: %d", op->method, op->path, name, r->status);
        cr_expect(answer_blames(r, api_text("/%s", name)), "%s: %s", name, r->http.body);
    }
    json_object_put(o);
    return !declared;
}

Test(roles, no_member_is_set_that_no_request_declares)
{
    static const char *const guesses[] = {
        "id",          "tenant",      "tenant_id",    "version",    "created_at",
        "updated_at",  "archived_at", "owner",        "account_id", "is_admin",
        "permissions", "epoch",       "state_by",     "deleted",    "password_hash",
        "__proto__",   "constructor", "price_minor ", "Name",       "",
    };
    struct stage *s = stage_open();
    PGconn *super = db_super();
    char *code = db_code(super, "practice-a"), *before = fingerprint(super, code);
    size_t tried = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct operation *op = &s->ops[i];
        const char *body = catalog_body(op, &s->own);
        if (!body || skipped(op)) {
            continue;
        }
        for (size_t k = 0; k < ARRAY_LEN(guesses); k++) {
            tried += try_member(s, op, body, guesses[k]);
        }
        json_object_object_foreach(shown(s, op), name, value)
        {
            UNUSED(value);
            tried += try_member(s, op, body, name);
        }
    }
    char *after = fingerprint(super, code);
    cr_expect_str_eq(before, after, "something was stored");
    printf("roles: %zu members that no request declares\n", tried);
    cr_expect_geq(tried, 250);
    free(before);
    free(after);
    free(code);
    PQfinish(super);
    stage_close(s);
}
