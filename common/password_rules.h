/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Which passwords people may choose: by length, and not one that is guessed soon (NIST SP 800-63B 5.1.1.2: no rules about
 * kinds of characters, but a list of common ones). What is guessed soon is libzxcvbn's estimate: common passwords, names,
 * words, dates, keyboard runs and their usual disguises. Pure. */
#ifndef GREMIO_PASSWORD_RULES_H
#define GREMIO_PASSWORD_RULES_H

#include "common/err.h"

#define PASSWORD_RULES_MIN  10  /* characters */
#define PASSWORD_RULES_MAX  128 /* bytes */
#define PASSWORD_RULES_BITS 30  /* of guessing work; ten thousand common passwords have 13 */

struct password_flaw {
    const char
        *code; /* stable: "too_short", "too_long", "too_common", "bad_text"; NULL: there is none */
    const char *text[2]; /* by enum lang */
};

/* email (NULL: none) is the account's: its parts make no good password. */
struct password_flaw password_rules_check(struct slice password, const char *email);

#endif
