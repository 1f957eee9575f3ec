/* SPDX-License-Identifier: LicenseRef-Gremio */
/* gremioctl demo: two practices to try the system with. A second run changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/secret.h"
#include "provisioning/command.h"
#include "provisioning/db.h"
#include "provisioning/demo.h"
#include "provisioning/ledger.h"

#define PASSWORD_SIZE 20 /* xxxx-xxxx-xxxx-xxxx */

static const struct demo_practice *const practices[] = { &demo_dentist, &demo_barber };

/* Derived from this installation's pool key: a second run knows it again, another installation's differs. */
static enum err password_of(const char *key, const char *slug, char out[PASSWORD_SIZE])
{
    char text[128];
    char hex[SECRET_PASSWORD_MAX];
    snprintf(text, sizeof(text), "demo owner of %s", slug);
    TRY(secret_login_password(key, text, hex));
    snprintf(out, PASSWORD_SIZE, "%.4s-%.4s-%.4s-%.4s", hex, hex + 4, hex + 8, hex + 12);
    return OK;
}

static enum err pool_key(struct call *call, char *out, size_t cap)
{
    char path[512];
    TRY(settings_secret_path(call->settings, "pool.key", path, sizeof(path)));
    return conf_secret(path, out, cap, &call->why);
}

/* *made tells whether it was created now. */
static enum err ensure_practice(struct call *call, const struct migrations *files,
                                const struct demo_practice *demo, const char *password, bool *made)
{
    char found[DB_VALUE_MAX];
    struct practice_spec spec = demo->spec;
    spec.password = password;
    enum err e = db_value(call->db, "select 'yes' from public.tenant where slug = $1", spec.slug,
                          found, &call->why);
    *made = e == E_NOT_FOUND;
    if (!*made) {
        return e;
    }
    struct practice_made result;
    const struct practice_how how = {
        .settings = call->settings,
        .files = files,
        .fill = demo_fill,
        .context = (void *)(uintptr_t)demo,
    };
    return practice_create(call->db, &spec, &how, &result, &call->why);
}

static void add_json(struct sbuf *list, const struct demo_practice *demo, const char *password)
{
    sbuf_text(list, list->len ? ",\n  {\"slug\": " : "[\n  {\"slug\": ");
    sbuf_json(list, slice_of(demo->spec.slug));
    sbuf_text(list, ", \"owner_email\": ");
    sbuf_json(list, slice_of(demo->spec.owner_email));
    sbuf_text(list, ", \"password\": ");
    sbuf_json(list, slice_of(password));
    sbuf_char(list, '}');
}

/* Both practices; list gets the JSON array of how to log in. */
static enum err make_all(struct call *call, const struct migrations *files, struct sbuf *list)
{
    char key[SECRET_KEY_TEXT + 64];
    TRY(pool_key(call, key, sizeof(key)));
    for (size_t i = 0; i < ARRAY_LEN(practices); i++) {
        bool made;
        char password[PASSWORD_SIZE];
        TRY(password_of(key, practices[i]->spec.slug, password));
        TRY(ensure_practice(call, files, practices[i], password, &made));
        add_json(list, practices[i], password);
        output_say(&call->out, "%s  %s  %s", made ? "created" : "exists ", practices[i]->spec.slug,
                   practices[i]->spec.owner_email);
    }
    sbuf_text(list, "\n]");
    return sbuf_failed(list) ? E_NOMEM : OK;
}

static bool write_all(int fd, struct slice text)
{
    while (text.n > 0) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0) {
            return false;
        }
        text.p += n;
        text.n -= (size_t)n;
    }
    return true;
}

/* Beside the file and renamed onto it, so that a reader finds the old or the new one, whole. */
static enum err write_file(const char *path, struct slice text, struct sbuf *why)
{
    char temporary[4200];
    int n = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    int fd = n > 0 && (size_t)n < sizeof(temporary) ? mkostemp(temporary, O_CLOEXEC) : -1;
    bool good = fd >= 0 && fchmod(fd, 0600) == 0 && write_all(fd, text) &&
                write_all(fd, SLICE("\n"));
    good = fd >= 0 && close(fd) == 0 && good && rename(temporary, path) == 0;
    if (!good) {
        sbuf_fmt(why, "Cannot write %s: %s.", path, strerror(errno));
        if (fd >= 0) {
            unlink(temporary);
        }
    }
    return good ? OK : E_IO;
}

/* The array alone, or {"url": ..., "practices": [...]} when the caller knows where the service listens. */
static void document(const char *url, const struct sbuf *list, bool object, struct sbuf *out)
{
    if (url) {
        sbuf_text(out, "{\"url\": ");
        sbuf_json(out, slice_of(url));
        sbuf_text(out, ", \"practices\": ");
    } else if (object) {
        sbuf_text(out, "{\"practices\": ");
    }
    sbuf_add(out, sbuf_slice(list));
    sbuf_text(out, url || object ? "}" : "");
}

static int report(struct call *call, const struct sbuf *list)
{
    const char *file = command_option(call, "output");
    struct sbuf text;
    sbuf_init(&text);
    document(command_option(call, "url"), list, call->out.json && !file, &text);
    enum err e = sbuf_failed(&text) ? E_NOMEM : OK;
    if (e == OK && file) {
        e = write_file(file, sbuf_slice(&text), &call->why);
    }
    int code = e == OK ? EXIT_OK : output_failed(&call->out, e, &call->why);
    if (e == OK && file && !call->out.json) {
        output_say(&call->out, "How to log in: %s", file);
    } else if (e == OK) {
        printf("%.*s\n", (int)text.len, text.data);
    }
    sbuf_fini(&text);
    return code;
}

static int demo_run(struct call *call)
{
    struct migrations files;
    struct sbuf list;
    int known;
    enum err e = ledger_tenant_files(call->db, call->settings->sql_dir, &files, &known, &call->why);
    if (e != OK) {
        return output_failed(&call->out, e, &call->why);
    }
    sbuf_init(&list);
    e = make_all(call, &files, &list);
    int code = e == OK ? report(call, &list) : output_failed(&call->out, e, &call->why);
    sbuf_fini(&list);
    migrations_free(&files);
    return code;
}

static const struct command_option demo_options[] = {
    { "output", "FILE", false, "Write slugs, logins and passwords there as JSON (mode 0600)" },
    { "url", "URL", false, "Where the service listens, added to the JSON" },
    { 0 },
};

const struct command cmd_demo_commands[] = {
    {
        .words = { "demo" },
        .summary = "Create two practices with a month of data to try the system with",
        .options = demo_options,
        .login = COMMAND_PROVISION,
        .run = demo_run,
    },
    { .words = { NULL } },
};
