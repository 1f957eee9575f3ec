/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The filter in a child: what it must not do kills it or fails, what it must do works. */
#include "common/sandbox.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netpacket/packet.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(GREMIO_NO_SANDBOX)
#define FILTERED false /* a sanitizer's runtime needs more than we do */
#else
#define FILTERED true
#endif

/* Each returns 0 when it worked, else errno. */
static int run_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return errno;
}

static int make_process(void)
{
    return fork() < 0 ? errno : 0;
}

static int trace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
}

static int write_file(void)
{
    return open("/dev/null", O_WRONLY | O_CLOEXEC) < 0 ? errno : 0;
}

static int remove_file(void)
{
    return unlink("/nowhere/at/all") < 0 ? errno : 0;
}

static int kill_other(void)
{
    return kill(getppid(), 0) < 0 ? errno : 0;
}

static int open_packets(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) < 0 ? errno : 0;
}

static int do_daily_work(void)
{
    char byte[64];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    void *p = malloc(8u << 20);
    bool fine = fd >= 0 && read(fd, byte, sizeof byte) > 0 && tcp >= 0 && p && close(tcp) == 0;
    free(p);
    return fine ? 0 : EIO;
}

/* As libpq does when a connection is opened anew: the system's libraries look up names in their own ways. */
static int find_host(void)
{
    struct addrinfo *found = NULL;
    int failed = getaddrinfo("localhost", "5432", NULL, &found);
    struct passwd *me = getpwuid(getuid());
    if (found) {
        freeaddrinfo(found);
    }
    return failed || !me ? EIO : 0;
}

/* A message as mail_file.c writes it. */
static int replace_file(void)
{
    char draft[64], name[64];
    snprintf(draft, sizeof draft, "/tmp/sandbox-%d.tmp", (int)getpid());
    snprintf(name, sizeof name, "/tmp/sandbox-%d", (int)getppid());
    int fd = open(draft, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool fine = fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 && close(fd) == 0 &&
                renameat(AT_FDCWD, draft, AT_FDCWD, name) == 0;
    return fine ? 0 : errno;
}

static bool writing;

/* The child's wait status after doing it inside the filter. */
static int inside(enum sandbox_mode mode, int (*what)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        if ((writing ? sandbox_enter_writing(mode) : sandbox_enter(mode)) != OK) {
            _exit(200);
        }
        _exit(what());
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static int (*const forbidden[])(void) = { run_program, make_process, trace,       write_file,
                                          remove_file, kill_other,   open_packets };

Test(sandbox, strict_kills)
{
    for (size_t i = 0; FILTERED && i < ARRAY_LEN(forbidden); i++) {
        int status = inside(SANDBOX_STRICT, forbidden[i]);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%zu: status %x", i,
                  (unsigned)status);
    }
    cr_expect_eq(inside(SANDBOX_STRICT, do_daily_work), 0);
    cr_expect_eq(inside(SANDBOX_STRICT, find_host), 0);
}

/* A process that delivers files may write them, and nothing more. */
Test(sandbox, writing_writes_and_no_more)
{
    char name[64];
    snprintf(name, sizeof name, "/tmp/sandbox-%d", (int)getpid());
    writing = true;
    cr_expect_eq(inside(SANDBOX_STRICT, replace_file), 0);
    cr_expect_eq(access(name, F_OK), 0);
    unlink(name);
    cr_expect_eq(inside(SANDBOX_STRICT, write_file), 0);
    for (size_t i = 0; FILTERED && i < ARRAY_LEN(forbidden); i++) {
        int status = inside(SANDBOX_STRICT, forbidden[i]);
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
        cr_expect(killed != (forbidden[i] == write_file), "%zu: status %x", i, (unsigned)status);
    }
}

Test(sandbox, on_refuses)
{
    for (size_t i = 0; FILTERED && i < ARRAY_LEN(forbidden); i++) {
        int status = inside(SANDBOX_ON, forbidden[i]);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == ENOSYS, "%zu: status %x", i,
                  (unsigned)status);
    }
    cr_expect_eq(inside(SANDBOX_ON, do_daily_work), 0);
}

Test(sandbox, off_is_off)
{
    cr_expect_eq(inside(SANDBOX_OFF, run_program), 0);
}
