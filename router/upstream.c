/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Channels: finding sockets, connecting, reading many frames at a wake-up, writing all queued frames at once. */
#include "router/upstream.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define SCAN_SECONDS   1
#define BACKOFF_MIN_MS 10
#define BACKOFF_MAX_MS 1000
#define STEADY_US      INT64_C(1000000)   /* a slot that lived this long is met again at once */
#define READ_MIN       ((size_t)64 << 10) /* room offered to each read */
#define KEEP_BYTES     ((size_t)1 << 20)  /* of an idle buffer */
#define SOCKET_SUFFIX  ".sock"

struct channel {
    struct upstream *owner;
    char name[UPSTREAM_NAME_MAX]; /* file name without suffix */
    enum channel_state state;
    int fd; /* -1 when down */
    unsigned backoff_ms;
    int64_t up_us;     /* when the slot said HELLO */
    bool seen;         /* in the current scan */
    bool flush_queued; /* in the owner's list of this turn */
    bool retired;      /* its slot drains: whoever serves the socket next has another channel */
    bool broken;       /* writing failed: what the slot still said is read, nothing is sent */
    void *slot;        /* what up returned */
    struct event *readable, *writable, *again;
    struct sbuf out;
    size_t out_sent; /* bytes of out already written */
    char *in;
    size_t in_len, in_cap;
    struct channel *next_flush;
};

struct upstream {
    struct event_base *base;
    const char *dir;
    const struct upstream_callbacks *cb;
    struct event *scan_timer, *flush, *watch;
    int inotify, watch_id;
    struct channel *first_flush;
    size_t count;
    struct channel *channels[UPSTREAM_CHANNELS_MAX];
    struct route_map map; /* decoded into for each HELLO */
};

const char *upstream_state_name(enum channel_state s)
{
    switch (s) {
    case CHANNEL_DOWN:
        return "down";
    case CHANNEL_HELLO:
        return "hello";
    case CHANNEL_UP:
        return "up";
    case CHANNEL_DRAINING:
        return "draining";
    case CHANNEL_STATE_COUNT:
        break;
    }
    return "unknown";
}

static void connect_later(struct channel *c)
{
    struct timeval wait = { .tv_sec = c->backoff_ms / 1000,
                            .tv_usec = (suseconds_t)(c->backoff_ms % 1000) * 1000 };
    c->backoff_ms = c->backoff_ms * 2 < BACKOFF_MAX_MS ? c->backoff_ms * 2
                                                       : (unsigned)BACKOFF_MAX_MS;
    evtimer_add(c->again, &wait);
}

static void drop_event(struct event **e)
{
    if (*e) {
        event_free(*e);
        *e = NULL;
    }
}

/* Closes the connection and forgets half-read and half-written frames. */
static void disconnect(struct channel *c)
{
    drop_event(&c->readable);
    drop_event(&c->writable);
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->fd = -1;
    c->state = CHANNEL_DOWN;
    c->in_len = 0;
    c->out_sent = 0;
    c->broken = false;
    sbuf_reset(&c->out, KEEP_BYTES);
}

static void lose(struct channel *c, const char *reason)
{
    void *slot = c->slot;
    log_event(slot && !c->retired ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "slot_lost", "slot", c->name,
              "reason", reason, NULL);
    if (slot && clock_mono_us() - c->up_us > STEADY_US) {
        c->backoff_ms = BACKOFF_MIN_MS;
    }
    disconnect(c);
    c->slot = NULL;
    if (!c->retired) {
        connect_later(c);
    }
    if (slot) {
        c->owner->cb->down(slot, c->owner->cb->arg);
    }
}

/* ---- writing ---- */

/* Writes what is queued; what does not fit waits for the socket. A dead peer's last words are still to be read, so a
 * failed write only ends writing, for a living peer too: it then closes, and the reader finds the end. */
static void flush_channel(struct channel *c)
{
    while (c->fd >= 0 && !c->broken && c->out_sent < c->out.len) {
        ssize_t n = send(c->fd, c->out.data + c->out_sent, c->out.len - c->out_sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            event_add(c->writable, NULL);
            return;
        }
        if (n < 0) {
            c->broken = true;
            shutdown(c->fd, SHUT_WR);
            break;
        }
        c->out_sent += (size_t)n;
    }
    c->out_sent = 0;
    sbuf_reset(&c->out, KEEP_BYTES);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    UNUSED(fd);
    UNUSED(what);
    flush_channel(arg);
}

