/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Reads a folder of migration files, NNNN_name.sql, numbered from 0001 without a gap, and says what each is:
 * version, checksum, text. Owns the texts. Never talks to a database. */
#ifndef GREMIO_MIGRATIONS_H
#define GREMIO_MIGRATIONS_H

#include "common/err.h"
#include "common/sbuf.h"

#define MIGRATIONS_FILE_MAX 80        /* bytes of a file name and its NUL */
#define MIGRATIONS_TEXT_MAX (1 << 20) /* bytes of one file */
#define MIGRATIONS_MAX      9999

struct migration {
    int version; /* 1 .. MIGRATIONS_MAX */
    char file[MIGRATIONS_FILE_MAX];
    char checksum[65]; /* SHA-256 of the bytes, hex */
    char *sql;         /* owned, NUL-terminated */
    size_t length;
};

struct migrations {
    size_t count; /* rows[i].version == i + 1 */
    struct migration *rows;
};

/* Four digits, '_', then [a-z][a-z0-9_]*, then ".sql"; version 0000 is refused. E_BAD_REQUEST otherwise. */
MUST_USE enum err migrations_name(struct slice file, int *version);
/* Reads, checks and sorts all files of dir; hidden files are skipped, anything else that is no migration is refused.
 * E_CONFIG or E_IO with a sentence naming the file; out is then empty. */
MUST_USE enum err migrations_load(const char *dir, struct migrations *out, struct sbuf *why);
/* The highest version, 0 without files. */
int migrations_latest(const struct migrations *m);
void migrations_free(struct migrations *m);

#endif
