/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Growth, remembered failure, number forms, big-endian fields and JSON strings. */
#include "common/sbuf.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

static struct sbuf b;

static void fini(void)
{
    sbuf_fini(&b);
}

TestSuite(sbuf, .fini = fini);

Test(sbuf, grows_and_stays_terminated)
{
    sbuf_init(&b);
    for (int i = 0; i < 5000; i++) {
        sbuf_text(&b, "abc");
        sbuf_char(&b, 'd');
        cr_assert_eq(b.data[b.len], '\0');
    }
    cr_assert_eq(b.len, 20000);
    cr_assert_eq(memcmp(b.data + 19996, "abcd", 4), 0);
    cr_assert_not(sbuf_failed(&b));
}

Test(sbuf, empty)
{
    sbuf_init(&b);
    cr_expect_eq(sbuf_slice(&b).n, 0);
    sbuf_reset(&b, 0);
    sbuf_add(&b, (struct slice){ 0 });
    cr_expect_str_eq(b.data, "");
}

Test(sbuf, a_failure_is_remembered_until_reset)
{
    sbuf_init(&b);
    sbuf_text(&b, "abc");
    cr_expect_null(sbuf_room(&b, SIZE_MAX - 1));
    cr_expect(sbuf_failed(&b));
    sbuf_text(&b, "def");
    sbuf_u32(&b, 7);
    cr_expect_eq(b.len, 3);
    cr_expect_null(sbuf_room(&b, 1));
    sbuf_reset(&b, 1024);
    cr_expect_not(sbuf_failed(&b));
    sbuf_text(&b, "g");
    cr_expect_str_eq(b.data, "g");
}

Test(sbuf, reset_keeps_only_what_is_small)
{
    sbuf_init(&b);
    cr_assert_not_null(sbuf_room(&b, 5000));
    sbuf_reset(&b, 100000);
    cr_expect(b.cap > 5000);
    sbuf_reset(&b, 1000);
    cr_expect_eq(b.cap, 0);
    cr_expect_null(b.data);
}

Test(sbuf, integers_as_printf_has_them)
{
    static const int64_t values[] = { 0, 1, -1, 9, 10, -10, 1234567890, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char want[32];
        sbuf_reset(&b, 1024);
        sbuf_int(&b, values[i]);
        snprintf(want, sizeof(want), "%" PRId64, values[i]);
        cr_expect_str_eq(b.data, want);
    }
}

Test(sbuf, fmt)
{
    sbuf_init(&b);
    sbuf_fmt(&b, "%s-%d", "x", 5);
    sbuf_fmt(&b, "%0500d", 7);
    cr_expect_eq(b.len, 503);
    cr_expect_eq(memcmp(b.data, "x-500", 5), 0);
    cr_expect_eq(b.data[502], '7');
}

Test(sbuf, big_endian)
{
    sbuf_init(&b);
    sbuf_u8(&b, 0x01);
    sbuf_u16(&b, 0x0203);
    sbuf_u32(&b, 0x04050607);
    sbuf_u64(&b, 0x08090a0b0c0d0e0f);
    cr_assert_eq(b.len, 15);
    for (size_t i = 0; i < 15; i++) {
        cr_expect_eq(b.data[i], (char)(i + 1));
    }
}

Test(sbuf, percent_coding)
{
    sbuf_reset(&b, 1 << 20);
    sbuf_percent(&b, (struct slice){ "aZ09-._~ \0%/ñ\n", 15 });
    cr_expect_str_eq(b.data, "aZ09-._~%20%00%25%2F%C3%B1%0A");
}

static const char *json(struct slice s)
{
    sbuf_reset(&b, 1 << 20);
    sbuf_json(&b, s);
    return b.data;
}

Test(sbuf, json_escapes)
{
    cr_expect_str_eq(json(SLICE("")), "\"\"");
    cr_expect_str_eq(json(SLICE("ñ 日本 😀")), "\"ñ 日本 😀\"");
    cr_expect_str_eq(json(SLICE("a\"b\\c/d")), "\"a\\\"b\\\\c/d\"");
    cr_expect_str_eq(json(SLICE("\b\f\n\r\t")), "\"\\b\\f\\n\\r\\t\"");
    cr_expect_str_eq(json(SLICE("\x01\x1f\0")), "\"\\u0001\\u001f\\u0000\"");
    cr_expect_str_eq(json(SLICE("\x7f")), "\"\x7f\"");
    cr_expect_str_eq(json(SLICE("</script><b>")), "\"<\\/script><b>\"");
    cr_expect_str_eq(json(SLICE("\u2028\u2029\u2027\u202a")), "\"\\u2028\\u2029\u2027\u202a\"");
    cr_expect_str_eq(json(SLICE("<")), "\"<\"");
    cr_expect_str_eq(json(SLICE("\xe2\x80")), "\"\xe2\x80\""); /* never looks behind the end */
}

/* Every escape at every offset of the eight-byte steps, judged by a parser that is not ours. */
Test(sbuf, json_reads_back)
{
    static const char *const odd[] = { "\"", "\\", "\n", "\x01", "</", "\u2028", "\u2029", "é" };
    for (size_t k = 0; k < ARRAY_LEN(odd); k++) {
        for (int before = 0; before < 20; before++) {
            for (int after = 0; after < 10; after++) {
                char text[64];
                snprintf(text, sizeof(text), "%.*s%s%.*s", before, "abcdefghijklmnopqrstuvwxyz",
                         odd[k], after, "zyxwvutsrqponm");
                struct json_object *o = json_tokener_parse(json(slice_of(text)));
                cr_assert_not_null(o, "%s", b.data);
                cr_assert_str_eq(json_object_get_string(o), text);
                json_object_put(o);
            }
        }
    }
}
