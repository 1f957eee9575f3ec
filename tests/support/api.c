/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Answers and texts hang on lists of the thread, so that tests read top to bottom without freeing. */
#include "tests/support/api.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/sbuf.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

struct text {
    struct text *next;
    char data[];
};

static __thread struct answer *answers;
static __thread struct text *texts;

void api_release(void)
{
    while (answers) {
        struct answer *r = answers;
        answers = r->next;
        json_object_put(r->json);
        http_response_free(&r->http);
        free(r);
    }
    while (texts) {
        struct text *t = texts;
        texts = t->next;
        free(t);
    }
}

static char *text_make(const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    struct text *t = malloc(sizeof *t + (size_t)n + 1);
    if (!t) {
        abort();
    }
    vsnprintf(t->data, (size_t)n + 1, fmt, args);
    t->next = texts;
    texts = t;
    return t->data;
}

char *api_text(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *out = text_make(fmt, args);
    va_end(args);
    return out;
}

const char *api_unique(const char *prefix)
{
    static atomic_uint count;
    return api_text("%s x%d-%lld-%u", prefix, (int)getpid(), (long long)wait_now_ms() % 100000000,
                    atomic_fetch_add(&count, 1));
}

const char *api_day(int ahead)
{
    time_t at = time(NULL) + (time_t)ahead * 86400;
    struct tm day;
    char text[16];
    gmtime_r(&at, &day);
    strftime(text, sizeof text, "%Y-%m-%d", &day);
    return api_text("%s", text);
}

struct api api_anonymous(void)
{
    return (struct api){ .http = { .fd = -1 } };
}

void api_close(struct api *a)
{
    http_client_close(&a->http);
    a->token[0] = '\0';
}

static void request_text(struct sbuf *out, const struct api *a, const char *const line[3],
                         const char *headers)
{
    sbuf_fmt(out, "%s %s HTTP/1.1\r\nHost: %s:%d\r\n", line[0], line[1], stack_host(),
             stack_port());
    if (a->token[0]) {
        sbuf_fmt(out, "Authorization: Bearer %s\r\n", a->token);
    }
    sbuf_text(out, a->headers ? a->headers : "");
    sbuf_text(out, headers ? headers : "");
    if (line[2]) {
        sbuf_fmt(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(line[2]));
    }
    sbuf_text(out, "\r\n");
    sbuf_text(out, line[2] ? line[2] : "");
}

/* Sends on the kept connection or a new one; the answer is in *out. Only GET is sent twice. */
static bool exchange(struct api *a, struct slice request, bool head_only, struct http_response *out)
{
    bool get = strncmp(request.p, "GET ", 4) == 0;
    for (int attempt = 0; attempt < 2; attempt++) {
        bool kept = get && a->http.fd >= 0 && a->http.answered > 0;
        if (a->http.fd < 0 &&
            !http_client_open_from(&a->http, a->from, stack_host(), stack_port())) {
            return false;
        }
        if (http_client_send(&a->http, request.p, request.n) &&
            http_client_read(&a->http, head_only, out)) {
            return true;
        }
        bool silent = a->http.len == 0;
        http_client_close(&a->http);
        if (!kept || !silent) {
            return false;
        }
    }
    return false;
}

static void after_answer(struct api *a, struct answer *r)
{
    r->status = r->http.status;
    r->json = r->http.body_len ? json_tokener_parse(r->http.body) : NULL;
    const char *connection = http_response_header(&r->http, "connection");
    if (connection && strcasecmp(connection, "close") == 0) {
        http_client_close(&a->http);
    }
}

struct answer *api_send(struct api *a, const char *method, const char *path, const char *body,
                        const char *headers)
{
    struct answer *r = calloc(1, sizeof *r);
    if (!r) {
        abort();
    }
    r->next = answers;
    answers = r;
    struct sbuf out;
    sbuf_init(&out);
    request_text(&out, a, (const char *const[]){ method, path, body }, headers);
    if (exchange(a, sbuf_slice(&out), strcmp(method, "HEAD") == 0, &r->http)) {
        after_answer(a, r);
    }
    sbuf_fini(&out);
    return r;
}

