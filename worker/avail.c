/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Open spans are joined, so a visit must fit into one of them; taken spans may overlap, so each carries how far those before it reach. */
#include "worker/avail.h"

#include <stdlib.h>

enum { MINUTE = 60, DAY_MINUTES = 1440 };

/* ---- order ---- */

static int by_from(const void *a, const void *b)
{
    const struct avail_span *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* Empty spans go, those that meet or overlap become one. */
static size_t join(struct avail_span *spans, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (spans[i].to <= spans[i].from) {
            continue;
        }
        if (kept > 0 && spans[i].from <= spans[kept - 1].to) {
            spans[kept - 1].to = spans[i].to > spans[kept - 1].to ? spans[i].to
                                                                  : spans[kept - 1].to;
        } else {
            spans[kept++] = spans[i];
        }
    }
    return kept;
}

void avail_sort(struct avail_resource *r)
{
    int64_t reach = INT64_MIN;
    if (r->open_count > 0) {
        qsort(r->open, r->open_count, sizeof(*r->open), by_from);
    }
    r->open_count = join(r->open, r->open_count);
    if (r->taken_count > 0) {
        qsort(r->taken, r->taken_count, sizeof(*r->taken), by_from); /* span is its first member */
    }
    for (size_t i = 0; i < r->taken_count; i++) {
        reach = r->taken[i].span.to > reach ? r->taken[i].span.to : reach;
        r->taken[i].reach = reach;
    }
}

/* ---- judging ---- */

