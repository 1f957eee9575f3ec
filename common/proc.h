/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What both supervisors (router master, worker supervisor) need of processes: children with back-off,
 * signals that cannot be lost, hardening, sockets with the right flags. */
#ifndef GREMIO_PROC_H
#define GREMIO_PROC_H

#include <signal.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/sbuf.h"

/* One supervised child. All fields belong to the supervisor that embeds it. */
struct proc_child {
    pid_t pid; /* 0: not running */
    int64_t started_us;
    unsigned deaths;       /* in a row, each sooner than 10 s after its start */
    int64_t not_before_us; /* back-off: no respawn before */
};

/* Back-off after a death: 0 for the first after 10 s of life, then 100 ms * 2^n up to 10 s. */
void proc_child_died(struct proc_child *c, int64_t now_us);
bool proc_child_due(const struct proc_child *c, int64_t now_us);

/* Blocks the signals of set and returns a signalfd (CLOEXEC, non-blocking) for them, or -1. */
int proc_signal_fd(const sigset_t *set);
/* After fork: default dispositions, empty mask, dies with its parent (PR_SET_PDEATHSIG signo), checks that the parent
 * still lives (exits otherwise). */
void proc_child_enter(pid_t parent, int signo);
/* Takes what others leave of the processors: nice 19. Where the kernel shares them out by session (sched(7), autogroup; there
 * a nice value counts only within one) the process gets a session of its own that is as nice, if it may open
 * /proc/self/autogroup: a hardened process may not unless it is root's. */
void proc_give_way(void);
/* No core dumps, no new privileges, RLIMIT_NOFILE raised to its hard limit. */
void proc_harden(void);

/* Keeps what lies there, and what shares its pages, out of every core dump: for secrets that live long. */
void proc_no_dump(const void *p, size_t n);

/* Listening sockets are CLOEXEC and non-blocking. A Unix stream socket at path (mode 0600), replacing a stale one but
 * never one that a running program listens on; -1 with why. */
int proc_listen_unix(const char *path, struct sbuf *why);
/* Listening TCP socket on "HOST:PORT" ("127.0.0.1:8000", "[::1]:8000") with SO_REUSEPORT when share; why says "port
 * 8000 on 127.0.0.1 is taken by another program" and the like; -1 then. */
int proc_listen_tcp(const char *address, bool share, struct sbuf *why);

/* Sets the process title shown by ps ("gremio-worker: api 1"), over the memory the arguments came in. Call
 * proc_title_init first thing in main: it points argv at copies that last, but not what was taken from it before. */
void proc_title_init(int argc, char **argv);
void proc_title(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
