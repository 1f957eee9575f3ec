/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Which rules are taken, for what others are refused, and that libical's times are those of a walk over all days. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/rrule_walk.h"

#define START "2027-03-01T09:00" /* a Monday */

static const char *read_code(const char *text)
{
    struct rrule r;
    const struct rrule_fault *f = rrule_read(slice_of(text), &r);
    cr_assert(!f || (f->text[0][0] && f->text[1][0] && !f->start));
    return f ? f->code : "";
}

Test(rrule, what_is_refused_and_why)
{
    static const struct {
        const char *text, *code;
    } cases[] = {
        { "", "invalid_rrule" },
        { "weekly", "invalid_rrule" },
        { "FREQ=DAILY;COUNT=3;", "invalid_rrule" },
        { "FREQ=DAILY;;COUNT=3", "invalid_rrule" },
        { "FREQ=YEARLY;COUNT=3", "unsupported_frequency" },
        { "FREQ=SECONDLY;COUNT=3", "unsupported_frequency" },
        { "FREQ=daily;COUNT=3", "unsupported_frequency" },
        { "FREQ=;COUNT=3", "unsupported_frequency" },
        { "COUNT=3", "unsupported_frequency" },
        { "RRULE:FREQ=DAILY;COUNT=3", "unsupported_part" },
        { "FREQ=DAILY;COUNT=3;BYHOUR=9", "unsupported_part" },
        { "FREQ=DAILY;COUNT=3;BYSETPOS=1", "unsupported_part" },
        { "FREQ=WEEKLY;COUNT=3;WKST=SU", "unsupported_part" },
        { "FREQ=DAILY;COUNT=3;BYMONTH=2", "unsupported_part" },
        { "FREQ=DAILY", "no_end" },
        { "FREQ=DAILY;COUNT=3;UNTIL=20270601", "two_ends" },
        { "FREQ=DAILY;FREQ=DAILY;COUNT=3", "duplicate_value" },
        { "FREQ=DAILY;COUNT=3;COUNT=3", "duplicate_value" },
        { "FREQ=WEEKLY;COUNT=3;BYDAY=MO,MO", "duplicate_value" },
        { "FREQ=MONTHLY;COUNT=3;BYMONTHDAY=1,1", "duplicate_value" },
        { "FREQ=DAILY;COUNT=0", "too_many" },
        { "FREQ=DAILY;COUNT=101", "too_many" },
        { "FREQ=DAILY;COUNT=-1", "too_many" },
        { "FREQ=DAILY;COUNT=99999999999999999999", "too_many" },
        { "FREQ=DAILY;COUNT=", "too_many" },
        { "FREQ=DAILY;COUNT= 3", "too_many" },
        { "FREQ=DAILY;INTERVAL=0;COUNT=3", "out_of_range" },
        { "FREQ=DAILY;INTERVAL=100;COUNT=3", "out_of_range" },
        { "FREQ=DAILY;UNTIL=20270230", "invalid_until" },
        { "FREQ=DAILY;UNTIL=20270601T000000Z", "invalid_until" },
        { "FREQ=DAILY;UNTIL=20270601T240000", "invalid_until" },
        { "FREQ=DAILY;UNTIL=2027-06-01", "invalid_until" },
        { "FREQ=DAILY;UNTIL=", "invalid_until" },
        { "FREQ=DAILY;BYDAY=MO;COUNT=3", "invalid_days" },
        { "FREQ=WEEKLY;BYDAY=2MO;COUNT=3", "invalid_days" },
        { "FREQ=WEEKLY;BYDAY=XX;COUNT=3", "invalid_days" },
        { "FREQ=WEEKLY;BYDAY=;COUNT=3", "invalid_days" },
        { "FREQ=WEEKLY;BYDAY=MO,;COUNT=3", "invalid_days" },
        { "FREQ=WEEKLY;BYMONTHDAY=1;COUNT=3", "invalid_days" },
        { "FREQ=MONTHLY;BYDAY=MO;COUNT=3", "invalid_days" },
        { "FREQ=MONTHLY;BYDAY=6MO;COUNT=3", "invalid_days" },
        { "FREQ=MONTHLY;BYDAY=0MO;COUNT=3", "invalid_days" },
        { "FREQ=MONTHLY;BYMONTHDAY=0;COUNT=3", "invalid_days" },
        { "FREQ=MONTHLY;BYMONTHDAY=32;COUNT=3", "invalid_days" },
        { "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=1FR;COUNT=3", "invalid_days" },
        { "FREQ=DAILY;COUNT=100", "" },
        { "COUNT=3;FREQ=DAILY", "" },
        { "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;INTERVAL=99;UNTIL=20270601", "" },
        { "FREQ=MONTHLY;BYDAY=+1MO,-5SU;COUNT=1", "" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_str_eq(read_code(cases[i].text), cases[i].code, "%s: %s", cases[i].text,
                         read_code(cases[i].text));
    }
    char huge[400];
    memset(huge, 'A', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    cr_expect_str_eq(read_code(huge), "invalid_rrule");
}

Test(rrule, starts_and_bounds)
{
    static const struct {
        const char *rule, *start, *code;
        size_t count;
    } cases[] = {
        { "FREQ=DAILY;COUNT=1", START, "", 1 },
        { "FREQ=DAILY;COUNT=100", START, "", 100 },
        { "FREQ=DAILY;UNTIL=20270301", START, "", 1 },
        { "FREQ=DAILY;UNTIL=20270608", START, "", 100 },
        { "FREQ=DAILY;UNTIL=20270609", START, "too_many", 0 },
        { "FREQ=DAILY;UNTIL=20270302T085959", START, "", 1 },
        { "FREQ=DAILY;UNTIL=20270302T090000", START, "", 2 },
        { "FREQ=DAILY;UNTIL=20270228", START, "not_in_rule", 0 },
        { "FREQ=WEEKLY;BYDAY=TU;COUNT=3", START, "not_in_rule", 0 },
        { "FREQ=WEEKLY;COUNT=100", START, "", 100 },
        { "FREQ=WEEKLY;INTERVAL=2;COUNT=53", START, "", 53 },
        { "FREQ=WEEKLY;INTERVAL=2;COUNT=54", START, "too_far", 0 },
        { "FREQ=MONTHLY;COUNT=25", START, "", 25 },
        { "FREQ=MONTHLY;COUNT=26", START, "too_far", 0 },
        { "FREQ=MONTHLY;UNTIL=20990101", START, "too_far", 0 },
        { "FREQ=MONTHLY;BYMONTHDAY=2;COUNT=2", START, "not_in_rule", 0 },
        { "FREQ=MONTHLY;BYDAY=2MO;COUNT=2", START, "not_in_rule", 0 },
        { "FREQ=MONTHLY;BYDAY=-5MO;COUNT=2", START, "", 2 }, /* March 2027 has five */
        { "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=29;COUNT=1", "2028-02-29T09:00", "", 1 },
        { "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=29;COUNT=2", "2028-02-29T09:00", "too_far", 0 },
        { "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30;COUNT=2", "2028-02-28T09:00", "not_in_rule", 0 },
        { "FREQ=MONTHLY;COUNT=3", "2027-01-31T09:00", "", 3 },
        { "FREQ=DAILY;COUNT=1", "2027-02-29T09:00", "invalid_time", 0 },
        { "FREQ=DAILY;COUNT=1", "2027-02-28T24:00", "invalid_time", 0 },
        { "FREQ=DAILY;COUNT=1", "2027-02-28", "invalid_time", 0 },
        { "FREQ=DAILY;COUNT=1", "2027-02-28T9:000", "invalid_time", 0 },
        { "FREQ=DAILY;COUNT=1", "", "invalid_time", 0 },
    };
    static struct rrule_dates dates;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rrule r;
        cr_assert_null(rrule_read(slice_of(cases[i].rule), &r), "%s", cases[i].rule);
        const struct rrule_fault *f = rrule_expand(&r, cases[i].start, &dates);
        cr_expect_str_eq(f ? f->code : "", cases[i].code, "%s: %s", cases[i].rule,
                         f ? f->code : "");
        cr_expect(f || dates.count == cases[i].count, "%s: %zu", cases[i].rule, dates.count);
        cr_expect(!f || f->start == (strcmp(f->code, "not_in_rule") == 0 ||
                                     strcmp(f->code, "invalid_time") == 0));
    }
}

Test(rrule, days_of_months)
{
    static const struct {
        const char *rule, *start, *want;
    } cases[] = {
        { "FREQ=MONTHLY;COUNT=3", "2027-01-31T09:00", "2027-01-31 2027-03-31 2027-05-31 " },
        { "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3", "2028-01-31T09:00",
          "2028-01-31 2028-02-29 2028-03-31 " },
        { "FREQ=MONTHLY;BYDAY=2TU;COUNT=3", "2027-03-09T09:00",
          "2027-03-09 2027-04-13 2027-05-11 " },
        { "FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", "2027-03-26T09:00", "2027-03-26 2027-04-30 " },
        { "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;COUNT=4", "2027-03-01T09:00",
          "2027-03-01 2027-03-07 2027-03-15 2027-03-21 " },
    };
    static struct rrule_dates dates;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rrule r;
        char got[200] = "";
        cr_assert_null(rrule_read(slice_of(cases[i].rule), &r), "%s", cases[i].rule);
        cr_assert_null(rrule_expand(&r, cases[i].start, &dates), "%s", cases[i].rule);
        for (size_t k = 0; k < dates.count; k++) {
            strncat(got, dates.keys[k], 10);
            strcat(got, " ");
        }
        cr_expect_str_eq(got, cases[i].want, "%s: %s", cases[i].rule, got);
        cr_expect_str_eq(dates.keys[0], cases[i].start);
    }
}

