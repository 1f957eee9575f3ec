/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The strict pre-pass every JSON document passes before json-c may see it (json-c 0.16 accepts NaN, single
 * quotes, duplicate names, NUL in names, bad UTF-8, wrapped numbers). RFC 8259 and RFC 7493 (I-JSON). Pure. */
#ifndef GREMIO_JSON_H
#define GREMIO_JSON_H

#include "common/arena.h"
#include "common/err.h"

#define JSON_DEPTH_MAX 32   /* nested arrays and objects */
#define JSON_NAMES_MAX 1000 /* members of one object */

/* Why and where a document was refused. */
struct json_fault {
    const char *why;   /* static text in English, e.g. "duplicate name", "number beyond range" */
    size_t at;         /* byte offset */
    char pointer[256]; /* RFC 6901 pointer of the value concerned, cut when longer */
};

/* OK when text is one JSON value: RFC 8259 grammar, UTF-8 (RFC 3629), no U+0000 even escaped, no lone surrogate,
 * no duplicate name in an object (compared after unescaping), depth at most JSON_DEPTH_MAX, integers within
 * +-(2^53 - 1), other numbers finite as a double, at most 128 characters each, nothing behind the value but blanks.
 * E_BAD_JSON otherwise with *fault filled. scratch is used for names and may be reset after. */
MUST_USE enum err json_check(struct slice text, struct arena *scratch, struct json_fault *fault);

struct json_object;
/* json_check, then json-c. *out is released by json_object_put; it is NULL for the document null. E_NOMEM is possible. */
MUST_USE enum err json_read(struct slice text, struct arena *scratch, struct json_fault *fault,
                            struct json_object **out);

/* Checked members: OK and *out only when the member is present with exactly that type; E_INVALID otherwise. */
MUST_USE enum err json_get_text(struct json_object *o, const char *name, struct slice *out);
MUST_USE enum err json_get_int(struct json_object *o, const char *name, int64_t *out);

#endif
