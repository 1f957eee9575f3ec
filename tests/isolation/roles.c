/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Role x route x whose object, over every operation of /api/openapi.json: what the rule below allows is not refused, what
 * it does not is 401 or 403 whatever object is named, and an object out of reach (a colleague's, another practice's) is as if it were
 * not there. And members that no request may set: each that an answer shows and no request declares is refused by name and changes
 * nothing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/sbuf.h"
#include "tests/support/catalog.h"
#include "tests/support/db.h"
#include "tests/support/forge.h"
#include "tests/support/guest.h"
#include "tests/support/member.h"

TestSuite(roles, .timeout = 240);

/* The rule, written down a second time. A word without a colon reaches everything. */
static const struct {
    const char *role, *words;
} rules[] = {
    { "owner", " self business.read business.write staff.read staff.write role.write key.write"
               " service.read"
               " service.write client.read client.write appointment.read appointment.book"
               " appointment.change appointment.cancel appointment.attend appointment.override"
               " appointment.reopen link.read link.write " },
    { "receptionist", " self business.read staff.read service.read client.read client.write"
                      " appointment.read appointment.book appointment.change appointment.cancel"
                      " appointment.attend appointment.override link.read link.write " },
    { "professional", " self business.read staff.read service.read client.read:own client.write:own"
                      " appointment.read:own appointment.book:own appointment.change:own"
                      " appointment.cancel:own appointment.attend:own appointment.override:own"
                      " appointment.reopen:own link.read:own link.write:own " },
    { "assistant", " self business.read staff.read service.read client.read:team"
                   " client.write:team appointment.read:team appointment.book:team"
                   " appointment.change:team appointment.cancel:team appointment.attend:team"
                   " link.read:team link.write:team " },
    { "read_only", " self business.read staff.read service.read client.read appointment.read"
                   " link.read " },
    { "custom", " self service.read client.read:team client.write:own appointment.read"
                " appointment.book:own " },
    { "guest", " guest:own " },
    { "nowhere", " " }, /* a role that no practice has */
    { "nobody", " " },  /* no token at all */
};

enum {
    CALLERS = ARRAY_LEN(rules),
    GUEST = CALLERS - 3,
    NOWHERE = CALLERS - 2,
    NOBODY = CALLERS - 1
};
enum whose { OWN, MATE, COLLEAGUE, FOREIGN, WHOSE };
static const char *const whose_names[WHOSE] = { "own", "team", "colleague", "foreign" };

struct caller {
    struct member member;
    struct api *api;
    struct ids own;
};

struct stage {
    struct api owner, other; /* of practices a and b */
    struct api guest, nowhere, nobody;
    struct member mate, colleague;
    struct caller callers[CALLERS];
    struct ids ids[WHOSE]; /* OWN is the caller's */
    struct operation ops[CATALOG_MAX];
    size_t count;
};

/* ---- the stage ---- */

static const char *next_day(void)
{
    static int day = 150;
    return api_day(day++);
}