static unsigned seed = 7;

static int pick(int from, int to)
{
    return from + rand_r(&seed) % (to - from + 1);
}

/* Some rule; most of the starts are not among its times. */
static void make_rule(char text[RRULE_TEXT_MAX], char start[RRULE_KEY_SIZE])
{
    static const char *const days[] = { "MO", "TU", "WE", "TH", "FR", "SA", "SU" };
    int freq = pick(0, 2), what = pick(0, 2), n = 0;
    n += snprintf(text, RRULE_TEXT_MAX, "FREQ=%s;INTERVAL=%d",
                  (const char *const[]){ "DAILY", "WEEKLY", "MONTHLY" }[freq],
                  pick(1, pick(0, 3) ? 3 : 99));
    for (int i = 0, many = pick(1, 3), day = pick(0, 6); i < many && freq > 0 && what > 0; i++) {
        const char *head = i == 0 ? freq == 2 && what == 1 ? ";BYMONTHDAY=" : ";BYDAY=" : ",";
        int nth = (day + i) % 5 + 1, sign = pick(0, 1) ? 1 : -1;
        n += freq == 1   ? snprintf(text + n, 40, "%s%s", head, days[(day + i) % 7])
             : what == 1 ? snprintf(text + n, 40, "%s%d", head, sign * (day * 4 + i + 1))
                         : snprintf(text + n, 40, "%s%d%s", head, sign * nth, days[(day + i) % 7]);
    }
    if (pick(0, 1)) {
        snprintf(text + n, 40, ";COUNT=%d", pick(1, 100));
    } else {
        snprintf(text + n, 40, ";UNTIL=%04d%02d%02d", pick(2027, 2029), pick(1, 12), pick(1, 28));
    }
    snprintf(start, RRULE_KEY_SIZE, "20%02d-%02d-%02dT%02d:%02d", pick(27, 28), pick(1, 12),
             pick(1, 28), pick(0, 23), pick(0, 59));
}

