/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The tenants and public keys in memory, as last read from the database. Pure: directory_sync.c fills it. A full load
 * is built aside and swapped whole, so nobody ever sees half a directory. */
#ifndef GREMIO_DIRECTORY_H
#define GREMIO_DIRECTORY_H

#include "common/tenant.h"
#include "router/token.h"

struct directory;

MUST_USE enum err directory_new(struct directory **out);
void directory_free(struct directory *d);

/* Borrowed until the next change; NULL when unknown. */
const struct tenant *directory_find(const struct directory *d, const struct uuid *id);
/* The same by the practice's public name, as it is now. */
const struct tenant *directory_find_slug(const struct directory *d, struct slice slug);
const struct token_keys *directory_keys(const struct directory *d);
size_t directory_count(const struct directory *d);
/* Pools that have at least one tenant. */
unsigned directory_pools(const struct directory *d);
/* False until the first full load was swapped in. */
bool directory_loaded(const struct directory *d);
/* Is it what the database has, but for notifications under way? Otherwise somebody unknown may only be new. */
bool directory_in_step(const struct directory *d);
void directory_set_in_step(struct directory *d, bool in_step);

/* A full load: begin, stage every row, then swap it in. begin again drops what was staged. */
void directory_begin(struct directory *d);
MUST_USE enum err directory_stage(struct directory *d, const struct tenant *t);
void directory_swap(struct directory *d);

/* One changed tenant in the table in use. */
MUST_USE enum err directory_put(struct directory *d, const struct tenant *t);
void directory_remove(struct directory *d, const struct uuid *id);
/* The whole set of keys; true when it differs from the one before. */
bool directory_set_keys(struct directory *d, const struct token_keys *keys);

#endif
