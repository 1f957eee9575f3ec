/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The folder of its sockets keeps an own worker apart from the stack's. */
#include "tests/support/own.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define SETTINGS_MAX 9

/* first, then those of more, then NULL. */
static void join(const char *first, const char *const *more, const char *out[SETTINGS_MAX])
{
    size_t n = 0;
    out[n++] = first;
    for (size_t i = 0; more && more[i]; i++) {
        cr_assert_lt(n, SETTINGS_MAX - 1);
        out[n++] = more[i];
    }
    out[n] = NULL;
}

struct own own_open(const char *name, const char *const *worker, const char *const *router)
{
    struct own o = { 0 };
    char setting[256];
    const char *settings[SETTINGS_MAX];
    snprintf(o.slots_dir, sizeof o.slots_dir, "%.150s/run/%.40s-%d", stack_env("GREMIO_STATE"),
             name, (int)getpid());
    snprintf(setting, sizeof setting, "slots_dir=%s", o.slots_dir);
    mkdir(o.slots_dir, 0700);
    join(setting, worker, settings);
    o.worker = stack_start_worker(settings);
    join(setting, router, settings);
    o.router = stack_start_router("router.conf", settings, &o.port);
    stack_use_port(o.port);
    return o;
}

void own_close(struct own *o)
{
    if (o->router > 0) {
        stack_stop(o->router, SIGTERM);
    }
    if (o->worker > 0) {
        stack_stop(o->worker, SIGTERM);
    }
    stack_use_port(0);
    *o = (struct own){ 0 };
}

struct only {
    pid_t parent, found;
    const char *part;
};

static bool is_alone(void *arg)
{
    struct only *o = arg;
    pid_t found[16];
    size_t n = stack_children(o->parent, o->part, found, ARRAY_LEN(found));
    o->found = found[0];
    return n == 1;
}

static pid_t only_child(pid_t parent, const char *part)
{
    struct only o = { .parent = parent, .part = part };
    cr_assert(wait_until(is_alone, &o, WAIT_LONG_MS), "not exactly one child \"%s\"", part);
    return o.found;
}

pid_t own_slot(const struct own *o, const char *kind)
{
    return only_child(o->worker, kind);
}

pid_t own_process(const struct own *o)
{
    return only_child(o->router, "process");
}
