/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every route of the API, called by practice a with practice b's ids in the path, the query and the body: the answer
 * is the one an id nobody has would get, and b's marker, planted in every text of b, is in no answer. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/catalog.h"
#include "tests/support/db.h"
#include "tests/support/guest.h"
#include "tests/support/stack.h"

#define CANARY  "CANARY-7f3a9b52"
#define UNKNOWN "01900000-0000-7000-8000-00000000dead"

TestSuite(routes, .timeout = 120);

struct stage {
    struct api a, b;
    struct ids own, foreign, unknown;
    struct operation ops[CATALOG_MAX];
    size_t count;
};

/* The marker in every text column of b that takes free text. */
static void plant(void)
{
    static const char *const updates[] = {
        "UPDATE business SET name = $, legal_name = $, tax_id = $, address = $",
        "UPDATE staff SET name = $, title = $, license_no = $",
        "UPDATE service SET name = $, description = $, category = $",
        "UPDATE invitation SET name = $",
        "UPDATE asset SET name = $",
        "UPDATE waitlist SET note = $",
        "UPDATE allocation SET reason = $ WHERE kind = 'block'",
        "UPDATE schedule SET name = $",
        "UPDATE schedule_exception SET reason = $",
        "UPDATE client SET given_name = $, family_name = $, notes = $",
        "UPDATE appointment SET notes = $, cancel_reason = $",
        "UPDATE appointment_event SET change = jsonb_build_object('reason', $)",
    };
    PGconn *super = db_super();
    char *code = db_code(super, "practice-b");
    db_do(super, api_text("SET search_path = t_%s", code));
    free(code);
    for (size_t i = 0; i < ARRAY_LEN(updates); i++) {
        char sql[400] = "";
        for (const char *p = updates[i]; *p; p++) {
            size_t n = strlen(sql);
            snprintf(sql + n, sizeof sql - n, *p == '$' ? "'" CANARY "'" : "%c", *p);
        }
        db_do(super, sql);
    }
    PQfinish(super);
}

static struct stage *stage_open(void)
{
    struct stage *s = calloc(1, sizeof *s);
    s->a = api_login(OWNER_A);
    s->b = api_login(OWNER_B);
    s->own = catalog_things(&s->a, api_unique("Own"), NULL, api_text("%sT09:00", api_day(100)));
    s->foreign = catalog_things(&s->b, api_unique("Foreign"), NULL,
                                api_text("%sT09:00", api_day(100)));
    catalog_hold(&s->a, &s->own);
    catalog_hold(&s->b, &s->foreign);
    s->unknown = (struct ids){
        .client = UNKNOWN, .service = UNKNOWN, .staff = UNKNOWN, .appointment = UNKNOWN
    };
    plant();
    s->count = catalog_read(&s->a, s->ops);
    return s;
}

static void stage_close(struct stage *s)
{
    api_close(&s->a);
    api_close(&s->b);
    free(s);
    api_release();
}

static bool has_canary(const struct answer *r)
{
    return (r->http.body && strstr(r->http.body, CANARY)) ||
           (r->http.head && strstr(r->http.head, CANARY));
}

/* The answer without what differs between any two requests. */
static const char *essence(struct answer *r)
{
    if (!r->json || !json_object_is_type(r->json, json_type_object)) {
        return r->http.body ? r->http.body : "";
    }
    json_object_object_del(r->json, "request_id");
    return json_object_to_json_string(r->json);
}

static struct answer *call(struct api *who, const struct operation *op, const struct ids *path_ids,
                           const struct ids *body_ids)
{
    return api_send(who, op->method, catalog_path(op, path_ids), catalog_body(op, body_ids),
                    "If-Match: \"1\"\r\n");
}

/* auth routes speak of tokens, not of rows; guests' and strangers' are other files' (guests.c, system/public_booking.c). */
static bool skipped(const struct operation *op)
{
    return strncmp(op->path, "/api/v1/auth/", 13) == 0 || catalog_for_guests(op) ||
           catalog_for_strangers(op);
}

