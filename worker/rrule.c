/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A rule's start has to be one of its times: such a rule comes true again and again, so libical never looks for the next time until the end of its calendar. */
#include "worker/rrule.h"

#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>

#define FAULT(name, code_text, es, en) \
    static const struct rrule_fault name = { code_text, { es, en }, false }
#define START_FAULT(name, code_text, es, en) \
    static const struct rrule_fault name = { code_text, { es, en }, true }

FAULT(malformed, "invalid_rrule", "Debe ser una regla como FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10",
      "It must be a rule like FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10");
FAULT(twice, "duplicate_value", "Una parte de la regla está repetida",
      "A part of the rule is there twice");
FAULT(no_freq, "unsupported_frequency", "FREQ debe ser DAILY, WEEKLY o MONTHLY",
      "FREQ must be DAILY, WEEKLY or MONTHLY");
FAULT(not_taken, "unsupported_part", "Solo FREQ, INTERVAL, COUNT, UNTIL, BYDAY y BYMONTHDAY",
      "Only FREQ, INTERVAL, COUNT, UNTIL, BYDAY and BYMONTHDAY");
FAULT(no_end, "no_end", "Indique COUNT o UNTIL", "Say COUNT or UNTIL");
FAULT(two_ends, "two_ends", "Indique COUNT o UNTIL, no ambos", "Say COUNT or UNTIL, not both");
FAULT(bad_interval, "out_of_range", "INTERVAL debe ser de 1 a 99", "INTERVAL must be 1 to 99");
FAULT(bad_count, "too_many", "COUNT debe ser de 1 a 100", "COUNT must be 1 to 100");
FAULT(bad_until, "invalid_until",
      "UNTIL debe ser un día o una hora local, como 20270630 o 20270630T180000",
      "UNTIL must be a day or a local time, like 20270630 or 20270630T180000");
FAULT(bad_day, "invalid_days",
      "BYDAY son días como MO,WE de WEEKLY, o con número de 1 a 5 o negativo, como 2TU, de MONTHLY",
      "BYDAY is days like MO,WE of WEEKLY, or with a number from 1 to 5 or negative, like 2TU, of "
      "MONTHLY");
FAULT(bad_month_day, "invalid_days", "BYMONTHDAY es de MONTHLY: días de 1 a 31, o de -31 a -1",
      "BYMONTHDAY is of MONTHLY: days 1 to 31, or -31 to -1");
FAULT(both_days, "invalid_days", "Indique BYDAY o BYMONTHDAY, no ambos",
      "Say BYDAY or BYMONTHDAY, not both");
FAULT(too_many, "too_many", "A lo más 100 citas", "At most 100 occurrences");
FAULT(too_far, "too_far", "A lo más dos años desde el inicio", "At most two years from its start");
START_FAULT(bad_start, "invalid_time", "Debe ser una fecha y hora local",
            "It must be a local date and time");
START_FAULT(not_first, "not_in_rule", "Debe ser la primera fecha de la regla",
            "It must be the first date of the rule");

static const char *const weekdays[] = { "MO", "TU", "WE", "TH", "FR", "SA", "SU" };
static const char *const freqs[] = { "DAILY", "WEEKLY", "MONTHLY" };

/* ---- reading ---- */

enum part { PART_FREQ, PART_INTERVAL, PART_COUNT, PART_UNTIL, PART_DAYS, PART_MONTH_DAYS, PARTS };
static const char *const part_names[PARTS] = { "FREQ",  "INTERVAL", "COUNT",
                                               "UNTIL", "BYDAY",    "BYMONTHDAY" };

static size_t find_word(const char *const *words, size_t n, struct slice word)
{
    size_t i = 0;
    while (i < n && !slice_eq(slice_of(words[i]), word)) {
        i++;
    }
    return i;
}

static bool all_digits(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
    }
    return true;
}

/* Digits alone, without a sign and not more of them than any number here has. */
static bool take_number(struct slice s, int64_t min, int64_t max, int *out)
{
    int64_t v;
    if (s.n == 0 || s.n > 3 || !all_digits(s.p, s.n) || str_int(s, min, max, &v) != OK) {
        return false;
    }
    *out = (int)v;
    return true;
}

