/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Frames come back as they were sent; every cut, stretched or altered one is refused without a read too far. */
#include "common/frame.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct sbuf b;
static struct frame_request request;
static struct frame_reply reply;
static struct route_map map;
static struct frame_hello hello;

static void init(void)
{
    sbuf_init(&b);
    request = (struct frame_request){
        .id = 0x0102030405060708,
        .deadline_us = -5,
        .sent_us = INT64_MAX,
        .method = M_PATCH,
        .lang = LANG_EN,
        .alone = true,
        .has_tenant = true,
        .tenant = { .id = { { 1, 2, 3 } },
                    .code = "a1b2c3d4",
                    .slug = "dental-sur",
                    .pool = 999,
                    .state = TENANT_READ_ONLY,
                    .roles_version = 77 },
        .principal = { .present = true,
                       .account = { { 4 } },
                       .tenant = { { 5 } },
                       .member = { { 6 } },
                       .session = { { 7 } },
                       .role = "owner",
                       .epoch = 9,
                       .proved_s = UINT64_MAX,
                       .enrol = true },
        .request_id = SLICE("req"),
        .path = SLICE("/api/v1/clients"),
        .query = SLICE("q=a%20b"),
        .peer = SLICE("127.0.0.1"),
        .user_agent = SLICE("curl"),
        .content_type = SLICE("application/json"),
        .if_match = SLICE("\"1\""),
        .if_none_match = SLICE("\"2\""),
        .idempotency_key = SLICE("key"),
        .body = SLICE("{\"a\":\0 1}"),
    };
    reply = (struct frame_reply){
        .id = 42,
        .status = 409,
        .content = CONTENT_PROBLEM,
        .retry_after = 3,
        .queue_us = 100,
        .db_us = 200,
        .replayed = true,
        .no_store = true,
        .lang = LANG_EN,
        .sets_cookie = true,
        .cookie_age_s = 600,
        .route = SLICE("/api/v1/clients"),
        .code = SLICE("slot_taken"),
        .etag = SLICE("\"5\""),
        .location = SLICE("/x"),
        .allow = SLICE("GET"),
        .cookie = SLICE("a.b.c"),
        .style = SLICE("c3R5bGU="),
        .body = SLICE("{}"),
    };
    map.count = 2;
    map.rows[0] = (struct route_entry){ .method = M_GET,
                                        .kind = KIND_API,
                                        .open = true,
                                        .pattern = "/a/{b}",
                                        .by_link = true,
                                        .page = true };
    map.rows[1] = (struct route_entry){
        .method = M_POST, .kind = KIND_AUTH, .max_body = 1 << 20, .pattern = "/login", .form = true
    };
    hello = (struct frame_hello){ KIND_SLOW, 7, 4242, 16, &map };
}

static void fini(void)
{
    sbuf_fini(&b);
}

TestSuite(frame, .init = init, .fini = fini);

static struct slice made(void)
{
    enum frame_type type;
    size_t total = 0;
    cr_assert_not(sbuf_failed(&b));
    cr_assert_eq(frame_peek(sbuf_slice(&b), &type, &total), OK);
    cr_assert_eq(total, b.len);
    return sbuf_slice(&b);
}

Test(frame, request_round_trip)
{
    struct frame_request got;
    cr_assert_eq(frame_put_request(&b, &request), OK);
    cr_assert_eq(frame_get_request(made(), &got), OK);
    cr_expect_eq(got.id, request.id);
    cr_expect_eq(got.deadline_us, -5);
    cr_expect_eq(got.sent_us, INT64_MAX);
    cr_expect_eq(got.method, M_PATCH);
    cr_expect_eq(got.lang, LANG_EN);
    cr_expect(got.alone);
    cr_expect(got.has_tenant && uuid_eq(&got.tenant.id, &request.tenant.id));
    cr_expect_str_eq(got.tenant.code, "a1b2c3d4");
    cr_expect_str_eq(got.tenant.slug, "dental-sur");
    cr_expect_eq(got.tenant.pool, 999);
    cr_expect_eq(got.tenant.state, TENANT_READ_ONLY);
    cr_expect_eq(got.tenant.roles_version, 77);
    cr_expect(got.principal.present);
    cr_expect(uuid_eq(&got.principal.account, &request.principal.account));
    cr_expect(uuid_eq(&got.principal.tenant, &request.principal.tenant));
    cr_expect(uuid_eq(&got.principal.member, &request.principal.member));
    cr_expect(uuid_eq(&got.principal.session, &request.principal.session));
    cr_expect_str_eq(got.principal.role, "owner");
    cr_expect_eq(got.principal.epoch, 9);
    cr_expect_eq(got.principal.proved_s, UINT64_MAX);
    cr_expect(got.principal.enrol);
    cr_expect(slice_eq(got.request_id, request.request_id));
    cr_expect(slice_eq(got.path, request.path));
    cr_expect(slice_eq(got.query, request.query));
    cr_expect(slice_eq(got.peer, request.peer));
    cr_expect(slice_eq(got.user_agent, request.user_agent));
    cr_expect(slice_eq(got.content_type, request.content_type));
    cr_expect(slice_eq(got.if_match, request.if_match));
    cr_expect(slice_eq(got.if_none_match, request.if_none_match));
    cr_expect(slice_eq(got.idempotency_key, request.idempotency_key));
    cr_expect(slice_eq(got.body, request.body));
}

