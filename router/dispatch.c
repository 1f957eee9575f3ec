/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The life of requests and slots: who is let in, what deadlines and deaths mean. */
#include "router/dispatch.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/str.h"
#include "router/dispatch_priv.h"

/* So many may wait in any case. */
#define LEAST_API   64
#define LEAST_OTHER 16

enum err dispatch_new(const struct dispatch_config *config, struct dispatch **out)
{
    struct dispatch *d = calloc(1, sizeof(*d));
    if (!d) {
        return E_NOMEM;
    }
    d->config = *config;
    d->config.now = config->now ? config->now : clock_mono_us;
    enum err e = dispatch_table_init(d);
    if (e != OK) {
        dispatch_free(d);
        return e;
    }
    *out = d;
    return OK;
}

void dispatch_free(struct dispatch *d)
{
    if (!d) {
        return;
    }
    for (size_t k = 0; k < KIND_COUNT; k++) {
        for (size_t i = 0; i < d->kinds[k].slot_count; i++) {
            free(d->kinds[k].slots[i]);
        }
    }
    dispatch_table_fini(d);
    free(d);
}

/* ---- sending ---- */

static bool has_open_slot(const struct kind_state *k)
{
    for (size_t i = 0; i < k->slot_count; i++) {
        if (!k->slots[i]->draining) {
            return true;
        }
    }
    return false;
}

/* Did the kind lose its last slot less than so long ago? */
static bool lost_within(const struct kind_state *k, int64_t now_us, int64_t ms)
{
    return k->lost_us != 0 && now_us - k->lost_us < ms * 1000;
}

/* Requests of the kind that may wait now. */
static size_t room(const struct dispatch *d, enum slot_kind kind)
{
    bool api = kind == KIND_API;
    int64_t wait = api ? *d->config.queue_wait : *d->config.slow_queue_wait;
    size_t waiting = pace_room(&d->kinds[kind].pace, wait, api ? LEAST_API : LEAST_OTHER);
    return size_min(waiting, (size_t)*d->config.queue_max);
}

static void note_source(struct kind_state *k, const struct exchange *x, int64_t now_us)
{
    if (!uuid_eq(&k->last_source, &x->source)) {
        k->last_source = x->source;
        k->mixed_us = k->last_us;
    }
    k->last_us = now_us;
}

/* Makes p wait, if need be instead of somebody whose line is longer. */
static enum err queue(struct dispatch *d, struct pending *p)
{
    struct fair_queue *q = d->kinds[p->kind].waiting;
    struct fair_item *victim = NULL;
    if (fair_queue_waiting(q) >= room(d, p->kind)) {
        victim = fair_queue_victim(q, p->turn.source);
        if (!victim) {
            return E_OVERLOADED;
        }
    }
    dispatch_table_wait(d, p);
    exchange_set_state(p->x, X_QUEUED);
    if (victim) {
        d->stats.pushed_out++;
        dispatch_table_finish(d, (struct pending *)victim, E_OVERLOADED, NULL);
    }
    return OK;
}

static enum err queue_or_send(struct dispatch *d, struct pending *p)
{
    bool sent;
    TRY(dispatch_pump_one(d, p, &sent));
    return sent ? OK : queue(d, p);
}

/* Slots may have died of p's like: its turn to run alone comes with the next tick or answer. */
static enum err queue_suspect(struct dispatch *d, struct pending *p)
{
    if (d->kinds[p->kind].suspect_count >= room(d, p->kind)) {
        return E_OVERLOADED;
    }
    dispatch_table_suspect(d, p);
    exchange_set_state(p->x, X_QUEUED);
    return OK;
}

static enum err check(struct dispatch *d, const struct exchange *x, int64_t now_us,
                      enum verdict *verdict)
{
    const struct kind_state *k = &d->kinds[x->kind];
    if (!has_open_slot(k) && !lost_within(k, now_us, DISPATCH_GRACE_MS)) {
        return E_UNAVAILABLE;
    }
    *verdict = quarantine_look(&d->quarantine, x, now_us);
    if (*verdict == VERDICT_CONVICTED) {
        d->stats.poisoned++;
        return E_POISON;
    }
    return OK;
}