/* The scan itself works: b sees its own marker. */
Test(routes, the_owner_sees_the_canary)
{
    struct stage *s = stage_open();
    int seen = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct operation *op = &s->ops[i];
        if (strcmp(op->method, "GET") == 0) {
            seen += has_canary(api_get(&s->b, "%s", catalog_path(op, &s->foreign)));
        }
    }
    cr_expect_geq(seen, 8, "only %d answers to b hold the marker", seen);
    stage_close(s);
}

Test(routes, foreign_ids_are_unknown_ids)
{
    struct stage *s = stage_open();
    size_t calls = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct operation *op = &s->ops[i];
        if (skipped(op) || !strchr(op->path, '{')) {
            continue;
        }
        struct answer *theirs = call(&s->a, op, &s->foreign, &s->own);
        struct answer *nobodys = call(&s->a, op, &s->unknown, &s->own);
        calls += 2;
        cr_expect(theirs->status >= 400 && theirs->status < 500, "%s %s: %d", op->method, op->path,
                  theirs->status);
        cr_expect_eq(theirs->status, nobodys->status, "%s %s: %d, unknown %d", op->method, op->path,
                     theirs->status, nobodys->status);
        cr_expect_str_eq(essence(theirs), essence(nobodys));
        cr_expect_not(has_canary(theirs), "%s %s leaks", op->method, op->path);
    }
    printf("routes: %zu operations, %zu calls with foreign ids in the path\n", s->count, calls);
    cr_expect_geq(calls, 30);
    stage_close(s);
}

Test(routes, foreign_ids_in_bodies_are_unknown_ids)
{
    struct stage *s = stage_open();
    size_t calls = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct operation *op = &s->ops[i];
        const char *body = skipped(op) ? NULL : catalog_body(op, &s->foreign);
        if (!body || !(strstr(body, s->foreign.client) || strstr(body, s->foreign.service) ||
                       strstr(body, s->foreign.staff) || strstr(body, s->foreign.appointment))) {
            continue;
        }
        struct answer *theirs = call(&s->a, op, &s->own, &s->foreign);
        struct answer *nobodys = call(&s->a, op, &s->own, &s->unknown);
        calls += 2;
        cr_expect(theirs->status >= 400 && theirs->status < 500, "%s %s: %d %s", op->method,
                  op->path, theirs->status, theirs->http.body);
        cr_expect_eq(theirs->status, nobodys->status, "%s %s: %d, unknown %d", op->method, op->path,
                     theirs->status, nobodys->status);
        cr_expect_str_eq(essence(theirs), essence(nobodys));
        cr_expect_not(has_canary(theirs), "%s %s leaks", op->method, op->path);
    }
    cr_expect_geq(calls, 4, "no body takes an id?");
    stage_close(s);
}

/* One foreign reference among own ones, each in turn. */
Test(routes, one_foreign_reference_is_enough)
{
    struct stage *s = stage_open();
    const char *own[] = { s->own.client, s->own.service, s->own.staff };
    const char *foreign[] = { s->foreign.client, s->foreign.service, s->foreign.staff };
    static const char *const pointers[] = { "/client_id", "/service_id", "/staff_id" };
    for (size_t i = 0; i < ARRAY_LEN(pointers); i++) {
        const char *mixed[] = { own[0], own[1], own[2] };
        mixed[i] = foreign[i];
        struct answer *r = api_book(&s->a, mixed[0], mixed[1], mixed[2],
                                    api_text("%sT15:00", api_day(101)));
        cr_expect_eq(r->status, 422, "%s: %d", pointers[i], r->status);
        cr_expect(answer_blames(r, pointers[i]), "%s", r->http.body);
    }
    stage_close(s);
}

