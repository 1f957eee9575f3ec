/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Slots that stand still although nothing keeps them. One that was stopped is killed; one that runs and says nothing loops in
 * some request: it is told to crash, so that it names that request to its routers (worker/last_words.h). */
#include <signal.h>

#include "common/clock.h"
#include "worker/supervisor_priv.h"

#define STOPPED_PATIENCE \
    INT64_C(2000000) /* a stopped slot's requests go to others before their deadline */

/* A slot that waits, for requests or for the database, says so more often than this. */
static bool is_silent(const struct supervisor *s, const struct slot *slot, int64_t now)
{
    const struct score *score = supervisor_slots_score(s, slot);
    return score->beat_us &&
           now - score->beat_us > slots_silence_us(slot->env.kind, s->start->settings);
}

static void look_at(struct supervisor *s, struct slot *slot, int64_t now)
{
    struct score *score = supervisor_slots_score(s, slot);
    if (slot->stopped_us && now - slot->stopped_us > STOPPED_PATIENCE) {
        supervisor_slots_log(s, slot, score, "slot_stuck", "stopped");
        kill(slot->child.pid, SIGKILL);
        slot->stopped_us = 0;
    } else if (slot->aborted_us && now - slot->aborted_us > SUPERVISOR_LOOK_US) {
        kill(slot->child.pid, SIGKILL);
    } else if (!slot->stopped_us && !slot->aborted_us && is_silent(s, slot, now)) {
        supervisor_slots_log(s, slot, score, "slot_stuck", "no progress");
        kill(slot->child.pid, SIGABRT);
        slot->aborted_us = now;
    }
}

void supervisor_stuck_kill(struct supervisor *s)
{
    int64_t now = clock_mono_us();
    /* All of us were frozen: let them breathe first. */
    bool away = now - s->looked_us > 5 * SUPERVISOR_LOOK_US;
    s->looked_us = now;
    for (size_t i = 0; i < s->count && !away; i++) {
        if (s->slots[i].child.pid > 0) {
            look_at(s, &s->slots[i], now);
        }
    }
}
