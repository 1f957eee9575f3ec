/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Numbers, UTF-8, base64url and hex: the forms accepted, the forms refused, the vectors of the RFCs. */
#include "common/str.h"

#include <criterion/criterion.h>
#include <stdio.h>

static bool int_is(const char *text, int64_t min, int64_t max, int64_t want)
{
    int64_t v = 4711;
    return str_int(slice_of(text), min, max, &v) == OK && v == want;
}

static bool int_refused(const char *text, int64_t min, int64_t max)
{
    int64_t v = 4711;
    return str_int(slice_of(text), min, max, &v) == E_BAD_REQUEST && v == 4711;
}

Test(str, integers)
{
    cr_expect(int_is("0", 0, 9, 0));
    cr_expect(int_is("-1", -1, 9, -1));
    cr_expect(int_is("9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX));
    cr_expect(int_is("-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN));
    static const char *const bad[] = { "",
                                       "-",
                                       "-0",
                                       "00",
                                       "01",
                                       "+1",
                                       " 1",
                                       "1 ",
                                       "1.0",
                                       "1e3",
                                       "0x1",
                                       "١",
                                       "--1",
                                       "9223372036854775808",
                                       "-9223372036854775809",
                                       "99999999999999999999999" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect(int_refused(bad[i], INT64_MIN, INT64_MAX), "\"%s\"", bad[i]);
    }
    cr_expect(int_refused("10", 0, 9));
    cr_expect(int_refused("-1", 0, 9));
}

Test(str, case_prefix_blanks)
{
    cr_expect(str_ieq(SLICE("Content-Type"), SLICE("cONTENT-tYPE")));
    cr_expect_not(str_ieq(SLICE("a"), SLICE("b")));
    cr_expect_not(str_ieq(SLICE("["), SLICE("{"))); /* differ in the same bit as letters do */
    cr_expect_not(str_ieq(SLICE("a"), SLICE("aa")));
    cr_expect(str_starts(SLICE("/api/v1"), SLICE("/api")));
    cr_expect_not(str_starts(SLICE("/ap"), SLICE("/api")));
    cr_expect(str_starts((struct slice){ 0 }, (struct slice){ 0 }));
    cr_expect(slice_eq(str_trim(SLICE(" \t a b\t ")), SLICE("a b")));
    cr_expect_eq(str_trim(SLICE(" \t ")).n, 0);
    cr_expect_eq(str_trim(SLICE("\n")).n, 1);
}

Test(str, cut)
{
    struct slice rest = SLICE("a,,b");
    cr_expect(slice_eq(str_cut(&rest, ','), SLICE("a")));
    cr_expect(slice_eq(str_cut(&rest, ','), SLICE("")));
    cr_expect(slice_eq(str_cut(&rest, ','), SLICE("b")));
    cr_expect_null(rest.p);
    cr_expect_eq(rest.n, 0);

    rest = SLICE("a,");
    cr_expect(slice_eq(str_cut(&rest, ','), SLICE("a")));
    cr_expect_not_null(rest.p, "an empty piece is still to come");
    cr_expect_eq(str_cut(&rest, ',').n, 0);
    cr_expect_null(rest.p);
}

Test(str, utf8)
{
    static const char *const good[] = {
        "",
        "plain ascii of more than eight bytes",
        "ñandú",
        "日本語",
        "😀",
        "\x7f",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
    };
    static const char *const bad[] = {
        "\x80",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xc2",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "12345678\xff",
        "1234567\xc3",
        "\xc3(",
        "\xe2\x28\xa1",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cr_expect(str_utf8_valid(slice_of(good[i])), "good %zu", i);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_not(str_utf8_valid(slice_of(bad[i])), "bad %zu", i);
    }
    cr_expect_eq(str_utf8_len(SLICE("ñandú 日本 😀")), 10);
}

/* Every code point in its own encoding, and no surrogate. */
Test(str, utf8_every_code_point)
{
    for (uint32_t c = 0x800; c < 0x10000; c++) {
        char b[3] = { (char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)),
                      (char)(0x80 | (c & 63)) };
        bool surrogate = c >= 0xd800 && c <= 0xdfff;
        cr_assert_neq(str_utf8_valid((struct slice){ b, 3 }), surrogate, "U+%04X", c);
    }
}

Test(str, base64url_vectors)
{
    static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
    static const char *const coded[] = { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy" };
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        char out[STR_BASE64_SIZE(6)];
        char back[6];
        size_t n = 99;
        cr_expect_eq(str_base64url(plain[i], i, out), strlen(coded[i]));
        cr_expect_str_eq(out, coded[i]);
        cr_expect_eq(str_base64url_decode(slice_of(out), back, sizeof(back), &n), OK);
        cr_expect_eq(n, i);
        cr_expect_eq(memcmp(back, plain[i], i), 0);
    }
}

Test(str, base64url_uses_the_url_alphabet)
{
    char out[STR_BASE64_SIZE(3)];
    str_base64url("\xfb\xff\xfe", 3, out);
    cr_expect_str_eq(out, "-__-");
}

Test(str, base64url_refuses)
{
    static const char *const bad[] = { "Z",      "Zm9vY", "Zg==", "Zh",    "Zm9",  "Zm9v+A",
                                       "Zm9v/A", "Zg ",   " Zg",  "Zm\n8", "Z\xc3" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char back[16];
        size_t n = 99;
        cr_expect_eq(str_base64url_decode(slice_of(bad[i]), back, sizeof(back), &n), E_BAD_REQUEST,
                     "\"%s\"", bad[i]);
        cr_expect_eq(n, 99);
    }
    char small[2];
    size_t n;
    cr_expect_eq(str_base64url_decode(SLICE("Zm9v"), small, sizeof(small), &n), E_BAD_REQUEST);
    cr_expect_eq(str_base64url_decode(SLICE("Zm8"), small, sizeof(small), &n), OK);
}

Test(str, base64url_round_trip)
{
    uint8_t data[256];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 167 + 13);
    }
    for (size_t n = 0; n <= sizeof(data); n++) {
        char out[STR_BASE64_SIZE(256)];
        uint8_t back[256];
        size_t got;
        size_t len = str_base64url(data, n, out);
        cr_assert(len + 1 <= STR_BASE64_SIZE(n));
        cr_assert_eq(str_base64url_decode((struct slice){ out, len }, back, n, &got), OK);
        cr_assert_eq(got, n);
        cr_assert_eq(memcmp(back, data, n), 0);
    }
}

Test(str, hex)
{
    char out[9];
    uint8_t back[4];
    str_hex("\x00\x9f\xab\xff", 4, out);
    cr_expect_str_eq(out, "009fabff");
    cr_expect_eq(str_unhex(SLICE("009FabfF"), back, 4), OK);
    cr_expect_eq(memcmp(back, "\x00\x9f\xab\xff", 4), 0);
    cr_expect_eq(str_unhex(SLICE("009fabf"), back, 4), E_BAD_REQUEST);
    cr_expect_eq(str_unhex(SLICE("009fabff0"), back, 4), E_BAD_REQUEST);
    cr_expect_eq(str_unhex(SLICE("009fabfg"), back, 4), E_BAD_REQUEST);
    cr_expect_eq(str_unhex(SLICE("0x9fabff"), back, 4), E_BAD_REQUEST);
}

Test(str, copy)
{
    char out[4] = "zzz";
    cr_expect_eq(str_copy(SLICE("abcd"), out, sizeof(out)), E_BAD_REQUEST);
    cr_expect_eq(str_copy(SLICE("a\0b"), out, sizeof(out)), E_BAD_REQUEST);
    cr_expect_str_eq(out, "zzz", "untouched after a refusal");
    cr_expect_eq(str_copy(SLICE("abc"), out, sizeof(out)), OK);
    cr_expect_str_eq(out, "abc");
    cr_expect_eq(str_copy((struct slice){ 0 }, out, sizeof(out)), OK);
    cr_expect_str_eq(out, "");
}

Test(str, hash_is_fnv1a)
{
    cr_expect_eq(str_hash(SLICE("")), 0xcbf29ce484222325u);
    cr_expect_eq(str_hash(SLICE("a")), 0xaf63dc4c8601ec8cu);
    cr_expect_eq(str_hash(SLICE("foobar")), 0x85944171f73967e8u);
}
