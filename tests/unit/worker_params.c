/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every type of parameter with what it accepts and refuses, every source of parameters, every fault in one answer. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "worker/params.h"

static const struct param rows[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID, .required = true },
    { .name = "q", .in = IN_QUERY, .type = T_TEXT, .max = 5, .min = 1 },
    { .name = "n", .in = IN_QUERY, .type = T_INT, .min = 1, .max = 9, .fallback = "3" },
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .required = true },
    { .name = "note", .in = IN_BODY, .type = T_TEXT, .nullable = true },
    { .name = "age", .in = IN_BODY, .type = T_INT, .min = 0, .max = 150 },
    { .name = "ok", .in = IN_BODY, .type = T_BOOL },
    { 0 },
};
static const struct route route = { .method = M_PATCH, .path = "/x/{id}", .params = rows };
enum { P_ID, P_Q, P_N, P_NAME, P_NOTE, P_AGE, P_OK, P_COUNT };

static struct params_plan plan;
static struct arena arena;
static struct value values[P_COUNT];
static struct problem problem;

static void setup(void)
{
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(params_compile(&route, NULL, &plan, &why), OK, "%s", why.data);
    sbuf_fini(&why);
    arena_init(&arena, 1 << 20);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(params, .init = setup, .fini = teardown);

static const char good_id[] = "01A206D8-CB2D-735A-87BB-FB9FB348B56C";

static enum err read_request(const char *id, const char *query, const char *body)
{
    struct frame_request req = { .query = slice_of(query),
                                 .body = slice_of(body),
                                 .content_type = SLICE("application/json; charset=utf-8") };
    struct route_match match = { .param_count = 1, .params = { slice_of(id) } };
    problem = (struct problem){ 0 };
    return params_read(&plan, &req, &match, &arena, values, &problem);
}

/* The same rows by a form. */
static enum err read_form(const char *type, struct slice body)
{
    struct frame_request req = { .body = body, .content_type = slice_of(type) };
    struct route_match match = { .param_count = 1, .params = { slice_of(good_id) } };
    problem = (struct problem){ 0 };
    plan.form = true;
    return params_read(&plan, &req, &match, &arena, values, &problem);
}

static bool has_field(const char *pointer, const char *code)
{
    for (size_t i = 0; i < problem.field_count; i++) {
        if (strcmp(problem.fields[i].pointer, pointer) == 0 &&
            strcmp(problem.fields[i].code, code) == 0) {
            return true;
        }
    }
    return false;
}

Test(params, values_of_all_sources)
{
    cr_assert_eq(
        read_request(good_id, "q=a%20b%C3%A9&n=7", "{\"name\":\"Ana\",\"age\":0,\"ok\":true}"), OK);
    cr_assert_str_eq(values[P_ID].text, "01a206d8-cb2d-735a-87bb-fb9fb348b56c");
    cr_assert_str_eq(values[P_Q].text, "a b\xc3\xa9");
    cr_assert_eq(values[P_N].number, 7);
    cr_assert_str_eq(values[P_AGE].text, "0");
    cr_assert_eq(values[P_OK].number, 1);
    cr_assert(values[P_NOTE].null && !values[P_NOTE].present && !values[P_NOTE].text);
}

Test(params, fallbacks_and_nulls)
{
    cr_assert_eq(read_request(good_id, "", "{\"name\":\"A\",\"note\":null}"), OK);
    cr_assert(values[P_NOTE].present && values[P_NOTE].null);
    cr_assert(!values[P_N].present && !values[P_N].null);
    cr_assert_eq(values[P_N].number, 3);
    cr_assert_str_eq(values[P_N].text, "3");
}

Test(params, all_faults_in_one_answer)
{
    cr_assert_eq(read_request(good_id, "q=toolong&n=10&zz=1&n=2",
                              "{\"age\":\"7\",\"ok\":1,\"a/b~c\":1,\"note\":\"\\u0007\"}"),
                 E_INVALID);
    cr_assert(has_field("q", "too_long"));
    cr_assert(has_field("n", "out_of_range"));
    cr_assert(has_field("n", "duplicate_parameter"));
    cr_assert(has_field("zz", "unknown_parameter"));
    cr_assert(has_field("/age", "wrong_type"));
    cr_assert(has_field("/ok", "wrong_type"));
    cr_assert(has_field("/a~1b~0c", "unknown_field"));
    cr_assert(has_field("/note", "invalid_character"));
    cr_assert(has_field("/name", "required"));
}

Test(params, null_only_where_it_is_a_value)
{
    cr_assert_eq(read_request(good_id, "", "{\"name\":null}"), E_INVALID);
    cr_assert(has_field("/name", "not_null"));
    cr_assert(!has_field("/name", "required"));
}

Test(params, body_must_be_an_object)
{
    const char *bodies[] = { "[]", "null", "7", "\"x\"" };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        cr_assert_eq(read_request(good_id, "", bodies[i]), E_INVALID, "%s", bodies[i]);
    }
    cr_assert_eq(read_request(good_id, "", ""), E_INVALID);
    cr_assert(has_field("/name", "required"));
}

