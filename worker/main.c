/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremio-worker: arguments, settings, secrets, routes, then the supervisor. Exit status: 0 after a drain, 1 when
 * it cannot start, 2 on bad arguments or settings. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/pg.h"
#include "common/proc.h"
#include "common/upgrade.h"
#include "worker/supervisor.h"

static struct worker_settings settings;
static struct worker_secrets secrets;
static struct routes routes, work;

static int say(const struct sbuf *why)
{
    fprintf(stderr, "gremio-worker: %.*s\n", (int)why->len, why->data ? why->data : "");
    return 2;
}

static void print_help(void)
{
    struct sbuf b;
    sbuf_init(&b);
    sbuf_text(
        &b,
        "usage: gremio-worker [--config FILE] [--set NAME=VALUE]...\n"
        "       gremio-worker --check-config | --help | --version\n\n"
        "Runs the slots that answer the API. SIGTERM drains, a second one stops, SIGHUP reads\n"
        "the settings again, SIGUSR2 goes on as the program that is on disk now, without losing\n"
        "a request, or logs upgrade_refused and stays (--check-upgrade is how it asks).\n\n"
        "Settings:\n");
    conf_help(settings_rows, &b);
    printf("%.*s", (int)b.len, b.data ? b.data : "");
    sbuf_fini(&b);
}

static void print_settings(void)
{
    struct sbuf b;
    sbuf_init(&b);
    conf_print(settings_rows, &settings, &b);
    printf("%.*s", (int)b.len, b.data ? b.data : "");
    sbuf_fini(&b);
}

static enum err load(const struct conf_source *source, struct sbuf *why)
{
    TRY(pg_floor(PQlibVersion(), why));
    TRY(conf_load(settings_rows, source, &settings, sizeof(settings), why));
    TRY(settings_check(&settings, why));
    TRY(routes_compile(route_tables, &routes, why));
    TRY(routes_compile(work_tables, &work, why));
    return secret_init();
}

static int start(const struct conf_args *args, struct sbuf *why)
{
    const struct conf_source source = { .file = args->file, .overrides = args->overrides };
    proc_no_dump(&secrets, sizeof(secrets));
    if (load(&source, why) != OK || settings_secrets(&settings, &secrets, why) != OK) {
        return say(why);
    }
    if (args->check) {
        print_settings();
        return 0;
    }
    const struct supervisor_start with = { .settings = &settings,
                                           .secrets = &secrets,
                                           .routes = &routes,
                                           .work = &work,
                                           .source = &source };
    if (args->check_upgrade) {
        return supervisor_check_upgrade(&with, why) == OK ? 0 : say(why);
    }
    log_init("worker", settings_log_level(&settings), STDERR_FILENO);
    int status = supervisor_run(&with);
    explicit_bzero(&secrets, sizeof(secrets));
    routes_free(&routes);
    routes_free(&work);
    return status;
}

int main(int argc, char **argv)
{
    struct conf_args args;
    struct sbuf why;
    int status = 0;
    sbuf_init(&why);
    if (conf_args(argc, argv, &args, &why) != OK) {
        status = say(&why);
    } else if (args.help) {
        print_help();
    } else if (args.version) {
        puts("gremio-worker " GREMIO_VERSION);
    } else if (args.rest < argc) {
        sbuf_fmt(&why, "unexpected argument \"%s\"", argv[args.rest]);
        status = say(&why);
    } else {
        proc_title_init(argc, argv);
        upgrade_init(argv);
        proc_harden();
        status = start(&args, &why);
    }
    sbuf_fini(&why);
    return status;
}
