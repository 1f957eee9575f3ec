/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Slows whoever guesses passwords, not the owner. After LOGIN_GUARD_FREE failures of an account each further one doubles the
 * time before the next try, 1 s, 2 s, 4 s ..., until LOGIN_GUARD_WINDOW has passed since the first one; then the count
 * begins anew. An address from which the account has logged in lately, and whose session nobody had to end, is counted by itself,
 * so that strangers do not lock out the owner; any other address also has a count of its own over all accounts. An e-mail that
 * is no account is counted alike, so that the answers do not tell which exist; but at an address whose own count is used up,
 * an account that has logged in from there is still let try. */
#ifndef GREMIO_LOGIN_GUARD_H
#define GREMIO_LOGIN_GUARD_H

#include "worker/call.h"

#define LOGIN_GUARD_FREE    "10"  /* failures of an account, or of a known address with it */
#define LOGIN_GUARD_ADDRESS "100" /* failures of one address: a practice's people share one */
#define LOGIN_GUARD_WINDOW  "15 minutes" /* since the first failure: forgotten */
#define LOGIN_GUARD_KNOWN   "90 days"    /* so old may the address's last login be */

/* What is guessed at: a change of password has a count of its own, so that neither disturbs the other. */
#define LOGIN_GUARD_LOGIN  "login"
#define LOGIN_GUARD_CHANGE "change"

/* For a route's .stmts; guarded and peer are its vars, email (the account's) is a parameter or var. */
#define LOGIN_GUARD_STMTS \
    &login_guard_look, &login_guard_note, &login_guard_purge, &login_guard_clear
extern const struct stmt login_guard_look, login_guard_note, login_guard_purge, login_guard_clear;

/* Before the password is looked at. E_TOO_MANY_ATTEMPTS: not now; *failed is whether failures are on record. */
MUST_USE enum err login_guard_check(struct call *c, const char *what, bool *failed);
/* The password was wrong: counts it, whatever the handler refuses with (c->keep). */
MUST_USE enum err login_guard_fail(struct call *c);
/* It was right: forgets what login_guard_check found, but for the address's own count. Comes after the account is locked, as
 * everywhere else. */
MUST_USE enum err login_guard_pass(struct call *c, bool failed);

#endif