/* The same with a sign, perhaps; never 0. */
static bool take_signed(struct slice s, int max, int *out)
{
    bool minus = s.n > 0 && s.p[0] == '-', sign = minus || (s.n > 0 && s.p[0] == '+');
    struct slice digits = { s.p + sign, s.n - sign };
    if (!take_number(digits, 1, max, out)) {
        return false;
    }
    *out = minus ? -*out : *out;
    return true;
}

static int two(const char *p)
{
    return (p[0] - '0') * 10 + p[1] - '0';
}

static bool is_date(int year, int month, int day)
{
    return year >= 1970 && year < 2200 && month >= 1 && month <= 12 && day >= 1 &&
           day <= icaltime_days_in_month(month, year);
}

/* "20270630", the whole day, or "20270630T180000". */
static const struct rrule_fault *take_until(struct slice s, struct rrule *r)
{
    r->until_day = s.n == 8;
    bool time = s.n == 15 && s.p[8] == 'T' && all_digits(s.p + 9, 6);
    if ((!r->until_day && !time) || !all_digits(s.p, 8) ||
        !is_date(two(s.p) * 100 + two(s.p + 2), two(s.p + 4), two(s.p + 6))) {
        return &bad_until;
    }
    if (time && (two(s.p + 9) > 23 || two(s.p + 11) > 59 || two(s.p + 13) > 59)) {
        return &bad_until;
    }
    const char *clock = time ? s.p + 9 : "2359";
    snprintf(r->until, sizeof(r->until), "%.4s-%.2s-%.2sT%.2s:%.2s", s.p, s.p + 4, s.p + 6, clock,
             clock + 2);
    return NULL;
}

static const struct rrule_fault *take_days(struct slice s, struct rrule *r)
{
    struct slice rest = s;
    while (rest.p) {
        struct slice word = str_cut(&rest, ',');
        struct rrule_day d = { 0 };
        if (word.n < 2 || r->day_count == ARRAY_LEN(r->days)) {
            return &bad_day;
        }
        struct slice name = { word.p + word.n - 2, 2 }, nth = { word.p, word.n - 2 };
        d.weekday = (int)find_word(weekdays, ARRAY_LEN(weekdays), name) + 1;
        if (d.weekday > 7 || (nth.n > 0 && !take_signed(nth, 5, &d.nth))) {
            return &bad_day;
        }
        for (size_t i = 0; i < r->day_count; i++) {
            if (r->days[i].nth == d.nth && r->days[i].weekday == d.weekday) {
                return &twice;
            }
        }
        r->days[r->day_count++] = d;
    }
    return NULL;
}

static const struct rrule_fault *take_month_days(struct slice s, struct rrule *r)
{
    struct slice rest = s;
    while (rest.p) {
        int day;
        if (!take_signed(str_cut(&rest, ','), 31, &day) ||
            r->month_day_count == ARRAY_LEN(r->month_days)) {
            return &bad_month_day;
        }
        for (size_t i = 0; i < r->month_day_count; i++) {
            if (r->month_days[i] == day) {
                return &twice;
            }
        }
        r->month_days[r->month_day_count++] = day;
    }
    return NULL;
}

static const struct rrule_fault *take_part(enum part part, struct slice value, struct rrule *r)
{
    switch (part) {
    case PART_FREQ:
        r->freq = (enum rrule_freq)(find_word(freqs, ARRAY_LEN(freqs), value) + 1);
        return r->freq > RRULE_MONTHLY ? &no_freq : NULL;
    case PART_INTERVAL:
        return take_number(value, 1, RRULE_INTERVAL_MAX, &r->interval) ? NULL : &bad_interval;
    case PART_COUNT:
        return take_number(value, 1, RRULE_MAX, &r->count) ? NULL : &bad_count;
    case PART_UNTIL:
        return take_until(value, r);
    case PART_DAYS:
        return take_days(value, r);
    case PART_MONTH_DAYS:
        return take_month_days(value, r);
    case PARTS:
        break;
    }
    return &not_taken;
}

