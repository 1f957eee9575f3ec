/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What holds for every route at the front: HEAD is GET without a body, safe methods write nothing, a thousand requests of
 * one connection are answered in order, stored texts add no header, half-closed clients are answered. Serial: one test
 * watches whether the database hands out a transaction number. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/sbuf.h"
#include "tests/support/catalog.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"

TestSuite(edge, .timeout = 120);

struct stage {
    struct api a;
    struct ids ids;
    struct operation ops[CATALOG_MAX];
    size_t count;
};

static struct stage *stage_open(const char *name)
{
    static struct stage stage;
    struct stage *s = &stage;
    s->a = api_login(OWNER_A);
    s->ids.client = api_new_client(&s->a, name);
    s->ids.service = api_new_service(&s->a, name, 30);
    s->ids.staff = api_new_staff(&s->a, name);
    struct answer *r = api_book(&s->a, s->ids.client, s->ids.service, s->ids.staff,
                                api_text("%sT10:00:00-06:00", api_day(40)));
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    s->ids.appointment = answer_text(r, "id");
    s->count = catalog_read(&s->a, s->ops);
    return s;
}

static void stage_close(struct stage *s)
{
    api_close(&s->a);
    api_release();
}

/* Every field of get but Date is in head, with the same value. */
static void expect_same_fields(const struct answer *get, const struct answer *head,
                               const char *path)
{
    cr_expect_eq(head->status, get->status, "HEAD %s: %d", path, head->status);
    cr_expect_eq(head->http.body_len, 0, "HEAD %s has a body", path);
    cr_expect_eq(head->http.header_count, get->http.header_count, "HEAD %s", path);
    for (size_t i = 0; i < get->http.header_count; i++) {
        const struct http_header *h = &get->http.headers[i];
        const char *same = answer_header(head, h->name);
        cr_expect(strcasecmp(h->name, "date") == 0 || (same && strcmp(same, h->value) == 0),
                  "HEAD %s: %s is %s, of GET %s", path, h->name, same ? same : "absent", h->value);
    }
}

Test(edge, head_is_get_without_a_body)
{
    struct stage *s = stage_open("Head");
    size_t seen = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->ops[i].method, "GET") == 0) {
            char *path = catalog_path(&s->ops[i], &s->ids);
            const char *id = "X-Request-Id: head-is-get\r\n";
            struct answer *get = api_send(&s->a, "GET", path, NULL, id);
            expect_same_fields(get, api_send(&s->a, "HEAD", path, NULL, id), path);
            seen++;
        }
    }
    printf("%zu routes with GET\n", seen);
    cr_expect_geq(seen, 10);
    stage_close(s);
}

static void read_everything(struct stage *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->ops[i].method, "GET") == 0) {
            char *path = catalog_path(&s->ops[i], &s->ids);
            api_send(&s->a, "GET", path, NULL, NULL);
            api_send(&s->a, "HEAD", path, NULL, NULL);
        }
    }
}

/* The database gives a transaction a number when it first writes. A writer among the routes would take one each time;
 * autovacuum takes one now and then, so one quiet round of three is enough. */
Test(edge, get_and_head_write_nothing)
{
    static const char next[] = "SELECT txid_snapshot_xmax(txid_current_snapshot())";
    struct stage *s = stage_open("Reading");
    PGconn *super = db_super();
    long taken = -1;
    for (int round = 0; round < 3 && taken != 0; round++) {
        long before = db_number(super, next, NULL);
        read_everything(s);
        taken = db_number(super, next, NULL) - before;
    }
    cr_expect_eq(taken, 0, "reading every route took %ld transaction numbers", taken);
    long before = db_number(super, next, NULL);
    api_new_client(&s->a, "Writing");
    cr_expect_gt(db_number(super, next, NULL), before, "a write is not seen this way");
    PQfinish(super);
    stage_close(s);
}

static void send_numbered(struct http_client *c, const char *token, int from, int n)
{
    static const char *const paths[] = { "/api/v1/me", "/healthz", "/api/v1/nothing" };
    struct sbuf out;
    sbuf_init(&out);
    for (int i = from; i < from + n; i++) {
        sbuf_fmt(&out,
                 "GET %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: order-%d\r\nAuthorization: Bearer "
                 "%s\r\n\r\n",
                 paths[i % 3], i, token);
    }
    cr_assert(http_client_send(c, out.data, out.len));
    sbuf_fini(&out);
}

