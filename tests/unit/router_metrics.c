/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Prometheus text, the readiness document and the access line, as their readers take them. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>

#include "common/json.h"
#include "router/access_log.h"
#include "router/health.h"
#include "router/metrics.h"

static struct metrics m;
static struct metrics_view v = { .directory_age_ms = 1500, .tenants = 3, .connections = 9 };

static const char *rendered(struct sbuf *out)
{
    sbuf_init(out);
    metrics_render(&m, &v, out);
    sbuf_char(out, '\0');
    cr_assert_not(sbuf_failed(out));
    return out->data;
}

static bool has_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    return at && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n';
}

Test(router_metrics, counts_by_kind_class_and_bucket)
{
    struct sbuf out;
    metrics_count(&m, KIND_API, 200, 10, 300);
    metrics_count(&m, KIND_API, 201, 10, 20000000);
    metrics_count(&m, KIND_COUNT, 404, 10, 1);
    metrics_count(&m, KIND_API, 0, 0, 1);
    metrics_count(&m, 99, 200, 0, 1);
    metrics_shed(&m, SHED_QUEUE);
    metrics_shed(&m, SHED_RATE);
    v.dispatch.queue_room[KIND_AUTH] = 64;
    v.dispatch.sent[KIND_API] = 4;
    v.dispatch.waited_us[KIND_API] = 2500;
    const char *text = rendered(&out);
    cr_assert(has_line(text, "gremio_router_requests_total{kind=\"api\",status=\"2xx\"} 2"));
    cr_assert(has_line(text, "gremio_router_requests_total{kind=\"router\",status=\"4xx\"} 1"));
    cr_assert(has_line(text, "gremio_router_shed_total{reason=\"queue_full\"} 1"));
    cr_assert(has_line(text, "gremio_router_shed_total{reason=\"tenant_rate\"} 1"));
    cr_assert(has_line(text, "gremio_router_queue_room{kind=\"auth\"} 64"));
    cr_assert(has_line(text, "gremio_router_queue_wait_seconds_sum{kind=\"api\"} 0.002500"));
    cr_assert(has_line(text, "gremio_router_queue_wait_seconds_count{kind=\"api\"} 4"));
    cr_assert(has_line(text, "gremio_router_request_seconds_bucket{le=\"0.00025\"} 1"));
    cr_assert(has_line(text, "gremio_router_request_seconds_bucket{le=\"0.0005\"} 2"));
    cr_assert(has_line(text, "gremio_router_request_seconds_bucket{le=\"10\"} 2"));
    cr_assert(has_line(text, "gremio_router_request_seconds_bucket{le=\"+Inf\"} 3"));
    cr_assert(has_line(text, "gremio_router_request_seconds_count 3"));
    cr_assert(has_line(text, "gremio_router_directory_tenants 3"));
    cr_assert(has_line(text, "gremio_router_directory_age_seconds 1.5"));
    cr_assert(has_line(text, "gremio_router_connections 9"));
    sbuf_fini(&out);
}

/* Every line is a comment or "name{labels} number", every family has HELP and TYPE before its samples, once. */
Test(router_metrics, is_well_formed)
{
    struct sbuf out;
    char family[128] = "";
    size_t families = 0;
    char *save, *text = (char *)(uintptr_t)rendered(&out);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            cr_assert_eq(sscanf(line, "# HELP %127s", family), 1);
            families++;
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            cr_assert_eq(strncmp(line + 7, family, strlen(family)), 0, "%s", line);
        } else {
            char *end;
            const char *number = strrchr(line, ' ');
            cr_assert_eq(strncmp(line, family, strlen(family)), 0, "%s outside of its family",
                         line);
            cr_assert_not_null(number);
            strtod(number + 1, &end);
            cr_assert(*end == '\0' && isdigit((unsigned char)end[-1]), "%s", line);
        }
    }
    cr_assert_gt(families, 20);
    sbuf_fini(&out);
}

