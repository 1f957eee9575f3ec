/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A role that comes ready is compared as it is, one that the practice made as its table has it now. */
#include "worker/api/role_grant.h"

#include "worker/perms.h"

const struct stmt role_grant_find = {
    "role",
    "SELECT permissions FROM role WHERE code = :asked_role AND kind = 'custom' FOR KEY SHARE",
};

/* E_NOT_FOUND: there is no such role. */
static enum err read_role(struct call *c, const char *role, struct perm_set *out)
{
    PGresult *rows;
    struct slice bad;
    const struct perm_set *ready = perms_ready(role);
    if (ready) {
        *out = *ready;
        return OK;
    }
    call_set(c, "asked_role", role);
    TRY(call_query(c, &role_grant_find, &rows));
    if (PQntuples(rows) == 0) {
        return E_NOT_FOUND;
    }
    return perms_parse(slice_of(call_cell(rows, 0, "permissions")), out, &bad);
}

enum err role_grant_give(struct call *c, const char *role)
{
    struct perm_set set;
    enum err e = read_role(c, role, &set);
    if (e == E_NOT_FOUND) {
        return call_refuse_field(c, "/role", "not_found", "No existe ese rol",
                                 "There is no such role");
    }
    TRY(e);
    return perms_cover(&c->perms, &set)
               ? OK
               : call_refuse(c, E_FORBIDDEN, "Ese rol puede más que el suyo: no puede darlo",
                             "That role may do more than yours: you cannot give it");
}

enum err role_grant_touch(struct call *c, const char *role)
{
    struct perm_set set;
    enum err e = read_role(c, role, &set);
    if (e == E_NOT_FOUND) {
        return OK; /* a role that is gone may nothing */
    }
    TRY(e);
    return perms_cover(&c->perms, &set)
               ? OK
               : call_refuse(c, E_FORBIDDEN, "Esa persona puede más que usted: no puede cambiarla",
                             "That person may do more than you: you cannot change them");
}
