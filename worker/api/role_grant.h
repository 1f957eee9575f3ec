/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Nobody gives a role that may more than their own, and nobody changes a member whose role does: else whoever manages people could
 * make an owner of themselves. */
#ifndef GREMIO_ROLE_GRANT_H
#define GREMIO_ROLE_GRANT_H

#include "worker/call.h"

/* For the .vars and .stmts of a route that uses this. */
#define ROLE_GRANT_VARS                      \
    {                                        \
        .name = "asked_role", .type = T_TEXT \
    }
#define ROLE_GRANT_STMTS &role_grant_find
extern const struct stmt role_grant_find;

/* Of "owner", "professional" and the others that come ready, or the code of one that the practice made. */
#define ROLE_PARAM .name = "role", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 32

/* The role is there (and stays until the transaction ends) and within the caller's own; E_INVALID on /role otherwise, or E_FORBIDDEN. */
MUST_USE enum err role_grant_give(struct call *c, const char *role);
/* The caller may change whoever has this role; E_FORBIDDEN otherwise. */
MUST_USE enum err role_grant_touch(struct call *c, const char *role);

#endif
