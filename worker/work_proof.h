/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Proof of work in a captcha's place: who asks for something as a stranger first finds a number that takes a second or so to find. Nothing is stored for
 * a challenge: it says what it asks for and until when, and an HMAC with the installation's key ties it to one practice, so any worker checks it. That one is
 * used once is the caller's. Pure. */
#ifndef GREMIO_WORK_PROOF_H
#define GREMIO_WORK_PROOF_H

#include "common/err.h"
#include "common/uuid.h"

#define WORK_PROOF_TEXT      112 /* room for a challenge and its NUL */
#define WORK_PROOF_NONCE_MAX 40  /* characters */
#define WORK_PROOF_BITS_MAX  30  /* each doubles the work: 18 are 260,000 digests */
#define WORK_PROOF_LIFE_S    300 /* a challenge's */

enum work_proof_fault {
    WORK_PROOF_GOOD,
    WORK_PROOF_FOREIGN, /* no challenge of this practice's */
    WORK_PROOF_STALE,
    WORK_PROOF_WRONG, /* the nonce is no solution */
};

/* "18.1790000000.RANDOM.MAC": SHA-256 of it with the nonce behind must begin with so many bits of zero. E_BAD_REQUEST on a key that is none. */
MUST_USE enum err work_proof_make(const char *key_hex, const struct uuid *practice, int bits,
                                  int64_t now_s, char out[WORK_PROOF_TEXT]);
/* The nonce: 1 to WORK_PROOF_NONCE_MAX letters, digits, '-' and '_'. */
enum work_proof_fault work_proof_check(const char *key_hex, const struct uuid *practice,
                                       struct slice challenge, struct slice nonce, int64_t now_s);

#endif