/* One of everything, with an appointment of that staff member, made by an owner. */
static struct ids make_things(struct api *owner, const char *staff)
{
    return catalog_things(owner, api_unique("Role"), staff, api_text("%sT09:00", next_day()));
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

static void enter(struct stage *s, int who)
{
    struct caller *c = &s->callers[who];
    bool custom = strcmp(rules[who].role, "custom") == 0;
    const char *role = custom ? api_new_role(&s->owner, api_unique("Custom"),
                                             rules[who].words + strlen(" self "))
                              : rules[who].role;
    c->member = member_join("practice-a", role, "uno");
    c->api = &c->member.api;
    c->own = make_things(&s->owner, c->member.staff);
}

static struct stage *stage_open(void)
{
    static struct stage the_stage; /* one a process */
    struct stage *s = &the_stage;
    s->owner = api_login(OWNER_A);
    s->other = api_login(OWNER_B);
    s->nowhere = with_role(&s->owner, "viewer");
    s->nobody = api_anonymous();
    s->mate = member_join("practice-a", "professional", "uno");
    s->colleague = member_join("practice-a", "professional", "dos");
    s->ids[MATE] = make_things(&s->owner, s->mate.staff);
    s->ids[COLLEAGUE] = make_things(&s->owner, s->colleague.staff);
    s->ids[FOREIGN] = make_things(&s->other, api_new_staff(&s->other, api_unique("Role")));
    for (int i = 0; i < GUEST; i++) {
        enter(s, i);
    }
    struct ids mine = make_things(&s->owner, s->mate.staff);
    s->guest = guest_of(&s->owner, api_text("clients/%s", mine.client), GUEST_ALL_SCOPES);
    s->callers[GUEST] = (struct caller){ .api = &s->guest, .own = mine };
    s->callers[NOWHERE] = (struct caller){ .api = &s->nowhere, .own = s->callers[0].own };
    s->callers[NOBODY] = (struct caller){ .api = &s->nobody, .own = s->callers[0].own };
    s->count = catalog_read(&s->owner, s->ops);
    return s;
}

static void stage_close(struct stage *s)
{
    for (int i = 0; i < CALLERS; i++) {
        api_close(s->callers[i].api);
    }
    member_close(&s->mate);
    member_close(&s->colleague);
    api_close(&s->owner);
    api_close(&s->other);
    api_release();
}

/* ---- the rule ---- */

static bool about(const struct operation *op, const char *resource)
{
    const char *rest = op->path + strlen("/api/v1/");
    size_t n = strlen(resource);
    return strncmp(rest, resource, n) == 0 && (rest[n] == '\0' || rest[n] == '/');
}

static bool ends(const struct operation *op, const char *tail)
{
    size_t n = strlen(op->path), m = strlen(tail);
    return n >= m && strcmp(op->path + n - m, tail) == 0;
}

static const char *appointment_permission(const struct operation *op)
{
    if (strcmp(op->method, "PATCH") == 0) {
        return "appointment.change";
    }
    bool books = ends(op, "/appointments") || ends(op, "/series") || ends(op, "/preview");
    return books                                         ? "appointment.book"
           : ends(op, "/cancel") || ends(op, "/decline") ? "appointment.cancel"
           : ends(op, "/confirm") || ends(op, "/propose") || ends(op, "/paid")
               ? "appointment.change"
           : ends(op, "/reopen") ? "appointment.reopen"
                                 : "appointment.attend";
}

/* What the operation needs; the test fails on a resource that nobody wrote a rule for. */
static const char *permission(const struct operation *op)
{
    bool get = strcmp(op->method, "GET") == 0;
    if (ends(op, "/links")) {
        return get ? "link.read" : "link.write";
    }
    if (ends(op, "/impact")) { /* and appointment.read, which whoever has it here has, too */
        return "business.write";
    }
    static const struct {
        const char *resource, *read, *write;
    } table[] = {
        { "me", "self", "self" },
        { "auth", "account", "account" },
        { "guest", "guest", "guest" },
        { "links", "link.read", "link.write" },
        { "proposals", "client.read", "client.write" },
        { "booking-policy", "business.read", "business.write" },
        { "opening-hours", "business.read", "business.write" },
        { "schedules", "staff.read", "business.write" },
        { "schedule-exceptions", "staff.read", "business.write" },
        { "availability", "appointment.read", NULL },
        { "agenda", "appointment.read", NULL },
        { "calendar-feeds", "appointment.read", "appointment.read" },
        { "holds", "appointment.book", "appointment.book" },
        { "branding", "business.read", "business.write" },
        { "business", "business.read", "business.write" },
        { "staff", "staff.read", "staff.write" },
        { "invitations", "staff.write", "staff.write" },
        { "roles", "staff.read", "role.write" },
        { "api-keys", "key.write", "key.write" },
        { "services", "service.read", "service.write" },
        { "assets", "service.read", "service.write" },
        { "blocks", "appointment.read", "appointment.change" },
        { "waitlist", "appointment.read", "appointment.book" },
        { "clients", "client.read", "client.write" },
        { "appointments", "appointment.read", NULL },
        { "series", "appointment.read", NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (about(op, table[i].resource)) {
            return get              ? table[i].read
                   : table[i].write ? table[i].write
                                    : appointment_permission(op);
        }
    }
    cr_assert_fail("no rule for %s %s", op->method, op->path);
    return "";
}

/* How far the role's permission reaches: -1 not at all, else the farthest enum whose. */
static int reach(int who, const char *need)
{
    const char *at = strstr(rules[who].words, api_text(" %s ", need));
    if (at || (strcmp(need, "account") == 0 && who != GUEST)) { /* whoever has one */
        return COLLEAGUE;
    }
    at = strstr(rules[who].words, api_text(" %s:", need));
    return !at ? -1 : strncmp(at + strlen(need) + 2, "own", 3) == 0 ? OWN : MATE;
}

static bool has_reach(const char *need)
{
    return strncmp(need, "client", 6) == 0 || strncmp(need, "appointment", 11) == 0 ||
           strncmp(need, "link", 4) == 0 || strcmp(need, "guest") == 0;
}

/* About the account, not the practice, whatever the role; some end the session that all callers share:
 * tests/system/auth.c, tests/system/sessions.c. Or of strangers, who have no role: tests/system/public_booking.c. */
static bool skipped(const struct operation *op)
{
    return (about(op, "auth") && strcmp(op->method, "GET") != 0 && catalog_needs_token(op)) ||
           catalog_for_strangers(op);
}

/* 0: anything but a refusal of the caller. */
static int expected(int who, const struct operation *op, enum whose whose)
{
    bool named = strchr(op->path, '{') != NULL;
    if (!catalog_needs_token(op)) {
        return 0;
    }
    const char *need = permission(op);
    int far = who == NOBODY ? -1 : reach(who, need);
    if (far < 0) {
        return who == NOBODY ? 401 : 403;
    }
    bool to_all_visits = about(op, "clients") && strcmp(need, "link.write") == 0;
    if (to_all_visits && far < COLLEAGUE) { /* it would show what others do with the client */
        return 403;
    }
    int missing = ends(op, "/book") ? 410 : 404;
    if (about(op, "calendar-feeds") && named) { /* whoever makes one has it */
        return missing;
    }
    if (whose == FOREIGN && named) {
        return missing;
    }
    bool beyond = has_reach(need) && whose != FOREIGN && (int)whose > far;
    if (beyond && !named && strcmp(need, "appointment.book") == 0) {
        return 422;
    }
    return beyond && named ? missing : 0;
}

static bool fits(const struct operation *op, int want, int status)
{
    bool login = strstr(op->path, "/auth/") != NULL || !catalog_needs_token(op);
    if (want) {
        return status == want;
    }
    return status >= 200 && status < 500 && status != 403 && status != 404 && status != 405 &&
           (login || status != 401);
}

/* One more client who comes to the caller. */
static const char *fresh_client(struct stage *s, const struct caller *c)
{
    const char *client = api_new_client(&s->owner, api_unique("Role"));
    struct answer *r = api_book_anyway(&s->owner, client, c->own.service, c->own.staff,
                                       api_text("%sT09:00", next_day()));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    return client;
}

static int call(struct stage *s, int who, const struct operation *op, enum whose whose)
{
    const struct caller *c = &s->callers[who];
    struct ids ids = whose == OWN ? c->own : s->ids[whose];
    struct api *owner = whose == FOREIGN ? &s->other : &s->owner;
    bool hold = about(op, "holds") && strchr(op->path, '{');
    if (hold) { /* the first may have been archived by now */
        ids.service = api_new_service(owner, api_unique("Role"), 30);
        catalog_hold(owner, &ids);
    }
    bool drops = strcmp(op->method, "DELETE") == 0;
    if (drops && about(op, "blocks")) { /* who may has given back the one before */
        ids.block = api_new_block(owner, ids.staff);
    }
    if (drops && whose == OWN && about(op, "clients")) {
        ids.client = fresh_client(s, c);
    }
    /* nobody's role is to change while the test goes on */
    const char *version = about(op, "staff") ? "If-Match: \"99\"\r\n" : "If-Match: \"1\"\r\n";
    const struct ids *body = whose == FOREIGN ? &c->own : &ids;
    const struct ids *named = strchr(op->path, '{') ? &ids : body;
    int status = api_send(c->api, op->method, catalog_target(op, named), catalog_body(op, body),
                          version)
                     ->status;
    if (hold) {
        api_send(owner, "DELETE", api_text("/api/v1/holds/%s", ids.hold), NULL, NULL);
    }
    return status;
}

static char letter(int want)
{
    return want == 0                    ? '+'
           : want == 401                ? '1'
           : want == 403                ? '-'
           : want == 404 || want == 410 ? '4'
                                        : '2';
}

/* One line of the table; "+-4" are what is expected, "!" what was not. Returns how many cells were a surprise. */
static size_t row(struct stage *s, const struct operation *op)
{
    size_t wrong = 0;
    struct sbuf line;
    sbuf_init(&line);
    for (int who = 0; who < CALLERS; who++) {
        sbuf_text(&line, "  ");
        for (int whose = OWN; whose < WHOSE; whose++) {
            int want = expected(who, op, (enum whose)whose);
            int status = call(s, who, op, (enum whose)whose);
            bool good = fits(op, want, status);
            cr_expect(good, "%s: %s %s (%s): %d", rules[who].role, op->method, op->path,
                      whose_names[whose], status);
            sbuf_char(&line, good ? letter(want) : '!');
            wrong += !good;
        }
    }
    printf("%.*s  %s %s\n", (int)line.len, line.data, op->method, op->path);
    sbuf_fini(&line);
    return wrong;
}

Test(roles, matrix_of_roles_routes_and_objects)
{
    struct stage *s = stage_open();
    size_t cells = 0, wrong = 0;
    printf(
        "own, team's, colleague's, other practice's: + allowed, - 403, 4 not there, 2 refused by "
        "name, 1 no token\n");
    for (int who = 0; who < CALLERS; who++) {
        printf("  %-4.4s", rules[who].role);
    }
    printf("\n");
    /* holds first: they need hours and a horizon, which others change */
    for (size_t i = 0; i < 2 * s->count; i++) {
        const struct operation *op = &s->ops[i % s->count];
        if (!skipped(op) && about(op, "holds") == (i < s->count)) {
            wrong += row(s, op);
            cells += CALLERS * WHOSE;
        }
    }
    printf("roles: %zu operations, %zu cells, %zu surprises\n", s->count, cells, wrong);
    cr_expect_geq(cells, 1000);
    stage_close(s);
}

static bool lists(struct api *who, const char *resource, const char *id)
{
    struct answer *r = api_get(who, "/api/v1/%s?limit=200&sort=-%s", resource,
                               strcmp(resource, "clients") == 0 ? "created_at" : "starts_at");
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    return strstr(r->http.body, id) != NULL;
}

Test(roles, lists_show_what_is_within_reach)
{
    struct stage *s = stage_open();
    for (int who = 0; who < GUEST; who++) {
        struct caller *c = &s->callers[who];
        for (int whose = OWN; whose < WHOSE; whose++) {
            const struct ids *ids = whose == OWN ? &c->own : &s->ids[whose];
            cr_expect_eq(lists(c->api, "clients", ids->client), whose <= reach(who, "client.read"),
                         "%s: clients (%s)", rules[who].role, whose_names[whose]);
            cr_expect_eq(lists(c->api, "appointments", ids->appointment),
                         whose <= reach(who, "appointment.read"), "%s: appointments (%s)",
                         rules[who].role, whose_names[whose]);
        }
    }
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
    const char *const ids[] = { s->callers[0].own.client, s->callers[0].own.service,
                                s->callers[0].own.staff, s->callers[0].own.appointment };
    const char *path = about(op, "business") ? "/api/v1/business" : "/api/v1/me";
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (about(op, kinds[i])) {
            path = api_text("/api/v1/%s/%s", kinds[i], ids[i]);
        }
    }
    struct answer *r = api_get(&s->owner, "%s", path);
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
    struct caller *c = &s->callers[catalog_for_guests(op) ? GUEST : 0];
    struct answer *r = declared ? NULL
                                : api_send(c->api, op->method, catalog_path(op, &c->own),
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
        const char *body = catalog_body(op, &s->callers[0].own);
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
