/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The conventions every resource keeps: create, read, change with versions, archive, lists with search, sort and
 * cursor, Idempotency-Key. One table of resources; each test runs over all of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/volley.h"

TestSuite(resources, .timeout = 120);

#define UNKNOWN "01900000-0000-7000-8000-000000000000"

static const struct resource {
    const char *path;
    const char *field; /* the text that names it, in bodies */
    const char *rest;  /* further members a POST needs */
} resources[] = {
    { "/api/v1/clients", "given_name", "" },
    { "/api/v1/services", "name", ",\"duration_min\":30" },
    { "/api/v1/staff", "name", ",\"role\":\"professional\"" },
};

static char *body_of(const struct resource *r, const char *name)
{
    return api_text("{\"%s\":\"%s\"%s}", r->field, name, r->rest);
}

static struct answer *create(struct api *a, const struct resource *r, const char *name)
{
    return api_post(a, r->path, "%s", body_of(r, name));
}

static char *one(const struct resource *r, const char *id)
{
    return api_text("%s/%s", r->path, id);
}

Test(resources, create_answers_where_it_is)
{
    struct api a = api_login(OWNER_A);
    for (const struct resource *r = resources; r < resources + ARRAY_LEN(resources); r++) {
        const char *name = api_unique("Ñandú Ágil");
        struct answer *made = create(&a, r, name);
        cr_assert_eq(made->status, 201, "%s: %d %s", r->path, made->status, made->http.body);
        const char *id = answer_text(made, "id");
        cr_expect_str_eq(answer_header(made, "location"), one(r, id));
        cr_expect_str_eq(answer_header(made, "etag"), "\"1\"");
        cr_expect_str_eq(answer_header(made, "content-type"), "application/json");
        cr_expect_eq(answer_int(made, "version"), 1);
        cr_expect_eq(id[14], '7', "ids are UUIDv7: %s", id);
        struct answer *got = api_get(&a, "%s", answer_header(made, "location"));
        cr_expect_eq(got->status, 200);
        cr_expect_str_eq(answer_text(got, "name"), name);
        cr_expect_str_eq(got->http.body, made->http.body);
    }
    api_close(&a);
    api_release();
}

Test(resources, unknown_ids_are_404)
{
    struct api a = api_login(OWNER_A);
    for (const struct resource *r = resources; r < resources + ARRAY_LEN(resources); r++) {
        static const char *const ids[] = { UNKNOWN, "1",    "x",
                                           "%27",   "null", "01900000-0000-7000-8000-00000000000" };
        for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
            struct answer *got = api_get(&a, "%s/%s", r->path, ids[i]);
            cr_expect_eq(got->status, 404, "%s/%s: %d", r->path, ids[i], got->status);
            cr_expect_str_eq(answer_code(got), "not_found");
        }
        cr_expect_eq(api_patch(&a, one(r, UNKNOWN), 1, "{\"%s\":\"x\"}", r->field)->status, 404);
        cr_expect_eq(api_send(&a, "DELETE", one(r, UNKNOWN), NULL, "If-Match: \"1\"\r\n")->status,
                     404);
    }
    api_close(&a);
    api_release();
}

