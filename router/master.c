/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One loop over signals and respawns. The master keeps every listening socket open, so that a child's death loses no
 * connection that waits to be accepted; it closes them first when it stops. SIGUSR2 replaces the program (common/upgrade.h):
 * a new child accepts beside the old one, which retires as soon as the new one is ready and not before. */
#include "router/master.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/proc.h"
#include "router/listen.h"
#include "router/tls.h"

#define PROCESSES_MAX 64
#define KILL_AFTER_MS 5000 /* beyond drain_timeout a child is not asked any more */
#define RESPAWN_MS    50

struct child {
    struct proc_child proc;
    pid_t old; /* of the program before: serves until proc does; 0 for none */
    struct listen_pair sockets;
    /* It was up before: what keeps a new one from starting now may pass (a renewal half written). */
    bool ran;
};

struct master {
    struct settings *settings;
    const struct conf_source *source;
    struct sbuf *why;
    size_t count;
    struct child children[PROCESSES_MAX];
    struct process_share *shares; /* one for each child */
    struct upgrade upgrade;
    int signal_fd;
    unsigned stops; /* SIGTERM and SIGINT seen */
    int64_t kill_at_us;
    bool exec_due; /* the program on disk said that it may take over */
    int exit_code;
};

/* ---- checks ---- */

enum err master_check(const struct settings *s, struct sbuf *why)
{
    struct stat st;
    SSL_CTX *tls = NULL;
    if (s->static_dir[0] != '\0' && (stat(s->static_dir, &st) < 0 || !S_ISDIR(st.st_mode))) {
        sbuf_fmt(why, "static_dir: %s is not a folder", s->static_dir);
        return E_CONFIG;
    }
    if (s->tls_certificate[0] == '\0') {
        return OK;
    }
    TRY(tls_new(s->tls_certificate, s->tls_key, &tls, why));
    tls_free(tls);
    return OK;
}

/* ---- sockets ---- */

static enum err open_sockets(struct master *m)
{
    TRY(listen_alone(m->settings, m->why));
    for (size_t i = 0; i < m->count; i++) {
        TRY(listen_open(m->settings, i, &m->children[i].sockets, m->why));
    }
    return OK;
}

static void close_sockets(struct master *m)
{
    for (size_t i = 0; i < m->count; i++) {
        listen_close(&m->children[i].sockets);
    }
}

/* ---- children ---- */

/* In the child; never returns. */
static void become_process(struct master *m, size_t index, pid_t parent)
{
    struct listen_pair own = m->children[index].sockets;
    proc_child_enter(parent, SIGTERM);
    close(m->signal_fd);
    m->children[index].sockets = LISTEN_NONE;
    close_sockets(m);
    proc_title("gremio-router: process %zu", index);
    struct process_start start = {
        .index = (unsigned)index,
        .listen_fd = own.http,
        .metrics_fd = own.metrics,
        .share = &m->shares[index],
        .settings = m->settings,
        .source = m->source,
    };
    exit(process_run(&start));
}

static void spawn(struct master *m, size_t index)
{
    struct proc_child *c = &m->children[index].proc;
    pid_t parent = getpid();
    m->shares[index].open = false;
    m->shares[index].alone = m->children[index].old == 0;
    pid_t pid = fork();
    if (pid == 0) {
        become_process(m, index, parent);
    }
    c->started_us = clock_mono_us();
    if (pid < 0) {
        log_seldom(LOG_LEVEL_ERROR, "fork_failed", strerror(errno));
        proc_child_died(c, c->started_us);
        return;
    }
    c->pid = pid;
}

static void spawn_due(struct master *m)
{
    int64_t now = clock_mono_us();
    for (size_t i = 0; m->stops == 0 && i < m->count; i++) {
        if (proc_child_due(&m->children[i].proc, now)) {
            spawn(m, i);
        }
    }
}

static size_t running(const struct master *m)
{
    size_t n = m->upgrade.leaving_count;
    for (size_t i = 0; i < m->count; i++) {
        n += (size_t)(m->children[i].proc.pid > 0) + (m->children[i].old > 0);
    }
    return n;
}

static void tell_children(const struct master *m, int signo)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct child *c = &m->children[i];
        if (c->proc.pid > 0) {
            kill(c->proc.pid, signo);
        }
        if (c->old > 0) {
            kill(c->old, signo);
        }
    }
}

