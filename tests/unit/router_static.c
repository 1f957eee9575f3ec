/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Files over HTTP: types, tags, what is not shown, and that no path leaves the folder. */
#include "router/static.h"

#include <sys/stat.h>

#include "http_rig.h"

static struct rig r;
static char dir[] = "/tmp/gremio-static-XXXXXX";

static void on_head(struct exchange *x, void *arg)
{
    UNUSED(arg);
    http_accept_body(x, 0);
}

static void on_request(struct exchange *x, void *arg)
{
    UNUSED(arg);
    if (!static_serve(x, dir)) {
        http_problem(x, E_NOT_FOUND, NULL);
    }
}

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void run(const char *fmt)
{
    char command[512];
    snprintf(command, sizeof(command), fmt, dir, dir, dir, dir, dir);
    cr_assert_eq(system(command), 0);
}

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(dir));
    run("mkdir -p %s/docs/deep %s/empty && ln -s /etc/passwd %s/link && ln -s docs %s/alias && "
        "mkfifo %s/pipe");
    put("index.html", "root page");
    put("app.js", "let a;");
    put(".secret", "hidden");
    put("docs/index.html", "docs page");
    put("docs/a b.css", "p{}");
    put("docs/deep/data.json", "{}");
    put("zero.txt", "");
    rig_init(&r);
    rig_start(&r, NULL);
    http_free(r.server);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 16) == 0);
    getsockname(fd, (struct sockaddr *)&a, &n);
    r.port = ntohs(a.sin_port);
    struct http_callbacks cb = {
        .on_head = on_head, .on_request = on_request, .on_gone = rig_on_gone, .arg = &r
    };
    cr_assert_eq(http_new(r.base, fd, &r.limits, &cb, NULL, &r.server), OK);
}

static void tear_down(void)
{
    rig_stop(&r);
    run("rm -rf %s");
}

TestSuite(static_files, .init = set_up, .fini = tear_down);

static struct rig_in *get(const char *path, const char *extra)
{
    char text[512];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", path,
             extra);
    struct rig_in *in = rig_ask(&r, slice_of(text));
    rig_expect_close(&r, in);
    return in;
}

static const struct {
    const char *path, *status, *has, *body;
} rows[] = {
    { "/", "200", "Content-Type: text/html; charset=utf-8\r\n", "root page" },
    { "/", "200", "frame-ancestors 'none'", "root page" },
    { "/index.html", "200", "Cache-Control: no-cache\r\n", "root page" },
    { "/app.js", "200", "Content-Type: text/javascript; charset=utf-8\r\n", "let a;" },
    { "/app.js?v=1", "200", "Cache-Control: public, max-age=3600\r\n", "let a;" },
    { "/zero.txt", "200", "Content-Length: 0\r\n", "" },
    { "/docs", "301", "Location: /docs/\r\n", "" },
    { "/docs/deep", "301", "Location: /docs/deep/\r\n", "" },
    { "/docs?from=a%20mail", "301", "Location: /docs/\r\n", "" },
    { "/do%63s", "404", "", NULL },
    { "/docs/index.html", "200", "Referrer-Policy: no-referrer\r\n", "docs page" },
    { "/", "200", "form-action 'self'", "root page" },
    { "/docs/", "200", "text/html", "docs page" },
    { "/api/docs", "301", "Location: /api/docs/\r\n", "" },
    { "/api/docs/", "200", "text/html", "docs page" },
    { "/api/docs/a%20b.css", "200", "text/css", "p{}" },
    { "/api/docs/deep/data.json", "200", "application/json", "{}" },
    { "/api/docsx", "404", "", NULL },
    { "/.secret", "404", "", NULL },
    { "/nothing", "404", "", NULL },
    { "/empty/", "404", "", NULL },
    { "/app.js/", "404", "", NULL },
    { "/app.js/x", "404", "", NULL },
    { "/link", "404", "", NULL },
    { "/alias/", "404", "", NULL },
    { "/alias/index.html", "404", "", NULL },
    { "/pipe", "404", "", NULL },
    { "/../etc/passwd", "400", "", NULL },
    { "/%2e%2e/etc/passwd", "400", "", NULL },
    { "/..%2fetc/passwd", "400", "", NULL },
    { "/docs/..%5c..%5cindex.html", "400", "", NULL },
    { "//etc/passwd", "400", "", NULL },
};

Test(static_files, table)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig_in *in = get(rows[i].path, "");
        cr_expect_eq(strncmp(in->text + 9, rows[i].status, 3), 0, "%s: %.30s", rows[i].path,
                     in->text);
        cr_expect_not_null(strstr(in->text, rows[i].has), "%s: %s", rows[i].path, in->text);
        const char *body = strstr(in->text, "\r\n\r\n");
        cr_expect(rows[i].body == NULL || (body != NULL && strcmp(body + 4, rows[i].body) == 0),
                  "%s", rows[i].path);
        cr_expect_null(strstr(in->text, "root:"));
        rig_hang_up(in);
    }
}

/* Only pages have addresses that tell something, and only they are asked for anew each time. */
Test(static_files, what_pages_are_made_of_is_kept)
{
    struct rig_in *in = get("/app.js", "");
    cr_expect_null(strstr(in->text, "Referrer-Policy"));
    cr_expect_null(strstr(in->text, "no-cache"));
    rig_hang_up(in);
    in = get("/docs", "");
    cr_expect_not_null(strstr(in->text, "Cache-Control: no-cache\r\n"), "%s", in->text);
    rig_hang_up(in);
}

Test(static_files, not_modified)
{
    struct rig_in *in = get("/app.js", "");
    char *at = strstr(in->text, "ETag: ");
    cr_assert_not_null(at);
    char field[128];
    snprintf(field, sizeof(field), "If-None-Match: \"x\", W/%.*s\r\n", (int)strcspn(at + 6, "\r"),
             at + 6);
    rig_hang_up(in);
    in = get("/app.js", field);
    cr_expect_eq(strncmp(in->text, "HTTP/1.1 304 ", 13), 0, "%s", in->text);
    cr_expect_null(strstr(in->text, "let a"));
    rig_hang_up(in);
    in = get("/app.js", "If-None-Match: \"other\"\r\n");
    cr_expect_eq(strncmp(in->text, "HTTP/1.1 200 ", 13), 0);
    rig_hang_up(in);
}

Test(static_files, too_big_is_not_there)
{
    char path[256];
    put("big.bin", "x");
    snprintf(path, sizeof(path), "%s/big.bin", dir);
    cr_assert_eq(truncate(path, STATIC_FILE_MAX + 1), 0);
    struct rig_in *in = get("/big.bin", "");
    cr_expect_eq(strncmp(in->text, "HTTP/1.1 404 ", 13), 0);
    rig_hang_up(in);
}

Test(static_files, only_get_and_head)
{
    struct rig_in *in = rig_ask(&r, SLICE("POST /app.js HTTP/1.1\r\nHost: h\r\n\r\n"
                                          "HEAD /app.js HTTP/1.1\r\nHost: h\r\n\r\n"));
    rig_expect(&r, in, "HTTP/1.1", 2);
    cr_expect_eq(rig_count(in->text, "HTTP/1.1 404"), 1);
    cr_expect_eq(rig_count(in->text, "Content-Length: 6\r\n"), 1);
    cr_expect_null(strstr(in->text, "let a"));
    rig_hang_up(in);
}
