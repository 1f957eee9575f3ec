/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The strict pre-pass every JSON document passes before json-c may see it (json-c 0.16 accepts NaN, single
 * quotes, duplicate names, NUL in names, bad UTF-8, wrapped numbers). What JSON is, json_scan.h says (RFC 8259); this
 * adds what Gremio refuses although it is JSON, each with a reason of its own: what other readers may understand
 * differently (RFC 7493, I-JSON), what PostgreSQL cannot hold, what has no bound. Pure. */
#ifndef GREMIO_JSON_H
#define GREMIO_JSON_H

#include "common/json_scan.h"

#define JSON_DEPTH_MAX  32   /* nested arrays and objects */
#define JSON_NAMES_MAX  1000 /* members of one object */
#define JSON_NUMBER_MAX 128  /* characters of one number */

/* Why and where a document was refused. */
struct json_fault {
    const struct json_reason *why;
    size_t at;         /* byte offset */
    char pointer[256]; /* RFC 6901 pointer of the value concerned, cut when longer */
};

/* OK when text is one JSON value that we take. E_BAD_JSON otherwise with *fault filled, whose why->code is
 * malformed_json (RFC 8259 forbids it), or one of what RFC 8259 allows:
 *   duplicate_name       twice in one object, compared after unescaping (RFC 7493 2.3)
 *   nul_character        U+0000, even escaped: PostgreSQL's text has none
 *   lone_surrogate       half of a pair, which no UTF-8 can hold (RFC 7493 2.1)
 *   number_out_of_range  an integer beyond +-(2^53 - 1), another that is no finite double (RFC 7493 2.2)
 *   number_too_long, too_deep, too_many_members, too_large   beyond the bounds above, or more than scratch can hold
 * scratch is used for names and may be reset after. */
MUST_USE enum err json_check(struct slice text, struct arena *scratch, struct json_fault *fault);

struct json_object;
/* json_check, then json-c. *out is released by json_object_put; it is NULL for the document null. E_NOMEM is possible. */
MUST_USE enum err json_read(struct slice text, struct arena *scratch, struct json_fault *fault,
                            struct json_object **out);

/* Checked members: OK and *out only when the member is present with exactly that type; E_INVALID otherwise. */
MUST_USE enum err json_get_text(struct json_object *o, const char *name, struct slice *out);
MUST_USE enum err json_get_int(struct json_object *o, const char *name, int64_t *out);

#endif
