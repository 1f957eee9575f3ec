/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The strict checker: what RFC 8259 and I-JSON refuse is refused, where it is, and nothing more. */
#include "common/json.h"

#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/sbuf.h"

static struct arena scratch;
static struct json_fault fault;

static void init(void)
{
    arena_init(&scratch, 0);
}

static void fini(void)
{
    arena_fini(&scratch);
}

TestSuite(json, .init = init, .fini = fini);

/* Checked in a copy that ends where the text ends, so that a read too far is seen by the sanitizers. */
static enum err check(struct slice text)
{
    char *copy = malloc(text.n + 1);
    cr_assert_not_null(copy);
    char *end = copy + text.n + 1;
    memcpy(end - text.n, text.p, text.n);
    arena_reset(&scratch);
    fault = (struct json_fault){ 0 };
    enum err e = json_check((struct slice){ end - text.n, text.n }, &scratch, &fault);
    free(copy);
    return e;
}

/* The reason in English, "" when nothing was refused. */
static const char *why(void)
{
    return fault.why ? fault.why->text[LANG_EN] : "";
}

Test(json, accepts)
{
    static const char *const good[] = {
        "{}",
        "[]",
        "0",
        "-0",
        "-1",
        "\"\"",
        "true",
        "false",
        "null",
        " \t\r\n[ 1 , 2 ] \n",
        "1.5e-3",
        "1E+2",
        "0.1",
        "-0.0",
        "0e1",
        "9007199254740991",
        "-9007199254740991",
        "1e308",
        "1e-400",
        "[[[]]]",
        "{\"a\":{\"a\":{\"a\":1}}}",
        "[{\"a\":1},{\"a\":2}]",
        "\"\\u00e9\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"日本 \x7f \u2028\"",
        "{\"\":1,\"a\":2,\"A\":3}",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_expect_eq(check(slice_of(good[i])), OK, "%s: %s", good[i], why());
        cr_expect_eq(json_scan_all(slice_of(good[i]), &scratch), OK, "%s", good[i]);
    }
}

Test(json, refuses)
{
    static const char *const bad[] = {
        "",
        " ",
        "[",
        "]",
        "{",
        "}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "['a']",
        "{1:1}",
        "nul",
        "True",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x10",
        "1_000",
        "--1",
        "\"",
        "\"\\",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "[1]x",
        "[1][2]",
        "1 2",
        "// x\n1",
        "/* */1",
        "\xef\xbb\xbf[]",
        "\"\xff\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "[\f1]",
        "{\"a\":1 \"b\":2}",
        "[1}",
        "{\"a\":1]",
        "tru",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(check(slice_of(bad[i])), E_BAD_JSON, "%s", bad[i]);
        cr_expect_str_eq(fault.why->code, "malformed_json", "%s", bad[i]);
        cr_expect(fault.at <= strlen(bad[i]));
        cr_expect_eq(json_scan_all(slice_of(bad[i]), &scratch), E_BAD_JSON, "%s", bad[i]);
    }
    cr_expect_eq(check((struct slice){ "1\0", 2 }), E_BAD_JSON);
    cr_expect_eq(check((struct slice){ "\"a\0b\"", 5 }), E_BAD_JSON);
}

