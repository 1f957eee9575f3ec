/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Who is refused for load is told when to come back and is not read before; nobody else feels it, nothing is lost or out of
 * order, and neither a leaving client nor a drain waits for it. */
#include "router/http_rest.h"

#include "http_rig.h"

#define ASK(path)  "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define FULL       ASK("/full")
#define SECOND_US  INT64_C(1000000)
#define FOREVER_US (3600 * SECOND_US)

static struct rig r;

static void set_up(void)
{
    rig_init(&r);
    rig_start(&r, NULL);
}

static void tear_down(void)
{
    rig_stop(&r);
}

TestSuite(http_rest, .init = set_up, .fini = tear_down);

/* A connection that was refused and rests until somebody else ends it. */
static struct rig_in *resting(void)
{
    struct rig_in *in = rig_ask(&r, SLICE(FULL));
    rig_expect(&r, in, "HTTP/1.1 503", 1);
    struct http_conn *c = LIST_FIRST(&r.server->conns);
    cr_assert_eq(c->phase, HTTP_REST);
    c->deadline_us += FOREVER_US;
    return in;
}

/* Until the server has read everything that was sent on its newest connection. */
static void let_it_read(size_t bytes)
{
    const struct http_conn *c = LIST_FIRST(&r.server->conns);
    RIG_UNTIL(&r, evbuffer_get_length(bufferevent_get_input(c->bev)) == bytes);
}

Test(http_rest, who_comes_too_early_waits_for_his_time)
{
    int64_t since = clock_mono_us();
    struct rig_in *in = rig_ask(&r, SLICE(FULL));
    rig_expect(&r, in, "Retry-After: 1\r\n", 1);
    rig_send(&r, in->fd, SLICE(ASK("/next")));
    rig_expect(&r, in, "\r\n\r\n/next", 1);
    cr_expect_geq(clock_mono_us() - since, SECOND_US);
    rig_hang_up(in);
}

Test(http_rest, pipelined_requests_keep_their_order_and_the_time_doubles)
{
    int64_t since = clock_mono_us();
    struct rig_in *in = rig_ask(&r, SLICE(FULL FULL ASK("/third") FULL));
    rig_expect(&r, in, "HTTP/1.1 503", 3);
    cr_expect_geq(clock_mono_us() - since, 3 * SECOND_US);
    const char *first = strstr(in->text, "Retry-After: 1\r\n"),
               *second = strstr(in->text, "Retry-After: 2\r\n"),
               *third = strstr(in->text, "\r\n\r\n/third");
    cr_assert(first && second && third, "%s", in->text);
    cr_expect(first < second && second < third);
    cr_expect_not_null(strstr(third, "Retry-After: 1\r\n"), "what was served began it anew");
    rig_hang_up(in);
}

Test(http_rest, others_are_served_meanwhile)
{
    struct rig_in *refused = resting();
    rig_send(&r, refused->fd, SLICE(ASK("/early")));
    for (int i = 0; i < 20; i++) {
        struct rig_in *in = rig_ask(&r, SLICE(ASK("/one") ASK("/two")));
        rig_expect(&r, in, "HTTP/1.1 200", 2);
        rig_hang_up(in);
    }
    rig_poll(refused);
    cr_expect_eq(rig_count(refused->text, "HTTP/1.1"), 1, "%s", refused->text);
    rig_hang_up(refused);
}

Test(http_rest, who_leaves_is_gone_at_once)
{
    struct rig_in *in = resting();
    rig_hang_up(in);
    RIG_UNTIL(&r, http_connections(r.server) == 0);
}

Test(http_rest, who_only_stops_sending_gets_all_his_answers)
{
    struct rig_in *in = rig_ask(&r, SLICE(FULL ASK("/last")));
    shutdown(in->fd, SHUT_WR);
    rig_expect_close(&r, in);
    cr_expect_eq(rig_count(in->text, "HTTP/1.1 503"), 1);
    cr_expect_eq(rig_count(in->text, "\r\n\r\n/last"), 1, "%s", in->text);
    rig_hang_up(in);
}

Test(http_rest, a_drain_waits_for_nobody_who_rests)
{
    struct rig_in *silent = resting(), *early = resting();
    rig_send(&r, early->fd, SLICE(ASK("/early")));
    let_it_read(strlen(ASK("/early")));
    http_drain(r.server);
    rig_expect_close(&r, silent);
    rig_expect_close(&r, early);
    cr_expect_eq(rig_count(early->text, "\r\n\r\n/early"), 1, "%s", early->text);
    cr_expect_eq(rig_count(early->text, "Connection: close\r\n"), 1);
    RIG_UNTIL(&r, http_connections(r.server) == 0);
    rig_hang_up(silent);
    rig_hang_up(early);
}

Test(http_rest, what_comes_early_is_bounded)
{
    static char much[1 << 20];
    struct rig_in *in = resting();
    size_t sent = 0;
    memset(much, 'a', sizeof(much));
    const struct http_conn *c = LIST_FIRST(&r.server->conns);
    RIG_UNTIL(&r, ({
        ssize_t n = send(in->fd, much, sizeof(much), MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        c->paused;
    }));
    for (int i = 0; i < 100; i++) {
        rig_turn(&r);
    }
    cr_expect_lt(evbuffer_get_length(bufferevent_get_input(c->bev)), 128u << 10);
    cr_expect_gt(sent, 0);
    rig_hang_up(in);
}

/* ---- who rests for how long ---- */

static unsigned judge(struct http_conn *c, char practice, bool refused)
{
    struct exchange x = { .has_tenant = practice != 0, .tenant.id.b[0] = (uint8_t)practice };
    return http_rest_judge(c, &x, refused);
}

Test(http_rest, refusals_in_a_row_double_the_time_up_to_a_limit)
{
    struct http_conn c = { .server = r.server };
    static const unsigned seconds[] = { 1, 2, 4, 4, 4 };
    for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
        cr_expect_eq(judge(&c, 'a', true), seconds[i]);
    }
    for (int i = 0; i < 100; i++) {
        cr_expect_eq(judge(&c, 'a', true), 4);
    }
    cr_expect_eq(judge(&c, 'a', false), 0);
    cr_expect_eq(judge(&c, 'a', true), 1);
    r.limits.rest_max = 0;
    cr_expect_eq(judge(&c, 'a', true), 0, "nobody ever rests");
}

Test(http_rest, a_proxys_connection_never_rests)
{
    struct http_conn c = { .server = r.server };
    cr_expect_eq(judge(&c, 0, true), 1, "whose it is is not known yet");
    cr_expect_eq(judge(&c, 'a', true), 2);
    cr_expect_eq(judge(&c, 0, false), 0, "a login is of no practice");
    cr_expect_eq(judge(&c, 'a', true), 1);
    cr_expect_eq(judge(&c, 'b', true), 0);
    cr_expect_eq(judge(&c, 'a', true), 0);
    struct rig_in *in = rig_ask(&r, SLICE(ASK("/?a") ASK("/full?b") ASK("/full?a") ASK("/end?a")));
    rig_expect(&r, in, "\r\n\r\n/end", 1);
    cr_expect_eq(rig_count(in->text, "Retry-After: 1\r\n"), 2, "%s", in->text);
    rig_hang_up(in);
}
