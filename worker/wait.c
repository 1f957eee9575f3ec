/* SPDX-License-Identifier: LicenseRef-Gremio */
#include "worker/wait.h"

#define STAFF  VISIT_STAFF
#define SYSTEM VISIT_SYSTEM
#define BOTH   (VISIT_STAFF | VISIT_CLIENT)

/* clang-format off */
const struct visit_step wait_steps[] = {
    { "offer", SYSTEM, "{waiting}", "offered", VISIT_MOVES },
    { "accept", BOTH, "{offered}", "booked", VISIT_KEEPS },
    { "decline", BOTH, "{offered}", "waiting", VISIT_FREES },
    { "miss", SYSTEM, "{offered}", "waiting", VISIT_FREES },
    { "pass", SYSTEM, "{waiting}", "passed", VISIT_KEEPS },
    { "expire", SYSTEM, "{waiting}", "expired", VISIT_KEEPS },
    { "cancel", STAFF, "{waiting,offered}", "cancelled", VISIT_FREES },
    { NULL, 0, NULL, NULL, 0 },
};
/* clang-format on */

const struct visit_step *wait_step(const char *verb, enum visit_who who)
{
    return visit_step_in(wait_steps, verb, who);
}

void wait_legal(struct sbuf *out, const char *state, enum visit_who who)
{
    visit_legal_in(wait_steps, out, state, who);
}