Test(resources, changes_need_the_version)
{
    struct api a = api_login(OWNER_A);
    for (const struct resource *r = resources; r < resources + ARRAY_LEN(resources); r++) {
        struct answer *made = create(&a, r, api_unique("Before"));
        char *path = one(r, answer_text(made, "id"));
        const char *after = api_unique("After");
        char *body = api_text("{\"%s\":\"%s\"}", r->field, after);
        struct answer *blind = api_send(&a, "PATCH", path, body, NULL);
        cr_expect_eq(blind->status, 428, "%s: %d", path, blind->status);
        cr_expect_str_eq(answer_code(blind), "precondition_required");
        struct answer *changed = api_patch(&a, path, 1, "%s", body);
        cr_assert_eq(changed->status, 200, "%s: %s", path, changed->http.body);
        cr_expect_eq(answer_int(changed, "version"), 2);
        cr_expect_str_eq(answer_header(changed, "etag"), "\"2\"");
        cr_expect_str_eq(answer_text(changed, "name"), after);
        struct answer *stale = api_patch(&a, path, 1, "%s", body);
        cr_expect_eq(stale->status, 412, "%s: %d", path, stale->status);
        cr_expect_str_eq(answer_code(stale), "version_conflict");
        cr_expect_eq(api_patch(&a, path, 3, "%s", body)->status, 412);
        static const char *const odd[] = {
            "2", "\"x\"", "\"2", "W/\"2\"", "\"-2\"", "\"2\", \"3\""
        };
        for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
            struct answer *got = api_send(&a, "PATCH", path, body,
                                          api_text("If-Match: %s\r\n", odd[i]));
            cr_expect(got->status == 412 || got->status == 400 || got->status == 428,
                      "If-Match %s: %d", odd[i], got->status);
        }
        cr_expect_eq(answer_int(api_get(&a, "%s", path), "version"), 2, "a refused change counted");
    }
    api_close(&a);
    api_release();
}

Test(resources, unchanged_is_304)
{
    struct api a = api_login(OWNER_A);
    for (const struct resource *r = resources; r < resources + ARRAY_LEN(resources); r++) {
        char *path = one(r, answer_text(create(&a, r, api_unique("Same")), "id"));
        struct answer *same = api_send(&a, "GET", path, NULL, "If-None-Match: \"1\"\r\n");
        cr_expect_eq(same->status, 304, "%s: %d", path, same->status);
        cr_expect_eq(same->http.body_len, 0);
        cr_expect_str_eq(answer_header(same, "etag"), "\"1\"");
        cr_expect_eq(api_send(&a, "GET", path, NULL, "If-None-Match: W/\"1\"\r\n")->status, 304);
        cr_expect_eq(api_send(&a, "GET", path, NULL, "If-None-Match: \"0\"\r\n")->status, 200);
    }
    api_close(&a);
    api_release();
}

Test(resources, archive_hides_and_comes_back)
{
    struct api a = api_login(OWNER_A);
    for (const struct resource *r = resources; r < resources + ARRAY_LEN(resources); r++) {
        const char *name = api_unique("Gone"), *word = strrchr(name, ' ') + 1;
        char *path = one(r, answer_text(create(&a, r, name), "id"));
        cr_expect_eq(api_send(&a, "DELETE", path, NULL, NULL)->status, 428);
        struct answer *gone = api_send(&a, "DELETE", path, NULL, "If-Match: \"1\"\r\n");
        cr_expect_eq(gone->status, 204, "%s: %d", path, gone->status);
        cr_expect_eq(gone->http.body_len, 0);
        cr_expect_eq(answer_count(api_get(&a, "%s?q=%s", r->path, word), "data"), 0);
        struct answer *with = api_get(&a, "%s?q=%s&archived=true", r->path, word);
        cr_expect_eq(answer_count(with, "data"), 1, "%s", with->http.body);
        cr_expect(answer_text(with, "data.0.archived_at") != NULL);
        int version = (int)answer_int(with, "data.0.version");
        cr_expect_eq(version, 2);
        struct answer *back = api_patch(&a, path, version, "{\"archived\":false}");
        cr_expect_eq(back->status, 200, "%s", back->http.body);
        cr_expect_eq(answer_count(api_get(&a, "%s?q=%s", r->path, word), "data"), 1);
    }
    api_close(&a);
    api_release();
}

