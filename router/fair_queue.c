/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Sources hang in a hash table while they have items. Those with something waiting are in two lists: by turn, and with
 * others of the same length, so that the longest is found at once. */
#include "router/fair_queue.h"

#include <stdlib.h>

#include "common/str.h"

#define LENGTHS 256 /* lines longer than that count as equally long */

TAILQ_HEAD(source_list, fair_source);

struct fair_queue {
    struct fair_source *sources, *unused, **buckets;
    size_t mask,
        fresh; /* fresh: sources never used begin here, so that their memory is not touched */
    size_t waiting, waiting_sources, longest;
    struct source_list turns, by_length[LENGTHS + 1];
};

enum err fair_queue_new(size_t max, struct fair_queue **out)
{
    struct fair_queue *q = calloc(1, sizeof(*q));
    size_t buckets = 16;
    while (buckets < max) {
        buckets *= 2;
    }
    if (!q) {
        return E_NOMEM;
    }
    q->mask = buckets - 1;
    q->sources = calloc(max, sizeof(*q->sources));
    q->buckets = calloc(buckets, sizeof(struct fair_source *));
    if (!q->sources || !q->buckets) {
        fair_queue_free(q);
        return E_NOMEM;
    }
    TAILQ_INIT(&q->turns);
    for (size_t i = 0; i <= LENGTHS; i++) {
        TAILQ_INIT(&q->by_length[i]);
    }
    *out = q;
    return OK;
}

void fair_queue_free(struct fair_queue *q)
{
    if (q) {
        free(q->sources);
        free(q->buckets);
        free(q);
    }
}

/* ---- sources ---- */

static struct fair_source **bucket_of(const struct fair_queue *q, const struct uuid *key)
{
    uint64_t h = str_hash((struct slice){ (const char *)key->b, sizeof(key->b) });
    return &q->buckets[(h ^ h >> 32) & q->mask];
}

static struct fair_source *make_source(struct fair_queue *q, const struct uuid *key)
{
    struct fair_source **bucket = bucket_of(q, key);
    struct fair_source *s = q->unused;
    if (s) {
        q->unused = s->next;
    } else {
        s = &q->sources[q->fresh++];
    }
    *s = (struct fair_source){ .key = *key, .next = *bucket };
    TAILQ_INIT(&s->line);
    *bucket = s;
    return s;
}

void fair_queue_join(struct fair_queue *q, struct fair_item *item, const struct uuid *key)
{
    struct fair_source *s = *bucket_of(q, key);
    while (s && !uuid_eq(&s->key, key)) {
        s = s->next;
    }
    s = s ? s : make_source(q, key);
    s->items++;
    *item = (struct fair_item){ .source = s };
}

static void drop_source(struct fair_queue *q, struct fair_source *s)
{
    struct fair_source **at = bucket_of(q, &s->key);
    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
    s->next = q->unused;
    q->unused = s;
}

void fair_queue_leave(struct fair_queue *q, struct fair_item *item)
{
    struct fair_source *s = item->source;
    if (!s) {
        return;
    }
    fair_queue_unwait(q, item);
    fair_queue_exit(item);
    item->source = NULL;
    if (--s->items == 0) {
        drop_source(q, s);
    }
}

/* ---- lines ---- */

static struct source_list *alike(struct fair_queue *q, uint32_t waiting)
{
    return &q->by_length[size_min(waiting, LENGTHS)];
}

/* The line of s grew or shrank by one, so the longest moves by one at most. */
static void set_length(struct fair_queue *q, struct fair_source *s, uint32_t waiting)
{
    if (s->waiting > 0) {
        TAILQ_REMOVE(alike(q, s->waiting), s, alike);
    }
    s->waiting = waiting;
    if (waiting > 0) {
        TAILQ_INSERT_TAIL(alike(q, waiting), s, alike);
        q->longest = size_max(q->longest, size_min(waiting, LENGTHS));
    }
    while (q->longest > 0 && TAILQ_EMPTY(&q->by_length[q->longest])) {
        q->longest--;
    }
}

void fair_queue_wait(struct fair_queue *q, struct fair_item *item)
{
    struct fair_source *s = item->source;
    TAILQ_INSERT_TAIL(&s->line, item, link);
    item->is_waiting = true;
    if (s->waiting == 0) {
        TAILQ_INSERT_TAIL(&q->turns, s, turn);
        q->waiting_sources++;
    }
    set_length(q, s, s->waiting + 1);
    q->waiting++;
}

void fair_queue_unwait(struct fair_queue *q, struct fair_item *item)
{
    struct fair_source *s = item->source;
    if (!item->is_waiting) {
        return;
    }
    item->is_waiting = false;
    TAILQ_REMOVE(&s->line, item, link);
    set_length(q, s, s->waiting - 1);
    q->waiting--;
    if (s->waiting == 0) {
        TAILQ_REMOVE(&q->turns, s, turn);
        q->waiting_sources--;
    }
}

void fair_queue_enter(struct fair_queue *q, struct fair_item *item, uint32_t places)
{
    struct fair_source *s = item->source;
    fair_queue_unwait(q, item);
    if (s->waiting > 0) {
        TAILQ_REMOVE(&q->turns, s, turn);
        TAILQ_INSERT_TAIL(&q->turns, s, turn);
    }
    s->inside += places;
    item->inside = places;
}

void fair_queue_exit(struct fair_item *item)
{
    if (item->inside > 0) {
        item->source->inside -= item->inside;
        item->inside = 0;
    }
}

/* ---- looking ---- */

struct fair_item *fair_queue_first(const struct fair_queue *q)
{
    const struct fair_source *s = TAILQ_FIRST(&q->turns);
    return s ? TAILQ_FIRST(&s->line) : NULL;
}

struct fair_item *fair_queue_after(const struct fair_item *item)
{
    const struct fair_source *s = TAILQ_NEXT(item->source, turn);
    return s ? TAILQ_FIRST(&s->line) : NULL;
}

struct fair_item *fair_queue_victim(const struct fair_queue *q, const struct fair_source *newcomer)
{
    const struct fair_source *s = TAILQ_FIRST(&q->by_length[q->longest]);
    return s && s->waiting > newcomer->waiting + FAIR_QUEUE_GAP ? TAILQ_LAST(&s->line, fair_line)
                                                                : NULL;
}

size_t fair_queue_waiting(const struct fair_queue *q)
{
    return q->waiting;
}

size_t fair_queue_sources(const struct fair_queue *q)
{
    return q->waiting_sources;
}
