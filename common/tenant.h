/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The only place that makes schema, role and pool names. Everything comes from the opaque code in the
 * directory; nothing a client sends ever becomes a name. */
#ifndef GREMIO_TENANT_H
#define GREMIO_TENANT_H

#include "common/err.h"
#include "common/uuid.h"

#define TENANT_CODE_MAX 9  /* 8 characters and a NUL */
#define TENANT_NAME_MAX 16 /* "t_xxxxxxxx" and room */
#define TENANT_ROLE_MAX 35 /* "p_", 32 hexadecimal digits and a NUL */
#define TENANT_SLUG_MAX 41 /* 40 characters and a NUL */
#define TENANT_POOL_CAPACITY \
    1000 /* tenants of one pool login: PostgreSQL 15 role switches stay fast */
#define TENANT_POOLS_MAX 1000

enum tenant_state {
    TENANT_PROVISIONING,
    TENANT_ACTIVE,
    TENANT_READ_ONLY,
    TENANT_SUSPENDED,
    TENANT_MIGRATING,
    TENANT_CLOSING,
    TENANT_STATE_COUNT,
};

/* What the directory knows of a tenant; the same facts go with every request to a slot. */
struct tenant {
    struct uuid id;
    char code[TENANT_CODE_MAX]; /* 4 to 8 of [a-z0-9]; names the schema */
    char slug[TENANT_SLUG_MAX]; /* the practice's public name, may change */
    uint16_t pool;              /* 0 .. TENANT_POOLS_MAX - 1 */
    enum tenant_state state;
    uint32_t roles_version; /* changes with the roles that the practice made */
};

/* 4 to 8 of [a-z0-9]. */
bool tenant_code_valid(struct slice code);
/* 3 to 40 of [a-z0-9-], not starting or ending with '-', no "--"; not a reserved word (api, admin, www, public, ...). */
bool tenant_slug_valid(struct slice slug);
/* A fresh random code of 8 characters. */
void tenant_code_make(char out[TENANT_CODE_MAX]);
/* "t_" + code: the schema's name. E_BAD_REQUEST on an invalid code, out untouched. */
MUST_USE enum err tenant_schema(struct slice code, char out[TENANT_NAME_MAX]);
/* "p_" + the id's 32 digits: the role's name. It comes from the id and the schema's name from the code, so a code that
 * is another practice's leads to a schema in which the role has no rights. */
void tenant_role(const struct uuid *id, char out[TENANT_ROLE_MAX]);
/* "gremio_pool_NN": the login of a pool. */
MUST_USE enum err tenant_pool_login(unsigned pool, char out[24]);
/* Identifier in double quotes for SQL text built in provisioning: accepts only names made above and the fixed
 * gremio_* roles ([a-z_][a-z0-9_]*, at most 63). */
MUST_USE enum err tenant_quote(const char *name, char out[68]);
/* Names of states as the database has them ("active"). tenant_state_parse: E_BAD_REQUEST on anything else. */
const char *tenant_state_name(enum tenant_state s);
MUST_USE enum err tenant_state_parse(struct slice s, enum tenant_state *out);

#endif
