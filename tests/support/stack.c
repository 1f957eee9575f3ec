/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Processes are looked at through /proc, PostgreSQL is driven by pg_ctl as the owner of its data folder. */
#include "tests/support/stack.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/http_client.h"
#include "tests/support/wait.h"

#define ARGS_MAX 32

static int other_port, other_output = -1;

const char *stack_env(const char *name)
{
    const char *value = getenv(name);
    if (!value || !*value) {
        fprintf(stderr, "%s is not set: run this program through tests/support/with-stack\n", name);
        exit(2);
    }
    return value;
}

const char *stack_host(void)
{
    return stack_env("GREMIO_HOST");
}

int stack_port(void)
{
    return other_port ? other_port : (int)strtol(stack_env("GREMIO_PORT"), NULL, 10);
}

void stack_use_output(int fd)
{
    other_output = fd;
}

void stack_use_port(int port)
{
    other_port = port;
}

const char *stack_password(void)
{
    return stack_env("GREMIO_PASSWORD");
}

pid_t stack_router(void)
{
    return (pid_t)strtol(stack_env("GREMIO_ROUTER_PID"), NULL, 10);
}

pid_t stack_worker(void)
{
    return (pid_t)strtol(stack_env("GREMIO_WORKER_PID"), NULL, 10);
}

/* A file of /proc/PID as text, blanks for NULs; empty when the process is gone. */
static size_t proc_text(pid_t pid, const char *file, char *out, size_t cap)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, cap - 1);
    if (fd >= 0) {
        close(fd);
    }
    size_t len = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; i < len; i++) {
        out[i] = out[i] ? out[i] : ' ';
    }
    out[len] = '\0';
    return len;
}

/* State letter and parent of a process; '\0' when it is gone. */
static char proc_state(pid_t pid, pid_t *parent)
{
    char text[1024];
    proc_text(pid, "stat", text, sizeof text);
    char *after = strrchr(text, ')');
    if (!after || strlen(after) < 5) {
        return '\0';
    }
    *parent = (pid_t)strtol(after + 4, NULL, 10);
    return after[2];
}

bool stack_alive(pid_t pid)
{
    pid_t parent;
    char state = proc_state(pid, &parent);
    return state != '\0' && state != 'Z' && state != 'X';
}

long stack_rss_kb(pid_t pid)
{
    char text[4096];
    proc_text(pid, "status", text, sizeof text);
    const char *line = strstr(text, "VmRSS:");
    return line ? strtol(line + 6, NULL, 10) : 0;
}

size_t stack_children(pid_t pid, const char *part, pid_t *out, size_t max)
{
    size_t found = 0;
    DIR *dir = opendir("/proc");
    for (struct dirent *e; dir && found < max && (e = readdir(dir));) {
        pid_t child = (pid_t)strtol(e->d_name, NULL, 10), parent = 0;
        char line[512];
        if (child <= 0) {
            continue;
        }
        char state = proc_state(child, &parent);
        if (state == '\0' || state == 'Z' || parent != pid) {
            continue;
        }
        proc_text(child, "cmdline", line, sizeof line);
        if (strstr(line, part)) {
            out[found++] = child;
        }
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

int stack_free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    cr_assert(bind(fd, (struct sockaddr *)&at, len) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    close(fd);
    return ntohs(at.sin_port);
}

/* Starts a program that dies with this process; output: its stdout and stderr, -1 to inherit. */
static pid_t spawn(const char *const *argv, int output)
{
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != self) {
            _exit(126);
        }
        if (output >= 0) {
            dup2(output, STDOUT_FILENO);
            dup2(output, STDERR_FILENO);
        }
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

/* A program of the build with its configuration file in the state folder. */
static pid_t spawn_program(const char *program, const char *conf, const char *const *overrides,
                           const char *log)
{
    char exe[300], file[300], path[300];
    const char *argv[ARGS_MAX] = { exe, "--config", file };
    size_t n = 3;
    snprintf(exe, sizeof exe, "%s/%s", stack_env("GREMIO_BIN"), program);
    snprintf(file, sizeof file, "%s/conf/%s", stack_env("GREMIO_STATE"), conf);
    snprintf(path, sizeof path, "%s/log/%s", stack_env("GREMIO_STATE"), log);
    for (size_t i = 0; overrides && overrides[i] && n + 3 < ARGS_MAX; i++) {
        argv[n++] = "--set";
        argv[n++] = overrides[i];
    }
    int out = other_output >= 0 ? fcntl(other_output, F_DUPFD_CLOEXEC, 3)
                                : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t pid = spawn(argv, out);
    if (out >= 0) {
        close(out);
    }
    return pid;
}

struct expected_status {
    int port, status;
    const char *path;
};

static bool answers_status(void *arg)
{
    const struct expected_status *want = arg;
    struct http_client c;
    struct http_response r;
    int got = 0;
    if (http_client_open(&c, stack_host(), want->port)) {
        char request[300];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", want->path);
        if (http_client_send_text(&c, request) && http_client_read(&c, false, &r)) {
            got = r.status;
            http_response_free(&r);
        }
        http_client_close(&c);
    }
    return got == want->status;
}

bool stack_wait_status(int port, const char *path, int status)
{
    struct expected_status want = { .port = port, .status = status, .path = path };
    return wait_until(answers_status, &want, WAIT_LONG_MS);
}

bool stack_wait_ready(int port)
{
    return stack_wait_status(port, "/readyz", 200);
}

pid_t stack_spawn_router(const char *conf, const char *const *overrides, int *port)
{
    char listen_on[64];
    const char *all[12] = { listen_on, "metrics_listen=", NULL };
    size_t n = 2;
    *port = stack_free_port();
    snprintf(listen_on, sizeof listen_on, "listen=127.0.0.1:%d", *port);
    for (size_t i = 0; overrides && overrides[i] && n + 1 < ARRAY_LEN(all); i++) {
        all[n++] = overrides[i];
    }
    char log[64];
    snprintf(log, sizeof log, "router-%d.log", *port);
    return spawn_program("gremio-router", conf, all, log);
}

struct ready_line {
    char log[64], text[80];
};

static bool process_is_ready(void *arg)
{
    const struct ready_line *l = arg;
    return stack_log_has(l->log, l->text);
}

/* Where there are several, an answer of /readyz speaks for one of them: each says so in the log. */
static bool wait_processes(const char *const *overrides, int port)
{
    static const char name[] = "processes=";
    bool good = true;
    long n = 1;
    for (size_t i = 0; overrides && overrides[i]; i++) {
        n = strncmp(overrides[i], name, sizeof name - 1) == 0
                ? strtol(overrides[i] + sizeof name - 1, NULL, 10)
                : n;
    }
    for (long i = 0; good && n > 1 && i < n; i++) {
        struct ready_line l;
        snprintf(l.log, sizeof l.log, "router-%d.log", port);
        snprintf(l.text, sizeof l.text, "\"program\":\"router/%ld\",\"event\":\"ready\"", i);
        good = wait_until(process_is_ready, &l, WAIT_LONG_MS);
    }
    return good;
}

pid_t stack_start_router(const char *conf, const char *const *overrides, int *port)
{
    pid_t pid = stack_spawn_router(conf, overrides, port);
    cr_assert(stack_wait_ready(*port) && wait_processes(overrides, *port),
              "a router on port %d did not become ready", *port);
    return pid;
}

pid_t stack_start_worker(const char *const *overrides)
{
    return spawn_program("gremio-worker", "worker.conf", overrides, "worker-again.log");
}

pid_t stack_restart_router(void)
{
    return spawn_program("gremio-router", "router.conf",
                         (const char *const[]){ "processes=2", NULL }, "router-again.log");
}

bool stack_log_has(const char *file, const char *text)
{
    char path[300], line[16384];
    snprintf(path, sizeof path, "%s/log/%s", stack_env("GREMIO_STATE"), file);
    FILE *f = fopen(path, "re");
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f)) {
        found = strstr(line, text) != NULL;
    }
    if (f) {
        fclose(f);
    }
    return found;
}

