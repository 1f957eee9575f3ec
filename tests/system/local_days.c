/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The database's days of a zone (ext.local_days) against the C library's clocks: every zone there is, the days on which they change and those beside
 * them. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "common/sbuf.h"
#include "tests/support/db.h"

enum { DAY = 86400, DAYS_MAX = 400 };

struct known {
    PGconn *db;
    size_t zones, days, changes;
};

static struct tm local(int64_t at)
{
    time_t now = (time_t)at;
    struct tm t;
    localtime_r(&now, &t);
    return t;
}

/* Days since 1970 of the local date. */
static int64_t date_of(int64_t at)
{
    struct tm t = local(at);
    struct tm day = { .tm_year = t.tm_year, .tm_mon = t.tm_mon, .tm_mday = t.tm_mday };
    return timegm(&day) / DAY;
}

static long offset_of(int64_t at)
{
    return local(at).tm_gmtoff;
}

/* The first second in (low, high] for which the offset is no longer low's. */
static int64_t find_change(int64_t low, int64_t high)
{
    long before = offset_of(low);
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;
        if (offset_of(mid) == before) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return high;
}

/* The dates around the zone's changes from 2015 to 2036, as a PostgreSQL array. */
static size_t list_dates(struct sbuf *out)
{
    size_t n = 0;
    sbuf_char(out, '{');
    for (int64_t at = 1420070400; at < 2082758400 && n + 3 < DAYS_MAX; at += 7 * DAY) {
        if (offset_of(at) == offset_of(at + 7 * DAY)) {
            continue;
        }
        int64_t change = find_change(at, at + 7 * DAY), day = date_of(change);
        if (date_of(change - 1) > day) {
            continue; /* clocks go back over midnight: that day begins twice */
        }
        for (int64_t d = day - 1; d <= day + 1; d++, n++) {
            char text[16];
            time_t then = (time_t)(d * DAY);
            struct tm t;
            gmtime_r(&then, &t);
            strftime(text, sizeof text, "%Y-%m-%d", &t);
            sbuf_fmt(out, "%s%s", n ? "," : "", text);
        }
    }
    sbuf_text(out, "}");
    return n;
}

static int64_t cell(const PGresult *r, int row, int column)
{
    return strtoll(PQgetvalue(r, row, column), NULL, 10);
}

/* d begins at from and not earlier; the same clocks run until they change, and again behind that. */
static void check_day(const char *zone, int64_t d, int64_t from, int64_t to)
{
    cr_expect(date_of(from) >= d && date_of(from - 1) < d, "%s: day %lld begins at %lld", zone,
              (long long)d, (long long)from);
    cr_expect(date_of(to) > d && date_of(to - 1) <= d, "%s: day %lld ends at %lld", zone,
              (long long)d, (long long)to);
}

static bool check_clocks(const char *zone, int64_t d, const int64_t span[2], int64_t change,
                         int64_t shown)
{
    struct tm first = local(span[0]);
    if (change == 0) {
        bool plain = offset_of(span[0]) == offset_of(span[1] - 1) || span[0] == span[1];
        cr_expect(plain, "%s: a change on day %lld was missed", zone, (long long)d);
        cr_expect(span[0] == span[1] || (first.tm_hour == 0 && first.tm_min == 0), "%s", zone);
        return false;
    }
    bool at_first = change == span[0];
    cr_expect(at_first || (change > span[0] && offset_of(change - 1) == offset_of(span[0])),
              "%s: day %lld", zone, (long long)d);
    cr_expect(offset_of(change - 1) != offset_of(change), "%s: no change on day %lld", zone,
              (long long)d);
    cr_expect_eq(offset_of(change), offset_of(span[1] - 1), "%s: day %lld", zone, (long long)d);
    cr_expect_eq(change + offset_of(change) - d * DAY, shown, "%s: day %lld shows %lld", zone,
                 (long long)d, (long long)shown);
    return true;
}

static void check_zone(struct known *k, const char *zone)
{
    struct sbuf dates;
    setenv("TZ", zone, 1);
    tzset();
    sbuf_init(&dates);
    (void)list_dates(&dates);
    const char *values[] = { dates.data, zone };
    PGresult *r = PQexecParams(k->db,
                               "SELECT l.day - date '1970-01-01', l.from_s, l.to_s, l.change_s,"
                               " l.shown_s FROM unnest($1::date[]) d"
                               " CROSS JOIN LATERAL ext.local_days(d, d, $2) l WHERE"
                               " ext.zone_known($2)",
                               2, NULL, values, NULL, NULL, 0);
    cr_assert_eq(PQresultStatus(r), PGRES_TUPLES_OK, "%s: %s", zone, PQerrorMessage(k->db));
    for (int i = 0; i < PQntuples(r); i++) {
        int64_t d = cell(r, i, 0), span[] = { cell(r, i, 1), cell(r, i, 2) };
        check_day(zone, d, span[0], span[1]);
        k->changes += check_clocks(zone, d, span, cell(r, i, 3), cell(r, i, 4));
        k->days++;
    }
    k->zones++;
    PQclear(r);
    sbuf_fini(&dates);
}

static void walk(struct known *k, const char *folder, const char *prefix)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[700], name[300];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] ? "/" : "", e->d_name);
        if (e->d_name[0] < 'A' || e->d_name[0] > 'Z' || stat(path, &st) != 0) {
            continue;
        }
        if (S_ISDIR(st.st_mode)) {
            walk(k, path, name);
        } else if (prefix[0]) {
            check_zone(k, name);
        }
    }
    if (d) {
        closedir(d);
    }
}

Test(local_days, are_what_the_c_library_says, .timeout = 240)
{
    struct known k = { .db = db_super() };
    walk(&k, "/usr/share/zoneinfo", "");
    printf("local days: %zu zones, %zu days, on %zu of them clocks change\n", k.zones, k.days,
           k.changes);
    cr_expect_gt(k.zones, 300, "no zones are installed");
    cr_expect_gt(k.changes, 2000);
    PQfinish(k.db);
}

/* Days that zones left out, began at one o'clock or had twice of. */
Test(local_days, odd_ones)
{
    static const struct {
        const char *zone, *day,
            *want; /* length, change behind the beginning, what clocks show then */
    } odd[] = {
        { "Pacific/Apia", "2011-12-30", "0 - 0" },
        { "Pacific/Apia", "2011-12-31", "86400 - 0" },
        { "America/Havana", "2026-03-08", "82800 0 3600" },
        { "America/Havana", "2026-11-01", "90000 3600 0" },
        { "America/Mexico_City", "2026-07-01", "86400 - 0" },
        { "Australia/Lord_Howe", "2026-10-04", "84600 7200 9000" },
        { "America/Santiago", "2026-04-04", "90000 86400 82800" },
    };
    PGconn *db = db_super();
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        char *got = db_value(db,
                             "SELECT to_s - from_s || ' ' || coalesce((nullif(change_s, 0) -"
                             " from_s)::text, '-') || ' ' || shown_s FROM"
                             " ext.local_days($1::date, $1::date, $2)",
                             odd[i].day, odd[i].zone, NULL);
        cr_expect_str_eq(got, odd[i].want, "%s %s: %s", odd[i].zone, odd[i].day, got);
        free(got);
    }
    PQfinish(db);
}
