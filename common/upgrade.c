/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The list crosses exec as text in GREMIO_UPGRADE: a first line with the pid it is meant for, then a line of key, descriptor
 * and pid for each row. A program that does not know --check-upgrade refuses it, so an older one is never exec'ed. */
#include "common/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/proc.h"
#include "common/str.h"

#define VARIABLE "GREMIO_UPGRADE"
#define CHECK_US INT64_C(30000000) /* the new program's time to look at its settings */
#define ARGS_MAX 160
#define SAID_MAX 1024

static char **arguments;

void upgrade_init(char **argv)
{
    arguments = argv;
}

/* ---- handing over ---- */

void upgrade_put(struct upgrade_list *l, int fd, pid_t pid, const char *fmt, ...)
{
    struct upgrade_row *row = &l->rows[l->count];
    va_list args;
    if (l->count == UPGRADE_ROWS_MAX) {
        l->full = true;
        return;
    }
    va_start(args, fmt);
    int n = vsnprintf(row->key, sizeof(row->key), fmt, args);
    va_end(args);
    l->full = l->full || n < 0 || (size_t)n >= sizeof(row->key);
    row->fd = fd;
    row->pid = pid;
    l->count++;
}

void upgrade_put_leaving(const struct upgrade *u, struct upgrade_list *l)
{
    for (size_t i = 0; i < u->leaving_count; i++) {
        upgrade_put(l, -1, u->leaving[i].pid, "leaving");
    }
}

/* The list as the environment has it, for the image that will run as this process. */
static enum err publish(const struct upgrade_list *l, pid_t from)
{
    struct sbuf text;
    sbuf_init(&text);
    sbuf_fmt(&text, "%d\n", (int)from);
    for (size_t i = 0; i < l->count; i++) {
        const struct upgrade_row *row = &l->rows[i];
        sbuf_fmt(&text, "%s\t%d\t%d\n", row->key, row->fd, (int)row->pid);
    }
    sbuf_char(&text, '\0');
    bool bad = l->full || sbuf_failed(&text) || setenv(VARIABLE, text.data, 1) < 0;
    sbuf_fini(&text);
    return bad ? E_NOMEM : OK;
}

/* Whether the descriptors of the list survive exec. */
static void keep_open(const struct upgrade_list *l, bool keep)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->rows[i].fd >= 0) {
            fcntl(l->rows[i].fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
        }
    }
}

static void refused(const char *reason)
{
    log_event(LOG_LEVEL_ERROR, "upgrade_refused", "reason", reason, "running", GREMIO_VERSION,
              NULL);
}

/* In the child that asks: never returns. */
static void run_checker(const struct upgrade_list *l, int said, pid_t parent)
{
    char *argv[ARGS_MAX + 2];
    size_t n = 0;
    proc_child_enter(parent, SIGKILL);
    while (n < ARGS_MAX && arguments[n]) {
        argv[n] = arguments[n];
        n++;
    }
    argv[n++] = (char *)(uintptr_t) "--check-upgrade";
    argv[n] = NULL;
    dup2(said, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    if (publish(l, parent) == OK) {
        keep_open(l, true);
        execvp(argv[0], argv);
        fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    }
    _exit(127);
}

void upgrade_check(struct upgrade *u, const struct upgrade_list *l)
{
    pid_t parent = getpid();
    if (u->checker > 0) {
        return; /* asked twice: one answer is enough */
    }
    u->said = l->full || !arguments ? -1 : memfd_create("upgrade", MFD_CLOEXEC);
    pid_t pid = u->said < 0 ? -1 : fork();
    if (pid == 0) {
        run_checker(l, u->said, parent);
    }
    if (pid < 0) {
        refused(l->full ? "too much to hand over" : strerror(errno));
        if (u->said >= 0) {
            close(u->said);
        }
        return;
    }
    u->checker = pid;
    u->until_us = clock_mono_us() + CHECK_US;
}

/* The last line the checker wrote. */
static void last_words(int fd, char out[SAID_MAX])
{
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from = end > SAID_MAX - 1 ? end - (SAID_MAX - 1) : 0;
    ssize_t n = pread(fd, out, SAID_MAX - 1, from);
    n = n > 0 ? n : 0;
    while (n > 0 && out[n - 1] == '\n') {
        n--;
    }
    out[n] = '\0';
    char *line = strrchr(out, '\n');
    if (line) {
        memmove(out, line + 1, strlen(line));
    }
}

bool upgrade_checked(struct upgrade *u, pid_t pid, int status, bool *good)
{
    char said[SAID_MAX];
    if (u->checker == 0 || pid != u->checker) {
        return false;
    }
    last_words(u->said, said);
    close(u->said);
    u->checker = 0;
    *good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!*good) {
        refused(said[0]               ? said
                : WIFSIGNALED(status) ? "the new program was killed while it checked its settings"
                                      : "the new program does not start");
    }
    return true;
}

void upgrade_exec(const struct upgrade_list *l)
{
    enum err e = publish(l, getpid());
    if (e == OK) {
        log_event(LOG_LEVEL_INFO, "upgrading", "from", GREMIO_VERSION, NULL);
        keep_open(l, true);
        execvp(arguments[0], arguments);
    }
    refused(e == OK ? strerror(errno) : "too much to hand over");
    keep_open(l, false);
    unsetenv(VARIABLE);
}

