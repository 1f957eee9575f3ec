/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The vectors of RFC 4226 (appendix D), RFC 6238 (appendix B, SHA-1) and RFC 4648 (10); and the window's edges. */
#include "common/totp.h"

#include <criterion/criterion.h>

#include "common/str.h"

static const struct slice secret = SLICE("12345678901234567890");

Test(totp, rfc_4226)
{
    static const char *const codes[] = { "755224", "287082", "359152", "969429", "338314",
                                         "254676", "287922", "162583", "399871", "520489" };
    char code[TOTP_CODE_MAX];
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        cr_assert_eq(totp_code(secret, (int64_t)i, 6, code), OK);
        cr_expect_str_eq(code, codes[i], "counter %zu", i);
    }
}

Test(totp, rfc_6238)
{
    static const struct {
        int64_t second;
        const char *code;
    } rows[] = {
        { 59, "94287082" },         { 1111111109, "07081804" }, { 1111111111, "14050471" },
        { 1234567890, "89005924" }, { 2000000000, "69279037" }, { 20000000000, "65353130" },
    };
    char code[TOTP_CODE_MAX];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_assert_eq(totp_code(secret, totp_step(rows[i].second), 8, code), OK);
        cr_expect_str_eq(code, rows[i].code, "second %lld", (long long)rows[i].second);
    }
}

Test(totp, digits_are_bounded)
{
    char code[TOTP_CODE_MAX];
    cr_expect_eq(totp_code(secret, 1, 0, code), E_INTERNAL);
    cr_expect_eq(totp_code(secret, 1, 10, code), E_INTERNAL);
    cr_expect_eq(totp_code(secret, 1, 9, code), OK);
}

Test(totp, one_step_each_side)
{
    const int64_t now = 1111111111, step = totp_step(now);
    char code[TOTP_CODE_MAX];
    for (int64_t off = -3; off <= 3; off++) {
        cr_assert_eq(totp_code(secret, step + off, TOTP_DIGITS, code), OK);
        cr_expect_eq(totp_find(secret, now, slice_of(code)),
                     off >= -1 && off <= 1 ? step + off : -1, "%lld steps off", (long long)off);
    }
}

Test(totp, what_is_no_code)
{
    static const char *const texts[] = { "", "05047", "0050471", "05047 ", "05047x", "000000" };
    const int64_t now = 1111111111;
    cr_expect_eq(totp_find(secret, now, SLICE("050471")), totp_step(now));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        cr_expect_eq(totp_find(secret, now, slice_of(texts[i])), -1, "\"%s\"", texts[i]);
    }
    cr_expect_eq(totp_find(SLICE("12345678901234567891"), now, SLICE("050471")), -1);
}

Test(totp, base32)
{
    static const char *const rows[][2] = {
        { "", "" },
        { "f", "MY" },
        { "fo", "MZXQ" },
        { "foo", "MZXW6" },
        { "foob", "MZXW6YQ" },
        { "fooba", "MZXW6YTB" },
        { "foobar", "MZXW6YTBOI" },
    };
    char text[STR_BASE32_SIZE(20)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str_base32(rows[i][0], strlen(rows[i][0]), text);
        cr_expect_str_eq(text, rows[i][1]);
        cr_expect_eq(STR_BASE32_SIZE(strlen(rows[i][0])), strlen(text) + 1);
    }
}
