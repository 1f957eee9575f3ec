/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One way to escape that is right in both places values may stand in, so that none can be mistaken for the other. */
#include "worker/html.h"

#include <stdarg.h>
#include <stdlib.h>

#include "common/str.h"

/* Where the contrast to black, (L + 0.05) / 0.05, is that to white, 1.05 / (L + 0.05); in ten thousandths. */
#define INK_TURN 1791

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '`':
        return "&#96;";
    default:
        return NULL;
    }
}

/* C0 but tab and newline, and DEL, are no characters of HTML (WHATWG 13.2.3.5): they are left out. */
static bool is_dropped(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
}

static void add_text(struct sbuf *out, const char *text)
{
    const char *from = text;
    for (const char *p = text; p && *p; p++) {
        const char *e = entity(*p);
        if (e || is_dropped(*p)) {
            sbuf_add(out, (struct slice){ from, (size_t)(p - from) });
            sbuf_text(out, e ? e : "");
            from = p + 1;
        }
    }
    sbuf_text(out, from ? from : "");
}

void html_fmt(struct sbuf *out, const char *markup, ...)
{
    va_list values;
    va_start(values, markup);
    const char *from = markup, *mark;
    for (; (mark = strchr(from, '%')); from = mark + 2) {
        sbuf_add(out, (struct slice){ from, (size_t)(mark - from) });
        if (mark[1] == 's') {
            add_text(out, va_arg(values, const char *));
        } else if (mark[1] == 'd') {
            sbuf_int(out, va_arg(values, int));
        } else if (mark[1] == '%') {
            sbuf_char(out, '%');
        } else {
            abort(); /* markup is ours: found by the first test that meets it */
        }
    }
    sbuf_text(out, from);
    va_end(values);
}

bool html_is_color(const char *text)
{
    if (!text || text[0] != '#' || strlen(text) != 7) {
        return false;
    }
    for (size_t i = 1; i < 7; i++) {
        if (str_hex_digit(text[i]) < 0) {
            return false;
        }
    }
    return true;
}

bool html_is_base64(const char *text)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = text ? strspn(text, alphabet) : 0;
    size_t pad = n > 0 ? strspn(text + n, "=") : 0;
    return n > 0 && pad <= 2 && text[n + pad] == '\0' && (n + pad) % 4 == 0;
}

/* Of sRGB, in ten thousandths, as WCAG 2.2 defines relative luminance, at every sixteenth value; between them it is nearly straight. */
static int channel(const char *two)
{
    static const int at[] = { 0,    52,   144,  296,  513,  802,  1170, 1620, 2159,
                              2789, 3515, 4342, 5271, 6308, 7454, 8714, 10090 };
    int v = str_hex_digit(two[0]) * 16 + str_hex_digit(two[1]);
    return at[v / 16] + (at[v / 16 + 1] - at[v / 16]) * (v % 16) / 16;
}

const char *html_ink(const char *color)
{
    int light = (2126 * channel(color + 1) + 7152 * channel(color + 3) + 722 * channel(color + 5)) /
                10000;
    return light > INK_TURN ? "#000000" : "#ffffff";
}
