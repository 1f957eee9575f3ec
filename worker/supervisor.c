/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Signals come through a descriptor, so none is lost and nothing happens between two lines; children that died wait out
 * their back-off in the poll's timeout, nobody sleeps. */
#include "worker/supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/proc.h"
#include "worker/slots.h"

#define SLOTS_MAX        256
#define STOP_GRACE_US    INT64_C(5000000) /* beyond drain_timeout before a slot is killed */
#define RECYCLE_PATIENCE INT64_C(10000000)

enum slot_state {
    SLOT_DEAD, /* to be started when its back-off is over */
    SLOT_RUNNING,
    SLOT_DRAINING, /* was told to finish: recycled or stopped */
};

struct slot {
    struct slot_env env;
    struct proc_child child;
    enum slot_state state;
    int listen_fd;
    char path[108];
    bool recycle; /* runs with settings of yesterday */
};

struct supervisor {
    const struct supervisor_start *start;
    struct slot slots[SLOTS_MAX];
    size_t count;
    struct score *scores;
    int lock_fd, signal_fd;
    unsigned stops;     /* SIGTERM or SIGINT seen */
    int64_t kill_at_us; /* draining: those still there are killed then */
    int64_t recycle_us; /* the latest recycled slot has until then to be ready */
};

/* ---- sockets and lock ---- */

static enum err make_folder(const char *path, struct sbuf *why)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST) {
        return OK;
    }
    sbuf_fmt(why, "slots_dir %s: %s", path, strerror(errno));
    return E_IO;
}

/* One supervisor per folder; the lock goes with the process, however it ends. */
static enum err take_lock(struct supervisor *s, struct sbuf *why)
{
    const char *dir = s->start->settings->slots_dir;
    char path[128];
    snprintf(path, sizeof(path), "%.100s/worker.lock", dir);
    TRY(make_folder(dir, why));
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0) {
        sbuf_fmt(why, "%s: %s", path, strerror(errno));
        return E_IO;
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        sbuf_fmt(why, "another gremio-worker already serves %s", dir);
        return E_CONFIG;
    }
    return OK;
}

/* Sockets of a supervisor that was killed. Its slots may still hold them, finishing what they were sent; whoever has the
 * lock may take the names, so that nobody has to wait for them. */
static void clear_sockets(const char *dir)
{
    char path[400];
    struct dirent *e;
    DIR *d = opendir(dir);
    while (d && (e = readdir(d))) {
        size_t n = strlen(e->d_name);
        if (e->d_type == DT_SOCK && n > 5 && strcmp(e->d_name + n - 5, ".sock") == 0) {
            snprintf(path, sizeof(path), "%.100s/%s", dir, e->d_name);
            unlink(path);
        }
    }
    if (d) {
        closedir(d);
    }
}

static enum err bind_slot(struct supervisor *s, enum slot_kind kind, unsigned ordinal,
                          struct sbuf *why)
{
    struct slot *slot = &s->slots[s->count];
    slot->listen_fd = -1;
    slot->env = (struct slot_env){
        .kind = kind,
        .index = (unsigned)s->count,
        .ordinal = ordinal,
        .settings = s->start->settings,
        .secrets = s->start->secrets,
        .routes = s->start->routes,
    };
    char name[sizeof(slot->env.name)];
    slots_name(kind, ordinal, name);
    memcpy(slot->env.name, name, sizeof(name));
    snprintf(slot->path, sizeof(slot->path), "%.80s/%s.sock", s->start->settings->slots_dir, name);
    slot->listen_fd = proc_listen_unix(slot->path, why);
    s->count++;
    return slot->listen_fd < 0 ? E_IO : OK;
}

static enum err bind_slots(struct supervisor *s, struct sbuf *why)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        int64_t n = slots_rows[kind].count(s->start->settings);
        for (int64_t i = 0; i < n; i++) {
            if (s->count == SLOTS_MAX) {
                sbuf_fmt(why, "more than %d slots in all", SLOTS_MAX);
                return E_CONFIG;
            }
            TRY(bind_slot(s, (enum slot_kind)kind, (unsigned)i, why));
        }
    }
    return OK;
}

/* Nobody may queue up in front of slots that will not come back. */
static void close_sockets(struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].listen_fd >= 0) {
            close(s->slots[i].listen_fd);
            unlink(s->slots[i].path);
            s->slots[i].listen_fd = -1;
        }
    }
}

/* ---- children ---- */

static void set_state(struct slot *slot, enum slot_state state)
{
    slot->state = state;
}

