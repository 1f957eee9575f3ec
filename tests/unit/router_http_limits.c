/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every limit and timer of connections: totals that no dripping byte moves, caps, descriptor exhaustion, memory held for
 * clients that only send or only wait. */
#include <sys/resource.h>

#include "common/log.h"
#include "http_rig.h"

static struct rig r;

static void set_up(void)
{
    rig_init(&r);
    log_init("test", LOG_LEVEL_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static void tear_down(void)
{
    rig_stop(&r);
}

TestSuite(http_limits, .init = set_up, .fini = tear_down);

static int64_t elapsed_ms(int64_t since)
{
    return (clock_mono_us() - since) / 1000;
}

/* Sends one byte of text per turn, over and over, until the server closes. */
/* Sends a byte a millisecond at the most until the server hangs up; true when it did so although bytes kept coming. */
static bool drip(struct rig_in *in, const char *text)
{
    size_t i = 0;
    int64_t since = clock_mono_us();
    RIG_UNTIL(&r, ({
        if (i < strlen(text) && (size_t)elapsed_ms(since) > i &&
            send(in->fd, text + i, 1, MSG_NOSIGNAL) == 1) {
            i++;
        }
        rig_poll(in);
        in->closed;
    }));
    return i < strlen(text);
}

Test(http_limits, header_deadline_is_total)
{
    static char text[4096];
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    r.limits.header_timeout = 300;
    rig_start(&r, NULL);
    struct rig_in *in = rig_ask(&r, SLICE(""));
    int64_t since = clock_mono_us();
    cr_expect(drip(in, text), "the deadline moved with every byte");
    cr_expect_geq(elapsed_ms(since), 300);
    cr_expect_eq(strncmp(in->text, "HTTP/1.1 408", 12), 0, "%s", in->text);
    cr_expect(strstr(in->text, "request_timeout") != NULL);
    cr_expect(strstr(in->text, "Retry-After: 1\r\n") != NULL);
    rig_hang_up(in);
}

Test(http_limits, body_deadline_is_total)
{
    r.limits.body_timeout = 300;
    rig_start(&r, NULL);
    struct rig_in *in = rig_ask(
        &r, SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\n"));
    int64_t since = clock_mono_us();
    (void)drip(in, "some of it, slowly");
    cr_expect_geq(elapsed_ms(since), 250);
    cr_expect_eq(strncmp(in->text, "HTTP/1.1 408", 12), 0);
    rig_hang_up(in);
}

Test(http_limits, body_needs_a_least_rate)
{
    r.limits.body_grace = 200;
    r.limits.body_min_rate = 100000;
    rig_start(&r, NULL);
    struct rig_in *in = rig_ask(
        &r, SLICE("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
    int64_t since = clock_mono_us();
    (void)drip(in, "5\r\nhello\r\n5\r\nhello\r\n");
    cr_expect_geq(elapsed_ms(since), 200);
    cr_expect_eq(strncmp(in->text, "HTTP/1.1 408", 12), 0);
    rig_hang_up(in);
}

Test(http_limits, idle_connections_end)
{
    r.limits.idle_timeout = 200;
    rig_start(&r, NULL);
    struct rig_in *in = rig_ask(&r, SLICE(RIG_GET));
    rig_expect(&r, in, "200 OK", 1);
    rig_expect_close(&r, in);
    cr_expect_eq(rig_count(in->text, "HTTP/1.1"), 1);
    struct rig_in *silent = rig_ask(&r, SLICE(""));
    rig_expect_close(&r, silent);
    cr_expect_eq(silent->n, 0);
    rig_hang_up(in);
    rig_hang_up(silent);
}

Test(http_limits, a_client_that_does_not_read_is_cut)
{
    r.limits.write_timeout = 300;
    rig_start(&r, NULL);
    struct rig_in *in = rig_ask(&r, SLICE("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    RIG_UNTIL(&r, r.requests == 1);
    int64_t since = clock_mono_us();
    RIG_UNTIL(&r, http_connections(r.server) == 0);
    cr_expect_geq(elapsed_ms(since), 250);
    rig_hang_up(in);
}

Test(http_limits, a_client_that_reads_too_slowly_is_cut)
{
    r.limits.write_timeout = 300;
    r.limits.body_min_rate = 200 << 20; /* nobody takes this much */
    rig_start(&r, NULL);
    struct rig_in *in = rig_ask(&r, SLICE("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    size_t total = 0;
    int64_t since = clock_mono_us();
    RIG_UNTIL(&r, ({
        char some[1000];
        ssize_t n = recv(in->fd, some, sizeof(some), 0);
        total += n > 0 ? (size_t)n : 0;
        r.requests == 1 && http_connections(r.server) == 0;
    }));
    cr_expect_geq(elapsed_ms(since), 250);
    cr_expect(total > 0 && total < RIG_BIG, "%zu bytes", total);
    rig_hang_up(in);
}

Test(http_limits, slow_readers_give_way_to_others)
{
    r.limits.unsent_max = RIG_BIG + 1024;
    rig_start(&r, NULL);
    struct rig_in *slow = rig_ask(&r, SLICE("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    RIG_UNTIL(&r, r.requests == 1);
    cr_expect_eq(http_connections(r.server), 1);
    struct rig_in *in = rig_ask(&r, SLICE("GET /big HTTP/1.1\r\nHost: h\r\n\r\n"));
    RIG_UNTIL(&r, r.requests == 2);
    cr_expect_eq(http_connections(r.server), 1, "both kept");
    size_t total = 0;
    RIG_UNTIL(&r, (rig_poll(in), total += in->n, in->n = 0, total > RIG_BIG || in->closed));
    cr_expect_gt(total, RIG_BIG, "the one that reads was cut after %zu bytes", total);
    rig_hang_up(in);
    rig_hang_up(slow);
}

Test(http_limits, a_big_answer_arrives_whole)
{
    rig_start(&r, NULL);
    struct rig_in *in = rig_ask(&r,
                                SLICE("GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    size_t total = 0;
    RIG_UNTIL(&r, (rig_poll(in), total += in->n, in->n = 0, in->closed));
    cr_expect(total > RIG_BIG && total < RIG_BIG + 1024, "%zu", total);
    cr_expect(!in->reset);
    rig_hang_up(in);
}

Test(http_limits, requests_per_connection)
{
    r.limits.requests_per_connection = 3;
    rig_start(&r, NULL);
    struct rig_in *in = rig_ask(&r, SLICE(RIG_GET RIG_GET RIG_GET RIG_GET));
    rig_expect_close(&r, in);
    cr_expect_eq(rig_count(in->text, "HTTP/1.1 200"), 3);
    cr_expect_eq(rig_count(in->text, "Connection: close"), 1);
    rig_hang_up(in);
}

static void expect_third_refused(void)
{
    rig_start(&r, NULL);
    struct rig_in *one = rig_ask(&r, SLICE(RIG_GET)), *two = rig_ask(&r, SLICE(RIG_GET));
    rig_expect(&r, one, "200 OK", 1);
    rig_expect(&r, two, "200 OK", 1);
    struct rig_in *three = rig_ask(&r, SLICE(RIG_GET));
    rig_expect_close(&r, three);
    cr_expect_eq(strncmp(three->text, "HTTP/1.1 503", 12), 0, "%s", three->text);
    cr_expect(strstr(three->text, "\"overloaded\"") != NULL);
    cr_expect(strstr(three->text, "Retry-After: 1\r\n") != NULL);
    rig_hang_up(one);
    RIG_UNTIL(&r, http_connections(r.server) == 1);
    struct rig_in *four = rig_ask(&r, SLICE(RIG_GET));
    rig_expect(&r, four, "200 OK", 1);
    rig_hang_up(two);
    rig_hang_up(three);
    rig_hang_up(four);
}

Test(http_limits, connections_in_all)
{
    r.limits.connections_max = 2;
    expect_third_refused();
}

Test(http_limits, connections_of_one_address)
{
    r.limits.connections_per_address = 2;
    expect_third_refused();
}

static int64_t cpu_ms(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

Test(http_limits, without_descriptors_it_rests_and_recovers)
{
    rig_start(&r, NULL);
    struct rig_in *in = rig_ask(&r, SLICE(RIG_GET));
    struct rlimit was, none;
    getrlimit(RLIMIT_NOFILE, &was);
    none = was;
    none.rlim_cur = 3; /* no descriptor is free below it */
    setrlimit(RLIMIT_NOFILE, &none);
    int64_t cpu = cpu_ms(), since = clock_mono_us();
    RIG_UNTIL(&r, elapsed_ms(since) > 600);
    cr_expect_lt(cpu_ms() - cpu, 120, "used %ld ms of CPU", (long)(cpu_ms() - cpu));
    cr_expect_eq(http_connections(r.server), 0);
    setrlimit(RLIMIT_NOFILE, &was);
    rig_expect(&r, in, "200 OK", 1);
    rig_hang_up(in);
}

Test(http_limits, what_waits_behind_a_held_request_is_bounded)
{
    static char text[64 << 10];
    memset(text, 'x', sizeof(text));
    rig_start(&r, NULL);
    struct rig_in *in = rig_ask(&r, SLICE("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"));
    RIG_UNTIL(&r, r.held != NULL);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    size_t sent = 0;
    int64_t since = clock_mono_us();
    RIG_UNTIL(&r, ({
        ssize_t n = send(in->fd, text, sizeof(text), MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        elapsed_ms(since) > 300;
    }));
    getrusage(RUSAGE_SELF, &after);
    cr_expect_lt(sent, (size_t)32 << 20, "the kernel's buffers end, ours too");
    cr_expect_lt(after.ru_maxrss - before.ru_maxrss, 2048, "grew %ld KiB",
                 after.ru_maxrss - before.ru_maxrss);
    rig_echo(r.held);
    rig_expect(&r, in, "HTTP/1.1 200", 1);
    rig_hang_up(in);
}
