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
/* In the transaction that ran the practice files above version from: records those nobody ran before, so that a file
 * is fixed by its first success and a failing one may still be corrected. E_PRECONDITION_FAILED when another gremioctl
 * meanwhile ran a different file under the same number. */
MUST_USE enum err ledger_note(PGconn *c, const struct migrations *m, int from, struct sbuf *why);
/* Reads sql_dir/tenant_template and checks it against the ledger; *known files are recorded. */
MUST_USE enum err ledger_tenant_files(PGconn *c, const char *sql_dir, struct migrations *out,
                                      int *known, struct sbuf *why);

#endif