/* Parts that do not go together. */
static const struct rrule_fault *whole_fault(const struct rrule *r)
{
    if (!r->freq) {
        return &no_freq;
    }
    if (!r->count && !r->until[0]) {
        return &no_end;
    }
    if (r->count && r->until[0]) {
        return &two_ends;
    }
    if (r->month_day_count > 0 && r->freq != RRULE_MONTHLY) {
        return &bad_month_day;
    }
    if (r->month_day_count > 0 && r->day_count > 0) {
        return &both_days;
    }
    for (size_t i = 0; i < r->day_count; i++) {
        bool fits = r->freq == RRULE_WEEKLY    ? r->days[i].nth == 0
                    : r->freq == RRULE_MONTHLY ? r->days[i].nth != 0
                                               : false;
        if (!fits) {
            return &bad_day;
        }
    }
    return NULL;
}

const struct rrule_fault *rrule_read(struct slice text, struct rrule *out)
{
    unsigned seen = 0;
    struct slice rest = text;
    *out = (struct rrule){ .interval = 1 };
    if (text.n == 0 || text.n > RRULE_TEXT_MAX) {
        return &malformed;
    }
    while (rest.p) {
        struct slice value = str_cut(&rest, ';');
        if (!memchr(value.p, '=', value.n)) {
            return &malformed;
        }
        struct slice name = str_cut(&value, '=');
        enum part part = (enum part)find_word(part_names, PARTS, name);
        if (part < PARTS && seen & 1u << part) {
            return &twice;
        }
        const struct rrule_fault *fault = take_part(part, value, out);
        if (fault) {
            return fault;
        }
        seen |= 1u << part;
    }
    return whole_fault(out);
}

/* ---- writing ---- */

struct writer {
    char *out;
    size_t len, cap;
};

static void PRINTF_LIKE(2, 3) put(struct writer *w, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(w->out + w->len, w->cap - w->len, fmt, args);
    va_end(args);
    w->len = size_min(w->len + (size_t)n, w->cap - 1);
}

static void put_days(struct writer *w, const struct rrule *r)
{
    for (size_t i = 0; i < r->day_count; i++) {
        const struct rrule_day *d = &r->days[i];
        put(w, "%s", i ? "," : ";BYDAY=");
        if (d->nth) {
            put(w, "%d", d->nth);
        }
        put(w, "%s", weekdays[d->weekday - 1]);
    }
    for (size_t i = 0; i < r->month_day_count; i++) {
        put(w, "%s%d", i ? "," : ";BYMONTHDAY=", r->month_days[i]);
    }
}

void rrule_write(const struct rrule *r, char out[RRULE_TEXT_MAX + 1])
{
    struct writer w = { out, 0, RRULE_TEXT_MAX + 1 };
    const char *u = r->until;
    put(&w, "FREQ=%s", freqs[r->freq - 1]);
    if (r->interval != 1) {
        put(&w, ";INTERVAL=%d", r->interval);
    }
    put_days(&w, r);
    if (r->count) {
        put(&w, ";COUNT=%d", r->count);
    } else if (r->until_day) {
        put(&w, ";UNTIL=%.4s%.2s%.2s", u, u + 5, u + 8);
    } else {
        put(&w, ";UNTIL=%.4s%.2s%.2sT%.2s%.2s00", u, u + 5, u + 8, u + 11, u + 14);
    }
}

/* ---- expanding ---- */

static bool take_start(const char *start, struct icaltimetype *out)
{
    int year, month, day, hour, minute;
    char again[40];
    if (strlen(start) != RRULE_KEY_SIZE - 1 ||
        sscanf(start, "%4d-%2d-%2dT%2d:%2d", &year, &month, &day, &hour, &minute) != 5) {
        return false;
    }
    snprintf(again, sizeof(again), "%04d-%02d-%02dT%02d:%02d", year, month, day, hour, minute);
    *out = icaltime_null_time();
    out->year = year;
    out->month = month;
    out->day = day;
    out->hour = hour;
    out->minute = minute;
    return strcmp(again, start) == 0 && is_date(year, month, day) && hour >= 0 && hour < 24 &&
           minute >= 0 && minute < 60;
}