enum err dispatch_send(struct dispatch *d, struct exchange *x)
{
    int64_t now = d->config.now();
    enum verdict verdict;
    TRY(check(d, x, now, &verdict));
    struct pending *p = dispatch_table_take(d, x);
    if (!p) {
        return E_OVERLOADED;
    }
    note_source(&d->kinds[x->kind], x, now);
    enum err e = verdict == VERDICT_SUSPECT ? queue_suspect(d, p) : queue_or_send(d, p);
    if (e != OK) {
        dispatch_table_give(d, p);
        x->id = 0; /* no slot has anything to do with it */
    }
    return e;
}

void dispatch_gone(struct dispatch *d, struct exchange *x)
{
    struct pending *p = x->pending;
    if (!p) {
        return;
    }
    if (p->place == P_SLOT) {
        (void)dispatch_table_give_up(d, p);
        return;
    }
    dispatch_table_give(d, p);
    exchange_set_state(x, X_DONE);
}

/* ---- time ---- */

static void expire(struct dispatch *d, struct pending *p)
{
    d->stats.expired++;
    if (p->place != P_SLOT) {
        dispatch_table_finish(d, p, E_DEADLINE, NULL);
        return;
    }
    struct exchange *x = dispatch_table_give_up(d, p);
    d->config.done(x, E_DEADLINE, NULL, d->config.arg);
}

static void refuse_waiting(struct dispatch *d, struct kind_state *k)
{
    struct fair_item *t;
    while ((t = fair_queue_first(k->waiting))) {
        dispatch_table_finish(d, (struct pending *)t, E_UNAVAILABLE, NULL);
    }
}

static void refuse_retries(struct dispatch *d, struct kind_state *k)
{
    struct pending *p;
    while ((p = TAILQ_FIRST(&k->retry)) || (p = TAILQ_FIRST(&k->suspects))) {
        dispatch_table_finish(d, p, E_UNAVAILABLE, NULL);
    }
}

static void tick_kind(struct dispatch *d, enum slot_kind kind, int64_t now_us)
{
    struct kind_state *k = &d->kinds[kind];
    struct pending *p;
    while ((p = TAILQ_FIRST(&k->by_deadline)) && p->deadline_us <= now_us) {
        expire(d, p);
    }
    pace_tick(&k->pace, now_us, k->is_full);
    if (has_open_slot(k)) {
        dispatch_pump_move(d, k);
        dispatch_pump(d, kind); /* what waits for time to pass: nobody else is about any more */
        return;
    }
    if (!lost_within(k, now_us, DISPATCH_GRACE_MS)) {
        refuse_waiting(d, k);
    }
    if (!lost_within(k, now_us, DISPATCH_AGAIN_MS)) {
        refuse_retries(d, k);
    }
}

void dispatch_tick(struct dispatch *d, int64_t now_us)
{
    struct pending *p;
    while ((p = TAILQ_FIRST(&d->given_up)) && p->deadline_us <= now_us) {
        enum slot_kind kind = p->kind;
        dispatch_table_give(d, p);
        dispatch_pump(d, kind);
    }
    for (size_t k = 0; k < KIND_COUNT; k++) {
        tick_kind(d, (enum slot_kind)k, now_us);
    }
}

void dispatch_set_pools(struct dispatch *d, unsigned pools)
{
    d->pools = pools;
    for (size_t k = 0; k < KIND_COUNT; k++) {
        dispatch_pump_rehome(d, &d->kinds[k]);
    }
}

/* ---- slots ---- */

