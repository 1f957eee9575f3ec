/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Time that is taken without a visit: nobody books over it, it is never over a visit, and given back it is free. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/guest.h"
#include "tests/support/member.h"
#include "tests/support/volley.h"

#define BLOCKS "/api/v1/blocks"

TestSuite(blocks, .timeout = 120);

struct desk {
    struct api owner;
    const char *service, *staff;
};

static struct desk desk_open(void)
{
    struct desk d = { .owner = api_login(OWNER_A) };
    d.service = api_new_service(&d.owner, api_unique("Corte"), 30);
    d.staff = api_new_staff(&d.owner, api_unique("Beto"));
    return d;
}

static void desk_close(struct desk *d)
{
    api_close(&d->owner);
    api_release();
}

static struct answer *expect(struct answer *r, int status, const char *code)
{
    cr_assert_eq(r->status, status, "%d %s", r->status, r->http.body);
    cr_assert_str_eq(answer_code(r), code, "%s", r->http.body);
    return r;
}

static const char *at(int day, const char *time)
{
    return api_text("%sT%s", api_day(day), time);
}

static struct answer *block(struct desk *d, const char *whose, const char *from, const char *to)
{
    return api_post(&d->owner, BLOCKS,
                    "{%s,\"starts_at\":\"%s\",\"ends_at\":\"%s\",\"reason\":\"Junta\"}", whose,
                    from, to);
}

static char *of_staff(const struct desk *d)
{
    return api_text("\"staff_id\":\"%s\"", d->staff);
}

static struct answer *book(struct desk *d, const char *starts_at)
{
    return api_book(&d->owner, api_new_client(&d->owner, "Ana"), d->service, d->staff, starts_at);
}

Test(blocks, nobody_books_over_it_until_it_is_given_back)
{
    struct desk d = desk_open();
    struct answer *made = expect(block(&d, of_staff(&d), at(20, "10:00"), at(20, "12:00")), 201,
                                 "");
    cr_expect_str_eq(answer_text(made, "staff_id"), d.staff);
    cr_expect_str_eq(answer_text(made, "reason"), "Junta");
    expect(book(&d, at(20, "11:30")), 409, "slot_taken");
    expect(book(&d, at(20, "12:00")), 201, "");
    expect(block(&d, of_staff(&d), at(20, "11:00"), at(20, "11:30")), 409, "slot_taken");
    expect(block(&d, of_staff(&d), at(20, "12:00"), at(20, "12:10")), 409, "slot_taken");
    struct answer *r = api_get(&d.owner,
                               "/api/v1/availability/slots?service_id=%s&staff_id=%s&from=%s&to=%s"
                               "&explain=true",
                               d.service, d.staff, api_day(20), api_day(20));
    cr_expect_null(strstr(r->http.body, api_text("\"at\":\"%s", at(20, "11:00"))));
    cr_expect(strstr(r->http.body, "[\"busy\"]") != NULL, "%s", r->http.body);
    r = api_get(&d.owner, "/api/v1/agenda?view=day&date=%s&staff_id=%s", api_day(20), d.staff);
    cr_expect_str_eq(answer_text(r, "days.0.staff.0.blocks.0.kind"), "block", "%s", r->http.body);
    r = api_get(&d.owner, BLOCKS "?staff_id=%s&from=%s&to=%s", d.staff, api_day(20), api_day(20));
    cr_expect_eq(answer_count(r, "data"), 1);
    r = api_get(&d.owner, BLOCKS "?staff_id=%s&from=%s", d.staff, api_day(21));
    cr_expect_eq(answer_count(r, "data"), 0);
    const char *path = api_text(BLOCKS "/%s", answer_text(made, "id"));
    expect(api_send(&d.owner, "DELETE", path, NULL, NULL), 204, "");
    expect(api_send(&d.owner, "DELETE", path, NULL, NULL), 404, "not_found");
    expect(book(&d, at(20, "11:30")), 201, "");
    desk_close(&d);
}

Test(blocks, an_asset_has_them_too)
{
    struct desk d = desk_open();
    const char *chair = api_new_asset(&d.owner, "chair", api_unique("Sillon"));
    expect(api_send(&d.owner, "PUT", api_text("/api/v1/services/%s/needs/1", d.service),
                    api_text("{\"any_of\":[\"%s\"]}", chair), NULL),
           200, "");
    struct answer *made = expect(
        block(&d, api_text("\"asset_id\":\"%s\"", chair), at(21, "10:00"), at(22, "10:00")), 201,
        "");
    cr_expect_str_eq(answer_text(made, "asset_id"), chair);
    cr_expect_null(answer_text(made, "staff_id"));
    expect(book(&d, at(21, "23:00")), 409, "no_asset");
    expect(book(&d, at(22, "10:00")), 201, "");
    desk_close(&d);
}