/* ---- taking over ---- */

/* "KEY\tFD\tPID". */
static bool parse_row(struct slice line, struct upgrade_row *row)
{
    int64_t fd, pid;
    struct slice rest = line;
    struct slice key = str_cut(&rest, '\t');
    struct slice number = str_cut(&rest, '\t');
    if (str_copy(key, row->key, sizeof(row->key)) != OK ||
        str_int(number, -1, 1 << 20, &fd) != OK || str_int(rest, 0, 1 << 30, &pid) != OK) {
        return false;
    }
    row->fd = (int)fd;
    row->pid = (pid_t)pid;
    return fd < 0 || (fd > STDERR_FILENO && fcntl(row->fd, F_SETFD, FD_CLOEXEC) == 0);
}

static bool parse(struct slice text, pid_t from, struct upgrade_list *l)
{
    int64_t pid;
    struct slice first = str_cut(&text, '\n');
    if (str_int(first, 1, 1 << 30, &pid) != OK || pid != from) {
        return false;
    }
    while (text.n > 0) {
        if (l->count == UPGRADE_ROWS_MAX || !parse_row(str_cut(&text, '\n'), &l->rows[l->count])) {
            return false;
        }
        l->count++;
    }
    return true;
}

/* Children that ended while nobody looked. What is no child of ours is none of our business. */
static void forget_dead(struct upgrade_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        pid_t pid = l->rows[i].pid;
        if (pid > 0 && waitpid(pid, NULL, WNOHANG) != 0) {
            l->rows[i].pid = 0;
        }
    }
}

enum err upgrade_receive(struct upgrade_list *l, bool check, struct sbuf *why)
{
    const char *text = getenv(VARIABLE);
    l->count = 0;
    l->full = false;
    if (!text && !check) {
        return OK;
    }
    bool good = text && parse(slice_of(text), check ? getppid() : getpid(), l);
    unsetenv(VARIABLE);
    if (!good) {
        l->count = 0;
        sbuf_text(why, VARIABLE " does not say what to take over");
        return E_CONFIG;
    }
    if (!check) {
        forget_dead(l);
    }
    return OK;
}

bool upgrade_take(struct upgrade_list *l, const char *key, struct upgrade_row *out)
{
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->rows[i].key, key) == 0) {
            *out = l->rows[i];
            l->rows[i] = l->rows[--l->count];
            return true;
        }
    }
    return false;
}

enum err upgrade_take_socket(struct upgrade_list *l, const char *key, struct upgrade_row *out,
                             struct sbuf *why)
{
    int listens = 0;
    socklen_t len = sizeof(listens);
    if (upgrade_take(l, key, out) && out->fd >= 0 &&
        getsockopt(out->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens) {
        return OK;
    }
    sbuf_fmt(why,
             "the running program has no socket \"%s\": this change of settings needs a restart",
             key);
    return E_CONFIG;
}

void upgrade_take_leaving(struct upgrade *u, struct upgrade_list *l, const char *key, int signo,
                          int64_t kill_at_us)
{
    struct upgrade_row row;
    while (upgrade_take(l, key, &row)) {
        if (row.pid > 0) {
            upgrade_leave(u, row.pid, signo, kill_at_us);
        }
    }
}

enum err upgrade_all_taken(const struct upgrade_list *l, struct sbuf *why)
{
    if (l->count == 0) {
        return OK;
    }
    sbuf_fmt(why,
             "the running program has \"%s\", the settings do not: this change needs a restart",
             l->rows[0].key);
    return E_CONFIG;
}

void upgrade_done(struct upgrade *u)
{
    if (u->taking_over) {
        u->taking_over = false;
        log_event(LOG_LEVEL_INFO, "upgraded", "version", GREMIO_VERSION, NULL);
    }
}

/* ---- children on their way out ---- */

void upgrade_leave(struct upgrade *u, pid_t pid, int signo, int64_t kill_at_us)
{
    if (u->leaving_count == UPGRADE_LEAVING_MAX) {
        kill(pid, SIGKILL);
        return;
    }
    u->leaving[u->leaving_count].pid = pid;
    u->leaving[u->leaving_count++].kill_at_us = kill_at_us;
    if (signo) {
        kill(pid, signo);
    }
}

bool upgrade_left(struct upgrade *u, pid_t pid)
{
    for (size_t i = 0; i < u->leaving_count; i++) {
        if (u->leaving[i].pid == pid) {
            u->leaving[i] = u->leaving[--u->leaving_count];
            return true;
        }
    }
    return false;
}

void upgrade_signal(const struct upgrade *u, int signo)
{
    for (size_t i = 0; i < u->leaving_count; i++) {
        kill(u->leaving[i].pid, signo);
    }
}

void upgrade_tick(struct upgrade *u, int64_t now_us)
{
    if (u->checker > 0 && now_us > u->until_us) {
        kill(u->checker, SIGKILL);
    }
    for (size_t i = 0; i < u->leaving_count; i++) {
        if (now_us > u->leaving[i].kill_at_us) {
            log_seldom(LOG_LEVEL_WARN, "killed", "it did not end when it was told to");
            kill(u->leaving[i].pid, SIGKILL);
        }
    }
}