/* Runs after the other events of this turn. */
static void on_flush(evutil_socket_t fd, short what, void *arg)
{
    struct upstream *u = arg;
    UNUSED(fd);
    UNUSED(what);
    struct channel *c;
    while ((c = u->first_flush)) {
        u->first_flush = c->next_flush;
        c->flush_queued = false;
        flush_channel(c);
    }
}

static void queue_flush(struct channel *c)
{
    struct upstream *u = c->owner;
    if (c->flush_queued || c->out_sent > 0) {
        return;
    }
    if (!u->first_flush) {
        event_active(u->flush, EV_TIMEOUT, 1);
    }
    c->flush_queued = true;
    c->next_flush = u->first_flush;
    u->first_flush = c;
}

enum err upstream_send(struct channel *c, const struct frame_request *r)
{
    if (c->state != CHANNEL_UP || c->broken) {
        return E_CLOSED;
    }
    size_t before = c->out.len;
    enum err e = frame_put_request(&c->out, r);
    if (e != OK || sbuf_failed(&c->out)) {
        c->out.len = before;
        c->out.failed = false;
        return e != OK ? e : E_NOMEM;
    }
    queue_flush(c);
    return OK;
}

void upstream_cancel(struct channel *c, uint64_t id)
{
    if (c->fd < 0 || c->broken) {
        return;
    }
    size_t before = c->out.len;
    frame_put_id(&c->out, FRAME_CANCEL, id);
    if (sbuf_failed(&c->out)) {
        c->out.len = before;
        c->out.failed = false;
        return;
    }
    queue_flush(c);
}

/* ---- reading ---- */

static enum err on_hello(struct channel *c, struct slice frame)
{
    struct upstream *u = c->owner;
    struct frame_hello hello = { .map = &u->map };
    if (c->state != CHANNEL_HELLO) {
        return E_BAD_REQUEST;
    }
    TRY(frame_get_hello(frame, &hello));
    c->state = CHANNEL_UP;
    c->up_us = clock_mono_us();
    c->slot = u->cb->up(c, c->name, &hello, u->cb->arg);
    return c->slot ? OK : E_OVERLOADED;
}

static enum err on_reply(struct channel *c, struct slice frame)
{
    struct frame_reply reply;
    TRY(frame_get_reply(frame, &reply));
    if (!c->slot) {
        return E_BAD_REQUEST;
    }
    c->owner->cb->reply(c->slot, &reply, c->owner->cb->arg);
    return OK;
}

/* A frame that only names a request. */
static enum err on_id(struct channel *c, struct slice frame, void (*tell)(void *, uint64_t, void *))
{
    uint64_t id;
    TRY(frame_get_id(frame, &id));
    if (!c->slot) {
        return E_BAD_REQUEST;
    }
    tell(c->slot, id, c->owner->cb->arg);
    return OK;
}

static void add_channel(struct upstream *u, const char *name, size_t len);

/* The slot takes no more connections: the next one of this socket, which may be running already, is met at once. */
static enum err on_drain(struct channel *c)
{
    if (!c->slot) {
        return E_BAD_REQUEST;
    }
    c->state = CHANNEL_DRAINING;
    c->retired = true;
    c->owner->cb->drain(c->slot, c->owner->cb->arg);
    add_channel(c->owner, c->name, strlen(c->name));
    return OK;
}

static enum err on_frame(struct channel *c, enum frame_type type, struct slice frame)
{
    switch (type) {
    case FRAME_HELLO:
        return on_hello(c, frame);
    case FRAME_REPLY:
        return on_reply(c, frame);
    case FRAME_STARTED:
        return on_id(c, frame, c->owner->cb->started);
    case FRAME_DYING:
        return on_id(c, frame, c->owner->cb->dying);
    case FRAME_DRAIN:
        return on_drain(c);
    case FRAME_REQUEST:
    case FRAME_CANCEL:
        break;
    }
    return E_BAD_REQUEST;
}

