/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Polling with a short pause between two looks. */
#include "tests/support/wait.h"

#include <time.h>

#define PAUSE_NS 5000000L

int64_t wait_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void wait_pause(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
}

bool wait_until(wait_fn until, void *arg, int limit_ms)
{
    int64_t end = wait_now_ms() + limit_ms;
    while (!until(arg)) {
        if (wait_now_ms() >= end) {
            return false;
        }
        wait_pause();
    }
    return true;
}
