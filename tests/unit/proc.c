/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Back-off, signals by descriptor, children that die with their parent, sockets, titles. */
#include "common/proc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND INT64_C(1000000)

static struct sbuf why;
static char folder[32];
static char path[64];

static void init(void)
{
    snprintf(folder, sizeof(folder), "/tmp/proc.XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s.sock", folder);
}

static void fini(void)
{
    unlink(path);
    rmdir(folder);
    sbuf_fini(&why);
}

TestSuite(proc, .init = init, .fini = fini);

Test(proc, back_off)
{
    static const int64_t waits_ms[] = { 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000 };
    struct proc_child c = { .pid = 1 };
    int64_t now = 1000 * SECOND;
    for (size_t i = 0; i < ARRAY_LEN(waits_ms); i++) {
        c.pid = 1;
        c.started_us = now;
        cr_expect_not(proc_child_due(&c, now + 1000 * SECOND), "it runs");
        now += 9 * SECOND;
        proc_child_died(&c, now);
        cr_expect_eq(c.pid, 0);
        cr_expect_not(proc_child_due(&c, now + waits_ms[i] * 1000 - 1), "death %zu", i);
        cr_expect(proc_child_due(&c, now + waits_ms[i] * 1000), "death %zu", i);
        now += 20 * SECOND;
    }
    c.pid = 1;
    c.started_us = now;
    proc_child_died(&c, now + 10 * SECOND);
    cr_expect(proc_child_due(&c, now + 10 * SECOND), "a long life is forgiven at once");
    cr_expect_eq(c.deaths, 0);
}

Test(proc, signals_are_not_lost)
{
    sigset_t set;
    struct signalfd_siginfo info;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    int fd = proc_signal_fd(&set);
    cr_assert_geq(fd, 0);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_expect_eq(read(fd, &info, sizeof(info)), -1);
    cr_expect_eq(errno, EAGAIN);
    raise(SIGTERM);
    raise(SIGHUP);
    int seen = 0;
    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        seen |= info.ssi_signo == SIGTERM ? 1 : info.ssi_signo == SIGHUP ? 2 : 4;
    }
    cr_expect_eq(seen, 3);
    close(fd);
}

/* A child that a child leaves behind: its end of the pipe closes when it dies. */
Test(proc, dies_with_its_parent)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0) {
        pid_t me = getpid();
        if (fork() == 0) {
            proc_child_enter(me, SIGKILL);
            (void)!write(ends[1], "x", 1);
            for (;;) {
                pause();
            }
        }
        char byte;
        _exit(read(ends[0], &byte, 1) == 1 ? 0 : 1); /* gone once the grandchild is set up */
    }
    int status = 1;
    cr_assert_eq(waitpid(parent, &status, 0), parent);
    cr_expect_eq(status, 0);
    close(ends[1]);
    struct pollfd p = { .fd = ends[0], .events = POLLIN };
    cr_expect_eq(poll(&p, 1, 10000), 1);
    cr_expect(p.revents & POLLHUP);
}

Test(proc, an_orphan_leaves_at_once)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        proc_child_enter(getpid() + 100000, SIGTERM); /* not its parent */
        _exit(9);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

Test(proc, a_child_starts_with_clean_signals)
{
    int status = 1;
    pid_t me = getpid();
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    signal(SIGUSR1, SIG_IGN);
    pid_t child = fork();
    if (child == 0) {
        proc_child_enter(me, SIGTERM);
        raise(SIGUSR1);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
}

Test(proc, harden)
{
    struct rlimit limit;
    proc_harden();
    cr_expect_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    cr_expect_eq(limit.rlim_max, 0);
    cr_expect_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(limit.rlim_cur, limit.rlim_max);
}

static int connect_to(const char *to)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(a.sun_path, to, strlen(to));
    int bad = connect(fd, (struct sockaddr *)&a, sizeof(a));
    return bad ? close(fd), -1 : fd;
}

#if !defined(__SANITIZE_ADDRESS__) /* there processes are not hardened */
/* Dies in a folder of its own with as large a core allowed as the caller may; the wait status. */
static int die_with_core_allowed(bool hardened)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (hardened) {
            proc_harden();
        }
        struct rlimit most = { RLIM_INFINITY, RLIM_INFINITY };
        setrlimit(RLIMIT_CORE, &most); /* root may raise it again: then only the other half holds */
        signal(SIGABRT, SIG_DFL);
        _exit(chdir(folder) == 0 ? raise(SIGABRT) : 1);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* Not even when the limit is lifted again. Without hardening most machines write one: it goes with the folder. */
