/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The judge over a world made of bytes, against a loop over minutes: what is open, what is taken by what, one start. Then the grid of a day made of bytes:
 * ascending, inside the day, and each of its starts what clocks show. */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "worker/avail.h"

enum { MINUTES = 512, MINUTE = 60, SPANS_MAX = 24, DAY_MIN = 1440 };

struct bytes {
    const uint8_t *p;
    size_t n;
};

static int take(struct bytes *b, int below)
{
    unsigned v = 0;
    for (int i = 0; i < 2 && b->n > 0; i++, b->p++, b->n--) {
        v = v << 8 | *b->p;
    }
    return (int)(v % (unsigned)below);
}

static struct avail_span take_span(struct bytes *b)
{
    int64_t from = take(b, MINUTES), to = take(b, MINUTES); /* perhaps empty, perhaps backwards */
    return (struct avail_span){ from * MINUTE, to * MINUTE };
}

struct world {
    struct avail_span open[SPANS_MAX];
    struct avail_taken taken[SPANS_MAX];
    unsigned char strip[MINUTES];
};

static void paint(struct world *w, struct avail_span s, unsigned bit)
{
    for (int64_t m = s.from / MINUTE; m < s.to / MINUTE; m++) {
        w->strip[m] |= (unsigned char)bit;
    }
}

static unsigned look(const struct world *w, const struct avail_visit *v, int64_t start)
{
    int64_t from = start / MINUTE, to = from + v->length / MINUTE;
    unsigned why = 0;
    for (int64_t m = from - v->before / MINUTE; m < to + v->after / MINUTE; m++) {
        unsigned here = m >= 0 && m < MINUTES ? w->strip[m] : 0;
        bool inside = m >= from && m < to;
        why |= here & AVAIL_BUFFER;
        why |= inside ? here & (AVAIL_EXCEPTION | AVAIL_BREAK | AVAIL_BUSY) : 0;
        why |= inside && !(here & 0x80) ? AVAIL_CLOSED : 0;
    }
    return why & AVAIL_BUSY ? why & ~(unsigned)AVAIL_BUFFER : why;
}

static void judge(struct bytes *b)
{
    static const unsigned whys[] = { AVAIL_EXCEPTION, AVAIL_BREAK, AVAIL_BUSY, AVAIL_BUFFER };
    struct world w;
    memset(&w, 0, sizeof w);
    struct avail_resource r = { w.open, (size_t)take(b, SPANS_MAX), w.taken,
                                (size_t)take(b, SPANS_MAX) };
    struct avail_visit v = { (1 + take(b, 90)) * MINUTE, take(b, 30) * MINUTE,
                             take(b, 30) * MINUTE };
    struct avail_limits l = { take(b, MINUTES) * MINUTE, take(b, MINUTES) * MINUTE };
    for (size_t i = 0; i < r.open_count; i++) {
        w.open[i] = take_span(b);
        paint(&w, w.open[i], 0x80);
    }
    for (size_t i = 0; i < r.taken_count; i++) {
        w.taken[i] = (struct avail_taken){ .span = take_span(b), .why = whys[take(b, 4)] };
        paint(&w, w.taken[i].span, w.taken[i].why);
    }
    avail_sort(&r);
    for (int64_t m = 0; m < MINUTES; m++) {
        int64_t start = m * MINUTE;
        unsigned want = look(&w, &v, start) | (start < l.earliest ? AVAIL_NOTICE : 0) |
                        (start > l.latest ? AVAIL_HORIZON : 0);
        FUZZ_CHECK(avail_judge(&r, &v, &l, start) == want);
    }
}

static void lay_grid(struct bytes *b)
{
    int64_t out[2 * DAY_MIN];
    int64_t length = take(b, 1560) * (int64_t)MINUTE, change = take(b, 1560) * (int64_t)MINUTE;
    int step = 1 + take(b, DAY_MIN), offset = take(b, step);
    struct avail_day day = { { 0, length },
                             change < length ? change : 0,
                             take(b, DAY_MIN) * (int64_t)MINUTE };
    size_t n = avail_grid(&day, step, offset, out, 2 * DAY_MIN);
    FUZZ_CHECK(n <= 2 * DAY_MIN);
    for (size_t i = 0; i < n; i++) {
        bool behind = day.change && out[i] >= day.change;
        int64_t shown = (behind ? out[i] - day.change + day.shown : out[i]) / MINUTE;
        FUZZ_CHECK(out[i] >= 0 && out[i] < length && (i == 0 || out[i] > out[i - 1]));
        FUZZ_CHECK(shown >= offset && (shown - offset) % step == 0 && shown < DAY_MIN);
    }
    FUZZ_CHECK(avail_grid(&day, step, offset, out, 0) == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes b = { data, n };
    judge(&b);
    lay_grid(&b);
    return 0;
}
