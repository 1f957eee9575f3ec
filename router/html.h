/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Pages for people: the fields that go with every one, and the page that stands where a program gets a problem document. */
#ifndef GREMIO_HTML_H
#define GREMIO_HTML_H

#include "router/http_types.h"

#define HTML_POLICY_MAX 320

/* Does Accept (RFC 9110 12.5.1) name text/html? A program's "*" does not. */
bool html_wanted(struct slice accept);
/* Gives a the fields of a page in lang: nothing but its own style may act in it, nobody may frame, store or index it. style is
 * the SHA-256 of its style element in Base64; empty: it has none. policy is a's as long as a is used. */
void html_dress(struct http_answer *a, const struct exchange *x, enum lang lang, struct slice style,
                char policy[HTML_POLICY_MAX]);
/* Appends the page that says e, and is the same whoever asks; *style is its style's hash, for html_dress. */
void html_refusal(struct sbuf *out, enum err e, enum lang lang, struct slice *style);

#endif
