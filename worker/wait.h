/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The life of who waits for time: like that of a visit (visit.h), in a table of its own. What becomes of time is said of the time that is offered. Pure. */
#ifndef GREMIO_WAIT_H
#define GREMIO_WAIT_H

#include "worker/visit.h"

/* Offers that nobody took after which nobody is offered more. */
#define WAIT_OFFERS_MAX "5"

/* Ends with a row without verb. */
extern const struct visit_step wait_steps[];

/* The step of that name for one of them; NULL: there is none. */
const struct visit_step *wait_step(const char *verb, enum visit_who who);
/* Appends the verbs open to who in state as JSON. */
void wait_legal(struct sbuf *out, const char *state, enum visit_who who);

#endif
