/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Waiting for something to become true, with a bound: tests never sleep for a fixed time and hope. */
#ifndef GREMIO_TEST_WAIT_H
#define GREMIO_TEST_WAIT_H

#include "common/base.h"

typedef bool (*wait_fn)(void *arg);

/* Bound for what should take well under a second but may meet a loaded machine or a sanitizer. */
#define WAIT_LONG_MS 30000

/* Asks until() again and again: true as soon as it says so, false after limit_ms. */
MUST_USE bool wait_until(wait_fn until, void *arg, int limit_ms);
/* A moment between two tries of something that was refused. */
void wait_pause(void);
/* Milliseconds of the monotonic clock, for measuring. */
int64_t wait_now_ms(void);

#endif
