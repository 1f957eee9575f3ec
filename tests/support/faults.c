/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The test's side of faults.h. */
#include "tests/support/faults.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/stack.h"

struct faults *faults_preload(void)
{
    char library[300], file[300], options[300];
    const char *before = getenv("ASAN_OPTIONS");
    snprintf(library, sizeof library, "%s/libfaults.so", stack_env("GREMIO_BIN"));
    snprintf(file, sizeof file, "%s/faults-%d", stack_env("GREMIO_STATE"), (int)getpid());
    /* AddressSanitizer wants to be the first library; it works behind this one, which calls it. */
    snprintf(options, sizeof options, "%s%sverify_asan_link_order=0", before ? before : "",
             before ? ":" : "");
    cr_assert_eq(access(library, R_OK), 0, "%s is not there", library);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && ftruncate(fd, sizeof(struct faults)) == 0);
    struct faults *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    cr_assert_neq(f, MAP_FAILED);
    setenv("LD_PRELOAD", library, 1);
    setenv("FAULTS_FILE", file, 1);
    setenv("ASAN_OPTIONS", options, 1);
    return f;
}

void faults_stop_preload(void)
{
    unsetenv("LD_PRELOAD");
    unsetenv("FAULTS_FILE");
}

void faults_arm(struct faults *f, enum faults_kind kind, pid_t pid, long n, long burst, int error)
{
    atomic_store(&f->hits, 0);
    atomic_store(&f->countdown, n - 1);
    atomic_store(&f->burst, burst);
    atomic_store(&f->error, error);
    atomic_store(&f->pid, pid);
    atomic_store(&f->kind, kind);
}

void faults_count_sites(struct faults *f)
{
    atomic_store(&f->by_site, false);
    memset((void *)f->sites, 0, sizeof f->sites);
    atomic_store(&f->by_site, true);
}

long faults_disarm(struct faults *f)
{
    atomic_store(&f->kind, FAULTS_NONE);
    return atomic_load(&f->hits);
}
