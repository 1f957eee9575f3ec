/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Children from fork to death. Those that died wait out their back-off in the poll's timeout, nobody sleeps. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "worker/supervisor_priv.h"

/* ---- scores ---- */

struct score *supervisor_slots_score(const struct supervisor *s, const struct slot *slot)
{
    return &s->scores[2 * slot->env.index + slot->turn];
}

bool supervisor_slots_ready(const struct supervisor *s, const struct slot *slot)
{
    return slot->child.pid > 0 && supervisor_slots_score(s, slot)->ready == slot->child.pid;
}

/* Which of the two is that of the process taken over; without one of its own it counts as ready: it serves already. */
static void find_turn(struct supervisor *s, struct slot *slot)
{
    const pid_t pid = slot->child.pid;
    slot->turn = s->scores[2 * slot->env.index + 1].pid == pid;
    struct score *score = supervisor_slots_score(s, slot);
    if (pid > 0 && score->pid != pid) {
        *score = (struct score){ .pid = pid, .ready = pid };
    }
}

enum err supervisor_slots_scores(struct supervisor *s, int fd)
{
    s->score_fd = fd;
    s->scores = score_map(2 * s->count, &s->score_fd);
    for (size_t i = 0; s->scores && i < s->count; i++) {
        find_turn(s, &s->slots[i]);
    }
    return s->scores ? OK : E_IO;
}

/* ---- starting ---- */

static void run_child(struct supervisor *s, struct slot *slot, pid_t parent)
{
    close(s->signal_fd);
    close(s->lock_fd);
    close(s->score_fd);
    for (size_t i = 0; i < s->count; i++) {
        if (&s->slots[i] != slot && s->slots[i].listen_fd >= 0) {
            close(s->slots[i].listen_fd);
        }
    }
    slot->env.beside = slot->old > 0;
    slots_main(&slot->env, s->start->secrets, slot->listen_fd, supervisor_slots_score(s, slot),
               parent);
}

static void start_slot(struct supervisor *s, struct slot *slot)
{
    pid_t parent = getpid();
    *supervisor_slots_score(s, slot) = (struct score){ 0 };
    slot->child.started_us = clock_mono_us();
    slot->recycle = false;
    slot->stopped_us = slot->aborted_us = 0;
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
    supervisor_slots_score(s, slot)->pid = pid;
}

void supervisor_slots_start(struct supervisor *s)
{
    int64_t now = clock_mono_us();
    for (size_t i = 0; i < s->count && s->stops == 0; i++) {
        struct slot *slot = &s->slots[i];
        if (proc_child_due(&slot->child, now)) {
            start_slot(s, slot);
        }
    }
}

/* ---- ends ---- */

void supervisor_slots_log(const struct supervisor *s, const struct slot *slot,
                          const struct score *score, const char *event, const char *how)
{
    char child[16];
    snprintf(child, sizeof(child), "%d", (int)score->pid);
    uint32_t n = score->count < SCORE_JOBS_MAX ? score->count : SCORE_JOBS_MAX;
    for (uint32_t i = 0; i < n; i++) {
        struct score_job j = score->jobs[i]; /* a copy: what a broken process left is not trusted */
        j.tenant[sizeof(j.tenant) - 1] = j.request_id[sizeof(j.request_id) - 1] = '\0';
        const struct route *r = j.route < s->start->routes->count
                                    ? s->start->routes->plans[j.route].row
                                    : NULL;
        log_event(LOG_LEVEL_ERROR, event, "slot", slot->env.name, "child", child, "how", how,
                  "method", r ? method_name(r->method) : "?", "route", r ? r->path : "?",
                  "request_id", j.request_id, "tenant", j.tenant, NULL);
    }
    if (n == 0) {
        log_event(LOG_LEVEL_ERROR, event, "slot", slot->env.name, "child", child, "how", how,
                  "route", "", NULL);
    }
}

/* expected: it was told to go. A process that then ends by itself, and well, is no accident. */
static void log_death(const struct supervisor *s, const struct slot *slot,
                      const struct score *score, int status, bool expected)
{
    char how[64];
    if (WIFSIGNALED(status)) {
        snprintf(how, sizeof(how), "signal %d (%s)", WTERMSIG(status),
                 sigabbrev_np(WTERMSIG(status)));
    } else {
        snprintf(how, sizeof(how), "exit %d", WEXITSTATUS(status));
    }
    if (!expected || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        supervisor_slots_log(s, slot, score, "slot_died", how);
    }
}

/* True when pid was a process of this slot that ended. */
static bool slot_reaped(struct supervisor *s, struct slot *slot, pid_t pid, int status)
{
    const struct score *other = &s->scores[2 * slot->env.index + !slot->turn];
    if (slot->child.pid == pid) {
        log_death(s, slot, supervisor_slots_score(s, slot), status, s->stops > 0);
        proc_child_died(&slot->child, clock_mono_us());
    } else if (slot->old == pid) {
        log_death(s, slot, other, status, s->stops > 0);
        slot->old = 0;
    } else if (slot->retired == pid) {
        log_death(s, slot, other, status, true);
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

void supervisor_slots_reap(struct supervisor *s)
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

/* ---- all of them ---- */

size_t supervisor_slots_living(const struct supervisor *s)
{
    size_t n = s->upgrade.leaving_count;
    for (size_t i = 0; i < s->count; i++) {
        n += (size_t)(s->slots[i].child.pid > 0) + (s->slots[i].old > 0);
    }
    return n;
}

void supervisor_slots_signal(const struct supervisor *s, int signo)
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