struct ending {
    pid_t pid;
    int status;
};

static bool has_ended(void *arg)
{
    struct ending *e = arg;
    pid_t done = waitpid(e->pid, &e->status, WNOHANG);
    return done == e->pid || (done < 0 && !stack_alive(e->pid));
}

int stack_stop(pid_t pid, int signo)
{
    struct ending e = { .pid = pid };
    kill(pid, signo);
    if (!wait_until(has_ended, &e, WAIT_LONG_MS * 2)) {
        return -1;
    }
    return WIFSIGNALED(e.status) ? 128 + WTERMSIG(e.status) : WEXITSTATUS(e.status);
}

/* All of a stream as text. */
static char *slurp(int fd)
{
    char *out = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&out, &len);
    char piece[4096];
    for (ssize_t n; (n = read(fd, piece, sizeof piece)) > 0;) {
        fwrite(piece, 1, (size_t)n, memory);
    }
    fclose(memory);
    return out;
}

int stack_ctl(const char *const *args, char **output)
{
    char exe[300], file[300];
    const char *argv[ARGS_MAX] = { exe, "--config", file };
    size_t n = 3;
    snprintf(exe, sizeof exe, "%s/gremioctl", stack_env("GREMIO_BIN"));
    snprintf(file, sizeof file, "%s/conf/gremioctl.conf", stack_env("GREMIO_STATE"));
    while (*args && n + 1 < ARGS_MAX) {
        argv[n++] = *args++;
    }
    int ends[2];
    cr_assert(pipe2(ends, O_CLOEXEC) == 0);
    pid_t pid = spawn(argv, ends[1]);
    close(ends[1]);
    char *said = slurp(ends[0]);
    close(ends[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    if (output) {
        *output = said;
    } else {
        free(said);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Becomes the owner of the data folder: PostgreSQL refuses to run as root. */
static void become_owner(const char *pgdata)
{
    struct stat s;
    if (getuid() != 0 || stat(pgdata, &s) != 0 || s.st_uid == 0) {
        return;
    }
    struct passwd *who = getpwuid(s.st_uid);
    if (!who || initgroups(who->pw_name, who->pw_gid) != 0 || setgid(who->pw_gid) != 0 ||
        setuid(who->pw_uid) != 0) {
        _exit(125);
    }
}

bool stack_pg_ctl(const char *verb, const char *mode)
{
    const char *pgdata = stack_env("GREMIO_PGDATA");
    char program[300];
    snprintf(program, sizeof program, "%s/pg_ctl", stack_env("GREMIO_PG_BIN"));
    pid_t pid = fork();
    if (pid == 0) {
        become_owner(pgdata);
        if (chdir("/") != 0) {
            _exit(125);
        }
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execl(program, "pg_ctl", verb, "-D", pgdata, "-m", mode, "-w", "-t", "60", "-l",
              "/dev/null", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

pid_t stack_postmaster(void)
{
    char path[300];
    snprintf(path, sizeof path, "%s/postmaster.pid", stack_env("GREMIO_PGDATA"));
    FILE *f = fopen(path, "re");
    int pid = 0;
    if (f) {
        if (fscanf(f, "%d", &pid) != 1) {
            pid = 0;
        }
        fclose(f);
    }
    return pid > 0 && stack_alive(pid) ? pid : 0;
}
