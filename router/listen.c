/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a socket is called in a handover is its place and its address: other settings ask for other names. */
#include "router/listen.h"

#include <stdio.h>
#include <unistd.h>

#include "common/proc.h"
#include "common/str.h"

/* HOST:PORT with the port raised by index. */
static enum err metrics_address(const char *address, size_t index, char out[CONF_TEXT_MAX],
                                struct sbuf *why)
{
    const char *colon = strrchr(address, ':');
    int64_t port;
    if (!colon || str_int(slice_of(colon + 1), 1, 65535 - (int64_t)index, &port) != OK) {
        sbuf_fmt(why, "metrics_listen: \"%s\" is not HOST:PORT", address);
        return E_CONFIG;
    }
    snprintf(out, CONF_TEXT_MAX, "%.*s:%u", (int)(colon - address), address,
             (unsigned)port + (unsigned)index);
    return OK;
}

enum err listen_alone(const struct settings *s, struct sbuf *why)
{
    int fd = proc_listen_tcp(s->listen, false, why);
    if (fd < 0) {
        return E_IO;
    }
    close(fd);
    return OK;
}

enum err listen_open(const struct settings *s, size_t index, struct listen_pair *out,
                     struct sbuf *why)
{
    char address[CONF_TEXT_MAX];
    out->http = proc_listen_tcp(s->listen, true, why);
    if (out->http < 0) {
        return E_IO;
    }
    if (s->metrics_listen[0] == '\0') {
        return OK;
    }
    TRY(metrics_address(s->metrics_listen, index, address, why));
    out->metrics = proc_listen_tcp(address, false, why);
    return out->metrics < 0 ? E_IO : OK;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

void listen_close(struct listen_pair *p)
{
    close_fd(&p->http);
    close_fd(&p->metrics);
}

void listen_put(const struct settings *s, size_t index, const struct listen_pair *p, pid_t pid,
                struct upgrade_list *l)
{
    upgrade_put(l, p->http, pid, "listen %zu %s", index, s->listen);
    if (p->metrics >= 0) {
        upgrade_put(l, p->metrics, 0, "metrics %zu %s", index, s->metrics_listen);
    }
}

enum err listen_take(const struct settings *s, size_t index, struct upgrade_list *l,
                     struct listen_pair *out, pid_t *pid, struct sbuf *why)
{
    char key[UPGRADE_KEY_MAX];
    struct upgrade_row row;
    snprintf(key, sizeof(key), "listen %zu %s", index, s->listen);
    TRY(upgrade_take_socket(l, key, &row, why));
    out->http = row.fd;
    *pid = row.pid;
    if (s->metrics_listen[0] != '\0') {
        snprintf(key, sizeof(key), "metrics %zu %s", index, s->metrics_listen);
        TRY(upgrade_take_socket(l, key, &row, why));
        out->metrics = row.fd;
    }
    return OK;
}
