/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A table of fixed size, one place for each hash: whoever comes later takes the place, and the other is read again. */
#include "worker/role_cache.h"

#include "common/log.h"
#include "common/str.h"
#include "worker/unit.h"

enum { PLACES = 1024 };

struct place {
    struct uuid tenant;
    uint32_t version; /* of the practice's roles when it was read */
    char role[ROLE_CODE_MAX];
    struct perm_set set;
};

static struct place places[PLACES];

static struct place *place_of(const struct frame_request *req)
{
    struct slice tenant = { (const char *)req->tenant.id.b, sizeof(req->tenant.id.b) };
    uint64_t hash = str_hash(tenant) ^ str_hash(slice_of(req->principal.role));
    return &places[hash % PLACES];
}

const struct perm_set *role_cache_find(const struct frame_request *req)
{
    static const struct perm_set nothing;
    const struct perm_set *ready = perms_ready(req->principal.role);
    if (ready) {
        return ready;
    }
    if (!req->has_tenant || req->principal.role[0] == '\0') {
        return &nothing;
    }
    const struct place *p = place_of(req);
    bool same = uuid_eq(&p->tenant, &req->tenant.id) && p->version == req->tenant.roles_version &&
                strcmp(p->role, req->principal.role) == 0;
    return same ? &p->set : NULL;
}

static char read_text[] = "SELECT permissions FROM role WHERE code = $1::text";
static const struct stmt_plan read_plan = {
    .id = STMT_ID_ROLE_READ, .name = "role", .text = read_text, .count = 1
};

static void remember(const struct frame_request *req, const PGresult *rows)
{
    struct place *p = place_of(req);
    struct slice bad;
    *p = (struct place){ .tenant = req->tenant.id, .version = req->tenant.roles_version };
    memcpy(p->role, req->principal.role, sizeof(p->role));
    if (PQntuples(rows) == 1 &&
        perms_parse(slice_of(PQgetvalue(rows, 0, 0)), &p->set, &bad) != OK) {
        p->set = (struct perm_set){ 0 };
        log_event(LOG_LEVEL_ERROR, "role_refused", "tenant", req->tenant.code, NULL);
    }
}

enum err role_cache_read(const struct call *c, struct db *db)
{
    static const struct route route = { .method = M_GET, .path = "role" };
    struct frame_request req = *c->req;
    struct call asking = { .req = &req, .route = &route, .env = c->env };
    struct unit unit;
    PGresult *rows;
    const char *values[] = { req.principal.role };
    req.method = M_GET;
    unit_init(&unit, db, &asking);
    enum err e = unit_ask(&unit, &read_plan, values, &rows);
    if (e == OK) {
        remember(&req, rows);
        e = unit_commit(&unit);
    } else {
        unit_rollback(&unit);
    }
    unit_end(&unit);
    db_settle(db);
    return e;
}

bool role_cache_is_member(const char *role)
{
    return strcmp(role, PERMS_GUEST) != 0 &&
           strncmp(role, ROLE_CACHE_KEY_PREFIX, strlen(ROLE_CACHE_KEY_PREFIX)) != 0;
}
