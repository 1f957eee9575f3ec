/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The few words every file uses: checked results, slices of borrowed bytes, array sizes.
 * Owns nothing; includes nothing of ours. */
#ifndef GREMIO_BASE_H
#define GREMIO_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_USE                __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define ARRAY_LEN(a)            (sizeof(a) / sizeof((a)[0]))
#define UNUSED(x)               ((void)(x))

/* Bytes borrowed from somebody else's buffer; never outlives it, not NUL-terminated. p may be NULL when n is 0. */
struct slice {
    const char *p;
    size_t n;
};

/* A slice over a string literal. */
#define SLICE(literal) ((struct slice){ .p = "" literal, .n = sizeof(literal) - 1 })

static inline struct slice slice_of(const char *text)
{
    return (struct slice){ .p = text, .n = text ? strlen(text) : 0 };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
