/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Nothing that goes into a page can leave the place it was put in. */
#include "worker/html.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/str.h"

static struct sbuf out;

static const char *written(void)
{
    sbuf_char(&out, '\0');
    return out.data;
}

static void setup(void)
{
    sbuf_init(&out);
}

static void teardown(void)
{
    sbuf_fini(&out);
}

TestSuite(html, .init = setup, .fini = teardown);

Test(html, markup_and_values)
{
    const char *volatile nothing = NULL;
    html_fmt(&out, "<p class=\"x\">%s</p>%d%%<i>%s</i>", "a & b", -7, nothing);
    cr_expect_str_eq(written(), "<p class=\"x\">a &amp; b</p>-7%<i></i>");
}

static const char *const naughty[] = {
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "` onfocus=`alert(1)",
    "</title></style></textarea><svg/onload=alert(1)>",
    "<!--",
    "]]>",
    "&lt;script&gt;",
    "&#x3c;script&#x3e;",
    "javascript:alert(1)",
    "\x01\x02\x08\x0b\x0c\x0e\x1f\x7f<b>",
    "\r\n\r\n<h1>",
    "%s%n%d",
    "Jos\xc3\xa9 \xe2\x80\xae\xf0\x9f\x92\xa9",
    "\xe2\x80\xa8<\xef\xbc\x9c",
    "{{7*7}}${7*7}<%= 7*7 %>",
};

/* Between the two places nothing is left that could begin a tag, end an attribute or begin an entity of its own. */
static void expect_inert(const char *text)
{
    for (const char *p = text; *p; p++) {
        cr_expect(!strchr("<>\"'`", *p), "%s", text);
        cr_expect((unsigned char)*p >= 0x20 || *p == '\n' || *p == '\t');
        cr_expect_neq(*p, 0x7f);
        if (*p == '&') {
            cr_expect(strncmp(p, "&amp;", 5) == 0 || strncmp(p, "&lt;", 4) == 0 ||
                          strncmp(p, "&gt;", 4) == 0 || strncmp(p, "&quot;", 6) == 0 ||
                          strncmp(p, "&#39;", 5) == 0 || strncmp(p, "&#96;", 5) == 0,
                      "%s", text);
        }
    }
}

/* What a browser reads again of the escaped text. */
static void unescape(char *text)
{
    static const struct {
        const char *entity;
        char c;
    } all[] = { { "&amp;", '&' },  { "&lt;", '<' },   { "&gt;", '>' },
                { "&quot;", '"' }, { "&#39;", '\'' }, { "&#96;", '`' } };
    char *to = text;
    while (*text) {
        size_t n = 0;
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
            size_t len = strlen(all[i].entity);
            if (strncmp(text, all[i].entity, len) == 0) {
                n = len;
                *to++ = all[i].c;
            }
        }
        if (n == 0) {
            *to++ = *text;
        }
        text += n ? n : 1;
    }
    *to = '\0';
}

Test(html, naughty_strings_stay_where_they_are_put)
{
    for (size_t i = 0; i < ARRAY_LEN(naughty); i++) {
        sbuf_reset(&out, 1 << 16);
        html_fmt(&out, "%s", naughty[i]);
        char *text = strdup(written());
        expect_inert(text);
        cr_expect(str_utf8_valid(slice_of(text)));
        unescape(text);
        if (!strpbrk(naughty[i], "\x01\r")) {
            cr_expect_str_eq(text, naughty[i], "a reader sees what was written");
        }
        free(text);
    }
}

Test(html, a_conversion_that_is_none_of_ours_ends_the_process, .signal = SIGABRT)
{
    html_fmt(&out, "%5d", 1);
}

Test(html, colors)
{
    static const char *const bad[] = { NULL,      "",        "#12345",     "#1234567", "123456",
                                       "#12345g", "#12345;", "#fff}body{", "red",      "#12 456" };
    cr_expect(html_is_color("#0f766e") && html_is_color("#ABCDEF"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_not(html_is_color(bad[i]), "%s", bad[i]);
    }
}

Test(html, base64)
{
    static const char *const bad[] = { NULL,     "",      "abc",  "ab=c",    "====",
                                       "abcd\n", "ab\"=", "a-b_", "abcde===" };
    cr_expect(html_is_base64("YWJj") && html_is_base64("YQ==") && html_is_base64("YWI="));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_not(html_is_base64(bad[i]), "%s", bad[i]);
    }
}

static double luminance(unsigned rgb)
{
    double sum = 0, weight[] = { 0.0722, 0.7152, 0.2126 };
    for (unsigned i = 0; i < 3; i++) {
        double v = (rgb >> 8 * i & 0xff) / 255.0;
        sum += weight[i] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return sum;
}

Test(html, ink_reads_on_every_color)
{
    double least = 21;
    for (unsigned r = 0; r < 256; r += 5) {
        for (unsigned g = 0; g < 256; g += 5) {
            for (unsigned b = 0; b < 256; b += 5) {
                char color[24];
                snprintf(color, sizeof(color), "#%02x%02x%02x", r, g, b);
                double back = luminance(r << 16 | g << 8 | b);
                bool dark = strcmp(html_ink(color), "#000000") == 0;
                double contrast = dark ? (back + 0.05) / 0.05 : 1.05 / (back + 0.05);
                least = contrast < least ? contrast : least;
            }
        }
    }
    cr_expect_geq(least, 4.5, "%f", least);
    cr_expect_str_eq(html_ink("#0f766e"), "#ffffff");
    cr_expect_str_eq(html_ink("#ffff00"), "#000000");
}
