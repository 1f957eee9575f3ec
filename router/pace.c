/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A period ends after enough answers to mean something, or after a second in which there were few. */
#include "router/pace.h"

#define PERIOD_ANSWERS 16
#define PERIOD_US      INT64_C(1000000)
#define BURST_US       INT64_C(1000000)
#define WEIGHT         0.25 /* of the newest period */

void pace_answer(struct pace *p)
{
    p->answers++;
}

static void begin(struct pace *p, int64_t now_us)
{
    p->since_us = now_us;
    p->answers = 0;
}

void pace_tick(struct pace *p, int64_t now_us, bool full)
{
    int64_t took = now_us - p->since_us;
    if (!full) {
        p->full_us = 0;
        p->overloaded = false;
        return;
    }
    if (p->full_us == 0) {
        p->full_us = now_us;
        begin(p, now_us);
    } else if (took >= PERIOD_US || (p->answers >= PERIOD_ANSWERS && took > 0)) {
        double now_per_s = (double)p->answers * 1e6 / (double)took;
        p->per_s = p->per_s > 0 ? p->per_s + WEIGHT * (now_per_s - p->per_s) : now_per_s;
        begin(p, now_us);
    }
    p->overloaded = now_us - p->full_us >= BURST_US;
}

size_t pace_room(const struct pace *p, int64_t wait_ms, size_t least)
{
    size_t room = (size_t)(p->per_s * (double)wait_ms / 1e3);
    return size_max(room, p->overloaded ? least : PACE_BURST * least);
}
