/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The judge against an oracle that knows only minutes: it paints every span onto a strip of minutes and looks at each minute of a visit. And the
 * grid against the C library's clocks, in every zone that is installed, on every day on which they change. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "worker/avail.h"

enum { WORLDS = 120000, MINUTES = 1200, SPANS = 12, MINUTE = 60, DAY = 86400 };

/* ---- the oracle ---- */

struct world {
    struct avail_span open[SPANS];
    struct avail_taken taken[SPANS];
    size_t open_count, taken_count;
    struct avail_visit visit;
    struct avail_limits limits;
    unsigned char strip[MINUTES]; /* bit 7: open; below: the bits of enum avail_why */
};

static int64_t pick(unsigned *seed, int64_t below)
{
    return rand_r(seed) % below;
}

static struct avail_span pick_span(unsigned *seed)
{
    int64_t from = pick(seed, MINUTES), length = pick(seed, 200);
    int64_t to = from + length < MINUTES ? from + length : MINUTES;
    return (struct avail_span){ from * MINUTE, to * MINUTE };
}

static void paint(struct world *w, struct avail_span s, unsigned char bit)
{
    for (int64_t m = s.from / MINUTE; m < s.to / MINUTE; m++) {
        w->strip[m] |= bit;
    }
}

static void make_world(struct world *w, unsigned *seed)
{
    static const unsigned whys[] = { AVAIL_EXCEPTION, AVAIL_BREAK, AVAIL_BUSY, AVAIL_BUFFER };
    memset(w, 0, sizeof *w);
    w->open_count = (size_t)pick(seed, SPANS);
    w->taken_count = (size_t)pick(seed, SPANS);
    for (size_t i = 0; i < w->open_count; i++) {
        w->open[i] = pick_span(seed);
        paint(w, w->open[i], 0x80);
    }
    for (size_t i = 0; i < w->taken_count; i++) {
        w->taken[i].span = pick_span(seed);
        w->taken[i].why = whys[pick(seed, 4)];
        paint(w, w->taken[i].span, (unsigned char)w->taken[i].why);
    }
    w->visit.length = (1 + pick(seed, 120)) * MINUTE;
    w->visit.before = pick(seed, 3) * 5 * MINUTE;
    w->visit.after = pick(seed, 3) * 5 * MINUTE;
    w->limits.earliest = pick(seed, MINUTES / 2) * MINUTE;
    w->limits.latest = w->limits.earliest + pick(seed, MINUTES) * MINUTE;
}

static unsigned look(const struct world *w, int64_t start)
{
    int64_t first = start / MINUTE, last = first + w->visit.length / MINUTE;
    int64_t before = first - w->visit.before / MINUTE, after = last + w->visit.after / MINUTE;
    unsigned why = start < w->limits.earliest ? AVAIL_NOTICE : 0;
    why |= start > w->limits.latest ? AVAIL_HORIZON : 0;
    for (int64_t m = before; m < after; m++) {
        unsigned char here = m >= 0 && m < MINUTES ? w->strip[m] : 0;
        bool inside = m >= first && m < last;
        why |= here & AVAIL_BUFFER;
        why |= inside ? here & (AVAIL_EXCEPTION | AVAIL_BREAK | AVAIL_BUSY) : 0;
        why |= inside && !(here & 0x80) ? AVAIL_CLOSED : 0;
    }
    return why & AVAIL_BUSY ? why & ~(unsigned)AVAIL_BUFFER : why;
}

Test(avail, judges_as_the_oracle_does, .timeout = 120)
{
    unsigned seed = 20260701;
    size_t free = 0, judged = 0;
    for (int i = 0; i < WORLDS; i++) {
        struct world w;
        make_world(&w, &seed);
        struct avail_span open[SPANS];
        struct avail_taken taken[SPANS];
        memcpy(open, w.open, sizeof open);
        memcpy(taken, w.taken, sizeof taken);
        struct avail_resource r = { open, w.open_count, taken, w.taken_count };
        avail_sort(&r);
        for (int n = 0; n < 25; n++, judged++) {
            int64_t start = pick(&seed, MINUTES) * MINUTE;
            unsigned got = avail_judge(&r, &w.visit, &w.limits, start), want = look(&w, start);
            cr_assert_eq(got, want, "world %d, minute %lld: %x, not %x", i,
                         (long long)start / MINUTE, got, want);
            free += got == 0;
        }
    }
    printf("avail: %d worlds, %zu times judged, %zu of them possible, 0 differ\n", WORLDS, judged,
           free);
    cr_expect_gt(free, judged / 100);
}

