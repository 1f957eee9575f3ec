/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a body may not be, and that the answer says where: status, stable code, pointer, in the reader's language. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"

TestSuite(input, .timeout = 60);

#define CLIENTS "/api/v1/clients"

static char *repeated(const char *text, size_t times)
{
    size_t n = strlen(text);
    char *out = malloc(n * times + 1);
    for (size_t i = 0; i < times; i++) {
        memcpy(out + n * i, text, n);
    }
    out[n * times] = '\0';
    return out;
}

Test(input, not_json_is_400)
{
    static const char *const bodies[] = {
        " ",
        "{",
        "}",
        "{\"given_name\"}",
        "{\"given_name\":}",
        "{'given_name':'x'}",
        "{\"given_name\":\"x\",}",
        "{\"given_name\":\"x\"}}",
        "{\"given_name\":\"x\"} x",
        "{\"given_name\":\"a\tb\"}",
        "{\"given_name\":\"\\x41\"}",
        "{\"given_name\":\"\\u0000\"}",
        "{\"given_name\":\"\\ud800\"}",
        "{\"given_name\":\"\\udc00\\ud800\"}",
        "{\"given_name\":\"\xff\"}",
        "{\"given_name\":\"\xc0\xaf\"}",
        "{\"given_name\":\"\xed\xa0\x80\"}",
        "{\"given_name\":\"x\",\"given_name\":\"y\"}",
        "{\"given_name\":\"x\",\"given\\u005fname\":\"y\"}",
        "{\"given_name\":NaN}",
        "{\"given_name\":01}",
        "{\"given_name\":1.}",
        "{\"given_name\":9007199254740993}",
        "{\"given_name\":1e400}",
        "{\"given_name\":\"x\"/**/}",
        "\xef\xbb\xbf{\"given_name\":\"x\"}",
    };
    struct api a = api_login(OWNER_A);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct answer *r = api_send(&a, "POST", CLIENTS, bodies[i], NULL);
        cr_expect_eq(r->status, 400, "%s: %d %s", bodies[i], r->status, r->http.body);
        cr_expect_str_eq(answer_code(r), "invalid_json");
    }
    api_close(&a);
    api_release();
}

/* JSON that is not taken: 400 with the reason and a pointer to the place, in both languages. */
Test(input, refused_json_says_why_and_where)
{
    static const struct {
        const char *body, *pointer, *code;
    } rows[] = {
        { "{\"given_name\":\"x\",\"given\\u005fname\":\"y\"}", "/given_name", "duplicate_name" },
        { "{\"given_name\":\"x\",\"notes\":{\"a\":1,\"a\":2}}", "/notes/a", "duplicate_name" },
        { "{\"given_name\":\"a\\u0000b\"}", "/given_name", "nul_character" },
        { "{\"given_name\":[1,\"\\u0000\"]}", "/given_name/1", "nul_character" },
        { "{\"given_name\":\"\\ud800\"}", "/given_name", "lone_surrogate" },
        { "{\"given_name\":\"\\udc00\\ud800\"}", "/given_name", "lone_surrogate" },
        { "{\"given_name\":9007199254740993}", "/given_name", "number_out_of_range" },
        { "{\"given_name\":-1e400}", "/given_name", "number_out_of_range" },
        { "{\"given_name\":\"\xc0\xaf\"}", "/given_name", "malformed_json" },
        { "{\"given_name\":\"\xed\xa0\x80\"}", "/given_name", "malformed_json" },
        { "{\"given_name\":NaN}", "/given_name", "malformed_json" },
        { "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", /* 33 */
          "/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0", "too_deep" },
    };
    struct api a = api_login(OWNER_A);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer *en = api_send(&a, "POST", CLIENTS, rows[i].body, "Accept-Language: en\r\n");
        const char *told = answer_text(en, "errors.0.detail");
        cr_expect_eq(en->status, 400, "%s: %d", rows[i].body, en->status);
        cr_expect(answer_blames(en, rows[i].pointer), "%s: %s", rows[i].body, en->http.body);
        cr_expect_str_eq(answer_text(en, "errors.0.code"), rows[i].code, "%s", rows[i].body);
        struct answer *es = api_send(&a, "POST", CLIENTS, rows[i].body, NULL);
        const char *dicho = answer_text(es, "errors.0.detail");
        cr_expect(told && dicho && strcmp(told, dicho) != 0, "%s: %s", told, dicho);
    }
    api_close(&a);
    api_release();
}

