/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Idempotency-Key: the same key gives the same answer, once. The key's row and the stored answer are written in the
 * transaction of the effect itself, so a crash leaves both or neither. Only successes are stored; a refusal rolls
 * everything back and may be tried again. A key belongs to who sends it: a member of the practice, or a guest's link;
 * strangers share theirs, which are to be random. */
#ifndef GREMIO_EXACT_H
#define GREMIO_EXACT_H

#include "worker/unit.h"

/* The header's key: bare or a quoted structured-field string, 1 to 255 visible ASCII characters. E_BAD_PARAM otherwise. */
MUST_USE enum err exact_key(struct slice header, struct slice *key);
/* Whether this request asks for it: unsafe, of a practice's member or by its public name, with the header. */
bool exact_wanted(const struct call *c);
/* Whether the header, where there is one, is a key. E_BAD_PARAM with the problem filled. */
MUST_USE enum err exact_check(struct call *c);

/* First statement of the unit. OK: the key is ours, go on (*replayed false), or c->reply is the stored answer (*replayed
 * true). E_IDEMPOTENCY_MISMATCH, E_IDEMPOTENCY_BUSY, or the database's error. */
MUST_USE enum err exact_begin(struct call *c, bool *replayed);
/* Last statement of the unit: stores c->reply, to be committed with it. */
MUST_USE enum err exact_store(struct call *c);

#endif
