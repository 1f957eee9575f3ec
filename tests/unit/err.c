/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The error table is whole and consistent; the language is chosen as RFC 9110 12.5.4 says. */
#include "common/err.h"

#include <criterion/criterion.h>

Test(err, every_error_has_a_full_row)
{
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);
        cr_assert(info->status >= 400 && info->status <= 599, "error %d has status %d", e,
                  info->status);
        cr_assert(info->code && info->code[0]);
        cr_assert(info->title[LANG_ES][0] && info->title[LANG_EN][0]);
        for (const char *c = info->code; *c; c++) {
            cr_assert((*c >= 'a' && *c <= 'z') || *c == '_', "code %s", info->code);
        }
    }
}

Test(err, codes_are_unique)
{
    for (int a = OK; a < ERR_COUNT; a++) {
        for (int b = a + 1; b < ERR_COUNT; b++) {
            cr_assert_str_neq(err_info((enum err)a)->code, err_info((enum err)b)->code);
        }
    }
}

Test(err, an_unknown_value_reads_as_internal)
{
    cr_assert_eq(err_info(ERR_COUNT), err_info(E_INTERNAL));
    cr_assert_eq(err_info((enum err)9999), err_info(E_INTERNAL));
    cr_assert_eq(err_info(OK)->status, 200);
}

Test(err, language)
{
    static const struct {
        const char *field;
        enum lang want;
    } cases[] = {
        { NULL, LANG_ES },
        { "", LANG_ES },
        { "en", LANG_EN },
        { "EN-gb", LANG_EN },
        { "es-MX,es;q=0.9,en;q=0.8", LANG_ES },
        { "fr, en;q=0.1", LANG_EN },
        { "en;q=0.5, es;q=0.6", LANG_ES },
        { "es;q=0.5,en", LANG_EN },
        { "es, en", LANG_ES },
        { "en, es", LANG_EN },
        { "*", LANG_ES },
        { "es;q=0, *", LANG_EN },
        { "es;q=0.2, *;q=0.7", LANG_EN },
        { "en;q=0", LANG_ES },
        { "fr, de", LANG_ES },
        { "eng", LANG_ES },
        { "e", LANG_ES },
        { "en;q=2", LANG_ES },
        { "en;q=0.1234", LANG_ES },
        { "en;q=1.001", LANG_ES },
        { "en;level=1", LANG_ES },
        { ",,;,en , ", LANG_EN },
        { "en ; q=0.9 , es;q=0.3", LANG_EN },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(err_lang(slice_of(cases[i].field)), cases[i].want, "\"%s\"",
                     cases[i].field ? cases[i].field : "(none)");
    }
}
