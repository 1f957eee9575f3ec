/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Readings of the two clocks, and instants as text: RFC 3339 for people, ISO as PostgreSQL writes it. */
#include "common/clock.h"

#include <time.h>

#define US_PER_S   INT64_C(1000000)
#define US_PER_MIN (60 * US_PER_S)

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_wall_s(void)
{
    return clock_wall_us() / US_PER_S;
}

/* Digits and what stands behind them. Not strftime and printf, which every answer with a handful of instants would feel. */
static char *put(char *out, int v, int digits, char after)
{
    out[digits] = after;
    for (int i = digits; i-- > 0; v /= 10) {
        out[i] = (char)('0' + v % 10);
    }
    return out + digits + 1;
}

/* "2026-07-01T15:00:00" and the fraction when there is one; returns the length. 1970 for what is no four-digit year. */
static size_t format_local(int64_t wall_us, char out[CLOCK_RFC3339_MAX])
{
    int64_t us = wall_us % US_PER_S;
    time_t s = (time_t)(wall_us / US_PER_S - (us < 0));
    struct tm t;
    us += us < 0 ? US_PER_S : 0;
    if (!gmtime_r(&s, &t) || t.tm_year < -1900 || t.tm_year > 9999 - 1900) {
        t = (struct tm){ .tm_mday = 1, .tm_year = 70 };
    }
    char *end = put(out, t.tm_year + 1900, 4, '-');
    end = put(end, t.tm_mon + 1, 2, '-');
    end = put(end, t.tm_mday, 2, 'T');
    end = put(end, t.tm_hour, 2, ':');
    end = put(end, t.tm_min, 2, ':');
    end = put(end, t.tm_sec, 2, us > 0 ? '.' : '\0');
    end = us > 0 ? put(end, (int)us, 6, '\0') : end;
    return (size_t)(end - out) - 1;
}

void clock_format_utc(int64_t wall_us, char out[CLOCK_RFC3339_MAX])
{
    size_t n = format_local(wall_us, out);
    memcpy(out + n, "Z", 2);
}

void clock_format_offset(int64_t utc_us, int64_t local_us, char out[CLOCK_RFC3339_MAX])
{
    int minutes = (int)((local_us - utc_us) / US_PER_MIN);
    int ahead = minutes < 0 ? -minutes : minutes;
    char *end = out + format_local(local_us, out);
    *end = minutes < 0 ? '-' : '+';
    end = put(end + 1, ahead / 60 % 100, 2, ':');
    put(end, ahead % 60, 2, '\0');
}

/* Takes exactly n digits within [min, max] from the front of *s. */
static bool take_number(struct slice *s, size_t n, int min, int max, int *out)
{
    int v = 0;
    if (s->n < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') {
            return false;
        }
        v = v * 10 + (s->p[i] - '0');
    }
    s->p += n;
    s->n -= n;
    *out = v;
    return v >= min && v <= max;
}

/* Takes one character if it is among those of set. */
static bool take_char(struct slice *s, const char *set)
{
    if (s->n == 0 || s->p[0] == '\0' || !strchr(set, s->p[0])) {
        return false;
    }
    s->p++;
    s->n--;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, years from 1. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year; /* years start in March: the leap day comes last */
    int64_t m = month <= 2 ? month + 9 : month - 3;
    int64_t day_of_year = (153 * m + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static bool take_date(struct slice *s, int year_min, int year_max, int64_t *us)
{
    int year, month, day;
    if (!take_number(s, 4, year_min, year_max, &year) || !take_char(s, "-") ||
        !take_number(s, 2, 1, 12, &month) || !take_char(s, "-") ||
        !take_number(s, 2, 1, days_in_month(year, month), &day)) {
        return false;
    }
    *us = days_since_epoch(year, month, day) * 86400 * US_PER_S;
    return true;
}

/* ".123": one to nine digits, cut to microseconds. */
static bool take_fraction(struct slice *s, int64_t *us)
{
    int64_t unit = US_PER_S / 10;
    size_t n = 0;
    int digit;
    for (; s->n > 0 && take_number(s, 1, 0, 9, &digit); n++, unit /= 10) {
        *us += digit * unit;
    }
    return n >= 1 && n <= 9;
}

/* "09:00", "09:00:30", "09:00:30.5": added to *us. */
static bool take_time(struct slice *s, int64_t *us)
{
    int hour, minute;
    int second = 0;
    if (!take_number(s, 2, 0, 23, &hour) || !take_char(s, ":") ||
        !take_number(s, 2, 0, 59, &minute)) {
        return false;
    }
    if (take_char(s, ":")) {
        if (!take_number(s, 2, 0, 59, &second) || (take_char(s, ".") && !take_fraction(s, us))) {
            return false;
        }
    }
    *us += (hour * 3600 + minute * 60 + second) * US_PER_S;
    return true;
}

/* "Z", "-06:00", or nothing. */
static bool take_offset(struct slice *s, bool *has, int *minutes)
{
    int hour = 0;
    int minute = 0;
    *has = s->n > 0;
    if (!*has || take_char(s, "Zz")) {
        *minutes = 0;
        return true;
    }
    bool west = s->p[0] == '-';
    if (!take_char(s, "+-") || !take_number(s, 2, 0, 23, &hour) || !take_char(s, ":") ||
        !take_number(s, 2, 0, 59, &minute)) {
        return false;
    }
    *minutes = (hour * 60 + minute) * (west ? -1 : 1);
    return true;
}

enum err clock_parse(struct slice s, int64_t *local_us, bool *has_offset, int *offset_min)
{
    int64_t us = 0;
    bool has = false;
    int minutes = 0;
    if (!take_date(&s, 1970, 2199, &us) || !take_char(&s, "Tt") || !take_time(&s, &us) ||
        !take_offset(&s, &has, &minutes) || s.n > 0) {
        return E_BAD_REQUEST;
    }
    *local_us = us;
    *has_offset = has;
    *offset_min = minutes;
    return OK;
}

enum err clock_parse_pg(struct slice s, int64_t *us)
{
    int64_t v = 0;
    if (!take_date(&s, 1, 9999, &v) || !take_char(&s, " ") || !take_time(&s, &v)) {
        return E_BAD_REQUEST;
    }
    if (s.n > 0 && !slice_eq(s, SLICE("+00"))) { /* the session was not in UTC */
        return E_BAD_REQUEST;
    }
    *us = v;
    return OK;
}
