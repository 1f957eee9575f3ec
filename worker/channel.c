/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The buffer is compacted only between batches, when nobody holds slices of it. */
#include "worker/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#define READ_STEP       ((size_t)64 << 10)
#define READ_MOST       ((size_t)1 << 20) /* beyond it only to complete one frame */
#define KEEP_BYTES      ((size_t)256 << 10)
#define WRITE_STALL_US  INT64_C(5000000)
#define REQUEST_ID_SIZE 8

void channel_init(struct channel *c, int fd)
{
    memset(c, 0, sizeof(*c));
    c->fd = fd;
    sbuf_init(&c->in);
    sbuf_init(&c->out);
}

void channel_fini(struct channel *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    sbuf_fini(&c->in);
    sbuf_fini(&c->out);
    c->fd = -1;
    c->count = 0;
    c->broken = NULL;
}

/* Drops what was handed out: everything before the first waiting frame. */
static void compact(struct channel *c)
{
    size_t used = c->count ? c->waiting[c->first].at : c->parsed;
    size_t rest = c->in.len - used;
    if (used == 0) {
        return;
    }
    if (rest == 0) {
        sbuf_reset(&c->in, KEEP_BYTES);
    } else {
        memmove(c->in.data, c->in.data + used, rest);
        c->in.len = rest;
    }
    memmove(c->waiting, c->waiting + c->first, c->count * sizeof(c->waiting[0]));
    c->first = 0;
    for (size_t i = 0; i < c->count; i++) {
        c->waiting[i].at -= used;
    }
    c->parsed -= used;
}

static void cancel(struct channel *c, uint64_t id)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->waiting[c->first + i].id == id) {
            c->waiting[c->first + i].cancelled = true;
        }
    }
}

/* One whole frame; false when it must wait for room or the channel is broken. */
static bool split_one(struct channel *c, enum frame_type type, size_t total)
{
    struct slice frame = { .p = c->in.data + c->parsed, .n = total };
    uint64_t id = 0;
    if (type == FRAME_CANCEL) {
        if (frame_get_id(frame, &id) != OK) {
            c->broken = "bad_cancel";
            return false;
        }
        cancel(c, id);
    } else if (type == FRAME_REQUEST && total >= FRAME_HEAD + REQUEST_ID_SIZE) {
        if (c->first + c->count == CHANNEL_WAITING_MAX) {
            return false;
        }
        for (size_t i = 0; i < REQUEST_ID_SIZE; i++) {
            id = id << 8 | (unsigned char)frame.p[FRAME_HEAD + i];
        }
        c->waiting[c->first + c->count++] = (struct channel_frame){ .at = c->parsed,
                                                                    .n = total,
                                                                    .id = id };
    } else {
        c->broken = "unexpected_frame";
        return false;
    }
    c->parsed += total;
    return true;
}

/* True when it stopped for want of bytes, false when it stopped for another reason. */
static bool split(struct channel *c)
{
    for (;;) {
        struct slice rest = { .p = c->in.data + c->parsed, .n = c->in.len - c->parsed };
        enum frame_type type;
        size_t total;
        enum err e = c->in.len ? frame_peek(rest, &type, &total) : E_AGAIN;
        if (e == E_AGAIN || (e == OK && total > rest.n)) {
            return true;
        }
        if (e != OK) {
            c->broken = "bad_frame";
            return false;
        }
        if (!split_one(c, type, total)) {
            return false;
        }
    }
}

void channel_read(struct channel *c)
{
    compact(c);
    while (split(c) && !c->broken) {
        if (c->in.len > READ_MOST && c->count) {
            return; /* enough to do */
        }
        char *room = sbuf_room(&c->in, READ_STEP);
        if (!room) {
            c->broken = "no_memory";
            return;
        }
        ssize_t n = recv(c->fd, room, READ_STEP, MSG_DONTWAIT);
        if (n > 0) {
            sbuf_added(&c->in, (size_t)n);
        }
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            c->broken = "closed";
        }
        if (n < (ssize_t)READ_STEP) {
            (void)split(c);
            return; /* the socket is empty */
        }
    }
}

bool channel_has_waiting(const struct channel *c)
{
    return c->count > 0;
}

/* Nobody reads it, but the router counts every request until it is answered. */
static void answer_cancelled(struct channel *c, uint64_t id)
{
    struct frame_reply r = { .id = id, .status = 503 };
    if (frame_put_reply(&c->out, &r) != OK) {
        c->broken = "bad_reply";
    }
}

/* The first that waits. The last one makes room for what was read beyond the list: no socket will tell of that. */
static struct channel_frame next_waiting(struct channel *c)
{
    struct channel_frame f = c->waiting[c->first++];
    if (--c->count == 0) {
        c->first = 0;
        (void)split(c);
    }
    return f;
}

bool channel_take(struct channel *c, struct frame_request *out)
{
    while (c->count > 0 && !c->broken) {
        const struct channel_frame f = next_waiting(c);
        if (f.cancelled) {
            answer_cancelled(c, f.id);
            continue;
        }
        if (frame_get_request((struct slice){ .p = c->in.data + f.at, .n = f.n }, out) != OK) {
            c->broken = "bad_request";
            return false;
        }
        return true;
    }
    return false;
}

void channel_write(struct channel *c)
{
    size_t at = 0;
    int64_t deadline = 0;
    if (sbuf_failed(&c->out)) {
        c->broken = "no_memory";
    }
    while (at < c->out.len && !c->broken) {
        ssize_t n = send(c->fd, c->out.data + at, c->out.len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            at += (size_t)n;
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            c->broken = "closed";
            break;
        }
        int64_t now = clock_mono_us();
        deadline = deadline ? deadline : now + WRITE_STALL_US;
        struct pollfd p = { .fd = c->fd, .events = POLLOUT };
        if (now >= deadline || poll(&p, 1, (int)((deadline - now) / 1000 + 1)) < 0) {
            c->broken = "stalled";
        }
    }
    sbuf_reset(&c->out, KEEP_BYTES);
}
