/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The life of a request as a table: which state may follow which. */
#include "router/exchange.h"

#include <stdlib.h>

#define BIT(state) (1u << (unsigned)(state))

/* From a state (index) to any of the states in the mask. Back from X_SENT to X_QUEUED goes a request whose slot died.
 */
static const unsigned exchange_next[] = {
    [X_HEAD] = BIT(X_BODY) | BIT(X_READY) | BIT(X_DONE),
    [X_BODY] = BIT(X_READY) | BIT(X_DONE),
    [X_READY] = BIT(X_QUEUED) | BIT(X_SENT) | BIT(X_DONE),
    [X_QUEUED] = BIT(X_SENT) | BIT(X_DONE),
    [X_SENT] = BIT(X_QUEUED) | BIT(X_STARTED) | BIT(X_DONE),
    [X_STARTED] = BIT(X_DONE),
    [X_DONE] = 0,
};

void exchange_set_state(struct exchange *x, enum exchange_state next)
{
    if (!(exchange_next[x->state] & BIT(next))) {
        abort();
    }
    x->state = next;
}