Test(edge, a_thousand_requests_in_order)
{
    enum { ALL = 1000, BATCH = 50 };
    static const int statuses[] = { 200, 200, 404 };
    struct api a = api_login(OWNER_A);
    struct http_client c;
    cr_assert(http_client_open(&c, stack_host(), stack_port()));
    for (int i = 0; i < ALL; i++) {
        if (i % BATCH == 0) {
            send_numbered(&c, a.token, i, BATCH);
        }
        struct http_response r;
        cr_assert(http_client_read(&c, false, &r), "answer %d did not come", i);
        const char *id = http_response_header(&r, "x-request-id");
        cr_expect(id && strcmp(id, api_text("order-%d", i)) == 0, "answer %d is that to %s", i, id);
        cr_expect_eq(r.status, statuses[i % 3], "answer %d: %d", i, r.status);
        const char *end = http_response_header(&r, "connection");
        cr_expect_eq(end != NULL, i == ALL - 1, "answer %d: Connection: %s", i, end ? end : "");
        http_response_free(&r);
    }
    cr_expect(http_client_at_end(&c));
    http_client_close(&c);
    api_close(&a);
    api_release();
}

/* Texts of the database that become header fields: ETag and Location of an answer kept under an Idempotency-Key. (All
 * other fields are made of numbers, uuids and constants.) Planted by the superuser, for the API stores nothing such. */
Test(edge, stored_texts_add_no_header)
{
    static const char *const evil[] = { "\"1\"\r\nX-Evil: 1", "\"1\"\nX-Evil: 1",
                                        "\"1\"\rX-Evil: 1", "\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1",
                                        "\x7f" };
    struct api a = api_login(OWNER_A);
    PGconn *super = db_super();
    char *code = db_code(super, "practice-a");
    db_do(super, api_text("SET search_path = t_%s", code));
    static const char key[] = "stored-texts", fields[] = "Idempotency-Key: stored-texts\r\n";
    const char *body = "{\"given_name\":\"Eva\"}";
    struct answer *r = api_send(&a, "POST", "/api/v1/clients", body, fields);
    cr_assert_eq(r->status, 201, "%s", r->http.body);
    cr_assert(answer_header(r, "location") != NULL);
    for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
        free(db_value(super, "UPDATE idempotency SET etag = $1, location = $1 WHERE key = $2",
                      evil[i], key, NULL));
        r = api_send(&a, "POST", "/api/v1/clients", body, fields);
        cr_expect_eq(r->status, 201, "row %zu: %d", i, r->status);
        cr_expect_not_null(answer_header(r, "idempotency-replayed"), "row %zu", i);
        cr_expect_null(answer_header(r, "x-evil"), "row %zu", i);
        cr_expect_null(answer_header(r, "location"), "row %zu", i);
        cr_expect_null(answer_header(r, "etag"), "row %zu", i);
        cr_expect_eq(api_get(&a, "/api/v1/me")->status, 200, "row %zu: the next answer", i);
    }
    free(code);
    PQfinish(super);
    api_close(&a);
    api_release();
}

/* Sends, ends its sending side, and reads one answer, which must be the last. */
static void expect_last_answer(const char *text, int status)
{
    struct http_client c;
    struct http_response r;
    cr_assert(http_client_open(&c, stack_host(), stack_port()));
    http_client_send_text(&c, text);
    cr_assert_eq(shutdown(c.fd, SHUT_WR), 0);
    cr_assert(http_client_read(&c, false, &r), "no answer to %.40s", text);
    cr_expect_eq(r.status, status, "%.40s: %d", text, r.status);
    cr_expect(http_client_at_end(&c));
    http_response_free(&r);
    http_client_close(&c);
}

Test(edge, half_closed_clients_are_answered)
{
    struct api a = api_login(OWNER_A);
    expect_last_answer("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200);
    expect_last_answer(api_text("GET /api/v1/clients HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                                "%s\r\n\r\n",
                                a.token),
                       200);
    expect_last_answer("BREW / HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
                       501);
    expect_last_answer(
        "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
        "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nContent-Length: 9\r\n"
        "\r\n",
        400);
    api_close(&a);
    api_release();
}