/* Room for what the frame at hand still lacks, at least READ_MIN. */
static enum err make_room(struct channel *c, size_t frame_total)
{
    size_t want = size_max(c->in_len + READ_MIN, frame_total);
    if (want <= c->in_cap) {
        return OK;
    }
    size_t cap = size_max(want, c->in_cap * 2);
    char *fresh = realloc(c->in, cap);
    if (!fresh) {
        return E_NOMEM;
    }
    c->in = fresh;
    c->in_cap = cap;
    return OK;
}

/* Takes every whole frame out of the buffer; *total is the size of the frame that is still incomplete, or 0. */
static enum err take_frames(struct channel *c, size_t *total)
{
    size_t at = 0;
    enum err e = OK;
    *total = 0;
    while (e == OK) {
        struct slice rest = { c->in + at, c->in_len - at };
        enum frame_type type;
        size_t size;
        e = frame_peek(rest, &type, &size);
        if (e != OK) {
            break;
        }
        if (size > rest.n) {
            *total = size;
            break;
        }
        e = on_frame(c, type, (struct slice){ rest.p, size });
        at += size;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
    return e == E_AGAIN ? OK : e;
}

static void shrink(struct channel *c)
{
    if (c->in_len == 0 && c->in_cap > KEEP_BYTES) {
        free(c->in);
        c->in = NULL;
        c->in_cap = 0;
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct channel *c = arg;
    size_t total = 0;
    UNUSED(what);
    ssize_t n = recv(fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) {
        return;
    }
    if (n <= 0) {
        lose(c, n == 0 ? "closed" : strerror(errno));
        return;
    }
    c->in_len += (size_t)n;
    if (take_frames(c, &total) != OK) {
        lose(c, "bad frame");
        return;
    }
    shrink(c);
    if (make_room(c, total) != OK) {
        lose(c, "out of memory");
    }
}

/* ---- connecting ---- */

static int open_socket(const struct channel *c)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s" SOCKET_SUFFIX,
                       c->owner->dir, c->name);
    if (len < 0 || (size_t)len >= sizeof(address.sun_path)) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void try_connect(struct channel *c)
{
    struct event_base *base = c->owner->base;
    c->fd = open_socket(c);
    if (c->fd < 0 || make_room(c, 0) != OK) {
        disconnect(c);
        connect_later(c);
        return;
    }
    c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(base, c->fd, EV_WRITE, on_writable, c);
    if (!c->readable || !c->writable || event_add(c->readable, NULL) < 0) {
        lose(c, "out of memory");
        return;
    }
    c->state = CHANNEL_HELLO;
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    UNUSED(fd);
    UNUSED(what);
    try_connect(arg);
}

/* ---- finding sockets ---- */

static void channel_free(struct channel *c)
{
    if (c) {
        disconnect(c);
        drop_event(&c->again);
        sbuf_fini(&c->out);
        free(c->in);
        free(c);
    }
}

static struct channel *find_channel(const struct upstream *u, const char *name, size_t len)
{
    for (size_t i = 0; i < u->count; i++) {
        const struct channel *c = u->channels[i];
        if (!c->retired && strlen(c->name) == len && memcmp(c->name, name, len) == 0) {
            return u->channels[i];
        }
    }
    return NULL;
}

static void add_channel(struct upstream *u, const char *name, size_t len)
{
    struct channel *c = u->count < UPSTREAM_CHANNELS_MAX ? calloc(1, sizeof(*c)) : NULL;
    if (!c) {
        log_seldom(LOG_LEVEL_ERROR, "slot_ignored", name);
        return;
    }
    c->owner = u;
    c->fd = -1;
    c->seen = true;
    c->backoff_ms = BACKOFF_MIN_MS;
    memcpy(c->name, name, len);
    sbuf_init(&c->out);
    c->again = evtimer_new(u->base, on_again, c);
    if (!c->again) {
        channel_free(c);
        return;
    }
    u->channels[u->count++] = c;
    try_connect(c);
}

static void note_file(struct upstream *u, const char *file)
{
    size_t len = strlen(file), suffix = strlen(SOCKET_SUFFIX);
    if (len <= suffix || len - suffix >= UPSTREAM_NAME_MAX || file[0] == '.' ||
        strcmp(file + len - suffix, SOCKET_SUFFIX) != 0) {
        return;
    }
    struct channel *c = find_channel(u, file, len - suffix);
    if (c) {
        c->seen = true;
    } else {
        add_channel(u, file, len - suffix);
    }
}

/* A channel that is down, and its socket is gone or another channel's: forget it. */
static void drop_unseen(struct upstream *u)
{
    for (size_t i = 0; i < u->count;) {
        struct channel *c = u->channels[i];
        if (!c->seen && c->state == CHANNEL_DOWN && !c->flush_queued) {
            u->channels[i] = u->channels[--u->count];
            channel_free(c);
        } else {
            i++;
        }
    }
}

static void scan(struct upstream *u)
{
    DIR *dir = opendir(u->dir);
    for (size_t i = 0; i < u->count; i++) {
        u->channels[i]->seen = false;
    }
    if (dir) {
        const struct dirent *file;
        while ((file = readdir(dir))) {
            note_file(u, file->d_name);
        }
        closedir(dir);
    }
    drop_unseen(u);
}

/* The folder may be made, or made anew, after the router started. */
static void watch_dir(struct upstream *u)
{
    if (u->inotify >= 0 && u->watch_id < 0) {
        u->watch_id = inotify_add_watch(u->inotify, u->dir,
                                        IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR);
    }
}

static void on_scan(evutil_socket_t fd, short what, void *arg)
{
    UNUSED(fd);
    UNUSED(what);
    watch_dir(arg);
    scan(arg);
}

/* A socket was made anew: its slot need not wait for the back-off. */
static void note_created(struct upstream *u, const char *file)
{
    size_t len = strlen(file), suffix = strlen(SOCKET_SUFFIX);
    struct channel *c = len > suffix ? find_channel(u, file, len - suffix) : NULL;
    if (c && c->state == CHANNEL_DOWN) {
        c->backoff_ms = BACKOFF_MIN_MS;
        connect_later(c);
    }
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct upstream *u = arg;
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    UNUSED(what);
    ssize_t n;
    while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const void *)(buffer + at);
            if (e->mask & (IN_DELETE_SELF | IN_IGNORED)) {
                u->watch_id = -1;
            } else if (e->len > 0) {
                note_created(u, e->name);
            }
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    }
    scan(u);
}