Test(params, malformed_json_says_where)
{
    cr_assert_eq(read_request(good_id, "", "{\"name\":\"A\",}"), E_BAD_JSON);
    cr_assert_not_null(problem.detail[LANG_EN]);
    cr_assert(strncmp(problem.detail[LANG_EN], "byte 12", 7) == 0, "%s", problem.detail[LANG_EN]);
    cr_assert_eq(read_request(good_id, "", "{\"name\":\"A\",\"name\":\"B\"}"), E_BAD_JSON);
    cr_assert_not_null(strstr(problem.detail[LANG_EN], "/name"));
    cr_assert_not_null(strstr(problem.detail[LANG_ES], "repetido"));
    cr_assert(has_field("/name", "duplicate_name"));
}

Test(params, media_type)
{
    struct frame_request req = { .body = SLICE("{\"name\":\"A\"}"),
                                 .content_type = SLICE("text/plain") };
    struct route_match match = { .param_count = 1, .params = { slice_of(good_id) } };
    problem = (struct problem){ 0 };
    cr_assert_eq(params_read(&plan, &req, &match, &arena, values, &problem), E_UNSUPPORTED_MEDIA);
    req.content_type = SLICE("Application/JSON");
    problem = (struct problem){ 0 };
    cr_assert_eq(params_read(&plan, &req, &match, &arena, values, &problem), OK);
}

Test(params, a_path_segment_that_is_no_id_is_not_found)
{
    cr_assert_eq(read_request("not-an-id", "", "{\"name\":\"A\"}"), E_NOT_FOUND);
    cr_assert_eq(problem.err, E_NOT_FOUND);
}

Test(params, percent_coding_is_strict)
{
    const char *bad[] = { "q=%", "q=%4", "q=%zz", "q=%00", "q=%C3", "q=%ED%A0%80", "%=1" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_assert_eq(read_request(good_id, bad[i], "{\"name\":\"A\"}"), E_BAD_PARAM, "%s", bad[i]);
    }
    cr_assert_eq(read_request(good_id, "q=a+b&&", "{\"name\":\"A\"}"), OK);
    cr_assert_str_eq(values[P_Q].text, "a b");
}

/* ---- types ---- */

struct sample {
    enum type type;
    const char *in, *out; /* out NULL: refused */
};

