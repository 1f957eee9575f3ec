/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremio-router: command line and boot order. */
#include <stdio.h>
#include <unistd.h>

#include "common/pg.h"
#include "common/proc.h"
#include "common/secret.h"
#include "common/upgrade.h"
#include "router/loop.h"
#include "router/master.h"
#include "router/probe.h"

static const char help_head[] =
    "gremio-router: the HTTP front of Gremio. Verifies tokens, finds the practice, hands requests "
    "to the\n"
    "worker's slots.\n\n"
    "  gremio-router [--config FILE] [--set NAME=VALUE]...\n\n"
    "  --config FILE        settings, one \"name = value\" a line\n"
    "  --set NAME=VALUE     one setting; goes before file and environment (GREMIO_NAME)\n"
    "  --check-config       checks settings and TLS files, then ends\n"
    "  --check-upgrade      used by a running router before it goes on as this program (SIGUSR2)\n"
    "  --probe-listen ADDR  serves an echo of every request on HOST:PORT, for conformance suites\n"
    "  --version, --help\n\n"
    "Signals: SIGTERM and SIGINT finish what is in flight (up to drain_timeout), a second one "
    "stops at once;\n"
    "SIGHUP reads settings and certificate again, all or nothing; SIGUSR2 goes on as the program "
    "that is on\n"
    "disk now, without losing a request, or logs upgrade_refused and stays.\n"
    "Exit codes: 0 stopped as asked; 1 could not start; 2 wrong command line or settings; 3 "
    "stopped with\n"
    "requests in flight.\n\nSettings:\n";

static void print(FILE *to, const struct sbuf *text)
{
    fwrite(text->data ? text->data : "", 1, text->len, to);
}

/* One sentence on standard error. */
static int fail(int code, const struct sbuf *why)
{
    fputs("gremio-router: ", stderr);
    print(stderr, why);
    fputc('\n', stderr);
    return code;
}

static int help(void)
{
    struct sbuf text;
    sbuf_init(&text);
    sbuf_text(&text, help_head);
    conf_help(settings_rows, &text);
    print(stdout, &text);
    sbuf_fini(&text);
    return PROCESS_OK;
}

/* The address behind --probe-listen, which no settings file has; NULL when it is not given. */
static const char *probe_address(int argc, char **argv)
{
    static const char option[] = "--probe-listen";
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], option, strlen(option)) == 0) {
            const char *rest = argv[i] + strlen(option);
            return *rest == '=' ? rest + 1 : i + 1 < argc ? argv[i + 1] : "";
        }
    }
    return NULL;
}

/* Until a signal ends the program. Limits are the defaults of the settings. */
static int run_probe(const char *address, struct sbuf *why)
{
    static struct settings s;
    struct probe *probe = NULL;
    struct event_base *base = event_base_new();
    enum err e = conf_load(settings_rows, &(struct conf_source){ 0 }, &s, sizeof(s), why);
    if (e == OK && base) {
        signal(SIGPIPE, SIG_IGN);
        e = probe_new(base, address, &s.limits, why, &probe);
    }
    if (!probe) {
        return fail(PROCESS_START, why);
    }
    event_base_dispatch(base);
    probe_free(probe);
    event_base_free(base);
    return e == OK ? PROCESS_OK : PROCESS_START;
}

static int run(const struct conf_args *args, struct sbuf *why)
{
    static struct settings settings;
    struct conf_source source = { .file = args->file, .overrides = args->overrides };
    proc_no_dump(&settings, sizeof(settings));
    if (settings_load(&source, &settings, why) != OK) {
        return fail(PROCESS_CONFIG, why);
    }
    if (args->check) {
        if (master_check(&settings, why) != OK) {
            return fail(PROCESS_CONFIG, why);
        }
        puts("configuration ok");
        return PROCESS_OK;
    }
    if (args->check_upgrade) {
        return master_check_upgrade(&settings, why) == OK ? PROCESS_OK : fail(PROCESS_CONFIG, why);
    }
    log_init("router", settings_log_level(&settings), STDERR_FILENO);
    int code = master_run(&settings, &source, why);
    return why->len > 0 ? fail(code, why) : code;
}

static int start(int argc, char **argv, struct sbuf *why)
{
    struct conf_args args;
    const char *probe = probe_address(argc, argv);
    if (secret_init() != OK) {
        sbuf_text(why, "libsodium cannot start");
        return fail(PROCESS_START, why);
    }
    if (loop_floor(why) != OK || pg_floor(PQlibVersion(), why) != OK) {
        return fail(PROCESS_CONFIG, why);
    }
    if (probe) {
        return run_probe(probe, why);
    }
    if (conf_args(argc, argv, &args, why) != OK) {
        return fail(PROCESS_CONFIG, why);
    }
    if (args.rest < argc) {
        sbuf_fmt(why, "\"%s\" is no option (--help lists them)", argv[args.rest]);
        return fail(PROCESS_CONFIG, why);
    }
    if (args.help) {
        return help();
    }
    if (args.version) {
        puts("gremio-router " GREMIO_VERSION);
        return PROCESS_OK;
    }
    return run(&args, why);
}

int main(int argc, char **argv)
{
    struct sbuf why;
    sbuf_init(&why);
    proc_title_init(argc, argv);
    upgrade_init(argv);
    proc_harden();
    int code = start(argc, argv, &why);
    sbuf_fini(&why);
    return code;
}