static void run_child(struct supervisor *s, struct slot *slot, pid_t parent)
{
    close(s->signal_fd);
    close(s->lock_fd);
    for (size_t i = 0; i < s->count; i++) {
        if (&s->slots[i] != slot && s->slots[i].listen_fd >= 0) {
            close(s->slots[i].listen_fd);
        }
    }
    slots_main(&slot->env, s->start->secrets, slot->listen_fd, &s->scores[slot->env.index], parent);
}

static void start_slot(struct supervisor *s, struct slot *slot)
{
    pid_t parent = getpid();
    memset(&s->scores[slot->env.index], 0, sizeof(s->scores[0]));
    slot->child.started_us = clock_mono_us();
    slot->recycle = false;
    pid_t pid = fork();
    if (pid == 0) {
        run_child(s, slot, parent);
    }
    if (pid < 0) {
        log_seldom(LOG_LEVEL_ERROR, "fork_failed", strerror(errno));
        proc_child_died(&slot->child, slot->child.started_us);
        return;
    }
    slot->child.pid = pid;
    set_state(slot, SLOT_RUNNING);
}

static void start_due(struct supervisor *s)
{
    int64_t now = clock_mono_us();
    for (size_t i = 0; i < s->count && s->stops == 0; i++) {
        struct slot *slot = &s->slots[i];
        if (slot->state == SLOT_DEAD && proc_child_due(&slot->child, now)) {
            start_slot(s, slot);
        }
    }
}

/* The requests a dead slot held, one line each: the route is what an operator looks for first. */
static void log_jobs(const struct supervisor *s, const struct slot *slot, const char *how)
{
    const struct score *score = &s->scores[slot->env.index];
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", slot->child.pid);
    uint32_t n = score->count < SCORE_JOBS_MAX ? score->count : SCORE_JOBS_MAX;
    for (uint32_t i = 0; i < n; i++) {
        struct score_job j = score->jobs[i]; /* a copy: what a broken process left is not trusted */
        j.tenant[sizeof(j.tenant) - 1] = j.request_id[sizeof(j.request_id) - 1] = '\0';
        const struct route *r = j.route < s->start->routes->count
                                    ? s->start->routes->plans[j.route].row
                                    : NULL;
        log_event(LOG_LEVEL_ERROR, "slot_died", "slot", slot->env.name, "pid", pid, "how", how,
                  "method", r ? method_name(r->method) : "?", "route", r ? r->path : "?",
                  "request_id", j.request_id, "tenant", j.tenant, NULL);
    }
    if (n == 0) {
        log_event(LOG_LEVEL_ERROR, "slot_died", "slot", slot->env.name, "pid", pid, "how", how,
                  "route", "", NULL);
    }
}

static void on_death(struct supervisor *s, struct slot *slot, int status)
{
    bool expected = slot->state == SLOT_DRAINING && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    char how[64];
    if (WIFSIGNALED(status)) {
        snprintf(how, sizeof(how), "signal %d (%s)", WTERMSIG(status),
                 sigabbrev_np(WTERMSIG(status)));
    } else {
        snprintf(how, sizeof(how), "exit %d", WEXITSTATUS(status));
    }
    if (!expected) {
        log_jobs(s, slot, how);
    }
    proc_child_died(&slot->child, clock_mono_us());
    if (expected) {
        slot->child.deaths = 0;
        slot->child.not_before_us = 0;
    }
    set_state(slot, SLOT_DEAD);
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < s->count; i++) {
            if (s->slots[i].child.pid == pid) {
                on_death(s, &s->slots[i], status);
            }
        }
    }
}

static size_t living(const struct supervisor *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        n += s->slots[i].child.pid > 0;
    }
    return n;
}

static void signal_all(const struct supervisor *s, int signo)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].child.pid > 0) {
            kill(s->slots[i].child.pid, signo);
        }
    }
}

/* ---- signals ---- */

static void on_stop(struct supervisor *s)
{
    s->stops++;
    if (s->stops > 1) {
        log_event(LOG_LEVEL_WARN, "stopping_now", NULL);
        signal_all(s, SIGKILL);
        return;
    }
    log_event(LOG_LEVEL_INFO, "draining", NULL);
    close_sockets(s);
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].child.pid > 0) {
            set_state(&s->slots[i], SLOT_DRAINING);
        }
    }
    signal_all(s, SIGTERM);
    s->kill_at_us = clock_mono_us() + s->start->settings->drain_timeout * 1000 + STOP_GRACE_US;
}

