/* SPDX-License-Identifier: LicenseRef-Gremio */
/* libfaults.so, the program's side of faults.h: stands before the C library (and a sanitizer) and fails chosen calls.
 * What dlsym allocates while the real functions are looked up comes from a small buffer that is never freed. */
#include "tests/support/faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define STACK_DEPTH 24

static struct faults *self;

/* json-c 0.16 takes the copy of a member's name without a look (json_tokener_parse_ex): without memory for it the slot
 * dies, and is replaced. Copies of texts therefore always work here. */
static __thread volatile bool spared __attribute__((tls_model("initial-exec")));

/* Takes a place in the table for the stack of this call. False: it has one, or the table is full. */
static bool is_new_site(void)
{
    void *stack[STACK_DEPTH];
    uint64_t hash = 1469598103934665603u; /* FNV-1a, by addresses */
    int n = backtrace(stack, STACK_DEPTH);
    for (int i = 0; i < n; i++) {
        hash = (hash ^ (uint64_t)(uintptr_t)stack[i]) * 1099511628211u;
    }
    for (size_t i = 0; i < FAULTS_SITES_MAX; i++) {
        uint64_t free_place = 0, *at = (uint64_t *)&self->sites[(hash + i) % FAULTS_SITES_MAX];
        if (__atomic_compare_exchange_n(at, &free_place, hash, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            return true;
        }
        if (free_place == hash) {
            return false;
        }
    }
    return false;
}

static bool fails(enum faults_kind kind)
{
    if (!self || spared || atomic_load(&self->kind) != (int)kind ||
        atomic_load(&self->pid) != getpid()) {
        return false;
    }
    if (atomic_load(&self->by_site) && (atomic_load(&self->countdown) < 0 || !is_new_site())) {
        return false;
    }
    long left = atomic_fetch_sub(&self->countdown, 1);
    if (left > 0 || left <= -atomic_load(&self->burst)) {
        return false;
    }
    atomic_fetch_add(&self->hits, 1);
    return true;
}

/* ---- memory ---- */

static char early[65536] __attribute__((aligned(16)));
static size_t early_used;
/* volatile: the compiler takes dlsym for a function that never calls back. */
static __thread volatile bool resolving __attribute__((tls_model("initial-exec")));

static void *early_take(size_t n)
{
    size_t at = early_used;
    early_used += (n + 15) & ~(size_t)15;
    return early_used <= sizeof early ? early + at : NULL;
}

__attribute__((constructor)) static void start(void)
{
    const char *file = getenv("FAULTS_FILE");
    int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED
                     : mmap(NULL, sizeof *self, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0) {
        close(fd);
    }
    self = p == MAP_FAILED ? NULL : p;
    void *here;
    resolving = true; /* it is loaded at its first use, into the small buffer */
    (void)backtrace(&here, 1);
    resolving = false;
}

static bool is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + sizeof early;
}

static void *real(const char *name)
{
    resolving = true;
    void *f = dlsym(RTLD_NEXT, name);
    resolving = false;
    return f;
}

#define REAL(type, name)                 \
    static type real_##name;             \
    if (!real_##name) {                  \
        real_##name = (type)real(#name); \
    }

typedef void *(*malloc_fn)(size_t);
typedef void *(*calloc_fn)(size_t, size_t);
typedef void *(*realloc_fn)(void *, size_t);
typedef void (*free_fn)(void *);
typedef char *(*strdup_fn)(const char *);
typedef int (*memalign_fn)(void **, size_t, size_t);

void *malloc(size_t n)
{
    if (resolving) {
        return early_take(n);
    }
    REAL(malloc_fn, malloc)
    if (fails(FAULTS_MEMORY)) {
        errno = ENOMEM;
        return NULL;
    }
    return real_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    if (resolving) {
        return early_take(n * size);
    }
    REAL(calloc_fn, calloc)
    if (fails(FAULTS_MEMORY)) {
        errno = ENOMEM;
        return NULL;
    }
    return real_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    REAL(realloc_fn, realloc)
    if (is_early(p)) {
        void *fresh = malloc(n);
        return fresh ? memcpy(fresh, p, n) : NULL;
    }
    if (fails(FAULTS_MEMORY)) {
        errno = ENOMEM;
        return NULL;
    }
    return real_realloc(p, n);
}

char *strdup(const char *text)
{
    REAL(strdup_fn, strdup)
    spared = true;
    char *copy = real_strdup(text);
    spared = false;
    return copy;
}

