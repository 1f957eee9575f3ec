/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One-time codes by time: RFC 6238 over RFC 4226, with what every authenticator app takes: SHA-1, 6 digits, 30 seconds.
 * Pure: who may use a code once, and how often one may try, is not known here. */
#ifndef GREMIO_TOTP_H
#define GREMIO_TOTP_H

#include "common/err.h"

#define TOTP_SECRET_BYTES 20 /* RFC 4226 4, R6 */
#define TOTP_DIGITS       6
#define TOTP_PERIOD_S     30
#define TOTP_WINDOW \
    1 /* steps before and after the present one whose code is taken: clocks differ */
#define TOTP_CODE_MAX 10 /* of up to 9 digits, with its NUL */

/* The step that a second since 1970 belongs to. */
int64_t totp_step(int64_t wall_s);
/* The code of one step (the counter of RFC 4226), 1 to 9 digits. E_INTERNAL when OpenSSL fails. */
MUST_USE enum err totp_code(struct slice secret, int64_t step, unsigned digits,
                            char out[TOTP_CODE_MAX]);
/* The latest step of the window around wall_s that code is of, -1 when it is of none; every step is compared, in constant time. */
int64_t totp_find(struct slice secret, int64_t wall_s, struct slice code);

#endif