/* All or nothing: slots are replaced one after another only when the new settings are good. */
static void on_reload(struct supervisor *s)
{
    struct worker_settings fresh = *s->start->settings;
    struct sbuf why;
    sbuf_init(&why);
    enum err e = conf_reload(settings_rows, s->start->source, &fresh, sizeof(fresh), &why);
    if (e == OK) {
        e = settings_check(&fresh, &why);
    }
    if (e != OK) {
        sbuf_char(&why, '\0');
        log_event(LOG_LEVEL_ERROR, "reload_refused", "why", why.data ? why.data : "", NULL);
    } else {
        *s->start->settings = fresh;
        log_init("worker", settings_log_level(&fresh), STDERR_FILENO);
        for (size_t i = 0; i < s->count; i++) {
            s->slots[i].recycle = s->slots[i].child.pid > 0;
        }
        log_event(LOG_LEVEL_INFO, "reloaded", NULL);
    }
    sbuf_fini(&why);
}

/* Tells the next slot of an old generation to go, once the one before is back and its loop runs. */
static void recycle_next(struct supervisor *s)
{
    struct slot *next = NULL;
    for (size_t i = 0; i < s->count; i++) {
        struct slot *slot = &s->slots[i];
        bool settling = slot->state != SLOT_RUNNING || !s->scores[i].ready;
        if (settling && clock_mono_us() < s->recycle_us) {
            return;
        }
        if (!next && slot->recycle && slot->state == SLOT_RUNNING) {
            next = slot;
        }
    }
    if (next && s->stops == 0) {
        s->recycle_us = clock_mono_us() + RECYCLE_PATIENCE +
                        s->start->settings->drain_timeout * 1000;
        set_state(next, SLOT_DRAINING);
        kill(next->child.pid, SIGTERM);
    }
}

static void read_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGTERM:
        case SIGINT:
            on_stop(s);
            break;
        case SIGHUP:
            on_reload(s);
            break;
        default: /* SIGCHLD: reap looks at all of them */
            break;
        }
    }
    reap(s);
}

/* ---- loop ---- */

static bool is_recycling(const struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].recycle) {
            return true;
        }
    }
    return false;
}

/* Milliseconds until something is due; -1: only a signal can change anything. */
static int next_timeout(const struct supervisor *s)
{
    int64_t now = clock_mono_us(), at = INT64_MAX;
    for (size_t i = 0; i < s->count && s->stops == 0; i++) {
        if (s->slots[i].state == SLOT_DEAD && s->slots[i].child.not_before_us < at) {
            at = s->slots[i].child.not_before_us;
        }
    }
    if (s->stops == 1) {
        at = s->kill_at_us;
    }
    if (is_recycling(s) && at > now + 50000) {
        at = now + 50000; /* readiness is a flag in shared memory: looked at, not signalled */
    }
    return at == INT64_MAX ? -1 : at <= now ? 0 : (int)((at - now) / 1000 + 1);
}

static void loop(struct supervisor *s)
{
    while (s->stops == 0 || living(s) > 0) {
        struct pollfd p = { .fd = s->signal_fd, .events = POLLIN };
        if (poll(&p, 1, next_timeout(s)) > 0) {
            read_signals(s);
        }
        start_due(s);
        if (s->stops == 0 && is_recycling(s)) {
            recycle_next(s);
        }
        if (s->stops == 1 && clock_mono_us() >= s->kill_at_us) {
            on_stop(s);
        }
    }
}

static enum err prepare(struct supervisor *s, struct sbuf *why)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    TRY(take_lock(s, why));
    clear_sockets(s->start->settings->slots_dir);
    TRY(bind_slots(s, why));
    s->scores = score_map(s->count);
    s->signal_fd = proc_signal_fd(&set);
    if (!s->scores || s->signal_fd < 0) {
        sbuf_fmt(why, "cannot start: %s", strerror(errno));
        return E_IO;
    }
    return OK;
}

int supervisor_run(const struct supervisor_start *start)
{
    static struct supervisor s;
    struct sbuf why;
    sbuf_init(&why);
    s.start = start;
    s.lock_fd = s.signal_fd = -1;
    enum err e = prepare(&s, &why);
    if (e != OK) {
        fprintf(stderr, "gremio-worker: %.*s\n", (int)why.len, why.data);
    } else {
        char count[16];
        snprintf(count, sizeof(count), "%zu", s.count);
        log_event(LOG_LEVEL_INFO, "worker_started", "slots", count, "version", GREMIO_VERSION,
                  NULL);
        loop(&s);
        log_event(LOG_LEVEL_INFO, "worker_stopped", NULL);
    }
    close_sockets(&s);
    sbuf_fini(&why);
    return e == OK ? 0 : 1;
}