Test(frame, open_request_round_trip)
{
    struct frame_request got;
    request = (struct frame_request){ .id = 1, .path = SLICE("/") };
    cr_assert_eq(frame_put_request(&b, &request), OK);
    cr_assert_eq(frame_get_request(made(), &got), OK);
    cr_expect_not(got.has_tenant);
    cr_expect_not(got.principal.present);
    cr_expect(uuid_is_nil(&got.principal.account));
    cr_expect_eq(got.body.n, 0);
}

Test(frame, reply_round_trip)
{
    struct frame_reply got;
    cr_assert_eq(frame_put_reply(&b, &reply), OK);
    cr_assert_eq(frame_get_reply(made(), &got), OK);
    cr_expect_eq(got.id, 42);
    cr_expect_eq(got.status, 409);
    cr_expect_eq(got.content, CONTENT_PROBLEM);
    cr_expect_eq(got.retry_after, 3);
    cr_expect_eq(got.queue_us, 100);
    cr_expect_eq(got.db_us, 200);
    cr_expect(got.replayed && got.no_store);
    cr_expect(slice_eq(got.route, reply.route));
    cr_expect(slice_eq(got.code, reply.code));
    cr_expect(slice_eq(got.etag, reply.etag));
    cr_expect(slice_eq(got.location, reply.location));
    cr_expect(slice_eq(got.allow, reply.allow));
    cr_expect(slice_eq(got.cookie, reply.cookie));
    cr_expect(slice_eq(got.style, reply.style));
    cr_expect(got.lang == LANG_EN && got.sets_cookie && got.cookie_age_s == 600);
    cr_expect(slice_eq(got.body, reply.body));
}

Test(frame, hello_round_trip)
{
    static struct route_map theirs;
    struct frame_hello got = { .map = &theirs };
    cr_assert_eq(frame_put_hello(&b, &hello), OK);
    cr_assert_eq(frame_get_hello(made(), &got), OK);
    cr_expect(got.kind == KIND_SLOW && got.slot == 7 && got.pid == 4242 && got.batch_max == 16);
    cr_assert_eq(theirs.count, 2);
    cr_expect_str_eq(theirs.rows[0].pattern, "/a/{b}");
    cr_expect(theirs.rows[0].open && theirs.rows[0].by_link && theirs.rows[0].page);
    cr_expect_not(theirs.rows[0].form);
    cr_expect_eq(theirs.rows[1].method, M_POST);
    cr_expect_eq(theirs.rows[1].kind, KIND_AUTH);
    cr_expect_eq(theirs.rows[1].max_body, 1 << 20);
    cr_expect(theirs.rows[1].form && !theirs.rows[1].page && !theirs.rows[1].by_link);
    cr_expect_not(theirs.rows[1].open);
}

Test(frame, ids)
{
    static const enum frame_type types[] = { FRAME_STARTED, FRAME_CANCEL, FRAME_DRAIN,
                                             FRAME_DYING };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        enum frame_type type;
        size_t total;
        uint64_t id = 0;
        sbuf_reset(&b, 1024);
        frame_put_id(&b, types[i], UINT64_MAX - i);
        cr_assert_eq(frame_peek(sbuf_slice(&b), &type, &total), OK);
        cr_expect_eq(type, types[i]);
        cr_expect_eq(frame_get_id(made(), &id), OK);
        cr_expect_eq(id, UINT64_MAX - i);
        char plain[FRAME_ID_SIZE];
        frame_write_id(plain, types[i], UINT64_MAX - i);
        cr_expect(slice_eq(made(), (struct slice){ plain, sizeof(plain) }));
    }
}

Test(frame, several_in_one_buffer)
{
    enum frame_type type;
    size_t total;
    cr_assert_eq(frame_put_request(&b, &request), OK);
    size_t first = b.len;
    frame_put_id(&b, FRAME_CANCEL, 1);
    cr_assert_eq(frame_peek(sbuf_slice(&b), &type, &total), OK);
    cr_expect(type == FRAME_REQUEST && total == first);
    cr_assert_eq(frame_peek((struct slice){ b.data + first, b.len - first }, &type, &total), OK);
    cr_expect(type == FRAME_CANCEL && total == b.len - first);
    cr_expect_eq(frame_get_request(sbuf_slice(&b), &request), E_BAD_REQUEST, "two are not one");
}

