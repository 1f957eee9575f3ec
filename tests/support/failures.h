/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Failed logins as the database counts them (public.login_failure), made older or newer than they are: no test waits for
 * them, and none has to be quicker than they are. They are those of all accounts: one test at a time. */
#ifndef GREMIO_TEST_FAILURES_H
#define GREMIO_TEST_FAILURES_H

#define FAILURES_AHEAD_S 60

/* Time passes: every failure is so much older ("16 minutes"). */
void failures_let_pass(const char *interval);
/* The latest failure of each is FAILURES_AHEAD_S from now: what has to wait a second has to wait a minute longer, which a busy
 * machine does not miss. failures_let_pass of as much undoes it. */
void failures_hold(void);

#endif
