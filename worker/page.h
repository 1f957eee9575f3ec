/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Lists page by page: the row's SQL wrapped per order, the built-in parameters limit, cursor and sort, and the cursor's
 * text. A cursor is bound to its sort; it holds the last row's key and id, nothing a member may not see anyway. */
#ifndef GREMIO_PAGE_H
#define GREMIO_PAGE_H

#include "worker/call_state.h"

#define PAGE_SORTS_MAX 8

/* Built-in parameters of a route: limit, cursor and (more than one sort) sort; NULL when it is no page with sorts.
 * Static memory for the word list of sort, so one call per route and process. OpenAPI asks the compiled plan instead. */
const struct param *page_params(const struct route *r, struct sbuf *why);

/* The statement of the row's sql in order s, with or without a cursor; for s NULL the short list. Appended to out. */
MUST_USE enum err page_sql(const char *sql, const struct sort *s, bool with_cursor,
                           struct sbuf *out, struct sbuf *why);

/* What a request asks for: sets the built-in placeholders and *sort, *with_cursor. E_INVALID (field "cursor") on a cursor
 * that is broken or of another order. params are those of page_params, at this index of c->params. */
MUST_USE enum err page_ask(struct call *c, size_t params_at, size_t *sort, bool *with_cursor);

/* The cursor behind one row: base64url appended to out. id is the row's id as text. */
void page_cursor(const struct sort *s, const char *key, const char *id, struct sbuf *out);
/* The way back. E_BAD_REQUEST on anything page_cursor did not make for this sort. key and id live in arena. */
MUST_USE enum err page_decode(const struct sort *s, struct slice cursor, struct arena *arena,
                              const char **key, const char **id);

#endif
