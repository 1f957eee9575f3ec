/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The login roles and their least rights, as rows: fixed ones (init) and pool logins (init, and on demand when the
 * existing pools are full). Sets passwords in one place, as SCRAM verifiers: the server never sees the text. */
#ifndef GREMIO_ROLES_H
#define GREMIO_ROLES_H

#include "common/pg.h"
#include "provisioning/settings.h"

/* Makes secrets_dir (0700) and every missing secret file (0600). Existing ones are kept. E_IO with a sentence. */
MUST_USE enum err roles_secrets(const struct settings *s, struct sbuf *why);
/* As a superuser, in a transaction: creates or repairs the fixed roles and their passwords. */
MUST_USE enum err roles_fixed(PGconn *c, const struct settings *s, struct sbuf *why);
/* As a superuser on db_name, in a transaction: extensions, the schema ext, and what PUBLIC loses. */
MUST_USE enum err roles_rights(PGconn *c, const struct settings *s, struct sbuf *why);
/* In a transaction: creates the login of one pool (as gremio_provision or a superuser), or repairs it (superuser
 * only). Leaves the role at gremio_owner. */
MUST_USE enum err roles_pool(PGconn *c, const struct settings *s, unsigned pool, struct sbuf *why);
/* roles_pool for pool 0 and every pool the directory or the server knows; *count of them. */
MUST_USE enum err roles_pools(PGconn *c, const struct settings *s, int *count, struct sbuf *why);

#endif
