/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Secrets stay where they belong. At log level debug, under load and while slots and the database die, every kind of secret
 * is used, rightly and wrongly; then everything written, every command line and every environment is searched for all
 * of them. SOAK_SECONDS makes it go on for longer, SOAK_MEGABYTES until so much is logged. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/secret.h"
#include "tests/support/guest.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(secrets, .timeout = 7200);

#define SECRETS_MAX 64
#define CLIENTS     4

static struct {
    const char *what;
    char text[4200];
} secrets[SECRETS_MAX];
static size_t secret_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void plant(const char *what, const char *text)
{
    pthread_mutex_lock(&lock);
    cr_assert_lt(secret_count, SECRETS_MAX);
    cr_assert(strlen(text) > 12 && strlen(text) < sizeof secrets[0].text, "%s: \"%s\"", what, text);
    secrets[secret_count].what = what;
    strcpy(secrets[secret_count++].text, text);
    pthread_mutex_unlock(&lock);
}

static void plant_file(const char *name)
{
    char line[200] = "";
    FILE *f = fopen(api_text("%s/secrets/%s", stack_env("GREMIO_STATE"), name), "re");
    cr_assert(f && fgets(line, sizeof line, f), "no %s", name);
    fclose(f);
    line[strcspn(line, "\r\n")] = '\0';
    plant(name, line);
    if (strcmp(name, "pool.key") == 0) {
        char password[SECRET_PASSWORD_MAX];
        cr_assert_eq(secret_login_password(line, "gremio_pool_00", password), OK);
        plant("password of gremio_pool_00", password);
    }
}

/* The part of a token that makes it one. */
static void plant_login(const struct api *a)
{
    plant("access token", a->token);
    plant("signature of an access token", strrchr(a->token, '.') + 1);
    plant("refresh token", a->refresh);
}

/* ---- use and abuse ---- */

struct client {
    pthread_t thread;
    atomic_uint done;
    const char *token, *link,
        *guest; /* link: what stands behind /i/; guest: the token of who opened it */
    unsigned number;
    char wrong[64]; /* a password somebody might have elsewhere */
};

static atomic_bool enough;

#define JSON "Content-Type: application/json\r\n"

#define KINDS 11

static const char *const links[] = {
    "GET /i/%s HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n",
    "GET /i/%s HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /i/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "POST /i/%s/code HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "POST /i/%s HTTP/1.1\r\nHost: x\r\nContent-Type: "
    "application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\ncode=%%",
    "DELETE /i/%s HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /i/%s/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /i/%sx HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /api/v1/clients/%s HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /i?token=%s HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nReferer: http://x/i/%s\r\n\r\n",
};

/* Requests that carry secrets in the right and in wrong places; the marker is none and must be found in the log. */
static size_t write_request(const struct client *c, unsigned n, char out[12000])
{
    char body[9000] = "", head[9000] = "";
    const char *line = "GET /api/v1/clients?limit=5";
    snprintf(head, sizeof head, "Authorization: Bearer %s\r\n", c->token);
    switch (n % KINDS) {
    case 1:
        line = "POST /api/v1/auth/login";
        snprintf(head, sizeof head, JSON);
        snprintf(body, sizeof body, "{\"email\":\"owner-a@example.com\",\"password\":\"%s\"}",
                 c->wrong);
        break;
    case 2:
        line = "POST /api/v1/auth/login";
        snprintf(head, sizeof head, JSON);
        snprintf(body, sizeof body, "{\"email\":\"a@b.c\",\"password\":\"%s\",,,", c->wrong);
        break;
    case 3:
        line = "POST /api/v1/auth/refresh";
        snprintf(head, sizeof head, JSON);
        snprintf(body, sizeof body, "{\"refresh_token\":\"%s\"}", c->wrong);
        break;
    case 4:
        snprintf(head, sizeof head, "Authorization: Bearer %sx\r\n", c->token);
        break;
    case 5:
        snprintf(head, sizeof head, "Authorization: Basic %s\r\nCookie: session=%s\r\n", c->wrong,
                 c->wrong);
        break;
    case 6:
        return (size_t)snprintf(out, 12000,
                                "GET /api/v1/clients?access_token=%s HTTP/1.1\r\nHost: x\r\n\r\n",
                                c->token);
    case 7:
        line = "POST /api/v1/clients";
        snprintf(body, sizeof body, "{\"given_name\":1,\"note\":\"%s\",\"password\":\"%s\"}",
                 c->wrong, c->wrong);
        break;
    case 8:
        return (size_t)snprintf(out, 12000,
                                "GET /api/v1/%s/clients HTTP/1.1\r\nHost: x\r\nBroken %s\r\n\r\n",
                                c->wrong, c->token);
    case 9: /* a link where it belongs and where it does not, by browsers and by those who guess */
        return (size_t)snprintf(out, 12000, links[n / KINDS % ARRAY_LEN(links)], c->link);
    case 10:
        line = n / KINDS % 2 ? "POST /i/confirm" : "GET /i";
        snprintf(head, sizeof head, "Cookie: gremio_guest=%s%s\r\nAccept: text/html\r\n", c->guest,
                 n / KINDS % 3 ? "" : "x");
        break;
    default:
        break;
    }
    return (size_t)snprintf(
        out, 12000,
        "%s HTTP/1.1\r\nHost: x\r\nX-Request-Id: marker-%u\r\n%sContent-Length: %zu\r\n\r\n%s",
        line, c->number, head, strlen(body), body);
}

