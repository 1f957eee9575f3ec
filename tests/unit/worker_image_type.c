/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Pictures are told by their bytes. */
#include <criterion/criterion.h>

#include "worker/image_type.h"

Test(image_type, known_ones_and_no_others)
{
    static const struct {
        struct slice bytes;
        const char *type;
    } cases[] = {
        { { "\x89PNG\r\n\x1a\n\0\0", 10 }, "image/png" },
        { { "\x89PNG\r\n\x1a", 7 }, NULL },
        { { "\xff\xd8\xff\xe0", 4 }, "image/jpeg" },
        { { "\xff\xd8", 2 }, NULL },
        { { "RIFF\x01\0\0\0WEBPVP8 ", 16 }, "image/webp" },
        { { "RIFF\x01\0\0\0WAVEfmt ", 16 }, NULL },
        { { "RIFF\x01\0\0\0WEB", 11 }, NULL },
        { { "GIF89a", 6 }, NULL },
        { { "<svg xmlns='http://www.w3.org/2000/svg'/>", 41 }, NULL },
        { { "\0\x89PNG\r\n\x1a\n", 9 }, NULL },
        { { NULL, 0 }, NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *type = image_type_of(cases[i].bytes);
        cr_expect((!type && !cases[i].type) ||
                      (type && cases[i].type && strcmp(type, cases[i].type) == 0),
                  "%zu: %s", i, type ? type : "none");
    }
}
