/* SPDX-License-Identifier: LicenseRef-Gremio */
/* An open-loop client: requests leave when they are due (a Poisson process for each group), whether or not earlier ones
 * were answered, and their time counts from when they were due. wrk waits for answers, so it cannot overload anybody.
 *   open_loop HOST PORT [SKIP+]SECONDS GROUP...      GROUP = NAME,OP,RATE,TOKENS[,FIRST,LAST[,CLIENTS]]
 * What is due in the first SKIP seconds is sent, but not counted.
 * OP: read, agenda, book, health; with a '!' behind it a client that was refused hangs up and comes on a new connection. RATE: requests a second; -N: closed loop of N connections. TOKENS: a file with a line
 * "TOKEN STAFF_ID" for each practice, of which lines FIRST to LAST (from 1) take turns.
 * CLIENTS: of each practice; as many as there may be unless said otherwise.
 * A connection is a client: it belongs to one practice, and a practice's clients ask in turn, whether or not they were told to
 * come back later (Retry-After). Who comes back too early is counted apart (early), and his time counts from when he
 * should have come. What finds no client that is free is unsent. One line of figures a
 * group; cpu: seconds of this process. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GROUPS_MAX   8
#define CONNS_MAX    8000 /* of a group */
#define CLIENTS_MAX  1000 /* of a practice: connections_per_address */
#define HEAD_MAX     4096
#define APPOINTMENTS 200     /* of bench/seed.sql, by BENCH_APPOINTMENTS */
#define LINGER_US    6000000 /* longer than anybody is told to stay away */

enum outcome { GOOD, REFUSED, FAILED, EARLY, OUTCOMES };

struct series {
    uint32_t *us;
    size_t count, room;
};

struct conn;

struct practice {
    char token[2048], staff[64];
    struct conn **idle; /* a ring of clients: the next to ask, and how many */
    size_t clients, first, free;
};

struct group {
    char name[32], op[16];
    double rate;
    bool hangs_up;
    struct practice *practices;
    size_t count, next, sent, unsent, good, refused, codes[600];
    double due_us;
    struct series took[OUTCOMES];
};

struct conn {
    int fd;              /* -1: not open */
    struct group *group; /* NULL: idle */
    struct practice *practice;
    double due_us, back_us; /* back: not to ask before */
    bool early;
    char head[HEAD_MAX];
    size_t head_len, body_left;
    bool in_body, last;
    int status;
};

static struct group groups[GROUPS_MAX];
static size_t group_count, conn_count;
static struct conn conns[GROUPS_MAX * CONNS_MAX];
static struct sockaddr_in address;
static int poller;
static double begin_us, end_us; /* of what is counted */

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char *what)
{
    fprintf(stderr, "open_loop: %s\n", what);
    exit(2);
}

/* ---- groups ---- */

static void read_practices(struct group *g, const char *file, size_t first, size_t last)
{
    struct practice p = { 0 };
    FILE *in = fopen(file, "r");
    if (!in) {
        die("no file of tokens");
    }
    for (size_t line = 1; fscanf(in, "%2047s %63s", p.token, p.staff) == 2; line++) {
        if (line < first || line > last) {
            continue;
        }
        g->practices = realloc(g->practices, (g->count + 1) * sizeof(p));
        g->practices[g->count++] = p;
    }
    fclose(in);
    if (g->count == 0) {
        die("a group without practices");
    }
}

static void make_clients(struct group *g, size_t most)
{
    for (size_t i = 0; i < g->count; i++) {
        struct practice *p = &g->practices[i];
        p->clients = CONNS_MAX / g->count < most ? CONNS_MAX / g->count : most;
        p->free = p->clients;
        p->idle = calloc(p->clients, sizeof(struct conn *));
        for (size_t k = 0; k < p->clients; k++) {
            p->idle[k] = &conns[conn_count++];
            *p->idle[k] = (struct conn){ .fd = -1, .practice = p };
        }
    }
}

static void read_group(const char *text)
{
    struct group *g = &groups[group_count++];
    char file[512];
    size_t first = 1, last = SIZE_MAX, clients = CLIENTS_MAX;
    int n = sscanf(text, "%31[^,],%15[^,],%lf,%511[^,],%zu,%zu,%zu", g->name, g->op, &g->rate, file,
                   &first, &last, &clients);
    if (n < 4) {
        die("GROUP is NAME,OP,RATE,TOKENS[,FIRST,LAST[,CLIENTS]]");
    }
    char *mark = strchr(g->op, '!');
    g->hangs_up = mark != NULL;
    if (mark) {
        *mark = '\0';
    }
    read_practices(g, file, first, last);
    make_clients(g, clients);
}

static void add_sample(struct series *s, double us)
{
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 4096;
        s->us = realloc(s->us, s->room * sizeof(*s->us));
        if (!s->us) {
            die("out of memory");
        }
    }
    s->us[s->count++] = us > 0 ? (uint32_t)us : 0;
}

/* ---- requests ---- */