static enum err start_events(struct upstream *u)
{
    struct timeval every = { .tv_sec = SCAN_SECONDS };
    u->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    u->scan_timer = event_new(u->base, -1, EV_PERSIST, on_scan, u);
    u->flush = event_new(u->base, -1, 0, on_flush, u);
    if (!u->scan_timer || !u->flush || event_add(u->scan_timer, &every) < 0) {
        return E_NOMEM;
    }
    if (u->inotify >= 0) {
        u->watch = event_new(u->base, u->inotify, EV_READ | EV_PERSIST, on_watch, u);
        if (!u->watch || event_add(u->watch, NULL) < 0) {
            return E_NOMEM;
        }
    }
    return OK;
}

enum err upstream_new(struct event_base *base, const char *dir, const struct upstream_callbacks *cb,
                      struct upstream **out)
{
    struct upstream *u = calloc(1, sizeof(*u));
    if (!u) {
        return E_NOMEM;
    }
    u->base = base;
    u->dir = dir;
    u->cb = cb;
    u->watch_id = -1;
    if (start_events(u) != OK) {
        upstream_free(u);
        return E_NOMEM;
    }
    watch_dir(u);
    scan(u);
    *out = u;
    return OK;
}

void upstream_free(struct upstream *u)
{
    if (!u) {
        return;
    }
    for (size_t i = 0; i < u->count; i++) {
        channel_free(u->channels[i]);
    }
    drop_event(&u->scan_timer);
    drop_event(&u->flush);
    drop_event(&u->watch);
    if (u->inotify >= 0) {
        close(u->inotify);
    }
    free(u);
}

void upstream_states(const struct upstream *u, unsigned out[CHANNEL_STATE_COUNT])
{
    memset(out, 0, sizeof(*out) * CHANNEL_STATE_COUNT);
    for (size_t i = 0; i < u->count; i++) {
        out[u->channels[i]->state]++;
    }
}
