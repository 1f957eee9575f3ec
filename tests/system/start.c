/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A program started twice by mistake: the second says what is wrong in one sentence and ends, the first goes on. The
 * kernel alone would let both routers share the port, each with half of the clients. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

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
