/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Amounts of money are integers in the currency's minor unit from the body's bytes to the statement's parameter: a
 * million random ones keep their sum to the cent, and what is no such integer is refused, never rounded. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/str.h"
#include "worker/params.h"

#define AMOUNTS   16         /* in one body */
#define BODIES    62500      /* a million amounts */
#define PRICE_MAX 1000000000 /* as in worker/api/services.c */

TestSuite(money, .timeout = 120);

static struct param rows[AMOUNTS + 1];
static struct params_plan plan;
static struct value values[AMOUNTS];
static struct problem problem;
static struct arena arena;

static void setup(void)
{
    static char names[AMOUNTS][8];
    static struct route route = { .method = M_POST, .path = "/x", .params = rows };
    struct sbuf why;
    sbuf_init(&why);
    for (int i = 0; i < AMOUNTS; i++) {
        snprintf(names[i], sizeof names[i], "p%d", i);
        rows[i] = (struct param){
            .name = names[i], .in = IN_BODY, .type = T_INT, .max = PRICE_MAX, .fallback = "0"
        };
    }
    cr_assert_eq(params_compile(&route, NULL, &plan, &why), OK, "%s", why.data);
    sbuf_fini(&why);
    arena_init(&arena, 1 << 20);
}

static enum err read_body(struct slice body)
{
    struct frame_request req = { .body = body, .content_type = SLICE("application/json") };
    struct route_match match = { 0 };
    problem = (struct problem){ 0 };
    arena_reset(&arena);
    return params_read(&plan, &req, &match, &arena, values, &problem);
}

/* Small, common and largest amounts alike: up to nine digits of any number of digits. */
static int64_t random_amount(void)
{
    static const int64_t scales[] = { 10, 1000, 100000, 10000000, PRICE_MAX + 1 };
    return random() % scales[random() % 5];
}

Test(money, a_million_amounts_keep_their_sum, .init = setup)
{
    struct sbuf body;
    int64_t sent = 0, got = 0, again = 0, v;
    sbuf_init(&body);
    srandom(20261123);
    for (int b = 0; b < BODIES; b++) {
        sbuf_reset(&body, SIZE_MAX);
        for (int i = 0; i < AMOUNTS; i++) {
            int64_t amount = random_amount();
            sent += amount;
            sbuf_fmt(&body, "%c\"p%d\":%lld", i == 0 ? '{' : ',', i, (long long)amount);
        }
        sbuf_char(&body, '}');
        cr_assert_eq(read_body(sbuf_slice(&body)), OK);
        for (int i = 0; i < AMOUNTS; i++) {
            got += values[i].number;
            cr_assert_eq(str_int(slice_of(values[i].text), 0, PRICE_MAX, &v), OK);
            again += v; /* the text is what PostgreSQL gets */
        }
    }
    cr_expect_eq(got, sent);
    cr_expect_eq(again, sent);
    sbuf_fini(&body);
    arena_fini(&arena);
}

/* Written in any other way a number is refused, also when it is the same number. */
Test(money, only_integers_are_amounts, .init = setup)
{
    static const struct {
        const char *text;
        enum err want;
    } tries[] = {
        { "0", OK },
        { "-0", OK },
        { "1000000000", OK },
        { "1000000001", E_INVALID },
        { "-1", E_INVALID },
        { "1.0", E_INVALID },
        { "0.1", E_INVALID },
        { "100.00", E_INVALID },
        { "1e2", E_INVALID },
        { "1E0", E_INVALID },
        { "0e0", E_INVALID },
        { "1e-400", E_INVALID },
        { "9007199254740991", E_INVALID },
        { "\"100\"", E_INVALID },
        { "[100]", E_INVALID },
        { "null", E_INVALID },
        { "9007199254740992", E_BAD_JSON },
        { "9007199254740993", E_BAD_JSON },
        { "1e400", E_BAD_JSON },
        { "01", E_BAD_JSON },
        { "1.", E_BAD_JSON },
        { "0x10", E_BAD_JSON },
        { "NaN", E_BAD_JSON },
    };
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        char body[80];
        snprintf(body, sizeof body, "{\"p3\":%s}", tries[i].text);
        cr_expect_eq(read_body(slice_of(body)), tries[i].want, "%s", tries[i].text);
        cr_expect(tries[i].want == OK || strcmp(problem.fields[0].pointer, "/p3") == 0, "%s",
                  tries[i].text);
    }
    arena_fini(&arena);
}