static void begin_stop(struct master *m)
{
    m->stops++;
    if (m->stops == 1) {
        int64_t ms = m->settings->drain_timeout + KILL_AFTER_MS;
        m->kill_at_us = clock_mono_us() + ms * 1000;
        close_sockets(m);
    }
    tell_children(m, SIGTERM);
    upgrade_signal(&m->upgrade, SIGTERM);
}

/* What a child's end means: asked for, an accident, or that none will ever start. */
static void child_ended(struct master *m, size_t index, int status)
{
    char text[64];
    struct proc_child *c = &m->children[index].proc;
    c->pid = 0;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (m->stops > 0) {
        m->exit_code = code == PROCESS_OK ? m->exit_code : PROCESS_CUT_OFF;
        return;
    }
    if (code == PROCESS_START && !m->children[index].ran) {
        sbuf_text(m->why, "a router process could not start; its reason is in the log");
        m->exit_code = PROCESS_START;
        begin_stop(m);
        return;
    }
    snprintf(text, sizeof(text), WIFSIGNALED(status) ? "signal %d" : "exit code %d",
             WIFSIGNALED(status) ? WTERMSIG(status) : code);
    log_event(LOG_LEVEL_ERROR, "process_died", "how", text, NULL);
    m->children[index].ran = true;
    proc_child_died(c, clock_mono_us());
}

/* The child it was, if it was one: nothing else of ours has to be looked at then. */
static bool child_reaped(struct master *m, pid_t pid, int status)
{
    for (size_t i = 0; i < m->count; i++) {
        struct child *c = &m->children[i];
        if (c->proc.pid == pid) {
            child_ended(m, i, status);
            return true;
        }
        if (c->old == pid) {
            c->old = 0;
            m->shares[i].alone = true;
            return true;
        }
    }
    return false;
}

static void reap(struct master *m)
{
    int status;
    pid_t pid;
    bool good;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (child_reaped(m, pid, status)) {
            continue;
        }
        if (upgrade_checked(&m->upgrade, pid, status, &good)) {
            m->exec_due = good;
        } else if (upgrade_left(&m->upgrade, pid) && (!WIFEXITED(status) || WEXITSTATUS(status))) {
            log_event(LOG_LEVEL_WARN, "retired_cut_off", NULL);
        }
    }
}

/* ---- upgrade ---- */

/* What the next program gets. A child that is not open yet has nothing to lose: the one it replaces is handed on. */
static struct upgrade_list *list_all(const struct master *m)
{
    static struct upgrade_list l;
    l.count = 0;
    l.full = false;
    for (size_t i = 0; i < m->count; i++) {
        const struct child *c = &m->children[i];
        listen_put(m->settings, i, &c->sockets, c->old > 0 ? c->old : c->proc.pid, &l);
        if (c->old > 0 && c->proc.pid > 0) {
            upgrade_put(&l, -1, c->proc.pid, "unready");
        }
    }
    upgrade_put_leaving(&m->upgrade, &l);
    return &l;
}

/* Retired, a child keeps its clients for as long as they may be silent. */
static int64_t retire_by_us(const struct master *m)
{
    const struct settings *s = m->settings;
    int64_t ms = s->drain_timeout + s->limits.idle_timeout + KILL_AFTER_MS;
    return clock_mono_us() + ms * 1000;
}

static enum err inherit(struct master *m, struct upgrade_list *l)
{
    m->upgrade.taking_over = true;
    for (size_t i = 0; i < m->count; i++) {
        struct child *c = &m->children[i];
        TRY(listen_take(m->settings, i, l, &c->sockets, &c->old, m->why));
        c->ran = true;
    }
    upgrade_take_leaving(&m->upgrade, l, "leaving", 0, retire_by_us(m));
    upgrade_take_leaving(&m->upgrade, l, "unready", SIGTERM, retire_by_us(m));
    return upgrade_all_taken(l, m->why);
}

static void retire_replaced(struct master *m)
{
    bool all = true;
    for (size_t i = 0; i < m->count; i++) {
        struct child *c = &m->children[i];
        if (c->old > 0 && c->proc.pid > 0 && m->shares[i].open) {
            upgrade_leave(&m->upgrade, c->old, SIGUSR2, retire_by_us(m));
            c->old = 0;
        }
        all = all && c->old == 0 && m->shares[i].open;
    }
    if (all) {
        upgrade_done(&m->upgrade);
    }
}

