/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The one place that says whose rows a caller with a narrow reach sees. Statements mark where it applies with ":scope(TABLE ALIAS)";
 * stmt.c compiles each such statement twice: for callers who reach all, where the mark is "true" and costs nothing, and for the others
 * with the condition written here. Pure. */
#ifndef GREMIO_SCOPE_H
#define GREMIO_SCOPE_H

#include "common/sbuf.h"

/* Does the statement have a mark? */
bool scope_marked(const char *sql);
/* Appends sql with every mark replaced; narrow: by the condition, in terms of :me_member and :reach_team. E_CONFIG with a sentence on a mark
 * that names no table with owners, or is not closed. */
MUST_USE enum err scope_expand(const char *sql, bool narrow, struct sbuf *out, struct sbuf *why);

#endif
