/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Channels against slots that are sockets held by the test: found, greeted, written to at once, dropped at a bad byte,
 * connected again, forgotten when their socket is gone. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "router/upstream.h"

#define WAIT_US INT64_C(10000000)

static struct event_base *base;
static struct upstream *upstream;
static char dir[] = "/tmp/gremio-upstream-XXXXXX";
static struct {
    unsigned ups, downs, drains;
    struct channel *channel;
    size_t replies, started, dying;
    uint64_t last_id;
    size_t last_body;
    bool refuse;
} seen;

static void *on_up(struct channel *c, const char *name, const struct frame_hello *hello, void *arg)
{
    UNUSED(arg);
    cr_assert_eq(strncmp(name, "api-", 4), 0);
    cr_assert_eq(hello->kind, KIND_API);
    cr_assert_eq(hello->map->count, 1);
    seen.ups++;
    seen.channel = c;
    return seen.refuse ? NULL : &seen;
}

static void on_started(void *slot, uint64_t id, void *arg)
{
    UNUSED(slot);
    UNUSED(arg);
    seen.started++;
    seen.last_id = id;
}

static void on_dying(void *slot, uint64_t id, void *arg)
{
    UNUSED(slot);
    UNUSED(arg);
    seen.dying++;
    seen.last_id = id;
}

static void on_reply(void *slot, const struct frame_reply *reply, void *arg)
{
    UNUSED(slot);
    UNUSED(arg);
    seen.replies++;
    seen.last_id = reply->id;
    seen.last_body = reply->body.n;
}

static void on_drain(void *slot, void *arg)
{
    UNUSED(slot);
    UNUSED(arg);
    seen.drains++;
}

static void on_down(void *slot, void *arg)
{
    UNUSED(arg);
    cr_assert_eq(slot, &seen);
    seen.downs++;
}

static const struct upstream_callbacks callbacks = {
    .up = on_up,
    .started = on_started,
    .reply = on_reply,
    .dying = on_dying,
    .drain = on_drain,
    .down = on_down,
};

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
    base = event_base_new();
    cr_assert_eq(upstream_new(base, dir, &callbacks, &upstream), OK);
}

