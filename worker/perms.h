/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What each role may do: one row per role. A role that is not in the table may do nothing. */
#ifndef GREMIO_PERMS_H
#define GREMIO_PERMS_H

#include "worker/route.h"

bool perms_allow(const char *role, enum perm need);
/* "client.read"; for OpenAPI and logs. "none" for PERM_NONE. */
const char *perms_name(enum perm p);
/* The role's name at index i, NULL behind the last. */
const char *perms_role(size_t i);

#endif
