/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The grammar of RFC 8259 as a stream of tokens: says what is JSON and what is not, whatever its size and meaning.
 * What Gremio refuses although it is JSON is json.h's. Borrows text; no recursion; takes memory (n / 16 bytes of the
 * arena) only for texts nested more than 64 deep. Pure. */
#ifndef GREMIO_JSON_SCAN_H
#define GREMIO_JSON_SCAN_H

#include "common/arena.h"
#include "common/err.h"

/* Why a text is refused: code is stable. */
struct json_reason {
    const char *code;
    const char *text[2]; /* by enum lang */
};

enum json_token {
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_CLOSE, /* of the innermost of either */
    JSON_NAME,  /* its colon is read too */
    JSON_STRING,
    JSON_NUMBER,
    JSON_WORD, /* true, false, null */
    JSON_END,  /* the text is one JSON value */
};

struct json_scan {
    /* The token just read. */
    struct slice text; /* of a name or string what is between the quotes, of the others all of it */
    bool escaped;      /* text has escapes, each well formed; surrogates need not be in pairs */
    bool integer;      /* a number without fraction and exponent */

    /* After E_BAD_JSON. */
    const struct json_reason *why;
    const char *at;

    /* The scanner's own. */
    const char *p, *start, *end;
    enum json_scan_state {
        SCAN_VALUE,
        SCAN_FIRST_VALUE, /* or the end of the array */
        SCAN_NAME,
        SCAN_FIRST_NAME, /* or the end of the object */
        SCAN_AFTER,      /* a value: a comma, the end of what it is in, the end of the text */
    } state;
    size_t depth;
    uint64_t *objects; /* a bit per open level: it is an object */
    uint64_t first_objects;
    struct arena *scratch;
};

void json_scan_init(struct json_scan *s, struct slice text, struct arena *scratch);
/* The next token; nothing is read behind JSON_END. E_BAD_JSON with s->why and s->at where the text stops being JSON. */
MUST_USE enum err json_scan_next(struct json_scan *s, enum json_token *out);
/* OK when the whole text is JSON. */
MUST_USE enum err json_scan_all(struct slice text, struct arena *scratch);

#endif
