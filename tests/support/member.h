/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Somebody who works in a practice: account, membership and staff row, put into the database as an accepted invitation would leave them, with the
 * stack's password. */
#ifndef GREMIO_TEST_MEMBER_H
#define GREMIO_TEST_MEMBER_H

#include "tests/support/api.h"

struct member {
    const char *email, *staff; /* staff: the id; freed by api_release */
    struct api api;            /* logged in */
};

/* team: NULL for none. The test fails when the login is refused. */
struct member member_join(const char *slug, const char *role, const char *team);
void member_close(struct member *m);

#endif
