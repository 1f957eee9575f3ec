/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a slot still says when it crashes: a frame for each request it was running, to the router that sent it, so that the
 * router knows what the slot may have died of. A slot killed from outside (SIGKILL) says nothing. */
#ifndef GREMIO_LAST_WORDS_H
#define GREMIO_LAST_WORDS_H

#include "worker/score.h"

/* From now on the signals of a crash, and a sanitizer's end of the process, are announced; then they take their course. s is
 * this process's score and stays the caller's. */
void last_words_init(const struct score *s);

#endif