Test(input, no_body_lacks_what_is_required)
{
    struct api a = api_login(OWNER_A);
    struct answer *r = api_send(&a, "POST", CLIENTS, "", NULL);
    cr_expect_eq(r->status, 422, "%d %s", r->status, r->http.body);
    cr_expect(answer_blames(r, "/given_name"));
    api_close(&a);
    api_release();
}

Test(input, depth_and_size_are_bounded)
{
    struct api a = api_login(OWNER_A);
    char *open = repeated("[", 33), *close = repeated("]", 33);
    struct answer *deep = api_post(&a, CLIENTS, "{\"given_name\":%s1%s}", open, close);
    cr_expect_eq(deep->status, 400, "%d", deep->status);
    char *wide = repeated("[", 30000);
    struct answer *deeper = api_post(&a, CLIENTS, "%s", wide);
    cr_expect_eq(deeper->status, 400, "%d", deeper->status);
    free(open);
    free(close);
    free(wide);
    api_close(&a);
    api_release();
}

Test(input, top_level_must_be_an_object)
{
    static const char *const bodies[] = { "[]", "1", "\"x\"", "null", "true", "[{}]" };
    struct api a = api_login(OWNER_A);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct answer *r = api_send(&a, "POST", CLIENTS, bodies[i], NULL);
        cr_expect(r->status == 400 || r->status == 422, "%s: %d", bodies[i], r->status);
    }
    api_close(&a);
    api_release();
}

struct refusal {
    const char *path, *body, *pointer, *code;
};