Test(avail, edges)
{
    struct avail_span open[] = { { 600, 1200 }, { 0, 600 }, { 5000, 4000 } };
    struct avail_taken taken[] = { { .span = { 900, 1000 }, .why = AVAIL_BUSY } };
    struct avail_resource r = { open, 3, taken, 1 };
    struct avail_visit v = { .length = 300 };
    struct avail_limits l = { INT64_MIN, INT64_MAX };
    avail_sort(&r);
    cr_expect_eq(r.open_count, 1, "joined, and the empty one is gone");
    cr_expect_eq(avail_judge(&r, &v, &l, 600), 0, "ends where the next begins");
    cr_expect_eq(avail_judge(&r, &v, &l, 601), AVAIL_BUSY);
    cr_expect_eq(avail_judge(&r, &v, &l, 999), AVAIL_BUSY | AVAIL_CLOSED);
    cr_expect_eq(avail_judge(&r, &v, &l, 1000), AVAIL_CLOSED);
    cr_expect_eq(avail_judge(&r, &v, &l, -1), AVAIL_CLOSED);
    struct avail_resource nothing = { NULL, 0, NULL, 0 };
    avail_sort(&nothing);
    cr_expect_eq(avail_judge(&nothing, &v, &l, 0), AVAIL_CLOSED);
    cr_expect_str_eq(avail_why_name(AVAIL_BREAK), "break");
    cr_expect_str_eq(avail_why_name(AVAIL_BREAK | AVAIL_BUSY), "");
}

/* ---- what it needs ---- */

/* All ways to give each pool one of its own, tried in order: how many of the first pools can have one. */
static size_t try_all(const uint64_t *pools, size_t n, size_t i, uint64_t used)
{
    size_t best = i;
    for (int k = 0; i < n && k < AVAIL_POOL_MAX; k++) {
        uint64_t bit = UINT64_C(1) << k;
        if ((pools[i] & bit) && !(used & bit)) {
            size_t far = try_all(pools, n, i + 1, used | bit);
            best = far > best ? far : best;
        }
    }
    return best;
}

Test(avail, each_need_gets_one_of_its_own_whenever_that_is_possible)
{
    unsigned seed = 20261126;
    size_t all = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t pools[AVAIL_NEEDS_MAX], used = 0;
        int chosen[AVAIL_NEEDS_MAX];
        size_t n = (size_t)pick(&seed, AVAIL_NEEDS_MAX + 1);
        for (size_t k = 0; k < n;
             k++) { /* a few of six, the last of which is the highest there may be */
            pools[k] = (uint64_t)(pick(&seed, 32) & pick(&seed, 32)) | (uint64_t)pick(&seed, 2)
                                                                           << 63;
        }
        size_t got = avail_assign(pools, n, chosen);
        cr_assert_eq(got, try_all(pools, n, 0, 0));
        for (size_t k = 0; got == n && k < n; k++) {
            uint64_t bit = UINT64_C(1) << chosen[k];
            cr_assert((pools[k] & bit) && !(used & bit), "not its own");
            used |= bit;
        }
        all += got == n;
    }
    cr_expect_gt(all, 5000);
    cr_expect_lt(all, 19000);
}

