/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Rows of one verb stand for different callers: staff confirm what was requested of them or for the client, clients what was proposed to them. */
#include "worker/visit.h"

#include "common/str.h"

#define STAFF  VISIT_STAFF
#define CLIENT VISIT_CLIENT
#define SYSTEM VISIT_SYSTEM
#define BOTH   (VISIT_STAFF | VISIT_CLIENT)

/* clang-format off */
const struct visit_step visit_steps[] = {
    { "confirm", STAFF, "{requested,awaiting_client}", "confirmed", VISIT_KEEPS },
    { "confirm", CLIENT, VISIT_CLIENT_CONFIRMS, "confirmed", VISIT_KEEPS },
    { "paid", STAFF, "{awaiting_payment}", "confirmed", VISIT_KEEPS },
    { "decline", STAFF, "{requested}", "declined", VISIT_FREES },
    { "reschedule", BOTH, VISIT_OPEN, NULL, VISIT_MOVES },
    { "propose", STAFF, VISIT_OPEN, "awaiting_client", VISIT_MOVES },
    { "cancel", BOTH, VISIT_OPEN, "cancelled", VISIT_FREES },
    { "check-in", STAFF, "{confirmed}", "checked_in", VISIT_KEEPS },
    { "start", STAFF, "{checked_in}", "in_progress", VISIT_KEEPS },
    { "complete", STAFF | SYSTEM, "{in_progress}", "completed", VISIT_KEEPS },
    { "no-show", STAFF | SYSTEM, "{confirmed}", "no_show", VISIT_FREES },
    { "reopen", STAFF, "{completed,no_show}", "confirmed", VISIT_RETAKES },
    { "expire", SYSTEM, VISIT_WAITING, "expired", VISIT_FREES },
    { NULL, 0, NULL, NULL, 0 },
};
/* clang-format on */

const struct visit_step *visit_step_in(const struct visit_step *table, const char *verb,
                                       enum visit_who who)
{
    for (const struct visit_step *s = table; s->verb; s++) {
        if ((s->who & who) && strcmp(s->verb, verb) == 0) {
            return s;
        }
    }
    return NULL;
}

const struct visit_step *visit_step(const char *verb, enum visit_who who)
{
    return visit_step_in(visit_steps, verb, who);
}

bool visit_counts(const struct visit_step *s)
{
    static const char *const counted[] = { "completed", "no_show" };
    for (size_t i = 0; i < ARRAY_LEN(counted); i++) {
        if (visit_may(s, counted[i]) || (s->to && strcmp(s->to, counted[i]) == 0)) {
            return true;
        }
    }
    return false;
}

bool visit_may(const struct visit_step *s, const char *state)
{
    struct slice rest = { s->from + 1, strlen(s->from) - 2 };
    while (rest.p) {
        if (slice_eq(str_cut(&rest, ','), slice_of(state))) {
            return true;
        }
    }
    return false;
}

void visit_legal_in(const struct visit_step *table, struct sbuf *out, const char *state,
                    enum visit_who who)
{
    bool first = true;
    sbuf_char(out, '[');
    for (const struct visit_step *s = table; s->verb; s++) {
        if ((s->who & who) && visit_may(s, state)) {
            sbuf_fmt(out, "%s\"%s\"", first ? "" : ",", s->verb);
            first = false;
        }
    }
    sbuf_char(out, ']');
}

void visit_legal(struct sbuf *out, const char *state, enum visit_who who)
{
    visit_legal_in(visit_steps, out, state, who);
}
