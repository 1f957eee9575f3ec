/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The in-flight table: entries from a fixed pool, each in one place list (waiting, retry or a slot) and, while somebody
 * waits for it, in its kind's list by deadline. Everything is consistent before done runs, for done may send again. */
#include "router/dispatch.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "common/clock.h"
#include "common/str.h"
#include "router/quarantine.h"
#include "router/slot_pick.h"

#define INDEX_BITS  16 /* an id is serial << INDEX_BITS | place in the pool */
#define ENTRIES_MAX ((1u << INDEX_BITS) - 1)
#define KILLS_MAX   2

enum place { P_FREE, P_WAITING, P_RETRY, P_SLOT };

struct pending {
    struct exchange *x; /* NULL: given up, the slot may still answer */
    uint64_t id;
    enum place place;
    enum slot_kind kind;
    struct dispatch_slot *slot; /* in P_SLOT */
    int64_t deadline_us;        /* given up: when its place in the slot is taken back */
    TAILQ_ENTRY(pending) link;  /* of its place */
    TAILQ_ENTRY(pending) timed; /* by deadline, or among the given up */
};

TAILQ_HEAD(pending_list, pending);

struct dispatch_slot {
    struct slot_load load;
    enum slot_kind kind;
    void *channel;
    bool draining;
    struct pending_list sent;
};

struct kind_state {
    struct pending_list waiting, retry, by_deadline;
    size_t waiting_count, retry_count, slot_count;
    struct dispatch_slot *slots[DISPATCH_SLOTS_MAX];
    struct slot_load *loads[DISPATCH_SLOTS_MAX]; /* of slots, in the same order */
    struct dispatch_slot *kept; /* for the first of retry, which runs alone; NULL for none */
    int64_t lost_us;            /* when the last open slot went; 0: none was ever there */
};

struct dispatch {
    struct dispatch_config config;
    struct pending *entries;
    size_t entry_count, count;
    uint64_t serial;
    unsigned pools;
    struct pending_list unused, given_up;
    struct kind_state kinds[KIND_COUNT];
    struct quarantine quarantine;
    struct dispatch_stats stats;
};

