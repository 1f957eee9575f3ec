/* SPDX-License-Identifier: LicenseRef-Gremio */
/* /proc of a backend on this machine. Over a Unix socket the server may still be in a container of its own, where the
 * same number is another process: so it must be called postgres. */
#include "worker/db_memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base.h"

/* The file's first bytes as a text; empty when it cannot be read. */
static void read_proc(int pid, const char *name, char *out, size_t size)
{
    char path[64];
    out[0] = '\0';
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t n = read(fd, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    close(fd);
}

int64_t db_memory(const PGconn *pg)
{
    char text[128];
    int pid = PQbackendPID(pg);
    const char *host = PQhost(pg);
    if (pid <= 0 || !host || host[0] != '/') {
        return 0;
    }
    read_proc(pid, "comm", text, sizeof(text));
    if (strcmp(text, "postgres\n") != 0) {
        return 0;
    }
    long resident = 0, shared = 0;
    read_proc(pid, "statm", text, sizeof(text));
    if (sscanf(text, "%*d %ld %ld", &resident, &shared) != 2 || resident < shared) {
        return 0;
    }
    return (int64_t)(resident - shared) * sysconf(_SC_PAGESIZE);
}
