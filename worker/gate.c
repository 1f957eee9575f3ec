/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Order matters: what an outsider may learn comes first (does the route exist), what needs work comes last (the body). */
#include "worker/gate.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/link_token.h"
#include "common/str.h"
#include "worker/exact.h"
#include "worker/role_cache.h"
#include "worker/slot_env.h"

static enum err check_route(struct call *c, struct route_match *match)
{
    const struct routes *routes = c->env->routes;
    route_map_find(&routes->map, c->req->method, c->req->path, match);
    if (match->row < 0 && match->path_known) {
        char *allow = arena_take(c->arena, 64);
        if (allow) {
            method_list(match->allow, allow);
            c->reply.allow = slice_of(allow);
        }
        return E_METHOD;
    }
    if (match->row < 0) {
        return E_NOT_FOUND;
    }
    c->plan = &routes->plans[match->row];
    c->route = c->plan->row;
    return c->plan->kind == c->env->kind ? OK : E_UNAVAILABLE; /* sent to the wrong kind of slot */
}

static enum err check_state(const struct call *c)
{
    switch (c->req->tenant.state) {
    case TENANT_ACTIVE:
        return OK;
    case TENANT_READ_ONLY:
        return method_is_safe(c->req->method) ? OK : E_TENANT_READ_ONLY;
    case TENANT_SUSPENDED:
    case TENANT_CLOSING:
        return E_TENANT_SUSPENDED;
    case TENANT_PROVISIONING:
    case TENANT_MIGRATING:
    case TENANT_STATE_COUNT:
        break;
    }
    return E_TENANT_BUSY;
}

/* Auth slots are about accounts, whose members all have PERM_SELF and nothing else there; keys and clients have no account. */
static enum err check_perms(struct call *c)
{
    static const struct perm_set member = { .reach = { [PERM_SELF] = REACH_ALL } };
    const char *role = c->req->principal.role;
    const struct perm_set *set = c->plan->kind != KIND_AUTH   ? role_cache_find(c->req)
                                 : role_cache_is_member(role) ? &member
                                                              : NULL;
    c->perms = set ? *set : (struct perm_set){ 0 };
    c->reach = (enum reach)c->perms.reach[c->route->need];
    bool both = c->route->also == PERM_NONE || c->perms.reach[c->route->also] != REACH_NONE;
    return c->reach == REACH_NONE || !both ? E_FORBIDDEN : OK;
}

/* Whose public name it is the router knows. Comes behind the parameters: what is wrong with them is said whether there is such a practice or not, as it
 * is where there is one that does not let strangers in. */
static enum err check_slug(const struct call *c, const struct route_match *match)
{
    const struct frame_request *req = c->req;
    bool there = req->has_tenant && req->tenant.state == TENANT_ACTIVE &&
                 slice_eq(match->params[0], slice_of(req->tenant.slug)) &&
                 tenant_code_valid(slice_of(req->tenant.code));
    return there ? OK : E_NOT_FOUND;
}

/* Whose link it is only the practice can say: without one nothing runs in it, and the answer is that of a link nobody knows. In auth
 * slots ext.link_find looks, and says what a practice's state means, so that guesses are counted alike whether there is one or not. */
static enum err check_link(const struct call *c, const struct route_match *match)
{
    struct link_token token;
    if (link_token_parse(match->params[0], &token) != OK) {
        return E_LINK_EXPIRED;
    }
    struct uuid practice = link_token_tenant(&token);
    explicit_bzero(&token, sizeof(token));
    if (c->plan->kind == KIND_AUTH) {
        return OK;
    }
    if (!c->req->has_tenant || !uuid_eq(&practice, &c->req->tenant.id) ||
        !tenant_code_valid(slice_of(c->req->tenant.code))) {
        return E_LINK_EXPIRED;
    }
    return check_state(c);
}

/* The router verified the token; what it says must still fit the practice it named. */
static enum err check_access(struct call *c, const struct route_match *match)
{
    const struct frame_request *req = c->req;
    if (c->plan->by_slug) {
        c->reach =
            REACH_ALL; /* of what the row shows; whose practice it is is asked behind the parameters */
        return OK;
    }
    if (c->route->open) {
        return c->route->by_link ? check_link(c, match) : OK;
    }
    if (!req->principal.present) {
        return E_UNAUTHENTICATED;
    }
    if (c->plan->kind != KIND_AUTH) {
        if (!req->has_tenant || !uuid_eq(&req->principal.tenant, &req->tenant.id) ||
            !tenant_code_valid(slice_of(req->tenant.code))) {
            return E_UNAUTHENTICATED;
        }
        TRY(check_state(c));
    }
    if (req->principal.enrol && !c->route->enrolment) {
        return E_ENROLMENT;
    }
    return check_perms(c);
}

