/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One chromedriver with one session. Every command is an HTTP request of its own and answers {"value": ...}; an error's value
 * names itself, and fails the test with what the driver says. */
#include "tests/support/browser.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/api.h"
#include "tests/support/http_client.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define ELEMENT    "element-6066-11e4-a52e-4f735466cecf" /* WebDriver's name for a web element's id */
#define TIMEOUT_MS 120000
#define WINDOW_MIN 500 /* pixels: windows are no narrower, phones are emulated */

struct browser {
    pid_t keeper;
    int port;
    char session[80];
};

/* ---- the wire ---- */

/* The answer's value, owned by the caller; *status of HTTP, 0 when nobody answers. */
static struct json_object *ask(int port, const char *method, const char *path, const char *body,
                               int *status)
{
    struct http_client c;
    struct http_response r;
    struct json_object *whole = NULL, *value = NULL;
    *status = 0;
    if (!http_client_open(&c, "127.0.0.1", port)) {
        return NULL;
    }
    c.timeout_ms = TIMEOUT_MS;
    http_client_send_text(&c,
                          api_text("%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: "
                                   "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                   method, path, port, body ? strlen(body) : 0, body ? body : ""));
    if (http_client_read(&c, false, &r)) {
        *status = r.status;
        whole = json_tokener_parse(r.body);
        if (json_object_object_get_ex(whole, "value", &value)) {
            json_object_get(value);
        }
        json_object_put(whole);
        http_response_free(&r);
    }
    http_client_close(&c);
    return value;
}

/* A command of the session; the test fails when it is refused. */
static struct json_object *command(struct browser *b, const char *method, const char *path,
                                   const char *body)
{
    int status;
    struct json_object *value = ask(b->port, method, api_text("/session/%s%s", b->session, path),
                                    body, &status);
    cr_assert_eq(status, 200, "%s %s %s: %d %s", method, path, body ? body : "", status,
                 value ? json_object_to_json_string(value) : "");
    return value;
}

static void tell(struct browser *b, const char *path, const char *body)
{
    json_object_put(command(b, "POST", path, body));
}

/* {"name": "text"}, escaped. */
static const char *object_of(const char *name, const char *text)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, name, json_object_new_string(text));
    char *out = api_text("%s", json_object_to_json_string(o));
    json_object_put(o);
    return out;
}

static const char *text_of(struct json_object *value)
{
    char *out = api_text("%s", value ? json_object_get_string(value) : "");
    json_object_put(value);
    return out;
}

/* ---- opening ---- */

static void run_driver(int port, const char *home)
{
    char option[32];
    snprintf(option, sizeof option, "--port=%d", port);
    setenv("TMPDIR", home, 1);
    setenv("HOME", home, 1);
    unsetenv("LD_PRELOAD");
    execlp("chromedriver", "chromedriver", option, "--log-level=OFF", (char *)NULL);
    _exit(127);
}

/* Chromium outlives a driver that is killed: whoever has lost its parent becomes a child of the keeper, and is ended by it. */
static void end_children(void)
{
    pid_t all[64];
    do {
        for (size_t i = 0, n = stack_children(getpid(), "", all, ARRAY_LEN(all)); i < n; i++) {
            kill(all[i], SIGKILL);
        }
    } while (waitpid(-1, NULL, 0) > 0);
}

/* Lives until it is told to end, or the test has ended in whatever way. */
static void keep_driver(pid_t test, int port, const char *home)
{
    sigset_t end, before;
    int signo;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, &before);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == test && fork() == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        run_driver(port, home);
    }
    if (getppid() == test) {
        sigwait(&end, &signo);
    }
    end_children();
    _exit(0);
}

static pid_t start_driver(int port)
{
    pid_t self = getpid();
    const char *home = api_text("%s/browser-%d", stack_env("GREMIO_STATE"), port);
    cr_assert_eq(mkdir(home, 0700), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        keep_driver(self, port, home);
    }
    return pid;
}

static bool driver_is_ready(void *arg)
{
    int status;
    struct json_object *value = ask(*(int *)arg, "GET", "/status", NULL, &status), *ready;
    bool yes = json_object_object_get_ex(value, "ready", &ready) && json_object_get_boolean(ready);
    json_object_put(value);
    return yes;
}

