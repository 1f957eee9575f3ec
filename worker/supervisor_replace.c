/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Slots replaced without a gap, for new settings or by a new program: a second process on the same socket, which takes
 * connections once it has reached the database; then the first is told to finish; and the next slot only when that one is
 * gone and as many routers as it had have met its successor. A newcomer that does not get ready leaves the old one serving. */
#include <signal.h>
#include <stdio.h>

#include "common/clock.h"
#include "worker/supervisor_priv.h"

#define READY_PATIENCE \
    INT64_C(10000000) /* a newcomer that is not ready by then holds up no other slot */
#define MEET_PATIENCE INT64_C(10000000) /* nor do routers that do not come: they may have ended */
#define FRAMES_KEY    "frames %08x"
#define LOCK_KEY      "lock %s"
#define SCORES_KEY    "scores"

static int64_t finish_by_us(const struct supervisor *s)
{
    return clock_mono_us() + s->start->settings->drain_timeout * 1000 + SUPERVISOR_GRACE_US;
}

/* ---- slot after slot ---- */

void supervisor_replace_all(struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++) {
        s->slots[i].recycle = s->slots[i].child.pid > 0;
    }
}

static bool has_met_routers(const struct supervisor *s, const struct slot *slot)
{
    return supervisor_slots_score(s, slot)->channels >= slot->awaited ||
           clock_mono_us() >= slot->met_by_us;
}

static bool is_settled(const struct supervisor *s, const struct slot *slot)
{
    return slot->old == 0 && supervisor_slots_ready(s, slot) && has_met_routers(s, slot);
}

bool supervisor_replace_busy(const struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct slot *slot = &s->slots[i];
        if (slot->recycle || slot->old > 0) {
            return true;
        }
    }
    return s->upgrade.leaving_count > 0 || s->upgrade.checker > 0 || s->upgrade.taking_over;
}

static void retire(struct supervisor *s, struct slot *slot)
{
    slot->awaited = s->scores[2 * slot->env.index + !slot->turn].channels;
    slot->met_by_us = clock_mono_us() + MEET_PATIENCE;
    upgrade_leave(&s->upgrade, slot->old, SIGTERM, finish_by_us(s));
    slot->retired = slot->old;
    slot->old = 0;
}

/* Puts a new process beside the next slot of an old generation, once everybody is settled: one at a time, since each
 * has connections of its own. */
static void recycle_next(struct supervisor *s)
{
    struct slot *next = NULL;
    bool settled = s->upgrade.leaving_count == 0;
    for (size_t i = 0; i < s->count; i++) {
        struct slot *slot = &s->slots[i];
        settled = settled && is_settled(s, slot);
        if (!next && slot->recycle && slot->old == 0 && slot->child.pid > 0) {
            next = slot;
        }
    }
    if (!next && settled) {
        upgrade_done(&s->upgrade);
    }
    if (!next || (!settled && clock_mono_us() < s->recycle_us)) {
        return;
    }
    s->recycle_us = finish_by_us(s) + READY_PATIENCE;
    next->recycle = false;
    next->old = next->child.pid;
    next->child = (struct proc_child){ 0 };
    next->turn = !next->turn;
}

void supervisor_replace_step(struct supervisor *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct slot *slot = &s->slots[i];
        if (slot->old > 0 && supervisor_slots_ready(s, slot)) {
            retire(s, slot);
        }
    }
    recycle_next(s);
}

/* ---- the next program ---- */

/* A child that is not ready has nothing to lose: the one it replaces is handed on. */
const struct upgrade_list *supervisor_replace_list(const struct supervisor *s)
{
    static struct upgrade_list l;
    l.count = 0;
    l.full = false;
    upgrade_put(&l, -1, 0, FRAMES_KEY, FRAME_MAGIC);
    upgrade_put(&l, s->lock_fd, 0, LOCK_KEY, s->start->settings->slots_dir);
    upgrade_put(&l, s->score_fd, 0, SCORES_KEY);
    for (size_t i = 0; i < s->count; i++) {
        const struct slot *slot = &s->slots[i];
        upgrade_put(&l, slot->listen_fd, slot->old > 0 ? slot->old : slot->child.pid, "%s",
                    slot->path);
        if (slot->old > 0 && slot->child.pid > 0) {
            upgrade_put(&l, -1, slot->child.pid, "unready");
        }
    }
    upgrade_put_leaving(&s->upgrade, &l);
    return &l;
}

enum err supervisor_replace_inherit(struct supervisor *s, struct upgrade_list *l, struct sbuf *why)
{
    struct upgrade_row row;
    char key[UPGRADE_KEY_MAX];
    snprintf(key, sizeof(key), FRAMES_KEY, FRAME_MAGIC);
    if (!upgrade_take(l, key, &row)) {
        sbuf_text(why, "this program speaks other frames than the one that runs: stop router and "
                       "worker, then start both");
        return E_CONFIG;
    }
    snprintf(key, sizeof(key), LOCK_KEY, s->start->settings->slots_dir);
    if (!upgrade_take(l, key, &row) || row.fd < 0) {
        sbuf_text(why, "slots_dir: this change needs a restart");
        return E_CONFIG;
    }
    s->lock_fd = row.fd;
    int scores = upgrade_take(l, SCORES_KEY, &row) ? row.fd : -1;
    s->upgrade.taking_over = true;
    TRY(supervisor_sockets_open(s, l, why));
    upgrade_take_leaving(&s->upgrade, l, "leaving", 0, finish_by_us(s));
    upgrade_take_leaving(&s->upgrade, l, "unready", SIGTERM, finish_by_us(s));
    TRY(upgrade_all_taken(l, why));
    return supervisor_slots_scores(s, scores);
}
