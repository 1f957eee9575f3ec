/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A superuser's transaction with a table lock; a second connection counts who waits for it. */
#include "tests/support/hold.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"
#include "tests/support/wait.h"

struct hold hold_begin(const char *slug, const char *table)
{
    struct hold h = { .locker = db_super(), .watcher = db_super(), .since = "-infinity" };
    char *code = db_code(h.watcher, slug);
    char sql[160];
    snprintf(sql, sizeof sql, "LOCK TABLE t_%s.%s IN ACCESS EXCLUSIVE MODE", code, table);
    db_do(h.locker, "BEGIN");
    db_do(h.locker, sql);
    free(code);
    return h;
}

struct waiting {
    struct hold *hold;
    int n;
};

bool hold_has(struct hold *h, int n)
{
    return db_number(h->watcher,
                     "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'gremio_pool%' AND "
                     "wait_event_type = 'Lock' AND backend_start > $1::timestamptz",
                     h->since, NULL) >= n;
}

static bool enough_wait(void *arg)
{
    struct waiting *w = arg;
    return hold_has(w->hold, w->n);
}

bool hold_wait_for(struct hold *h, int n)
{
    struct waiting w = { .hold = h, .n = n };
    return wait_until(enough_wait, &w, WAIT_LONG_MS);
}

void hold_forget(struct hold *h)
{
    char *now = db_value(h->watcher, "SELECT clock_timestamp()", NULL);
    snprintf(h->since, sizeof h->since, "%s", now);
    free(now);
}

void hold_end(struct hold *h)
{
    PQfinish(h->locker);
    PQfinish(h->watcher);
    *h = (struct hold){ 0 };
}
