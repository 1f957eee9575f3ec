/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One Unix socket for each slot in a folder that one supervisor owns. Bound before the first fork and kept open. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "worker/supervisor_priv.h"

static enum err make_folder(const char *path, struct sbuf *why)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST) {
        return OK;
    }
    sbuf_fmt(why, "slots_dir %s: %s", path, strerror(errno));
    return E_IO;
}

/* For the group, and nobody else. */
static bool is_shared(const char *path, mode_t mode, struct sbuf *why)
{
    if (chmod(path, mode) == 0) {
        return true;
    }
    sbuf_fmt(why, "%s: %s", path, strerror(errno));
    return false;
}

/* Sockets of a supervisor that was killed. Its slots may still hold them, finishing what they were sent; whoever has the
 * lock may take the names, so that nobody has to wait for them. */
static void clear_sockets(const char *dir)
{
    char path[400];
    struct dirent *e;
    DIR *d = opendir(dir);
    while (d && (e = readdir(d))) {
        size_t n = strlen(e->d_name);
        if (e->d_type == DT_SOCK && n > 5 && strcmp(e->d_name + n - 5, ".sock") == 0) {
            snprintf(path, sizeof(path), "%.100s/%s", dir, e->d_name);
            unlink(path);
        }
    }
    if (d) {
        closedir(d);
    }
}

/* The lock goes with the process, however it ends. */
enum err supervisor_sockets_lock(struct supervisor *s, struct sbuf *why)
{
    const char *dir = s->start->settings->slots_dir;
    char path[128];
    snprintf(path, sizeof(path), "%.100s/worker.lock", dir);
    TRY(make_folder(dir, why));
    if (s->start->settings->slots_shared && !is_shared(dir, 0750, why)) {
        return E_IO;
    }
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0) {
        sbuf_fmt(why, "%s: %s", path, strerror(errno));
        return E_IO;
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        sbuf_fmt(why, "another gremio-worker already serves %s", dir);
        return E_CONFIG;
    }
    clear_sockets(dir);
    return OK;
}

/* The socket that the program before bound, and the process that serves it. */
static enum err inherit_socket(struct slot *slot, struct upgrade_list *l, struct sbuf *why)
{
    struct upgrade_row row;
    TRY(upgrade_take_socket(l, slot->path, &row, why));
    slot->listen_fd = row.fd;
    slot->child.pid = row.pid;
    slot->child.started_us = clock_mono_us();
    slot->recycle = true;
    return OK;
}

static enum err bind_socket(const struct supervisor *s, struct slot *slot, struct sbuf *why)
{
    slot->listen_fd = proc_listen_unix(slot->path, why);
    bool bad = slot->listen_fd < 0 ||
               (s->start->settings->slots_shared && !is_shared(slot->path, 0660, why));
    return bad ? E_IO : OK;
}

static struct slot *add_slot(struct supervisor *s, enum slot_kind kind, unsigned ordinal)
{
    struct slot *slot = &s->slots[s->count];
    slot->listen_fd = -1;
    slot->env = (struct slot_env){
        .kind = kind,
        .index = (unsigned)s->count,
        .ordinal = ordinal,
        .settings = s->start->settings,
        .secrets = s->start->secrets,
        .routes = s->start->routes,
        .work = s->start->work,
    };
    char name[sizeof(slot->env.name)];
    slots_name(kind, ordinal, name);
    memcpy(slot->env.name, name, sizeof(name));
    snprintf(slot->path, sizeof(slot->path), "%.80s/%s.sock", s->start->settings->slots_dir, name);
    s->count++;
    return slot;
}

enum err supervisor_sockets_open(struct supervisor *s, struct upgrade_list *l, struct sbuf *why)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        int64_t n = slots_rows[kind].count(s->start->settings);
        for (int64_t i = 0; i < n; i++) {
            if (s->count == SUPERVISOR_SLOTS_MAX) {
                sbuf_fmt(why, "more than %d slots in all", SUPERVISOR_SLOTS_MAX);
                return E_CONFIG;
            }
            struct slot *slot = add_slot(s, (enum slot_kind)kind, (unsigned)i);
            TRY(l ? inherit_socket(slot, l, why) : bind_socket(s, slot, why));
        }
    }
    return OK;
}

void supervisor_sockets_close(struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->slots[i].listen_fd >= 0) {
            close(s->slots[i].listen_fd);
            unlink(s->slots[i].path);
            s->slots[i].listen_fd = -1;
        }
    }
}
