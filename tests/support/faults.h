/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Faults inside a program of ours without a hook in it: a library loaded before all others (LD_PRELOAD) lets chosen
 * calls of one chosen process fail, and moves the wall clock of all of them. A file mapped by both sides says what. */
#ifndef GREMIO_TEST_FAULTS_H
#define GREMIO_TEST_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum faults_kind { FAULTS_NONE, FAULTS_MEMORY, FAULTS_IO, FAULTS_PILL };

/* A text that a process dies of when it is about to send it to the database (FAULTS_PILL), whichever process it is. */
#define FAULTS_PILL_TEXT "poisonpill"

#define FAULTS_SITES_MAX 16384 /* a power of two */

struct faults {
    atomic_int kind;
    atomic_int pid;        /* the process that is hit */
    atomic_long countdown; /* calls of the kind until the first that fails */
    atomic_long burst;     /* how many fail from there */
    atomic_int error; /* of FAULTS_IO: errno, or 0 for one byte instead of many; of FAULTS_PILL: the
                                 * signal it dies of, or 0 for a loop without end */
    atomic_long hits; /* calls that failed */
    atomic_long clock_offset_s; /* of the wall clock; the monotonic one goes on as it does */
    atomic_bool by_site;        /* only calls from where none was counted yet count */
    _Atomic uint64_t sites[FAULTS_SITES_MAX]; /* call stacks that were, hashed; 0: free */
};

/* From now on programs started by this process load the library; undone by faults_stop_preload. The test fails when it
 * was not built. */
struct faults *faults_preload(void);
void faults_stop_preload(void);
/* The n-th call of the kind (from 1) in that process fails, and burst - 1 behind it. */
void faults_arm(struct faults *f, enum faults_kind kind, pid_t pid, long n, long burst, int error);
/* From now on a call counts only when no call of the same stack has: places are visited once, however often a loop comes
 * by. Forgets those of before. */
void faults_count_sites(struct faults *f);
/* Returns how many calls failed. */
long faults_disarm(struct faults *f);

#endif
