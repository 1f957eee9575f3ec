/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Children with back-off, signals through a descriptor, hardening, listening sockets, process titles. */
#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/str.h"

#define SETTLED_US     INT64_C(10000000) /* a child that lived this long was healthy */
#define BACKOFF_MIN_US INT64_C(100000)
#define BACKOFF_MAX_US INT64_C(10000000)
#define BACKLOG        4096

void proc_child_died(struct proc_child *c, int64_t now_us)
{
    c->pid = 0;
    if (now_us - c->started_us >= SETTLED_US) {
        c->deaths = 0;
        c->not_before_us = now_us;
        return;
    }
    unsigned doublings = c->deaths < 7 ? c->deaths : 7;
    int64_t wait = BACKOFF_MIN_US << doublings;
    c->deaths++;
    c->not_before_us = now_us + (wait < BACKOFF_MAX_US ? wait : BACKOFF_MAX_US);
}

bool proc_child_due(const struct proc_child *c, int64_t now_us)
{
    return c->pid == 0 && now_us >= c->not_before_us;
}

int proc_signal_fd(const sigset_t *set)
{
    if (sigprocmask(SIG_BLOCK, set, NULL) < 0) {
        return -1;
    }
    return signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void proc_child_enter(pid_t parent, int signo)
{
    sigset_t none;
    for (int s = 1; s < NSIG; s++) {
        signal(s, SIG_DFL); /* refused for SIGKILL, SIGSTOP and libc's own: as it should be */
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, signo);
    if (getppid() != parent) { /* it died before the line above could tell us */
        _exit(0);
    }
}

void proc_give_way(void)
{
    setpriority(PRIO_PROCESS, 0, 19);
    int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && setsid() > 0) {
        (void)!write(fd, "19", 2);
    }
    if (fd >= 0) {
        close(fd);
    }
}

void proc_harden(void)
{
    struct rlimit limit = { 0, 0 };
    setrlimit(RLIMIT_CORE, &limit);
#if !defined(__SANITIZE_ADDRESS__) /* the leak check must be able to look at its own process */
    prctl(PR_SET_DUMPABLE, 0);
#endif
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void proc_no_dump(const void *p, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)p & ~(page - 1);
    uintptr_t end = ((uintptr_t)p + n + page - 1) & ~(page - 1);
    madvise((void *)begin, end - begin, MADV_DONTDUMP);
}

/* ---- listening sockets ---- */

/* Removes a socket nobody listens on any more. False, with why, when the path must not be touched. */
static bool clear_stale(const struct sockaddr_un *a, struct sbuf *why)
{
    struct stat st;
    if (lstat(a->sun_path, &st) < 0) {
        return true; /* bind tells what is wrong, if anything */
    }
    if (!S_ISSOCK(st.st_mode)) {
        sbuf_fmt(why, "%s exists and is not a socket", a->sun_path);
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int e = fd < 0 ? errno : connect(fd, (const struct sockaddr *)a, sizeof(*a)) ? errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    if (e != ECONNREFUSED) { /* connected, or its queue is full: alive */
        sbuf_fmt(why, "%s is in use by a running program", a->sun_path);
        return false;
    }
    unlink(a->sun_path);
    return true;
}

int proc_listen_unix(const char *path, struct sbuf *why)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    if (str_copy(slice_of(path), a.sun_path, sizeof(a.sun_path)) != OK) {
        sbuf_fmt(why, "%s: a socket's path has at most %zu bytes; choose a shorter folder", path,
                 sizeof(a.sun_path) - 1);
        return -1;
    }
    if (!clear_stale(&a, why)) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0177); /* never open to others, not even between bind and chmod */
    int bad = fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0;
    int e = errno;
    umask(old);
    if (!bad && listen(fd, BACKLOG) == 0) {
        return fd;
    }
    sbuf_fmt(why, "%s: %s", path, strerror(bad ? e : errno));
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

