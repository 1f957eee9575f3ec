/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A dispatch under test: slots that are only a list of what was sent, a clock that the test moves, and the latest answer. */
#ifndef GREMIO_TEST_FAKE_SLOTS_H
#define GREMIO_TEST_FAKE_SLOTS_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "router/dispatch.h"

#define SENT_MAX 4096

/* One slot as seen from the wire. */
struct fake {
    struct dispatch_slot *slot;
    size_t sent, cancelled;
    uint64_t ids[SENT_MAX], cancels[SENT_MAX];
    bool alone;      /* the latest sent is to run alone */
    enum err answer; /* of send */
};

static struct dispatch *d;
static int64_t queue_max, queue_wait = 100, slow_queue_wait = 1000;
static int64_t clock_us; /* as dispatch sees it; moves only when a test says so */
static struct fake fakes[8];
static struct {
    size_t count;
    struct exchange *x;
    enum err status;
    uint16_t reply_status;
} done;

static inline int64_t now_us(void)
{
    return clock_us;
}

/* Time goes on; dispatch looks at its clock. */
static inline void pass_ms(int64_t ms)
{
    clock_us += ms * 1000;
    dispatch_tick(d, clock_us);
}

static inline enum err on_send(void *channel, const struct frame_request *r)
{
    struct fake *f = channel;
    if (f->answer == OK) {
        f->ids[f->sent++] = r->id;
        f->alone = r->alone;
    }
    return f->answer;
}

static inline void on_cancel(void *channel, uint64_t id)
{
    struct fake *f = channel;
    f->cancels[f->cancelled++] = id;
}

static inline void on_done(struct exchange *x, enum err status, const struct frame_reply *reply,
                           void *arg)
{
    UNUSED(arg);
    cr_assert_eq(x->state, X_DONE);
    cr_assert_null(x->pending);
    cr_assert_eq(reply != NULL, status == OK);
    done.count++;
    done.x = x;
    done.status = status;
    done.reply_status = reply ? reply->status : 0;
}

static inline void setup(void)
{
    struct dispatch_config config = { .inflight_max = 500,
                                      .queue_max = &queue_max,
                                      .queue_wait = &queue_wait,
                                      .slow_queue_wait = &slow_queue_wait,
                                      .now = now_us,
                                      .link = { .send = on_send, .cancel = on_cancel },
                                      .done = on_done };
    queue_max = 10;
    clock_us = 1000000000;
    cr_assert_eq(dispatch_new(&config, &d), OK);
}

static inline void teardown(void)
{
    dispatch_free(d);
}

static inline struct fake *slot_up(unsigned i, enum slot_kind kind, uint16_t batch_max)
{
    char name[16];
    struct frame_hello hello = { .kind = kind, .batch_max = batch_max };
    snprintf(name, sizeof(name), "slot-%02u", i);
    fakes[i].slot = dispatch_slot_up(d, &fakes[i], name, &hello);
    cr_assert_not_null(fakes[i].slot);
    return &fakes[i];
}

static inline struct exchange request(enum method method, unsigned tenant)
{
    struct exchange x = { .state = X_READY,
                          .method = method,
                          .kind = KIND_API,
                          .deadline_us = clock_us + 10000000,
                          .path = SLICE("/api/v1/x"),
                          .has_tenant = tenant > 0 };
    memcpy(x.source.b, &tenant, sizeof(tenant));
    x.tenant.id = x.source;
    x.tenant.pool = (uint16_t)tenant;
    snprintf(x.tenant.code, sizeof(x.tenant.code), "c%07u", tenant);
    return x;
}

static inline void reply_to(struct fake *f, uint64_t id)
{
    dispatch_on_reply(d, f->slot, &(struct frame_reply){ .id = id, .status = 200 });
}

static inline void reply_last(struct fake *f)
{
    reply_to(f, f->ids[f->sent - 1]);
}

#endif
