/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The one cookie there is: a guest's session. Strict in what is read (RFC 6265 4.2.1) and in what is written (4.1). Pure. */
#ifndef GREMIO_COOKIE_H
#define GREMIO_COOKIE_H

#include "common/err.h"
#include "common/sbuf.h"

/* Its name. Over TLS it has the prefix with which browsers take it from this very host only (RFC 6265bis 4.1.3.2). */
struct slice cookie_name(bool secure);
/* The value of the cookie of that name, borrowed from the field. E_NOT_FOUND: it is not there. E_BAD_REQUEST: it is there
 * twice, or the field is none that a browser sends, so that nobody can say which cookie is meant. */
MUST_USE enum err cookie_find(struct slice field, struct slice name, struct slice *value);
/* Appends the value of a Set-Cookie field; an empty value with age_s 0 takes the cookie away. E_BAD_REQUEST: value has a byte
 * that no cookie has; nothing was appended. */
MUST_USE enum err cookie_write(struct sbuf *out, bool secure, struct slice value, uint32_t age_s);

#endif
