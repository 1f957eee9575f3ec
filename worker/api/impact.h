/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Which visits to come a change of the rules would leave outside, before it is made. The handler makes the change by the statements that make it, asks the rules
 * before and behind it, and has all of it undone: nothing here knows what the change is. */
#ifndef GREMIO_IMPACT_H
#define GREMIO_IMPACT_H

#include "worker/call.h"

#define IMPACT_LOOKED_MAX 5000 /* visits that are looked at, the next ones */
#define IMPACT_SHOWN_MAX  200  /* of those outside */

/* Which visits the change can be about; null: all. */
#define IMPACT_VARS                                                                       \
    { .name = "of_id", .type = T_UUID }, { .name = "of_first", .type = T_DATE },          \
        { .name = "of_last", .type = T_DATE }, /* days of the practice's, or another's */ \
    {                                                                                     \
        .name = "of_ids", .type = T_TEXT                                                  \
    }

/* Says that what the path names is to be deleted; impact_deletes reads it. */
#define IMPACT_DELETED                                                         \
    {                                                                          \
        .name = "deleted", .in = IN_BODY, .type = T_BOOL, .fallback = "false", \
        .doc = "What if it is deleted; nothing else can be asked at once then" \
    }

struct impact_visit;
struct impact {
    struct impact_visit *visits; /* by id */
    size_t count;
    const char *until; /* there are more: visits that begin then or later were not looked at */
};

/* The columns of the answer, SHAPE_RAW. */
extern const struct column impact_columns[];
extern const struct stmt impact_look, impact_show;

/* Whether the body says that it is to be deleted. E_INVALID: and something else. */
MUST_USE enum err impact_deletes(struct call *c, bool *out);
/* Judges the visits by the rules as they are. From here on the request leaves nothing behind. Needs IMPACT_VARS, :of_id and :of_ days set, and impact_look. */
MUST_USE enum err impact_begin(struct call *c, struct impact *i);
/* Judges them again, and answers with those that were inside and no longer are. Needs impact_show, too. */
MUST_USE enum err impact_answer(struct call *c, const struct impact *before);

#endif
