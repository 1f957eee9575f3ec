/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Passwords of people: where they come from (file, standard input, random) and their argon2id hash. */
#ifndef GREMIO_ACCOUNT_H
#define GREMIO_ACCOUNT_H

#include <sodium.h>

#include "common/err.h"
#include "common/password_rules.h"
#include "common/sbuf.h"

#define ACCOUNT_PASSWORD_MAX (PASSWORD_RULES_MAX + 1) /* and a NUL */
#define ACCOUNT_HASH_MAX     crypto_pwhash_STRBYTES

/* A random one of 20 characters (99 bits), easy to read aloud: no 0 o 1 l i. */
void account_password_make(char out[ACCOUNT_PASSWORD_MAX]);
/* First line of file, "-" for standard input. E_INVALID with a sentence when it is unreadable or one
 * that account_password_check refuses. */
MUST_USE enum err account_password_read(const char *file, char out[ACCOUNT_PASSWORD_MAX],
                                        struct sbuf *why);
/* As every password must be (common/password_rules.h). E_INVALID with a sentence. */
MUST_USE enum err account_password_check(struct slice password, struct sbuf *why);
/* argon2id, one pass, 46 MiB (OWASP ASVS 5 appendix C), as a PHC string. E_NOMEM. Takes about 45 ms. */
MUST_USE enum err account_hash(const char *password, char out[ACCOUNT_HASH_MAX]);
/* Lower-cases an e-mail into out and checks its shape: one '@', a domain with a dot, at most 254 bytes. E_INVALID. */
#define ACCOUNT_EMAIL_MAX 255
MUST_USE enum err account_email(const char *text, char out[ACCOUNT_EMAIL_MAX]);

#endif
