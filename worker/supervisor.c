/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Signals come through a descriptor, so none is lost and nothing happens between two lines; children that died wait out
 * their back-off in the poll's timeout, nobody sleeps. A slot is replaced by a second process on the same socket, and told to
 * finish only when that one's loop runs: so a reload, and so an upgrade (common/upgrade.h), slot after slot. */
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
#include "common/upgrade.h"
#include "worker/slots.h"

#define SLOTS_MAX        256
#define STOP_GRACE_US    INT64_C(5000000) /* beyond drain_timeout before a slot is killed */
#define RECYCLE_PATIENCE INT64_C(10000000)
#define STOPPED_PATIENCE \
    INT64_C(2000000) /* a stopped slot's requests go to others before their deadline */
#define LOOK_US    INT64_C(1000000) /* how often progress is looked at */
#define FRAMES_KEY "frames %08x"
#define LOCK_KEY   "lock %s"

struct slot {
    struct slot_env env;
    struct proc_child child;
    pid_t old;     /* serves until child does; 0 for none */
    pid_t retired; /* the latest that was told to finish */
    unsigned
        turn; /* which of the slot's two scores is the child's; the other is old's or retired's */
    int64_t stopped_us; /* since then the child is stopped (SIGSTOP); 0: it runs */
    int listen_fd;
    char path[108];
    bool recycle; /* runs with settings or a program of yesterday */
};

struct supervisor {
    const struct supervisor_start *start;
    struct slot slots[SLOTS_MAX];
    size_t count;
    struct score *scores; /* two for each slot */
    struct upgrade upgrade;
    int lock_fd, signal_fd;
    unsigned stops;     /* SIGTERM or SIGINT seen */
    int64_t kill_at_us; /* draining: those still there are killed then */
    int64_t recycle_us; /* the latest recycled slot has until then to be ready */
    bool inheriting;    /* sockets and slots come from the program before */
    bool exec_due;      /* the program on disk said that it may take over */
    int64_t looked_us;  /* when progress was looked at last */
};

static struct score *score_of(const struct supervisor *s, const struct slot *slot)
{
    return &s->scores[2 * slot->env.index + slot->turn];
}

/* ---- sockets and lock ---- */

static enum err make_folder(const char *path, struct sbuf *why)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST) {
        return OK;
    }
    sbuf_fmt(why, "slots_dir %s: %s", path, strerror(errno));
    return E_IO;
}

/* For the group, and nobody else. */
static bool is_shared(const char *path, mode_t mode, struct sbuf *why)
{
    if (chmod(path, mode) == 0) {
        return true;
    }
    sbuf_fmt(why, "%s: %s", path, strerror(errno));
    return false;
}

/* One supervisor per folder; the lock goes with the process, however it ends. */
static enum err take_lock(struct supervisor *s, struct sbuf *why)
{
    const char *dir = s->start->settings->slots_dir;
    char path[128];
    snprintf(path, sizeof(path), "%.100s/worker.lock", dir);
    TRY(make_folder(dir, why));
    if (s->start->settings->slots_shared && !is_shared(dir, 0750, why)) {
        return E_IO;
    }
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

/* The socket that the program before bound, and the process that serves it. */
static enum err inherit_slot(struct slot *slot, struct upgrade_list *l, struct sbuf *why)
{
    struct upgrade_row row;
    TRY(upgrade_take_socket(l, slot->path, &row, why));
    slot->listen_fd = row.fd;
    slot->child.pid = row.pid;
    slot->child.started_us = clock_mono_us();
    slot->recycle = true;
    return OK;
}

static enum err add_slot(struct supervisor *s, enum slot_kind kind, unsigned ordinal,
                         struct upgrade_list *l, struct sbuf *why)
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
    s->count++;
    if (s->inheriting) {
        return inherit_slot(slot, l, why);
    }
    slot->listen_fd = proc_listen_unix(slot->path, why);
    if (slot->listen_fd < 0 ||
        (s->start->settings->slots_shared && !is_shared(slot->path, 0660, why))) {
        return E_IO;
    }
    return OK;
}

