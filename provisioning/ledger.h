/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The record of which migration files this installation knows (public.migration), and the guard on it: a file that
 * was recorded may never change nor disappear, for the practices that ran it would differ from those that will. */
#ifndef GREMIO_LEDGER_H
#define GREMIO_LEDGER_H

#include "common/pg.h"
#include "provisioning/migrations.h"

/* "public" or "tenant". OK with *known = how many files are recorded; E_PRECONDITION_FAILED with a sentence naming the
 * file that changed or is missing. */
MUST_USE enum err ledger_check(PGconn *c, const char *scope, const struct migrations *m, int *known,
                               struct sbuf *why);
/* Records one file; E_ALREADY_EXISTS when somebody else just did. */
MUST_USE enum err ledger_add(PGconn *c, const char *scope, const struct migration *m,
                             struct sbuf *why);
/* ledger_check, then records the files not known yet, all in one transaction. *added may be NULL. */
MUST_USE enum err ledger_register(PGconn *c, const char *scope, const struct migrations *m,
                                  int *added, struct sbuf *why);
/* sql_dir/tenant_template, read and checked against the ledger; unknown files are recorded when add. */
MUST_USE enum err ledger_tenant_files(PGconn *c, const char *sql_dir, bool add,
                                      struct migrations *out, int *known, struct sbuf *why);

#endif