static void *run_client(void *arg)
{
    struct client *c = arg;
    struct http_client http = { .fd = -1 };
    struct http_response r;
    char request[12000];
    for (unsigned n = 0; !enough; n++) {
        unsigned kind = n % 200 == 1 ? 1 : n % KINDS == 1 ? 0 : n; /* hashing is slow */
        size_t len = write_request(c, kind, request);
        if (http.fd < 0 && !http_client_open(&http, stack_host(), stack_port())) {
            continue;
        }
        if (!http_client_send(&http, request, len) || !http_client_read(&http, false, &r)) {
            http_client_close(&http);
            continue;
        }
        const char *connection = http_response_header(&r, "connection");
        if (connection && strcmp(connection, "close") == 0) {
            http_client_close(&http);
        }
        http_response_free(&r);
        atomic_fetch_add(&c->done, 1);
    }
    http_client_close(&http);
    return NULL;
}

/* ---- the search ---- */

static size_t scanned;

static void search(const char *where, const char *bytes, size_t n)
{
    scanned += n;
    for (size_t i = 0; i < secret_count; i++) {
        cr_expect_null(memmem(bytes, n, secrets[i].text, strlen(secrets[i].text)), "%s is in %s",
                       secrets[i].what, where);
    }
}

/* True when the marker is there, which shows that the search would find something. */
static bool search_file(const char *path, const char *marker)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &st) == 0, "%s", path);
    size_t n = (size_t)st.st_size;
    char *bytes = n > 0 ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    bool found = false;
    if (bytes) {
        search(path, bytes, n);
        found = memmem(bytes, n, marker, strlen(marker)) != NULL;
        munmap(bytes, n);
    }
    close(fd);
    return found;
}

static void each_log(void (*look)(const char *path, void *arg), void *arg)
{
    char *folder = api_text("%s/log", stack_env("GREMIO_STATE"));
    DIR *dir = opendir(folder);
    struct dirent *e;
    while ((e = readdir(dir))) {
        if (e->d_type == DT_REG) {
            look(api_text("%s/%s", folder, e->d_name), arg);
        }
    }
    closedir(dir);
}

static void search_log(const char *path, void *marked)
{
    *(unsigned *)marked += search_file(path, "marker-1");
}

static void add_size(const char *path, void *total)
{
    struct stat st;
    *(off_t *)total += stat(path, &st) == 0 ? st.st_size : 0;
}

static void search_logs(void)
{
    unsigned marked = 0;
    each_log(search_log, &marked);
    cr_expect_gt(marked, 0, "the log has no line of a request: the search proves nothing");
}

static bool logged_enough(void)
{
    const char *wanted = getenv("SOAK_MEGABYTES");
    off_t total = 0;
    each_log(add_size, &total);
    return total >= (wanted ? strtol(wanted, NULL, 10) << 20 : 0);
}

