/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A program started twice by mistake: the second says what is wrong in one sentence and ends, the first goes on. The
 * kernel alone would let both routers share the port, each with half of the clients. And settings that do not fit. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/support/api.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(start, .timeout = 180);

/* All of a log is this one line. */
static void expect_only_line(const char *log, const char *line)
{
    char text[4096];
    FILE *f = fopen(api_text("%s/log/%s", stack_env("GREMIO_STATE"), log), "re");
    cr_assert(f, "there is no %s", log);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    cr_expect_str_eq(text, line);
}

/* Starts a router on an address that is taken. */
static void expect_taken(const char *address, const char *host, int port)
{
    int unused;
    char *listen = api_text("listen=%s:%d", address, port);
    const char *const overrides[] = { listen, "processes=2", NULL };
    pid_t second = stack_spawn_router("router.conf", overrides, &unused);
    cr_expect_eq(stack_stop(second, 0), 1, "exit code of the second router on %s", address);
    expect_only_line(
        api_text("router-%d.log", unused),
        api_text("gremio-router: port %d on %s is taken by another program\n", port, host));
}

Test(start, a_second_router_on_the_port_is_refused)
{
    int port;
    pid_t first = stack_start_router("router.conf", (const char *const[]){ "processes=2", NULL },
                                     &port);
    pid_t before[4], after[4];
    cr_assert_eq(stack_children(first, "", before, ARRAY_LEN(before)), 2);
    expect_taken("127.0.0.1", "127.0.0.1", port);
    expect_taken("localhost", "localhost", port);
    expect_taken("0.0.0.0", "0.0.0.0", port);
    cr_expect(stack_alive(first));
    cr_assert_eq(stack_children(first, "", after, ARRAY_LEN(after)), 2);
    cr_expect_eq(before[0] + before[1], after[0] + after[1], "a process of the first died");
    cr_expect(stack_wait_ready(port));
    cr_expect_eq(stack_stop(first, SIGTERM), 0);
    /* Nothing of the first is left in the way. */
    char *listen = api_text("listen=127.0.0.1:%d", port);
    int unused;
    pid_t next = stack_spawn_router("router.conf", (const char *const[]){ listen, NULL }, &unused);
    cr_expect(stack_wait_ready(port), "the port stays taken");
    cr_expect_eq(stack_stop(next, SIGTERM), 0);
    api_release();
}

Test(start, a_second_worker_on_the_folder_is_refused)
{
    struct api a = api_login(OWNER_A);
    pid_t before[16], after[16];
    size_t n = stack_children(stack_worker(), "", before, ARRAY_LEN(before));
    cr_assert_gt(n, 0);
    pid_t second = stack_start_worker(NULL);
    cr_expect_eq(stack_stop(second, 0), 1, "exit code of the second worker");
    expect_only_line("worker-again.log",
                     api_text("gremio-worker: another gremio-worker already serves %s/run/slots\n",
                              stack_env("GREMIO_STATE")));
    cr_assert_eq(stack_children(stack_worker(), "", after, ARRAY_LEN(after)), n);
    cr_expect_arr_eq(before, after, n * sizeof before[0], "a slot of the first died");
    cr_expect_eq(api_get(&a, "/api/v1/me")->status, 200);
    /* A router that comes later still finds every socket. */
    int port;
    pid_t router = stack_start_router("router.conf", NULL, &port);
    stack_use_port(port);
    http_client_close(&a.http);
    cr_expect_eq(api_get(&a, "/api/v1/me")->status, 200);
    cr_expect_eq(stack_stop(router, SIGTERM), 0);
    api_close(&a);
    api_release();
}

/* What each program says of one setting over its own file; its exit code. */
static int check_config(const char *program, const char *setting, char *said, size_t size)
{
    char *run = api_text("'%s/gremio-%s' --config '%s/conf/%s.conf' --set '%s' --check-config 2>&1",
                         stack_env("GREMIO_BIN"), program, stack_env("GREMIO_STATE"), program,
                         setting);
    FILE *f = popen(run, "re");
    cr_assert_not_null(f);
    said[fread(said, 1, size - 1, f)] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Each is fine alone, by its row; together with another one, or as a text, it is not. */
Test(start, settings_that_do_not_fit_are_refused)
{
    static const struct {
        const char *program, *setting, *says;
    } rows[] = {
        { "router", "log_level=loud", "log_level must be" },
        { "router", "tls_key=/nowhere.pem", "must be given together" },
        { "router", "issuer=", "must not be empty" },
        { "router", "slots_dir=", "slots_dir must be" },
        { "router", "sandbox=maybe", "sandbox must be" },
        { "router", "db_password_file=/nowhere", "/nowhere" },
        { "worker", "log_level=loud", "log_level must be" },
        { "worker", "slots_dir=", "slots_dir must be" },
        { "worker", "sandbox=maybe", "sandbox must be" },
        { "worker", "db_port=0", "db_port must be" },
        { "worker", "db_name=", "db_name must have" },
        { "worker", "lock_timeout=5s", "lock_timeout must be shorter" },
        { "worker", "session_idle=8760h", "session_idle must not" },
        { "worker", "pool_key_file=/nowhere", "/nowhere" },
    };
    char said[8192];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int code = check_config(rows[i].program, rows[i].setting, said, sizeof said);
        cr_expect_eq(code, 2, "%s %s: %d", rows[i].program, rows[i].setting, code);
        cr_expect(strstr(said, rows[i].says), "%s %s: %s", rows[i].program, rows[i].setting, said);
    }
    cr_expect_eq(check_config("router", "log_level=debug", said, sizeof said), 0, "%s", said);
    cr_expect_eq(check_config("worker", "sandbox=strict", said, sizeof said), 0, "%s", said);
    api_release();
}
