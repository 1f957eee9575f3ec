/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What each slot is doing right now, in memory shared with the supervisor: when a slot dies, the log names
 * the requests it held. One writer per row; of the living the supervisor reads only whether they are ready and make progress. */
#ifndef GREMIO_SCORE_H
#define GREMIO_SCORE_H

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
    bool ready;      /* its loop runs */
    int64_t beat_us; /* its latest sign of progress; 0: none yet */
    uint32_t count;  /* jobs under way */
    struct score_job jobs[SCORE_JOBS_MAX];
};

/* n rows, zeroed, shared with every child forked later; NULL when out of memory. Never freed: it lives as long as the program. */
struct score *score_map(size_t n);
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
