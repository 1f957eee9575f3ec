/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a handler sees of one request: typed values in, statements to run as the tenant, an answer out.
 * The three locks, the transaction, idempotency and the commit are the frame around it (unit.c): a handler cannot
 * forget them. Everything lives in the request's arena. */
#ifndef GREMIO_CALL_H
#define GREMIO_CALL_H

#include <libpq-fe.h>

#include "worker/call_state.h"

/* The value of a declared parameter, a var or a built-in placeholder ("new_id", "me_member"); aborts on a name the
 * route does not declare (boot-time bug). */
const struct value *call_get(const struct call *c, const char *name);
void call_set(struct call *c, const char *name, const char *text);
void call_set_int(struct call *c, const char *name, int64_t v);
/* :new_id is another fresh id from now on: for a statement that runs again for the next row. */
MUST_USE enum err call_renew_id(struct call *c);
/* SHA-256 of what is known to whoever was given it, as bytea: "\\x..". */
void call_set_digest(struct call *c, const char *name, struct slice secret);

/* What follows is done by that client, as the history is told: on a route by slug, where nobody said who asks. */
void call_act_as_client(struct call *c, const char *id);

/* Runs one of route->stmts now. OK with *rows (PGRES_TUPLES_OK; freed with the request). On a database error
 * c->problem.err says what it means and the same error is returned: the handler returns it, the unit is rolled back. */
MUST_USE enum err call_query(struct call *c, const struct stmt *s, PGresult **rows);
/* Queues one of route->stmts without waiting: rows are ignored, an error shows at the next call_query or at commit. */
MUST_USE enum err call_post(struct call *c, const struct stmt *s);

/* The same while :if_version is null: of rows whose version the request does not name. */
MUST_USE enum err call_post_unversioned(struct call *c, const struct stmt *s);

/* Refuses: fills c->problem and returns e. Nothing of the unit is kept. */
enum err call_refuse(struct call *c, enum err e, const char *detail_es, const char *detail_en);
/* Refuses with E_INVALID and one field ("/starts_at"). */
enum err call_refuse_field(struct call *c, const char *pointer, const char *code, const char *es,
                           const char *en);

/* What the request found has changed under it: it runs again from the start, a few times. */
enum err call_retry(struct call *c);

/* Answers with the first row of rows through route->columns (SHAPE_ONE). */
MUST_USE enum err call_answer(struct call *c, const PGresult *rows);
/* Adds members ("\"url\":\"...\"") to the object that call_answer has written; the row's columns document them as T_ADDED. They are shown
 * once: a request that is sent again under its Idempotency-Key gets the object without them. */
MUST_USE enum err call_answer_once(struct call *c, struct slice members);
/* The same without a row to show (SHAPE_NONE). A handler that returns OK without any answer gives this one. */
MUST_USE enum err call_answer_none(struct call *c);
/* Answers SHAPE_RAW: body is copied. */
MUST_USE enum err call_answer_raw(struct call *c, enum frame_content content, struct slice body);
/* The same, and its ETag is a digest of it: 304 for who has that. */
MUST_USE enum err call_answer_digested(struct call *c, enum frame_content content,
                                       struct slice body);
/* The same with a body that outlives the call and is not copied; 304 for who has its etag (quotes included). */
MUST_USE enum err call_answer_lasting(struct call *c, enum frame_content content, struct slice body,
                                      struct slice etag);

/* Answers with the page in c->body, in the request's language; style is its one style element's text. */
MUST_USE enum err call_answer_page(struct call *c, int status, struct slice style);
/* The answer gives the browser a guest's session for so long, or takes it away (an empty token). */
MUST_USE enum err call_set_cookie(struct call *c, struct slice token, int64_t age_s);

/* Text of one cell of the first row, NULL when SQL null. */
const char *call_cell(const PGresult *rows, int row, const char *column);
/* Whether a cell says true; SQL null does not. */
bool call_true(const PGresult *rows, int row, const char *column);

#endif
