/* SPDX-License-Identifier: LicenseRef-Gremio */
/* From waiting to slots. Sources take turns; while several are about, each keeps to an eighth of all places, and with
 * half of that or something slow inside to half of the slots: the others find slots that are not busy with it. */
#include "common/str.h"
#include "router/dispatch_priv.h"

#define MIXED_US \
    INT64_C(10000000)            /* so long after its last request another source counts as about */
#define STILL_US INT64_C(100000) /* a slot that has owed an answer for so long stands still */

/* ---- which slot ---- */

void dispatch_pump_rehome(struct dispatch *d, struct kind_state *k)
{
    slot_pick_homes(k->loads, k->slot_count, k->home, size_min(d->pools, TENANT_POOLS_MAX));
}

/* Index of the slot that p's tenant prefers; -1: none. */
static int home_of(const struct dispatch *d, const struct exchange *x)
{
    const struct kind_state *k = &d->kinds[x->kind];
    size_t pools = size_min(d->pools, TENANT_POOLS_MAX);
    if (!x->has_tenant) {
        return -1;
    }
    if (pools > k->slot_count) {
        return k->home[x->tenant.pool % pools];
    }
    return slot_pick_preferred(k->loads, k->slot_count, str_hash(slice_of(x->tenant.code)));
}

/* What one source may have inside while others are about. */
static size_t share_of_places(const struct kind_state *k)
{
    size_t places = 0;
    for (size_t i = 0; i < k->slot_count; i++) {
        places += k->loads[i]->places;
    }
    return size_max(places / 8, 1);
}

/* Of the half of the slots that begins with the preferred one, as if there were no others. */
static int choose_of_half(const struct kind_state *k, size_t first, int64_t now_us)
{
    struct slot_load *half[DISPATCH_SLOTS_MAX];
    size_t n = size_max(k->slot_count / 2, 1);
    for (size_t i = 0; i < n; i++) {
        half[i] = k->loads[(first + i) % k->slot_count];
    }
    int at = slot_pick(half, n, 0, now_us);
    return at < 0 ? -1 : (int)((first + (size_t)at) % k->slot_count);
}

/* The slot that takes p now. *full: there is no room for anybody; otherwise -1 means that only its source must wait. */
static int choose(const struct dispatch *d, const struct pending *p, bool *full)
{
    const struct kind_state *k = &d->kinds[p->kind];
    const struct fair_source *s = p->turn.source;
    int64_t now = d->config.now();
    int first = home_of(d, p->x);
    size_t share = share_of_places(k);
    bool mixed = now - k->mixed_us < MIXED_US;
    *full = false;
    if (mixed && s->inside >= share) {
        return -1;
    }
    bool slow = now - s->progress_us >= SLOT_PICK_STALL_US;
    if (mixed && first >= 0 && s->inside > 0 && (slow || s->inside >= share / 2)) {
        return choose_of_half(k, (size_t)first, now);
    }
    int i = slot_pick(k->loads, k->slot_count, first, now);
    *full = i < 0;
    return i;
}

/* ---- sending ---- */