Test(resources, search_ignores_accents_and_case)
{
    struct api a = api_login(OWNER_A);
    for (const struct resource *r = resources; r < resources + ARRAY_LEN(resources); r++) {
        const char *mark = strrchr(api_unique("x"), ' ') + 1;
        create(&a, r, api_text("José María Ñuñez %s", mark));
        create(&a, r, api_text("Jorge %s", mark));
        static const struct {
            const char *q;
            int found;
        } rows[] = {
            { "jose", 1 },
            { "JOS%C3%89", 1 },
            { "nunez", 1 },
            { "maria+jose", 1 },
            { "jo", 2 },
            { "joseph", 0 },
            { "%C3%B1u%C3%B1ez", 1 },
            { "jorge+maria", 0 },
            { "j%25s", 0 },
            { "j_se", 0 },
            { "%5C", 0 },
        };
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct answer *got = api_get(&a, "%s?q=%s+%s", r->path, rows[i].q, mark);
            cr_expect_eq(answer_count(got, "data"), rows[i].found, "%s?q=%s: %d of %d", r->path,
                         rows[i].q, answer_count(got, "data"), rows[i].found);
        }
    }
    api_close(&a);
    api_release();
}

Test(resources, clients_are_found_by_phone_and_email)
{
    struct api a = api_login(OWNER_A);
    const char *mark = strrchr(api_unique("x"), ' ') + 1;
    struct answer *made = api_post(
        &a, "/api/v1/clients",
        "{\"given_name\":\"Tel %s\",\"phone\":\"+52 (55) 1234-5678\",\"email\":\"Tel%s@"
        "Example.com\",\"birth_date\":\"1980-02-29\",\"notes\":\"línea\\n\\ttab\"}",
        mark, mark);
    cr_assert_eq(made->status, 201, "%s", made->http.body);
    cr_expect_str_eq(answer_text(made, "phone"), "+525512345678");
    cr_expect_str_eq(answer_text(made, "email"), api_text("tel%s@example.com", mark));
    cr_expect_str_eq(answer_text(made, "birth_date"), "1980-02-29");
    cr_expect_str_eq(answer_text(made, "notes"), "línea\n\ttab");
    cr_expect_eq(answer_count(api_get(&a, "/api/v1/clients?q=12345678+%s", mark), "data"), 1);
    cr_expect_eq(answer_count(api_get(&a, "/api/v1/clients?q=tel%s@example", mark), "data"), 1);
    struct answer *cleared = api_patch(&a, api_text("/api/v1/clients/%s", answer_text(made, "id")),
                                       1, "{\"phone\":null,\"notes\":null}");
    cr_expect_eq(cleared->status, 200);
    cr_expect_null(answer_text(cleared, "phone"));
    cr_expect_str_eq(answer_text(cleared, "email"), api_text("tel%s@example.com", mark));
    api_close(&a);
    api_release();
}

/* Walks all pages; each id must come once and names in order. */
static int walk(struct api *a, const char *path, const char *sort, int limit, bool falling)
{
    char cursor[600] = "", last[200] = "";
    int seen = 0, pages = 0;
    do {
        struct answer *page = api_get(a, "%s&sort=%s&limit=%d%s%s", path, sort, limit,
                                      cursor[0] ? "&cursor=" : "", cursor);
        cr_assert_eq(page->status, 200, "%s", page->http.body);
        int n = answer_count(page, "data");
        cr_assert(n <= limit && pages++ < 100);
        for (int i = 0; i < n; i++) {
            const char *name = answer_text(page, api_text("data.%d.name", i));
            int order = last[0] ? strcmp(last, name) : 0;
            cr_expect(falling ? order >= 0 : order <= 0, "%s before %s", last, name);
            cr_expect(strcmp(last, name) != 0, "%s came twice", name);
            snprintf(last, sizeof last, "%s", name);
        }
        seen += n;
        const char *next = answer_text(page, "next_cursor");
        cr_expect(!next || n == limit, "a short page with a cursor");
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
    } while (cursor[0]);
    return seen;
}

