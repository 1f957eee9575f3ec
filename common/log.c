/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Log lines: {"at":..., "level":..., "program":..., "event":..., "pid":..., more}. One write(2) each, so that the
 * processes sharing a descriptor never mix their lines. A line that cannot be written is dropped, never waited for. */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/str.h"

#define VALUE_MAX    2048 /* bytes of one value; the rest is cut */
#define LINE_KEEP    ((size_t)16 << 10)
#define SELDOM_SLOTS 16

static struct {
    char program[32];
    enum log_level level;
    int given, fd;          /* the caller's descriptor, and the one written to */
    uint64_t dropped, told; /* lines, and how many of them a later line has told of */
    struct sbuf line;
} self = { .program = "gremio", .level = LOG_LEVEL_INFO, .given = -1, .fd = STDERR_FILENO };

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG:
        return "debug";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_ERROR:
        return "error";
    }
    return "error";
}

void log_rename(const char *program)
{
    size_t n = strnlen(program, sizeof(self.program) - 1);
    memmove(self.program, program, n);
    self.program[n] = '\0';
}

/* A pipe is opened anew: then O_NONBLOCK is ours alone, not of everybody who shares the descriptor. Where that is
 * refused, poll() before each write has to do. */
static int open_anew(int fd)
{
    struct stat st;
    char path[40];
    if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
        return fd;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return own >= 0 ? own : fd;
}

void log_init(const char *program, enum log_level level, int fd)
{
    log_rename(program);
    self.level = level;
    signal(SIGPIPE, SIG_IGN);
    if (fd != self.given) {
        self.given = fd;
        self.fd = open_anew(fd);
    }
}

int log_fd(void)
{
    return self.fd;
}

uint64_t log_dropped(void)
{
    return self.dropped;
}

/* Any bytes as a JSON string: what is not UTF-8 is shown byte by byte, as if it were Latin-1. */
static void add_value(struct sbuf *b, struct slice s)
{
    if (s.n > VALUE_MAX) {
        s.n = VALUE_MAX;
        while (s.n > VALUE_MAX - 3 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80) {
            s.n--;
        }
    }
    if (str_utf8_valid(s)) {
        sbuf_json(b, s);
        return;
    }
    sbuf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            sbuf_fmt(b, "\\u%04x", c);
        } else {
            sbuf_char(b, s.p[i]);
        }
    }
    sbuf_char(b, '"');
}

static void begin(enum log_level level, const char *event)
{
    struct sbuf *b = &self.line;
    char at[CLOCK_RFC3339_MAX];
    clock_format_utc(clock_wall_us(), at);
    sbuf_reset(b, LINE_KEEP);
    sbuf_text(b, "{\"at\":\"");
    sbuf_text(b, at);
    sbuf_text(b, "\",\"level\":\"");
    sbuf_text(b, level_name(level));
    sbuf_text(b, "\",\"program\":");
    add_value(b, slice_of(self.program));
    sbuf_text(b, ",\"event\":");
    add_value(b, slice_of(event));
    sbuf_text(b, ",\"pid\":");
    sbuf_int(b, getpid());
}

static void add_pair(const char *name, const char *value)
{
    sbuf_char(&self.line, ',');
    add_value(&self.line, slice_of(name));
    sbuf_char(&self.line, ':');
    add_value(&self.line, slice_of(value));
}

static bool put(const char *p, size_t n)
{
    struct pollfd ready = { .fd = self.fd, .events = POLLOUT };
    ssize_t done = -1;
    if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT)) {
        do {
            done = write(self.fd, p, n);
        } while (done < 0 && errno == EINTR);
    }
    return done >= 0;
}

static void end(void)
{
    struct sbuf *b = &self.line;
    int saved = errno;
    uint64_t untold = self.dropped - self.told;
    if (untold > 0) {
        sbuf_text(b, ",\"dropped\":");
        sbuf_int(b, (int64_t)untold);
    }
    sbuf_text(b, "}\n");
    if (sbuf_failed(b) || !put(b->data, b->len)) {
        self.dropped++;
    } else {
        self.told += untold;
    }
    errno = saved;
}

void log_event(enum log_level level, const char *event, ...)
{
    if (level < self.level) {
        return;
    }
    begin(level, event);
    va_list pairs;
    va_start(pairs, event);
    const char *name;
    const char *value;
    while ((name = va_arg(pairs, const char *)) && (value = va_arg(pairs, const char *))) {
        add_pair(name, value);
    }
    va_end(pairs);
    end();
}

void log_raw(enum log_level level, const char *event, struct slice body)
{
    if (level < self.level) {
        return;
    }
    begin(level, event);
    if (body.n > 0) {
        sbuf_char(&self.line, ',');
        sbuf_add(&self.line, body);
    }
    end();
}

/* What log_seldom remembers of one event name. */
struct seldom {
    char event[32];
    int64_t last_us;
    uint64_t swallowed;
};

/* The event's entry; for a new one the entry longest unused is given up. */
static struct seldom *seldom_entry(const char *event)
{
    static struct seldom table[SELDOM_SLOTS];
    struct seldom *oldest = &table[0];
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strncmp(table[i].event, event, sizeof(table[i].event) - 1) == 0 && table[i].event[0]) {
            return &table[i];
        }
        if (table[i].last_us < oldest->last_us) {
            oldest = &table[i];
        }
    }
    *oldest = (struct seldom){ 0 };
    memcpy(oldest->event, event, strnlen(event, sizeof(oldest->event) - 1));
    return oldest;
}

void log_seldom(enum log_level level, const char *event, const char *detail)
{
    if (level < self.level) {
        return;
    }
    struct seldom *e = seldom_entry(event);
    int64_t now = clock_mono_us();
    if (e->last_us != 0 && now - e->last_us < 1000000) {
        e->swallowed++;
        return;
    }
    begin(level, event);
    if (detail) {
        add_pair("detail", detail);
    }
    if (e->swallowed > 0) {
        sbuf_text(&self.line, ",\"suppressed\":");
        sbuf_int(&self.line, (int64_t)e->swallowed);
    }
    end();
    e->last_us = now;
    e->swallowed = 0;
}
