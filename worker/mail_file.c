/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Named by the message's id and made of nothing but the message, so that one that is delivered twice, since the slot died before it could note
 * the first time, is one file. */
#include "worker/mail_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define NAME_SIZE 80

static bool write_all(int fd, struct slice s)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        s.p += n;
        s.n -= (size_t)n;
    }
    return fsync(fd) == 0;
}

static enum err put_file(int folder, const char *id, struct slice content)
{
    char name[NAME_SIZE], draft[NAME_SIZE];
    snprintf(name, sizeof(name), "%s.eml", id);
    snprintf(draft, sizeof(draft), ".%s.tmp", id);
    int fd = openat(folder, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return E_IO;
    }
    bool written = write_all(fd, content);
    int why = errno;
    close(fd);
    errno = why;
    bool named = written && renameat(folder, draft, folder, name) == 0 && fsync(folder) == 0;
    return named ? OK : E_IO;
}

enum err mail_file_deliver(const char *folder, const struct mail *m)
{
    struct sbuf content;
    sbuf_init(&content);
    enum err e = mail_message_write(&content, m);
    int fd = e == OK ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (e == OK) {
        e = fd < 0 ? E_IO : put_file(fd, m->id, sbuf_slice(&content));
    }
    if (fd >= 0) {
        int why = errno;
        close(fd);
        errno = why;
    }
    sbuf_fini(&content);
    return e;
}
