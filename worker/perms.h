/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Permissions and the roles that come ready. A set of permissions is written as words, "client.read:own appointment.read": the part
 * behind the colon is its reach (own, team or all), all when there is none. Pure. */
#ifndef GREMIO_PERMS_H
#define GREMIO_PERMS_H

#include "common/err.h"
#include "common/sbuf.h"
#include "worker/route.h"

#define PERMS_TEXT_MAX 1000 /* characters of a written set */

#define PERMS_GUEST "guest" /* the role of a client who came by a link; no member has it */

/* What a role that comes ready may do, or a guest; NULL for any other name. */
const struct perm_set *perms_ready(const char *role);
/* The ready role of members at index i: its code, its name for people, its set as words; NULL behind the last. */
const char *perms_ready_code(size_t i);
const char *perms_ready_name(size_t i, enum lang lang);
/* "client.read"; for OpenAPI and logs. "none" for PERM_NONE. */
const char *perms_name(enum perm p);
/* True for permissions that a role can be given at all: not "none", nor "self", which every member has, nor "guest". */
bool perms_grantable(enum perm p);
/* True when its reach may be own or team. */
bool perms_reaches(enum perm p);

/* Reads words (blanks between them, each permission once). E_INVALID with *bad the word that is none: it names no permission that can be given,
 * names it twice, or a reach it cannot have. "self" comes by itself. */
MUST_USE enum err perms_parse(struct slice text, struct perm_set *out, struct slice *bad);
/* Appends the words, in the order of enum perm. */
void perms_write(const struct perm_set *set, struct sbuf *out);
/* Whether set reaches at least as far as part everywhere: nobody gives more than they have. */
bool perms_cover(const struct perm_set *set, const struct perm_set *part);
/* Whether no permission of the set stops at own or team. */
bool perms_whole(const struct perm_set *set);

#endif
