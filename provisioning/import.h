/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A CSV file of practices to create, read and checked as a whole before anything is created. Talks to no database. */
#ifndef GREMIO_IMPORT_H
#define GREMIO_IMPORT_H

#include "provisioning/practice.h"

#define IMPORT_FILE_MAX  (64u << 20) /* bytes */
#define IMPORT_SHOWN_MAX 8           /* wrong lines named in one answer */

struct import_row {
    struct practice_spec
        spec; /* borrows from the text and the defaults; owner_email is in lower case */
    size_t line;
};

struct import {
    char *text; /* owned; holds passwords */
    size_t length;
    struct import_row *rows;
    size_t count;
    bool needs_passwords; /* some row brings none */
};

/* The columns, for --help and documentation: "slug,name,...". */
extern const char import_columns[];

/* Reads file ("-": standard input). defaults fills in what the file has no column for or leaves empty; its slug, name
 * and owner are not used. E_INVALID or E_IO with a sentence, wrong lines by number; out is then empty. */
MUST_USE enum err import_load(const char *file, const struct practice_spec *defaults,
                              struct import *out, struct sbuf *why);
/* The same from a text, which becomes out's whatever happens (malloc'd, NUL-terminated). */
MUST_USE enum err import_parse(char *text, const struct practice_spec *defaults, struct import *out,
                               struct sbuf *why);
void import_free(struct import *m);

#endif