int posix_memalign(void **out, size_t align, size_t n)
{
    REAL(memalign_fn, posix_memalign)
    return fails(FAULTS_MEMORY) ? ENOMEM : real_posix_memalign(out, align, n);
}

void free(void *p)
{
    if (p && !is_early(p) && !resolving) {
        REAL(free_fn, free)
        real_free(p);
    }
}

/* ---- input and output ---- */

/* How many bytes a call may move: n, 1, or none and errno is set. */
static ssize_t granted(size_t n)
{
    if (!fails(FAULTS_IO)) {
        return (ssize_t)n;
    }
    int error = atomic_load(&self->error);
    if (error == 0 && n > 0) {
        return 1;
    }
    errno = error ? error : EIO;
    return -1;
}

typedef ssize_t (*read_fn)(int, void *, size_t);
typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef ssize_t (*recv_fn)(int, void *, size_t, int);
typedef ssize_t (*send_fn)(int, const void *, size_t, int);
typedef ssize_t (*vector_fn)(int, const struct iovec *, int);
typedef int (*connect_fn)(int, const struct sockaddr *, socklen_t);
typedef int (*accept4_fn)(int, struct sockaddr *, socklen_t *, int);
typedef int (*socket_fn)(int, int, int);

ssize_t read(int fd, void *p, size_t n)
{
    REAL(read_fn, read)
    ssize_t some = granted(n);
    return some < 0 ? -1 : real_read(fd, p, (size_t)some);
}

ssize_t write(int fd, const void *p, size_t n)
{
    REAL(write_fn, write)
    ssize_t some = granted(n);
    return some < 0 ? -1 : real_write(fd, p, (size_t)some);
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
    REAL(recv_fn, recv)
    ssize_t some = granted(n);
    return some < 0 ? -1 : real_recv(fd, p, (size_t)some, flags);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
    REAL(send_fn, send)
    ssize_t some = granted(n);
    return some < 0 ? -1 : real_send(fd, p, (size_t)some, flags);
}

/* A vector is cut to the first byte of its first piece. */
static ssize_t move_vector(vector_fn call, int fd, const struct iovec *v, int n)
{
    ssize_t some = granted(n > 0 ? v[0].iov_len + 2 : 0);
    if (some != 1) {
        return some < 0 ? -1 : call(fd, v, n);
    }
    struct iovec one = { v[0].iov_base, v[0].iov_len ? 1 : 0 };
    return call(fd, &one, 1);
}

ssize_t readv(int fd, const struct iovec *v, int n)
{
    REAL(vector_fn, readv)
    return move_vector(real_readv, fd, v, n);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    REAL(vector_fn, writev)
    return move_vector(real_writev, fd, v, n);
}

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    REAL(connect_fn, connect)
    return granted(0) < 0 ? -1 : real_connect(fd, to, len);
}

int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    REAL(accept4_fn, accept4)
    return granted(0) < 0 ? -1 : real_accept4(fd, from, len, flags);
}

int socket(int domain, int type, int protocol)
{
    REAL(socket_fn, socket)
    return granted(0) < 0 ? -1 : real_socket(domain, type, protocol);
}

/* ---- requests that are deadly ---- */

typedef int (*query_fn)(void *, const char *, int, const char *const *, const int *, const int *,
                        int);
int PQsendQueryPrepared(void *c, const char *name, int n, const char *const *values,
                        const int *lengths, const int *formats, int format);

static void swallow(const char *text)
{
    if (!text || !strcasestr(text, FAULTS_PILL_TEXT)) {
        return;
    }
    atomic_fetch_add(&self->hits, 1);
    int signo = atomic_load(&self->error);
    while (signo == 0) {
        (void)getppid();
    }
    raise(signo);
}

int PQsendQueryPrepared(void *c, const char *name, int n, const char *const *values,
                        const int *lengths, const int *formats, int format)
{
    REAL(query_fn, PQsendQueryPrepared)
    for (int i = 0; self && atomic_load(&self->kind) == FAULTS_PILL && i < n; i++) {
        swallow(values[i]);
    }
    return real_PQsendQueryPrepared(c, name, n, values, lengths, formats, format);
}

/* ---- the wall clock ---- */

typedef int (*clock_fn)(clockid_t, struct timespec *);

int clock_gettime(clockid_t id, struct timespec *out)
{
    REAL(clock_fn, clock_gettime)
    int rc = real_clock_gettime(id, out);
    if (rc == 0 && self && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        out->tv_sec += atomic_load(&self->clock_offset_s);
    }
    return rc;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    int rc = clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
    return rc;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