static const struct sample samples[] = {
    { T_TEXT, "a\tb\nc", "a\tb\nc" },
    { T_TEXT, "", NULL },
    { T_TEXT, " \n ", NULL },
    { T_TEXT, "a\x7f", NULL },
    { T_TEXT, "a\xc2\x85", NULL },
    { T_TEXT, "\r", NULL },
    { T_INT, "0", "0" },
    { T_INT, "-9007199254740991", "-9007199254740991" },
    { T_INT, "9007199254740992", NULL },
    { T_INT, "07", NULL },
    { T_INT, "+7", NULL },
    { T_INT, "7 ", NULL },
    { T_INT, "1e3", NULL },
    { T_BOOL, "true", "true" },
    { T_BOOL, "True", NULL },
    { T_UUID, "01a206d8cb2d735a87bbfb9fb348b56c", NULL },
    { T_DATE, "2024-02-29", "2024-02-29" },
    { T_DATE, "2023-02-29", NULL },
    { T_DATE, "1900-02-29", NULL },
    { T_DATE, "2000-02-29", "2000-02-29" },
    { T_DATE, "0000-01-01", NULL },
    { T_DATE, "2026-13-01", NULL },
    { T_DATE, "2026-00-01", NULL },
    { T_DATE, "2026-04-31", NULL },
    { T_DATE, "2026-4-3", NULL },
    { T_TIME, "2026-07-01T09:00", "2026-07-01T09:00" },
    { T_TIME, "2026-07-01T09:00:00-06:00", "2026-07-01T09:00:00-06:00" },
    { T_TIME, "2026-07-01T09:00:00+15:59", "2026-07-01T09:00:00+15:59" },
    { T_TIME, "2026-07-01T09:00:00+16:00", NULL },
    { T_TIME, "2026-07-01T09:00:00-16:00", NULL },
    { T_TIME, "2026-07-01", NULL },
    { T_TIME, "2026-02-30T09:00", NULL },
    { T_MOMENT, "2026-07-01", "2026-07-01" },
    { T_MOMENT, "2026-07-01T09:00:00Z", "2026-07-01T09:00:00Z" },
    { T_MOMENT, "2026-07-01T09:00:00+23:59", NULL },
    { T_MOMENT, "tomorrow", NULL },
    { T_LOCALE, "es-MX", "es-MX" },
    { T_LOCALE, "es-419", "es-419" },
    { T_LOCALE, "ES", NULL },
    { T_LOCALE, "es_MX", NULL },
    { T_EMAIL, "Ana.Lopez+x@Example.COM", "ana.lopez+x@example.com" },
    { T_EMAIL, "ana@localhost", NULL },
    { T_EMAIL, "ana@127.0.0.1", NULL },
    { T_EMAIL, "ana@example.4you", "ana@example.4you" },
    { T_EMAIL, "ana@@example.com", NULL },
    { T_EMAIL, ".ana@example.com", NULL },
    { T_EMAIL, "a..b@example.com", NULL },
    { T_EMAIL, "ana@-x.com", NULL },
    { T_EMAIL, "ana@x..com", NULL },
    { T_EMAIL, "ana@x.com.", NULL },
    { T_EMAIL, "@example.com", NULL },
    { T_PHONE, "+52 (55) 1234-56.78", "+525512345678" },
    { T_PHONE, "5512345678", NULL },
    { T_PHONE, "+290 8999", "+2908999" },
    { T_PHONE, "+123456", NULL },
    { T_PHONE, "+1234567890123456", NULL },
    { T_PHONE, "+012345678", NULL },
    { T_PHONE, "+52+5512345678", NULL },
    { T_CURRENCY, "MXN", "MXN" },
    { T_CURRENCY, "mxn", NULL },
    { T_COLOR, "#A0b1C2", "#a0b1c2" },
    { T_COLOR, "#abc", NULL },
    { T_COLOR, "a0b1c2d", NULL },
    { T_ZONE, "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires" },
    { T_ZONE, "Etc/GMT+5", "Etc/GMT+5" },
    { T_ZONE, "America/", NULL },
    { T_ZONE, "/etc/passwd", NULL },
    { T_ZONE, "../x", NULL },
    { T_CHOICE, "two", "two" },
    { T_CHOICE, "tw", NULL },
    { T_CHOICE, "", NULL },
    { T_CHOICE, "one two", NULL },
    { T_PASSWORD, "\x01 any", "\x01 any" },
    { T_PASSWORD, "", NULL },
    { T_WORDS, "two", "{two}" },
    { T_WORDS, "two,one", "{two,one}" },
    { T_WORDS, "two,two", NULL },
    { T_WORDS, "one,two,one", NULL },
    { T_WORDS, "", NULL },
    { T_WORDS, "one,", NULL },
    { T_WORDS, "one two", NULL },
    { T_WORDS, "{one}", NULL },
    { T_SPANS, "", "{}" },
    { T_SPANS, "09:00-14:00", "{09:00-14:00}" },
    { T_SPANS, "00:00-24:00", "{00:00-24:00}" },
    { T_SPANS, "09:00-14:00,14:00-02:00", "{09:00-14:00,14:00-02:00}" },
    { T_SPANS, "08:00-08:00", "{08:00-08:00}" },
    { T_SPANS, "14:00-02:00,15:00-16:00", NULL },
    { T_SPANS, "09:00-14:00,13:59-15:00", NULL },
    { T_SPANS, "24:00-01:00", NULL },
    { T_SPANS, "09:00-24:01", NULL },
    { T_SPANS, "09:60-14:00", NULL },
    { T_SPANS, "9:00-14:00", NULL },
    { T_SPANS, "09:00-14:00 ", NULL },
    { T_SPANS, "09:00-14:00,", NULL },
    { T_SPANS, "-09:00-14:00", NULL },
    { T_SPANS,
      "01:00-01:01,02:00-02:01,03:00-03:01,04:00-04:01,05:00-05:01,06:00-06:01,07:00-07:01,"
      "08:00-08:01,09:00-09:01,10:00-10:01,11:00-11:01,12:00-12:01,13:00-13:01",
      NULL },
};