/* What is dangerous wants a recent proof: a session left open, or its stolen token, is not enough. */
static enum err check_proof(const struct call *c)
{
    if (!c->route->step_up) {
        return OK;
    }
    int64_t within_s = c->env->settings->step_up_within / 1000;
    int64_t age_s = clock_wall_s() - (int64_t)c->req->principal.proved_s;
    return age_s <= within_s ? OK : E_STEP_UP;
}

enum err gate_if_match(struct slice field, int64_t *version)
{
    struct slice tag = str_trim(field);
    if (tag.n == 0) {
        return E_PRECONDITION_REQUIRED;
    }
    *version = -1;
    if (tag.n > 2 && tag.p[0] == '"' && tag.p[tag.n - 1] == '"') {
        struct slice digits = { .p = tag.p + 1, .n = tag.n - 2 };
        if (str_int(digits, 0, INT32_MAX, version) != OK) {
            *version = -1;
        }
    }
    return OK;
}

static void set_uuid(struct call *c, enum stmt_builtin b, const struct uuid *id)
{
    struct value *v = &c->builtins[b];
    char *text = uuid_is_nil(id) ? NULL : arena_take(c->arena, UUID_TEXT);
    *v = (struct value){ .present = text != NULL, .null = text == NULL, .text = text };
    if (text) {
        uuid_format(id, text);
    }
}

static void set_version(struct call *c, int64_t version)
{
    char *text = arena_take(c->arena, 24);
    if (text) {
        snprintf(text, 24, "%lld", (long long)version);
        c->builtins[BUILTIN_IF_VERSION] = (struct value){ .present = true,
                                                          .text = text,
                                                          .number = version };
    }
}

static struct value truth(bool yes)
{
    return (struct value){ .present = true, .text = yes ? "t" : "f", .number = yes };
}

static void fill_builtins(struct call *c)
{
    unsigned want = c->plan->builtins;
    const struct principal *me = &c->req->principal;
    const struct {
        enum stmt_builtin b;
        const struct uuid *id;
    } ids[] = {
        { BUILTIN_ME_MEMBER, &me->member },
        { BUILTIN_ME_ACCOUNT, &me->account },
        { BUILTIN_ME_SESSION, &me->session },
        { BUILTIN_TENANT_ID, &c->req->tenant.id },
    };
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        if (want & 1u << ids[i].b) {
            set_uuid(c, ids[i].b, ids[i].id);
        }
    }
    if (want & 1u << BUILTIN_NEW_ID) {
        struct uuid id = uuid_v7();
        set_uuid(c, BUILTIN_NEW_ID, &id);
    }
    c->builtins[BUILTIN_REACH_ALL] = truth(c->reach == REACH_ALL);
    c->builtins[BUILTIN_REACH_TEAM] = truth(c->reach >= REACH_TEAM);
    if (me->present) {
        c->builtins[BUILTIN_ME_ROLE] = (struct value){ .present = true, .text = me->role };
    }
}

enum err gate_take_values(struct call *c)
{
    size_t n = c->plan->params.count, vars = c->plan->var_count;
    struct value *all = arena_take(c->arena, (n + vars + BUILTIN_COUNT) * sizeof(*all));
    if (!all) {
        return E_NOMEM;
    }
    c->params = all;
    c->vars = all + n;
    c->builtins = c->vars + vars;
    for (size_t i = 0; i < vars + BUILTIN_COUNT; i++) {
        c->vars[i].null = true;
    }
    fill_builtins(c);
    return OK;
}

static enum err check_precondition(struct call *c)
{
    int64_t version;
    if (!c->route->if_match) {
        return OK;
    }
    TRY(gate_if_match(c->req->if_match, &version));
    set_version(c, version);
    return c->builtins[BUILTIN_IF_VERSION].text ? OK : E_NOMEM;
}

static enum err run_checks(struct call *c, int64_t now_us)
{
    struct route_match match;
    TRY(check_route(c, &match));
    if (now_us > c->req->deadline_us) {
        return E_DEADLINE;
    }
    TRY(check_access(c, &match));
    TRY(check_proof(c));
    if (c->req->body.n > c->env->routes->map.rows[match.row].max_body) {
        return E_BODY_TOO_LARGE;
    }
    TRY(gate_take_values(c));
    TRY(params_read(&c->plan->params, c->req, &match, c->arena, c->params, &c->problem));
    if (c->plan->by_slug) {
        TRY(exact_check(c));
        TRY(check_slug(c, &match));
    }
    return check_precondition(c);
}

enum err gate_check(struct call *c, int64_t now_us)
{
    enum err e = run_checks(c, now_us);
    if (e != OK && c->problem.err == OK) {
        c->problem.err = e;
    }
    return e;
}
