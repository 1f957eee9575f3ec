/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The parent hands numbers of items over a socket pair and gets answers back; a child is one blocking loop. Both are
 * the same program after fork, so plain structs may cross. */
#include "provisioning/fleet.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/proc.h"
#include "provisioning/db.h"

#define TICK_MS    200
#define BACKOFF_US 300000 /* times the attempt, and as much again at random */
#define KNOCK_US   500000 /* between two tries to reach a database that went away */
#define NOTHING    SIZE_MAX
/* Practices of one connection: a server process keeps what it knows of every table it met, and walks through all of
 * that at the end of a transaction that made many. */
#define RECYCLE 100

struct child {
    pid_t pid;
    int fd;      /* -1: gone */
    size_t item; /* in hand; NOTHING when idle */
};

struct answer {
    enum apply_outcome outcome;
    bool unreachable; /* APPLY_LOST, and the work never began */
    int64_t took_us;  /* the work, so its locks were held no longer */
    struct apply_fault fault;
};

struct fleet {
    struct fleet_item *items;
    size_t n;
    size_t fresh;           /* items below were handed out at least once */
    int64_t lost_us;        /* since when the database is away; 0: it is there */
    int64_t pause_until_us; /* nothing is handed out before */
    const struct fleet_options *options;
    struct fleet_count *count;
    struct child children[FLEET_PARALLEL_MAX];
    int signals;
    sigset_t old_mask;
};

static void set_fault(struct apply_fault *fault, const struct sbuf *why)
{
    struct slice text = sbuf_slice(why);
    *fault = (struct apply_fault){ 0 };
    snprintf(fault->text, sizeof(fault->text), "%.*s", (int)size_min(text.n, 200), text.p);
}

static void child_work(const struct fleet *f, size_t item, PGconn **db, struct answer *out)
{
    struct sbuf why;
    sbuf_init(&why);
    *out = (struct answer){ .outcome = APPLY_LOST };
    if (*db || db_open_provision(f->options->settings, db, &why) == OK) {
        int64_t begin = clock_mono_us();
        out->outcome = f->options->work(*db, &f->items[item], f->options->context, &out->fault);
        out->took_us = clock_mono_us() - begin;
    } else {
        out->unreachable = true;
        set_fault(&out->fault, &why);
    }
    sbuf_fini(&why);
    if (out->outcome == APPLY_LOST) {
        PQfinish(*db);
        *db = NULL;
    }
}

/* Ends when the parent closes its side, or is gone. */
static void child_loop(const struct fleet *f, int fd)
{
    PGconn *db = NULL;
    size_t item, served = 0;
    while (recv(fd, &item, sizeof(item), 0) == (ssize_t)sizeof(item)) {
        struct answer answer;
        if (served++ % RECYCLE == 0) {
            PQfinish(db);
            db = NULL;
        }
        child_work(f, item, &db, &answer);
        if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) != (ssize_t)sizeof(answer)) {
            break;
        }
    }
    PQfinish(db);
}