Test(params, every_type)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        const struct param row = { .name = "x",
                                   .type = s->type,
                                   .choices = s->type == T_CHOICE || s->type == T_WORDS ? "one two"
                                                                                        : NULL };
        struct value v = { 0 };
        const struct params_fault *fault = params_text(&row, slice_of(s->in), &arena, &v);
        cr_expect_eq(fault == NULL, s->out != NULL, "type %d: \"%s\"", s->type, s->in);
        if (!fault && s->out) {
            cr_expect_str_eq(v.text, s->out);
        }
    }
}

/* 1 and 0 belong to queries; a body of JSON has its own true and false. */
Test(params, bool_of_a_query)
{
    static const struct {
        enum where in;
        const char *text, *out;
    } cases[] = {
        { IN_QUERY, "1", "true" }, { IN_QUERY, "0", "false" }, { IN_QUERY, "false", "false" },
        { IN_QUERY, "2", NULL },   { IN_QUERY, "", NULL },     { IN_BODY, "1", NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct param row = { .name = "x", .in = cases[i].in, .type = T_BOOL };
        struct value v = { 0 };
        bool taken = !params_text(&row, slice_of(cases[i].text), &arena, &v);
        cr_expect_eq(taken, cases[i].out != NULL, "\"%s\"", cases[i].text);
        if (taken && cases[i].out) {
            cr_expect_str_eq(v.text, cases[i].out);
        }
    }
}

/* Spans of a day, and of a week where there are choices; ids with numbers. */
Test(params, lists)
{
#define LIST_ID "01a206d8-cb2d-735a-87bb-fb9fb348b56c"
    static const struct {
        struct param row;
        const char *in, *code; /* code NULL: taken */
    } lists[] = {
        { { .type = T_SPANS }, "", NULL },
        { { .type = T_SPANS }, "09:00-14:00,14:00-02:00", NULL },
        { { .type = T_SPANS }, "09:00-14:00,", "invalid_hours" },
        { { .type = T_SPANS }, "22:00-02:00,23:00-23:30", "overlapping_hours" },
        { { .type = T_SPANS, .max = 1 }, "09:00-10:00,11:00-12:00", "too_long" },
        { { .type = T_SPANS, .choices = "one two" }, "one 09:00-10:00,two 08:00-24:00 odd", NULL },
        { { .type = T_SPANS, .choices = "one two" }, "two 09:00-10:00 even break", NULL },
        { { .type = T_SPANS, .choices = "one two" }, "09:00-10:00", "invalid_hours" },
        { { .type = T_SPANS, .choices = "one two" }, "one 09:00-10:00 ", "invalid_hours" },
        { { .type = T_SPANS, .choices = "one two" },
          "one 09:00-10:00 break break",
          "invalid_hours" },
        { { .type = T_SPANS, .choices = "one two" }, "one 09:00-10:00 odd even", "invalid_hours" },
        { { .type = T_SPANS, .choices = "one two" },
          "one 09:00-10:00,one 09:00-10:00",
          "duplicate_value" },
        { { .type = T_IDS, .min = 1, .max = 9 }, "", NULL },
        { { .type = T_IDS, .min = 1, .max = 9 }, LIST_ID ":9", NULL },
        { { .type = T_IDS, .min = 1, .max = 9 }, LIST_ID ":10", "out_of_range" },
        { { .type = T_IDS, .min = 1, .max = 9 }, LIST_ID ":", "wrong_type" },
        { { .type = T_IDS, .min = 1, .max = 9 }, LIST_ID "," LIST_ID ":3", "duplicate_value" },
        { { .type = T_IDS, .min = 1, .max = 9 }, LIST_ID ",", "invalid_id" },
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct value v = { 0 };
        const struct params_fault *fault = params_text(&lists[i].row, slice_of(lists[i].in), &arena,
                                                       &v);
        cr_expect_str_eq(fault ? fault->code : "", lists[i].code ? lists[i].code : "", "\"%s\": %s",
                         lists[i].in, fault ? fault->code : "taken");
        if (!fault) {
            char braced[200];
            snprintf(braced, sizeof braced, "{%s}", lists[i].in);
            cr_expect_str_eq(v.text, braced);
        }
    }
}

Test(params, lists_of_ids_are_bounded)
{
    const struct param row = { .type = T_IDS, .min = 1, .max = 9 };
    struct value v = { 0 };
    struct sbuf text;
    sbuf_init(&text);
    for (int i = 0; i < 200; i++) {
        sbuf_fmt(&text, "%s01a206d8-cb2d-735a-87bb-%012d", i ? "," : "", i);
    }
    cr_expect_null(params_text(&row, sbuf_slice(&text), &arena, &v));
    sbuf_text(&text, "," LIST_ID);
    cr_expect_str_eq(params_text(&row, sbuf_slice(&text), &arena, &v)->code, "too_long");
    sbuf_fini(&text);
}

Test(params, lengths_count_characters)
{
    const struct param row = { .name = "x", .type = T_TEXT, .min = 1, .max = 3 };
    struct value v = { 0 };
    cr_assert_null(params_text(&row, slice_of("\xc3\xa9\xc3\xa9\xc3\xa9"), &arena, &v));
    cr_assert_str_eq(params_text(&row, slice_of("abcd"), &arena, &v)->code, "too_long");
}

/* A body's list: texts alone, none of which can be taken for two. */
Test(params, lists_in_a_body)
{
    static const struct param lists[] = {
        { .name = "w", .in = IN_BODY, .type = T_WORDS, .choices = "one two", .fallback = "one" },
        { .name = "s", .in = IN_BODY, .type = T_SPANS, .fallback = "" },
        { .name = "d", .in = IN_BODY, .type = T_DOCUMENT, .max = 20 },
        { 0 },
    };
    static const struct {
        const char *body;
        const char *code, *w, *s; /* code NULL: taken */
    } cases[] = {
        { "{}", NULL, "{one}", "{}" },
        { "{\"w\":[\"two\",\"one\"],\"s\":[]}", NULL, "{two,one}", "{}" },
        { "{\"s\":[\"09:00-10:00\",\"11:00-12:00\"]}", NULL, "{one}", "{09:00-10:00,11:00-12:00}" },
        { "{\"w\":[]}", "too_short", NULL, NULL },
        { "{\"w\":[\"one,two\"]}", "wrong_type", NULL, NULL },
        { "{\"w\":[\"\"]}", "wrong_type", NULL, NULL },
        { "{\"w\":[\"one\",\"\"]}", "invalid_choice", NULL, NULL },
        { "{\"w\":[1]}", "wrong_type", NULL, NULL },
        { "{\"w\":[[\"one\"]]}", "wrong_type", NULL, NULL },
        { "{\"w\":\"one\"}", "wrong_type", NULL, NULL },
        { "{\"w\":{}}", "wrong_type", NULL, NULL },
        { "{\"w\":null}", "not_null", NULL, NULL },
        { "{\"w\":[\"one\",\"one\"]}", "duplicate_value", NULL, NULL },
        { "{\"d\":[{\"a\": [1, null]}]}", NULL, "{one}", "{}" },
        { "{\"d\":{}}", NULL, "{one}", "{}" },
        { "{\"d\":\"[]\"}", "wrong_type", NULL, NULL },
        { "{\"d\":1}", "wrong_type", NULL, NULL },
        { "{\"d\":null}", "not_null", NULL, NULL },
        { "{\"d\":[\"more than twenty bytes\"]}", "too_long", NULL, NULL },
    };
    const struct route r = { .method = M_POST, .path = "/x", .params = lists };
    const struct route_match match = { 0 };
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(params_compile(&r, NULL, &plan, &why), OK, "%s", why.data);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct frame_request req = { .body = slice_of(cases[i].body),
                                     .content_type = SLICE("application/json") };
        problem = (struct problem){ 0 };
        enum err e = params_read(&plan, &req, &match, &arena, values, &problem);
        cr_expect_eq(e == OK, cases[i].code == NULL, "%s", cases[i].body);
        if (cases[i].code) {
            cr_expect_str_eq(problem.fields[0].code, cases[i].code, "%s", cases[i].body);
        } else {
            cr_expect_str_eq(values[0].text, cases[i].w);
            cr_expect_str_eq(values[1].text, cases[i].s);
        }
    }
}