Test(blocks, that_are_refused)
{
    struct desk d = desk_open();
    struct {
        const char *whose, *from, *to, *pointer;
    } bad[] = {
        { of_staff(&d), at(20, "10:00"), at(20, "10:00"), "/ends_at" },
        { of_staff(&d), at(20, "10:00"), at(20, "09:00"), "/ends_at" },
        { of_staff(&d), at(20, "10:00"), at(52, "10:00"), "/ends_at" },
        { of_staff(&d), at(-400, "10:00"), at(-400, "11:00"), "/starts_at" },
        { of_staff(&d), at(800, "10:00"), at(800, "11:00"), "/starts_at" },
        { "\"asset_id\":null", at(20, "10:00"), at(20, "11:00"), "/asset_id" },
        { api_text("\"staff_id\":\"%s\"", d.service), at(20, "10:00"), at(20, "11:00"),
          "/staff_id" },
        { api_text("\"asset_id\":\"%s\"", d.staff), at(20, "10:00"), at(20, "11:00"), "/asset_id" },
        { api_text("\"asset_id\":\"%s\",\"staff_id\":\"%s\"", d.staff, d.staff), at(20, "10:00"),
          at(20, "11:00"), "/staff_id" },
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct answer *r = block(&d, bad[i].whose, bad[i].from, bad[i].to);
        cr_expect(r->status == 422 || r->status == 400, "%zu: %d", i, r->status);
        cr_expect(r->status == 400 || answer_blames(r, bad[i].pointer), "%zu: %s", i, r->http.body);
    }
    cr_expect_eq(answer_count(api_get(&d.owner, BLOCKS "?staff_id=%s", d.staff), "data"), 0);
    desk_close(&d);
}

Test(blocks, who_reaches_their_own_blocks_their_own)
{
    struct desk d = desk_open();
    struct member me = member_join("practice-a", "professional", NULL);
    struct answer *theirs = expect(block(&d, of_staff(&d), at(23, "10:00"), at(23, "11:00")), 201,
                                   "");
    struct answer *r = api_post(&me.api, BLOCKS,
                                "{\"staff_id\":\"%s\",\"starts_at\":\"%s\",\"ends_at\":\"%s\"}",
                                me.staff, at(23, "10:00"), at(23, "11:00"));
    expect(r, 201, "");
    r = api_post(&me.api, BLOCKS, "{\"staff_id\":\"%s\",\"starts_at\":\"%s\",\"ends_at\":\"%s\"}",
                 d.staff, at(23, "12:00"), at(23, "13:00"));
    cr_expect(answer_blames(r, "/staff_id"), "%s", r->http.body);
    expect(
        api_send(&me.api, "DELETE", api_text(BLOCKS "/%s", answer_text(theirs, "id")), NULL, NULL),
        404, "not_found");
    r = api_get(&me.api, BLOCKS "?from=%s&to=%s", api_day(23), api_day(23));
    cr_expect_eq(answer_count(r, "data"), 1, "%s", r->http.body);
    member_close(&me);
    desk_close(&d);
}

Test(blocks, of_twenty_at_once_one_has_the_time)
{
    enum { MANY = 20 };
    struct desk d = desk_open();
    struct shot shots[MANY];
    for (int i = 0; i < MANY; i++) {
        bool books = i % 2;
        const char *from = at(24, "10:00"), *to = at(24, "10:30");
        shots[i] = (struct shot){
            .token = d.owner.token,
            .method = "POST",
            .path = books ? "/api/v1/appointments" : BLOCKS,
            .body = books ? api_text(
                                "{\"client_id\":\"%s\",\"service_id\":\"%s\",\"staff_id\":\"%s\","
                                "\"starts_at\":\"%s\"}",
                                api_new_client(&d.owner, "Eva"), d.service, d.staff, from)
                          : api_text("{%s,\"starts_at\":\"%s\",\"ends_at\":\"%s\"}", of_staff(&d),
                                     from, to),
        };
    }
    volley_fire(shots, MANY);
    cr_expect_eq(volley_count(shots, MANY, 201, NULL), 1);
    cr_expect_eq(volley_count(shots, MANY, 409, "slot_taken"), MANY - 1);
    desk_close(&d);
}
