/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Passwords people choose: what the rules take and what they call each refusal. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/password_rules.h"

static const char *flaw(const char *password, const char *email)
{
    struct password_flaw f = password_rules_check(slice_of(password), email);
    cr_assert(!f.code || (f.text[0] && f.text[1]));
    return f.code ? f.code : "";
}

Test(password_rules, good_ones_are_taken)
{
    static const char *const rows[] = {
        "correct-horse-battery-staple", "kf8z-hq2m-9x3w-t7ra", "mi perro come tacos", "Xk9$mPq2vL",
        "ñandú verde sin prisa",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_str_eq(flaw(rows[i], "ana@example.com"), "", "%s", rows[i]);
    }
}

Test(password_rules, common_ones_are_not)
{
    static const char *const rows[] = {
        "1234567890",    "password123!",  "Password1234",   "qwertyuiop1",      "iloveyou12345",
        "aaaaaaaaaaaa",  "veronica1990",  "contraseña123",  "contrasena2026",   "tequieromucho",
        "guadalupe1985", "Consultorio26", "dentista2026!!", "p@ssw0rdp@ssw0rd",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_expect_str_eq(flaw(rows[i], NULL), "too_common", "%s", rows[i]);
    }
}

Test(password_rules, parts_of_the_email_are_no_secret)
{
    cr_expect_str_eq(flaw("xochiquetzalli77", "ana@example.com"), "");
    cr_expect_str_eq(flaw("xochiquetzalli77", "xochiquetzalli@example.com"), "too_common");
    cr_expect_str_eq(flaw("sonrisasdelvalle", "ana@sonrisasdelvalle.mx"), "too_common");
}

Test(password_rules, length_is_bounded)
{
    char text[PASSWORD_RULES_MAX + 2];
    cr_expect_str_eq(flaw("Xk9$mPq2v", NULL), "too_short");
    cr_expect_str_eq(flaw("ñññññññññ", NULL), "too_short", "characters, not bytes");
    cr_expect_str_eq(flaw("", NULL), "too_short");
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)('!' + i * 37 % 90);
    }
    text[PASSWORD_RULES_MAX] = '\0';
    cr_expect_str_eq(flaw(text, NULL), "");
    text[PASSWORD_RULES_MAX] = 'x';
    text[PASSWORD_RULES_MAX + 1] = '\0';
    cr_expect_str_eq(flaw(text, NULL), "too_long");
    cr_expect_str_eq(flaw("\xff\xfe kf8z-hq2m-9x3w", NULL), "bad_text");
}

/* Any text, whatever its e-mail, is judged without harm: the sanitizers watch. */
Test(password_rules, any_text_is_judged)
{
    unsigned seed = 1;
    for (int i = 0; i < 2000; i++) {
        char text[200], email[100];
        size_t n = (size_t)rand_r(&seed) % sizeof text, m = (size_t)rand_r(&seed) % sizeof email;
        for (size_t k = 0; k < n; k++) {
            text[k] = (char)(1 + rand_r(&seed) % 127);
        }
        for (size_t k = 0; k < m; k++) {
            email[k] = "abz@.-19"[rand_r(&seed) % 8];
        }
        email[m] = '\0';
        (void)password_rules_check((struct slice){ text, n }, email);
    }
}