static const char *session_request(const struct browser_options *o)
{
    const char *script = o->no_script ? ",\"profile.managed_default_content_settings.javascript\":2"
                                      : "";
    return api_text(
        "{\"capabilities\":{\"alwaysMatch\":{\"browserName\":\"chrome\",\"goog:chromeOptions\":{"
        "\"args\":[\"--headless=new\",\"--no-sandbox\",\"--disable-dev-shm-usage\","
        "\"--disable-gpu\",\"--window-size=%d,%d\"],"
        "\"prefs\":{\"intl.accept_languages\":\"%s\"%s}}}}}",
        o->width ? o->width : 1280, o->height ? o->height : 800,
        o->language ? o->language : "en-US,en", script);
}

static void set_scheme(struct browser *b, bool dark)
{
    tell(b, "/goog/cdp/execute",
         api_text("{\"cmd\":\"Emulation.setEmulatedMedia\",\"params\":{\"features\":[{\"name\":"
                  "\"prefers-color-scheme\",\"value\":\"%s\"}]}}",
                  dark ? "dark" : "light"));
}

/* A window cannot be so narrow: the screen of a phone is. */
static void be_phone(struct browser *b, const struct browser_options *o)
{
    tell(b, "/goog/cdp/execute",
         api_text("{\"cmd\":\"Emulation.setDeviceMetricsOverride\",\"params\":{\"width\":%d,"
                  "\"height\":%d,\"deviceScaleFactor\":2,\"mobile\":true}}",
                  o->width, o->height));
}

struct browser *browser_open(const struct browser_options *options)
{
    struct browser *b = calloc(1, sizeof *b);
    int status;
    b->port = stack_free_port();
    b->keeper = start_driver(b->port);
    cr_assert(wait_until(driver_is_ready, &b->port, WAIT_LONG_MS), "chromedriver does not start");
    struct json_object *id,
        *value = ask(b->port, "POST", "/session", session_request(options), &status);
    cr_assert_eq(status, 200, "no session: %d %s", status,
                 value ? json_object_to_json_string(value) : "");
    cr_assert(json_object_object_get_ex(value, "sessionId", &id));
    snprintf(b->session, sizeof b->session, "%s", json_object_get_string(id));
    json_object_put(value);
    set_scheme(b, options->dark);
    if (options->width && options->width < WINDOW_MIN) {
        be_phone(b, options);
    }
    return b;
}

void browser_close(struct browser *b)
{
    int status;
    json_object_put(ask(b->port, "DELETE", api_text("/session/%s", b->session), NULL, &status));
    stack_stop(b->keeper, SIGTERM);
    free(b);
}

/* ---- pages and elements ---- */

void browser_go(struct browser *b, const char *url)
{
    tell(b, "/url", object_of("url", url));
}

const char *browser_url(struct browser *b)
{
    return text_of(command(b, "GET", "/url", NULL));
}

static const char *find_request(const char *css)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "using", json_object_new_string("css selector"));
    json_object_object_add(o, "value", json_object_new_string(css));
    char *out = api_text("%s", json_object_to_json_string(o));
    json_object_put(o);
    return out;
}

/* "/element/ID" of the first match. */
static const char *element(struct browser *b, const char *css)
{
    struct json_object *id, *value = command(b, "POST", "/element", find_request(css));
    cr_assert(json_object_object_get_ex(value, ELEMENT, &id), "no %s", css);
    char *path = api_text("/element/%s", json_object_get_string(id));
    json_object_put(value);
    return path;
}

bool browser_has(struct browser *b, const char *css)
{
    struct json_object *value = command(b, "POST", "/elements", find_request(css));
    bool yes = json_object_array_length(value) > 0;
    json_object_put(value);
    return yes;
}

void browser_click(struct browser *b, const char *css)
{
    tell(b, api_text("%s/click", element(b, css)), "{}");
}

struct leaving {
    struct browser *b;
    const char *root; /* the page that is left: "/element/ID" of its root */
};

/* An element of a page that is gone is stale. */
static bool has_left(void *arg)
{
    const struct leaving *l = arg;
    int status;
    json_object_put(ask(l->b->port, "GET", api_text("/session/%s%s/name", l->b->session, l->root),
                        NULL, &status));
    return status == 404;
}

