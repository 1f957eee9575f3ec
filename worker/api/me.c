/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Who the token speaks for, and what it may do. */
#include "worker/call.h"
#include "worker/perms.h"

static const struct column me_columns[] = {
    { "id", T_UUID, "Staff member" },
    { "name", T_TEXT, NULL },
    { "role", T_TEXT, NULL },
    { "email", T_TEXT, NULL },
    { "phone", T_TEXT, NULL },
    { "title", T_TEXT, NULL },
    { "business.name", T_TEXT, NULL },
    { "business.time_zone", T_TEXT, "IANA zone of the practice" },
    { "business.locale", T_TEXT, NULL },
    { "business.currency", T_TEXT, NULL },
    { 0 },
};

static const struct column me_permission_columns[] = {
    { "role", T_TEXT, "Code of the role" },
    { "permissions", T_TEXT,
      "Words: a permission, and behind a colon its reach (own, team) unless that is all" },
    { 0 },
};

static enum err me_permissions(struct call *c)
{
    struct sbuf words, body;
    sbuf_init(&words);
    sbuf_init(&body);
    perms_write(&c->perms, &words);
    sbuf_text(&body, "{\"role\":");
    sbuf_json(&body, slice_of(call_get(c, "me_role")->text));
    sbuf_text(&body, ",\"permissions\":");
    sbuf_json(&body, sbuf_slice(&words));
    sbuf_char(&body, '}');
    enum err e = sbuf_failed(&words) || sbuf_failed(&body)
                     ? E_NOMEM
                     : call_answer_raw(c, CONTENT_JSON, sbuf_slice(&body));
    sbuf_fini(&words);
    sbuf_fini(&body);
    return e;
}

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
    {
        .method = M_GET,
        .path = "/api/v1/me/permissions",
        .summary = "What I may do here",
        .need = PERM_SELF,
        .cost = COST_FAST,
        .columns = me_permission_columns,
        .handler = me_permissions,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    { 0 },
};