static bool is_open(const struct avail_resource *r, int64_t from, int64_t to)
{
    size_t low = 0, high = r->open_count;
    while (low < high) { /* the first that begins behind from */
        size_t mid = low + (high - low) / 2;
        if (r->open[mid].from <= from) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low > 0 && r->open[low - 1].to >= to;
}

/* How many taken spans begin before to. */
static size_t count_before(const struct avail_resource *r, int64_t to)
{
    size_t low = 0, high = r->taken_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->taken[mid].span.from < to) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static bool meets(const struct avail_span *s, int64_t from, int64_t to)
{
    return s->from < to && s->to > from && s->from < s->to;
}

/* Another visit with its buffers must stay clear of this one with its own; breaks and closed days only of the visit itself. */
static unsigned taken_why(const struct avail_resource *r, const struct avail_visit *v,
                          int64_t start)
{
    int64_t end = start + v->length, from = start - v->before, to = end + v->after;
    unsigned why = 0;
    for (size_t i = count_before(r, to); i-- > 0 && r->taken[i].reach > from;) {
        const struct avail_taken *t = &r->taken[i];
        bool wide = t->why == AVAIL_BUFFER;
        if (meets(&t->span, wide ? from : start, wide ? to : end)) {
            why |= t->why;
        }
    }
    return why & AVAIL_BUSY ? why & ~(unsigned)AVAIL_BUFFER : why;
}

unsigned avail_meet(const struct avail_span *visit, const struct avail_span *wide,
                    const struct avail_visit *v, int64_t start)
{
    int64_t end = start + v->length;
    return meets(visit, start, end)                         ? AVAIL_BUSY
           : meets(wide, start - v->before, end + v->after) ? AVAIL_BUFFER
                                                            : 0;
}

unsigned avail_judge(const struct avail_resource *r, const struct avail_visit *v,
                     const struct avail_limits *l, int64_t start)
{
    unsigned why = taken_why(r, v, start);
    why |= start < l->earliest ? AVAIL_NOTICE : 0;
    why |= start > l->latest ? AVAIL_HORIZON : 0;
    why |= is_open(r, start, start + v->length) ? 0 : AVAIL_CLOSED;
    return why;
}

/* ---- how much there is ---- */

/* Days since the Monday of the day's week; 1970-01-01 was a Thursday. */
static int64_t monday_of(int64_t day)
{
    return day - (day + 3) % 7;
}

bool avail_over(const struct avail_load *loads, size_t n, const struct avail_caps *caps,
                int64_t day, int minutes)
{
    struct avail_load of_day = { .visits = 1, .minutes = minutes }, of_week = of_day;
    for (size_t i = 0; i < n; i++) {
        bool same = loads[i].day == day, week = monday_of(loads[i].day) == monday_of(day);
        of_day.visits += same ? loads[i].visits : 0;
        of_day.minutes += same ? loads[i].minutes : 0;
        of_week.visits += week ? loads[i].visits : 0;
        of_week.minutes += week ? loads[i].minutes : 0;
    }
    return (caps->day_visits && of_day.visits > caps->day_visits) ||
           (caps->day_minutes && of_day.minutes > caps->day_minutes) ||
           (caps->week_visits && of_week.visits > caps->week_visits) ||
           (caps->week_minutes && of_week.minutes > caps->week_minutes);
}

/* ---- what it needs ---- */

/* Tries what is left, one pool after the other; *far is how many came out with one at best. */
static bool assign_from(const uint64_t *pools, size_t n, size_t i, uint64_t used, int *chosen,
                        size_t *far)
{
    *far = i > *far ? i : *far;
    if (i == n) {
        return true;
    }
    for (uint64_t free = pools[i] & ~used; free; free &= free - 1) {
        chosen[i] = __builtin_ctzll(free);
        if (assign_from(pools, n, i + 1, used | (UINT64_C(1) << chosen[i]), chosen, far)) {
            return true;
        }
    }
    return false;
}

size_t avail_assign(const uint64_t *pools, size_t n, int *chosen)
{
    size_t far = 0;
    (void)assign_from(pools, n, 0, 0, chosen, &far);
    return far;
}

/* ---- ranking ---- */

int64_t avail_gap(const struct avail_resource *r, const struct avail_visit *v, int64_t start)
{
    int64_t end = start + v->length, before = INT64_MAX, after = INT64_MAX;
    for (size_t i = 0; i < r->open_count; i++) {
        if (r->open[i].from <= start && r->open[i].to >= end) {
            before = start - r->open[i].from;
            after = r->open[i].to - end;
        }
    }
    for (size_t i = 0; i < r->taken_count; i++) {
        const struct avail_span *s = &r->taken[i].span;
        if (s->from >= s->to) {
            continue;
        }
        if (s->to <= start && start - s->to < before) {
            before = start - s->to;
        }
        if (s->from >= end && s->from - end < after) {
            after = s->from - end;
        }
    }
    return before < after ? before : after;
}

/* ---- the grid ---- */

size_t avail_grid(const struct avail_day *day, int step_min, int offset_min, int64_t *out,
                  size_t cap)
{
    size_t n = 0;
    int parts = day->change ? 2 : 1;
    /* until the change clocks run from midnight on, behind it from what they show then */
    for (int part = 0; part < parts; part++) {
        int64_t midnight = part ? day->change - day->shown : day->span.from;
        int64_t from = part ? day->change : day->span.from;
        int64_t to = !part && day->change ? day->change : day->span.to;
        for (int64_t m = offset_min; m < DAY_MINUTES; m += step_min) {
            int64_t at = midnight + m * MINUTE;
            bool here = at >= from && at < to;
            if (here && n < cap) {
                out[n] = at;
            }
            n += here;
        }
    }
    return n;
}

const char *avail_why_name(unsigned bit)
{
    static const char *const names[AVAIL_WHYS] = {
        "horizon", "notice", "closed",  "exception", "break",     "busy",
        "buffer",  "limit",  "no_room", "no_chair",  "no_device",
    };
    for (size_t i = 0; i < AVAIL_WHYS; i++) {
        if (bit == 1u << i) {
            return names[i];
        }
    }
    return "";
}

void avail_write_why(struct sbuf *out, unsigned why)
{
    bool first = true;
    sbuf_char(out, '[');
    for (unsigned bit = 1; bit < 1u << AVAIL_WHYS; bit <<= 1) {
        if (why & bit) {
            sbuf_fmt(out, "%s\"%s\"", first ? "" : ",", avail_why_name(bit));
            first = false;
        }
    }
    sbuf_char(out, ']');
}
