/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The guest's cookie in and out: only what RFC 6265 lets a browser send is read, and nothing that is no cookie is written. */
#include "router/cookie.h"

#include <criterion/criterion.h>
#include <stdio.h>

static enum err find(struct slice field, struct slice *value)
{
    return cookie_find(field, cookie_name(false), value);
}

Test(cookie, is_found_among_others)
{
    static const struct {
        struct slice field, value;
    } cases[] = {
        { SLICE("gremio_guest=a.b.c"), SLICE("a.b.c") },
        { SLICE("a=1; gremio_guest=x"), SLICE("x") },
        { SLICE("gremio_guest=x; a="), SLICE("x") },
        { SLICE("gremio_guest="), SLICE("") },
        { SLICE("gremio_guest=a=b"), SLICE("a=b") },
        { SLICE("q=\"quoted\"; gremio_guest=x; __Host-gremio_guest=y"), SLICE("x") },
        { SLICE("Gremio_guest=1; gremio_guest=2"), SLICE("2") },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice value;
        cr_assert_eq(find(cases[i].field, &value), OK, "%s", cases[i].field.p);
        cr_expect(slice_eq(value, cases[i].value), "%s", cases[i].field.p);
    }
}

Test(cookie, is_not_there)
{
    static const struct slice fields[] = {
        { 0 },
        SLICE("a=1"),
        SLICE("__Host-gremio_guest=x"),
        SLICE("gremio_guest2=x; xgremio_guest=y"),
        SLICE("a=gremio_guest"),
    };
    struct slice value;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        cr_expect_eq(find(fields[i], &value), E_NOT_FOUND, "row %zu", i);
    }
    cr_expect_eq(cookie_find(SLICE("gremio_guest=x"), cookie_name(true), &value), E_NOT_FOUND,
                 "over TLS a cookie without the prefix may be somebody else's");
    cr_expect_eq(cookie_find(SLICE("__host-gremio_guest=x"), cookie_name(true), &value),
                 E_NOT_FOUND);
}

Test(cookie, what_could_be_read_in_two_ways_is_refused)
{
    static const struct slice fields[] = {
        SLICE(""),
        SLICE("gremio_guest"),
        SLICE("=x"),
        SLICE("gremio_guest=x; gremio_guest=y"),
        SLICE("gremio_guest=x; gremio_guest=x"),
        SLICE("gremio_guest=x;a=1"),
        SLICE("gremio_guest=x;  a=1"),
        SLICE("gremio_guest=x; "),
        SLICE("gremio_guest=x;"),
        SLICE("; gremio_guest=x"),
        SLICE("gremio_guest =x"),
        SLICE("gremio_guest= x"),
        SLICE("gremio_guest=a b"),
        SLICE("gremio_guest=a,b"),
        SLICE("gremio_guest=a\\b"),
        SLICE("a=\"; gremio_guest=x"),
        SLICE("a=\"b; gremio_guest=x; c=d\""),
        SLICE("a=\xc3\xa9; gremio_guest=x"),
        SLICE("a\tb=1; gremio_guest=x"),
        SLICE("gremio_guest=x\r\nSet-Cookie: a=b"),
        SLICE("gremio_guest=x\0"),
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct slice value = SLICE("untouched");
        cr_expect_eq(find(fields[i], &value), E_BAD_REQUEST, "row %zu: %s", i, fields[i].p);
        cr_expect(slice_eq(value, SLICE("untouched")));
    }
}

Test(cookie, is_written_with_all_it_needs)
{
    struct sbuf out;
    sbuf_init(&out);
    cr_assert_eq(cookie_write(&out, true, SLICE("a.b-c_d"), 600), OK);
    cr_expect(slice_eq(sbuf_slice(&out),
                       SLICE("__Host-gremio_guest=a.b-c_d; Path=/; Max-Age=600; HttpOnly; "
                             "SameSite=Strict; Secure")));
    sbuf_reset(&out, 1000);
    cr_assert_eq(cookie_write(&out, false, SLICE(""), 0), OK);
    cr_expect(slice_eq(sbuf_slice(&out),
                       SLICE("gremio_guest=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")));
    sbuf_fini(&out);
}

Test(cookie, a_value_adds_no_attribute_and_no_field)
{
    static const struct slice bad[] = {
        SLICE("a; Domain=x"), SLICE("a;b"), SLICE("a\r\nX: y"), SLICE("a b"), SLICE("a,b"),
        SLICE("\"a\""),       SLICE("a\\"), SLICE("\xc3\xa9"),  SLICE("a\0"), SLICE("a\x7f"),
    };
    struct sbuf out;
    sbuf_init(&out);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_eq(cookie_write(&out, true, bad[i], 1), E_BAD_REQUEST, "row %zu", i);
        cr_expect_eq(out.len, 0);
    }
    sbuf_fini(&out);
}
