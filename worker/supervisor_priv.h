/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the supervisor's own files share: its sockets (supervisor_sockets.c), its children from fork to death
 * (supervisor_slots.c), those that make no progress (supervisor_stuck.c), replacing them by newer ones and handing
 * everything to the next program (supervisor_replace.c), and signals and the loop (supervisor.c). Nobody else includes this. */
#ifndef GREMIO_SUPERVISOR_PRIV_H
#define GREMIO_SUPERVISOR_PRIV_H

#include "common/proc.h"
#include "common/upgrade.h"
#include "worker/slots.h"
#include "worker/supervisor.h"

#define SUPERVISOR_SLOTS_MAX 256
#define SUPERVISOR_LOOK_US   INT64_C(1000000) /* how often progress is looked at */
#define SUPERVISOR_GRACE_US  INT64_C(5000000) /* beyond drain_timeout before a slot is killed */

struct slot {
    struct slot_env env;
    struct proc_child child;
    pid_t old;     /* serves until child does; 0 for none */
    pid_t retired; /* the latest that was told to finish */
    unsigned
        turn; /* which of the slot's two scores is the child's; the other is old's or retired's */
    uint32_t awaited;   /* routers that the one before served: the child is to meet as many */
    int64_t met_by_us;  /* they have until then */
    int64_t stopped_us; /* since then the child is stopped (SIGSTOP); 0: it runs */
    int64_t aborted_us; /* told to crash, for it makes no progress; 0: it was not */
    int listen_fd;
    char path[108];
    bool recycle; /* runs with settings or a program of yesterday */
};

struct supervisor {
    const struct supervisor_start *start;
    struct slot slots[SUPERVISOR_SLOTS_MAX];
    size_t count;
    struct score *scores; /* two for each slot */
    struct upgrade upgrade;
    int lock_fd, signal_fd, score_fd;
    unsigned stops;     /* SIGTERM or SIGINT seen */
    int64_t kill_at_us; /* draining: those still there are killed then */
    int64_t recycle_us; /* the latest recycled slot has until then to be settled */
    bool exec_due;      /* the program on disk said that it may take over */
    int64_t looked_us;  /* when progress was looked at last */
};

/* ---- supervisor_sockets.c ---- */

/* The folder, and the lock of the only supervisor that may serve it. */
MUST_USE enum err supervisor_sockets_lock(struct supervisor *s, struct sbuf *why);
/* One place for every slot that the settings ask for: its socket bound, or taken from l (NULL: there is no program before). */
MUST_USE enum err supervisor_sockets_open(struct supervisor *s, struct upgrade_list *l,
                                          struct sbuf *why);
/* Nobody may queue up in front of slots that will not come back. */
void supervisor_sockets_close(struct supervisor *s);

/* ---- supervisor_slots.c ---- */

/* Memory for the scores, or that of the program before (fd; -1: none, or it had another layout). */
MUST_USE enum err supervisor_slots_scores(struct supervisor *s, int fd);
struct score *supervisor_slots_score(const struct supervisor *s, const struct slot *slot);
/* Does the child serve, with a database that it has reached? */
bool supervisor_slots_ready(const struct supervisor *s, const struct slot *slot);
/* Starts those that are missing and have waited out their back-off. */
void supervisor_slots_start(struct supervisor *s);
/* Takes note of every child that ended or was stopped. */
void supervisor_slots_reap(struct supervisor *s);
/* Processes that have not ended. */
size_t supervisor_slots_living(const struct supervisor *s);
void supervisor_slots_signal(const struct supervisor *s, int signo);
/* One log line for each request that a process of the slot holds: the route is what an operator looks for first. */
void supervisor_slots_log(const struct supervisor *s, const struct slot *slot,
                          const struct score *score, const char *event, const char *how);

/* ---- supervisor_stuck.c ---- */

void supervisor_stuck_kill(struct supervisor *s);

/* ---- supervisor_replace.c ---- */

/* Every slot is to be replaced. */
void supervisor_replace_all(struct supervisor *s);
/* The next step of that, if it is time. */
void supervisor_replace_step(struct supervisor *s);
/* Is there anything to wait for that no signal tells? */
bool supervisor_replace_busy(const struct supervisor *s);
/* What the next program gets. */
const struct upgrade_list *supervisor_replace_list(const struct supervisor *s);
/* Takes everything over from the program before. */
MUST_USE enum err supervisor_replace_inherit(struct supervisor *s, struct upgrade_list *l,
                                             struct sbuf *why);

#endif
