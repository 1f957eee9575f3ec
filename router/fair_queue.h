/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What waits for the slots of one kind: a queue for each source (a practice, or an address without one), served in
 * turn, so that nobody's backlog stands before another's request. Counts what each source has waiting and inside slots.
 * Owns sources, borrows items; memory is fixed at boot. Pure. */
#ifndef GREMIO_FAIR_QUEUE_H
#define GREMIO_FAIR_QUEUE_H

#include <sys/queue.h>

#include "common/uuid.h"

#define FAIR_QUEUE_GAP 8

struct fair_queue;

struct fair_source {
    struct uuid key;
    uint32_t items, waiting; /* items: all that joined */
    uint32_t inside;         /* places that those inside take */
    int64_t
        progress_us; /* the user's: when the first of those inside went in, or the last one came out */
    TAILQ_HEAD(fair_line, fair_item) line;
    TAILQ_ENTRY(fair_source)
    turn, alike;              /* among those with something waiting: by turn, by length */
    struct fair_source *next; /* of its bucket, or unused */
};

/* Embedded in what waits. */
struct fair_item {
    struct fair_source *source; /* NULL: has not joined */
    bool is_waiting;
    uint32_t inside; /* places it takes inside; 0: it is not */
    TAILQ_ENTRY(fair_item) link;
};

/* max: items that may have joined at once. */
MUST_USE enum err fair_queue_new(size_t max, struct fair_queue **out);
void fair_queue_free(struct fair_queue *q);

/* The item becomes one of its source, neither waiting nor inside. */
void fair_queue_join(struct fair_queue *q, struct fair_item *item, const struct uuid *key);
/* Out of everything; nothing for an item that has not joined. */
void fair_queue_leave(struct fair_queue *q, struct fair_item *item);

/* To the end of its source's line; a source that had nothing waiting has its turn last. */
void fair_queue_wait(struct fair_queue *q, struct fair_item *item);
/* Out of its line without having been served. */
void fair_queue_unwait(struct fair_queue *q, struct fair_item *item);
/* Goes into a slot, where it takes so many places, from its line or straight away; its source's next turn is the last. */
void fair_queue_enter(struct fair_queue *q, struct fair_item *item, uint32_t places);
/* Out of its slot. */
void fair_queue_exit(struct fair_item *item);

/* The first in line of the source whose turn it is, and of the source after that item's; NULL for none. */
struct fair_item *fair_queue_first(const struct fair_queue *q);
struct fair_item *fair_queue_after(const struct fair_item *item);
/* Who gives way when there is no room for one more of that source: the newest of the longest line, if that is longer by
 * more than FAIR_QUEUE_GAP; NULL otherwise: with lines about alike nobody who has waited is sent away. */
struct fair_item *fair_queue_victim(const struct fair_queue *q, const struct fair_source *newcomer);
size_t fair_queue_waiting(const struct fair_queue *q);
/* Sources with something waiting. */
size_t fair_queue_sources(const struct fair_queue *q);

#endif