Test(frame, peek)
{
    enum frame_type type;
    size_t total;
    frame_put_id(&b, FRAME_STARTED, 1);
    for (size_t n = 0; n < FRAME_HEAD; n++) {
        cr_expect_eq(frame_peek((struct slice){ b.data, n }, &type, &total), E_AGAIN);
    }
    cr_expect_eq(frame_peek((struct slice){ b.data, FRAME_HEAD }, &type, &total), OK);
    cr_expect_eq(total, FRAME_HEAD + 8);
    for (size_t i = 0; i < 8; i++) { /* magic, type, reserved */
        char saved = b.data[i];
        b.data[i] = (char)(saved ^ 0x40);
        cr_expect_eq(frame_peek(sbuf_slice(&b), &type, &total), E_BAD_REQUEST, "byte %zu", i);
        b.data[i] = saved;
    }
    b.data[4] = 0;
    cr_expect_eq(frame_peek(sbuf_slice(&b), &type, &total), E_BAD_REQUEST);
    b.data[4] = FRAME_DYING + 1;
    cr_expect_eq(frame_peek(sbuf_slice(&b), &type, &total), E_BAD_REQUEST);
    b.data[4] = FRAME_STARTED;
    memcpy(b.data + 8, "\x01\x7f\xff\xf4", 4);
    cr_expect_eq(frame_peek(sbuf_slice(&b), &type, &total), OK);
    cr_expect_eq(total, FRAME_MAX);
    memcpy(b.data + 8, "\x01\x7f\xff\xf5", 4);
    cr_expect_eq(frame_peek(sbuf_slice(&b), &type, &total), E_BAD_REQUEST);
}

/* Decodes as every type, from memory that ends where the frame ends; how many accepted it. */
static int accepted(struct slice frame)
{
    static struct route_map theirs;
    struct frame_hello h = { .map = &theirs };
    struct frame_request rq;
    struct frame_reply rp;
    uint64_t id;
    char *exact = malloc(frame.n + 1);
    cr_assert_not_null(exact);
    memcpy(exact, frame.p, frame.n);
    struct slice s = { exact, frame.n };
    int n = (frame_get_hello(s, &h) == OK) + (frame_get_request(s, &rq) == OK) +
            (frame_get_reply(s, &rp) == OK) + (frame_get_id(s, &id) == OK);
    free(exact);
    return n;
}

static void fix_length(void)
{
    uint32_t n = __builtin_bswap32((uint32_t)(b.len - FRAME_HEAD));
    memcpy(b.data + 8, &n, sizeof(n));
}

/* Cut anywhere, with the header told so or not; stretched by a byte. */
static void expect_only_whole(void)
{
    size_t whole = b.len;
    cr_assert_eq(accepted(sbuf_slice(&b)), 1);
    for (size_t n = 0; n < whole; n++) {
        cr_assert_eq(accepted((struct slice){ b.data, n }), 0, "cut to %zu", n);
        if (n >= FRAME_HEAD) {
            b.len = n;
            fix_length();
            cr_assert_eq(accepted(sbuf_slice(&b)), 0, "shortened to %zu", n);
            b.len = whole;
            fix_length();
        }
    }
    sbuf_u8(&b, 0);
    cr_assert_eq(accepted(sbuf_slice(&b)), 0);
    fix_length();
    cr_assert_eq(accepted(sbuf_slice(&b)), 0, "trailing byte");
}

Test(frame, only_whole_requests)
{
    cr_assert_eq(frame_put_request(&b, &request), OK);
    expect_only_whole();
}

Test(frame, only_whole_replies)
{
    cr_assert_eq(frame_put_reply(&b, &reply), OK);
    expect_only_whole();
}

Test(frame, only_whole_hellos)
{
    cr_assert_eq(frame_put_hello(&b, &hello), OK);
    expect_only_whole();
}

Test(frame, only_whole_ids)
{
    frame_put_id(&b, FRAME_CANCEL, 7);
    expect_only_whole();
}

/* offset counts from the end of the header. */
static void expect_refused_with(size_t offset, int value)
{
    char saved = b.data[FRAME_HEAD + offset];
    cr_assert_eq(accepted(sbuf_slice(&b)), 1);
    b.data[FRAME_HEAD + offset] = (char)value;
    cr_expect_eq(accepted(sbuf_slice(&b)), 0, "byte %zu as %d", offset, value);
    b.data[FRAME_HEAD + offset] = saved;
}