/* Command line and environment; and that no core of it would be written. */
static void search_process(pid_t pid)
{
    static const char *const files[] = { "cmdline", "environ" };
    static char text[1 << 17];
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char *path = api_text("/proc/%d/%s", (int)pid, files[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
        close(fd);
        search(path, text, n > 0 ? (size_t)n : 0);
    }
    FILE *f = fopen(api_text("/proc/%d/limits", (int)pid), "re");
    bool none = !f;
    while (f && fgets(text, sizeof text, f)) {
        unsigned long soft, hard;
        none |= sscanf(text, "Max core file size %lu %lu", &soft, &hard) == 2 && soft == 0 &&
                hard == 0;
    }
    if (f) {
        fclose(f);
    }
    cr_expect(none, "process %d may dump core", (int)pid);
}

static void search_family(pid_t parent)
{
    pid_t children[64];
    search_process(parent);
    size_t n = stack_children(parent, "", children, ARRAY_LEN(children));
    cr_expect_gt(n, 0);
    for (size_t i = 0; i < n; i++) {
        search_process(children[i]);
    }
}

/* A client's link: made, opened rightly and wrongly, and what its guest does then. */
static void plant_link(struct api *owner)
{
    const char *client = api_new_client(owner, api_unique("Secret"));
    struct guest_link l = guest_link_to(owner, api_text("clients/%s", client), GUEST_ALL_SCOPES);
    plant("secret of a link", l.token);
    struct api guest = guest_enter(l.token);
    plant("access token of a guest", guest.token);
    guest_proposal(owner, &guest, client, "Otra");
    cr_expect_eq(guest_open(l.token, ",\"code\":1")->status, 422);
    cr_expect_eq(guest_open(l.token, ",\"nonsense\":\"x\"")->status, 422);
    api_send(owner, "POST", api_text("/api/v1/links/%s/revoke", l.id), NULL, NULL);
    cr_expect_eq(guest_open(l.token, "")->status, 410);
    cr_expect_eq(api_get(&guest, "/api/v1/guest/me")->status, 410);
    api_close(&guest);
}

/* ---- failures ---- */

static void kill_a_slot(pid_t worker)
{
    pid_t slots[32];
    size_t n = stack_children(worker, "api", slots, ARRAY_LEN(slots));
    if (n > 0) {
        kill(slots[(size_t)wait_now_ms() % n], n % 2 ? SIGKILL : SIGABRT);
    }
}

struct target {
    const struct client *clients;
    unsigned done;
};

static bool all_did(void *arg)
{
    const struct target *t = arg;
    for (size_t i = 0; i < CLIENTS; i++) {
        if (t->clients[i].done < t->done) {
            return false;
        }
    }
    return true;
}

/* Every client answered n times more, among deaths. */
static void go_on(const struct client *clients, pid_t worker, unsigned more)
{
    struct target t = { .clients = clients };
    for (size_t i = 0; i < CLIENTS; i++) {
        t.done = clients[i].done > t.done ? clients[i].done : t.done;
    }
    t.done += more;
    kill_a_slot(worker);
    cr_assert(wait_until(all_did, &t, WAIT_LONG_MS * 2), "a client gets no answers");
}

Test(secrets, are_nowhere)
{
    static struct client clients[CLIENTS];
    static const char *const files[] = { "pool.key", "auth.password", "sealing.key",
                                         "router.password", "provision.password" };
    const char *soak = getenv("SOAK_SECONDS");
    char *slots = api_text("slots_dir=%s/run/secret", stack_env("GREMIO_STATE"));
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        plant_file(files[i]);
    }
    plant("password of the owners", stack_password());
    char *password = api_text("%s", stack_password());
    unsetenv("GREMIO_PASSWORD"); /* the test's own: programs started here shall not inherit it */
    int port;
    pid_t worker = stack_start_worker((const char *const[]){ slots, "log_level=debug", NULL });
    pid_t router = stack_start_router(
        "router.conf", (const char *const[]){ slots, "log_level=debug", "processes=2", NULL },
        &port);
    stack_use_port(port);
    setenv("GREMIO_PASSWORD", password, 1);
    struct api a = api_login(OWNER_A), b = api_login(OWNER_B);
    plant_login(&a);
    plant_login(&b);
    plant_link(&a);
    struct guest_link link = guest_link_to(&a, api_text("clients/%s", api_new_client(&a, "Ana")),
                                           "");
    struct api guest = guest_enter(link.token);
    plant("token of a link", link.token);
    plant("secret part of a link", link.token + strlen(link.token) - 32);
    plant("token of a guest", guest.token);
    int64_t end = wait_now_ms() + (soak ? strtol(soak, NULL, 10) * 1000 : 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].token = i % 2 ? b.token : a.token;
        clients[i].number = i;
        clients[i].link = link.token;
        clients[i].guest = guest.token;
        snprintf(clients[i].wrong, sizeof clients[i].wrong, "Wrong-%s%u", "b7e1c5fa93d2408e", i);
        plant("password that was tried", clients[i].wrong);
        pthread_create(&clients[i].thread, NULL, run_client, &clients[i]);
    }
    go_on(clients, worker, 60);
    search_family(worker);
    search_family(router);
    cr_assert(stack_pg_ctl("restart", "immediate"));
    do {
        go_on(clients, worker, soak ? 2000 : 60);
    } while (wait_now_ms() < end || !logged_enough());
    enough = true;
    unsigned requests = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        requests += clients[i].done;
    }
    cr_expect_eq(stack_stop(router, SIGTERM), 0);
    cr_expect_eq(stack_stop(worker, SIGTERM), 0);
    search_logs();
    printf("secrets: %zu planted, %u requests, %zu bytes searched, 0 found\n", secret_count,
           requests, scanned);
    api_close(&guest);
    api_close(&a);
    api_close(&b);
    api_release();
}