enum err dispatch_new(const struct dispatch_config *config, struct dispatch **out)
{
    struct dispatch *d = calloc(1, sizeof(*d));
    if (!d) {
        return E_NOMEM;
    }
    d->config = *config;
    d->entry_count = size_min(config->inflight_max * 2 + 64, ENTRIES_MAX);
    d->entries = calloc(d->entry_count, sizeof(*d->entries));
    if (!d->entries) {
        free(d);
        return E_NOMEM;
    }
    TAILQ_INIT(&d->unused);
    TAILQ_INIT(&d->given_up);
    for (size_t i = 0; i < d->entry_count; i++) {
        TAILQ_INSERT_TAIL(&d->unused, &d->entries[i], link);
    }
    for (size_t k = 0; k < KIND_COUNT; k++) {
        TAILQ_INIT(&d->kinds[k].waiting);
        TAILQ_INIT(&d->kinds[k].retry);
        TAILQ_INIT(&d->kinds[k].by_deadline);
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
    free(d->entries);
    free(d);
}

/* ---- entries ---- */

/* Takes p out of its place; it is in none after. */
static void leave_place(struct dispatch *d, struct pending *p)
{
    struct kind_state *k = &d->kinds[p->kind];
    switch (p->place) {
    case P_WAITING:
        TAILQ_REMOVE(&k->waiting, p, link);
        k->waiting_count--;
        break;
    case P_RETRY:
        TAILQ_REMOVE(&k->retry, p, link);
        k->retry_count--;
        break;
    case P_SLOT:
        TAILQ_REMOVE(&p->slot->sent, p, link);
        p->slot->load.inflight--;
        p->slot = NULL;
        break;
    case P_FREE:
        break;
    }
    p->place = P_FREE;
}

static void enter_waiting(struct kind_state *k, struct pending *p)
{
    TAILQ_INSERT_TAIL(&k->waiting, p, link);
    k->waiting_count++;
    p->place = P_WAITING;
}

static void enter_waiting_first(struct kind_state *k, struct pending *p)
{
    TAILQ_INSERT_HEAD(&k->waiting, p, link);
    k->waiting_count++;
    p->place = P_WAITING;
}

static void enter_retry(struct kind_state *k, struct pending *p)
{
    TAILQ_INSERT_TAIL(&k->retry, p, link);
    k->retry_count++;
    p->place = P_RETRY;
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

static struct pending *take_entry(struct dispatch *d, struct exchange *x)
{
    struct pending *p = TAILQ_FIRST(&d->unused);
    if (!p) {
        return NULL;
    }
    TAILQ_REMOVE(&d->unused, p, link);
    *p = (struct pending){ .x = x, .kind = x->kind, .deadline_us = x->deadline_us };
    p->id = ++d->serial << INDEX_BITS | (uint64_t)(p - d->entries);
    insert_by_deadline(&d->kinds[p->kind], p);
    d->count++;
    x->pending = p;
    x->id = p->id;
    return p;
}

static void give_entry(struct dispatch *d, struct pending *p)
{
    leave_place(d, p);
    if (p->x) {
        TAILQ_REMOVE(&d->kinds[p->kind].by_deadline, p, timed);
        p->x->pending = NULL;
        d->count--;
    } else {
        TAILQ_REMOVE(&d->given_up, p, timed);
    }
    p->x = NULL;
    p->id = 0;
    TAILQ_INSERT_HEAD(&d->unused, p, link);
}

static struct pending *find_entry(struct dispatch *d, struct dispatch_slot *s, uint64_t id)
{
    size_t index = (size_t)(id & ENTRIES_MAX);
    if (index >= d->entry_count) {
        return NULL;
    }
    struct pending *p = &d->entries[index];
    return p->id == id && p->place == P_SLOT && p->slot == s ? p : NULL;
}

/* The last step of an exchange here. p's place becomes free for others, which the caller then fills. */
static void finish(struct dispatch *d, struct pending *p, enum err status,
                   const struct frame_reply *reply)
{
    struct exchange *x = p->x;
    give_entry(d, p);
    exchange_set_state(x, X_DONE);
    d->config.done(x, status, reply, d->config.arg);
}

/* Takes the exchange away from an entry that a slot still works on. The entry keeps its place in the slot until the
 * answer comes, so that a slot that answers nothing fills up and gets no more. */
static struct exchange *give_up(struct dispatch *d, struct pending *p)
{
    struct exchange *x = p->x;
    if (x->state == X_SENT) {
        d->config.link.cancel(p->slot->channel, p->id);
    }
    TAILQ_REMOVE(&d->kinds[p->kind].by_deadline, p, timed);
    TAILQ_INSERT_TAIL(&d->given_up, p, timed);
    p->deadline_us = clock_mono_us() + DISPATCH_HELD_MS * INT64_C(1000);
    p->x = NULL;
    d->count--;
    x->pending = NULL;
    exchange_set_state(x, X_DONE);
    return x;
}

/* ---- sending ---- */

static uint64_t affinity(const struct dispatch *d, const struct exchange *x)
{
    if (!x->has_tenant) {
        return 0;
    }
    if (d->pools > d->kinds[x->kind].slot_count) {
        return UINT64_C(0x100000000) + x->tenant.pool;
    }
    return str_hash(slice_of(x->tenant.code));
}

static enum err send_frame(const struct dispatch *d, void *channel, const struct exchange *x)
{
    struct frame_request r = {
        .id = x->id,
        .deadline_us = x->deadline_us,
        .sent_us = clock_mono_us(),
        .method = x->method,
        .lang = x->lang,
        .has_tenant = x->has_tenant,
        .tenant = x->tenant,
        .principal = x->principal,
        .request_id = slice_of(x->request_id),
        .path = x->path,
        .query = x->query,
        .peer = x->peer,
        .user_agent = x->user_agent,
        .content_type = x->content_type,
        .if_match = x->if_match,
        .if_none_match = x->if_none_match,
        .idempotency_key = x->idempotency_key,
        .body = x->body,
    };
    return d->config.link.send(channel, &r);
}

/* Moves p, which is in no place, into the slot. On failure it is still in none; after E_CLOSED the slot takes nothing
 * more and is about to be reported down. */
static enum err start(struct dispatch *d, struct pending *p, struct dispatch_slot *s)
{
    enum err e = send_frame(d, s->channel, p->x);
    if (e != OK) {
        s->load.closed = s->load.closed || e == E_CLOSED;
        return e;
    }
    exchange_set_state(p->x, X_SENT);
    p->place = P_SLOT;
    p->slot = s;
    TAILQ_INSERT_TAIL(&s->sent, p, link);
    s->load.inflight++;
    return OK;
}

/* Sends the first of waiting or retry. False when the slot turned out closed: p is where it was. */
static bool start_first(struct dispatch *d, struct pending *p, struct dispatch_slot *s)
{
    struct kind_state *k = &d->kinds[p->kind];
    enum place place = p->place;
    leave_place(d, p);
    enum err e = start(d, p, s);
    if (e == E_CLOSED && place == P_RETRY) {
        enter_retry(k, p);
        return false;
    }
    if (e == E_CLOSED) {
        enter_waiting_first(k, p);
        return false;
    }
    if (e != OK) {
        finish(d, p, e, NULL);
    }
    return true;
}

static void keep_slot(struct kind_state *k, struct dispatch_slot *s)
{
    if (k->kept) {
        k->kept->load.closed = k->kept->draining;
    }
    k->kept = s;
    if (s) {
        s->load.closed = true;
    }
}

/* Requests whose slot died run alone: one slot is kept free of others until it has answered them one by one. */
static void pump_retry(struct dispatch *d, struct kind_state *k)
{
    if (!k->kept && k->retry_count > 0) {
        int i = slot_pick_idlest(k->loads, k->slot_count);
        keep_slot(k, i >= 0 ? k->slots[i] : NULL);
    }
    while (k->kept && k->kept->load.inflight == 0 && k->retry_count > 0) {
        if (!start_first(d, TAILQ_FIRST(&k->retry), k->kept)) {
            break;
        }
    }
    if (k->kept && k->kept->load.inflight == 0) {
        keep_slot(k, NULL);
    }
}

/* Fills the room there is, the longest waiting first. */
static void pump(struct dispatch *d, enum slot_kind kind)
{
    struct kind_state *k = &d->kinds[kind];
    pump_retry(d, k);
    struct pending *p;
    while ((p = TAILQ_FIRST(&k->waiting))) {
        int i = slot_pick(k->loads, k->slot_count, affinity(d, p->x));
        if (i < 0) {
            return;
        }
        (void)start_first(d, p, k->slots[i]);
    }
}

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

enum err dispatch_send(struct dispatch *d, struct exchange *x)
{
    struct kind_state *k = &d->kinds[x->kind];
    int i = k->waiting_count == 0 ? slot_pick(k->loads, k->slot_count, affinity(d, x)) : -1;
    if (i < 0 && !has_open_slot(k) && !lost_within(k, clock_mono_us(), DISPATCH_GRACE_MS)) {
        return E_UNAVAILABLE;
    }
    if (quarantine_has(&d->quarantine, x, clock_mono_us())) {
        d->stats.poisoned++;
        return E_POISON;
    }
    bool full = i < 0 && (int64_t)k->waiting_count >= *d->config.queue_max;
    struct pending *p = full ? NULL : take_entry(d, x);
    if (!p) {
        return E_OVERLOADED;
    }
    if (i < 0) {
        exchange_set_state(x, X_QUEUED);
        enter_waiting(k, p);
        return OK;
    }
    enum err e = start(d, p, k->slots[i]);
    if (e == E_CLOSED) {
        exchange_set_state(x, X_QUEUED);
        enter_waiting_first(k, p);
        return OK;
    }
    if (e != OK) {
        give_entry(d, p);
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
        (void)give_up(d, p);
        return;
    }
    give_entry(d, p);
    exchange_set_state(x, X_DONE);
}

/* ---- time ---- */

static void expire(struct dispatch *d, struct pending *p)
{
    d->stats.expired++;
    if (p->place != P_SLOT) {
        finish(d, p, E_DEADLINE, NULL);
        return;
    }
    struct exchange *x = give_up(d, p);
    d->config.done(x, E_DEADLINE, NULL, d->config.arg);
}

static void refuse_all(struct dispatch *d, struct pending_list *list)
{
    struct pending *p;
    while ((p = TAILQ_FIRST(list))) {
        finish(d, p, E_UNAVAILABLE, NULL);
    }
}

static void tick_kind(struct dispatch *d, enum slot_kind kind, int64_t now_us)
{
    struct kind_state *k = &d->kinds[kind];
    struct pending *p;
    while ((p = TAILQ_FIRST(&k->by_deadline)) && p->deadline_us <= now_us) {
        expire(d, p);
    }
    if ((k->waiting_count == 0 && k->retry_count == 0) || has_open_slot(k)) {
        return;
    }
    if (!lost_within(k, now_us, DISPATCH_GRACE_MS)) {
        refuse_all(d, &k->waiting);
    }
    if (!lost_within(k, now_us, DISPATCH_AGAIN_MS)) {
        refuse_all(d, &k->retry);
    }
}

void dispatch_tick(struct dispatch *d, int64_t now_us)
{
    struct pending *p;
    while ((p = TAILQ_FIRST(&d->given_up)) && p->deadline_us <= now_us) {
        enum slot_kind kind = p->kind;
        give_entry(d, p);
        pump(d, kind);
    }
    for (size_t k = 0; k < KIND_COUNT; k++) {
        tick_kind(d, (enum slot_kind)k, now_us);
    }
}

void dispatch_set_pools(struct dispatch *d, unsigned pools)
{
    d->pools = pools;
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
    s->load.batch_max = hello->batch_max > 0 ? hello->batch_max : 1;
    TAILQ_INIT(&s->sent);
    k->slots[k->slot_count] = s;
    k->loads[k->slot_count++] = &s->load;
    pump(d, s->kind);
    return s;
}

/* A draining slot's end is no loss any more. */
static void note_loss(struct kind_state *k, bool was_open)
{
    if (was_open && !has_open_slot(k)) {
        k->lost_us = clock_mono_us();
    }
}

void dispatch_slot_drain(struct dispatch *d, struct dispatch_slot *s)
{
    struct kind_state *k = &d->kinds[s->kind];
    bool was_open = !s->draining;
    s->draining = true;
    s->load.closed = true;
    if (k->kept == s) {
        keep_slot(k, NULL);
    }
    note_loss(k, was_open);
    pump(d, s->kind);
}

/* Nobody knows what became of p: try again alone, or say so. */
static void slot_died_with(struct dispatch *d, struct pending *p)
{
    struct exchange *x = p->x;
    if (!x) {
        give_entry(d, p);
        return;
    }
    if (x->state == X_STARTED) {
        d->stats.unknown++;
        finish(d, p, E_OUTCOME_UNKNOWN, NULL);
        return;
    }
    if (++x->kills >= KILLS_MAX) {
        d->stats.poisoned++;
        quarantine_convict(&d->quarantine, x, clock_mono_us());
        finish(d, p, E_POISON, NULL);
        return;
    }
    quarantine_suspect(&d->quarantine, x, clock_mono_us());
    d->stats.retried++;
    leave_place(d, p);
    exchange_set_state(x, X_QUEUED);
    enter_retry(&d->kinds[p->kind], p);
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
        keep_slot(k, NULL);
    }
    note_loss(k, !s->draining);
    struct pending *p;
    while ((p = TAILQ_FIRST(&s->sent))) {
        slot_died_with(d, p);
    }
    pump(d, s->kind);
    free(s);
}

void dispatch_on_started(struct dispatch *d, struct dispatch_slot *s, uint64_t id)
{
    struct pending *p = find_entry(d, s, id);
    if (p && p->x && p->x->state == X_SENT && !method_is_safe(p->x->method)) {
        exchange_set_state(p->x, X_STARTED);
    }
}

void dispatch_on_reply(struct dispatch *d, struct dispatch_slot *s, const struct frame_reply *reply)
{
    struct pending *p = find_entry(d, s, reply->id);
    enum slot_kind kind = s->kind;
    if (!p || !p->x) {
        d->stats.late++;
    }
    if (p && p->x) {
        quarantine_clear(&d->quarantine, p->x, clock_mono_us());
        finish(d, p, OK, reply);
    } else if (p) {
        give_entry(d, p);
    }
    pump(d, kind);
}

/* ---- figures ---- */

void dispatch_get_stats(const struct dispatch *d, struct dispatch_stats *out)
{
    *out = d->stats;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        const struct kind_state *k = &d->kinds[i];
        out->queued[i] = k->waiting_count + k->retry_count;
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
