/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Moves both times of every row, so that windows keep their length. */
#include "tests/support/failures.h"

#include <stdio.h>

#include "tests/support/db.h"

void failures_let_pass(const char *interval)
{
    PGconn *db = db_super();
    db_number(db,
              "WITH older AS (UPDATE public.login_failure SET latest = latest - $1::interval, "
              "since = since - $1::interval RETURNING 1)"
              " SELECT count(*) FROM older",
              interval, NULL);
    PQfinish(db);
}

void failures_hold(void)
{
    char ahead[32];
    snprintf(ahead, sizeof ahead, "%d seconds", FAILURES_AHEAD_S);
    PGconn *db = db_super();
    db_number(db,
              "WITH newer AS (UPDATE public.login_failure SET latest = now() + $1::interval,"
              " since = since + $1::interval RETURNING 1) SELECT count(*) FROM newer",
              ahead, NULL);
    PQfinish(db);
}