Test(routes, foreign_ids_in_queries_find_nothing)
{
    struct stage *s = stage_open();
    const char *const foreign[] = { s->foreign.client, s->foreign.service, s->foreign.staff,
                                    s->foreign.appointment };
    size_t calls = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct operation *op = &s->ops[i];
        const char *name;
        for (size_t q = 0; (name = catalog_query(op, q)); q++) {
            for (size_t f = 0; f < ARRAY_LEN(foreign); f++, calls++) {
                struct answer *r = api_get(&s->a, "%s?%s=%s", catalog_path(op, &s->own), name,
                                           foreign[f]);
                bool empty = r->status == 200 && answer_count(r, "data") == 0;
                cr_expect(empty || (r->status >= 400 && r->status < 500), "%s?%s: %d", op->path,
                          name, r->status);
                cr_expect_not(has_canary(r), "%s?%s leaks", op->path, name);
            }
        }
    }
    cr_expect_geq(calls, 40);
    stage_close(s);
}

/* What a owns, everything it may read, also by searching for the marker. */
Test(routes, nothing_a_reads_holds_the_canary)
{
    struct stage *s = stage_open();
    catalog_tokens(&s->a, &s->own);
    for (size_t i = 0; i < s->count; i++) {
        const struct operation *op = &s->ops[i];
        if (strcmp(op->method, "GET") != 0 || catalog_for_guests(op)) {
            continue;
        }
        char *path = catalog_target(op, &s->own);
        struct answer *r = api_get(&s->a, "%s", path);
        cr_expect_eq(r->status, 200, "%s: %d", path, r->status);
        cr_expect_not(has_canary(r), "%s leaks", path);
        for (size_t q = 0; catalog_query(op, q); q++) {
            if (strcmp(catalog_query(op, q), "q") == 0) {
                struct answer *found = api_get(&s->a, "%s?q=" CANARY, path);
                cr_expect_eq(answer_count(found, "data"), 0, "%s finds the marker", path);
            }
        }
    }
    stage_close(s);
}

/* b's cursors and b's idempotency keys mean nothing to a. */
Test(routes, cursors_and_keys_do_not_cross)
{
    struct stage *s = stage_open();
    static const char *const lists[] = { "clients", "services", "staff", "appointments" };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        catalog_things(&s->b, CANARY, NULL, api_text("%sT%02zu:00", api_day(110), i + 9));
        struct answer *page = api_get(&s->b, "/api/v1/%s?limit=1", lists[i]);
        const char *cursor = answer_text(page, "next_cursor");
        cr_assert(cursor != NULL, "%s", page->http.body);
        struct answer *r = api_get(&s->a, "/api/v1/%s?limit=200&cursor=%s", lists[i], cursor);
        cr_expect(r->status == 200 || r->status == 422 || r->status == 400, "%d", r->status);
        cr_expect_not(has_canary(r), "%s: b's cursor leaks", lists[i]);
    }
    char *key = api_text("Idempotency-Key: %s\r\n", strrchr(api_unique("x"), ' ') + 1);
    struct answer *b = api_send(&s->b, "POST", "/api/v1/clients", "{\"given_name\":\"" CANARY "\"}",
                                key);
    struct answer *a = api_send(&s->a, "POST", "/api/v1/clients", "{\"given_name\":\"Own\"}", key);
    cr_expect_eq(b->status, 201);
    cr_expect_eq(a->status, 201);
    cr_expect_not(has_canary(a));
    stage_close(s);
}

/* Without a token nothing but the open routes answers, and none of them tells anything of a practice. */
Test(routes, nobody_gets_nothing)
{
    struct stage *s = stage_open();
    struct api nobody = api_anonymous();
    for (size_t i = 0; i < s->count; i++) {
        const struct operation *op = &s->ops[i];
        struct answer *r = call(&nobody, op, &s->foreign, &s->foreign);
        cr_expect_not(has_canary(r));
        if (catalog_needs_token(op)) {
            cr_expect_eq(r->status, 401, "%s %s: %d", op->method, op->path, r->status);
        }
    }
    api_close(&nobody);
    stage_close(s);
}