/* Sockets bound, or taken over from the program that ran as this process before. */
static enum err get_sockets(struct master *m)
{
    static struct upgrade_list l;
    TRY(upgrade_receive(&l, false, m->why));
    return l.count > 0 ? inherit(m, &l) : open_sockets(m);
}

/* ---- signals ---- */

/* The children are told only when the new settings are good; each then reads them itself. */
static void reload(struct master *m)
{
    struct settings next = *m->settings;
    struct sbuf why;
    sbuf_init(&why);
    enum err e = settings_reload(m->source, &next, &why);
    if (e == OK) {
        e = master_check(&next, &why);
    }
    sbuf_char(&why, '\0');
    if (e == OK) {
        *m->settings = next;
        log_init("router", settings_log_level(&next), STDERR_FILENO);
        tell_children(m, SIGHUP);
    } else {
        log_event(LOG_LEVEL_ERROR, "reload_refused", "reason", why.data ? why.data : "", NULL);
    }
    sbuf_fini(&why);
}

static void on_signal(struct master *m, unsigned signo)
{
    switch (signo) {
    case SIGCHLD:
        reap(m);
        break;
    case SIGHUP:
        reload(m);
        break;
    case SIGUSR2:
        if (m->stops == 0) {
            upgrade_check(&m->upgrade, list_all(m));
        }
        break;
    default:
        log_event(LOG_LEVEL_INFO, "stopping", NULL);
        begin_stop(m);
    }
}

static void wait_signals(struct master *m)
{
    struct pollfd p = { .fd = m->signal_fd, .events = POLLIN };
    struct signalfd_siginfo info;
    if (poll(&p, 1, RESPAWN_MS) <= 0) {
        return;
    }
    while (read(m->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        on_signal(m, info.ssi_signo);
    }
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGCHLD);
    return proc_signal_fd(&set);
}

static void supervise(struct master *m)
{
    while (m->stops == 0 || running(m) > 0) {
        spawn_due(m);
        wait_signals(m);
        retire_replaced(m);
        upgrade_tick(&m->upgrade, clock_mono_us());
        if (m->exec_due && m->stops == 0) {
            upgrade_exec(list_all(m));
        }
        m->exec_due = false;
        if (m->stops > 0 && clock_mono_us() > m->kill_at_us) {
            tell_children(m, SIGKILL);
            upgrade_signal(&m->upgrade, SIGKILL);
        }
    }
}

static void init(struct master *m)
{
    m->count = (size_t)m->settings->processes;
    m->signal_fd = -1;
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        m->children[i].sockets = LISTEN_NONE;
    }
}

/* Everything the loop needs. On failure, one sentence in why. */
static enum err prepare(struct master *m)
{
    TRY(get_sockets(m));
    m->shares = mmap(NULL, m->count * sizeof(*m->shares), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    m->signal_fd = open_signals();
    if (m->signal_fd < 0 || m->shares == MAP_FAILED) {
        sbuf_text(m->why, "signals or shared memory cannot be set up");
        return E_IO;
    }
    return OK;
}

enum err master_check_upgrade(struct settings *settings, struct sbuf *why)
{
    static struct master m;
    static struct upgrade_list l;
    m.settings = settings;
    m.why = why;
    init(&m);
    TRY(master_check(settings, why));
    TRY(upgrade_receive(&l, true, why));
    for (size_t i = 0; i < l.count; i++) {
        l.rows[i].pid = 0; /* the parent's children, not ours */
    }
    return inherit(&m, &l);
}

int master_run(struct settings *settings, const struct conf_source *source, struct sbuf *why)
{
    static struct master m;
    m.settings = settings;
    m.source = source;
    m.why = why;
    init(&m);
    if (master_check(settings, why) != OK) {
        return PROCESS_CONFIG;
    }
    if (prepare(&m) != OK) {
        close_sockets(&m);
        return PROCESS_START;
    }
    log_event(LOG_LEVEL_INFO, "listening", "address", settings->listen, "metrics",
              settings->metrics_listen, "version", GREMIO_VERSION, NULL);
    supervise(&m);
    log_event(LOG_LEVEL_INFO, "stopped", NULL);
    close_sockets(&m);
    close(m.signal_fd);
    return m.exit_code;
}
