/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The ES256 key that signs access tokens: made here once, its public half for routers, its private half sealed with
 * sealing.key so that a copy of the database alone cannot sign. */
#ifndef GREMIO_SIGNING_H
#define GREMIO_SIGNING_H

#include "common/pg.h"
#include "provisioning/settings.h"

#define SIGNING_KID_MAX 17

/* In a transaction, as the owner of public: makes and stores a key when no active one can be opened with sealing.key
 * (a lost sealing key: the old key retires, tokens it signed stay good). *made says whether. */
MUST_USE enum err signing_ensure(PGconn *c, const struct settings *s, char kid[SIGNING_KID_MAX],
                                 bool *made, struct sbuf *why);

#endif
