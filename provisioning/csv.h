/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Cuts a CSV text (RFC 4180) into fields, in place: commas, "quoted ""fields""", LF or CRLF, a byte order mark in
 * front. Knows nothing of what the fields mean. */
#ifndef GREMIO_CSV_H
#define GREMIO_CSV_H

#include "common/err.h"
#include "common/sbuf.h"

struct csv {
    char *at;    /* what is left; the caller's text, written to */
    size_t line; /* of the last record, from 1 */
    size_t next; /* line of what is left */
};

/* text ends with a NUL and holds no other; it must outlive the fields. */
void csv_init(struct csv *c, char *text);
/* The next record that is not an empty line: fields[0 .. *n), each NUL-terminated. E_CLOSED at the end; E_INVALID with
 * a sentence on an unended quote, text behind a quote or more than max fields. */
MUST_USE enum err csv_next(struct csv *c, char **fields, size_t max, size_t *n, struct sbuf *why);

#endif