struct dispatch_slot *dispatch_slot_up(struct dispatch *d, void *channel, const char *name,
                                       const struct frame_hello *hello)
{
    struct kind_state *k = &d->kinds[hello->kind];
    struct dispatch_slot *s = k->slot_count < DISPATCH_SLOTS_MAX ? calloc(1, sizeof(*s)) : NULL;
    if (!s) {
        return NULL;
    }
    s->kind = hello->kind;
    s->channel = channel;
    s->load.name_hash = str_hash(slice_of(name));
    /* Others than api slots run one request after another: what is sent ahead could not go to another slot. */
    s->load.batch = hello->kind == KIND_API && hello->batch_max > 0 ? hello->batch_max : 1;
    s->load.places = hello->kind == KIND_API ? 2 * s->load.batch : 1;
    TAILQ_INIT(&s->sent);
    k->slots[k->slot_count] = s;
    k->loads[k->slot_count++] = &s->load;
    dispatch_pump_rehome(d, k);
    dispatch_pump(d, s->kind);
    return s;
}

/* A draining slot's end is no loss any more. */
static void note_loss(const struct dispatch *d, struct kind_state *k, bool was_open)
{
    if (was_open && !has_open_slot(k)) {
        k->lost_us = d->config.now();
    }
}

void dispatch_slot_drain(struct dispatch *d, struct dispatch_slot *s)
{
    struct kind_state *k = &d->kinds[s->kind];
    bool was_open = !s->draining;
    s->draining = true;
    s->load.closed = true;
    if (k->kept == s) {
        dispatch_pump_keep(k, NULL);
    }
    dispatch_pump_rehome(d, k);
    note_loss(d, k, was_open);
    dispatch_pump(d, s->kind);
}

void dispatch_slot_down(struct dispatch *d, struct dispatch_slot *s)
{
    struct kind_state *k = &d->kinds[s->kind];
    for (size_t i = 0; i < k->slot_count; i++) {
        if (k->slots[i] == s) {
            k->slots[i] = k->slots[--k->slot_count];
            k->loads[i] = k->loads[k->slot_count];
            break;
        }
    }
    if (k->kept == s) {
        dispatch_pump_keep(k, NULL);
    }
    dispatch_pump_rehome(d, k);
    note_loss(d, k, !s->draining);
    struct pending *p;
    while ((p = TAILQ_FIRST(&s->sent))) {
        dispatch_death_settle(d, p);
    }
    dispatch_pump(d, s->kind);
    free(s);
}

void dispatch_on_started(struct dispatch *d, struct dispatch_slot *s, uint64_t id)
{
    struct pending *p = dispatch_table_find(d, s, id);
    if (p && p->x && p->x->state == X_SENT && !method_is_safe(p->x->method)) {
        exchange_set_state(p->x, X_STARTED);
    }
}

void dispatch_on_dying(struct dispatch *d, struct dispatch_slot *s, uint64_t id)
{
    struct pending *p = dispatch_table_find(d, s, id);
    s->spoke = true;
    if (p) {
        dispatch_death_name(p);
    }
}

void dispatch_on_reply(struct dispatch *d, struct dispatch_slot *s, const struct frame_reply *reply)
{
    struct pending *p = dispatch_table_find(d, s, reply->id);
    enum slot_kind kind = s->kind;
    if (!p || !p->x) {
        d->stats.late++;
    }
    if (p && p->x) {
        quarantine_clear(&d->quarantine, p->x, d->config.now());
        dispatch_table_finish(d, p, OK, reply);
    } else if (p) {
        dispatch_table_give(d, p);
    }
    dispatch_pump(d, kind);
}

/* ---- figures ---- */

void dispatch_get_stats(const struct dispatch *d, struct dispatch_stats *out)
{
    *out = d->stats;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        const struct kind_state *k = &d->kinds[i];
        out->queued[i] = fair_queue_waiting(k->waiting) + k->retry_count + k->suspect_count;
        out->queued_sources[i] = fair_queue_sources(k->waiting);
        out->queue_room[i] = room(d, (enum slot_kind)i);
        out->slots[i] = 0;
        out->inflight[i] = 0;
        for (size_t s = 0; s < k->slot_count; s++) {
            out->slots[i] += !k->slots[s]->draining;
            out->inflight[i] += k->loads[s]->inflight;
        }
    }
}

size_t dispatch_count(const struct dispatch *d)
{
    return d->count;
}