static size_t get(char *out, size_t max, const char *target, const struct practice *p)
{
    return (size_t)snprintf(out, max,
                            "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
                            target, p->token);
}

/* A random minute of 600 days to come: with many practices hardly ever taken. */
static size_t book(char *out, size_t max, const struct practice *p)
{
    char at[32], body[512];
    time_t when = time(NULL) + (100 + rand() % 600) * 86400 + rand() % 86400;
    struct tm t;
    gmtime_r(&when, &t);
    strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:00Z", &t);
    int n = snprintf(
        body, sizeof(body),
        "{\"client_id\":\"00000000-0000-7000-8000-2000000%05d\",\"service_id\":"
        "\"00000000-0000-7000-8000-300000000001\",\"staff_id\":\"%s\",\"starts_at\":\"%s\"}",
        1 + rand() % 50, p->staff, at);
    return (size_t)snprintf(
        out, max,
        "POST /api/v1/appointments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
        p->token, n, body);
}

static size_t make_request(const struct group *g, const struct practice *p, char *out, size_t max)
{
    char target[128], day[16];
    if (strcmp(g->op, "book") == 0) {
        return book(out, max, p);
    }
    if (strcmp(g->op, "health") == 0) {
        return get(out, max, g->next % 2 ? "/healthz" : "/readyz", p);
    }
    if (strcmp(g->op, "agenda") == 0) {
        time_t when = 1799107200 + rand() % (APPOINTMENTS / 16) * 86400;
        struct tm t;
        gmtime_r(&when, &t);
        strftime(day, sizeof(day), "%Y-%m-%d", &t);
        snprintf(target, sizeof(target), "/api/v1/appointments?from=%s&to=%s", day, day);
    } else {
        snprintf(target, sizeof(target), "/api/v1/appointments/00000000-0000-7000-8000-1000000%05d",
                 1 + rand() % APPOINTMENTS);
    }
    return get(out, max, target, p);
}

/* ---- connections ---- */

static void close_conn(struct conn *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
}

static bool open_conn(struct conn *c)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (c->fd >= 0) {
            close(c->fd);
        }
        c->fd = -1;
        return false;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
    return true;
}

static void count(struct conn *c, enum outcome outcome)
{
    struct group *g = c->group;
    if (c->due_us < begin_us) {
        return;
    }
    g->good += outcome == GOOD;
    g->refused += outcome == REFUSED;
    g->codes[c->status > 0 && c->status < 600 ? c->status : 0]++;
    if (c->early && outcome != FAILED) {
        add_sample(&g->took[EARLY], now_us() - c->back_us);
    } else {
        add_sample(&g->took[outcome], now_us() - c->due_us);
    }
}

static void end_request(struct conn *c, enum outcome outcome)
{
    struct practice *p = c->practice;
    count(c, outcome);
    c->group = NULL;
    if (outcome == FAILED || c->last) {
        close_conn(c);
    }
    p->idle[(p->first + p->free++) % p->clients] = c;
}

static void send_on(struct conn *c, struct group *g, double due_us)
{
    char text[4096];
    c->group = g;
    c->due_us = due_us;
    c->early = now_us() < c->back_us;
    c->head_len = c->body_left = 0;
    c->in_body = c->last = false;
    c->status = 0;
    g->sent += due_us >= begin_us;
    size_t n = make_request(g, c->practice, text, sizeof(text));
    if (send(c->fd, text, n, MSG_NOSIGNAL) != (ssize_t)n) {
        end_request(c, FAILED);
    }
}

/* The next client of the next practice. */
static void send_request(struct group *g, double due_us)
{
    struct practice *p = &g->practices[g->next++ % g->count];
    struct conn *c = p->free > 0 ? p->idle[p->first] : NULL;
    if (!c || (c->fd < 0 && !open_conn(c))) {
        g->unsent += due_us >= begin_us;
        return;
    }
    p->first = (p->first + 1) % p->clients;
    p->free--;
    send_on(c, g, due_us);
}

/* A client of a closed loop asks again at once. */
static void ask_again(struct group *g, struct conn *c)
{
    struct practice *p = c->practice;
    if (c->fd >= 0 || open_conn(c)) {
        p->free--; /* it was put last */
        send_on(c, g, now_us());
    }
}

static void answered(struct conn *c)
{
    bool refused = c->status == 429 || c->status == 503;
    bool good = (c->status >= 200 && c->status < 300) || c->status == 409;
    const char *after = strstr(c->head, "Retry-After: ");
    struct group *g = c->group;
    c->last |= refused && g->hangs_up;
    end_request(c, refused ? REFUSED : good ? GOOD : FAILED);
    c->back_us = refused && after ? now_us() + atof(after + 13) * 1e6 : 0;
    if (g->rate <= 0 && now_us() < end_us) {
        ask_again(g, c);
    }
}

