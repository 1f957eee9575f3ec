/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a slot's death means for the requests that were in it. A slot that crashes names what it was running; one that
 * is killed from outside names nothing, and nothing is held against anybody. What had not begun to change anything is
 * sent again: the named ones alone, the others like any request. Nobody is sent into a third slot. */
#include "router/dispatch_priv.h"

#define KILLS_MAX 2

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

void dispatch_death_settle(struct dispatch *d, struct pending *p)
{
    struct exchange *x = p->x;
    /* A slot that drained ends well, and what it had not read yet was sent too late. */
    bool innocent = !p->blamed && (p->slot->spoke || p->slot->draining);
    enum verdict verdict = p->blamed ? blame(d, p) : VERDICT_NONE;
    if (!x) {
        dispatch_table_give(d, p);
    } else if (x->state == X_STARTED) {
        d->stats.unknown++;
        dispatch_table_finish(d, p, E_OUTCOME_UNKNOWN, NULL);
    } else if (verdict == VERDICT_CONVICTED) {
        d->stats.poisoned++;
        dispatch_table_finish(d, p, E_POISON, NULL);
    } else if (!innocent && ++x->kills >= KILLS_MAX) {
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
