/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One router process connected to this slot: bytes in, frames waiting, bytes out. Slices of decoded frames point into
 * the channel's buffer and hold until channel_read. Knows frames, not requests. */
#ifndef GREMIO_CHANNEL_H
#define GREMIO_CHANNEL_H

#include "common/frame.h"

#define CHANNEL_WAITING_MAX 256 /* requests read and not yet begun; the rest stays in the socket */

struct channel_frame {
    size_t at, n; /* in the buffer */
    uint64_t id;
    bool cancelled;
};

struct channel {
    int fd; /* -1: unused */
    struct sbuf in, out;
    size_t parsed; /* bytes of in that are split into frames */
    struct channel_frame waiting[CHANNEL_WAITING_MAX];
    size_t first, count; /* waiting[first .. first + count) */
    const char *broken;  /* why it must be dropped; NULL while fine */
};

/* Takes fd over. */
void channel_init(struct channel *c, int fd);
/* Closes and frees; fine on one that was never used but zeroed with fd -1. */
void channel_fini(struct channel *c);

/* Reads what has arrived, splits it, marks cancelled requests. Slices taken before are void. c->broken is set when the peer
 * closed or said something that cannot be. */
void channel_read(struct channel *c);
/* The next request that was not cancelled; false when there is none. Decoding failed: c->broken. */
bool channel_take(struct channel *c, struct frame_request *out);
/* Requests that wait. */
bool channel_has_waiting(const struct channel *c);
/* Writes everything in out, waiting at most 5 s for a router that does not read; then c->broken. */
void channel_write(struct channel *c);

#endif
