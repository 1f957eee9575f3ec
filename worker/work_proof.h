/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Work in place of a captcha: who is nobody to us solves a small puzzle before they take time of a practice. A challenge is signed, for one practice and five
 * minutes, and kept nowhere; its proof is the challenge, a dot and a text so that SHA-256 of the whole begins with as many zero bits as the challenge says.
 * That it is used once is the practice's table to see to (work_proof). Pure but for random bytes. */
#ifndef GREMIO_WORK_PROOF_H
#define GREMIO_WORK_PROOF_H

#include "common/err.h"
#include "common/uuid.h"

#define WORK_PROOF_LIFE_S    300
#define WORK_PROOF_TEXT      80 /* of a challenge, with its NUL */
#define WORK_PROOF_NONCE_MAX 40 /* characters behind the dot, of [A-Za-z0-9_-] */

/* A new challenge of the practice. key: SECRET_KEY_TEXT's text. bits: 0 to 30. */
void work_proof_make(const char *key, const struct uuid *tenant, int bits, int64_t now_s,
                     char out[WORK_PROOF_TEXT]);
/* OK: it is one of ours, for that practice, not over, and solved. E_BAD_REQUEST: it is no proof; E_LINK_EXPIRED: it was one. *expires_s is when it is over. */
MUST_USE enum err work_proof_check(const char *key, const struct uuid *tenant, struct slice proof,
                                   int64_t now_s, int64_t *expires_s);
/* Solves a challenge, for tests: the proof in out. */
void work_proof_solve(const char *challenge, int bits,
                      char out[WORK_PROOF_TEXT + WORK_PROOF_NONCE_MAX]);

#endif
