/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Pages: who gets them, the fields of each, and the ones that stand for refusals. */
#include "router/html.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "common/sbuf.h"

Test(html, who_wants_a_page)
{
    static const char *const browsers[] = {
        "text/html",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/json, Text/HTML;q=0.5",
        " text/html ; charset=utf-8 ",
        "text/html;q=0.01",
    };
    static const char *const programs[] = {
        "",           "*/*",         "application/json", "text/*",
        "text/htmlx", "a/text/html", "text/html;q=0",    "text/html; level=1; Q=0.000",
    };
    for (size_t i = 0; i < ARRAY_LEN(browsers); i++) {
        cr_expect(html_wanted(slice_of(browsers[i])), "%s", browsers[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        cr_expect_not(html_wanted(slice_of(programs[i])), "%s", programs[i]);
    }
    cr_expect_not(html_wanted((struct slice){ 0 }));
}

Test(html, fields_of_a_page)
{
    struct http_answer a = { .status = 200 };
    struct exchange x = { .by_link = true };
    char policy[HTML_POLICY_MAX];
    html_dress(&a, &x, LANG_EN, SLICE("c3R5bGU="), policy);
    cr_expect(
        slice_eq(a.csp, SLICE("default-src 'none'; style-src 'sha256-c3R5bGU='; img-src data: "
                              "'self'; form-action 'self'; base-uri 'none'; frame-ancestors "
                              "'none'")));
    cr_expect(slice_eq(a.referrer_policy, SLICE("no-referrer")));
    cr_expect(slice_eq(a.cache_control, SLICE("no-store")));
    cr_expect(slice_eq(a.robots, SLICE("noindex")));
    cr_expect(slice_eq(a.language, SLICE("en")));
    x.by_link = false;
    html_dress(&a, &x, LANG_ES, (struct slice){ 0 }, policy);
    cr_expect(slice_eq(a.referrer_policy, SLICE("same-origin")));
    cr_expect(slice_eq(a.language, SLICE("es")));
    cr_expect_not_null(strstr(policy, "style-src 'none'"));
}

Test(html, a_style_hash_adds_nothing_to_the_policy)
{
    static const char *const bad[] = { "x' 'unsafe-inline", "a b", "a;b", "a\r\nb", "a\"" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_answer a = { 0 };
        struct exchange x = { 0 };
        char policy[HTML_POLICY_MAX];
        html_dress(&a, &x, LANG_ES, slice_of(bad[i]), policy);
        cr_expect_not_null(strstr(policy, "style-src 'none';"), "%s", policy);
    }
}

/* The hash is that of the text between the tags, or the browser would not apply it. */
Test(html, refusals_for_every_error)
{
    struct sbuf out;
    sbuf_init(&out);
    for (int e = OK + 1; e < ERR_COUNT; e++) {
        for (enum lang lang = LANG_ES; lang <= LANG_EN; lang++) {
            struct slice style;
            unsigned char hash[32];
            char text[64];
            sbuf_reset(&out, 1 << 16);
            html_refusal(&out, (enum err)e, lang, &style);
            sbuf_char(&out, '\0');
            const char *begin = strstr(out.data, "<style>") + 7, *end = strstr(begin, "</style>");
            EVP_Digest(begin, (size_t)(end - begin), hash, NULL, EVP_sha256(), NULL);
            EVP_EncodeBlock((unsigned char *)text, hash, sizeof(hash));
            cr_assert(slice_eq(style, slice_of(text)));
            cr_expect_not_null(
                strstr(out.data, lang == LANG_EN ? "<html lang=\"en\">" : "<html lang=\"es\">"));
            cr_expect_null(strstr(out.data, "(null)"));
        }
    }
    sbuf_fini(&out);
}

static bool says(enum err e, const char *what)
{
    struct sbuf out;
    struct slice style;
    sbuf_init(&out);
    html_refusal(&out, e, LANG_EN, &style);
    sbuf_char(&out, '\0');
    bool yes = strstr(out.data, what) != NULL;
    sbuf_fini(&out);
    return yes;
}

Test(html, refusals_say_what_to_do)
{
    cr_expect(says(E_LINK_EXPIRED, "does not work"));
    cr_expect(says(E_TOKEN_EXPIRED, "Your visit has ended"));
    cr_expect(says(E_RATE_LIMITED, "One moment"));
    cr_expect(says(E_TENANT_BUSY, "One moment"));
    cr_expect(says(E_OUTCOME_UNKNOWN, "whether it was saved"));
    cr_expect(says(E_BODY_TOO_LARGE, "Something went wrong"));
}
