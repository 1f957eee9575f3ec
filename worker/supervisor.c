/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Signals come through a descriptor, so none is lost and nothing happens between two lines; every turn of the loop looks at
 * what is due. */
#include "worker/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "worker/supervisor_priv.h"

/* ---- signals ---- */

static void on_stop(struct supervisor *s)
{
    s->stops++;
    if (s->stops > 1) {
        log_event(LOG_LEVEL_WARN, "stopping_now", NULL);
        supervisor_slots_signal(s, SIGKILL);
        return;
    }
    log_event(LOG_LEVEL_INFO, "draining", NULL);
    supervisor_sockets_close(s);
    supervisor_slots_signal(s, SIGTERM);
    s->kill_at_us = clock_mono_us() + s->start->settings->drain_timeout * 1000 +
                    SUPERVISOR_GRACE_US;
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
        supervisor_replace_all(s);
        log_event(LOG_LEVEL_INFO, "reloaded", NULL);
    }
    sbuf_fini(&why);
}

/* ---- start ---- */

enum err supervisor_check_upgrade(const struct supervisor_start *start, struct sbuf *why)
{
    static struct supervisor s;
    static struct upgrade_list l;
    s.start = start;
    TRY(upgrade_receive(&l, true, why));
    for (size_t i = 0; i < l.count; i++) {
        l.rows[i].pid = 0; /* the parent's children, not ours */
    }
    s.score_fd = -1;
    return supervisor_replace_inherit(&s, &l, why);
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
                upgrade_check(&s->upgrade, supervisor_replace_list(s));
            }
            break;
        default: /* SIGCHLD: all of them are looked at below */
            break;
        }
    }
    supervisor_slots_reap(s);
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

/* Milliseconds until something is to be looked at; what changes in shared memory does not signal. */
static int next_timeout(const struct supervisor *s)
{
    int64_t now = clock_mono_us(), at = next_due(s);
    int64_t look_at = now + (supervisor_replace_busy(s) ? 50000 : SUPERVISOR_LOOK_US);
    at = at < look_at ? at : look_at;
    return at <= now ? 0 : (int)((at - now) / 1000 + 1);
}

static void supervise(struct supervisor *s)
{
    supervisor_slots_start(s);
    supervisor_stuck_kill(s);
    upgrade_tick(&s->upgrade, clock_mono_us());
    if (s->stops == 0) {
        supervisor_replace_step(s);
    }
    if (s->exec_due && s->stops == 0) {
        upgrade_exec(supervisor_replace_list(s));
    }
    s->exec_due = false;
    if (s->stops == 1 && clock_mono_us() >= s->kill_at_us) {
        on_stop(s);
    }
}

static void loop(struct supervisor *s)
{
    while (s->stops == 0 || supervisor_slots_living(s) > 0) {
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
        return supervisor_replace_inherit(s, &l, why);
    }
    TRY(supervisor_sockets_lock(s, why));
    TRY(supervisor_sockets_open(s, NULL, why));
    return supervisor_slots_scores(s, -1);
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
    enum err e = get_slots(s, why);
    s->signal_fd = e == OK ? proc_signal_fd(&set) : -1;
    if (why->len == 0 && s->signal_fd < 0) {
        sbuf_fmt(why, "cannot start: %s", strerror(errno));
    }
    return e == OK && s->signal_fd < 0 ? E_IO : e;
}

int supervisor_run(const struct supervisor_start *start)
{
    static struct supervisor s;
    struct sbuf why;
    sbuf_init(&why);
    s.start = start;
    s.lock_fd = s.signal_fd = s.score_fd = -1;
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
    supervisor_sockets_close(&s);
    sbuf_fini(&why);
    return e == OK ? 0 : 1;
}
