/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A rule, and behind a line's end its start. What is taken is written and read again as the same, and its times are those that a walk over all days finds. */
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/support/rrule_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct rrule_dates got, want;
    struct rrule r, again;
    char start[32] = "2027-03-01T09:00", text[RRULE_TEXT_MAX + 1], twice[RRULE_TEXT_MAX + 1];
    struct slice rest = { (const char *)data, n };
    struct slice rule = str_cut(&rest, '\n');
    if (rest.p && rest.n < sizeof(start)) {
        snprintf(start, sizeof(start), "%.*s", (int)rest.n, rest.p);
    }
    if (rrule_read(rule, &r)) {
        return 0;
    }
    rrule_write(&r, text);
    FUZZ_CHECK(strlen(text) < RRULE_TEXT_MAX + 1 && !rrule_read(slice_of(text), &again));
    rrule_write(&again, twice);
    FUZZ_CHECK(strcmp(text, twice) == 0);
    if (rrule_expand(&r, start, &got)) {
        return 0;
    }
    rrule_walk(&r, start, &want);
    FUZZ_CHECK(got.count > 0 && got.count <= RRULE_MAX && got.count == want.count);
    for (size_t i = 0; i < got.count; i++) {
        FUZZ_CHECK(strcmp(got.keys[i], want.keys[i]) == 0);
    }
    return 0;
}
