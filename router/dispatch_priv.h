/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What dispatch's own files share: its entries and where they are (dispatch_table.c), filling slots (dispatch_pump.c),
 * what a slot's death means (dispatch_death.c), and the life of requests and slots (dispatch.c). Nobody else includes
 * this. */
#ifndef GREMIO_DISPATCH_PRIV_H
#define GREMIO_DISPATCH_PRIV_H

#include <sys/queue.h>

#include "router/dispatch.h"
#include "router/fair_queue.h"
#include "router/pace.h"
#include "router/quarantine.h"
#include "router/slot_pick.h"

enum place { P_FREE, P_WAITING, P_RETRY, P_SUSPECT, P_SLOT };

struct pending {
    struct fair_item turn; /* first: the two are cast into each other */
    struct exchange *x;    /* NULL: given up, the slot may still answer */
    uint64_t id;
    enum place place;
    enum slot_kind kind;
    struct dispatch_slot *slot; /* in P_SLOT */
    bool alone;                 /* sent as the only one under way in its slot */
    bool blamed;                /* its slot's last words name it */
    bool has_key; /* given up: what its slot may still say of it is held against this key */
    struct quarantine_key key;
    int64_t since_us;           /* of its place */
    int64_t deadline_us;        /* given up: when its place in the slot is taken back */
    TAILQ_ENTRY(pending) link;  /* unused, in retry or suspects, or in its slot */
    TAILQ_ENTRY(pending) timed; /* by deadline, or among the given up */
};

TAILQ_HEAD(pending_list, pending);

struct dispatch_slot {
    struct slot_load load;
    enum slot_kind kind;
    void *channel;
    bool draining;
    bool spoke;               /* dying, it named what it was running */
    struct pending_list sent; /* the oldest first */
};

struct kind_state {
    struct fair_queue *waiting;
    struct pending_list retry; /* their slot died: they go first */
    struct pending_list suspects, by_deadline;
    size_t retry_count, suspect_count, slot_count;
    struct dispatch_slot *slots[DISPATCH_SLOTS_MAX];
    struct slot_load *loads[DISPATCH_SLOTS_MAX]; /* of slots, in the same order */
    int16_t home[TENANT_POOLS_MAX];              /* slot of each pool, with more pools than slots */
    struct dispatch_slot *kept; /* for the first of suspects, which runs alone; NULL for none */
    int64_t lost_us;            /* when the last open slot went; 0: none was ever there */
    struct uuid last_source;    /* of the newest request */
    int64_t last_us,
        mixed_us; /* of the newest request, and of the newest of another source than that */
    bool is_full; /* something waits because no slot has room for anybody */
    struct pace pace;
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

/* ---- dispatch_table.c ---- */

MUST_USE enum err dispatch_table_init(struct dispatch *d);
void dispatch_table_fini(struct dispatch *d);
/* A new entry for x, in no place. NULL when all are taken. */
struct pending *dispatch_table_take(struct dispatch *d, struct exchange *x);
/* Out of everything; the exchange, if any, is the caller's. */
void dispatch_table_give(struct dispatch *d, struct pending *p);
/* The entry with that id in that slot, or NULL. */
struct pending *dispatch_table_find(struct dispatch *d, struct dispatch_slot *s, uint64_t id);
/* Into a place, from none; or out of its place into none. */
void dispatch_table_wait(struct dispatch *d, struct pending *p);
void dispatch_table_retry(struct dispatch *d, struct pending *p);
void dispatch_table_suspect(struct dispatch *d, struct pending *p);
void dispatch_table_enter(struct dispatch *d, struct pending *p, struct dispatch_slot *s);
void dispatch_table_leave(struct dispatch *d, struct pending *p);
/* p, in a slot, takes no places there any more: not its source's fault. */
void dispatch_table_uncount(struct dispatch *d, struct pending *p);
/* The last step of an exchange here: done runs. p's entry becomes free for others. */
void dispatch_table_finish(struct dispatch *d, struct pending *p, enum err status,
                           const struct frame_reply *reply);
/* Takes the exchange away from an entry that a slot still works on. The entry keeps its place in the slot until the
 * answer comes, so that a slot that answers nothing fills up and gets no more. */
struct exchange *dispatch_table_detach(struct dispatch *d, struct pending *p);
/* The same, and nothing is to become of the exchange here. */
struct exchange *dispatch_table_give_up(struct dispatch *d, struct pending *p);

/* ---- dispatch_pump.c ---- */

/* Sends p, which is in no place, if a slot has room for it and its source may have it. *sent tells; on failure p is in
 * no place and will never be sent. */
MUST_USE enum err dispatch_pump_one(struct dispatch *d, struct pending *p, bool *sent);
/* Fills the room there is, source by source. */
void dispatch_pump(struct dispatch *d, enum slot_kind kind);
/* Safe requests that stand behind another source's in a slot that stands still go to one with room, once. */
void dispatch_pump_move(struct dispatch *d, struct kind_state *k);
/* A slot is kept free of others for suspects (NULL: none any more). */
void dispatch_pump_keep(struct kind_state *k, struct dispatch_slot *s);
/* Slots or pools have changed. */
void dispatch_pump_rehome(struct dispatch *d, struct kind_state *k);

/* ---- dispatch_death.c ---- */

/* The slot that p is in is dying and was running it. */
void dispatch_death_name(struct pending *p);
/* p is about to lose its exchange, but its slot may still die of it. */
void dispatch_death_remember(struct pending *p);
/* p's slot is gone: p is answered, or is to be sent again. */
void dispatch_death_settle(struct dispatch *d, struct pending *p);
/* p is about to be sent, and slots may have died of its like meanwhile. True: it was refused, or waits among the suspects. */
MUST_USE bool dispatch_death_hold(struct dispatch *d, struct pending *p);

#endif
