/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Who the token speaks for. */
#include "worker/route.h"

static const struct column me_columns[] = {
    { "id", T_UUID, "Staff member" },
    { "name", T_TEXT, NULL },
    { "role", T_TEXT, "owner or staff" },
    { "email", T_TEXT, NULL },
    { "phone", T_TEXT, NULL },
    { "title", T_TEXT, NULL },
    { "business.name", T_TEXT, NULL },
    { "business.time_zone", T_TEXT, "IANA zone of the practice" },
    { "business.locale", T_TEXT, NULL },
    { "business.currency", T_TEXT, NULL },
    { 0 },
};

const struct route me_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/me",
        .summary = "Who I am and where I work",
        .need = PERM_SELF,
        .cost = COST_FAST,
        .columns = me_columns,
        .sql = "SELECT s.id, s.name, s.role, s.email, s.phone, s.title,"
               " b.name, b.time_zone, b.locale, b.currency"
               " FROM staff s, business b WHERE s.id = :me_member",
        .shape = SHAPE_ONE,
        .success = 200,
    },
    { 0 },
};
