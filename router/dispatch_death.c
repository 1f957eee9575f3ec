/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a slot's death means for the requests that were in it. A slot that crashes names what it was running; one that
 * is killed from outside names nothing, and nothing is held against anybody. What had not begun to change anything is
 * sent again: the named ones alone, the others like any request. Nobody is sent into a third slot that may die of it. */
#include "router/dispatch_priv.h"

#define HARM_MAX   4 /* then a request is sent nowhere any more */
#define IN_COMPANY 1 /* its slot crashed while it ran others too: it is probably innocent */
#define NOT_TOLD   2 /* its slot was killed, or crashed while it ran nothing else */

void dispatch_death_name(struct pending *p)
{
    p->blamed = true;
}

void dispatch_death_remember(struct pending *p)
{
    p->has_key = quarantine_key_of(p->x, &p->key);
}

static enum verdict blame(struct dispatch *d, struct pending *p)
{
    if (p->x) {
        dispatch_death_remember(p);
    }
    return p->has_key ? quarantine_blame(&d->quarantine, &p->key, p->alone, d->config.now())
                      : VERDICT_NONE;
}

static void send_again(struct dispatch *d, struct pending *p)
{
    bool suspect = p->blamed || p->alone;
    d->stats.retried++;
    dispatch_table_leave(d, p);
    exchange_set_state(p->x, X_QUEUED);
    p->blamed = p->alone = false;
    if (suspect) {
        dispatch_table_suspect(d, p);
    } else {
        dispatch_table_retry(d, p);
    }
}

/* Whether p has been in so many deaths that another slot is not put at risk. A slot that drained ends well, and what it had not
 * read yet was sent too late; one that crashed has named everybody it was running. */
static bool adds_up(const struct pending *p)
{
    struct exchange *x = p->x;
    if (!p->blamed && (p->slot->spoke || p->slot->draining)) {
        return false;
    }
    x->harm = (uint8_t)(x->harm + (p->blamed && !p->alone ? IN_COMPANY : NOT_TOLD));
    return x->harm >= HARM_MAX;
}

void dispatch_death_settle(struct dispatch *d, struct pending *p)
{
    struct exchange *x = p->x;
    enum verdict verdict = p->blamed ? blame(d, p) : VERDICT_NONE;
    if (!x) {
        dispatch_table_give(d, p);
    } else if (x->state == X_STARTED) {
        d->stats.unknown++;
        dispatch_table_finish(d, p, E_OUTCOME_UNKNOWN, NULL);
    } else if (verdict == VERDICT_CONVICTED) {
        d->stats.poisoned++;
        dispatch_table_finish(d, p, E_POISON, NULL);
    } else if (adds_up(p)) {
        dispatch_table_finish(d, p, E_UNAVAILABLE, NULL);
    } else {
        send_again(d, p);
    }
}

bool dispatch_death_hold(struct dispatch *d, struct pending *p)
{
    enum verdict verdict = quarantine_look(&d->quarantine, p->x, d->config.now());
    if (verdict == VERDICT_CONVICTED) {
        d->stats.poisoned++;
        dispatch_table_finish(d, p, E_POISON, NULL);
        return true;
    }
    if (verdict == VERDICT_SUSPECT && !p->alone) {
        dispatch_table_leave(d, p);
        dispatch_table_suspect(d, p);
        return true;
    }
    return false;
}
