/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Lines leave in pieces of at most PIPE_BUF bytes, cut between lines, so that processes sharing a pipe never mix
 * theirs and a write that poll() allowed does not block. */
#include "router/access_log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/str.h"

#define GATHER_MAX  ((size_t)32 << 10) /* then lines are written within the turn */
#define TEXT_MAX    512                /* of a path or user agent */
#define SEGMENT_MAX 40                 /* of a path: a slug has no more */

struct access_log {
    struct event *flush;
    bool queued;
    bool file; /* a regular file: never blocks, takes everything at once */
    int fd;
    char program[32];
    uint64_t dropped, untold; /* lines, and those the log does not know of yet */
    struct sbuf lines;
};

/* A prefix of s that is UTF-8 as a JSON string; bytes that are no text as '?'. */
static void add_text(struct sbuf *out, struct slice s)
{
    char copy[TEXT_MAX];
    if (s.n <= TEXT_MAX && str_utf8_valid(s)) {
        sbuf_json(out, s);
        return;
    }
    size_t n = size_min(s.n, sizeof(copy));
    for (size_t i = 0; i < n; i++) {
        copy[i] = (unsigned char)s.p[i] < 0x80 ? s.p[i] : '?';
    }
    sbuf_json(out, (struct slice){ copy, n });
}

static void field(struct sbuf *out, const char *name, struct slice value)
{
    if (value.n > 0) {
        sbuf_text(out, ",\"");
        sbuf_text(out, name);
        sbuf_text(out, "\":");
        add_text(out, value);
    }
}

/* A path in which what is longer than any id or name is not told: it may be a link's token at an address with a slip. */
static void path_field(struct sbuf *out, struct slice path)
{
    static const struct slice hidden = SLICE("{...}");
    char told[TEXT_MAX];
    size_t n = 0;
    struct slice rest = path;
    while (rest.p && n < sizeof(told)) {
        struct slice segment = str_cut(&rest, '/');
        segment = segment.n > SEGMENT_MAX ? hidden : segment;
        segment.n = size_min(segment.n, sizeof(told) - n);
        memcpy(told + n, segment.p, segment.n);
        n += segment.n;
        if (rest.p && n < sizeof(told)) {
            told[n++] = '/';
        }
    }
    field(out, "path", (struct slice){ told, n });
}

static void number(struct sbuf *out, const char *name, int64_t value)
{
    sbuf_text(out, ",\"");
    sbuf_text(out, name);
    sbuf_text(out, "\":");
    sbuf_int(out, value);
}

void access_log_line(struct sbuf *out, const char *program, const struct exchange *x, int status,
                     size_t bytes, int64_t total_us)
{
    char at[CLOCK_RFC3339_MAX], member[UUID_TEXT] = "";
    int64_t router_us = total_us - x->queue_us - x->db_us;
    clock_format_utc(clock_wall_us(), at);
    if (x->principal.present) {
        uuid_format(&x->principal.member, member);
    }
    sbuf_text(out, "{\"at\":\"");
    sbuf_text(out, at);
    sbuf_text(out, "\",\"level\":\"info\"");
    field(out, "program", slice_of(program));
    sbuf_text(out, ",\"event\":\"request\"");
    field(out, "request_id", slice_of(x->request_id));
    field(out, "tenant", slice_of(x->has_tenant ? x->tenant.code : ""));
    field(out, "member", slice_of(member));
    field(out, "method", x->method_text);
    field(out, "route", slice_of(x->route));
    if (x->by_link) {
        field(out, "path", slice_of(x->route));
    } else {
        path_field(out, x->path);
    }
    number(out, "status", status);
    field(out, "code", slice_of(x->code));
    number(out, "bytes", (int64_t)bytes);
    number(out, "us_total", total_us);
    number(out, "us_router", router_us > 0 ? router_us : 0);
    number(out, "us_queue", x->queue_us);
    number(out, "us_db", x->db_us);
    field(out, "peer", x->peer);
    sbuf_text(out, "}\n");
}

/* Bytes of the whole lines that fit into one piece; a longer first line goes alone. */
static size_t piece(const char *p, size_t n)
{
    if (n <= PIPE_BUF) {
        return n;
    }
    const char *cut = memrchr(p, '\n', PIPE_BUF);
    if (!cut) {
        cut = memchr(p, '\n', n);
    }
    return cut ? (size_t)(cut - p) + 1 : n;
}

static bool writable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static uint64_t count_lines(const char *p, size_t n)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < n; i++) {
        lines += p[i] == '\n';
    }
    return lines;
}

static void flush(struct access_log *log)
{
    const char *p = log->lines.data;
    size_t left = sbuf_failed(&log->lines) ? 0 : log->lines.len;
    while (left > 0 && (log->file || writable(log->fd))) {
        size_t n = log->file ? left : piece(p, left);
        ssize_t done = write(log->fd, p, n);
        if (done < 0 && errno != EINTR) {
            break;
        }
        p += done > 0 ? done : 0;
        left -= done > 0 ? (size_t)done : 0;
    }
    if (left > 0) {
        uint64_t lines = count_lines(p, left);
        log->dropped += lines;
        log->untold += lines;
    }
    sbuf_reset(&log->lines, GATHER_MAX * 2);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
    struct access_log *log = arg;
    UNUSED(fd);
    UNUSED(what);
    log->queued = false;
    flush(log);
    if (log->untold > 0 && writable(log->fd)) {
        char text[24];
        snprintf(text, sizeof(text), "%llu", (unsigned long long)log->untold);
        log_seldom(LOG_LEVEL_WARN, "access_log_dropped", text);
        log->untold = 0;
    }
}

enum err access_log_new(struct event_base *base, int fd, const char *program,
                        struct access_log **out)
{
    struct stat st;
    struct access_log *log = calloc(1, sizeof(*log));
    if (!log) {
        return E_NOMEM;
    }
    log->fd = fd;
    log->file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    strncpy(log->program, program, sizeof(log->program) - 1);
    sbuf_init(&log->lines);
    log->flush = event_new(base, -1, 0, on_flush, log);
    if (!log->flush) {
        free(log);
        return E_NOMEM;
    }
    *out = log;
    return OK;
}

void access_log_free(struct access_log *log)
{
    if (log) {
        flush(log);
        event_free(log->flush);
        sbuf_fini(&log->lines);
        free(log);
    }
}

uint64_t access_log_dropped(const struct access_log *log)
{
    return log->dropped;
}

void access_log_write(struct access_log *log, const struct exchange *x, int status, size_t bytes,
                      int64_t total_us)
{
    access_log_line(&log->lines, log->program, x, status, bytes, total_us);
    if (log->lines.len > GATHER_MAX) {
        flush(log);
    } else if (!log->queued) {
        log->queued = true;
        event_active(log->flush, EV_TIMEOUT, 1);
    }
}
