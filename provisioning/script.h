/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Reads SQL text just far enough to tell code from what is quoted or a comment: fills in the :names of a
 * migration file and refuses statements that would end its transaction. Pure; knows nothing of files. */
#ifndef GREMIO_SCRIPT_H
#define GREMIO_SCRIPT_H

#include "common/err.h"
#include "common/sbuf.h"

enum script_kind {
    SCRIPT_WORD,   /* identifier or keyword */
    SCRIPT_QUOTED, /* 'text', E'text', "name", $tag$text$tag$ with its quotes */
    SCRIPT_BLANK,  /* blanks and comments */
    SCRIPT_OTHER,  /* anything else, one byte; "::" and ":=" are one piece */
};

struct script_piece {
    enum script_kind kind;
    struct slice text;
};

/* ":name" becomes value, which must already be quoted for SQL. A list ends with a row without name. */
struct script_token {
    const char *name;
    const char *value;
};

/* Cuts the next piece off rest. E_CLOSED at the end, E_BAD_REQUEST on an unterminated quote or comment. */
MUST_USE enum err script_next(struct slice *rest, struct script_piece *out);

/* Appends sql with every token in code replaced; quoted text, comments and casts stay. E_BAD_REQUEST as above. */
MUST_USE enum err script_fill(struct slice sql, const struct script_token *tokens,
                              struct sbuf *out);

/* OK when sql is valid UTF-8 without NUL and no statement begins with a word that ends or leaves the transaction,
 * the role or the path it runs in (COMMIT, SET, COPY, ...). E_BAD_REQUEST with a sentence in why otherwise. */
MUST_USE enum err script_check(struct slice sql, struct sbuf *why);

#endif
