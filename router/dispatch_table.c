/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The in-flight table: entries from a fixed pool, each in one place (waiting, retry or a slot) and, while somebody
 * waits for it, in its kind's list by deadline. Everything is consistent before done runs, for done may send again. */
#include <stdlib.h>

#include "router/dispatch_priv.h"

#define INDEX_BITS  16 /* an id is serial << INDEX_BITS | place in the pool */
#define ENTRIES_MAX ((1u << INDEX_BITS) - 1)

static enum err init_kind(struct kind_state *k, size_t entries)
{
    TAILQ_INIT(&k->retry);
    TAILQ_INIT(&k->suspects);
    TAILQ_INIT(&k->by_deadline);
    return fair_queue_new(entries, &k->waiting);
}

enum err dispatch_table_init(struct dispatch *d)
{
    d->entry_count = size_min(d->config.inflight_max * 2 + 64, ENTRIES_MAX);
    d->entries = calloc(d->entry_count, sizeof(*d->entries));
    TAILQ_INIT(&d->unused);
    TAILQ_INIT(&d->given_up);
    if (!d->entries) {
        return E_NOMEM;
    }
    for (size_t i = 0; i < d->entry_count; i++) {
        TAILQ_INSERT_TAIL(&d->unused, &d->entries[i], link);
    }
    for (size_t k = 0; k < KIND_COUNT; k++) {
        TRY(init_kind(&d->kinds[k], d->entry_count));
    }
    return OK;
}

void dispatch_table_fini(struct dispatch *d)
{
    for (size_t k = 0; k < KIND_COUNT; k++) {
        fair_queue_free(d->kinds[k].waiting);
    }
    free(d->entries);
}

/* Nearly always at the end: requests of a kind share one timeout. */
static void insert_by_deadline(struct kind_state *k, struct pending *p)
{
    struct pending *before = TAILQ_LAST(&k->by_deadline, pending_list);
    while (before && before->deadline_us > p->deadline_us) {
        before = TAILQ_PREV(before, pending_list, timed);
    }
    if (before) {
        TAILQ_INSERT_AFTER(&k->by_deadline, before, p, timed);
    } else {
        TAILQ_INSERT_HEAD(&k->by_deadline, p, timed);
    }
}

struct pending *dispatch_table_take(struct dispatch *d, struct exchange *x)
{
    struct kind_state *k = &d->kinds[x->kind];
    struct pending *p = TAILQ_FIRST(&d->unused);
    if (!p) {
        return NULL;
    }
    TAILQ_REMOVE(&d->unused, p, link);
    *p = (struct pending){ .x = x, .kind = x->kind, .deadline_us = x->deadline_us };
    p->id = ++d->serial << INDEX_BITS | (uint64_t)(p - d->entries);
    fair_queue_join(k->waiting, &p->turn, &x->source);
    insert_by_deadline(k, p);
    d->count++;
    x->pending = p;
    x->id = p->id;
    return p;
}

void dispatch_table_give(struct dispatch *d, struct pending *p)
{
    struct kind_state *k = &d->kinds[p->kind];
    dispatch_table_leave(d, p);
    fair_queue_leave(k->waiting, &p->turn);
    if (p->x) {
        TAILQ_REMOVE(&k->by_deadline, p, timed);
        p->x->pending = NULL;
        d->count--;
    } else {
        TAILQ_REMOVE(&d->given_up, p, timed);
    }
    p->x = NULL;
    p->id = 0;
    TAILQ_INSERT_HEAD(&d->unused, p, link);
}

struct pending *dispatch_table_find(struct dispatch *d, struct dispatch_slot *s, uint64_t id)
{
    size_t index = (size_t)(id & ENTRIES_MAX);
    if (index >= d->entry_count) {
        return NULL;
    }
    struct pending *p = &d->entries[index];
    return p->id == id && p->place == P_SLOT && p->slot == s ? p : NULL;
}

/* ---- places ---- */

static void set_place(struct dispatch *d, struct pending *p, enum place place)
{
    p->place = place;
    p->since_us = d->config.now();
}