Test(resources, pages_hold_every_row_once)
{
    enum { ROWS = 53 };
    struct api a = api_login(OWNER_A);
    for (const struct resource *r = resources; r < resources + ARRAY_LEN(resources); r++) {
        struct shot shots[ROWS];
        const char *mark = strrchr(api_unique("x"), ' ') + 1;
        for (int i = 0; i < ROWS; i++) {
            shots[i] = (struct shot){ .token = a.token,
                                      .method = "POST",
                                      .path = r->path,
                                      .body = body_of(r, api_text("Page %02d %s", i, mark)) };
        }
        volley_fire(shots, ROWS);
        cr_assert_eq(volley_count(shots, ROWS, 201, NULL), ROWS);
        char *path = api_text("%s?q=%s", r->path, mark);
        static const int limits[] = { 1, 10, 53, 200 };
        for (size_t l = 0; l < ARRAY_LEN(limits); l++) {
            cr_expect_eq(walk(&a, path, "name", limits[l], false), ROWS);
            cr_expect_eq(walk(&a, path, "-name", limits[l], true), ROWS);
        }
    }
    api_close(&a);
    api_release();
}

/* Rows of one instant or one name are told apart by id; what is made meanwhile moves nobody. */
Test(resources, equal_keys_page_without_loss)
{
    enum { ROWS = 25 };
    struct api a = api_login(OWNER_A);
    const char *mark = strrchr(api_unique("x"), ' ') + 1;
    char *same = api_text("{\"given_name\":\"Twin %s\"}", mark);
    for (int i = 0; i < ROWS; i++) {
        cr_assert_eq(api_send(&a, "POST", "/api/v1/clients", same, NULL)->status, 201);
    }
    char cursor[600] = "", ids[ROWS * 2][40];
    int seen = 0;
    do {
        struct answer *page = api_get(&a, "/api/v1/clients?q=%s&limit=4%s%s", mark,
                                      cursor[0] ? "&cursor=" : "", cursor);
        int n = answer_count(page, "data");
        for (int i = 0; i < n && seen < ROWS; i++) {
            const char *id = answer_text(page, api_text("data.%d.id", i));
            for (int j = 0; j < seen; j++) {
                cr_expect_str_neq(ids[j], id);
            }
            snprintf(ids[seen++], sizeof ids[0], "%s", id);
        }
        const char *next = answer_text(page, "next_cursor");
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
    } while (cursor[0]);
    cr_expect_eq(seen, ROWS);
    api_close(&a);
    api_release();
}

Test(resources, bad_list_parameters)
{
    static const char *const queries[] = {
        "limit=0",        "limit=201",       "limit=-1",
        "limit=x",        "limit=1e1",       "limit=",
        "cursor=x",       "cursor=AAAA",     "sort=id",
        "sort=name;drop", "sort=",           "archived=maybe",
        "unknown=1",      "limit=1&limit=2", "q=%FF",
        "q=%00",          "q=a%C3",          "limit=99999999999999999999",
    };
    struct api a = api_login(OWNER_A);
    for (const struct resource *r = resources; r < resources + ARRAY_LEN(resources); r++) {
        for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
            struct answer *got = api_get(&a, "%s?%s", r->path, queries[i]);
            cr_expect(got->status == 400 || got->status == 422, "%s?%s: %d", r->path, queries[i],
                      got->status);
        }
    }
    /* A cursor belongs to its order. */
    struct answer *page = api_get(&a, "/api/v1/clients?limit=1&sort=name");
    if (answer_text(page, "next_cursor")) {
        int status = api_get(&a, "/api/v1/clients?limit=1&sort=-created_at&cursor=%s",
                             answer_text(page, "next_cursor"))
                         ->status;
        cr_expect(status == 400 || status == 422, "%d", status);
    }
    api_close(&a);
    api_release();
}