struct answer *api_get(struct api *a, const char *path_fmt, ...)
{
    va_list args;
    va_start(args, path_fmt);
    char *path = text_make(path_fmt, args);
    va_end(args);
    return api_send(a, "GET", path, NULL, NULL);
}

struct answer *api_post(struct api *a, const char *path, const char *body_fmt, ...)
{
    va_list args;
    va_start(args, body_fmt);
    char *body = text_make(body_fmt, args);
    va_end(args);
    return api_send(a, "POST", path, body, NULL);
}

struct answer *api_patch(struct api *a, const char *path, int version, const char *body_fmt, ...)
{
    va_list args;
    va_start(args, body_fmt);
    char *body = text_make(body_fmt, args);
    va_end(args);
    return api_send(a, "PATCH", path, body, api_text("If-Match: \"%d\"\r\n", version));
}

static struct json_object *find(const struct answer *r, const char *path)
{
    struct json_object *at = r->json;
    char name[128];
    while (at && *path) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof name) {
            return NULL;
        }
        memcpy(name, path, n);
        name[n] = '\0';
        path += n + (path[n] == '.');
        if (json_object_is_type(at, json_type_array)) {
            at = json_object_array_get_idx(at, strtoul(name, NULL, 10));
        } else if (!json_object_object_get_ex(at, name, &at)) {
            return NULL;
        }
    }
    return at;
}

const char *answer_text(const struct answer *r, const char *path)
{
    struct json_object *o = find(r, path);
    return o ? json_object_get_string(o) : NULL;
}

int64_t answer_int(const struct answer *r, const char *path)
{
    struct json_object *o = find(r, path);
    return o && json_object_is_type(o, json_type_int) ? json_object_get_int64(o) : -1;
}

int answer_count(const struct answer *r, const char *path)
{
    struct json_object *o = find(r, path);
    return o && json_object_is_type(o, json_type_array) ? (int)json_object_array_length(o) : -1;
}

const char *answer_code(const struct answer *r)
{
    const char *code = answer_text(r, "code");
    return code ? code : "";
}

bool answer_blames(const struct answer *r, const char *pointer)
{
    int n = answer_count(r, "errors");
    for (int i = 0; i < n; i++) {
        char path[64];
        snprintf(path, sizeof path, "errors.%d.pointer", i);
        const char *at = answer_text(r, path);
        if (at && strcmp(at, pointer) == 0) {
            return true;
        }
    }
    return false;
}

const char *answer_header(const struct answer *r, const char *name)
{
    return http_response_header(&r->http, name);
}

struct api api_try_login(const char *email, const char *password, int *status)
{
    struct api a = api_anonymous();
    struct answer *r = api_post(&a, "/api/v1/auth/login", "{\"email\":\"%s\",\"password\":\"%s\"}",
                                email, password);
    *status = r->status;
    if (r->status == 200) {
        const char *access = answer_text(r, "access_token");
        const char *refresh = answer_text(r, "refresh_token");
        snprintf(a.token, sizeof a.token, "%s", access ? access : "");
        snprintf(a.refresh, sizeof a.refresh, "%s", refresh ? refresh : "");
    }
    return a;
}

struct trying {
    struct api api;
    const char *email;
    int status;
};

/* A machine with much to do says 503 for a moment. */
static bool was_heard(void *arg)
{
    struct trying *t = arg;
    t->api = api_try_login(t->email, stack_password(), &t->status);
    if (t->status == 503) {
        api_close(&t->api);
    }
    return t->status != 503;
}

struct api api_login(const char *email)
{
    struct trying t = { .email = email };
    bool heard = wait_until(was_heard, &t, WAIT_LONG_MS);
    cr_assert(heard && t.status == 200 && t.api.token[0], "login of %s answered %d", email,
              t.status);
    return t.api;
}

static const char *created_with(const char *what, const struct answer *r, const char *member)
{
    cr_assert(r->status == 201, "new %s answered %d %s", what, r->status,
              r->http.body ? r->http.body : "");
    const char *id = answer_text(r, member);
    cr_assert(id != NULL, "new %s has no %s", what, member);
    return id;
}

