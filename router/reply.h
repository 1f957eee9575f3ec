/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Renders the head of an answer: status line and fields, nothing else. A value with CR, LF or NUL never reaches the
 * wire: its field is left out. Owns only the cached Date. */
#ifndef GREMIO_REPLY_H
#define GREMIO_REPLY_H

#include "common/sbuf.h"
#include "router/http_types.h"

/* What the connection adds to the answer. */
struct reply_frame {
    struct slice request_id;
    enum lang lang; /* Content-Language of problem documents */
    bool close;     /* Connection: close */
};

/* Appends status line, fields and the empty line. Content-Length is that of a->body, left out for 1xx, 204 and 304. */
void reply_head(struct sbuf *out, const struct http_answer *a, const struct reply_frame *f);
/* Reason phrase of RFC 9110 15; "Unknown" for others. */
const char *reply_reason(int status);
/* May an answer of this status carry a body? Not 1xx, 204, 304. */
bool reply_has_body(int status);
/* "Sun, 06 Nov 1994 08:49:37 GMT" of now; rendered once a second. */
struct slice reply_date(void);
/* Neither control byte but HTAB nor DEL: may stand in a field. */
bool reply_value_valid(struct slice value);

#endif