static enum err send_frame(const struct dispatch *d, void *channel, const struct pending *p)
{
    const struct exchange *x = p->x;
    struct frame_request r = {
        .id = x->id,
        .deadline_us = x->deadline_us,
        .sent_us = d->config.now(),
        .method = x->method,
        .lang = x->lang,
        .alone = p->alone,
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

/* Moves p into the slot. On failure it is where it was; after E_CLOSED the slot takes nothing more and is about to be
 * reported down. */
static enum err start(struct dispatch *d, struct pending *p, struct dispatch_slot *s)
{
    enum err e = send_frame(d, s->channel, p);
    if (e != OK) {
        s->load.closed = s->load.closed || e == E_CLOSED;
        return e;
    }
    d->stats.sent[p->kind]++;
    if (p->place == P_WAITING) {
        d->stats.waited_us[p->kind] += (uint64_t)(d->config.now() - p->since_us);
    }
    dispatch_table_leave(d, p);
    dispatch_table_enter(d, p, s);
    exchange_set_state(p->x, X_SENT);
    return OK;
}

/* Sends what is waiting or to be retried. False when the slot turned out closed: p is where it was. */
static bool start_queued(struct dispatch *d, struct pending *p, struct dispatch_slot *s)
{
    if (dispatch_death_hold(d, p)) {
        return true;
    }
    enum err e = start(d, p, s);
    if (e != OK && e != E_CLOSED) {
        dispatch_table_finish(d, p, e, NULL);
    }
    return e != E_CLOSED;
}

enum err dispatch_pump_one(struct dispatch *d, struct pending *p, bool *sent)
{
    bool full;
    int i = p->turn.source->waiting == 0 ? choose(d, p, &full) : -1;
    *sent = false;
    if (i < 0) {
        return OK;
    }
    enum err e = start(d, p, d->kinds[p->kind].slots[i]);
    *sent = e == OK;
    return e == E_CLOSED ? OK : e;
}

void dispatch_pump_keep(struct kind_state *k, struct dispatch_slot *s)
{
    if (k->kept) {
        k->kept->load.kept = false;
    }
    k->kept = s;
    if (s) {
        s->load.kept = true;
    }
}

static bool is_cleared(const struct dispatch *d, const struct pending *p)
{
    return quarantine_look(&d->quarantine, p->x, d->config.now()) == VERDICT_NONE;
}

/* Those of which slots may have died run alone: one slot is kept free of others until it has answered them one by one. */
static void pump_suspects(struct dispatch *d, struct kind_state *k)
{
    struct pending *p;
    if (!k->kept && k->suspect_count > 0) {
        int i = slot_pick_idlest(k->loads, k->slot_count);
        dispatch_pump_keep(k, i >= 0 ? k->slots[i] : NULL);
    }
    while (k->kept && k->kept->load.inflight == 0 && (p = TAILQ_FIRST(&k->suspects))) {
        if (is_cleared(d, p)) {
            dispatch_table_leave(d, p);
            dispatch_table_retry(d, p);
            continue;
        }
        p->alone = true;
        if (!start_queued(d, p, k->kept)) {
            break;
        }
    }
    if (k->kept && k->kept->load.inflight == 0) {
        dispatch_pump_keep(k, NULL);
    }
}

static void pump_retry(struct dispatch *d, struct kind_state *k)
{
    struct pending *p;
    while ((p = TAILQ_FIRST(&k->retry))) {
        int i = slot_pick(k->loads, k->slot_count, home_of(d, p->x), d->config.now());
        if (i < 0) {
            return;
        }
        (void)start_queued(d, p, k->slots[i]); /* a closed slot is not picked again */
    }
}

/* The next that some slot takes, in the order of turns; *slot is which. NULL: nothing can go. */
static struct pending *next_to_go(struct dispatch *d, struct kind_state *k,
                                  struct dispatch_slot **slot)
{
    for (struct fair_item *t = fair_queue_first(k->waiting); t; t = fair_queue_after(t)) {
        bool full;
        int i = choose(d, (struct pending *)t, &full);
        if (i >= 0) {
            *slot = k->slots[i];
            return (struct pending *)t;
        }
        if (full) {
            k->is_full = true;
            return NULL;
        }
    }
    k->is_full = false;
    return NULL;
}

void dispatch_pump(struct dispatch *d, enum slot_kind kind)
{
    struct kind_state *k = &d->kinds[kind];
    struct dispatch_slot *slot;
    struct pending *p;
    pump_suspects(d, k);
    pump_retry(d, k);
    while ((p = next_to_go(d, k, &slot))) {
        (void)start_queued(d, p, slot);
    }
}

/* ---- slots that stand still ---- */

/* Sends p's exchange to another slot; what its present slot still says of it is nobody's. False: there is no other. */
static bool move(struct dispatch *d, struct kind_state *k, struct pending *p)
{
    int i = slot_pick(k->loads, k->slot_count, -1, d->config.now());
    if (i < 0 || TAILQ_EMPTY(&d->unused)) {
        return false;
    }
    struct exchange *x = dispatch_table_detach(d, p);
    dispatch_table_uncount(d, p);
    exchange_set_state(x, X_QUEUED);
    x->moved = true;
    d->stats.moved++;
    struct pending *again = dispatch_table_take(d, x);
    if (!start_queued(d, again, k->slots[i])) {
        dispatch_table_wait(d, again);
    }
    return true;
}

static void move_from(struct dispatch *d, struct kind_state *k, struct dispatch_slot *s)
{
    struct pending *first = TAILQ_FIRST(&s->sent), *p, *next;
    for (p = TAILQ_NEXT(first, link); p; p = next) {
        next = TAILQ_NEXT(p, link);
        bool may = p->x && !p->x->moved && method_is_safe(p->x->method) &&
                   p->turn.source != first->turn.source;
        if (may && !move(d, k, p)) {
            return;
        }
    }
}

void dispatch_pump_move(struct dispatch *d, struct kind_state *k)
{
    int64_t now = d->config.now();
    for (size_t i = 0; i < k->slot_count; i++) {
        struct slot_load *l = k->loads[i];
        if (l->inflight > 1 && now - l->since_us >= STILL_US) {
            move_from(d, k, k->slots[i]);
        }
    }
}
