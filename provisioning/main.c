/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremioctl: provisions and migrates practices. Arguments and boot order only. */
#include <stdio.h>
#include <unistd.h>

#include "common/log.h"
#include "common/pg.h"
#include "common/proc.h"
#include "common/secret.h"
#include "provisioning/command.h"

/* Takes --json out of argv, wherever it stands, so that it can follow the verb too. */
static bool take_json(int *argc, char **argv)
{
    bool found = false;
    int kept = 0;
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            found = true;
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    *argc = kept;
    return found;
}

static int show_help(void)
{
    struct sbuf b;
    sbuf_init(&b);
    sbuf_text(&b,
              "Usage: gremioctl [GLOBAL OPTIONS] COMMAND [OPTIONS]\n\n"
              "Creates, migrates and lists practices, each a PostgreSQL schema of its own.\n\n");
    command_help(&b);
    sbuf_text(&b, "\nGlobal options:\n"
                  "  --config FILE        settings file\n"
                  "  --set NAME=VALUE     one setting, over file and environment\n"
                  "  --json               one JSON document on standard output, errors too\n"
                  "  --check-config       print the effective settings and stop\n"
                  "  --version, --help\n\n");
    conf_help(settings_rows, &b);
    sbuf_char(&b, '\n');
    output_exits_help(&b);
    sbuf_char(&b, '\0');
    fputs(sbuf_failed(&b) ? "" : b.data, stdout);
    sbuf_fini(&b);
    return EXIT_OK;
}

static int show_settings(const struct settings *s)
{
    struct sbuf b;
    sbuf_init(&b);
    conf_print(settings_rows, s, &b);
    sbuf_char(&b, '\0');
    fputs(sbuf_failed(&b) ? "" : b.data, stdout);
    sbuf_fini(&b);
    return EXIT_OK;
}

static int with_settings(int argc, char **argv, const struct conf_args *args, struct call *call)
{
    static struct settings settings;
    const struct conf_source source = { .file = args->file, .overrides = args->overrides };
    if (pg_floor(PQlibVersion(), &call->why) != OK) {
        return output_failed(&call->out, E_CONFIG, &call->why);
    }
    if (conf_load(settings_rows, &source, &settings, sizeof(settings), &call->why) != OK) {
        return output_failed(&call->out, E_CONFIG, &call->why);
    }
    if (args->check) {
        return show_settings(&settings);
    }
    if (args->rest >= argc) {
        return output_error(&call->out, EXIT_USAGE, "A command is missing; see --help.");
    }
    log_init("gremioctl", settings_log_level(&settings), STDERR_FILENO);
    if (secret_init() != OK) {
        return output_error(&call->out, EXIT_FAILED, "libsodium does not start.");
    }
    call->settings = &settings;
    return command_run(argc - args->rest, argv + args->rest, call);
}

/* What was printed may be a new password: one that reached nobody must not look like success. */
static int close_output(int code)
{
    bool taken = fflush(stdout) == 0 && !ferror(stdout);
    if (taken) {
        return code;
    }
    fputs("gremioctl: standard output could not be written.\n", stderr);
    return code == EXIT_OK ? EXIT_UNWRITTEN : code;
}

int main(int argc, char **argv)
{
    struct call call = { .out = { .json = take_json(&argc, argv) } };
    struct conf_args args;
    sbuf_init(&call.why);
    proc_harden();
    int code;
    if (conf_args(argc, argv, &args, &call.why) != OK) {
        code = output_failed(&call.out, E_CONFIG, &call.why);
    } else if (args.help) {
        code = show_help();
    } else if (args.version) {
        printf("gremioctl %s\n", GREMIO_VERSION);
        code = EXIT_OK;
    } else {
        code = with_settings(argc, argv, &args, &call);
    }
    sbuf_fini(&call.why);
    return close_output(code);
}
