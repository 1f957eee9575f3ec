/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Hands exchanges to worker slots and their replies back: picks the slot, queues fairly and within bounds, keeps
 * deadlines, and decides what a slot's death means. Owns the in-flight table; borrows exchanges until done runs. Knows
 * nothing of HTTP, sockets or SQL: slots are reached through dispatch_link. Pure but for the clock, which can be given. */
#ifndef GREMIO_DISPATCH_H
#define GREMIO_DISPATCH_H

#include "router/exchange.h"

#define DISPATCH_SLOTS_MAX 256
#define DISPATCH_GRACE_MS \
    3000 /* a kind that lost its last slot queues this long, then refuses: a busy machine may need that to start one */
#define DISPATCH_AGAIN_MS \
    5000 /* what is to be sent again waits this long for a slot to come back */
#define DISPATCH_HELD_MS \
    15000 /* an unanswered, given-up request keeps its place in a slot at most this long */

struct dispatch;
struct dispatch_slot;

/* How frames reach a slot. Neither call runs dispatch again before it returns. */
struct dispatch_link {
    enum err (*send)(void *channel, const struct frame_request *r);
    void (*cancel)(void *channel, uint64_t id);
};

/* status OK: reply is borrowed until done returns; otherwise reply is NULL. x is the caller's again. */
typedef void (*dispatch_done_fn)(struct exchange *x, enum err status,
                                 const struct frame_reply *reply, void *arg);

struct dispatch_config {
    size_t inflight_max; /* exchanges at once; at most 30,000 */
    const int64_t
        *queue_max; /* waiting per kind; this and the next two are borrowed, read each time */
    const int64_t *queue_wait, *slow_queue_wait; /* ms: of api, of the other kinds */
    int64_t (*now)(void);                        /* NULL: clock_mono_us */
    struct dispatch_link link;
    dispatch_done_fn done;
    void *arg;
};

struct dispatch_stats {
    size_t queued[KIND_COUNT], inflight[KIND_COUNT];
    size_t queued_sources[KIND_COUNT], queue_room[KIND_COUNT];
    unsigned slots[KIND_COUNT]; /* that take requests */
    uint64_t sent[KIND_COUNT], waited_us[KIND_COUNT];
    uint64_t retried, poisoned, unknown, expired, late, pushed_out, moved;
};

MUST_USE enum err dispatch_new(const struct dispatch_config *config, struct dispatch **out);
/* Exchanges still inside are forgotten, not answered. */
void dispatch_free(struct dispatch *d);

/* On OK done runs exactly once and never before this returns, unless dispatch_gone takes x back first. On E_OVERLOADED,
 * E_UNAVAILABLE or E_POISON done will not run and x is still the caller's. x->deadline_us, kind and source are set. When
 * the queue is full the newest request of the source with the longest line gives way (done with E_OVERLOADED). */
MUST_USE enum err dispatch_send(struct dispatch *d, struct exchange *x);
/* Nobody waits for x any more: x is the caller's again, done will not run. */
void dispatch_gone(struct dispatch *d, struct exchange *x);
/* Deadlines and grace periods; call it every 20 ms or so. */
void dispatch_tick(struct dispatch *d, int64_t now_us);
/* Pools with tenants: with more pools than slots a slot serves whole pools. */
void dispatch_set_pools(struct dispatch *d, unsigned pools);

/* A slot said HELLO. NULL when there are DISPATCH_SLOTS_MAX already. name (copied) decides its tenants. */
struct dispatch_slot *dispatch_slot_up(struct dispatch *d, void *channel, const char *name,
                                       const struct frame_hello *hello);
/* Nothing more is sent to it. */
void dispatch_slot_drain(struct dispatch *d, struct dispatch_slot *s);
/* The slot is gone; s is freed and each of its requests retried, answered or refused. */
void dispatch_slot_down(struct dispatch *d, struct dispatch_slot *s);
void dispatch_on_started(struct dispatch *d, struct dispatch_slot *s, uint64_t id);
/* Last words of a slot that crashes: it was running that request. */
void dispatch_on_dying(struct dispatch *d, struct dispatch_slot *s, uint64_t id);
void dispatch_on_reply(struct dispatch *d, struct dispatch_slot *s,
                       const struct frame_reply *reply);

void dispatch_get_stats(const struct dispatch *d, struct dispatch_stats *out);
/* Exchanges inside. */
size_t dispatch_count(const struct dispatch *d);

#endif
