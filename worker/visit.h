/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The life of an appointment: which step leads from where to where, who takes it, and what becomes of its time. Handlers, refusals and tests read the one
 * table; whether somebody may at all (permission, policy, cut-off) is asked beside it. Pure. */
#ifndef GREMIO_VISIT_H
#define GREMIO_VISIT_H

#include "common/sbuf.h"

/* Who takes a step; bits. */
enum visit_who {
    VISIT_STAFF = 1u << 0,
    VISIT_CLIENT = 1u << 1,
    VISIT_SYSTEM = 1u << 2, /* the jobs slot, when a time limit of the policy has passed */
};

/* What becomes of the time that the visit takes. */
enum visit_time {
    VISIT_KEEPS = 1,
    VISIT_FREES,
    VISIT_RETAKES, /* takes it again, where it was given up */
    VISIT_MOVES,   /* takes another instead */
};

struct visit_step {
    const char *verb; /* the path's last segment */
    unsigned who;     /* of enum visit_who */
    const char *from; /* states as a PostgreSQL array: "{a,b}" */
    const char *to;   /* NULL: the state stays */
    enum visit_time time;
};

/* Sets of states that statements need too. */
#define VISIT_WAITING \
    "{requested,awaiting_client,awaiting_payment}" /* an answer has a time limit */
#define VISIT_OPEN            "{requested,awaiting_client,awaiting_payment,confirmed}"
#define VISIT_CLIENT_CONFIRMS "{awaiting_client,confirmed}"

/* Ends with a row without verb. */
extern const struct visit_step visit_steps[];

/* Whether it changes how often a client came, or did not. */
bool visit_counts(const struct visit_step *s);
/* The step of that name for one of them; NULL: there is none. */
const struct visit_step *visit_step(const char *verb, enum visit_who who);
/* The same of another table of steps. */
const struct visit_step *visit_step_in(const struct visit_step *table, const char *verb,
                                       enum visit_who who);
/* Whether it leads anywhere from state. */
bool visit_may(const struct visit_step *s, const char *state);
/* Appends the verbs open to who in state as JSON: ["cancel","no-show"]. */
void visit_legal(struct sbuf *out, const char *state, enum visit_who who);
void visit_legal_in(const struct visit_step *table, struct sbuf *out, const char *state,
                    enum visit_who who);

#endif
