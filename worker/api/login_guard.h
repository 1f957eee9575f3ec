/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Slows whoever guesses passwords, not the owner. After LOGIN_GUARD_FREE failures within LOGIN_GUARD_WINDOW of an account, each
 * further one doubles the time before the next try: 1 s, 2 s, ... LOGIN_GUARD_WINDOW. An address from which the account
 * has logged in lately is counted by itself, so that strangers do not lock out the owner; any other address also has a count of
 * its own over all accounts. An e-mail that is no account is counted alike, so that nothing tells which exist. */
#ifndef GREMIO_LOGIN_GUARD_H
#define GREMIO_LOGIN_GUARD_H

#include "worker/call.h"

#define LOGIN_GUARD_FREE    "10"  /* failures of an account, or of a known address with it */
#define LOGIN_GUARD_ADDRESS "100" /* failures of one address: a practice's people share one */
#define LOGIN_GUARD_WINDOW  "15 minutes" /* without a failure: forgotten */
#define LOGIN_GUARD_KNOWN   "90 days"    /* so old may the address's last login be */

/* For a route's .stmts; its vars or parameters are email (the account's) and peer (the client's address). */
#define LOGIN_GUARD_STMTS \
    &login_guard_look, &login_guard_note, &login_guard_purge, &login_guard_clear
extern const struct stmt login_guard_look, login_guard_note, login_guard_purge, login_guard_clear;

/* Before the password is looked at. E_TOO_MANY_ATTEMPTS: not now; *failed is whether failures are on record. */
MUST_USE enum err login_guard_check(struct call *c, bool *failed);
/* The password was wrong: counts it, whatever the handler refuses with (c->keep). */
MUST_USE enum err login_guard_fail(struct call *c);
/* It was right: forgets what login_guard_check found, but for the address's own count. */
MUST_USE enum err login_guard_pass(struct call *c, bool failed);

#endif
