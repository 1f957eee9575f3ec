/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Signals to the router and the worker: SIGTERM finishes what is in flight, a second one does not wait, SIGHUP reads
 * the configuration again, all of it or nothing. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/hold.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(signals, .timeout = 180);

/* A GET of practice a, sent and not yet answered. */
static struct http_client in_flight(const char *token)
{
    struct http_client c;
    cr_assert(http_client_open(&c, stack_host(), stack_port()));
    http_client_send_text(&c, api_text("GET /api/v1/clients HTTP/1.1\r\nHost: x\r\nAuthorization: "
                                       "Bearer %s\r\n\r\n",
                                       token));
    return c;
}

static bool refuses_connections(void *arg)
{
    UNUSED(arg);
    struct http_client c;
    bool open = http_client_open(&c, stack_host(), stack_port());
    http_client_close(&c);
    return !open;
}

Test(signals, router_drains)
{
    struct api a = api_login(OWNER_A);
    int port;
    pid_t router = stack_start_router("router.conf", NULL, &port);
    stack_use_port(port);
    struct hold h = hold_begin("practice-a", "client");
    struct http_client c = in_flight(a.token);
    cr_assert(hold_wait_for(&h, 1));
    kill(router, SIGTERM);
    cr_expect(wait_until(refuses_connections, NULL, WAIT_LONG_MS), "still takes connections");
    hold_end(&h);
    struct http_response r;
    cr_assert(http_client_read(&c, false, &r), "the request in flight was dropped");
    cr_expect_eq(r.status, 200, "%d %s", r.status, r.body);
    const char *connection = http_response_header(&r, "connection");
    cr_expect(connection && strcmp(connection, "close") == 0);
    cr_expect_eq(stack_stop(router, 0), 0, "exit code of a drained router");
    http_response_free(&r);
    http_client_close(&c);
    api_close(&a);
    api_release();
}

Test(signals, second_term_does_not_wait)
{
    struct api a = api_login(OWNER_A);
    int port;
    pid_t router = stack_start_router("router.conf", NULL, &port);
    stack_use_port(port);
    struct hold h = hold_begin("practice-a", "client");
    struct http_client c = in_flight(a.token);
    cr_assert(hold_wait_for(&h, 1));
    kill(router, SIGTERM);
    cr_assert(wait_until(refuses_connections, NULL, WAIT_LONG_MS));
    int64_t begin = wait_now_ms();
    int code = stack_stop(router, SIGTERM);
    cr_expect(code >= 0, "exit %d", code);
    printf("second SIGTERM: gone after %lld ms\n", (long long)(wait_now_ms() - begin));
    hold_end(&h);
    http_client_close(&c);
    api_close(&a);
    api_release();
}

struct slots {
    pid_t worker;
    size_t want;
};

static bool slots_left(void *arg)
{
    struct slots *s = arg;
    pid_t found[16];
    return stack_children(s->worker, "api", found, ARRAY_LEN(found)) == s->want;
}

/* Idle slots leave at once; the busy one answers first. */
Test(signals, worker_drains)
{
    char *dir = api_text("%s/run/second", stack_env("GREMIO_STATE"));
    char *setting = api_text("slots_dir=%s", dir);
    const char *const own[] = { setting, NULL };
    const char *const patient[] = { setting, "lock_timeout=50s", "statement_timeout=55s", NULL };
    struct api a = api_login(OWNER_A);
    int port;
    cr_assert_eq(system(api_text("mkdir -p %s", dir)), 0);
    pid_t worker = stack_start_worker(patient);
    pid_t router = stack_start_router("router.conf", own, &port);
    stack_use_port(port);
    struct hold h = hold_begin("practice-a", "client");
    struct http_client c = in_flight(a.token);
    cr_assert(hold_wait_for(&h, 1));
    kill(worker, SIGTERM);
    struct slots busy = { .worker = worker, .want = 1 };
    cr_expect(wait_until(slots_left, &busy, WAIT_LONG_MS), "idle slots stay");
    hold_end(&h);
    struct http_response r;
    cr_assert(http_client_read(&c, false, &r));
    cr_expect_eq(r.status, 200, "%d %s", r.status, r.body);
    cr_expect_eq(stack_stop(worker, 0), 0, "exit code of a drained worker");
    cr_expect(stack_wait_status(port, "/readyz", 503), "ready without a slot");
    http_response_free(&r);
    http_client_close(&c);
    cr_expect_eq(stack_stop(router, SIGTERM), 0);
    api_close(&a);
    api_release();
}

/* The stack's router.conf with lines added, as DIR/conf/reload.conf. */
static void write_conf(const char *more)
{
    const char *dir = stack_env("GREMIO_STATE");
    cr_assert_eq(system(api_text("cp %s/conf/router.conf %s/conf/reload.conf.new && printf '%%b' "
                                 "'%s' >> %s/conf/reload.conf.new && mv %s/conf/reload.conf.new "
                                 "%s/conf/reload.conf",
                                 dir, dir, more, dir, dir, dir)),
                 0);
}

/* Status of a request line of about n bytes. */
static int status_of_line(size_t n)
{
    struct http_client c;
    struct http_response r = { 0 };
    char path[4096];
    memset(path, 'a', n);
    path[n] = '\0';
    if (http_client_open(&c, stack_host(), stack_port())) {
        http_client_send_text(&c, api_text("GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", path));
        if (!http_client_read(&c, false, &r)) {
            r.status = 0;
        }
    }
    int status = r.status;
    http_response_free(&r);
    http_client_close(&c);
    return status;
}

static bool long_line_is_refused(void *arg)
{
    UNUSED(arg);
    return status_of_line(1000) == 414;
}

static bool longer_line_is_taken(void *arg)
{
    UNUSED(arg);
    return status_of_line(1000) != 414 && status_of_line(2500) == 414;
}

Test(signals, reload_takes_a_good_configuration_and_no_bad_one)
{
    int port;
    write_conf("");
    pid_t router = stack_start_router("reload.conf", NULL, &port);
    stack_use_port(port);
    cr_expect_neq(status_of_line(1000), 414);
    write_conf("request_line_max = 600\\n");
    kill(router, SIGHUP);
    cr_assert(wait_until(long_line_is_refused, NULL, WAIT_LONG_MS), "SIGHUP changed nothing");
    /* One bad row, one row that needs a restart: each refuses the whole file. */
    static const char *const bad[] = {
        "request_line_max = 2k\\nheader_fields_max = 1000000\\n",
        "request_line_max = 2k\\nno_such_setting = 1\\n",
        "request_line_max = 2k\\naudience = other\\n",
    };
    static const char *const why[] = { "header_fields_max", "no_such_setting", "audience" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        write_conf(bad[i]);
        kill(router, SIGHUP);
        int64_t end = wait_now_ms() + WAIT_LONG_MS;
        char *log = api_text("router-%d.log", port);
        while (!stack_log_has(log, why[i]) && wait_now_ms() < end) {
            cr_expect_eq(status_of_line(1000), 414);
        }
        cr_expect(stack_log_has(log, why[i]), "the log does not name %s", why[i]);
        cr_expect_eq(status_of_line(1000), 414, "half of a bad configuration was taken");
        cr_expect(stack_alive(router));
    }
    write_conf("request_line_max = 2k\\n");
    kill(router, SIGHUP);
    cr_expect(wait_until(longer_line_is_taken, NULL, WAIT_LONG_MS));
    cr_expect_eq(stack_stop(router, SIGTERM), 0);
    api_release();
}