/* Rules that libical would step through otherwise than the walk, or for long, are found here. */
Test(rrule, times_are_those_of_a_walk, .timeout = 60)
{
    static struct rrule_dates got, want;
    size_t taken = 0, times = 0;
    clock_t began = clock();
    for (int i = 0; i < 20000; i++) {
        char text[RRULE_TEXT_MAX], start[RRULE_KEY_SIZE];
        struct rrule r;
        make_rule(text, start);
        cr_assert_null(rrule_read(slice_of(text), &r), "%s", text);
        if (rrule_expand(&r, start, &got)) {
            continue;
        }
        rrule_walk(&r, start, &want);
        cr_assert_eq(got.count, want.count, "%s from %s: %zu, %zu", text, start, got.count,
                     want.count);
        for (size_t k = 0; k < got.count; k++) {
            cr_assert_str_eq(got.keys[k], want.keys[k], "%s from %s", text, start);
        }
        taken++;
        times += got.count;
    }
    cr_expect_gt(taken, 1000);
    printf("rrule: %zu rules, %zu times, %.1f s\n", taken, times,
           (double)(clock() - began) / CLOCKS_PER_SEC);
}

Test(rrule, written_rules_are_read_as_the_same)
{
    static const char *const rules[] = {
        "FREQ=DAILY;INTERVAL=3;COUNT=9",
        "FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20270601",
        "FREQ=MONTHLY;BYDAY=2TU,-1FR;UNTIL=20270601T183000",
        "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1,-1;COUNT=4",
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct rrule r;
        char text[RRULE_TEXT_MAX + 1];
        cr_assert_null(rrule_read(slice_of(rules[i]), &r));
        rrule_write(&r, text);
        cr_expect_str_eq(text, rules[i]);
    }
}