static enum err add_slots(struct supervisor *s, struct upgrade_list *l, struct sbuf *why)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        int64_t n = slots_rows[kind].count(s->start->settings);
        for (int64_t i = 0; i < n; i++) {
            if (s->count == SLOTS_MAX) {
                sbuf_fmt(why, "more than %d slots in all", SLOTS_MAX);
                return E_CONFIG;
            }
            TRY(add_slot(s, (enum slot_kind)kind, (unsigned)i, l, why));
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

static void run_child(struct supervisor *s, struct slot *slot, pid_t parent)
{
    close(s->signal_fd);
    close(s->lock_fd);
    for (size_t i = 0; i < s->count; i++) {
        if (&s->slots[i] != slot && s->slots[i].listen_fd >= 0) {
            close(s->slots[i].listen_fd);
        }
    }
    slots_main(&slot->env, s->start->secrets, slot->listen_fd, score_of(s, slot), parent);
}

static void start_slot(struct supervisor *s, struct slot *slot)
{
    pid_t parent = getpid();
    memset(score_of(s, slot), 0, sizeof(s->scores[0]));
    slot->child.started_us = clock_mono_us();
    slot->recycle = false;
    slot->stopped_us = 0;
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
}

static void start_due(struct supervisor *s)
{
    int64_t now = clock_mono_us();
    for (size_t i = 0; i < s->count && s->stops == 0; i++) {
        struct slot *slot = &s->slots[i];
        if (proc_child_due(&slot->child, now)) {
            start_slot(s, slot);
        }
    }
}

/* The requests that a process of the slot held, one line each: the route is what an operator looks for first. */
static void log_jobs(const struct supervisor *s, const struct slot *slot, const struct score *score,
                     const char *event, pid_t who, const char *how)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)who);
    uint32_t n = score->count < SCORE_JOBS_MAX ? score->count : SCORE_JOBS_MAX;
    for (uint32_t i = 0; i < n; i++) {
        struct score_job j = score->jobs[i]; /* a copy: what a broken process left is not trusted */
        j.tenant[sizeof(j.tenant) - 1] = j.request_id[sizeof(j.request_id) - 1] = '\0';
        const struct route *r = j.route < s->start->routes->count
                                    ? s->start->routes->plans[j.route].row
                                    : NULL;
        log_event(LOG_LEVEL_ERROR, event, "slot", slot->env.name, "pid", pid, "how", how, "method",
                  r ? method_name(r->method) : "?", "route", r ? r->path : "?", "request_id",
                  j.request_id, "tenant", j.tenant, NULL);
    }
    if (n == 0) {
        log_event(LOG_LEVEL_ERROR, event, "slot", slot->env.name, "pid", pid, "how", how, "route",
                  "", NULL);
    }
}

/* expected: it was told to go. A process that then ends by itself, and well, is no accident. */
static void log_death(const struct supervisor *s, const struct slot *slot,
                      const struct score *score, pid_t pid, int status, bool expected)
{
    char how[64];
    if (WIFSIGNALED(status)) {
        snprintf(how, sizeof(how), "signal %d (%s)", WTERMSIG(status),
                 sigabbrev_np(WTERMSIG(status)));
    } else {
        snprintf(how, sizeof(how), "exit %d", WEXITSTATUS(status));
    }
    if (!expected || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        log_jobs(s, slot, score, "slot_died", pid, how);
    }
}

/* True when pid was a process of this slot that ended. */
static bool slot_reaped(struct supervisor *s, struct slot *slot, pid_t pid, int status)
{
    const struct score *other = &s->scores[2 * slot->env.index + !slot->turn];
    if (slot->child.pid == pid) {
        log_death(s, slot, score_of(s, slot), pid, status, s->stops > 0);
        proc_child_died(&slot->child, clock_mono_us());
    } else if (slot->old == pid) {
        log_death(s, slot, other, pid, status, s->stops > 0);
        slot->old = 0;
    } else if (slot->retired == pid) {
        log_death(s, slot, other, pid, status, true);
        slot->retired = 0;
        (void)upgrade_left(&s->upgrade, pid);
    } else {
        return false;
    }
    return true;
}

static void note_stop(struct supervisor *s, pid_t pid, bool stopped)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].child.pid == pid) {
            s->slots[i].stopped_us = stopped ? clock_mono_us() : 0;
        }
    }
}

static void on_end(struct supervisor *s, pid_t pid, int status)
{
    for (size_t i = 0; i < s->count; i++) {
        if (slot_reaped(s, &s->slots[i], pid, status)) {
            return;
        }
    }
    bool good;
    if (upgrade_checked(&s->upgrade, pid, status, &good)) {
        s->exec_due = good;
    } else {
        (void)upgrade_left(&s->upgrade, pid);
    }
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
        if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
            note_stop(s, pid, WIFSTOPPED(status));
        } else {
            on_end(s, pid, status);
        }
    }
}

static size_t living(const struct supervisor *s)
{
    size_t n = s->upgrade.leaving_count;
    for (size_t i = 0; i < s->count; i++) {
        n += (size_t)(s->slots[i].child.pid > 0) + (s->slots[i].old > 0);
    }
    return n;
}