Test(input, refused_fields_are_named)
{
    char *long_name = repeated("ñ", 101), *long_notes = repeated("n", 4001);
    struct api a = api_login(OWNER_A);
    const struct refusal rows[] = {
        { CLIENTS, "{}", "/given_name", "required" },
        { CLIENTS, "{\"given_name\":null}", "/given_name", NULL },
        { CLIENTS, "{\"given_name\":1}", "/given_name", "wrong_type" },
        { CLIENTS, "{\"given_name\":true}", "/given_name", "wrong_type" },
        { CLIENTS, "{\"given_name\":[\"x\"]}", "/given_name", "wrong_type" },
        { CLIENTS, "{\"given_name\":{}}", "/given_name", "wrong_type" },
        { CLIENTS, "{\"given_name\":\"\"}", "/given_name", "too_short" },
        { CLIENTS, "{\"given_name\":\"   \"}", "/given_name", "too_short" },
        { CLIENTS, api_text("{\"given_name\":\"%s\"}", long_name), "/given_name", "too_long" },
        { CLIENTS, api_text("{\"given_name\":\"x\",\"notes\":\"%s\"}", long_notes), "/notes",
          "too_long" },
        { CLIENTS, "{\"given_name\":\"a\\u0001b\"}", "/given_name", "invalid_character" },
        { CLIENTS, "{\"given_name\":\"a\\u007fb\"}", "/given_name", "invalid_character" },
        { CLIENTS, "{\"given_name\":\"a\\rb\"}", "/given_name", "invalid_character" },
        { CLIENTS, "{\"given_name\":\"x\",\"nickname\":\"y\"}", "/nickname", "unknown_field" },
        { CLIENTS, "{\"given_name\":\"x\",\"id\":\"01900000-0000-7000-8000-000000000001\"}", "/id",
          "unknown_field" },
        { CLIENTS, "{\"given_name\":\"x\",\"version\":7}", "/version", "unknown_field" },
        { CLIENTS, "{\"given_name\":\"x\",\"tenant_id\":\"x\"}", "/tenant_id", "unknown_field" },
        { CLIENTS, "{\"given_name\":\"x\",\"a/b~c\":1}", "/a~1b~0c", "unknown_field" },
        { CLIENTS, "{\"given_name\":\"x\",\"email\":\"no address\"}", "/email", "invalid_email" },
        { CLIENTS, "{\"given_name\":\"x\",\"email\":\"a@b@c\"}", "/email", "invalid_email" },
        { CLIENTS, "{\"given_name\":\"x\",\"phone\":\"123\"}", "/phone", "invalid_phone" },
        { CLIENTS, "{\"given_name\":\"x\",\"phone\":\"+52 abc\"}", "/phone", "invalid_phone" },
        { CLIENTS, "{\"given_name\":\"x\",\"birth_date\":\"2026-02-30\"}", "/birth_date",
          "invalid_date" },
        { CLIENTS, "{\"given_name\":\"x\",\"birth_date\":\"01/02/2000\"}", "/birth_date",
          "invalid_date" },
        { "/api/v1/services", "{\"name\":\"x\",\"duration_min\":0}", "/duration_min",
          "out_of_range" },
        { "/api/v1/services", "{\"name\":\"x\",\"duration_min\":1441}", "/duration_min",
          "out_of_range" },
        { "/api/v1/services", "{\"name\":\"x\",\"duration_min\":\"30\"}", "/duration_min",
          "wrong_type" },
        { "/api/v1/services", "{\"name\":\"x\",\"duration_min\":30.5}", "/duration_min",
          "wrong_type" },
        { "/api/v1/services", "{\"name\":\"x\",\"duration_min\":9007199254740991}", "/duration_min",
          "out_of_range" },
        { "/api/v1/services", "{\"name\":\"x\",\"duration_min\":30,\"color\":\"red\"}", "/color",
          "invalid_color" },
        { "/api/v1/services", "{\"name\":\"x\",\"duration_min\":30,\"currency\":\"pesos\"}",
          "/currency", "invalid_currency" },
        { "/api/v1/staff", "{\"name\":\"x\",\"role\":\"admin\"}", "/role", "not_found" },
        { "/api/v1/staff", "{\"name\":\"x\",\"bookable\":1}", "/bookable", "wrong_type" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer *r = api_send(&a, "POST", rows[i].path, rows[i].body, NULL);
        cr_expect_eq(r->status, 422, "%.80s: %d %s", rows[i].body, r->status, r->http.body);
        cr_expect_str_eq(answer_code(r), "validation_failed");
        cr_expect(answer_blames(r, rows[i].pointer), "%.80s: %s", rows[i].body, r->http.body);
        const char *code = answer_text(r, "errors.0.code");
        cr_expect(!rows[i].code || (code && strcmp(code, rows[i].code) == 0), "%.80s: %s",
                  rows[i].body, r->http.body);
    }
    free(long_name);
    free(long_notes);
    api_close(&a);
    api_release();
}

Test(input, all_faults_come_at_once)
{
    struct api a = api_login(OWNER_A);
    struct answer *r = api_post(&a, CLIENTS,
                                "{\"given_name\":1,\"email\":\"x\",\"phone\":\"y\",\"extra\":0}");
    cr_expect_eq(r->status, 422);
    static const char *const pointers[] = { "/given_name", "/email", "/phone", "/extra" };
    for (size_t i = 0; i < ARRAY_LEN(pointers); i++) {
        cr_expect(answer_blames(r, pointers[i]), "%s is not named: %s", pointers[i], r->http.body);
    }
    api_close(&a);
    api_release();
}

/* Exactly at the limits is allowed; a limit counts characters, not bytes. */
Test(input, limits_are_inclusive)
{
    char *name = repeated("ñ", 100), *notes = repeated("😀", 4000);
    struct api a = api_login(OWNER_A);
    struct answer *r = api_post(&a, CLIENTS, "{\"given_name\":\"%s\",\"notes\":\"%s\"}", name,
                                notes);
    cr_expect_eq(r->status, 201, "%d %.300s", r->status, r->http.body);
    cr_expect(answer_text(r, "notes") && strcmp(answer_text(r, "notes"), notes) == 0);
    free(name);
    free(notes);
    api_close(&a);
    api_release();
}

Test(input, problems_speak_both_languages)
{
    static const struct {
        const char *field, *word;
    } rows[] = {
        { "", "corregir" },
        { "Accept-Language: es-MX,es;q=0.9\r\n", "corregir" },
        { "Accept-Language: en\r\n", "corrected" },
        { "Accept-Language: en-GB,es;q=0.5\r\n", "corrected" },
        { "Accept-Language: es;q=0.3, en;q=0.8\r\n", "corrected" },
        { "Accept-Language: fr, de\r\n", "corregir" },
        { "Accept-Language: ;;;q=x\r\n", "corregir" },
    };
    struct api a = api_login(OWNER_A);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer *r = api_send(&a, "POST", CLIENTS, "{}", rows[i].field);
        cr_expect_eq(r->status, 422);
        const char *title = answer_text(r, "title");
        cr_expect(title && strstr(title, rows[i].word), "%s: %s", rows[i].field, r->http.body);
        cr_expect_eq(answer_int(r, "status"), 422);
        cr_expect_str_eq(answer_text(r, "type"), "urn:gremio:problem:validation_failed");
        cr_expect_str_eq(answer_header(r, "content-type"), "application/problem+json");
        cr_expect_str_eq(answer_text(r, "request_id"), answer_header(r, "x-request-id"));
    }
    api_close(&a);
    api_release();
}

