/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Settings as rows: a program declares each once (name, type, bounds, default, secret, reload) and gets
 * --help text, file, environment and command-line parsing, and all-or-nothing reload from that row. */
#ifndef GREMIO_CONF_H
#define GREMIO_CONF_H

#include "common/err.h"
#include "common/sbuf.h"

enum conf_type {
    CONF_BOOL, /* bool: yes no true false on off 1 0 */
    CONF_INT,  /* int64_t within [min, max] */
    CONF_SIZE, /* int64_t bytes within [min, max]: 10, 10k, 10m, 10g (powers of 1024) */
    CONF_TIME, /* int64_t milliseconds within [min, max]: 500ms, 10s, 5m, 1h; a bare number is refused */
    CONF_TEXT, /* char[CONF_TEXT_MAX], at most CONF_TEXT_MAX - 1 bytes of UTF-8 without control characters */
};
#define CONF_TEXT_MAX 256

struct conf_row {
    const char *
        name; /* "header_timeout": key of the file; --set header_timeout=...; GREMIO_HEADER_TIMEOUT */
    const char *env; /* a further environment name that people know ("DB_HOST"), or NULL */
    enum conf_type type;
    size_t offset;        /* offsetof the program's settings struct */
    int64_t min, max;     /* for INT, SIZE, TIME */
    const char *fallback; /* default, in the file's notation */
    bool secret;          /* printed as *** */
    bool reload;          /* SIGHUP may change it; otherwise a change is refused until restart */
    const char *doc;      /* one line for --help */
};

/* Where a load takes values from; later ones win: defaults, file, environment, overrides. */
struct conf_source {
    const char *file;             /* NULL for none; "name = value" lines, # comments */
    const char *const *overrides; /* "name=value" texts, NULL-terminated; NULL for none */
};

/* Fills settings (a struct of size bytes) from the rows (ended by a row without name). All or nothing: on E_CONFIG
 * settings is untouched and why holds one clear sentence naming file, line and setting. */
MUST_USE enum err conf_load(const struct conf_row *rows, const struct conf_source *src,
                            void *settings, size_t size, struct sbuf *why);
/* One file's text over what settings already holds; name is shown in refusals. Not all or nothing: conf_load is. */
MUST_USE enum err conf_load_text(const struct conf_row *rows, struct slice text, const char *name,
                                 void *settings, struct sbuf *why);
/* As conf_load, but refuses a change of a row without .reload (named in why). */
MUST_USE enum err conf_reload(const struct conf_row *rows, const struct conf_source *src,
                              void *settings, size_t size, struct sbuf *why);
/* The settings section of --help: name, default, bounds, doc. */
void conf_help(const struct conf_row *rows, struct sbuf *out);
/* Effective values as "name = value" lines, secrets as ***. */
void conf_print(const struct conf_row *rows, const void *settings, struct sbuf *out);

/* The first line of a small file (a password, a key) into out without its newline; E_IO, E_CONFIG when empty or over cap.
 * why gets a sentence; refuses a file that others than its owner may read. */
MUST_USE enum err conf_secret(const char *path, char *out, size_t cap, struct sbuf *why);

/* The command line all three programs share. */
struct conf_args {
    const char *file;          /* --config FILE */
    const char *overrides[64]; /* --set NAME=VALUE */
    bool help, version, check; /* --help, --version, --check-config */
    bool check_upgrade;        /* --check-upgrade: may this program take over from its parent? */
    int rest;                  /* index of the first argument that is not an option */
};
/* E_CONFIG with a sentence in why on an unknown option. */
MUST_USE enum err conf_args(int argc, char **argv, struct conf_args *out, struct sbuf *why);

#endif
