/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What each slot is doing right now, in memory shared with the supervisor: when a slot dies, the log names
 * the requests it held. One writer per row but for its pid; of the living the supervisor reads only whether they
 * are ready, have met routers and make progress. */
#ifndef GREMIO_SCORE_H
#define GREMIO_SCORE_H

#include <sys/types.h>

#include "common/frame.h"

#define SCORE_JOBS_MAX 64 /* the most a batch can hold */

#define SCORE_NO_ROUTE UINT16_MAX

struct score_job {
    uint16_t route; /* index in the compiled table; SCORE_NO_ROUTE until the gate found it */
    int fd;         /* the channel it came through */
    uint64_t id;    /* its number there */
    char tenant[TENANT_CODE_MAX];
    char request_id[FRAME_ID_MAX + 1];
};

struct score {
    pid_t pid;         /* whose score it is: the supervisor writes it */
    pid_t ready;       /* the same, once it serves and has reached the database; 0 until then */
    uint32_t channels; /* routers it has met */
    int64_t beat_us;   /* its latest sign of progress; 0: none yet */
    uint32_t count;    /* jobs under way */
    struct score_job jobs[SCORE_JOBS_MAX];
};

/* n rows shared with every child forked later, and through *fd with the program after this one; NULL when out of memory.
 * *fd -1, or of rows of another layout: new rows, zeroed. Never freed: they live as long as the program. */
struct score *score_map(size_t n, int *fd);
/* Notes one request more, which came through fd. Does nothing when the row is full. */
void score_add(struct score *s, int fd, const struct frame_request *req);
/* The newest has passed the gate, or it was refused there and is over. */
void score_route(struct score *s, uint16_t route);
void score_drop(struct score *s);
/* Nothing is under way any more. */
void score_clear(struct score *s);
/* The score of this process, for score_beat. */
void score_own(struct score *s);
/* A sign of progress: between two of them lies at most one wait for the database. Nothing happens without a score. */
void score_beat(void);

#endif