/* ---- boot ---- */

static void refused(const struct param *params, const char *path, const char *part)
{
    const struct route r = { .method = M_GET, .path = path, .params = params };
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(params_compile(&r, NULL, &plan, &why), E_CONFIG);
    sbuf_char(&why, '\0');
    cr_assert_not_null(strstr(why.data, part), "%s", why.data);
    sbuf_fini(&why);
}

Test(params, rows_that_cannot_work)
{
    const struct param twice[] = { { .name = "a", .in = IN_QUERY, .type = T_INT },
                                   { .name = "a", .in = IN_BODY, .type = T_INT },
                                   { 0 } };
    const struct param lost[] = { { .name = "a", .in = IN_PATH, .type = T_INT }, { 0 } };
    const struct param fallback[] = {
        { .name = "a", .in = IN_QUERY, .type = T_INT, .max = 5, .fallback = "6" }, { 0 }
    };
    const struct param choice[] = { { .name = "a", .in = IN_QUERY, .type = T_CHOICE }, { 0 } };
    const struct param column[] = { { .name = "a", .in = IN_QUERY, .type = T_ZONED }, { 0 } };
    const struct param nowhere[] = { { .name = "a", .type = T_INT }, { 0 } };
    refused(twice, "/x", "twice");
    refused(lost, "/x/{b}", "no such {name}");
    refused(NULL, "/x/{b}", "IN_PATH");
    refused(fallback, "/x", "fallback");
    refused(choice, "/x", "choices");
    refused(column, "/x", "type");
    refused(nowhere, "/x", "place");
    const struct param list[] = { { .name = "a", .in = IN_QUERY, .type = T_SPANS }, { 0 } };
    refused(list, "/x", "lists");
}