void dispatch_table_wait(struct dispatch *d, struct pending *p)
{
    fair_queue_wait(d->kinds[p->kind].waiting, &p->turn);
    set_place(d, p, P_WAITING);
}

void dispatch_table_retry(struct dispatch *d, struct pending *p)
{
    struct kind_state *k = &d->kinds[p->kind];
    TAILQ_INSERT_TAIL(&k->retry, p, link);
    k->retry_count++;
    set_place(d, p, P_RETRY);
}

void dispatch_table_suspect(struct dispatch *d, struct pending *p)
{
    struct kind_state *k = &d->kinds[p->kind];
    TAILQ_INSERT_TAIL(&k->suspects, p, link);
    k->suspect_count++;
    set_place(d, p, P_SUSPECT);
}

/* A change waits for the disk by itself, reads of a batch do not wait for each other. */
static uint32_t places_of(const struct pending *p, const struct dispatch_slot *s)
{
    return method_is_safe(p->x->method) || s->load.batch < 2 ? 1 : s->load.batch / 2;
}

void dispatch_table_enter(struct dispatch *d, struct pending *p, struct dispatch_slot *s)
{
    set_place(d, p, P_SLOT);
    p->slot = s;
    if (p->turn.source->inside == 0) {
        p->turn.source->progress_us = p->since_us;
    }
    fair_queue_enter(d->kinds[p->kind].waiting, &p->turn, places_of(p, s));
    TAILQ_INSERT_TAIL(&s->sent, p, link);
    s->load.taken += p->turn.inside;
    if (s->load.inflight++ == 0) {
        s->load.since_us = p->since_us;
    }
}

void dispatch_table_uncount(struct dispatch *d, struct pending *p)
{
    p->slot->load.taken -= p->turn.inside;
    p->turn.source->progress_us = d->config.now();
    fair_queue_exit(&p->turn);
}

static void leave_slot(struct dispatch *d, struct pending *p)
{
    struct dispatch_slot *s = p->slot;
    dispatch_table_uncount(d, p);
    TAILQ_REMOVE(&s->sent, p, link);
    s->load.inflight--;
    if (!TAILQ_EMPTY(&s->sent)) {
        s->load.since_us = TAILQ_FIRST(&s->sent)->since_us;
    }
    p->slot = NULL;
    pace_answer(&d->kinds[p->kind].pace);
}

void dispatch_table_leave(struct dispatch *d, struct pending *p)
{
    struct kind_state *k = &d->kinds[p->kind];
    switch (p->place) {
    case P_WAITING:
        fair_queue_unwait(k->waiting, &p->turn);
        break;
    case P_RETRY:
        TAILQ_REMOVE(&k->retry, p, link);
        k->retry_count--;
        break;
    case P_SUSPECT:
        TAILQ_REMOVE(&k->suspects, p, link);
        k->suspect_count--;
        break;
    case P_SLOT:
        leave_slot(d, p);
        break;
    case P_FREE:
        break;
    }
    p->place = P_FREE;
}

/* ---- ends ---- */

void dispatch_table_finish(struct dispatch *d, struct pending *p, enum err status,
                           const struct frame_reply *reply)
{
    struct exchange *x = p->x;
    dispatch_table_give(d, p);
    exchange_set_state(x, X_DONE);
    d->config.done(x, status, reply, d->config.arg);
}

struct exchange *dispatch_table_detach(struct dispatch *d, struct pending *p)
{
    struct exchange *x = p->x;
    dispatch_death_remember(p);
    if (x->state == X_SENT) {
        d->config.link.cancel(p->slot->channel, p->id);
    }
    TAILQ_REMOVE(&d->kinds[p->kind].by_deadline, p, timed);
    TAILQ_INSERT_TAIL(&d->given_up, p, timed);
    p->deadline_us = d->config.now() + DISPATCH_HELD_MS * INT64_C(1000);
    p->x = NULL;
    d->count--;
    x->pending = NULL;
    return x;
}

struct exchange *dispatch_table_give_up(struct dispatch *d, struct pending *p)
{
    struct exchange *x = dispatch_table_detach(d, p);
    exchange_set_state(x, X_DONE);
    return x;
}