Test(resources, a_key_gives_the_same_answer_again)
{
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    for (const struct resource *r = resources; r < resources + ARRAY_LEN(resources); r++) {
        const char *name = api_unique("Once"), *word = strrchr(name, ' ') + 1;
        char *body = body_of(r, name), *key = api_text("Idempotency-Key: %s\r\n", word);
        struct answer *first = api_send(&a, "POST", r->path, body, key);
        struct answer *again = api_send(&a, "POST", r->path, body, key);
        cr_assert_eq(first->status, 201, "%s", first->http.body);
        cr_assert_eq(again->status, 201, "%s", again->http.body);
        cr_expect_str_eq(again->http.body, first->http.body);
        static const char *const fields[] = { "etag", "location", "content-type" };
        for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
            cr_expect_str_eq(answer_header(again, fields[f]), answer_header(first, fields[f]));
        }
        cr_expect_null(answer_header(first, "idempotency-replayed"));
        cr_expect_str_eq(answer_header(again, "idempotency-replayed"), "true");
        struct answer *other = api_send(&a, "POST", r->path, body_of(r, api_unique("Other")), key);
        cr_expect_eq(other->status, 422, "%d", other->status);
        cr_expect_str_eq(answer_code(other), "idempotency_mismatch");
        cr_expect_eq(answer_count(api_get(&a, "%s?q=%s", r->path, word), "data"), 1);
        /* Another practice's key of the same text is another key. */
        struct answer *theirs = api_send(&b, "POST", r->path, body, key);
        cr_expect_eq(theirs->status, 201);
        cr_expect_str_neq(answer_text(theirs, "id"), answer_text(first, "id"));
    }
    api_close(&a);
    api_close(&b);
    api_release();
}

/* A refusal is no effect: the corrected request may use the key again only for what it was refused for. */
Test(resources, bad_idempotency_keys)
{
    struct api a = api_login(OWNER_A);
    char long_key[400];
    memset(long_key, 'k', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    struct answer *got = api_send(&a, "POST", "/api/v1/clients", "{\"given_name\":\"Key\"}",
                                  api_text("Idempotency-Key: %s\r\n", long_key));
    cr_expect(got->status == 400 || got->status == 422, "%d", got->status);
    api_close(&a);
    api_release();
}

Test(resources, business_is_one_row)
{
    struct api a = api_login(OWNER_B);
    struct answer *got = api_get(&a, "/api/v1/business");
    cr_assert_eq(got->status, 200);
    cr_expect_str_eq(answer_text(got, "time_zone"), "America/Mexico_City");
    cr_expect_str_eq(answer_text(got, "currency"), "MXN");
    int version = (int)answer_int(got, "version");
    cr_expect_eq(api_send(&a, "PATCH", "/api/v1/business", "{\"phone\":null}", NULL)->status, 428);
    struct answer *changed = api_patch(
        &a, "/api/v1/business", version,
        "{\"legal_name\":\"Práctica B, S.C.\",\"phone\":\"+52 55 1111 2222\"}");
    cr_assert_eq(changed->status, 200, "%s", changed->http.body);
    cr_expect_str_eq(answer_text(changed, "legal_name"), "Práctica B, S.C.");
    cr_expect_eq(answer_int(changed, "version"), version + 1);
    cr_expect_eq(api_patch(&a, "/api/v1/business", version, "{\"phone\":null}")->status, 412);
    const char *unknown[] = { "America/Atlantis", "Etc/GMT+15", "Etc/GMT-15" };
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        struct answer *zone = api_patch(&a, "/api/v1/business", version + 1,
                                        "{\"time_zone\":\"%s\"}", unknown[i]);
        cr_expect_eq(zone->status, 422, "%s: %d", unknown[i], zone->status);
        cr_expect(answer_blames(zone, "/time_zone"), "%s", zone->http.body);
    }
    api_close(&a);
    api_release();
}

Test(resources, the_last_owner_stays)
{
    struct api a = api_login(OWNER_B);
    struct answer *me = api_get(&a, "/api/v1/me");
    char *path = api_text("/api/v1/staff/%s", answer_text(me, "id"));
    int version = (int)answer_int(api_get(&a, "%s", path), "version");
    struct answer *demoted = api_patch(&a, path, version, "{\"role\":\"professional\"}");
    cr_expect_eq(demoted->status, 409, "%d", demoted->status);
    cr_expect_str_eq(answer_code(demoted), "state_conflict");
    struct answer *left = api_send(&a, "DELETE", path, NULL,
                                   api_text("If-Match: \"%d\"\r\n", version));
    cr_expect_eq(left->status, 409, "%d", left->status);
    cr_expect_eq(api_get(&a, "/api/v1/me")->status, 200);
    api_close(&a);
    api_release();
}
