/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What every fuzz target defines, and the check that also holds in release builds. */
#ifndef GREMIO_FUZZ_H
#define GREMIO_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* data is n bytes, freed right behind the last one by the caller's sanitizer. Returns 0; a finding aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Aborts with the place when an invariant does not hold. */
#define FUZZ_CHECK(held)                                               \
    do {                                                               \
        if (!(held)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #held); \
            abort();                                                   \
        }                                                              \
    } while (0)

#endif
