/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Version 7 ids: time, a counter that only grows within the process, random rest (RFC 9562 5.7, 6.2 method 1).
 * Random bytes are bought in bulk; a forked child throws away what it inherited. */
#include "common/uuid.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "common/str.h"

#define COUNTER_BITS 12

static struct {
    uint8_t bytes[256]; /* getrandom gives up to 256 bytes whole */
    size_t left;
    bool watched; /* the fork handler is there */
} pool;

static void pool_forget(void)
{
    pool.left = 0;
}

static void pool_fill(void)
{
    if (!pool.watched) {
        pool.watched = pthread_atfork(NULL, NULL, pool_forget) == 0;
    }
    ssize_t got;
    do {
        got = getrandom(pool.bytes, sizeof(pool.bytes), 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(pool.bytes) || !pool.watched) {
        abort(); /* ids that repeat would be worse than none */
    }
    pool.left = sizeof(pool.bytes);
}

static void random_bytes(uint8_t *out, size_t n)
{
    if (pool.left < n) {
        pool_fill();
    }
    pool.left -= n;
    memcpy(out, pool.bytes + pool.left, n);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct uuid uuid_v7(void)
{
    static uint64_t last_ms;
    static unsigned counter;
    struct uuid u = { { 0 } };
    random_bytes(u.b + 6, 10);

    uint64_t ms = now_ms();
    if (ms > last_ms) {
        last_ms = ms;
        counter = ((unsigned)u.b[6] << 8 | u.b[7]) & ((1u << (COUNTER_BITS - 1)) - 1);
    } else if (++counter >>
               COUNTER_BITS) { /* used up, or the clock went back: borrow the next one */
        last_ms++;
        counter = 0;
    }
    for (size_t i = 0; i < 6; i++) {
        u.b[i] = (uint8_t)(last_ms >> (40 - 8 * i));
    }
    u.b[6] = (uint8_t)(0x70 | counter >> 8);
    u.b[7] = (uint8_t)counter;
    u.b[8] = (uint8_t)(0x80 | (u.b[8] & 0x3f));
    return u;
}

/* Offsets of the groups in the text, and the bytes in each. */
static const struct {
    size_t at, bytes;
} groups[] = { { 0, 4 }, { 9, 2 }, { 14, 2 }, { 19, 2 }, { 24, 6 } };

enum err uuid_parse(struct slice s, struct uuid *out)
{
    struct uuid u;
    size_t done = 0;
    if (s.n != UUID_TEXT - 1) {
        return E_BAD_REQUEST;
    }
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (groups[i].at > 0 && s.p[groups[i].at - 1] != '-') {
            return E_BAD_REQUEST;
        }
        struct slice hex = { s.p + groups[i].at, groups[i].bytes * 2 };
        TRY(str_unhex(hex, u.b + done, groups[i].bytes));
        done += groups[i].bytes;
    }
    *out = u;
    return OK;
}

void uuid_format(const struct uuid *u, char out[UUID_TEXT])
{
    size_t done = 0;
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (groups[i].at > 0) {
            out[groups[i].at - 1] = '-';
        }
        str_hex(u->b + done, groups[i].bytes, out + groups[i].at);
        done += groups[i].bytes;
    }
}

bool uuid_eq(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool uuid_is_nil(const struct uuid *a)
{
    static const struct uuid nil;
    return uuid_eq(a, &nil);
}
