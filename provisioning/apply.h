/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Brings ONE practice's schema to the newest version, in ONE transaction: the same code creates and migrates, so a
 * fresh practice and a migrated one are the same by construction. A failure leaves nothing behind, roles included. */
#ifndef GREMIO_APPLY_H
#define GREMIO_APPLY_H

#include "common/pg.h"
#include "common/tenant.h"
#include "provisioning/migrations.h"
#include "provisioning/script.h"

/* Whose schema. */
struct apply_target {
    char id[UUID_TEXT];
    char code[TENANT_CODE_MAX];
    unsigned pool;
};

enum apply_outcome {
    APPLY_DONE,    /* committed at the newest version */
    APPLY_CURRENT, /* it was there already, or somebody else brought it there */
    APPLY_GONE,    /* dropped meanwhile, or being dropped */
    APPLY_BUSY,    /* a lock was not to be had in time: try again later */
    APPLY_FAILED,  /* rolled back; fault says why */
    APPLY_LOST,    /* the connection is gone; the transaction is whole or not there */
};

struct apply_fault {
    int version; /* the file that failed, 0 when it was none */
    char sqlstate[6];
    char text[300];
};

/* Runs text, one or many statements, as it stands. The only place in the project where text without $n is run: a
 * migration file is many statements, which the extended protocol cannot carry. Its callers in this folder build text
 * from constants, from files of sql/ and from quoted names: ours by tenant_quote, a table's own (erase) and the database's
 * by PQescapeIdentifier. */
MUST_USE enum err apply_script(PGconn *c, const char *text, struct sbuf *why);
/* The same after every :name of tokens in sql has become its value, which is quoted already (script_fill). */
MUST_USE enum err apply_filled(PGconn *c, const char *sql, const struct script_token *tokens,
                               struct sbuf *why);

/* Work to do while the server is busy with the first file (hashing a password). */
struct apply_beside {
    void (*run)(void *context);
    void *context;
};

/* Inside the caller's transaction, as gremio_provision or a superuser: makes role and schema and runs every file.
 * The path is left at the new schema and the role at gremio_owner until the transaction ends. beside may be NULL. */
MUST_USE enum err apply_create(PGconn *c, const struct apply_target *t, const struct migrations *m,
                               const struct apply_beside *beside, struct sbuf *why);

/* One whole transaction: locks the practice, reads its version, runs what is above it, records the version, commits. */
enum apply_outcome apply_migrate(PGconn *c, const struct apply_target *t,
                                 const struct migrations *m, struct apply_fault *fault);
/* Notes the failure in public.migration_failure, outside any transaction; the practice's next success removes it. */
void apply_record_failure(PGconn *c, const struct apply_target *t, const struct apply_fault *fault);

#endif