/* The head is whole: its status, and how much of the body is still to come. */
static void take_head(struct conn *c, const char *end)
{
    size_t head = (size_t)(end - c->head) + 4;
    const char *length = strstr(c->head, "Content-Length: ");
    c->status = atoi(c->head + 9);
    c->last = strstr(c->head, "Connection: close") != NULL;
    c->in_body = true;
    size_t body = length && length < end ? (size_t)atol(length + 16) : 0;
    c->body_left = body - (c->head_len - head);
}

static void take_bytes(struct conn *c)
{
    char scratch[65536];
    bool head = !c->in_body;
    ssize_t n = head ? recv(c->fd, c->head + c->head_len, HEAD_MAX - 1 - c->head_len, MSG_DONTWAIT)
                     : recv(c->fd, scratch, sizeof(scratch), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0 || !c->group) {
        c->group ? end_request(c, FAILED) : close_conn(c);
        return;
    }
    if (head) {
        c->head_len += (size_t)n;
        c->head[c->head_len] = '\0';
        const char *end = strstr(c->head, "\r\n\r\n");
        if (!end) {
            return;
        }
        take_head(c, end);
    } else {
        c->body_left -= (size_t)n;
    }
    if (c->body_left == 0) {
        answered(c);
    }
}

/* ---- the loop ---- */

/* Sends what is due; returns when the next is. */
static double send_due(double now)
{
    double next = end_us;
    for (size_t i = 0; i < group_count; i++) {
        struct group *g = &groups[i];
        while (g->rate > 0 && g->due_us <= now && g->due_us < end_us) {
            send_request(g, g->due_us);
            g->due_us += -log((rand() + 1.0) / (RAND_MAX + 2.0)) / g->rate * 1e6;
        }
        next = g->rate > 0 && g->due_us < next ? g->due_us : next;
    }
    return next;
}

static bool anything_open(void)
{
    for (size_t i = 0; i < conn_count; i++) {
        if (conns[i].group) {
            return true;
        }
    }
    return false;
}

static void run(void)
{
    struct epoll_event ready[256];
    for (double now = now_us(); now < end_us || (now < end_us + LINGER_US && anything_open());
         now = now_us()) {
        double wait = now < end_us ? send_due(now) - now : 10000;
        struct timespec t = { .tv_nsec = (long)((wait > 0 ? wait : 0) * 1e3) % 1000000000 };
        int n = epoll_pwait2(poller, ready, 256, &t, NULL);
        for (int i = 0; i < n; i++) {
            take_bytes(ready[i].data.ptr);
        }
    }
    for (size_t i = 0; i < conn_count; i++) {
        if (conns[i].group) {
            end_request(&conns[i], FAILED);
        }
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double at(const struct series *s, double part)
{
    return s->count ? s->us[(size_t)(part * (double)(s->count - 1))] / 1e3 : 0;
}

static double cpu_s(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void report(struct group *g, double seconds)
{
    for (int i = 0; i < OUTCOMES; i++) {
        qsort(g->took[i].us, g->took[i].count, sizeof(uint32_t), by_size);
    }
    const struct series *good = &g->took[GOOD], *refused = &g->took[REFUSED],
                        *early = &g->took[EARLY];
    printf("%s sent=%.0f good=%.0f p50=%.2f p99=%.2f max=%.2f refused=%.0f rp50=%.2f rp99=%.2f "
           "rmax=%.2f early=%.0f ep50=%.2f ep99=%.2f failed=%zu unsent=%.0f cpu=%.2f codes=",
           g->name, (double)g->sent / seconds, (double)g->good / seconds, at(good, 0.5),
           at(good, 0.99), at(good, 1), (double)g->refused / seconds, at(refused, 0.5),
           at(refused, 0.99), at(refused, 1), (double)early->count / seconds, at(early, 0.5),
           at(early, 0.99), g->took[FAILED].count, (double)g->unsent / seconds, cpu_s());
    for (int i = 0; i < 600; i++) {
        if (g->codes[i]) {
            printf("%d:%zu,", i, g->codes[i]);
        }
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        die("open_loop HOST PORT [SKIP+]SECONDS GROUP...");
    }
    struct rlimit files = { 2 * CONNS_MAX + 100, 2 * CONNS_MAX + 100 };
    setrlimit(RLIMIT_NOFILE, &files);
    const char *plus = strchr(argv[3], '+');
    double skip = plus ? atof(argv[3]) : 0, seconds = atof(plus ? plus + 1 : argv[3]);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    poller = epoll_create1(0);
    srand((unsigned)time(NULL) ^ (unsigned)getpid());
    for (int i = 4; i < argc && group_count < GROUPS_MAX; i++) {
        read_group(argv[i]);
    }
    begin_us = now_us() + skip * 1e6;
    end_us = begin_us + seconds * 1e6;
    for (size_t i = 0; i < group_count; i++) {
        groups[i].due_us = now_us();
        for (int k = 0; k < -groups[i].rate; k++) {
            send_request(&groups[i], now_us());
        }
    }
    run();
    for (size_t i = 0; i < group_count; i++) {
        report(&groups[i], seconds);
    }
    return 0;
}
