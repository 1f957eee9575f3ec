/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Where the log goes may fail: the disk is full, the reader of the pipe is gone, or it stands still. No request waits
 * for it or fails of it, nobody ends, and what was dropped is counted. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/api.h"
#include "tests/support/own.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(log_sink, .timeout = 180);

#define REQUESTS 1000

static long metric(int port, const char *name)
{
    struct http_client c;
    struct http_response r;
    long value = -1;
    cr_assert(http_client_open(&c, stack_host(), port));
    http_client_send_text(&c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    if (http_client_read(&c, false, &r)) {
        const char *at = strstr(r.body, api_text("\n%s ", name));
        value = at ? strtol(strchr(at + 1, ' '), NULL, 10) : -1;
        http_response_free(&r);
    }
    http_client_close(&c);
    return value;
}

struct slot {
    const struct own *own;
    pid_t old;
};

static bool slot_is_new(void *arg)
{
    const struct slot *s = arg;
    pid_t found[4];
    return stack_children(s->own->worker, "api", found, 4) == 1 && found[0] != s->old;
}

static void serve_into(const char *what, int fd)
{
    struct api a = api_login(OWNER_A);
    int metrics = stack_free_port();
    stack_use_output(fd);
    struct own o = own_open(
        "sink", (const char *const[]){ "api_slots=1", "log_level=debug", NULL },
        (const char *const[]){ api_text("metrics_listen=127.0.0.1:%d", metrics), NULL });
    stack_use_output(-1);
    http_client_close(&a.http);
    pid_t process = own_process(&o);
    size_t good = 0;
    for (int i = 0; i < REQUESTS; i++) {
        good += api_get(&a, "/api/v1/business")->status == 200;
        api_release();
    }
    cr_expect_eq(good, REQUESTS, "%s: %zu of %d", what, good, REQUESTS);
    /* The supervisor has something to say too: a slot died, the settings were read again. */
    struct slot slot = { .own = &o, .old = own_slot(&o, "api") };
    kill(slot.old, SIGKILL);
    cr_assert(wait_until(slot_is_new, &slot, WAIT_LONG_MS));
    kill(o.worker, SIGHUP);
    kill(o.router, SIGHUP);
    cr_expect_eq(api_get(&a, "/api/v1/business")->status, 200, "%s", what);
    cr_expect(stack_alive(o.worker) && stack_alive(o.router), "%s: somebody ended", what);
    cr_expect_eq(own_process(&o), process, "%s: the router's process died", what);
    long dropped = metric(metrics, "gremio_router_log_dropped_total");
    cr_expect_geq(dropped, REQUESTS / 2, "%s: %ld lines counted", what, dropped);
    printf("log: %s: %zu of %d requests answered, %ld lines dropped and counted\n", what, good,
           REQUESTS, dropped);
    api_close(&a);
    own_close(&o);
    api_release();
}

Test(log_sink, a_full_disk)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    cr_assert_geq(full, 0);
    serve_into("a full disk", full);
    close(full);
}

Test(log_sink, a_closed_pipe)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    serve_into("a closed pipe", ends[1]);
    close(ends[1]);
}

Test(log_sink, a_pipe_nobody_reads)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_geq(fcntl(ends[1], F_SETPIPE_SZ, 16384), 0);
    serve_into("a pipe nobody reads", ends[1]);
    close(ends[0]);
    close(ends[1]);
}
