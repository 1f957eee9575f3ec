/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What operators see: /healthz and /readyz, Prometheus text on its own address, one access-log line per request that
 * holds no secret. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/api.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

TestSuite(observe, .timeout = 60);

/* Everything /metrics says; released with the thread's answers. */
static char *metrics(void)
{
    const char *at = stack_env("GREMIO_METRICS"), *colon = strrchr(at, ':');
    struct http_client c;
    struct http_response r;
    cr_assert(http_client_open(&c, stack_host(), (int)strtol(colon + 1, NULL, 10)));
    http_client_send_text(&c, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    cr_assert(http_client_read(&c, false, &r), "/metrics does not answer");
    cr_assert_eq(r.status, 200);
    const char *type = http_response_header(&r, "content-type");
    cr_expect(type && strncmp(type, "text/plain", 10) == 0, "%s", type ? type : "(none)");
    char *out = api_text("%s", r.body);
    http_response_free(&r);
    http_client_close(&c);
    return out;
}

/* Sum over all lines of a metric, whatever their labels. */
static double total(const char *text, const char *name)
{
    double sum = 0;
    size_t n = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && (line[n] == '{' || line[n] == ' ')) {
            const char *end = strchr(line, '\n');
            const char *blank = memrchr(line, ' ', end ? (size_t)(end - line) : strlen(line));
            sum += blank ? strtod(blank, NULL) : 0;
        }
    }
    return sum;
}

Test(observe, health_and_readiness)
{
    struct api a = api_anonymous();
    cr_expect_eq(api_get(&a, "/healthz")->status, 200);
    cr_expect_eq(api_get(&a, "/readyz")->status, 200);
    cr_expect_neq(api_get(&a, "/metrics")->status, 200, "/metrics on the public address");
    api_close(&a);
    api_release();
}

Test(observe, metrics_are_prometheus_text)
{
    char *text = metrics();
    int families = 0;
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n');
        cr_expect(end != NULL, "the last line is cut");
        if (strncmp(line, "# TYPE ", 7) == 0) {
            families++;
        } else if (*line != '#') {
            cr_expect(strncmp(line, "gremio_", 7) == 0 || strncmp(line, "process_", 8) == 0,
                      "%.60s", line);
        }
        line = end ? end + 1 : NULL;
    }
    cr_expect_geq(families, 5);
    api_release();
}

Test(observe, requests_are_counted)
{
    struct api a = api_login(OWNER_A);
    char *before = metrics();
    for (int i = 0; i < 20; i++) {
        api_get(&a, "/api/v1/me");
    }
    char *after = metrics();
    const char *name = "gremio_router_requests_total";
    double counted = total(after, name) - total(before, name);
    cr_expect(counted >= 20, "20 requests counted as %g:\n%s", counted, after);
    api_close(&a);
    api_release();
}

/* The line of the router's log that holds text, as JSON; NULL when there is none. */
static struct json_object *log_line(const char *text)
{
    char *path = api_text("%s/log/router.log", stack_env("GREMIO_STATE")), line[16384];
    FILE *f = fopen(path, "re");
    struct json_object *out = NULL;
    while (f && !out && fgets(line, sizeof line, f)) {
        out = strstr(line, text) ? json_tokener_parse(line) : NULL;
    }
    if (f) {
        fclose(f);
    }
    return out;
}

static bool logged(void *arg)
{
    return stack_log_has("router.log", arg);
}

Test(observe, one_access_line_per_request)
{
    struct api a = api_login(OWNER_A);
    char *id = api_text("log-%s", strrchr(api_unique("x"), ' ') + 1);
    char *field = api_text("X-Request-Id: %s\r\n", id);
    struct answer *r = api_send(&a, "GET", "/api/v1/clients?q=Muy+Privado", NULL, field);
    cr_assert_eq(r->status, 200);
    cr_expect_str_eq(answer_header(r, "x-request-id"), id);
    cr_assert(wait_until(logged, id, WAIT_LONG_MS), "no access line");
    struct json_object *line = log_line(id), *value;
    cr_assert(line != NULL, "the line is no JSON");
    static const char *const names[] = { "method",     "route",    "status",    "tenant",
                                         "request_id", "us_queue", "us_router", "us_db" };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        cr_expect(json_object_object_get_ex(line, names[i], &value), "no %s in %s", names[i],
                  json_object_to_json_string(line));
    }
    json_object_put(line);
    api_close(&a);
    api_release();
}

Test(observe, logs_hold_no_secret)
{
    struct api a = api_login(OWNER_A);
    char *id = api_text("log-%s", strrchr(api_unique("x"), ' ') + 1);
    api_send(&a, "GET", "/api/v1/clients?q=Muy+Privado", NULL,
             api_text("X-Request-Id: %s\r\n", id));
    cr_assert(wait_until(logged, id, WAIT_LONG_MS));
    static const char *const files[] = { "router.log", "worker.log", "postgresql.log" };
    const char *const secrets[] = { a.token, a.refresh, stack_password(), "Privado", OWNER_A };
    for (size_t f = 0; f < ARRAY_LEN(files); f++) {
        for (size_t s = 0; s < ARRAY_LEN(secrets); s++) {
            cr_expect_not(stack_log_has(files[f], secrets[s]), "secret %zu is in %s", s, files[f]);
        }
    }
    api_close(&a);
    api_release();
}

/* A client's request id is kept only when it is harmless. */
Test(observe, request_ids_are_checked)
{
    struct api a = api_anonymous();
    char long_id[200];
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    const char *const bad[] = { long_id, "has blank", "quote\"", "semi;colon<tag>" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer *r = api_send(&a, "GET", "/healthz", NULL,
                                    api_text("X-Request-Id: %s\r\n", bad[i]));
        const char *given = answer_header(r, "x-request-id");
        cr_expect(r->status == 200 || r->status == 400, "%d", r->status);
        cr_expect(given && strcmp(given, bad[i]) != 0, "id %zu came back", i);
    }
    api_close(&a);
    api_release();
}
