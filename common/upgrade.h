/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A running program replaced by the one that lies on disk now, without a gap: the old image lets the new one check itself
 * (--check-upgrade), then execs it in place. Pid, listening sockets and children stay; one environment variable says which is
 * which. The new image starts children beside the old ones and retires those only when it need not fear for the service.
 * Both supervisors (router master, worker supervisor) use it; it knows neither. */
#ifndef GREMIO_UPGRADE_H
#define GREMIO_UPGRADE_H

#include <sys/types.h>

#include "common/conf.h"

#define UPGRADE_ROWS_MAX    1024
#define UPGRADE_LEAVING_MAX 512
#define UPGRADE_KEY_MAX     (CONF_TEXT_MAX + 32)

/* One thing handed over. Keys say what it is in full ("listen 0 127.0.0.1:8000"), so that a successor with other settings
 * sees that they do not fit. */
struct upgrade_row {
    char key[UPGRADE_KEY_MAX];
    int fd;    /* -1: none */
    pid_t pid; /* the child that uses it; 0: none */
};

struct upgrade_list {
    size_t count;
    bool full; /* something did not fit: nothing may be handed over */
    struct upgrade_row rows[UPGRADE_ROWS_MAX];
};

/* The upgrade under way, and children that were told to go and belong to no place any more. Zeroed is fine. */
struct upgrade {
    pid_t checker; /* 0: no check is running */
    int said;      /* what the checker wrote */
    int64_t until_us;
    bool taking_over; /* this program came by exec and has not replaced everything yet */
    size_t leaving_count;
    struct {
        pid_t pid;
        int64_t kill_at_us;
    } leaving[UPGRADE_LEAVING_MAX];
};

/* Remembers the command line; call once in main, behind proc_title_init. argv is borrowed. */
void upgrade_init(char **argv);

/* ---- handing over ---- */

/* fmt makes the key. */
void upgrade_put(struct upgrade_list *l, int fd, pid_t pid, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Adds the row of every child that is leaving ("leaving"). */
void upgrade_put_leaving(const struct upgrade *u, struct upgrade_list *l);
/* Starts the program on disk with --check-upgrade and the list; its end comes as SIGCHLD. Logs what is wrong. */
void upgrade_check(struct upgrade *u, const struct upgrade_list *l);
/* Was pid the checker? Then *good says whether the new program may take over; a refusal is logged here. */
bool upgrade_checked(struct upgrade *u, pid_t pid, int status, bool *good);
/* Becomes the program on disk. Returns only when that failed: logged, and everything is as before. */
void upgrade_exec(const struct upgrade_list *l);

/* ---- taking over ---- */

/* What a predecessor left, its descriptors CLOEXEC again; an empty list after an ordinary start. check: for --check-upgrade,
 * where the parent asks and nothing is taken yet. E_CONFIG with one sentence when the list makes no sense. */
MUST_USE enum err upgrade_receive(struct upgrade_list *l, bool check, struct sbuf *why);
/* Takes the row of that key out of the list. False: there is none. */
bool upgrade_take(struct upgrade_list *l, const char *key, struct upgrade_row *out);
/* As upgrade_take for a listening socket, which must be there: E_CONFIG with one sentence in why. */
MUST_USE enum err upgrade_take_socket(struct upgrade_list *l, const char *key,
                                      struct upgrade_row *out, struct sbuf *why);
/* Takes every row of that key: its process goes among the leaving and, unless signo is 0, is told to go. */
void upgrade_take_leaving(struct upgrade *u, struct upgrade_list *l, const char *key, int signo,
                          int64_t kill_at_us);
/* E_CONFIG with one sentence when something of the list was not taken: the settings do not fit what is running. */
MUST_USE enum err upgrade_all_taken(const struct upgrade_list *l, struct sbuf *why);

/* Everything of the program before is replaced: says so in the log, once. */
void upgrade_done(struct upgrade *u);

/* ---- children on their way out ---- */

/* Sends signo and remembers pid until it ended. When none can be remembered it is killed. */
void upgrade_leave(struct upgrade *u, pid_t pid, int signo, int64_t kill_at_us);
/* A child ended: true when it was one of the leaving, which is forgotten. */
bool upgrade_left(struct upgrade *u, pid_t pid);
/* To all of the leaving. */
void upgrade_signal(const struct upgrade *u, int signo);
/* Kills what is overdue: a checker, one of the leaving. */
void upgrade_tick(struct upgrade *u, int64_t now_us);

#endif
