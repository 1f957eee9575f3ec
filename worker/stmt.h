/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Statements: ":name" placeholders compiled to $n once at boot, and the bounded cache of what one connection
 * has prepared for which tenant. Knows the words of SQL only as far as quotes and comments go. */
#ifndef GREMIO_STMT_H
#define GREMIO_STMT_H

#include <libpq-fe.h>

#include "worker/call_state.h"

/* Placeholders every statement may use. */
enum stmt_builtin {
    BUILTIN_NEW_ID,
    BUILTIN_ME_MEMBER,
    BUILTIN_ME_ACCOUNT,
    BUILTIN_ME_SESSION,
    BUILTIN_ME_ROLE,
    BUILTIN_TENANT_ID,
    BUILTIN_IF_VERSION,
    BUILTIN_REACH_ALL,  /* the caller's permission for this route reaches everything */
    BUILTIN_REACH_TEAM, /* it reaches the caller's team */
    BUILTIN_LIMIT_PLUS, /* lists: one more than the limit */
    BUILTIN_CURSOR_KEY,
    BUILTIN_CURSOR_ID,
    BUILTIN_COUNT,
};
/* Its name without the colon. */
const char *stmt_builtin_name(enum stmt_builtin b);

#define STMT_PARAMS_MAX 60

/* Ids of the framework's own statements; those of routes start at STMT_ID_ROUTES. */
enum stmt_id {
    STMT_ID_SWITCH,
    STMT_ID_SWITCH_GROUPED,
    STMT_ID_REPLAN,
    STMT_ID_BEGIN,
    STMT_ID_NEXT,
    STMT_ID_COMMIT,
    STMT_ID_KEY_TAKE,
    STMT_ID_KEY_READ,
    STMT_ID_KEY_READ_GUEST,
    STMT_ID_KEY_STORE,
    STMT_ID_KEY_PURGE,
    STMT_ID_MAIL_TAKE,
    STMT_ID_MAIL_NOTE,
    STMT_ID_MAIL_NEXT,
    STMT_ID_AGENDA_END,
    STMT_ID_AGENDA_COUNT,
    STMT_ID_AGENDA_AUTO,
    STMT_ID_AGENDA_NEXT,
    STMT_ID_ROLE_READ,
    STMT_ID_ROUTES,
};

enum stmt_source { FROM_PARAM, FROM_PRESENT, FROM_VAR, FROM_BUILTIN };

/* One statement ready to be prepared. */
struct stmt_plan {
    uint32_t id; /* of its text and types in this process: the cache's key with the tenant */
    const char *name;
    char *text; /* owned; with $1 .. $count */
    int count;
    Oid types[STMT_PARAMS_MAX];
    struct {
        enum stmt_source source;
        uint16_t index;
    } from[STMT_PARAMS_MAX];
    struct stmt_plan *
        narrow; /* owned: the same for callers who do not reach all; NULL when there is no difference */
};

/* The names a statement may use. Arrays end with a zeroed row; either may be NULL. */
struct stmt_scope {
    const struct param *params;
    const struct param *vars;
};

/* Compiles sql into *out (zeroed by the caller but for name). used, when not NULL, gets a bit per index of params that sql
 * mentions. E_CONFIG with a sentence on an unknown name, "select *", an open quote; *out holds nothing then. */
MUST_USE enum err stmt_compile(const char *sql, const struct stmt_scope *scope,
                               struct stmt_plan *out, uint64_t *used, struct sbuf *why);
void stmt_free(struct stmt_plan *p);
/* The form of p that the caller's reach asks for. */
const struct stmt_plan *stmt_for(const struct stmt_plan *p, const struct call *c);
/* values[i] for $i+1, borrowed from c; NULL is SQL null. */
void stmt_bind(const struct stmt_plan *p, const struct call *c,
               const char *values[STMT_PARAMS_MAX]);

/* What one connection has prepared. Names are never used twice on a connection, so a doubtful one can be forgotten. */
struct stmt_entry {
    uint64_t code;                    /* tenant code as a number; 0: no tenant */
    uint32_t id;                      /* stmt_plan.id */
    uint32_t serial;                  /* the name is "s" + serial; 0: entry unused */
    uint32_t next_hash, newer, older; /* links: index + 1, 0 for none */
};
struct stmt_cache {
    uint32_t max, count, serial, newest, oldest, free_list;
    uint32_t bucket_mask;
    uint32_t *buckets;
    struct stmt_entry *entries;
};
#define STMT_NAME_MAX 12

/* E_NOMEM leaves *c empty. max at least 1. */
MUST_USE enum err stmt_cache_init(struct stmt_cache *c, uint32_t max);
void stmt_cache_fini(struct stmt_cache *c);
/* Forgets all (the connection is new). */
void stmt_cache_clear(struct stmt_cache *c);
/* The serial prepared for this tenant and statement, made the newest; 0 when there is none. */
uint32_t stmt_cache_find(struct stmt_cache *c, uint64_t code, uint32_t id);
/* Adds what is not there; returns its serial. *evicted is the serial that had to go (DEALLOCATE it), 0 for none. */
uint32_t stmt_cache_add(struct stmt_cache *c, uint64_t code, uint32_t id, uint32_t *evicted);
/* Forgets the entry when it still has this serial: its Prepare failed or was skipped. */
void stmt_cache_drop(struct stmt_cache *c, uint64_t code, uint32_t id, uint32_t serial);
/* "s12". */
void stmt_name(uint32_t serial, char out[STMT_NAME_MAX]);
/* Up to 8 characters as one number. */
uint64_t stmt_code(const char *code);

#endif