Test(frame, request_values_out_of_range)
{
    cr_assert_eq(frame_put_request(&b, &request), OK);
    expect_refused_with(24, METHOD_COUNT);
    expect_refused_with(25, LANG_EN + 1);
    expect_refused_with(26, 4);
    expect_refused_with(27 + 16, 9); /* length of the code */
    expect_refused_with(27 + 16, 3);
    expect_refused_with(27 + 17, 'A');  /* the code itself */
    expect_refused_with(27 + 25, 0xff); /* length of the slug */
    expect_refused_with(27 + 26, 0);    /* a NUL in the slug */
    expect_refused_with(27 + 36, 0x7f); /* pool 0x7fe7 */
    expect_refused_with(27 + 38, TENANT_STATE_COUNT);
    expect_refused_with(27 + 43 + 64, 33); /* length of the role */
    expect_refused_with(27 + 43 + 82, 2);  /* enrol */
    expect_refused_with(27 + 43 + 83, 1);  /* length of request_id: 16 MiB */
}

Test(frame, reply_values_out_of_range)
{
    cr_assert_eq(frame_put_reply(&b, &reply), OK);
    expect_refused_with(8, 3); /* status 0x0399 */
    expect_refused_with(8, 0); /* status 0x0099 */
    expect_refused_with(10, CONTENT_COUNT);
    expect_refused_with(21, 8); /* flags */
    expect_refused_with(22, LANG_EN + 1);
}

Test(frame, hello_values_out_of_range)
{
    cr_assert_eq(frame_put_hello(&b, &hello), OK);
    expect_refused_with(0, KIND_COUNT);
    expect_refused_with(9, 4);  /* 1,026 rows */
    expect_refused_with(10, 1); /* fewer rows than there are bytes for */
    expect_refused_with(10, 3);
    expect_refused_with(11, METHOD_COUNT);
    expect_refused_with(12, KIND_COUNT);
    expect_refused_with(13, 16); /* open, by_link, form, page */
    expect_refused_with(18, 0);  /* length of the pattern */
    expect_refused_with(18, 128);
    expect_refused_with(19, 'x'); /* a pattern without its '/' */
    expect_refused_with(22, '}');
}

Test(frame, what_is_over_its_limit_is_not_encoded)
{
    char id[FRAME_ID_MAX + 1];
    memset(id, 'x', sizeof(id));
    request.request_id = (struct slice){ id, FRAME_ID_MAX };
    cr_expect_eq(frame_put_request(&b, &request), OK);
    sbuf_reset(&b, 1 << 16);
    request.request_id.n++;
    cr_expect_eq(frame_put_request(&b, &request), E_BAD_REQUEST);
    request.request_id.n = 1;
    request.tenant.pool = TENANT_POOLS_MAX;
    cr_expect_eq(frame_put_request(&b, &request), E_BAD_REQUEST);
    request.tenant.pool = 1;
    memcpy(request.tenant.code, "ABCD", 5);
    cr_expect_eq(frame_put_request(&b, &request), E_BAD_REQUEST);
    request.has_tenant = false;
    memset(request.principal.role, 'r', sizeof(request.principal.role));
    cr_expect_eq(frame_put_request(&b, &request), E_BAD_REQUEST);
    reply.status = 99;
    cr_expect_eq(frame_put_reply(&b, &reply), E_BAD_REQUEST);
    map.rows[1].pattern[0] = 'x';
    cr_expect_eq(frame_put_hello(&b, &hello), E_BAD_REQUEST);
    map.count = ROUTE_MAP_MAX + 1;
    cr_expect_eq(frame_put_hello(&b, &hello), E_BAD_REQUEST);
    cr_expect_eq(b.len, 0, "nothing is left in the buffer");
}

Test(frame, largest_body)
{
    struct frame_reply got;
    char *body = calloc(1, FRAME_MAX);
    cr_assert_not_null(body);
    reply.body = (struct slice){ body, FRAME_MAX };
    cr_expect_eq(frame_put_reply(&b, &reply), E_BAD_REQUEST);
    reply.body.n = FRAME_MAX - 1000;
    cr_expect_eq(frame_put_reply(&b, &reply), OK);
    cr_expect_eq(frame_get_reply(made(), &got), OK);
    cr_expect_eq(got.body.n, FRAME_MAX - 1000);
    free(body);
}

Test(frame, largest_table)
{
    static struct route_map theirs;
    struct frame_hello got = { .map = &theirs };
    map.count = ROUTE_MAP_MAX;
    for (size_t i = 0; i < ROUTE_MAP_MAX; i++) {
        map.rows[i] = map.rows[0];
        memset(map.rows[i].pattern, 'p', ROUTE_PATTERN_MAX - 1);
        map.rows[i].pattern[0] = '/';
    }
    cr_assert_eq(frame_put_hello(&b, &hello), OK);
    cr_assert_eq(frame_get_hello(made(), &got), OK);
    cr_expect_eq(theirs.count, ROUTE_MAP_MAX);
    cr_expect_eq(strlen(theirs.rows[ROUTE_MAP_MAX - 1].pattern), ROUTE_PATTERN_MAX - 1);
}
