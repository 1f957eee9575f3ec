/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Somebody who is logged in says once more who they are: by the password, a code of the second factor, or both. Wrong tries are
 * counted, apart from those of logins: whoever found a session open may not try without end. Runs in auth slots. */
#ifndef GREMIO_PROOF_H
#define GREMIO_PROOF_H

#include "worker/api/factor.h"
#include "worker/api/login_guard.h"

/* For .vars and .stmts of a route whose body has "password", "code" or both. */
#define PROOF_VARS                                                           \
    { .name = "email", .type = T_TEXT }, { .name = "peer", .type = T_TEXT }, \
        { .name = "guarded", .type = T_TEXT },                               \
    {                                                                        \
        .name = "account", .type = T_UUID                                    \
    }
#define PROOF_STMTS &proof_hold, LOGIN_GUARD_STMTS
extern const struct stmt proof_hold;

enum { PROOF_PASSWORD = 1, PROOF_CODE = 2 };

/* Locks the account (whoever opens a session for it waits, and then sees what follows), sets the vars email and account, and
 * checks all that wanted names. PROOF_CODE needs FACTOR_VARS and FACTOR_STMTS too, and answers 409 when there is no factor. */
MUST_USE enum err proof_check(struct call *c, unsigned wanted);

#endif