/* Splits "HOST:PORT" and "[HOST]:PORT". */
static bool split_address(const char *address, char host[256], char port[8])
{
    const char *colon = strrchr(address, ':');
    int64_t number;
    if (!colon || str_int(slice_of(colon + 1), 0, 65535, &number) != OK ||
        str_copy(slice_of(colon + 1), port, 8) != OK) {
        return false;
    }
    struct slice name = { address, (size_t)(colon - address) };
    bool bracketed = name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']';
    if (bracketed) {
        name = (struct slice){ name.p + 1, name.n - 2 };
    } else if (name.n == 0 || name.p[0] == '[' || memchr(name.p, ':', name.n)) {
        return false;
    }
    return str_copy(name, host, 256) == OK;
}

static int open_tcp(const struct addrinfo *ai, bool share)
{
    const int on = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets inherit it */
    bool bad = share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0;
    if (ai->ai_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (bad || bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static void explain_tcp(struct sbuf *why, const char *host, const char *port, int e)
{
    if (e == EADDRINUSE) {
        sbuf_fmt(why, "port %s on %s is taken by another program", port, host);
    } else if (e == EACCES) {
        sbuf_fmt(why, "port %s on %s needs more rights than this user has", port, host);
    } else if (e == EADDRNOTAVAIL) {
        sbuf_fmt(why, "%s is not an address of this machine", host);
    } else {
        sbuf_fmt(why, "port %s on %s: %s", port, host, strerror(e));
    }
}

int proc_listen_tcp(const char *address, bool share, struct sbuf *why)
{
    char host[256];
    char port[8];
    struct addrinfo *ai = NULL;
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    if (!split_address(address, host, port)) {
        sbuf_fmt(why, "\"%s\" is not HOST:PORT (127.0.0.1:8000, [::1]:8000)", address);
        return -1;
    }
    int e = getaddrinfo(host, port, &hints, &ai);
    if (e != 0) {
        sbuf_fmt(why, "%s: %s", host, gai_strerror(e));
        return -1;
    }
    int fd = open_tcp(ai, share);
    if (fd < 0) {
        explain_tcp(why, host, port, errno);
    }
    freeaddrinfo(ai);
    return fd;
}

/* ---- process title ---- */

/* The memory argv and the environment came in; NULL until proc_title_init. */
static struct {
    char *start;
    size_t size;
} title;

/* End of the strings of list that follow end without a gap. */
static char *contiguous(char **list, char *end)
{
    for (size_t i = 0; list[i]; i++) {
        if (list[i] == end) {
            end += strlen(end) + 1;
        }
    }
    return end;
}

/* Moves the environment away, so that its old place can be written over. Table and texts are one block, reachable until
 * the process ends: a variable that is unset later leaves nothing behind that looks lost. */
static bool move_environment(void)
{
    size_t count = 0, bytes = 0;
    for (; environ[count]; count++) {
        bytes += strlen(environ[count]) + 1;
    }
    static char **block;
    block = malloc((count + 1) * sizeof(*block) + bytes);
    if (!block) {
        return false;
    }
    char *text = (char *)&block[count + 1];
    for (size_t i = 0; i < count; i++) {
        block[i] = text;
        text = stpcpy(text, environ[i]) + 1;
    }
    block[count] = NULL;
    environ = block;
    return true;
}

/* Points argv at copies, which outlive every title. */
static bool copy_arguments(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        char *copy = strdup(argv[i]);
        if (!copy) {
            return false;
        }
        argv[i] = copy;
    }
    return true;
}

void proc_title_init(int argc, char **argv)
{
    if (argc < 1 || title.start) {
        return;
    }
    char *start = argv[0];
    char *end = contiguous(argv, argv[0]);
    char *more = contiguous(environ, end);
    char *name = strdup(program_invocation_name);
    char *short_name = strdup(program_invocation_short_name);
    if (name && short_name && copy_arguments(argc, argv)) {
        program_invocation_name = name; /* both point into argv[0] */
        program_invocation_short_name = short_name;
        title.size = (size_t)((move_environment() ? more : end) - start);
        title.start = start;
    }
}

void proc_title(const char *fmt, ...)
{
    char text[256];
    va_list args;
    if (!title.start) {
        return;
    }
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0) {
        return;
    }
    size_t used = size_min(strlen(text), title.size - 1);
    memset(title.start, 0, title.size);
    memcpy(title.start, text, used);
}
