/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The one place where a token becomes what the database has of it. */
#include "worker/api/link.h"

#include "common/str.h"

void link_set_hash(struct call *c, const char *var, const struct link_token *t)
{
    uint8_t hash[LINK_TOKEN_HASH];
    char text[2 * LINK_TOKEN_HASH + 3] = "\\x";
    link_token_hash(t, hash);
    str_hex(hash, sizeof(hash), text + 2);
    call_set(c, var, text);
}
