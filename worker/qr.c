/* SPDX-License-Identifier: LicenseRef-Gremio */
/* libqrencode lays out the modules; each run of dark ones in a row becomes one piece of a single path. */
#include "worker/qr.h"

#include <qrencode.h>
#include <string.h>

enum { QUIET = 4 };

static bool is_dark(const QRcode *code, int x, int y)
{
    return code->data[y * code->width + x] & 1;
}

static void write_row(const QRcode *code, int y, struct sbuf *out)
{
    for (int x = 0; x < code->width; x++) {
        int from = x;
        while (x < code->width && is_dark(code, x, y)) {
            x++;
        }
        if (x > from) {
            sbuf_fmt(out, "M%d %dh%dv1h-%dz", from + QUIET, y + QUIET, x - from, x - from);
        }
    }
}

static void write_escaped(const char *text, struct sbuf *out)
{
    for (; *text; text++) {
        if (*text == '<' || *text == '&' || *text == '>') {
            sbuf_fmt(out, "&#%d;", *text);
        } else {
            sbuf_char(out, *text);
        }
    }
}

enum err qr_svg(const char *text, const char *title, struct sbuf *out)
{
    if (strlen(text) > QR_TEXT_MAX) {
        return E_BAD_REQUEST;
    }
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
    if (!code) {
        return E_NOMEM;
    }
    int side = code->width + 2 * QUIET;
    sbuf_fmt(out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\""
             " shape-rendering=\"crispEdges\"><title>",
             side, side);
    write_escaped(title, out);
    sbuf_fmt(out, "</title><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path fill=\"#000\" d=\"", side,
             side);
    for (int y = 0; y < code->width; y++) {
        write_row(code, y, out);
    }
    sbuf_text(out, "\"/></svg>");
    QRcode_free(code);
    return sbuf_failed(out) ? E_NOMEM : OK;
}
