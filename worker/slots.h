/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The table of slot kinds, and what a slot process does between fork and loop. Adding a kind means adding a row. */
#ifndef GREMIO_SLOTS_H
#define GREMIO_SLOTS_H

#include "worker/score.h"
#include "worker/slot_env.h"

struct slots_row {
    enum slot_kind kind;
    /* How many the settings ask for. */
    int64_t (*count)(const struct worker_settings *s);
    /* Takes from the secrets what this kind has no use for. */
    void (*wipe)(struct worker_secrets *secrets);
};

/* By enum slot_kind. */
extern const struct slots_row slots_rows[KIND_COUNT];

/* "api-00" into name[16]. */
void slots_name(enum slot_kind kind, unsigned ordinal, char name[16]);

/* How long a slot of this kind may go without a sign of progress: its longest wait for the database or for argon2id, and some. */
int64_t slots_silence_us(enum slot_kind kind, const struct worker_settings *s);

/* In the child: wipes secrets, waits for signals on a descriptor, runs the loop and exits with its status. parent is the
 * supervisor, which the slot does not outlive by more than its drain. */
_Noreturn void slots_main(struct slot_env *env, struct worker_secrets *secrets, int listen_fd,
                          struct score *score, int parent);

#endif
