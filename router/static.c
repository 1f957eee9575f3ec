/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A path is walked segment by segment with O_NOFOLLOW from the folder's own descriptor, so neither "..", nor a symbolic
 * link, nor a race with a rename can leave the folder. */
#include "router/static.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/str.h"
#include "router/http.h"

#define ETAG_MAX 48

/* Where paths lie under the folder; the first prefix that fits. */
static const struct mount {
    struct slice prefix, folder;
} mounts[] = {
    { SLICE("/api/docs"), SLICE("docs") },
    { SLICE(""), SLICE("") },
};

static const struct type {
    struct slice suffix, name;
} types[] = {
    { SLICE(".html"), SLICE("text/html; charset=utf-8") },
    { SLICE(".css"), SLICE("text/css; charset=utf-8") },
    { SLICE(".js"), SLICE("text/javascript; charset=utf-8") },
    { SLICE(".mjs"), SLICE("text/javascript; charset=utf-8") },
    { SLICE(".json"), SLICE("application/json") },
    { SLICE(".map"), SLICE("application/json") },
    { SLICE(".webmanifest"), SLICE("application/manifest+json") },
    { SLICE(".svg"), SLICE("image/svg+xml") },
    { SLICE(".png"), SLICE("image/png") },
    { SLICE(".jpg"), SLICE("image/jpeg") },
    { SLICE(".webp"), SLICE("image/webp") },
    { SLICE(".ico"), SLICE("image/x-icon") },
    { SLICE(".woff2"), SLICE("font/woff2") },
    { SLICE(".pdf"), SLICE("application/pdf") },
    { SLICE(".txt"), SLICE("text/plain; charset=utf-8") },
};

static struct slice type_of(struct slice path)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct slice suffix = types[i].suffix;
        if (path.n > suffix.n &&
            slice_eq((struct slice){ path.p + path.n - suffix.n, suffix.n }, suffix)) {
            return types[i].name;
        }
    }
    return SLICE("application/octet-stream");
}

/* One step down from dir, which is closed. Dot files and names no file can have are not there. */
static int step_down(int dir, struct slice name, int flags)
{
    char text[NAME_MAX + 1];
    int fd = -1;
    if (name.n > 0 && name.p[0] != '.' && str_copy(name, text, sizeof(text)) == OK) {
        fd = openat(dir, text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | flags);
    }
    close(dir);
    return fd;
}

/* Every segment of path (no slash in front) from dir, which is closed; -1 when something on the way is missing. */
static int walk(int dir, struct slice path)
{
    struct slice rest = path;
    while (dir >= 0 && rest.p != NULL && rest.n > 0) {
        struct slice name = str_cut(&rest, '/');
        dir = step_down(dir, name, rest.p != NULL ? O_DIRECTORY : 0);
    }
    return dir;
}

static const struct mount *mount_of(struct slice path)
{
    const struct mount *m = mounts;
    while (
        !(str_starts(path, m->prefix) && (path.n == m->prefix.n || path.p[m->prefix.n] == '/'))) {
        m++;
    }
    return m;
}

/* Opens what path names under dir; -1 when it is not there. */
static int open_path(const char *dir, struct slice path)
{
    const struct mount *m = mount_of(path);
    size_t skip = m->prefix.n + (path.n > m->prefix.n ? 1 : 0);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fd = walk(fd, m->folder);
    return walk(fd, (struct slice){ path.p + skip, path.n - skip });
}

/* All of an open file into the exchange's arena; false when it shrank, cannot be read or does not fit. */
static bool read_file(struct exchange *x, int fd, size_t size, struct slice *out)
{
    char *data = arena_take(&x->arena, size_max(size, 1));
    size_t n = 0;
    while (data != NULL && n < size) {
        ssize_t got = read(fd, data + n, size - n);
        if (got <= 0) {
            return false;
        }
        n += (size_t)got;
    }
    *out = (struct slice){ data, size };
    return data != NULL;
}