/* JSON by RFC 8259, so the grammar takes it; the reason and the place are told. */
Test(json, refuses_though_it_is_json)
{
    static const struct {
        const char *text, *code, *pointer;
        size_t at;
    } rows[] = {
        { "\"\\ud800\"", "lone_surrogate", "", 1 },
        { "\"\\udc00\"", "lone_surrogate", "", 1 },
        { "[0,\"\\ud800x\"]", "lone_surrogate", "/1", 4 },
        { "{\"a\":\"x\\ud800\\u0041\"}", "lone_surrogate", "/a", 7 },
        { "\"\\ud800\\ud800\"", "lone_surrogate", "", 1 },
        { "\"\\ud83d\\n\"", "lone_surrogate", "", 1 },
        { "{\"a\":1,\"\\ud800\":2}", "lone_surrogate", "", 8 },
        { "{\"o\":{\"a\":1,\"b\\u0000\":2}}", "nul_character", "/o", 14 },
        { "{\"a\":[\"\\u0000\"]}", "nul_character", "/a/0", 7 },
        { "{\"a\":1,\"\\u0061\":1}", "duplicate_name", "/a", 7 },
        { "{\"a\":[1,9007199254740992]}", "number_out_of_range", "/a/1", 8 },
        { "{\"a\":-1e400}", "number_out_of_range", "/a", 5 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_assert_eq(check(slice_of(rows[i].text)), E_BAD_JSON, "%s", rows[i].text);
        cr_expect_str_eq(fault.why->code, rows[i].code, "%s", rows[i].text);
        cr_expect_str_eq(fault.pointer, rows[i].pointer, "%s", rows[i].text);
        cr_expect_eq(fault.at, rows[i].at, "%s: at %zu", rows[i].text, fault.at);
        cr_expect_eq(json_scan_all(slice_of(rows[i].text), &scratch), OK, "%s", rows[i].text);
    }
}

/* The grammar itself has no depth: its stack grows with the text, and ends where the text must have ended. */
Test(json, grammar_of_any_depth)
{
    static const size_t depths[] = { 63, 64, 65, 127, 128, 129, 50000 };
    for (size_t i = 0; i < ARRAY_LEN(depths); i++) {
        size_t n = depths[i];
        char *text = malloc(2 * n + 1);
        memset(text, '[', n);
        memset(text + n, ']', n);
        cr_expect_eq(json_scan_all((struct slice){ text, 2 * n }, &scratch), OK, "%zu", n);
        cr_expect_eq(json_scan_all((struct slice){ text, 2 * n - 1 }, &scratch), E_BAD_JSON);
        cr_expect_eq(json_scan_all((struct slice){ text, n }, &scratch), E_BAD_JSON);
        text[2 * n] = ']';
        cr_expect_eq(json_scan_all((struct slice){ text, 2 * n + 1 }, &scratch), E_BAD_JSON);
        text[n] = '}';
        cr_expect_eq(json_scan_all((struct slice){ text, 2 * n }, &scratch), E_BAD_JSON);
        free(text);
    }
}

/* Objects and arrays in turn, across a word of the stack's bits. */
Test(json, grammar_remembers_what_it_closes)
{
    struct sbuf b;
    sbuf_init(&b);
    for (int i = 0; i < 100; i++) {
        sbuf_text(&b, i % 3 ? "[" : "{\"a\":");
    }
    sbuf_text(&b, "1");
    for (int i = 99; i >= 0; i--) {
        sbuf_text(&b, i % 3 ? "]" : "}");
    }
    cr_expect_eq(json_scan_all(sbuf_slice(&b), &scratch), OK);
    b.data[b.len - 34] = b.data[b.len - 34] == ']' ? '}' : ']';
    cr_expect_eq(json_scan_all(sbuf_slice(&b), &scratch), E_BAD_JSON);
    sbuf_fini(&b);
}

Test(json, numbers_beyond_range)
{
    static const char *const bad[] = {
        "9007199254740992", "-9007199254740992",    "1e400",
        "-1e400",           "18446744073709551616", "123456789012345678901234567890"
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(check(slice_of(bad[i])), E_BAD_JSON);
        cr_expect_str_eq(why(), "number beyond range");
    }
    char longest[200] = "0.";
    memset(longest + 2, '1', 126);
    cr_expect_eq(check(slice_of(longest)), OK);
    longest[128] = '1';
    cr_expect_eq(check(slice_of(longest)), E_BAD_JSON);
    cr_expect_str_eq(why(), "number too long");
}

static void nest(char *out, size_t depth, const char *open, const char *inner, const char *close)
{
    out[0] = '\0';
    for (size_t i = 0; i < depth; i++) {
        strcat(out, open);
    }
    strcat(out, inner);
    for (size_t i = 0; i < depth; i++) {
        strcat(out, close);
    }
}

Test(json, depth)
{
    char text[1000];
    struct json_object *o;
    nest(text, JSON_DEPTH_MAX, "[", "1", "]");
    cr_expect_eq(check(slice_of(text)), OK);
    cr_assert_eq(json_read(slice_of(text), &scratch, &fault, &o), OK, "json-c must agree");
    json_object_put(o);
    nest(text, JSON_DEPTH_MAX + 1, "[", "", "]");
    cr_expect_eq(check(slice_of(text)), E_BAD_JSON);
    cr_expect_str_eq(why(), "nested too deeply");
    nest(text, JSON_DEPTH_MAX, "{\"a\":", "1", "}");
    cr_expect_eq(check(slice_of(text)), OK);
    cr_assert_eq(json_read(slice_of(text), &scratch, &fault, &o), OK, "json-c must agree");
    json_object_put(o);
    nest(text, JSON_DEPTH_MAX + 1, "{\"a\":", "1", "}");
    cr_expect_eq(check(slice_of(text)), E_BAD_JSON);
}

static void expect_twin(const char *text, size_t at, const char *pointer)
{
    cr_expect_eq(check(slice_of(text)), E_BAD_JSON, "%s", text);
    cr_expect_str_eq(why(), "duplicate name", "%s", text);
    cr_expect_eq(fault.at, at, "%s: at %zu", text, fault.at);
    cr_expect_str_eq(fault.pointer, pointer);
}

Test(json, duplicate_names)
{
    expect_twin("{\"a\":1,\"a\":1}", 7, "/a");
    expect_twin("{\"a\":1,\"b\":{},\"\\u0061\":2}", 14, "/a");
    expect_twin("{\"é\":1,\"\\u00e9\":2}", 8, "/é");
    expect_twin("{\"\\ud83d\\ude00\":1,\"😀\":2}", 18, "/😀");
    expect_twin("{\"\":1,\"\":1}", 6, "/");
    expect_twin("[0,{\"x\":[{\"b\":1,\"b\":2}]}]", 16, "/1/x/0/b");
    expect_twin("{\"\\n\":1,\"\\u000A\":1}", 8, "/\n");
}

/* Enough members for the sorted way, the twins far apart. */
Test(json, duplicate_names_in_large_objects)
{
    struct sbuf b;
    sbuf_init(&b);
    for (int twin = 0; twin <= 1; twin++) {
        sbuf_reset(&b, 1 << 20);
        sbuf_text(&b, "{\"x\":[");
        for (int i = 0; i < 3; i++) {
            sbuf_fmt(&b, "{\"k%d\":{\"k\":1}},", i);
        }
        sbuf_text(&b, "0]");
        for (int i = 0; i < 900; i++) {
            sbuf_fmt(&b, ",\"k%d\":{\"k\":%d}", i * 7919 % 1000, i);
        }
        sbuf_text(&b, twin ? ",\"k\\u0030\":1}" : ",\"K0\":1}");
        cr_expect_eq(check(sbuf_slice(&b)), twin ? E_BAD_JSON : OK, "%s", why());
        if (twin) {
            cr_expect_str_eq(fault.pointer, "/k0");
            cr_expect_eq(fault.at, b.len - 12);
        }
    }
    sbuf_fini(&b);
}

Test(json, members_limit)
{
    struct sbuf b;
    sbuf_init(&b);
    for (int extra = 0; extra <= 1; extra++) {
        sbuf_reset(&b, 1 << 20);
        for (int i = 0; i < JSON_NAMES_MAX + extra; i++) {
            sbuf_fmt(&b, "%c\"%d\":1", i == 0 ? '{' : ',', i);
        }
        sbuf_char(&b, '}');
        cr_expect_eq(check(sbuf_slice(&b)), extra ? E_BAD_JSON : OK);
    }
    cr_expect_str_eq(why(), "too many members");
    sbuf_fini(&b);
}

Test(json, a_full_arena_is_a_refusal)
{
    struct sbuf b;
    sbuf_init(&b);
    for (int i = 0; i < 500; i++) {
        sbuf_fmt(&b, "%c\"%d\":1", i == 0 ? '{' : ',', i);
    }
    sbuf_char(&b, '}');
    arena_fini(&scratch);
    arena_init(&scratch, 2000);
    cr_expect_eq(check(sbuf_slice(&b)), E_BAD_JSON);
    cr_expect_str_eq(why(), "too large to be read");
    sbuf_fini(&b);
}

Test(json, pointer_of_a_fault)
{
    cr_expect_eq(check(SLICE("{\"a/b~c\":[1,{\"d\":nope}]}")), E_BAD_JSON);
    cr_expect_str_eq(fault.pointer, "/a~1b~0c/1/d");
    cr_expect_eq(fault.at, 17);
    cr_expect_eq(check(SLICE("nope")), E_BAD_JSON);
    cr_expect_str_eq(fault.pointer, "");
    cr_expect_eq(check(SLICE("[0,1,2,3,4,5,6,7,8,9,10,x]")), E_BAD_JSON);
    cr_expect_str_eq(fault.pointer, "/11");
}

Test(json, pointer_is_cut_at_a_whole_token)
{
    struct sbuf b;
    sbuf_init(&b);
    sbuf_text(&b, "{\"a\":{\"");
    for (int i = 0; i < 300; i++) {
        sbuf_char(&b, '/');
    }
    sbuf_text(&b, "\":x}}");
    cr_expect_eq(check(sbuf_slice(&b)), E_BAD_JSON);
    cr_expect_str_eq(fault.pointer, "/a");
    sbuf_fini(&b);
}

Test(json, read)
{
    static const char *const single[] = { "12", "-3.5", "true", "null", "\"x\"", "[1]", " 7 " };
    for (size_t i = 0; i < ARRAY_LEN(single); i++) {
        struct json_object *o = NULL;
        cr_expect_eq(json_read(slice_of(single[i]), &scratch, &fault, &o), OK, "%s", single[i]);
        cr_expect_eq(o == NULL, single[i][0] == 'n');
        json_object_put(o);
    }
    struct json_object *o = NULL;
    cr_expect_eq(json_read(SLICE("[1"), &scratch, &fault, &o), E_BAD_JSON);
    cr_expect_null(o);
}

Test(json, checked_members)
{
    struct json_object *o;
    struct slice text = SLICE("");
    int64_t n = 7;
    cr_assert_eq(json_read(SLICE("{\"s\":\"añb\",\"i\":-5,\"d\":1.0,\"z\":null,\"n\":\"12\"}"),
                           &scratch, &fault, &o),
                 OK);
    cr_expect_eq(json_get_text(o, "s", &text), OK);
    cr_expect(slice_eq(text, SLICE("añb")));
    cr_expect_eq(json_get_int(o, "i", &n), OK);
    cr_expect_eq(n, -5);
    cr_expect_eq(json_get_int(o, "d", &n), E_INVALID);
    cr_expect_eq(json_get_int(o, "n", &n), E_INVALID);
    cr_expect_eq(json_get_int(o, "z", &n), E_INVALID);
    cr_expect_eq(json_get_int(o, "none", &n), E_INVALID);
    cr_expect_eq(json_get_text(o, "i", &text), E_INVALID);
    cr_expect_eq(json_get_text(o, "z", &text), E_INVALID);
    cr_expect_eq(json_get_text(NULL, "s", &text), E_INVALID);
    cr_expect_eq(n, -5);
    json_object_put(o);
}
