/* SPDX-License-Identifier: LicenseRef-Gremio */
/* An account's second factor in the database: its secret, and codes that are each good once, by time or from the printed list.
 * Runs in auth slots, which alone hold the sealing key. Counts no failures: login_guard.h and proof.h do. */
#ifndef GREMIO_FACTOR_H
#define GREMIO_FACTOR_H

#include "common/totp.h"
#include "worker/call.h"

#define FACTOR_BACKUP_CODES 10
/* Wrong codes in a row after which only a backup code is taken: one chance in 3,000 for who guesses all of them. */
#define FACTOR_FAILURES  "100"
#define FACTOR_CODE_TEXT 12 /* "abcde-fghij" with its NUL */

/* The body's code, for .params; FACTOR_VARS and FACTOR_STMTS for .vars and .stmts. The account is the route's var "account". */
#define FACTOR_CODE_PARAM                                                         \
    .name = "code", .in = IN_BODY, .type = T_TEXT, .min = TOTP_DIGITS, .max = 20, \
    .doc = "6 digits of the authenticator, or one of the backup codes; each is good once"
#define FACTOR_VARS                         \
    { .name = "step", .type = T_INT },      \
    {                                       \
        .name = "code_hash", .type = T_TEXT \
    }
#define FACTOR_STMTS                                                                \
    &factor_find_stmt, &factor_take_stmt, &factor_spend_stmt, &factor_forgive_stmt, \
        &factor_miss_stmt
extern const struct stmt factor_find_stmt, factor_take_stmt, factor_spend_stmt, factor_forgive_stmt,
    factor_miss_stmt;

/* *rows gets the confirmed factor's row; none when the account has no second factor. */
MUST_USE enum err factor_find(struct call *c, PGresult **rows);
/* Uses the body's code up; *good is whether it was one and nobody had used it; if not, that is on record once
 * the caller has counted it (login_guard_fail). rows as factor_find gave them. The account's row is
 * locked before, as everywhere. */
MUST_USE enum err factor_use(struct call *c, const PGresult *rows, bool *good);

/* A fresh secret in *sealed ("\x..." for bytea, in the request's arena). */
MUST_USE enum err factor_make(struct call *c, uint8_t secret[TOTP_SECRET_BYTES],
                              const char **sealed);
/* What factor_make sealed. E_CONFIG when it was sealed for another account or with another key. */
MUST_USE enum err factor_open(const struct call *c, const char *sealed,
                              uint8_t secret[TOTP_SECRET_BYTES]);
/* A fresh backup code and its hash in hex. */
MUST_USE enum err factor_backup_code(const struct call *c, char code[FACTOR_CODE_TEXT],
                                     char hash_hex[65]);

#endif