static void signal_all(const struct supervisor *s, int signo)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].child.pid > 0) {
            kill(s->slots[i].child.pid, signo);
        }
        if (s->slots[i].old > 0) {
            kill(s->slots[i].old, signo);
        }
    }
    upgrade_signal(&s->upgrade, signo);
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

/* ---- replacing slots ---- */

static bool is_recycling(const struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].recycle || s->slots[i].old > 0) {
            return true;
        }
    }
    return false;
}

static bool is_settled(const struct supervisor *s, const struct slot *slot)
{
    return slot->child.pid > 0 && slot->old == 0 && score_of(s, slot)->ready;
}

static int64_t finish_by_us(const struct supervisor *s)
{
    return clock_mono_us() + s->start->settings->drain_timeout * 1000 + STOP_GRACE_US;
}

/* Those whose successor's loop runs may finish. */
static void retire_replaced(struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct slot *slot = &s->slots[i];
        if (slot->old > 0 && slot->child.pid > 0 && score_of(s, slot)->ready) {
            upgrade_leave(&s->upgrade, slot->old, SIGTERM, finish_by_us(s));
            slot->retired = slot->old;
            slot->old = 0;
        }
    }
}

/* Puts a new process beside the next slot of an old generation, once everybody is settled: one at a time, since each
 * has connections of its own. A slot that does not get ready holds up the others only so long. */
static void recycle_next(struct supervisor *s)
{
    struct slot *next = NULL;
    bool settled = s->upgrade.leaving_count == 0;
    for (size_t i = 0; i < s->count; i++) {
        struct slot *slot = &s->slots[i];
        settled = settled && is_settled(s, slot);
        if (!next && slot->recycle && is_settled(s, slot)) {
            next = slot;
        }
    }
    if (!next && settled) {
        upgrade_done(&s->upgrade);
    }
    if (!next || (!settled && clock_mono_us() < s->recycle_us)) {
        return;
    }
    s->recycle_us = finish_by_us(s) + RECYCLE_PATIENCE;
    next->recycle = false;
    next->old = next->child.pid;
    next->child = (struct proc_child){ 0 };
    next->turn = !next->turn;
}

/* ---- slots that make no progress ---- */

/* Why the slot is beyond help; NULL while it is fine. A slot that waits, for requests or for the database, says so
 * more often than this; one that was stopped says nothing. */
static const char *stuck(const struct supervisor *s, const struct slot *slot, int64_t now)
{
    const struct score *score = score_of(s, slot);
    if (slot->child.pid == 0) {
        return NULL;
    }
    if (slot->stopped_us && now - slot->stopped_us > STOPPED_PATIENCE) {
        return "stopped";
    }
    bool silent = score->ready && score->beat_us &&
                  now - score->beat_us > slots_silence_us(slot->env.kind, s->start->settings);
    return silent ? "no progress" : NULL;
}

static void kill_stuck(struct supervisor *s)
{
    int64_t now = clock_mono_us();
    bool away = now - s->looked_us >
                5 * LOOK_US; /* all of us were frozen: let them breathe first */
    s->looked_us = now;
    for (size_t i = 0; i < s->count && !away; i++) {
        struct slot *slot = &s->slots[i];
        const char *why = stuck(s, slot, now);
        if (why) {
            log_jobs(s, slot, score_of(s, slot), "slot_stuck", slot->child.pid, why);
            kill(slot->child.pid, SIGKILL);
            slot->stopped_us = 0;
            score_of(s, slot)->beat_us = 0;
        }
    }
}

/* ---- upgrade ---- */

/* What the next program gets. A child that is not ready has nothing to lose: the one it replaces is handed on. */
static struct upgrade_list *list_all(const struct supervisor *s)
{
    static struct upgrade_list l;
    l.count = 0;
    l.full = false;
    upgrade_put(&l, -1, 0, FRAMES_KEY, FRAME_MAGIC);
    upgrade_put(&l, s->lock_fd, 0, LOCK_KEY, s->start->settings->slots_dir);
    for (size_t i = 0; i < s->count; i++) {
        const struct slot *slot = &s->slots[i];
        upgrade_put(&l, slot->listen_fd, slot->old > 0 ? slot->old : slot->child.pid, "%s",
                    slot->path);
        if (slot->old > 0 && slot->child.pid > 0) {
            upgrade_put(&l, -1, slot->child.pid, "unready");
        }
    }
    upgrade_put_leaving(&s->upgrade, &l);
    return &l;
}

