/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One loop over signals and respawns. The master keeps every listening socket open, so that a child's death loses no
 * connection that waits to be accepted; it closes them first when it stops. */
#include "router/master.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/proc.h"
#include "common/str.h"
#include "router/tls.h"

#define PROCESSES_MAX 64
#define KILL_AFTER_MS 5000 /* beyond drain_timeout a child is not asked any more */
#define RESPAWN_MS    50

struct child {
    struct proc_child proc;
    int listen_fd, metrics_fd;
    /* It was up before: what keeps a new one from starting now may pass (a renewal half written). */
    bool ran;
};

struct master {
    struct settings *settings;
    const struct conf_source *source;
    struct sbuf *why;
    size_t count;
    struct child children[PROCESSES_MAX];
    int signal_fd;
    unsigned stops; /* SIGTERM and SIGINT seen */
    int64_t kill_at_us;
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

/* HOST:PORT with the port raised by index. */
static enum err metrics_address(const char *address, size_t index, char out[CONF_TEXT_MAX],
                                struct sbuf *why)
{
    const char *colon = strrchr(address, ':');
    int64_t port;
    if (!colon || str_int(slice_of(colon + 1), 1, 65535 - (int64_t)index, &port) != OK) {
        sbuf_fmt(why, "metrics_listen: \"%s\" is not HOST:PORT", address);
        return E_CONFIG;
    }
    snprintf(out, CONF_TEXT_MAX, "%.*s:%u", (int)(colon - address), address,
             (unsigned)port + (unsigned)index);
    return OK;
}

static enum err open_child(const struct master *m, struct child *c, size_t index)
{
    char address[CONF_TEXT_MAX];
    c->listen_fd = proc_listen_tcp(m->settings->listen, true, m->why);
    if (c->listen_fd < 0) {
        return E_IO;
    }
    if (m->settings->metrics_listen[0] == '\0') {
        return OK;
    }
    TRY(metrics_address(m->settings->metrics_listen, index, address, m->why));
    c->metrics_fd = proc_listen_tcp(address, false, m->why);
    return c->metrics_fd < 0 ? E_IO : OK;
}

/* Another router could share the port without anybody noticing: the first bind is made alone. */
static enum err open_sockets(struct master *m)
{
    int alone = proc_listen_tcp(m->settings->listen, false, m->why);
    if (alone < 0) {
        return E_IO;
    }
    close(alone);
    for (size_t i = 0; i < m->count; i++) {
        TRY(open_child(m, &m->children[i], i));
    }
    return OK;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

static void close_sockets(struct master *m)
{
    for (size_t i = 0; i < m->count; i++) {
        close_fd(&m->children[i].listen_fd);
        close_fd(&m->children[i].metrics_fd);
    }
}

/* ---- children ---- */

/* In the child; never returns. */
static void become_process(struct master *m, size_t index, pid_t parent)
{
    struct child own = m->children[index];
    proc_child_enter(parent, SIGTERM);
    close_fd(&m->signal_fd);
    m->children[index].listen_fd = m->children[index].metrics_fd = -1;
    close_sockets(m);
    proc_title("gremio-router: process %zu", index);
    struct process_start start = {
        .index = (unsigned)index,
        .listen_fd = own.listen_fd,
        .metrics_fd = own.metrics_fd,
        .settings = m->settings,
        .source = m->source,
    };
    exit(process_run(&start));
}

static void spawn(struct master *m, size_t index)
{
    struct proc_child *c = &m->children[index].proc;
    pid_t parent = getpid();
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
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++) {
        n += m->children[i].proc.pid > 0;
    }
    return n;
}

static void tell_children(const struct master *m, int signo)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->children[i].proc.pid > 0) {
            kill(m->children[i].proc.pid, signo);
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

static void reap(struct master *m)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < m->count; i++) {
            if (m->children[i].proc.pid == pid) {
                child_ended(m, i, status);
                break;
            }
        }
    }
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
    sigaddset(&set, SIGCHLD);
    return proc_signal_fd(&set);
}

static void supervise(struct master *m)
{
    while (m->stops == 0 || running(m) > 0) {
        spawn_due(m);
        wait_signals(m);
        if (m->stops > 0 && clock_mono_us() > m->kill_at_us) {
            tell_children(m, SIGKILL);
        }
    }
}

int master_run(struct settings *settings, const struct conf_source *source, struct sbuf *why)
{
    struct master m = {
        .settings = settings, .source = source, .why = why, .count = (size_t)settings->processes
    };
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        m.children[i].listen_fd = m.children[i].metrics_fd = -1;
    }
    if (master_check(settings, why) != OK) {
        return PROCESS_CONFIG;
    }
    if (open_sockets(&m) != OK) {
        close_sockets(&m);
        return PROCESS_START;
    }
    m.signal_fd = open_signals();
    if (m.signal_fd < 0) {
        close_sockets(&m);
        sbuf_text(why, "signals cannot be set up");
        return PROCESS_START;
    }
    log_event(LOG_LEVEL_INFO, "listening", "address", settings->listen, "metrics",
              settings->metrics_listen, NULL);
    supervise(&m);
    log_event(LOG_LEVEL_INFO, "stopped", NULL);
    close_sockets(&m);
    close_fd(&m.signal_fd);
    return m.exit_code;
}