void browser_follow(struct browser *b, const char *css)
{
    struct leaving l = { b, element(b, "html") };
    browser_click(b, css);
    cr_assert(wait_until(has_left, &l, WAIT_LONG_MS), "%s leads nowhere", css);
    (void)element(b, "body"); /* the driver answers when the page has loaded */
}

void browser_fill(struct browser *b, const char *css, const char *text)
{
    const char *path = element(b, css);
    tell(b, api_text("%s/clear", path), "{}");
    tell(b, api_text("%s/value", path), object_of("text", text));
}

const char *browser_text(struct browser *b, const char *css)
{
    return text_of(command(b, "GET", api_text("%s/text", element(b, css)), NULL));
}

const char *browser_attribute(struct browser *b, const char *css, const char *name)
{
    return text_of(command(b, "GET", api_text("%s/attribute/%s", element(b, css), name), NULL));
}

const char *browser_property(struct browser *b, const char *css, const char *name)
{
    return text_of(command(b, "GET", api_text("%s/property/%s", element(b, css), name), NULL));
}

bool browser_shows(struct browser *b, const char *css)
{
    const char *shown = browser_has(b, css)
                            ? text_of(command(b, "GET", api_text("%s/displayed", element(b, css)),
                                              NULL))
                            : "";
    return strcmp(shown, "true") == 0;
}

const char *browser_run(struct browser *b, const char *script)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "script", json_object_new_string(script));
    json_object_object_add(o, "args", json_object_new_array());
    const char *body = api_text("%s", json_object_to_json_string(o));
    json_object_put(o);
    return text_of(command(b, "POST", "/execute/sync", body));
}

/* ---- waiting ---- */

struct expected {
    struct browser *b;
    const char *css, *part, *text;
};

/* The page may be going away meanwhile: what cannot be found or read is not there yet. */
static bool has_text(void *arg)
{
    struct expected *e = arg;
    int status;
    struct json_object *id, *found, *text;
    found = ask(e->b->port, "POST", api_text("/session/%s/element", e->b->session),
                find_request(e->css), &status);
    bool there = status == 200 && json_object_object_get_ex(found, ELEMENT, &id);
    const char *path = there ? api_text("/session/%s/element/%s/text", e->b->session,
                                        json_object_get_string(id))
                             : NULL;
    json_object_put(found);
    if (!there) {
        return false;
    }
    text = ask(e->b->port, "GET", path, NULL, &status);
    e->text = text_of(text);
    return status == 200 && strstr(e->text, e->part);
}

bool browser_says(struct browser *b, const char *css, const char *part)
{
    return has_text(&(struct expected){ .b = b, .css = css, .part = part });
}

const char *browser_wait(struct browser *b, const char *css, const char *part)
{
    struct expected e = { .b = b, .css = css, .part = part, .text = "" };
    cr_assert(wait_until(has_text, &e, WAIT_LONG_MS), "%s never says \"%s\": \"%s\"", css, part,
              e.text);
    return e.text;
}

/* ---- looking at the whole page ---- */

void browser_shot(struct browser *b, const char *file)
{
    const char *text = text_of(command(b, "GET", "/screenshot", NULL));
    size_t n = strlen(text);
    unsigned char *png = malloc(n + 1);
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    cr_assert(fd >= 0 && png);
    cr_assert_eq(sodium_base642bin(png, n, text, n, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL),
                 0);
    cr_assert_eq(write(fd, png, n), (ssize_t)n);
    close(fd);
    free(png);
}

static char *read_axe(void)
{
    FILE *f = fopen(AXE, "re");
    size_t size = 4 << 20;
    char *text = malloc(size);
    cr_assert(f && text, "no " AXE ": run tests/browser/install");
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
    return text;
}

const char *browser_faults(struct browser *b)
{
    static const char run[] =
        ";const done = arguments[arguments.length - 1];"
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',"
        " 'best-practice']}).then(r => done(r.violations.map(v => v.id + ': ' + v.help + ' '"
        " + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | ')).join('\\n')),"
        " e => done(String(e)));";
    char *axe = read_axe();
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "script", json_object_new_string(api_text("%s%s", axe, run)));
    json_object_object_add(o, "args", json_object_new_array());
    struct json_object *value = command(b, "POST", "/execute/async", json_object_to_json_string(o));
    json_object_put(o);
    free(axe);
    return text_of(value);
}