Test(router_metrics, readiness_names_what_is_missing)
{
    struct health h = { .directory_loaded = true,
                        .directory_connected = true,
                        .keys = 1,
                        .slots = { [KIND_API] = 1 } };
    struct health away = h, no_auth = h, no_slot = h, no_key = h, draining = h, empty = h;
    struct sbuf out;
    struct arena scratch;
    struct json_fault fault;
    away.directory_connected = false;
    no_slot.slots[KIND_API] = 0;
    no_key.keys = 0;
    draining.draining = true;
    no_auth.needed[KIND_AUTH] = true;
    empty.directory_loaded = false;
    cr_assert(health_ready(&h));
    cr_assert_not(health_ready(&away));
    cr_assert_not(health_ready(&no_slot));
    cr_assert_not(health_ready(&no_auth));
    cr_assert_not(health_ready(&no_key));
    cr_assert_not(health_ready(&draining));
    cr_assert_not(health_ready(&empty));
    arena_init(&scratch, 0);
    sbuf_init(&out);
    health_write(&away, &out);
    cr_assert_eq(json_check(sbuf_slice(&out), &scratch, &fault), OK);
    sbuf_char(&out, '\0');
    cr_assert_not_null(strstr(out.data, "\"database\":\"unavailable\""));
    cr_assert_not_null(strstr(out.data, "\"state\":\"stale\""));
    sbuf_fini(&out);
    arena_fini(&scratch);
}

/* Whatever a client sends, the line is one JSON object, and the query string and the token are not in it. */
Test(router_metrics, access_lines_are_json_and_keep_secrets)
{
    static const char *const paths[] = { "/a", "/\"\\\n\x01", "/caf\xc3\xa9", "/\xff\xfe", "" };
    char long_path[5000];
    struct arena scratch;
    arena_init(&scratch, 0);
    memset(long_path, 'a', sizeof(long_path));
    for (size_t i = 0; i <= ARRAY_LEN(paths); i++) {
        struct exchange x = { .method_text = SLICE("GET"),
                              .authorization = SLICE("Bearer TOPSECRET"),
                              .query = SLICE("q=TOPSECRET"),
                              .body = SLICE("TOPSECRET"),
                              .peer = SLICE("127.0.0.1") };
        struct sbuf out;
        struct json_object *o;
        struct json_fault fault;
        struct slice path;
        x.path = i < ARRAY_LEN(paths) ? slice_of(paths[i])
                                      : (struct slice){ long_path, sizeof(long_path) };
        sbuf_init(&out);
        access_log_line(&out, "router/0", &x, 200, 5, 100);
        cr_assert_eq(out.data[out.len - 1], '\n');
        cr_assert_leq(out.len, 4096);
        cr_assert_null(memchr(out.data, '\n', out.len - 1));
        cr_assert_null(memmem(out.data, out.len, "TOPSECRET", 9));
        cr_assert_eq(json_read((struct slice){ out.data, out.len - 1 }, &scratch, &fault, &o), OK,
                     "%s", fault.why->code);
        cr_assert(x.path.n == 0 || json_get_text(o, "path", &path) == OK);
        json_object_put(o);
        sbuf_fini(&out);
    }
    arena_fini(&scratch);
}

static bool line_has(const struct exchange *x, const char *text)
{
    struct sbuf out;
    sbuf_init(&out);
    access_log_line(&out, "router/0", x, 404, 5, 100);
    bool has = memmem(out.data, out.len, text, strlen(text)) != NULL;
    sbuf_fini(&out);
    return has;
}

/* A link's token stands in the path: neither where it belongs nor where it came by mistake is it written. */
Test(router_metrics, access_lines_do_not_tell_tokens_of_links)
{
    static const char token[] = "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVvWwXxYyZz01";
    static const char *const slips[] = { "/i/%s/", "/i/%s/x", "/I/%s", "/%s", "//%s" };
    char path[100];
    for (size_t i = 0; i < ARRAY_LEN(slips); i++) {
        snprintf(path, sizeof(path), slips[i], token);
        struct exchange x = { .path = slice_of(path) };
        cr_expect(!line_has(&x, "GgHh") && line_has(&x, "{...}"), "%s", slips[i]);
    }
    struct exchange x = { .path = SLICE("/i/short"), .by_link = true, .route = "/i/{token}" };
    cr_expect(line_has(&x, "\"path\":\"/i/{token}\"") && !line_has(&x, "short"));
    x = (struct exchange){ .path = SLICE("/api/v1/clients/01a206d8-cb2d-735a-87bb-fb9fb348b56c") };
    cr_expect(line_has(&x, "fb9fb348b56c"));
}