/* Monday is 1; libical counts from Sunday. */
static int weekday_of(struct icaltimetype t)
{
    int sunday = icaltime_day_of_week(t);
    return sunday == 1 ? 7 : sunday - 1;
}

/* Whether the days that r names have t among them; r names some. */
static bool has(const struct rrule *r, struct icaltimetype t)
{
    int length = icaltime_days_in_month(t.month, t.year);
    for (size_t i = 0; i < r->month_day_count; i++) {
        int day = r->month_days[i];
        if ((day > 0 ? day : length + 1 + day) == t.day) {
            return true;
        }
    }
    for (size_t i = 0; i < r->day_count; i++) {
        int nth = r->days[i].nth, from_start = (t.day - 1) / 7 + 1,
            from_end = -((length - t.day) / 7 + 1);
        if (r->days[i].weekday == weekday_of(t) &&
            (nth == 0 || nth == from_start || nth == from_end)) {
            return true;
        }
    }
    return false;
}

/* What libical steps by: r without its end, and with the start's day where it names none. */
static bool make_steps(const struct rrule *r, struct icaltimetype start,
                       struct icalrecurrencetype *out)
{
    struct rrule plain = *r;
    char text[RRULE_TEXT_MAX + 1];
    bool unnamed = r->day_count + r->month_day_count == 0;
    plain.count = 1; /* so that the text has an end, which is taken off again */
    if (unnamed && r->freq == RRULE_WEEKLY) {
        plain.days[plain.day_count++] = (struct rrule_day){ 0, weekday_of(start) };
    }
    if (unnamed && r->freq == RRULE_MONTHLY) {
        plain.month_days[plain.month_day_count++] = start.day;
    }
    rrule_write(&plain, text);
    icalerror_set_errors_are_fatal(false);
    *out = icalrecurrencetype_from_string(text);
    out->count = 0;
    return out->freq != ICAL_NO_RECURRENCE && (r->freq == RRULE_DAILY || has(&plain, start));
}

static void key_of(struct icaltimetype t, char out[RRULE_KEY_SIZE])
{
    char text[80];
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d", t.year, t.month, t.day, t.hour,
             t.minute);
    memcpy(out, text, RRULE_KEY_SIZE - 1);
    out[RRULE_KEY_SIZE - 1] = '\0';
}

static const struct rrule_fault *walk(const struct rrule *r, icalrecur_iterator *i,
                                      const char *last, struct rrule_dates *out)
{
    while (r->count == 0 || out->count < (size_t)r->count) {
        struct icaltimetype t = icalrecur_iterator_next(i);
        char key[RRULE_KEY_SIZE];
        if (icaltime_is_null_time(t) || t.year > 2199) {
            return &too_far;
        }
        key_of(t, key);
        if (r->until[0] && strcmp(key, r->until) > 0) {
            return NULL;
        }
        if (strcmp(key, last) > 0) {
            return &too_far;
        }
        if (out->count == RRULE_MAX) {
            return &too_many;
        }
        memcpy(out->keys[out->count++], key, sizeof(key));
    }
    return NULL;
}

const struct rrule_fault *rrule_expand(const struct rrule *r, const char *start,
                                       struct rrule_dates *out)
{
    struct icaltimetype first;
    struct icalrecurrencetype steps;
    char last[RRULE_KEY_SIZE];
    out->count = 0;
    if (!take_start(start, &first)) {
        return &bad_start;
    }
    if (!make_steps(r, first, &steps) || (r->until[0] && strcmp(start, r->until) > 0)) {
        return &not_first;
    }
    struct icaltimetype end = first;
    end.year += RRULE_YEARS;
    key_of(end, last);
    icalrecur_iterator *i = icalrecur_iterator_new(steps, first);
    const struct rrule_fault *fault = i ? walk(r, i, last, out) : &malformed;
    if (i) {
        icalrecur_iterator_free(i);
    }
    return fault;
}