static bool child_start(struct fleet *f, struct child *c)
{
    int pair[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    pid_t pid = fork();
    if (pid < 0) {
        close(pair[0]);
        close(pair[1]);
        return false;
    }
    if (pid == 0) {
        close(pair[0]);
        for (struct child *other = f->children; other != c; other++) {
            close(other->fd); /* else a sibling would keep it open after the parent died */
        }
        proc_child_enter(parent, SIGTERM);
        signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group; the parent decides */
        child_loop(f, pair[1]);
        _exit(0);
    }
    close(pair[1]);
    *c = (struct child){ .pid = pid, .fd = pair[0], .item = NOTHING };
    return true;
}

static bool stopping(const struct fleet *f)
{
    return f->count->interrupted || f->count->stopped || f->count->lost;
}

/* The next item to hand out: new ones first, then those whose locks were taken and whose time has come. */
static size_t next_item(struct fleet *f, int64_t now)
{
    while (f->fresh < f->n) {
        size_t i = f->fresh++;
        if (f->items[i].state == FLEET_WAITING) {
            return i;
        }
    }
    for (size_t i = 0; i < f->n; i++) {
        if (f->items[i].state == FLEET_WAITING && f->items[i].not_before_us <= now) {
            return i;
        }
    }
    return NOTHING;
}

static bool any_waiting(const struct fleet *f)
{
    if (f->fresh < f->n) {
        return true;
    }
    for (size_t i = 0; i < f->n; i++) {
        if (f->items[i].state == FLEET_WAITING) {
            return true;
        }
    }
    return false;
}

static void fail(struct fleet *f, struct fleet_item *item)
{
    item->state = FLEET_FAILED;
    f->count->failed++;
    unsigned limit = f->options->stop_after;
    if (limit > 0 && f->count->failed >= limit) {
        f->count->stopped = true;
    }
}

/* A lock was not to be had, or the connection broke in the middle: later again, so many times. */
static void postpone(struct fleet *f, struct fleet_item *item)
{
    if (++item->attempts < FLEET_ATTEMPTS) {
        int64_t delay = (int64_t)item->attempts * BACKOFF_US;
        item->state = FLEET_WAITING;
        item->not_before_us = clock_mono_us() + delay + randombytes_uniform(BACKOFF_US);
        return;
    }
    if (item->fault.text[0] == '\0') {
        snprintf(item->fault.text, sizeof(item->fault.text),
                 "its locks were taken at all %d attempts", FLEET_ATTEMPTS);
    }
    fail(f, item);
}

/* The database is away: no practice's fault. Everybody waits; after so long the run ends and leaves the rest. */
static void knock_later(struct fleet *f, struct fleet_item *item)
{
    int64_t now = clock_mono_us();
    f->lost_us = f->lost_us ? f->lost_us : now;
    f->pause_until_us = now + KNOCK_US;
    item->state = FLEET_WAITING;
    f->count->lost = now - f->lost_us > FLEET_PATIENCE_S * INT64_C(1000000);
}

static void settle(struct fleet *f, size_t at, const struct answer *answer)
{
    struct fleet_item *item = &f->items[at];
    item->fault = answer->fault;
    f->lost_us = answer->unreachable ? f->lost_us : 0;
    if (answer->took_us > f->count->longest_us) {
        f->count->longest_us = answer->took_us;
    }
    switch (answer->outcome) {
    case APPLY_DONE:
        item->state = FLEET_DONE;
        f->count->done++;
        break;
    case APPLY_CURRENT:
    case APPLY_GONE:
        item->state = FLEET_SKIPPED;
        f->count->skipped++;
        break;
    case APPLY_BUSY:
        postpone(f, item);
        break;
    case APPLY_LOST:
        if (answer->unreachable) {
            knock_later(f, item);
        } else {
            postpone(f, item);
        }
        break;
    case APPLY_FAILED:
        fail(f, item);
        break;
    }
    f->options->on_progress(f->options->context, f->count, item);
}

static void child_close(struct child *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

static void on_answer(struct fleet *f, struct child *c)
{
    struct answer answer;
    ssize_t n = recv(c->fd, &answer, sizeof(answer), 0);
    size_t item = c->item;
    c->item = NOTHING;
    if (n != (ssize_t)sizeof(answer)) { /* the child died: its transaction was rolled back */
        child_close(c);
        answer = (struct answer){ .outcome = APPLY_FAILED };
        snprintf(answer.fault.text, sizeof(answer.fault.text),
                 "the process that had it in hand died");
    }
    if (item != NOTHING) {
        settle(f, item, &answer);
    }
}

static void hand_out(struct fleet *f)
{
    int64_t now = clock_mono_us();
    for (unsigned i = 0; i < f->options->parallel && !stopping(f); i++) {
        if (now < f->pause_until_us) {
            return;
        }
        struct child *c = &f->children[i];
        if (c->fd < 0 || c->item != NOTHING) {
            continue;
        }
        size_t item = next_item(f, now);
        if (item == NOTHING) {
            return;
        }
        c->item = item;
        f->items[item].state = FLEET_RUNNING;
        if (send(c->fd, &item, sizeof(item), MSG_NOSIGNAL) != (ssize_t)sizeof(item)) {
            on_answer(f, c); /* reads the end of the stream and settles the item */
        }
    }
}

static void on_signal(struct fleet *f)
{
    struct signalfd_siginfo info;
    if (read(f->signals, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return;
    }
    for (unsigned i = 0; f->count->interrupted && i < f->options->parallel; i++) {
        if (f->children[i].fd >= 0) {
            kill(f->children[i].pid, SIGTERM);
        }
    }
    f->count->interrupted = true;
}

static void wait_for_something(struct fleet *f)
{
    struct pollfd fds[FLEET_PARALLEL_MAX + 1];
    unsigned n = f->options->parallel;
    for (unsigned i = 0; i < n; i++) {
        fds[i] = (struct pollfd){ .fd = f->children[i].fd, .events = POLLIN };
    }
    fds[n] = (struct pollfd){ .fd = f->signals, .events = POLLIN };
    if (poll(fds, n + 1, TICK_MS) > 0) {
        for (unsigned i = 0; i < n; i++) {
            if (fds[i].revents) {
                on_answer(f, &f->children[i]);
            }
        }
        if (fds[n].revents) {
            on_signal(f);
        }
    }
    f->options->on_progress(f->options->context, f->count, NULL);
}

static unsigned count_children(const struct fleet *f, bool busy)
{
    unsigned found = 0;
    for (unsigned i = 0; i < f->options->parallel; i++) {
        const struct child *c = &f->children[i];
        found += c->fd >= 0 && (!busy || c->item != NOTHING);
    }
    return found;
}

/* Signals are blocked before the first fork, so that none falls between. */
static enum err start(struct fleet *f)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_SETMASK, NULL, &f->old_mask);
    f->signals = proc_signal_fd(&set);
    for (unsigned i = 0; i < f->options->parallel; i++) {
        f->children[i].fd = -1;
    }
    for (unsigned i = 0; i < f->options->parallel && i < f->n; i++) {
        if (!child_start(f, &f->children[i])) {
            break;
        }
    }
    return f->signals >= 0 && (f->n == 0 || f->children[0].fd >= 0) ? OK : E_IO;
}

enum err fleet_run(struct fleet_item *items, size_t n, const struct fleet_options *options,
                   struct fleet_count *count)
{
    struct fleet f = { .items = items, .n = n, .options = options, .count = count };
    *count = (struct fleet_count){ .total = n };
    enum err e = start(&f);
    while (e == OK) {
        hand_out(&f);
        bool more = !stopping(&f) && count_children(&f, false) > 0 && any_waiting(&f);
        if (count_children(&f, true) == 0 && !more) {
            break;
        }
        wait_for_something(&f);
    }
    for (unsigned i = 0; i < options->parallel; i++) {
        child_close(&f.children[i]);
    }
    if (f.signals >= 0) {
        close(f.signals);
    }
    sigprocmask(SIG_SETMASK, &f.old_mask, NULL);
    return e;
}