/* The id of a 201. */
static const char *created(const char *what, const struct answer *r)
{
    return created_with(what, r, "id");
}

const char *api_new_client(struct api *a, const char *given_name)
{
    return created("client", api_post(a, "/api/v1/clients", "{\"given_name\":\"%s\"}", given_name));
}

const char *api_new_service(struct api *a, const char *name, int minutes)
{
    return created("service", api_post(a, "/api/v1/services",
                                       "{\"name\":\"%s\",\"duration_min\":%d}", name, minutes));
}

const char *api_new_staff(struct api *a, const char *name)
{
    return created(
        "staff", api_post(a, "/api/v1/staff", "{\"name\":\"%s\",\"role\":\"professional\"}", name));
}

const char *api_new_asset(struct api *a, const char *kind, const char *name)
{
    return created("asset",
                   api_post(a, "/api/v1/assets", "{\"kind\":\"%s\",\"name\":\"%s\"}", kind, name));
}

const char *api_new_block(struct api *a, const char *staff)
{
    static int n;
    const char *day = api_day(401 + n++);
    return created("block", api_post(a, "/api/v1/blocks",
                                     "{\"staff_id\":\"%s\",\"starts_at\":\"%sT05:00\","
                                     "\"ends_at\":\"%sT05:10\"}",
                                     staff, day, day));
}

const char *api_new_wait(struct api *a, const char *client, const char *service, const char *staff)
{
    return created("waitlist", api_post(a, "/api/v1/waitlist",
                                        "{\"client_id\":\"%s\",\"service_id\":\"%s\","
                                        "\"staff_id\":\"%s\",\"first_day\":\"%s\","
                                        "\"last_day\":\"%s\"}",
                                        client, service, staff, api_day(380), api_day(400)));
}

const char *api_new_schedule(struct api *a, const char *staff, const char *spans)
{
    return created("schedule", api_post(a, "/api/v1/schedules",
                                        "{\"name\":\"Semana\",\"staff_id\":\"%s\",\"spans\":[%s]}",
                                        staff, spans));
}

const char *api_new_exception(struct api *a, const char *staff, const char *effect, const char *day)
{
    return created(
        "exception",
        api_post(a, "/api/v1/schedule-exceptions",
                 "{\"staff_id\":%s,\"effect\":\"%s\",\"first_day\":\"%s\",\"hours\":[%s]}",
                 staff ? api_text("\"%s\"", staff) : "null", effect, day,
                 strcmp(effect, "closed") == 0 ? "" : "\"10:00-12:00\""));
}

const char *api_new_invitation(struct api *a, const char *name)
{
    char *email = api_text("%s@example.com", api_unique("invited"));
    for (char *p = email; *p; p++) {
        *p = *p == ' ' ? '.' : *p;
    }
    return created("invitation", api_post(a, "/api/v1/invitations",
                                          "{\"email\":\"%s\",\"name\":\"%s\"}", email, name));
}

const char *api_new_key(struct api *a, const char *name, const char *permissions)
{
    return created("key", api_post(a, "/api/v1/api-keys",
                                   "{\"name\":\"%s\",\"permissions\":\"%s\"}", name, permissions));
}

const char *api_new_role(struct api *a, const char *name, const char *permissions)
{
    return created_with(
        "role",
        api_post(a, "/api/v1/roles", "{\"name\":\"%s\",\"permissions\":\"%s\"}", name, permissions),
        "code");
}

struct answer *api_book(struct api *a, const char *client, const char *service, const char *staff,
                        const char *starts_at)
{
    return api_post(a, "/api/v1/appointments",
                    "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                    "\"starts_at\":\"%s\"}",
                    client, service, staff, starts_at);
}

struct answer *api_book_anyway(struct api *a, const char *client, const char *service,
                               const char *staff, const char *starts_at)
{
    return api_post(a, "/api/v1/appointments",
                    "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                    "\"starts_at\":\"%s\",\"override\":\"urgent\"}",
                    client, service, staff, starts_at);
}
