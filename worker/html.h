/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Writing HTML. Markup is ours, in formats; whatever else goes in is escaped for where it stands. Pure. */
#ifndef GREMIO_HTML_H
#define GREMIO_HTML_H

#include "common/sbuf.h"

/* Appends markup in which %s is a text (valid UTF-8, NULL: nothing), escaped for element content and for attribute values in
 * double quotes, and %d a number; there is no other conversion but %%. Values do not belong anywhere else: not into tags, names,
 * styles or unquoted values. */
void html_fmt(struct sbuf *out, const char *markup, ...) PRINTF_LIKE(2, 3);
/* Whether it is "#rrggbb" and nothing else, which may stand in a style. */
bool html_is_color(const char *text);
/* Whether it is Base64 (RFC 4648 4), which may stand in a data: address. */
bool html_is_base64(const char *text);
/* Black or white: what reads best on that colour. One of the two has a contrast of at least 4.5 (WCAG 2.2, 1.4.3) on any. */
const char *html_ink(const char *color);

#endif