static void teardown(void)
{
    upstream_free(upstream);
    event_base_free(base);
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(router_upstream, .init = setup, .fini = teardown);

/* Turns the loop until the condition holds. */
#define WAIT_FOR(condition)                                                         \
    do {                                                                            \
        int64_t until = clock_mono_us() + WAIT_US;                                  \
        while (!(condition)) {                                                      \
            cr_assert_lt(clock_mono_us(), until, "waited in vain for " #condition); \
            struct timeval turn = { .tv_usec = 5000 };                              \
            event_base_loopexit(base, &turn);                                       \
            event_base_loop(base, EVLOOP_ONCE);                                     \
        }                                                                           \
    } while (0)

static void path_of(const char *name, char out[108])
{
    snprintf(out, 108, "%s/%s.sock", dir, name);
}

static int listen_as(const char *name)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    path_of(name, a.sun_path);
    unlink(a.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert_eq(listen(fd, 16), 0);
    return fd;
}

static int accepted(int listener)
{
    int64_t until = clock_mono_us() + WAIT_US;
    struct pollfd p = { .fd = listener, .events = POLLIN };
    while (poll(&p, 1, 0) == 0) {
        cr_assert_lt(clock_mono_us(), until, "nobody connects");
        struct timeval turn = { .tv_usec = 5000 };
        event_base_loopexit(base, &turn);
        event_base_loop(base, EVLOOP_ONCE);
    }
    return accept(listener, NULL, NULL);
}

static void send_all(int fd, const struct sbuf *b)
{
    size_t at = 0;
    int64_t until = clock_mono_us() + WAIT_US;
    while (at < b->len) {
        ssize_t n = send(fd, b->data + at, b->len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        at += n > 0 ? (size_t)n : 0;
        cr_assert_lt(clock_mono_us(), until);
        if (n < 0) {
            cr_assert_eq(errno, EAGAIN);
            event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        }
    }
}

static void add_hello(struct sbuf *out)
{
    struct route_map *map = calloc(1, sizeof(*map));
    map->count = 1;
    strcpy(map->rows[0].pattern, "/api/v1/me");
    struct frame_hello h = { .kind = KIND_API, .batch_max = 16, .map = map };
    cr_assert_eq(frame_put_hello(out, &h), OK);
    free(map);
}

static void add_reply(struct sbuf *out, uint64_t id, struct slice body)
{
    struct frame_reply r = { .id = id, .status = 200, .content = CONTENT_JSON, .body = body };
    cr_assert_eq(frame_put_reply(out, &r), OK);
}

/* A slot that has been greeted and has said HELLO. */
static int slot_up(int listener)
{
    struct sbuf out;
    unsigned before = seen.ups;
    int fd = accepted(listener);
    sbuf_init(&out);
    add_hello(&out);
    send_all(fd, &out);
    sbuf_fini(&out);
    WAIT_FOR(seen.ups == before + 1);
    return fd;
}

static struct frame_request request(uint64_t id, struct slice body)
{
    return (struct frame_request){ .id = id, .path = SLICE("/api/v1/me"), .body = body };
}

Test(router_upstream, finds_greets_and_speaks)
{
    unsigned states[CHANNEL_STATE_COUNT];
    int listener = listen_as("api-00");
    int fd = slot_up(listener);
    struct frame_request one = request(1, SLICE("{}")), two = request(2, SLICE("[]"));
    cr_assert_eq(upstream_send(seen.channel, &one), OK);
    cr_assert_eq(upstream_send(seen.channel, &two), OK);
    upstream_cancel(seen.channel, 1);
    char buffer[4096];
    cr_assert_lt(recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT), 0,
                 "nothing before the loop turns");
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    struct slice in = { buffer, (size_t)n };
    enum frame_type types[3], want[3] = { FRAME_REQUEST, FRAME_REQUEST, FRAME_CANCEL };
    for (size_t i = 0; i < 3; i++) {
        size_t total;
        cr_assert_eq(frame_peek(in, &types[i], &total), OK);
        cr_assert_leq(total, in.n, "all three came in one piece");
        cr_assert_eq(types[i], want[i]);
        in.p += total;
        in.n -= total;
    }
    cr_assert_eq(in.n, 0);
    struct sbuf out;
    sbuf_init(&out);
    frame_put_id(&out, FRAME_STARTED, 1);
    for (uint64_t id = 1; id <= 100; id++) {
        add_reply(&out, id, SLICE("{}"));
    }
    send_all(fd, &out);
    WAIT_FOR(seen.replies == 100);
    cr_assert_eq(seen.started, 1);
    sbuf_reset(&out, 0);
    frame_put_id(&out, FRAME_DRAIN, 0);
    send_all(fd, &out);
    WAIT_FOR(seen.drains == 1);
    upstream_states(upstream, states);
    cr_assert_eq(states[CHANNEL_DRAINING], 1);
    cr_assert_eq(upstream_send(seen.channel, &one), E_CLOSED);
    sbuf_fini(&out);
    close(fd);
    WAIT_FOR(seen.downs == 1);
    close(listener);
}

Test(router_upstream, frames_may_come_byte_by_byte_and_be_large)
{
    int listener = listen_as("api-00");
    int fd = accepted(listener);
    struct sbuf out, one;
    sbuf_init(&out);
    add_hello(&out);
    add_reply(&out, 7, SLICE("{}"));
    for (size_t i = 0; i < out.len; i++) {
        cr_assert_eq(send(fd, out.data + i, 1, 0), 1);
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
    WAIT_FOR(seen.replies == 1);
    size_t size = 5u << 20;
    char *body = malloc(size);
    memset(body, 'x', size);
    sbuf_init(&one);
    add_reply(&one, 8, (struct slice){ body, size });
    add_reply(&one, 9, SLICE("{}"));
    send_all(fd, &one);
    WAIT_FOR(seen.replies == 3);
    cr_assert_eq(seen.last_id, 9);
    free(body);
    sbuf_fini(&one);
    sbuf_fini(&out);
    close(fd);
    close(listener);
}

/* A slot that reads slowly: what does not fit into its socket waits and arrives whole. */
Test(router_upstream, a_slow_reader_gets_everything)
{
    enum { N = 64, SIZE = 100000 };
    int listener = listen_as("api-00");
    int fd = slot_up(listener);
    char *body = malloc(SIZE), *in = malloc((size_t)N * (SIZE + 1000));
    size_t got = 0;
    memset(body, 'x', SIZE);
    for (uint64_t id = 1; id <= N; id++) {
        struct frame_request r = request(id, (struct slice){ body, SIZE });
        cr_assert_eq(upstream_send(seen.channel, &r), OK);
    }
    uint64_t next = 1;
    size_t at = 0;
    while (next <= N) {
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        ssize_t n = recv(fd, in + got, 30000, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
        enum frame_type type;
        size_t total;
        while (frame_peek((struct slice){ in + at, got - at }, &type, &total) == OK &&
               total <= got - at) {
            struct frame_request r;
            cr_assert_eq(frame_get_request((struct slice){ in + at, total }, &r), OK);
            cr_assert_eq(r.id, next++);
            cr_assert_eq(r.body.n, SIZE);
            at += total;
        }
    }
    free(body);
    free(in);
    close(fd);
    close(listener);
}

Test(router_upstream, a_bad_byte_drops_the_channel_and_it_comes_back)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n\r\n", "GRM2\x09\0\0\0\0\0\0\0",  "GRM2\x04\0\0\0\xff\xff\xff\xff",
        "GRM2\x04\0\0\1\0\0\0\0", "GRM2\x04\0\0\0\0\0\0\1x", "GRM2\x02\0\0\0\0\0\0\0",
    };
    static const size_t lengths[] = { 18, 12, 12, 12, 13, 12 };
    int listener = listen_as("api-00");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int fd = slot_up(listener);
        unsigned downs = seen.downs;
        cr_assert_eq(send(fd, bad[i], lengths[i], 0), (ssize_t)lengths[i]);
        WAIT_FOR(seen.downs == downs + 1);
        close(fd);
    }
    int early = accepted(listener);
    struct sbuf out;
    sbuf_init(&out);
    add_reply(&out, 1, SLICE("{}"));
    send_all(early, &out);
    int again = accepted(listener);
    cr_assert_eq(seen.replies, 0, "a reply before HELLO is none");
    sbuf_reset(&out, 0);
    add_hello(&out);
    add_hello(&out);
    send_all(again, &out);
    unsigned downs = seen.downs;
    WAIT_FOR(seen.downs == downs + 1);
    seen.refuse = true;
    close(slot_up(listener));
    sbuf_fini(&out);
    close(early);
    close(again);
    close(listener);
}

/* What a slot said before it died is heard, also when writing to it failed first. */
Test(router_upstream, last_words_are_heard)
{
    int listener = listen_as("api-00");
    int fd = slot_up(listener);
    struct sbuf out;
    sbuf_init(&out);
    frame_put_id(&out, FRAME_STARTED, 5);
    add_reply(&out, 6, SLICE("{}"));
    frame_put_id(&out, FRAME_DYING, 7);
    send_all(fd, &out);
    close(fd);
    struct frame_request r = request(7, SLICE("{}"));
    cr_assert_eq(upstream_send(seen.channel, &r), OK);
    WAIT_FOR(seen.downs == 1);
    cr_assert_eq(seen.started, 1);
    cr_assert_eq(seen.replies, 1);
    cr_assert_eq(seen.dying, 1);
    cr_assert_eq(seen.last_id, 7);
    sbuf_fini(&out);
    close(listener);
}

Test(router_upstream, sockets_come_and_go)
{
    unsigned states[CHANNEL_STATE_COUNT];
    char path[108];
    int one = listen_as("api-00"), two = listen_as("api-01");
    int fd = slot_up(one), fd2 = slot_up(two);
    path_of("api-01", path);
    unlink(path);
    close(two);
    close(fd2);
    WAIT_FOR(seen.downs == 1);
    WAIT_FOR((upstream_states(upstream, states), states[CHANNEL_DOWN] == 0));
    cr_assert_eq(states[CHANNEL_UP], 1);
    int three = listen_as("api-02");
    int fd3 = slot_up(three);
    upstream_states(upstream, states);
    cr_assert_eq(states[CHANNEL_UP], 2);
    close(fd);
    close(fd3);
    close(one);
    close(three);
}
