/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One request's work in the database: one implicit transaction under the three locks, ended by a Sync. A unit counts as
 * done only when its end was confirmed: its own Sync, or the COMMIT of a batched read, since reads share one Sync
 * (db.h, groups). Batched units are queued whole and collected later; interactive ones ask and wait. Borrows the connection until collected or ended; a failed unit leaves nothing behind. */
#ifndef GREMIO_UNIT_H
#define GREMIO_UNIT_H

#include "worker/db.h"

#define UNIT_HELD_MAX 160 /* results one interactive unit may keep */

struct unit {
    struct db *db;
    struct call *call;
    struct db_conn *conn; /* NULL until the first statement */
    enum err err;         /* what failed first; OK: nothing yet */
    bool
        retry; /* err is of the kind a second run may not meet: 40001, 40P01, a plan that went away */
    bool sync_sent;
    bool shared;            /* one transaction of a group */
    char sqlstate[6];       /* of err; empty when the server said none */
    int64_t sent_us;        /* first message queued */
    uint32_t db_us;         /* from then to the confirmed Sync */
    PGresult *rows, *probe; /* batched: results of the row's sql and probe */
    PGresult *held[UNIT_HELD_MAX];
    size_t held_count;
};

/* Touches nothing yet. */
void unit_init(struct unit *u, struct db *db, struct call *call);

/* Whether unit_send would put it into a group: those go behind all others of a batch. */
bool unit_is_shared(const struct call *c);
/* Batched: queues [switch, sql, probe, Sync], or [BEGIN, switch, sql, probe, COMMIT] of a group. Anything but OK: nothing
 * was queued, or u->conn is lost. */
MUST_USE enum err unit_send(struct unit *u, const struct stmt_plan *sql,
                            const struct stmt_plan *probe);
/* Batched, behind unit_send: the server is to send the unit's results before it goes on with the group. */
MUST_USE enum err unit_flush(struct unit *u);
/* Batched: takes its results off the connection, in the order of unit_send; db_flush came before. The verdict of the whole
 * unit: OK means committed, u->rows and u->probe are there. A unit that a neighbour's error skipped is E_AGAIN with u->retry. */
MUST_USE enum err unit_collect(struct unit *u);

/* Interactive: runs plan now; *rows is freed by unit_end. After an error every further call gives the same error. */
MUST_USE enum err unit_query(struct unit *u, const struct stmt_plan *plan, PGresult **rows);
/* The same with the values given, for statements that are no route's. */
MUST_USE enum err unit_ask(struct unit *u, const struct stmt_plan *plan, const char *const *values,
                           PGresult **rows);
/* Interactive: queues plan; its error shows at the next unit_query or at commit. */
MUST_USE enum err unit_post(struct unit *u, const struct stmt_plan *plan);
/* The same with the values given. */
MUST_USE enum err unit_tell(struct unit *u, const struct stmt_plan *plan,
                            const char *const *values);
/* Ends the transaction. OK: what was done is kept. E_OUTCOME_UNKNOWN: the connection broke while committing. */
MUST_USE enum err unit_commit(struct unit *u);
/* Undoes everything. Fine on a unit without statements. */
void unit_rollback(struct unit *u);
/* Frees the results. After unit_collect, unit_commit or unit_rollback. */
void unit_end(struct unit *u);

/* Whether the statement gave or changed at least one row. */
bool unit_changed(const PGresult *rows);

#endif