Test(avail, limits_count_the_day_and_the_week_of_it)
{
    const int64_t monday = 4; /* 1970-01-05 */
    struct avail_load loads[] = {
        { monday - 1, 9, 900 }, { monday, 2, 60 }, { monday + 6, 1, 30 }, { monday + 7, 9, 900 }
    };
    static const struct {
        struct avail_caps caps;
        int day, minutes;
        bool over;
    } cases[] = {
        { { 0, 0, 0, 0 }, 0, 1440, false }, { { 3, 0, 0, 0 }, 0, 30, false },
        { { 2, 0, 0, 0 }, 0, 30, true },    { { 1, 0, 0, 0 }, 3, 30, false },
        { { 0, 90, 0, 0 }, 0, 30, false },  { { 0, 90, 0, 0 }, 0, 31, true },
        { { 0, 30, 0, 0 }, 3, 31, true },   { { 0, 0, 4, 0 }, 3, 30, false },
        { { 0, 0, 3, 0 }, 3, 30, true },    { { 0, 0, 3, 0 }, 6, 30, true },
        { { 0, 0, 0, 120 }, 3, 30, false }, { { 0, 0, 0, 120 }, 3, 31, true },
        { { 0, 0, 10, 0 }, 7, 30, false },  { { 0, 0, 9, 0 }, 7, 30, true },
        { { 0, 0, 9, 0 }, -1, 30, true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(avail_over(loads, ARRAY_LEN(loads), &cases[i].caps, monday + cases[i].day,
                                cases[i].minutes),
                     cases[i].over, "case %zu", i);
    }
}

/* Minutes to both sides, walked one by one. */
static int64_t walk_gap(const struct world *w, int64_t start)
{
    int64_t first = start / MINUTE, last = first + w->visit.length / MINUTE, before = 0, after = 0;
    while (first - before > 0 && w->strip[first - before - 1] == 0x80) {
        before++;
    }
    while (last + after < MINUTES && w->strip[last + after] == 0x80) {
        after++;
    }
    return (before < after ? before : after) * MINUTE;
}

Test(avail, the_gap_is_what_is_free_beside_it)
{
    unsigned seed = 5;
    size_t n = 0;
    for (int i = 0; i < 20000; i++) {
        struct world w;
        make_world(&w, &seed);
        w.visit.before = w.visit.after = 0;
        struct avail_resource r = { w.open, w.open_count, w.taken, w.taken_count };
        avail_sort(&r);
        int64_t start = pick(&seed, MINUTES) * MINUTE;
        w.limits = (struct avail_limits){ INT64_MIN, INT64_MAX };
        if (avail_judge(&r, &w.visit, &w.limits, start) == 0) {
            cr_assert_eq(avail_gap(&r, &w.visit, start), walk_gap(&w, start), "world %d", i);
            n++;
        }
    }
    cr_expect_gt(n, 200);
}

/* ---- the grid ---- */

static int date_of(time_t at)
{
    struct tm t;
    localtime_r(&at, &t);
    return (t.tm_year * 100 + t.tm_mon) * 100 + t.tm_mday;
}

static long offset_of(time_t at)
{
    struct tm t;
    localtime_r(&at, &t);
    return t.tm_gmtoff;
}

/* The first second in (low, high] for which the offset is no longer low's. */
static time_t find_change(time_t low, time_t high)
{
    long before = offset_of(low);
    while (high - low > 1) {
        time_t mid = low + (high - low) / 2;
        if (offset_of(mid) == before) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return high;
}

/* The local day of a change, made of its ends and of where clocks change. false where they go back over midnight (Newfoundland until 2011, at 00:01):
 * the minutes that come twice there are offered once. */
static bool day_around(time_t change, struct avail_day *out)
{
    int date = date_of(change);
    time_t from = change, to = change;
    while (date_of(from - MINUTE) == date && change - from < 2 * DAY) {
        from -= MINUTE;
    }
    while (date_of(to) == date && to - change < 2 * DAY) {
        to += MINUTE;
    }
    struct tm shown;
    localtime_r(&change, &shown);
    *out = (struct avail_day){ { from, to },
                               change,
                               shown.tm_hour * 3600 + shown.tm_min * 60 + shown.tm_sec };
    return offset_of(to - 1) == offset_of(change) && date_of(change - 1) <= date;
}

static void compare_grid(const char *zone, const struct avail_day *day, int step, int offset)
{
    static int64_t got[3000];
    size_t n = avail_grid(day, step, offset, got, ARRAY_LEN(got)), k = 0;
    for (int64_t at = day->span.from; at < day->span.to; at += MINUTE) {
        struct tm t;
        time_t now = (time_t)at;
        localtime_r(&now, &t);
        int minute = t.tm_hour * 60 + t.tm_min;
        if (minute >= offset && (minute - offset) % step == 0) {
            cr_assert(k < n && got[k] == at, "%s: %lld is not in the grid", zone, (long long)at);
            k++;
        }
    }
    cr_assert_eq(k, n, "%s: %zu starts, not %zu", zone, n, k);
}

static size_t check_zone(const char *zone)
{
    size_t days = 0;
    setenv("TZ", zone, 1);
    tzset();
    time_t first = 1420070400, last = 2082758400; /* 2015 to 2036 */
    for (time_t at = first; at < last; at += 7 * DAY) {
        if (offset_of(at) == offset_of(at + 7 * DAY)) {
            continue;
        }
        struct avail_day day;
        time_t change = find_change(at, at + 7 * DAY);
        if (day_around(change, &day)) {
            compare_grid(zone, &day, days % 2 ? 30 : 50, days % 2 ? 0 : 10);
            days++;
        }
    }
    return days;
}

static size_t walk(const char *folder, const char *prefix, size_t *zones)
{
    size_t days = 0;
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
            days += walk(path, name, zones);
        } else if (prefix[0]) {
            (*zones)++;
            days += check_zone(name);
        }
    }
    if (d) {
        closedir(d);
    }
    return days;
}

Test(avail, the_grid_is_what_clocks_show_on_every_day_they_change, .timeout = 240)
{
    size_t zones = 0, days = walk("/usr/share/zoneinfo", "", &zones);
    printf("avail: %zu zones, %zu days on which their clocks change, 0 differ\n", zones, days);
    cr_expect_gt(zones, 300, "no zones are installed");
    cr_expect_gt(days, 2000);
}

Test(avail, a_plain_day)
{
    struct avail_day day = { { 0, DAY }, 0, 0 };
    int64_t got[100];
    cr_assert_eq(avail_grid(&day, 30, 0, got, 100), 48);
    cr_expect_eq(got[1], 1800);
    cr_assert_eq(avail_grid(&day, 1440, 540, got, 100), 1);
    cr_expect_eq(got[0], 540 * MINUTE);
    cr_expect_eq(avail_grid(&day, 1, 0, got, 3), 1440, "counts beyond the room there is");
    struct avail_day skipped = { { DAY, DAY }, 0, 0 };
    cr_expect_eq(avail_grid(&skipped, 30, 0, got, 100), 0, "a day that a zone left out");
}