Test(proc, a_hardened_process_leaves_no_core)
{
    int status = die_with_core_allowed(true);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && !WCOREDUMP(status), "%x",
              (unsigned)status);
    status = die_with_core_allowed(false);
    cr_expect(WIFSIGNALED(status));
    printf("proc: without hardening a core %s written\n", WCOREDUMP(status) ? "is" : "is not");
    snprintf(path, sizeof(path), "%s/core", folder); /* for fini to remove */
}
#endif

Test(proc, unix_socket)
{
    struct stat st;
    int fd = proc_listen_unix(path, &why);
    cr_assert_geq(fd, 0, "%s", why.data);
    cr_expect_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
    int client = connect_to(path);
    cr_expect_geq(client, 0);

    cr_expect_eq(proc_listen_unix(path, &why), -1, "a live one is not replaced");
    cr_expect_not_null(strstr(why.data, "in use"), "%s", why.data);
    close(client);
    close(fd);
    fd = proc_listen_unix(path, &why);
    cr_expect_geq(fd, 0, "a stale one is");
    close(fd);
}

Test(proc, unix_socket_refusals)
{
    char text[200];
    memset(text, 'x', sizeof(text));
    text[0] = '/';
    text[108] = '\0';
    cr_expect_eq(proc_listen_unix(text, &why), -1);
    cr_expect_not_null(strstr(why.data, "at most 107"), "%s", why.data);
    sbuf_reset(&why, 1000);
    cr_expect_eq(proc_listen_unix("/nonexistent/x.sock", &why), -1);
    cr_expect_not_null(strstr(why.data, "No such file"), "%s", why.data);
    sbuf_reset(&why, 1000);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fclose(f);
    cr_expect_eq(proc_listen_unix(path, &why), -1, "a file is never removed");
    cr_expect_not_null(strstr(why.data, "not a socket"), "%s", why.data);
    cr_expect_eq(access(path, F_OK), 0);
}

static int port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    return ntohs(a.sin_port);
}

Test(proc, tcp_socket)
{
    char address[32];
    int fd = proc_listen_tcp("127.0.0.1:0", false, &why);
    cr_assert_geq(fd, 0, "%s", why.data);
    cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
    snprintf(address, sizeof(address), "127.0.0.1:%d", port_of(fd));
    cr_expect_eq(proc_listen_tcp(address, false, &why), -1);
    snprintf(address, sizeof(address), "port %d on 127.0.0.1 is taken", port_of(fd));
    cr_expect_not_null(strstr(why.data, address), "%s", why.data);
    close(fd);
}

Test(proc, tcp_socket_shared)
{
    char address[32];
    int first = proc_listen_tcp("127.0.0.1:0", true, &why);
    cr_assert_geq(first, 0, "%s", why.data);
    snprintf(address, sizeof(address), "127.0.0.1:%d", port_of(first));
    int second = proc_listen_tcp(address, true, &why);
    cr_expect_geq(second, 0, "%s", why.data);
    cr_expect_eq(proc_listen_tcp(address, false, &why), -1, "one that does not share gets nothing");
    close(first);
    close(second);
}

Test(proc, tcp_addresses_refused)
{
    static const char *const bad[] = { "",
                                       ":",
                                       "8000",
                                       ":8000",
                                       "127.0.0.1",
                                       "127.0.0.1:",
                                       "127.0.0.1:x",
                                       "127.0.0.1:65536",
                                       "::1:8000",
                                       "127.0.0.1:-1",
                                       "[]:80",
                                       "127.0.0.1:08" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        sbuf_reset(&why, 1000);
        cr_expect_eq(proc_listen_tcp(bad[i], false, &why), -1, "%s", bad[i]);
        cr_expect_not_null(strstr(why.data, "is not HOST:PORT"), "%s", why.data);
    }
    sbuf_reset(&why, 1000);
    cr_expect_eq(proc_listen_tcp("192.0.2.1:0", false, &why), -1);
    cr_expect_not_null(strstr(why.data, "not an address of this machine"), "%s", why.data);
}

/* In a process of its own, whose argv area is made to measure. */
Test(proc, title)
{
    static char area[] = "a program with a long name\0--option\0value";
    static char *args[] = { area, area + 27, area + 36, NULL };
    proc_title("before init: nothing happens");
    cr_expect_str_eq(area, "a program with a long name");
    proc_title_init(3, args);
    cr_expect_str_eq(getenv("PATH") ? "kept" : "lost", "kept");
    proc_title("gremio-worker: %s %d", "api", 1);
    cr_expect_str_eq(area, "gremio-worker: api 1");
    cr_expect_str_eq(args[1], "--option", "arguments outlive the title");
    for (size_t i = strlen(area); i < sizeof(area); i++) {
        cr_expect_eq(area[i], '\0');
    }
    proc_title("%0200d", 1);
    cr_expect_eq(strlen(area), sizeof(area) - 1, "never beyond the area");
}
