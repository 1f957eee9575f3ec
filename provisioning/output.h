/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What gremioctl says: sentences and tables for people, or exactly one JSON document on standard output
 * with --json, errors included. Also the one table of exit codes. */
#ifndef GREMIO_OUTPUT_H
#define GREMIO_OUTPUT_H

#include <libpq-fe.h>

#include "common/err.h"
#include "common/sbuf.h"

/* X(name, number, "code" in JSON, "what it means") */
#define OUTPUT_EXITS(X)                                                                        \
    X(EXIT_OK, 0, "ok", "done")                                                                \
    X(EXIT_FAILED, 1, "failed", "something failed; nothing was left half done")                \
    X(EXIT_USAGE, 2, "usage", "wrong arguments, values or settings")                           \
    X(EXIT_NOT_FOUND, 3, "not_found", "no such practice")                                      \
    X(EXIT_CONFLICT, 4, "conflict", "it exists already, or its state does not allow this")     \
    X(EXIT_PARTLY, 5, "partly", "some practices are done, some are not; run it again")         \
    X(EXIT_REFUSED, 6, "refused", "a changed migration file, or a missing confirmation")       \
    X(EXIT_UNREACHABLE, 7, "unreachable", "the database does not answer or refuses the login") \
    X(EXIT_UNWRITTEN, 8, "unwritten", "done, but standard output did not take what was to say")

enum output_exit {
#define OUTPUT_EXIT_NAME(name, number, code, doc) name = number,
    OUTPUT_EXITS(OUTPUT_EXIT_NAME)
#undef OUTPUT_EXIT_NAME
};

enum output_type { OUTPUT_TEXT, OUTPUT_NUMBER, OUTPUT_BOOL, OUTPUT_JSON };

/* One value of a record; value NULL is null. Ended by a row without name. */
struct output_field {
    const char *name;
    enum output_type type;
    const char *value;
};

/* One column of a table, in the order of the statement's columns. Ended by a row without name. */
struct output_column {
    const char *name;
    enum output_type type;
};

struct output {
    bool json;
};

/* One line for people on standard output; nothing with --json. */
void output_say(const struct output *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* One record: "name  value" lines, or {"KEY": {...}}. */
void output_record(const struct output *o, const char *key, const struct output_field *fields);
/* Rows of r: an aligned table ("empty" when there are none), or {"KEY": [...]}. */
void output_table(const struct output *o, const char *key, const struct output_column *columns,
                  const PGresult *r);
/* A sentence on standard error, or {"error": {...}} on standard output; returns code for main. */
int output_error(const struct output *o, enum output_exit code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The same for a failed call: why holds the sentence, e decides the exit code. */
int output_failed(const struct output *o, enum err e, const struct sbuf *why);
/* The one document of a verb that builds its own; b is emptied. */
void output_json(struct sbuf *b);
/* Exit code of a failure: E_INVALID is usage, E_NOT_FOUND, E_ALREADY_EXISTS, E_DB_UNAVAILABLE, ... */
enum output_exit output_exit_of(enum err e);
/* One JSON value as the field's type asks. */
void output_value(struct sbuf *out, enum output_type type, const char *value);
/* The exit codes section of --help. */
void output_exits_help(struct sbuf *out);

#endif
