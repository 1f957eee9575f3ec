/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One thread, one poll over all pairs of sockets. The server's direction is read by type byte, length, body; the
 * client's is searched for a text (one read brings a whole request: they are short). */
#include "tests/support/relay.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define PAIRS_MAX  64
#define TICK_MS    20
#define HEAD_BYTES 5 /* of a message: type, length */

struct pair {
    int client, server; /* -1: free */
    unsigned char head[HEAD_BYTES];
    size_t head_len;
    size_t body_left;
    bool named, held;
};

struct relay {
    pthread_t thread;
    int listener;
    struct sockaddr_un path, target;
    struct pair pairs[PAIRS_MAX];
    char said[64];
    atomic_int hold_at; /* 0: pass everything; set after said */
    atomic_bool held, cut, stop;
};

static void close_pair(struct pair *p)
{
    close(p->client);
    close(p->server);
    *p = (struct pair){ .client = -1, .server = -1 };
}

static bool send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* How many of the bytes may pass: all, or those before the message to be held. */
static size_t allowed(struct relay *r, struct pair *p, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (p->body_left > 0) {
            size_t skip = size_min(p->body_left, n - i);
            p->body_left -= skip;
            i += skip;
            continue;
        }
        if (p->named && p->head_len == 0 && bytes[i] == atomic_load(&r->hold_at)) {
            atomic_store(&r->hold_at, 0);
            p->held = true;
            atomic_store(&r->held, true);
            return i;
        }
        p->head[p->head_len++] = (unsigned char)bytes[i++];
        if (p->head_len == HEAD_BYTES) {
            const unsigned char *h = p->head;
            p->body_left = ((size_t)h[1] << 24 | (size_t)h[2] << 16 | (size_t)h[3] << 8 | h[4]) - 4;
            p->head_len = 0;
        }
    }
    return n;
}

/* False when the pair is over. */
static bool pass(struct relay *r, struct pair *p, bool from_server)
{
    char bytes[16384];
    ssize_t n = recv(from_server ? p->server : p->client, bytes, sizeof bytes, 0);
    if (n <= 0) {
        return n < 0 && errno == EINTR;
    }
    if (!from_server) {
        p->named = p->named ||
                   (atomic_load(&r->hold_at) && memmem(bytes, (size_t)n, r->said, strlen(r->said)));
        return send_all(p->server, bytes, (size_t)n);
    }
    return p->held || send_all(p->client, bytes, allowed(r, p, bytes, (size_t)n));
}

static void accept_pair(struct relay *r)
{
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        struct pair *p = &r->pairs[i];
        if (p->client >= 0) {
            continue;
        }
        p->client = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
        p->server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(p->server, (struct sockaddr *)&r->target, sizeof r->target) != 0) {
            close_pair(p);
        }
        return;
    }
}

static void turn(struct relay *r)
{
    struct pollfd fds[1 + 2 * PAIRS_MAX];
    fds[0] = (struct pollfd){ .fd = r->listener, .events = POLLIN };
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        fds[1 + 2 * i] = (struct pollfd){ .fd = r->pairs[i].client, .events = POLLIN };
        fds[2 + 2 * i] = (struct pollfd){ .fd = r->pairs[i].server, .events = POLLIN };
    }
    if (poll(fds, ARRAY_LEN(fds), TICK_MS) <= 0) {
        return;
    }
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        struct pair *p = &r->pairs[i];
        bool over = fds[1 + 2 * i].revents && !pass(r, p, false);
        over = over || (fds[2 + 2 * i].revents && !pass(r, p, true));
        if (over) {
            close_pair(p);
        }
    }
    if (fds[0].revents) {
        accept_pair(r);
    }
}

static void *run(void *arg)
{
    struct relay *r = arg;
    while (!atomic_load(&r->stop)) {
        turn(r);
        bool cut = atomic_exchange(&r->cut, false);
        for (size_t i = 0; cut && i < PAIRS_MAX; i++) {
            if (r->pairs[i].client >= 0) {
                close_pair(&r->pairs[i]);
            }
        }
    }
    return NULL;
}

struct relay *relay_open(const char *folder)
{
    struct relay *r = calloc(1, sizeof *r);
    r->path.sun_family = r->target.sun_family = AF_UNIX;
    mkdir(folder, 0755);
    snprintf(r->path.sun_path, sizeof r->path.sun_path, "%s/.s.PGSQL.5432", folder);
    snprintf(r->target.sun_path, sizeof r->target.sun_path, "%s/.s.PGSQL.5432",
             stack_env("GREMIO_PG"));
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        r->pairs[i].client = r->pairs[i].server = -1;
    }
    unlink(r->path.sun_path);
    r->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(r->listener, (struct sockaddr *)&r->path, sizeof r->path) == 0 &&
              listen(r->listener, PAIRS_MAX) == 0);
    cr_assert(pthread_create(&r->thread, NULL, run, r) == 0);
    return r;
}

void relay_hold_at(struct relay *r, char type, const char *said)
{
    atomic_store(&r->held, false);
    snprintf(r->said, sizeof r->said, "%s", said);
    atomic_store(&r->hold_at, type);
}

static bool is_held(void *arg)
{
    struct relay *r = arg;
    return atomic_load(&r->held);
}

bool relay_wait_held(struct relay *r)
{
    return wait_until(is_held, r, WAIT_LONG_MS);
}

static bool is_cut(void *arg)
{
    struct relay *r = arg;
    return !atomic_load(&r->cut);
}

void relay_cut(struct relay *r)
{
    atomic_store(&r->cut, true);
    cr_assert(wait_until(is_cut, r, WAIT_LONG_MS));
}

void relay_close(struct relay *r)
{
    atomic_store(&r->stop, true);
    pthread_join(r->thread, NULL);
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        if (r->pairs[i].client >= 0) {
            close_pair(&r->pairs[i]);
        }
    }
    close(r->listener);
    unlink(r->path.sun_path);
    free(r);
}
