/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The count is written after the job, so that a death in between shows one job less, never half a one. */
#include "worker/score.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "common/clock.h"

static struct score *own; /* one slot per process */

struct score *score_map(size_t n)
{
    void *p = mmap(NULL, n * sizeof(struct score), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void score_add(struct score *s, int fd, const struct frame_request *req)
{
    if (s->count >= SCORE_JOBS_MAX) {
        return;
    }
    struct score_job *j = &s->jobs[s->count];
    size_t n = size_min(req->request_id.n, FRAME_ID_MAX);
    j->route = SCORE_NO_ROUTE;
    j->fd = fd;
    j->id = req->id;
    memcpy(j->tenant, req->tenant.code, sizeof(j->tenant));
    memcpy(j->request_id, req->request_id.p, n);
    j->request_id[n] = '\0';
    atomic_signal_fence(memory_order_release);
    s->count++;
}

void score_route(struct score *s, uint16_t route)
{
    if (s->count > 0) {
        s->jobs[s->count - 1].route = route;
    }
}

void score_drop(struct score *s)
{
    if (s->count > 0) {
        s->count--;
    }
}

void score_clear(struct score *s)
{
    s->count = 0;
}

void score_own(struct score *s)
{
    own = s;
}

void score_beat(void)
{
    if (own) {
        own->beat_us = clock_mono_us();
    }
}