#define FORM "application/x-www-form-urlencoded"

Test(params, a_form_fills_the_same_rows)
{
    cr_assert_eq(read_form(FORM, SLICE("name=Jos%C3%A9+P%26%3D&age=7&ok=true&note=a%2Bb")), OK);
    cr_expect_str_eq(values[P_NAME].text, "José P&=");
    cr_expect_eq(values[P_AGE].number, 7);
    cr_expect_str_eq(values[P_OK].text, "true");
    cr_expect_str_eq(values[P_NOTE].text, "a+b");
    cr_assert_eq(read_form(FORM "; charset=UTF-8", SLICE("name=x&note=&age=")), OK);
    cr_expect(!values[P_NOTE].present && !values[P_AGE].present, "empty fields are not there");
}

Test(params, a_form_is_read_strictly)
{
    static const struct {
        struct slice body;
        enum err err;
        const char *pointer, *code;
    } cases[] = {
        { SLICE("name=x&name=y"), E_INVALID, "/name", "duplicate_field" },
        { SLICE("note=&note=y&name=x"), E_INVALID, "/note", "duplicate_field" },
        { SLICE("name=x&other=1"), E_INVALID, "/other", "unknown_field" },
        { SLICE("name=x&q=a"), E_INVALID, "/q", "unknown_field" },
        { SLICE("name=x&id=1"), E_INVALID, "/id", "unknown_field" },
        { SLICE("name="), E_INVALID, "/name", "required" },
        { SLICE("age=1"), E_INVALID, "/name", "required" },
        { SLICE("name"), E_INVALID, "/name", "required" },
        { SLICE("name=x&age=1.5"), E_INVALID, "/age", "wrong_type" },
        { SLICE("name=x&age=151"), E_INVALID, "/age", "out_of_range" },
        { SLICE("name=x&ok=on"), E_INVALID, "/ok", "wrong_type" },
        { SLICE("name=%"), E_BAD_PARAM, "/name", "invalid_encoding" },
        { SLICE("name=%4"), E_BAD_PARAM, "/name", "invalid_encoding" },
        { SLICE("name=%zz"), E_BAD_PARAM, "/name", "invalid_encoding" },
        { SLICE("name=a%00b"), E_BAD_PARAM, "/name", "invalid_encoding" },
        { SLICE("name=a\0b"), E_BAD_PARAM, "/name", "invalid_encoding" },
        { SLICE("name=%ff"), E_BAD_PARAM, "/name", "invalid_encoding" },
        { SLICE("name=%ed%a0%80"), E_BAD_PARAM, "/name", "invalid_encoding" },
        { SLICE("%ff=1&name=x"), E_BAD_PARAM, "", "invalid_encoding" },
        { SLICE("name=a%0d%0aSet-Cookie:+x"), E_INVALID, "/name", "invalid_character" },
        { SLICE("{\"name\":\"x\"}"), E_INVALID, "/name", "required" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(read_form(FORM, cases[i].body), cases[i].err, "row %zu: %s", i,
                     cases[i].body.p);
        cr_expect(has_field(cases[i].pointer, cases[i].code), "row %zu: %s", i, cases[i].body.p);
    }
}

Test(params, a_form_has_so_many_fields)
{
    struct sbuf body;
    sbuf_init(&body);
    sbuf_text(&body, "name=x");
    for (int i = 0; i < 64; i++) {
        sbuf_fmt(&body, "&f%d=1", i);
    }
    cr_expect_eq(read_form(FORM, sbuf_slice(&body)), E_BAD_PARAM);
    sbuf_fini(&body);
}

Test(params, a_form_where_none_is_taken)
{
    cr_assert_eq(read_form("multipart/form-data; boundary=x", SLICE("name=x")),
                 E_UNSUPPORTED_MEDIA);
    cr_assert_eq(read_form(FORM "; charset=latin1", SLICE("name=x")), E_UNSUPPORTED_MEDIA);
    struct frame_request req = { .body = SLICE("name=x"), .content_type = SLICE(FORM) };
    struct route_match match = { .param_count = 1, .params = { slice_of(good_id) } };
    problem = (struct problem){ 0 };
    plan.form = false;
    cr_assert_eq(params_read(&plan, &req, &match, &arena, values, &problem), E_UNSUPPORTED_MEDIA);
}
