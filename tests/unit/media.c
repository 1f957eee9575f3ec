/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Which Content-Type is which. */
#include "common/media.h"

#include <criterion/criterion.h>

Test(media, types)
{
    static const struct {
        const char *type;
        bool json, form;
    } cases[] = {
        { "application/json", true, false },
        { "Application/JSON ; charset=utf-8", true, false },
        { "application/json;charset=\"UTF-8\"", true, false },
        { "application/json;charset=latin1", false, false },
        { "application/json; a=b", false, false },
        { "application/problem+json", false, false },
        { "application/x-www-form-urlencoded", false, true },
        { "application/x-www-form-urlencoded; charset=UTF-8", false, true },
        { "application/x-www-form-urlencoded; boundary=x", false, false },
        { "multipart/form-data; boundary=x", false, false },
        { "text/plain", false, false },
        { "", false, false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice type = slice_of(cases[i].type);
        cr_expect_eq(media_is(type, MEDIA_JSON), cases[i].json, "%s", cases[i].type);
        cr_expect_eq(media_is(type, MEDIA_FORM), cases[i].form, "%s", cases[i].type);
    }
}
