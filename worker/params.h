/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Parameters in: path, query and body (JSON, or a form) against the rows of a route, all faults of a request in one answer.
 * Pure: sees the request's bytes and the rows, never the database. */
#ifndef GREMIO_PARAMS_H
#define GREMIO_PARAMS_H

#include "worker/call_state.h"

/* A route's rows made ready at boot: built-in ones added, fallbacks parsed, path names matched. */
struct params_plan {
    size_t count;
    struct param
        rows[ROUTE_PARAMS_LIMIT + 1]; /* as declared, then the built-in ones; a zeroed row ends */
    struct value fallback[ROUTE_PARAMS_LIMIT]; /* what an absent one becomes */
    uint8_t path_index[ROUTE_PARAMS_LIMIT];    /* IN_PATH: which {name} of the pattern */
    bool has_query, has_body;                  /* there are rows of these */
    bool reads_body; /* without rows, too: then nothing but an object without members is right */
    bool form;       /* the body may be a form */
    bool page;       /* what mailers and messengers add to a link's query is passed over */
};

/* E_CONFIG with a sentence on rows that cannot work: two of one name, a {name} without a row, a fallback that its own
 * row refuses, a type that is for columns only. builtin (ended by a zeroed row, or NULL) is added to the rows. */
MUST_USE enum err params_compile(const struct route *r, const struct param *builtin,
                                 struct params_plan *out, struct sbuf *why);

/* Fills values[plan->count]; texts live in arena or in the request. On anything else problem says what is wrong with which
 * field, up to PROBLEM_FIELDS_MAX of them: E_NOT_FOUND (a path segment that no id can be), E_BAD_PARAM (broken percent
 * coding), E_BAD_JSON, E_UNSUPPORTED_MEDIA, E_INVALID. */
MUST_USE enum err params_read(const struct params_plan *plan, const struct frame_request *req,
                              const struct route_match *match, struct arena *arena,
                              struct value *values, struct problem *problem);

/* What a fault is called and how it reads, for the answer's errors[]. */
struct params_fault {
    const char *code;
    const char *text[2]; /* by enum lang */
};

/* One text against one row: the value in arena (or text itself) in *out, or NULL and why not. text is valid UTF-8. */
const struct params_fault *params_text(const struct param *row, struct slice text,
                                       struct arena *arena, struct value *out);
/* The bounds a row with 0, 0 stands for. Characters for texts, values for T_INT. */
void params_bounds(const struct param *row, int64_t *min, int64_t *max);

/* Strict percent-decoding of one query word into arena ('+' is a blank): NULL on a broken escape, NUL or bad UTF-8. */
char *params_percent(struct slice s, struct arena *arena, size_t *n);

#endif
