/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Finds the row, fills in operands and options, opens the login, runs. */
#include "provisioning/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/str.h"
#include "provisioning/db.h"

const struct command *const command_groups[] = {
    cmd_init_commands,     cmd_tenant_commands,
    cmd_import_commands,   cmd_migrate_commands,
    cmd_operator_commands, cmd_account_commands,
    cmd_keys_commands,     cmd_tz_commands,
    cmd_demo_commands,     NULL,
};

static bool words_match(const struct command *c, int argc, char **argv)
{
    if (argc < 1 || strcmp(argv[0], c->words[0]) != 0) {
        return false;
    }
    return !c->words[1] || (argc > 1 && strcmp(argv[1], c->words[1]) == 0);
}

static const struct command *find(int argc, char **argv)
{
    for (size_t g = 0; command_groups[g]; g++) {
        for (const struct command *c = command_groups[g]; c->words[0]; c++) {
            if (words_match(c, argc, argv)) {
                return c;
            }
        }
    }
    return NULL;
}

static void usage_line(const struct command *c, struct sbuf *out)
{
    sbuf_text(out, c->words[0]);
    if (c->words[1]) {
        sbuf_fmt(out, " %s", c->words[1]);
    }
    for (int i = 0; i < COMMAND_OPERANDS && c->operands[i]; i++) {
        sbuf_fmt(out, " %s", c->operands[i]);
    }
    for (const struct command_option *o = c->options; o && o->name; o++) {
        sbuf_fmt(out, o->required ? " --%s" : " [--%s", o->name);
        sbuf_fmt(out, o->value ? " %s" : "%s", o->value ? o->value : "");
        sbuf_text(out, o->required ? "" : "]");
    }
}

static int show_usage(const struct command *c)
{
    struct sbuf b;
    sbuf_init(&b);
    sbuf_text(&b, "Usage: gremioctl [GLOBAL OPTIONS] ");
    usage_line(c, &b);
    sbuf_fmt(&b, "\n\n%s\n", c->summary);
    if (c->options) {
        sbuf_text(&b, "\nOptions:\n");
    }
    for (const struct command_option *o = c->options; o && o->name; o++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s %s", o->name, o->value ? o->value : "");
        sbuf_fmt(&b, "  %-30s %s%s\n", left, o->doc, o->required ? " (needed)" : "");
    }
    sbuf_char(&b, '\0');
    fputs(sbuf_failed(&b) ? "" : b.data, stdout);
    sbuf_fini(&b);
    return EXIT_OK;
}

void command_help(struct sbuf *out)
{
    sbuf_text(out, "Commands:\n");
    for (size_t g = 0; command_groups[g]; g++) {
        for (const struct command *c = command_groups[g]; c->words[0]; c++) {
            char left[64];
            snprintf(left, sizeof(left), "%s %s %s %s", c->words[0], c->words[1] ? c->words[1] : "",
                     c->operands[0] ? c->operands[0] : "", c->operands[1] ? c->operands[1] : "");
            sbuf_fmt(out, "  %-30s %s\n", left, c->summary);
        }
    }
    sbuf_text(out, "\"gremioctl COMMAND --help\" shows a command's own options.\n");
}

static int option_index(const struct command *c, const char *name)
{
    for (int i = 0; c->options && c->options[i].name; i++) {
        if (strcmp(c->options[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *command_option(const struct call *call, const char *name)
{
    int i = option_index(call->command, name);
    return i < 0 ? NULL : call->values[i];
}

enum err command_number(struct call *call, const char *name, int64_t min, int64_t max,
                        unsigned *value)
{
    int64_t n = *value;
    const char *text = command_option(call, name);
    if (text && str_int(slice_of(text), min, max, &n) != OK) {
        sbuf_fmt(&call->why, "--%s must be a number from %d to %d.", name, (int)min, (int)max);
        return E_INVALID;
    }
    *value = (unsigned)n;
    return OK;
}

/* Takes the option at argv[*at], and its value behind it or after '='. */
static int take_option(struct call *call, int argc, char **argv, int *at)
{
    char name[64];
    const char *text = argv[*at] + 2;
    const char *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : strlen(text);
    snprintf(name, sizeof(name), "%.*s", (int)n, text);
    int i = option_index(call->command, name);
    if (i < 0) {
        return output_error(&call->out, EXIT_USAGE, "Unknown option --%s; see --help.", name);
    }
    if (!call->command->options[i].value) {
        call->values[i] = "";
        return equals ? output_error(&call->out, EXIT_USAGE, "--%s takes no value.", name)
                      : EXIT_OK;
    }
    if (!equals && *at + 1 >= argc) {
        return output_error(&call->out, EXIT_USAGE, "--%s needs a value.", name);
    }
    call->values[i] = equals ? equals + 1 : argv[++*at];
    return EXIT_OK;
}

static int take_operand(struct call *call, const char *text)
{
    for (int i = 0; i < COMMAND_OPERANDS && call->command->operands[i]; i++) {
        if (!call->operands[i]) {
            call->operands[i] = text;
            return EXIT_OK;
        }
    }
    return output_error(&call->out, EXIT_USAGE, "Do not know what to do with \"%.80s\".", text);
}

static int check_complete(struct call *call)
{
    const struct command *c = call->command;
    for (int i = 0; i < COMMAND_OPERANDS && c->operands[i]; i++) {
        if (!call->operands[i]) {
            return output_error(&call->out, EXIT_USAGE, "%s is missing; see --help.",
                                c->operands[i]);
        }
    }
    for (int i = 0; c->options && c->options[i].name; i++) {
        if (c->options[i].required && !call->values[i]) {
            return output_error(&call->out, EXIT_USAGE, "--%s is missing; see --help.",
                                c->options[i].name);
        }
    }
    return EXIT_OK;
}

static int parse(int argc, char **argv, struct call *call)
{
    for (int i = call->command->words[1] ? 2 : 1; i < argc; i++) {
        bool option = strncmp(argv[i], "--", 2) == 0;
        int code = option ? take_option(call, argc, argv, &i) : take_operand(call, argv[i]);
        if (code != EXIT_OK) {
            return code;
        }
    }
    return check_complete(call);
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            return true;
        }
    }
    return false;
}

int command_run(int argc, char **argv, struct call *call)
{
    call->command = find(argc, argv);
    if (!call->command) {
        return output_error(&call->out, EXIT_USAGE, "Unknown command \"%.40s%s%.40s\"; see --help.",
                            argc > 0 ? argv[0] : "", argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
    }
    if (wants_help(argc, argv)) {
        return show_usage(call->command);
    }
    int code = parse(argc, argv, call);
    if (code != EXIT_OK) {
        return code;
    }
    if (call->command->login == COMMAND_PROVISION) {
        enum err e = db_open_provision(call->settings, &call->db, &call->why);
        if (e != OK) {
            return output_failed(&call->out, e, &call->why);
        }
    }
    code = call->command->run(call);
    PQfinish(call->db);
    call->db = NULL;
    return code;
}
