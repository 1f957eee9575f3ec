/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a change of a series does to each of its occurrences: by how much of the series it is about, what kind of change it is, and how the occurrence stands. Handlers
 * and tests read the one table. Pure. */
#ifndef GREMIO_SERIES_RULE_H
#define GREMIO_SERIES_RULE_H

#include "common/base.h"

/* Bits. */
enum series_scope { SERIES_ONE = 1u << 0, SERIES_FOLLOWING = 1u << 1, SERIES_ALL = 1u << 2 };
enum series_change { SERIES_MOVE = 1u << 0, SERIES_NOTE = 1u << 1, SERIES_CANCEL = 1u << 2 };
/* Where an occurrence stands to the one that the change names. */
enum series_where { SERIES_BEFORE = 1u << 0, SERIES_AT = 1u << 1, SERIES_AFTER = 1u << 2 };
enum series_when { SERIES_FUTURE = 1u << 0, SERIES_PAST = 1u << 1 };
enum series_bond { SERIES_BOUND = 1u << 0, SERIES_DETACHED = 1u << 1 };

enum series_fate {
    SERIES_OUTSIDE = 1, /* the change is not about it */
    SERIES_IS_PAST,     /* it has begun */
    SERIES_IS_OVER,     /* its state is not one that changes so */
    SERIES_IS_DETACHED, /* it keeps what it was changed to by itself */
    SERIES_CHANGES,     /* and belongs to the series as before */
    SERIES_DETACHES,    /* changes, and stands for itself from now on */
    SERIES_CANCELS,
};

/* The first row that fits says what happens. */
struct series_rule {
    unsigned scopes, changes, where, when, bonds;
    bool open; /* only occurrences that can still be moved or cancelled: VISIT_OPEN */
    enum series_fate fate;
};

/* Ends with a row without fate; the last before it fits everything. */
extern const struct series_rule series_rules[];

struct series_occurrence {
    enum series_where where;
    enum series_when when;
    enum series_bond bond;
    const char *state;
};

enum series_fate series_rule_fate(enum series_scope scope, enum series_change change,
                                  const struct series_occurrence *o);
/* "past": the stable name of why it is left as it is; NULL: it is not. */
const char *series_rule_why(enum series_fate fate);

#endif
