/* SPDX-License-Identifier: LicenseRef-Gremio */
/* An iCalendar file. What is read of it is days within the bounds, in order, with names that a database takes. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "worker/ical_days.h"

static void check_day(const struct ical_day *d)
{
    FUZZ_CHECK(strlen(d->first) == 10 && strlen(d->last) == 10 && strcmp(d->first, d->last) <= 0);
    FUZZ_CHECK(strcmp(d->last, "2026-01-01") >= 0 && strcmp(d->first, "2029-01-01") < 0);
    FUZZ_CHECK(d->uid[0] && str_utf8_valid(slice_of(d->uid)));
    FUZZ_CHECK(str_utf8_valid(slice_of(d->reason)));
    for (const char *p = d->reason; *p; p++) {
        FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct ical_days days;
    struct slice text = { (const char *)data, n };
    if (ical_days_read(text, "2026-01-01", "2029-01-01", &days) != OK) {
        return 0;
    }
    FUZZ_CHECK(days.count <= ICAL_DAYS_MAX && days.skipped_count <= ICAL_DAYS_MAX);
    for (size_t i = 0; i < days.count; i++) {
        check_day(&days.rows[i]);
    }
    for (size_t i = 0; i < days.skipped_count; i++) {
        FUZZ_CHECK(days.skipped[i].why && str_utf8_valid(slice_of(days.skipped[i].uid)));
    }
    return 0;
}