/* RFC 9110 13.1.2 with weak comparison: our tags hold no comma, so the list may be cut at commas. */
static bool etag_matches(struct slice list, struct slice etag)
{
    for (struct slice rest = list; rest.p != NULL && rest.n > 0;) {
        struct slice tag = str_trim(str_cut(&rest, ','));
        if (str_starts(tag, SLICE("W/"))) {
            tag = (struct slice){ tag.p + 2, tag.n - 2 };
        }
        if (slice_eq(tag, etag) || slice_eq(tag, SLICE("*"))) {
            return true;
        }
    }
    return false;
}

static bool serve_file(struct exchange *x, int fd, const struct stat *st, struct slice type)
{
    char etag[ETAG_MAX];
    int n = snprintf(etag, sizeof(etag), "\"%" PRIx64 "-%" PRIx64 ".%lx\"", (uint64_t)st->st_size,
                     (uint64_t)st->st_mtim.tv_sec, (unsigned long)st->st_mtim.tv_nsec);
    bool html = str_starts(type, SLICE("text/html"));
    bool page = html || str_starts(type, SLICE("image/svg"));
    struct http_answer a = {
        .status = 200,
        .content_type = type,
        .etag = { etag, (size_t)n },
        .cache_control = page ? SLICE("no-cache") : SLICE("public, max-age=3600"),
        .csp = page ? SLICE("default-src 'self'; style-src 'self' 'unsafe-inline'; "
                            "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
                            "object-src 'none'; base-uri 'none'")
                    : (struct slice){ 0 },
        .referrer_policy = html ? SLICE("no-referrer") : (struct slice){ 0 },
    };
    if (etag_matches(x->if_none_match, a.etag)) {
        a.status = 304;
    } else if (!read_file(x, fd, (size_t)st->st_size, &a.body)) {
        return false;
    }
    http_reply(x, &a);
    return true;
}

/* A folder without its slash: relative links on its page would go wrong. Browsers carry what stands behind "#" along (Fetch 4.4). */
static bool redirect_to_folder(struct exchange *x)
{
    struct slice query = x->target, path = str_cut(&query, '?');
    char *location = arena_take(&x->arena, x->path.n + 1);
    if (location == NULL || memchr(path.p, '%', path.n) != NULL) {
        return false; /* a decoded path is not a URL again */
    }
    memcpy(location, x->path.p, x->path.n);
    location[x->path.n] = '/';
    struct http_answer a = { .status = 301,
                             .location = { location, x->path.n + 1 },
                             .cache_control = SLICE("no-cache") };
    http_reply(x, &a);
    return true;
}

/* What fd turned out to be; fd is closed. */
static bool serve_found(struct exchange *x, int fd)
{
    struct slice type = type_of(x->path);
    struct stat st;
    bool served = false;
    if (fstat(fd, &st) != 0) {
        close(fd);
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        if (x->path.p[x->path.n - 1] != '/') {
            served = redirect_to_folder(x);
            close(fd);
            return served;
        }
        fd = step_down(fd, SLICE("index.html"), 0);
        type = SLICE("text/html; charset=utf-8");
    } else if (x->path.p[x->path.n - 1] == '/') {
        st.st_mode = 0; /* "page.html/" is not the page */
    }
    if (fd >= 0 && (!S_ISDIR(st.st_mode) || fstat(fd, &st) == 0) && S_ISREG(st.st_mode) &&
        st.st_size <= STATIC_FILE_MAX) {
        served = serve_file(x, fd, &st, type);
    }
    if (fd >= 0) {
        close(fd);
    }
    return served;
}

bool static_serve(struct exchange *x, const char *dir)
{
    bool reads = x->method == M_GET || x->method == M_HEAD;
    if (!reads || dir[0] == '\0' || x->path.n == 0 || x->path.p[0] != '/') {
        return false;
    }
    int fd = open_path(dir, x->path);
    return fd >= 0 && serve_found(x, fd);
}