/* A GET with a body, a body on a route that takes none. */
Test(input, bodies_where_none_belongs)
{
    struct api a = api_login(OWNER_A);
    int status = api_send(&a, "GET", CLIENTS, "{}", NULL)->status;
    cr_expect(status == 413 || status == 400 || status == 422, "GET with a body: %d", status);
    status = api_send(&a, "GET", "/api/v1/me", NULL, "Content-Length: 0\r\n")->status;
    cr_expect_eq(status, 200, "GET with an empty body: %d", status);
    /* Who has nothing to say may say so with an object without members; a member is named. */
    struct answer *r = api_post(&a, "/api/v1/auth/logout", "{\"why\":1}");
    cr_expect_eq(r->status, 422, "%d %s", r->status, r->http.body);
    cr_expect(answer_blames(r, "/why"), "%s", r->http.body);
    r = api_post(&a, "/api/v1/auth/logout", "{}");
    cr_expect_eq(r->status, 204, "%d %s", r->status, r->http.body);
    api_close(&a);
    api_release();
}

Test(input, charset_is_utf8_or_absent)
{
    struct api a = api_login(OWNER_A);
    static const struct {
        const char *type;
        int status;
    } rows[] = {
        { "application/json", 201 },
        { "application/json; charset=utf-8", 201 },
        { "Application/JSON;charset=\"UTF-8\"", 201 },
        { "application/json; charset=latin1", 415 },
        { "text/json", 415 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *body = api_text("{\"given_name\":\"Type\"}");
        struct http_client c;
        struct http_response r;
        cr_assert(http_client_open(&c, "127.0.0.1", (int)strtol(getenv("GREMIO_PORT"), NULL, 10)));
        http_client_send_text(&c, api_text("POST " CLIENTS " HTTP/1.1\r\nHost: x\r\nAuthorization: "
                                           "Bearer %s\r\nContent-Type: %s\r\nContent-Length: "
                                           "%zu\r\n\r\n%s",
                                           a.token, rows[i].type, strlen(body), body));
        cr_assert(http_client_read(&c, false, &r));
        cr_expect_eq(r.status, rows[i].status, "%s: %d", rows[i].type, r.status);
        http_response_free(&r);
        http_client_close(&c);
    }
    api_close(&a);
    api_release();
}

/* The nastiest of what people and programs type; the long form brings what others collected (tests/soak/naughty). */
static const char *const naughty[] = {
    "undefined",
    "1/0",
    "NaN",
    "-9223372036854775808",
    "CON",
    "$HOME",
    "`ls -al /`",
    "%d%n%s",
    "<img src=x onerror=alert(1)>",
    "'; DROP TABLE client--",
    "{\"a\":[]}",
    "\\x41\\u0041",
    "i\u0307 \u0130 \u00df \u1e9e \u017f",                     /* case that changes length */
    "\u00e9 e\u0301",                                          /* composed and not: both stay */
    "\ufdfa \u0b95\u0bcd \u0e01\u0e4d",                        /* one character, many */
    "\u202e\u2066drow\u2069",                                  /* direction overrides */
    "\u200b\u200d\u2060\ufeff\u180e\u00ad",                    /* nothing to be seen */
    "\u2028\u2029",                                            /* lines to some readers */
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334", /* heaps of accents */
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f1e6\U0001f1f7",
    "\ufffd\uffff\ufffe \U0001fffe \U0010ffff", /* noncharacters */
    "\ue000 \U000f0000 \U000e0041",             /* private, tags */
    "\u05d0\u05d1 \u0627\u0644 \u6f22\u5b57 \u3042 \ud55c",
    " x",
    "x ",
    "a\tb",
    "a\nb",
    "a\x1b[31m",
    "a\x7f",
    "a\xc2\x85",
};

static bool has_control(const char *text)
{
    for (; *text; text++) {
        unsigned char b = (unsigned char)*text;
        bool c1 = b == 0xc2 && (unsigned char)text[1] < 0xa0;
        if ((b < 0x20 && b != '\n' && b != '\t') || b == 0x7f || c1) {
            return true;
        }
    }
    return false;
}

static const char *as_json(const char *text)
{
    struct json_object *o = json_object_new_string(text);
    const char *out = api_text("%s", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    return out;
}

/* Lines and tabs are text; another control character is a fault, and nothing else is. */
static void expect_round_trip(struct api *a, const char *path, const char *field, const char *rest,
                              const char *text)
{
    struct answer *made = api_post(a, path, "{\"%s\":%s%s}", field, as_json(text), rest);
    if (made->status == 201) {
        struct answer *got = api_get(a, "%s/%s", path, answer_text(made, "id"));
        cr_expect_str_eq(answer_text(made, field), text);
        cr_expect_str_eq(answer_text(got, field), text);
        return;
    }
    cr_expect_eq(made->status, 422, "%s: %s: %d", field, text, made->status);
    cr_expect(answer_blames(made, api_text("/%s", field)), "%s", made->http.body);
    cr_expect(has_control(text), "%s: %s was refused: %s", field, text, made->http.body);
}

Test(input, naughty_texts_come_back_or_are_refused)
{
    static const struct {
        const char *path, *field, *rest;
    } fields[] = {
        { CLIENTS, "given_name", "" },
        { CLIENTS, "family_name", ",\"given_name\":\"x\"" },
        { CLIENTS, "notes", ",\"given_name\":\"x\"" },
        { "/api/v1/services", "name", ",\"duration_min\":5" },
        { "/api/v1/services", "description", ",\"duration_min\":5,\"name\":\"x\"" },
        { "/api/v1/services", "category", ",\"duration_min\":5,\"name\":\"x\"" },
        { "/api/v1/staff", "name", "" },
        { "/api/v1/staff", "title", ",\"name\":\"x\"" },
        { "/api/v1/staff", "license_no", ",\"name\":\"x\"" },
    };
    struct api a = api_login(OWNER_A);
    for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
        for (size_t i = 0; i < ARRAY_LEN(naughty); i++) {
            expect_round_trip(&a, fields[f].path, fields[f].field, fields[f].rest, naughty[i]);
        }
    }
    printf("input: %zu naughty texts in %zu fields\n", ARRAY_LEN(naughty), ARRAY_LEN(fields));
    api_close(&a);
    api_release();
}

/* A price is kept to the cent, up to the largest there is. */
Test(input, prices_come_back_exactly)
{
    static const int64_t prices[] = {
        0, 1, 99, 100, 101, 2147483, 99999999, 999999999, 1000000000
    };
    struct api a = api_login(OWNER_A);
    for (size_t i = 0; i < ARRAY_LEN(prices); i++) {
        struct answer *r = api_post(&a, "/api/v1/services",
                                    "{\"name\":\"Price\",\"duration_min\":5,\"price_minor\":%lld}",
                                    (long long)prices[i]);
        cr_assert_eq(r->status, 201, "%s", r->http.body);
        struct answer *got = api_get(&a, "/api/v1/services/%s", answer_text(r, "id"));
        cr_expect_eq(answer_int(got, "price_minor"), prices[i]);
        cr_expect(strstr(got->http.body, api_text("\"price_minor\":%lld,", (long long)prices[i])),
                  "%s", got->http.body);
    }
    api_close(&a);
    api_release();
}
