/* SPDX-License-Identifier: LicenseRef-Gremio */
/* From results, or from a refusal, to the reply frame: status, validators, location, body. */
#ifndef GREMIO_ANSWER_H
#define GREMIO_ANSWER_H

#include "worker/routes.h"

/* Fills c->reply from rows by the route's shape (rows may be NULL for SHAPE_NONE). E_NOT_FOUND: SHAPE_ONE without a row.
 * E_INTERNAL: rows do not have the columns the route declares. Texts live in c->arena and c->body. */
MUST_USE enum err answer_rows(struct call *c, const PGresult *rows);
/* Fills c->reply with the problem document of c->problem (err must be set). */
void answer_problem(struct call *c);
/* Answers 304 and is true when the client has what c->reply.etag names (RFC 9110 13.1.2). */
MUST_USE bool answer_unchanged(struct call *c);
/* c->reply gets the body and its type, and the route's success status; where that is 303, the way on and no body. */
void answer_body(struct call *c, enum frame_content content, struct slice body);

#endif
