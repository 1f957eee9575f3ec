/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The verbs of gremioctl as rows: words, options, help text, login, function. Parses the words behind the global
 * options; help and errors come from the same rows. */
#ifndef GREMIO_COMMAND_H
#define GREMIO_COMMAND_H

#include <libpq-fe.h>

#include "provisioning/output.h"
#include "provisioning/settings.h"

#define COMMAND_OPTIONS_MAX 16
#define COMMAND_OPERANDS    2

struct command_option {
    const char *name;  /* "owner-email" */
    const char *value; /* "ADDRESS"; NULL: a flag */
    bool required;
    const char *doc;
};

enum command_login {
    COMMAND_NO_LOGIN,  /* opens what it needs by itself */
    COMMAND_PROVISION, /* db is gremio_provision acting as gremio_owner */
};

struct command;

/* Everything a verb's function sees. */
struct call {
    const struct settings *settings;
    const struct command *command;
    struct output out;
    PGconn *db; /* NULL without login */
    const char *operands[COMMAND_OPERANDS];
    const char *values[COMMAND_OPTIONS_MAX]; /* beside command->options; a set flag is "" */
    struct sbuf why;                         /* for the sentence of a failure */
};

struct command {
    const char *words[2];                   /* "tenant", "create"; the second may be NULL */
    const char *operands[COMMAND_OPERANDS]; /* "SLUG"; NULL: none */
    const char *summary;
    const struct command_option *options; /* NULL: none */
    enum command_login login;
    int (*run)(struct call *call); /* returns an exit code, having said why */
};

/* All verbs, in the order of --help, ended by a row without words. */
extern const struct command *const command_groups[];

/* Parses argv[0 .. argc) ("tenant", "create", ...) into call and runs it; returns the exit code. */
int command_run(int argc, char **argv, struct call *call);
/* Value of an option, NULL when it was not given; a flag that was given is "". name must be in the verb's rows. */
const char *command_option(const struct call *call, const char *name);
/* The same as a number; *value keeps its default when the option was not given. E_INVALID with a sentence in why. */
MUST_USE enum err command_number(struct call *call, const char *name, int64_t min, int64_t max,
                                 unsigned *value);
/* The commands section of --help. */
void command_help(struct sbuf *out);

/* The groups, one array per cmd_*.c. */
extern const struct command cmd_init_commands[];
extern const struct command cmd_tenant_commands[];
extern const struct command cmd_import_commands[];
extern const struct command cmd_migrate_commands[];
extern const struct command cmd_operator_commands[];
extern const struct command cmd_account_commands[];
extern const struct command cmd_keys_commands[];
extern const struct command cmd_tz_commands[];
extern const struct command cmd_demo_commands[];

#endif
