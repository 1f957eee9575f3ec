/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A desk at which series of visits are made: one client, one service of half an hour, one person. */
#ifndef GREMIO_TEST_SERIES_H
#define GREMIO_TEST_SERIES_H

#include <libpq-fe.h>

#include "tests/support/api.h"

#define SERIES "/api/v1/series"

struct series_desk {
    struct api owner;
    PGconn *db; /* in the practice's schema */
    const char *client, *service, *staff;
};

struct series_desk series_desk_open(const char *email, const char *slug);
void series_desk_close(struct series_desk *d);

/* The members of a body about the desk's client, service and person, so that more may follow; without braces. */
const char *series_body(const struct series_desk *d, const char *starts_at, const char *rrule);
/* Makes one; more: further members, or "". The answer is the caller's to judge. */
struct answer *series_post(struct series_desk *d, const char *path, const char *starts_at,
                           const char *rrule, const char *more);
/* The same, and the test fails when that is refused; its id. */
const char *series_make(struct series_desk *d, const char *starts_at, const char *rrule,
                        const char *more);
/* Changes or cancels the series as it is now. */
struct answer *series_change(struct series_desk *d, const char *id, const char *members);
struct answer *series_cancel(struct series_desk *d, const char *id, const char *members);
/* All that is stored of series and visits of the desk's client and person, as one digest; freed by api_release. */
const char *series_stored(struct series_desk *d);
/* Pairs of visits that overlap in a lane, or of one client. */
long series_overlaps(struct series_desk *d);
/* A visit of somebody else's at the desk's person. */
void series_block(struct series_desk *d, const char *starts_at);
/* Member of the occurrence or outcome of that key in the list at path ("outcomes"); "" when there is none. */
const char *series_of(const struct answer *r, const char *path, const char *key,
                      const char *member);

#endif
