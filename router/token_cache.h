/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Tokens already verified, by SHA-256 of their text: a hit costs one digest, a miss one ES256 verification. Bounded;
 * the least used gives way (CLOCK). A token leaves when it expires; a revoked session's is refused at every look. */
#ifndef GREMIO_TOKEN_CACHE_H
#define GREMIO_TOKEN_CACHE_H

#include "router/revoked.h"
#include "router/token.h"

struct token_cache;

struct token_cache_stats {
    uint64_t hits, misses, refused;
    size_t entries;
};

/* Room for capacity tokens, all memory taken now. revoked is borrowed. */
MUST_USE enum err token_cache_new(size_t capacity, const struct revoked *revoked,
                                  struct token_cache **out);
void token_cache_free(struct token_cache *c);
/* token_verify through the cache, and never OK for a revoked session. */
MUST_USE enum err token_cache_verify(struct token_cache *c, const struct token_rules *rules,
                                     struct slice token, struct principal *out);
/* Forgets everything: the keys changed. */
void token_cache_clear(struct token_cache *c);
struct token_cache_stats token_cache_stats(const struct token_cache *c);

#endif
