/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The list is what the test-suite needs, in groups that say what for. Arguments are looked at where a call is harmless in one
 * form only. A forbidden call is logged by the kernel (audit, or dmesg: type=1326), not by us: a handler of SIGSYS would run in the
 * middle of whatever made the call. */
#include "common/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "common/log.h"

bool sandbox_mode_parse(const char *text, enum sandbox_mode *out)
{
    static const char *const names[] = { "off", "on", "strict" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum sandbox_mode)i;
            return true;
        }
    }
    return false;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(GREMIO_NO_SANDBOX)
enum err sandbox_enter(enum sandbox_mode mode)
{
    UNUSED(mode);
    return OK;
}

enum err sandbox_enter_writing(enum sandbox_mode mode)
{
    UNUSED(mode);
    return OK;
}
#else

#define S(name) SCMP_SYS(name)

static const int allowed[] = {
    /* bytes in and out */
    S(read),
    S(write),
    S(readv),
    S(writev),
    S(pread64),
    S(recvfrom),
    S(sendto),
    S(recvmsg),
    S(sendmsg),
    S(sendmmsg),
    S(shutdown),
    S(close),
    /* connections; which families: below */
    S(accept4),
    S(accept),
    S(connect),
    S(bind),
    S(getsockname),
    S(getpeername),
    S(getsockopt),
    S(setsockopt),
    /* waiting */
    S(poll),
    S(ppoll),
    S(select),
    S(pselect6),
    S(epoll_create1),
    S(epoll_ctl),
    S(epoll_wait),
    S(epoll_pwait),
    S(epoll_pwait2),
    S(eventfd2),
    S(pipe2),
    S(signalfd4),
    S(timerfd_create),
    S(timerfd_settime),
    S(inotify_init1),
    S(inotify_add_watch),
    S(inotify_rm_watch),
    S(futex),
    S(nanosleep),
    S(clock_nanosleep),
    S(restart_syscall),
    S(sched_yield),
    /* looking at files; opening them: below */
    S(fstat),
    S(stat),
    S(lstat),
    S(newfstatat),
    S(statx),
    S(lseek),
    S(getdents64),
    S(access),
    S(faccessat),
    S(faccessat2),
    S(readlink),
    S(readlinkat),
    S(getcwd),
    S(fcntl),
    S(dup),
    /* memory */
    S(mmap),
    S(munmap),
    S(mremap),
    S(mprotect),
    S(madvise),
    S(brk),
    S(mlock),
    S(munlock),
    /* signals and the end of this process */
    S(rt_sigaction),
    S(rt_sigprocmask),
    S(rt_sigreturn),
    S(rt_sigpending),
    S(rt_sigtimedwait),
    S(sigaltstack),
    S(exit),
    S(exit_group),
    /* facts */
    S(getpid),
    S(getppid),
    S(gettid),
    S(getuid),
    S(geteuid),
    S(getgid),
    S(getegid),
    S(clock_gettime),
    S(clock_getres),
    S(gettimeofday),
    S(time),
    S(getrandom),
    S(getrlimit),
    S(uname),
    S(sysinfo),
    S(sched_getaffinity),
    S(getrusage),
    S(times),
    S(set_robust_list),
    S(rseq),
};

static const int for_writing[] = { S(openat), S(renameat), S(renameat2), S(fsync) };

static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
static const unsigned long requests[] = { FIONREAD, FIONBIO, TCGETS };

/* Calls that are fine with some arguments. 0 or a negative errno, as libseccomp has it. */
static int allow_some(scmp_filter_ctx f)
{
    const uint64_t writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND;
    int e = seccomp_rule_add(f, SCMP_ACT_ALLOW, S(openat), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, writing, 0));
    e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, S(open), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, writing, 0));
    e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, S(tgkill), 1,
                          SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())); /* abort() */
    e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, S(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, S(prlimit64), 1,
                          SCMP_A2(SCMP_CMP_EQ, 0)); /* asks only */
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, S(socket), 1,
                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, S(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, requests[i]));
    }
    return e;
}

static int build(scmp_filter_ctx f, bool writing)
{
    int e = allow_some(f);
    for (size_t i = 0; writing && i < ARRAY_LEN(for_writing); i++) {
        e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, for_writing[i], 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0);
    }
    return e;
}

/* What makes it better and is no reason to go without: a kernel may be too old for the first two. */
static void tune(scmp_filter_ctx f)
{
    const struct {
        enum scmp_filter_attr what;
        uint32_t value;
    } wishes[] = {
        { SCMP_FLTATR_CTL_LOG, 1 },
        /* Older kernels make every process with a filter slower, against code that it runs for others: we run none. */
        { SCMP_FLTATR_CTL_SSB, 1 },
        { SCMP_FLTATR_CTL_OPTIMIZE, 2 }, /* a tree, not a hundred comparisons */
    };
    for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
        (void)seccomp_attr_set(f, wishes[i].what, wishes[i].value);
    }
}

static enum err refused(enum sandbox_mode mode, int e)
{
    log_event(mode == SANDBOX_STRICT ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "no_sandbox", "reason",
              strerror(e < 0 ? -e : e), NULL);
    return mode == SANDBOX_STRICT ? E_INTERNAL : OK;
}

static enum err enter(enum sandbox_mode mode, bool writing)
{
    if (mode == SANDBOX_OFF) {
        return OK;
    }
    uint32_t otherwise = mode == SANDBOX_STRICT ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS);
    scmp_filter_ctx f = seccomp_init(otherwise);
    if (!f) {
        return refused(mode, ENOMEM);
    }
    tune(f);
    int e = build(f, writing);
    e = e ? EINVAL : seccomp_load(f);
    seccomp_release(f);
    return e ? refused(mode, e) : OK;
}

enum err sandbox_enter(enum sandbox_mode mode)
{
    return enter(mode, false);
}

enum err sandbox_enter_writing(enum sandbox_mode mode)
{
    return enter(mode, true);
}
#endif