static enum err inherit(struct supervisor *s, struct upgrade_list *l, struct sbuf *why)
{
    struct upgrade_row row;
    char key[UPGRADE_KEY_MAX];
    snprintf(key, sizeof(key), FRAMES_KEY, FRAME_MAGIC);
    if (!upgrade_take(l, key, &row)) {
        sbuf_text(why, "this program speaks other frames than the one that runs: stop router and "
                       "worker, then start both");
        return E_CONFIG;
    }
    snprintf(key, sizeof(key), LOCK_KEY, s->start->settings->slots_dir);
    if (!upgrade_take(l, key, &row) || row.fd < 0) {
        sbuf_text(why, "slots_dir: this change needs a restart");
        return E_CONFIG;
    }
    s->lock_fd = row.fd;
    s->inheriting = s->upgrade.taking_over = true;
    TRY(add_slots(s, l, why));
    upgrade_take_leaving(&s->upgrade, l, "leaving", 0, finish_by_us(s));
    upgrade_take_leaving(&s->upgrade, l, "unready", SIGTERM, finish_by_us(s));
    return upgrade_all_taken(l, why);
}

enum err supervisor_check_upgrade(const struct supervisor_start *start, struct sbuf *why)
{
    static struct supervisor s;
    static struct upgrade_list l;
    s.start = start;
    TRY(upgrade_receive(&l, true, why));
    for (size_t i = 0; i < l.count; i++) {
        l.rows[i].pid = 0; /* the parent's children, not ours */
    }
    return inherit(&s, &l, why);
}

/* ---- loop ---- */

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
        case SIGUSR2:
            if (s->stops == 0) {
                upgrade_check(&s->upgrade, list_all(s));
            }
            break;
        default: /* SIGCHLD: reap looks at all of them */
            break;
        }
    }
    reap(s);
}

/* When the dead are due, the overdue are killed; INT64_MAX for never. */
static int64_t next_due(const struct supervisor *s)
{
    int64_t at = s->stops == 1 ? s->kill_at_us : INT64_MAX;
    for (size_t i = 0; i < s->count && s->stops == 0; i++) {
        const struct proc_child *c = &s->slots[i].child;
        if (c->pid == 0 && c->not_before_us < at) {
            at = c->not_before_us;
        }
    }
    return at;
}

/* Milliseconds until something is to be looked at. */
static int next_timeout(const struct supervisor *s)
{
    int64_t now = clock_mono_us(), at = next_due(s);
    bool watching = is_recycling(s) || s->upgrade.leaving_count > 0 || s->upgrade.checker > 0;
    int64_t look_at = now + (watching ? 50000 : LOOK_US); /* flags in shared memory do not signal */
    at = at < look_at ? at : look_at;
    return at <= now ? 0 : (int)((at - now) / 1000 + 1);
}

static void supervise(struct supervisor *s)
{
    start_due(s);
    kill_stuck(s);
    upgrade_tick(&s->upgrade, clock_mono_us());
    if (s->stops == 0) {
        retire_replaced(s);
        recycle_next(s);
    }
    if (s->exec_due && s->stops == 0) {
        upgrade_exec(list_all(s));
    }
    s->exec_due = false;
    if (s->stops == 1 && clock_mono_us() >= s->kill_at_us) {
        on_stop(s);
    }
}

static void loop(struct supervisor *s)
{
    while (s->stops == 0 || living(s) > 0) {
        struct pollfd p = { .fd = s->signal_fd, .events = POLLIN };
        if (poll(&p, 1, next_timeout(s)) > 0) {
            read_signals(s);
        }
        supervise(s);
    }
}

/* Sockets bound, or taken over with the slots behind them. */
static enum err get_slots(struct supervisor *s, struct sbuf *why)
{
    static struct upgrade_list l;
    TRY(upgrade_receive(&l, false, why));
    if (l.count > 0) {
        return inherit(s, &l, why);
    }
    TRY(take_lock(s, why));
    clear_sockets(s->start->settings->slots_dir);
    return add_slots(s, &l, why);
}

static enum err prepare(struct supervisor *s, struct sbuf *why)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGCHLD);
    TRY(get_slots(s, why));
    s->scores = score_map(2 * s->count);
    s->signal_fd = proc_signal_fd(&set);
    if (!s->scores || s->signal_fd < 0) {
        sbuf_fmt(why, "cannot start: %s", strerror(errno));
        return E_IO;
    }
    for (size_t i = 0; i < s->count; i++) {
        score_of(s, &s->slots[i])->ready = s->slots[i].child.pid > 0; /* it serves already */
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
