/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Instants as text, both ways; what is not a time is refused. */
#include "common/clock.h"

#include <criterion/criterion.h>

Test(clock, clocks_run)
{
    int64_t mono = clock_mono_us();
    int64_t wall = clock_wall_us();
    cr_expect(mono > 0 && clock_mono_us() >= mono);
    cr_expect(wall > INT64_C(1700000000000000));
    cr_expect(clock_wall_s() >= wall / 1000000 && clock_wall_s() - wall / 1000000 < 60);
}

static const char *utc(int64_t us)
{
    static char out[CLOCK_RFC3339_MAX];
    clock_format_utc(us, out);
    return out;
}

Test(clock, format_utc)
{
    cr_expect_str_eq(utc(0), "1970-01-01T00:00:00Z");
    cr_expect_str_eq(utc(INT64_C(1782918000123456)), "2026-07-01T15:00:00.123456Z");
    cr_expect_str_eq(utc(INT64_C(1782918000000001)), "2026-07-01T15:00:00.000001Z");
    cr_expect_str_eq(utc(INT64_C(951782400000000)), "2000-02-29T00:00:00Z");
    cr_expect_str_eq(utc(-1), "1969-12-31T23:59:59.999999Z");
    cr_expect(strlen(utc(INT64_MAX)) < CLOCK_RFC3339_MAX);
    cr_expect(strlen(utc(INT64_MIN)) < CLOCK_RFC3339_MAX);
}

Test(clock, format_offset)
{
    char out[CLOCK_RFC3339_MAX];
    const int64_t at = INT64_C(1782918000000000);
    clock_format_offset(at, at - INT64_C(6) * 3600 * 1000000, out);
    cr_expect_str_eq(out, "2026-07-01T09:00:00-06:00");
    clock_format_offset(at, at + INT64_C(345) * 60 * 1000000, out);
    cr_expect_str_eq(out, "2026-07-01T20:45:00+05:45");
    clock_format_offset(at, at, out);
    cr_expect_str_eq(out, "2026-07-01T15:00:00+00:00");
}

struct parsed {
    int64_t us;
    bool has;
    int minutes;
};

static bool parse(const char *text, struct parsed *p)
{
    return clock_parse(slice_of(text), &p->us, &p->has, &p->minutes) == OK;
}

Test(clock, parse)
{
    struct parsed p;
    cr_assert(parse("2026-07-01T09:00:00-06:00", &p));
    cr_expect_str_eq(utc(p.us), "2026-07-01T09:00:00Z");
    cr_expect(p.has && p.minutes == -360);
    cr_assert(parse("2026-07-01T09:00", &p));
    cr_expect_str_eq(utc(p.us), "2026-07-01T09:00:00Z");
    cr_expect_not(p.has);
    cr_assert(parse("2026-07-01t09:00:30.25z", &p));
    cr_expect_str_eq(utc(p.us), "2026-07-01T09:00:30.250000Z");
    cr_expect(p.has && p.minutes == 0);
    cr_assert(parse("2024-02-29T23:59:59.123456789+05:45", &p));
    cr_expect_str_eq(utc(p.us), "2024-02-29T23:59:59.123456Z");
    cr_expect_eq(p.minutes, 345);
    cr_assert(parse("2199-12-31T23:59:59Z", &p));
    cr_expect_str_eq(utc(p.us), "2199-12-31T23:59:59Z");
}

Test(clock, parse_refuses)
{
    static const char *const bad[] = {
        "",
        "2026-07-01",
        "2026-07-01 09:00:00Z",
        "2026-07-01T9:00:00Z",
        "2026-7-01T09:00:00Z",
        "2026-07-01T09",
        "2026-07-01T09:00:60Z",
        "2026-07-01T24:00:00Z",
        "2026-07-01T09:60:00Z",
        "2026-02-29T09:00:00Z",
        "2100-02-29T09:00:00Z",
        "2026-00-01T09:00:00Z",
        "2026-13-01T09:00:00Z",
        "2026-04-31T09:00:00Z",
        "2026-04-00T09:00:00Z",
        "1969-12-31T09:00:00Z",
        "2200-01-01T09:00:00Z",
        "2026-07-01T09:00:00.Z",
        "2026-07-01T09:00:00.1234567891Z",
        "2026-07-01T09:00:00-6:00",
        "2026-07-01T09:00:00-0600",
        "2026-07-01T09:00:00+24:00",
        "2026-07-01T09:00:00+00:60",
        "2026-07-01T09:00:00Zx",
        "2026-07-01T09:00:00 Z",
        " 2026-07-01T09:00:00Z",
        "+026-07-01T09:00:00Z",
        "20260701T090000Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct parsed p = { .us = 7 };
        cr_expect_not(parse(bad[i], &p), "%s", bad[i]);
        cr_expect_eq(p.us, 7);
    }
    struct parsed p;
    cr_expect_neq(clock_parse(SLICE("2026-07-01T09:00:00Z\0"), &p.us, &p.has, &p.minutes), OK);
}

/* Every day of the accepted years, by the C library's calendar. */
Test(clock, parse_every_day)
{
    for (int64_t day = 0; day < 84006; day += 1) {
        struct parsed p;
        int64_t us = day * 86400 * 1000000;
        cr_assert(parse(utc(us), &p), "%s", utc(us));
        cr_assert_eq(p.us, us, "%s", utc(us));
    }
}

Test(clock, parse_pg)
{
    int64_t us = 7;
    cr_assert_eq(clock_parse_pg(SLICE("2026-07-01 15:00:00.12+00"), &us), OK);
    cr_expect_str_eq(utc(us), "2026-07-01T15:00:00.120000Z");
    cr_assert_eq(clock_parse_pg(SLICE("2026-07-01 15:00:00"), &us), OK);
    cr_expect_str_eq(utc(us), "2026-07-01T15:00:00Z");
    static const char *const bad[] = { "",
                                       "infinity",
                                       "-infinity",
                                       "2026-07-01",
                                       "2026-07-01T15:00:00+00",
                                       "2026-07-01 15:00:00-06",
                                       "0044-03-15 12:00:00+00 BC",
                                       "12026-07-01 15:00:00+00" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(clock_parse_pg(slice_of(bad[i]), &us), E_BAD_REQUEST, "%s", bad[i]);
    }
}
