/* SPDX-License-Identifier: LicenseRef-Gremio */
/* People of several practices who book without pause, series too, each booking under a key of its own and repeated until it is
 * acknowledged, whatever dies meanwhile. They remember what was acknowledged, read it back and look in every answer
 * for the marks of other practices. One set in a process. */
#ifndef GREMIO_TEST_BOOKERS_H
#define GREMIO_TEST_BOOKERS_H

#include "common/base.h"

/* Starts them, spread over the stack's first practices. */
void bookers_start(size_t people, size_t practices);
size_t bookers_acknowledged(void);
/* The first answer that must not happen: neither success nor of the kind that passes; NULL for none. */
const char *bookers_wrong(void);

struct bookers_sum {
    size_t acknowledged, tries;
    size_t unanswered,
        refused;      /* tries without an answer, and answered with 5xx, 409 in progress or 401 */
    size_t convicted; /* of those refused: 500, two slots had died with the request in them */
    size_t own_marks; /* names of the own practice seen in answers */
    int64_t worst_gap_ms; /* the longest time without any acknowledged booking */
};

/* Stops them and holds against the database what they remember: each acknowledged booking is there once, with its time
 * taken, and nothing else is. The test fails otherwise, and when a foreign mark was seen. */
struct bookers_sum bookers_end(void);

#endif
