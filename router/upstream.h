/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The channels to worker slots: one Unix socket each, found in a folder that is watched. Connects again with back-off,
 * frames in and out, drops a channel at the first bad byte. Frames of one loop turn leave in one write. Knows frames,
 * not what they mean. */
#ifndef GREMIO_UPSTREAM_H
#define GREMIO_UPSTREAM_H

#include <event2/event.h>

#include "common/frame.h"

#define UPSTREAM_CHANNELS_MAX 256
#define UPSTREAM_NAME_MAX     64

struct upstream;

enum channel_state {
    CHANNEL_DOWN,     /* waits to connect again */
    CHANNEL_HELLO,    /* connected, the slot has not said HELLO */
    CHANNEL_UP,       /* takes requests */
    CHANNEL_DRAINING, /* said DRAIN: answers what it has */
    CHANNEL_STATE_COUNT,
};

struct channel;

/* Called from the loop. up comes first and down last for every connection that said HELLO; all slices are borrowed until
 * the call returns. A channel must not be closed from within a call: there is nothing to close it with. */
struct upstream_callbacks {
    /* What up returns is given to the other calls as slot; NULL drops the channel. */
    void *(*up)(struct channel *c, const char *name, const struct frame_hello *hello, void *arg);
    void (*started)(void *slot, uint64_t id, void *arg);
    void (*reply)(void *slot, const struct frame_reply *reply, void *arg);
    /* It crashes, and was running that request; down follows. */
    void (*dying)(void *slot, uint64_t id, void *arg);
    void (*drain)(void *slot, void *arg);
    void (*down)(void *slot, void *arg);
    void *arg;
};

/* Watches dir, which may not exist yet. base, dir and cb are borrowed until upstream_free. */
MUST_USE enum err upstream_new(struct event_base *base, const char *dir,
                               const struct upstream_callbacks *cb, struct upstream **out);
/* Closes every channel without calling down. */
void upstream_free(struct upstream *u);

/* Queues a request for the end of this loop turn. E_CLOSED when the channel is not up, E_BAD_REQUEST when a field is
 * over the frame's limits, E_NOMEM. */
MUST_USE enum err upstream_send(struct channel *c, const struct frame_request *r);
void upstream_cancel(struct channel *c, uint64_t id);

/* Channels by state. */
void upstream_states(const struct upstream *u, unsigned out[CHANNEL_STATE_COUNT]);
const char *upstream_state_name(enum channel_state s);

#endif
