/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The boot checks: what can be known to be wrong with a row before the first request is found here. Columns against the
 * statement's real output need a database; unit.c checks the count on every answer and fails closed. */
#include "worker/routes.h"

#include <stdlib.h>

#include "worker/perms.h"
#include "worker/scope.h"

enum slot_kind routes_kind(enum cost cost)
{
    switch (cost) {
    case COST_FAST:
        return KIND_API;
    case COST_SLOW:
        return KIND_SLOW;
    case COST_AUTH:
        return KIND_AUTH;
    }
    return KIND_API;
}

const struct stmt_plan *routes_stmt(const struct route_plan *p, const struct stmt *s)
{
    for (size_t i = 0; i < p->stmt_count; i++) {
        if (p->row->stmts[i] == s) {
            return &p->stmts[i];
        }
    }
    return NULL;
}

static bool needs_version(const struct route *r)
{
    return r->method == M_PATCH || r->method == M_PUT || r->method == M_DELETE;
}

/* What is wrong with a row by itself; NULL when nothing is. */
static const char *access_fault(const struct route *r)
{
    if (r->open && r->need != PERM_NONE) {
        return "is open and asks for a permission";
    }
    if (r->also && (r->open || perms_reaches(r->also) || r->also >= PERM_COUNT)) {
        return "needs a second permission only besides .need, and one that has no reach";
    }
    if (!r->open && (r->need <= PERM_NONE || r->need >= PERM_COUNT)) {
        return "needs a permission (.need) or .open";
    }
    if (r->open && !r->by_link && r->cost != COST_AUTH && (r->sql || r->stmts)) {
        return "is open, so it has no practice to run statements in";
    }
    if (r->by_link && !r->open) {
        return "comes by a link, so it is open";
    }
    const char *name = strchr(r->path, '{');
    if (r->by_link &&
        (!name || (strncmp(name, "{token}", 7) != 0 && strncmp(name, "{slug}", 6) != 0))) {
        return "comes by a link, so the first name in its path is {token} or {slug}";
    }
    return NULL;
}

/* What is wrong with how it meets people. */
static const char *page_fault(const struct route *r)
{
    if (r->page && r->shape != SHAPE_RAW) {
        return "is a page, so its shape is raw";
    }
    if (r->form && method_is_safe(r->method)) {
        return "takes a form and changes nothing";
    }
    bool circle = r->back && method_is_safe(r->method) && strcmp(r->back, r->path) == 0;
    if (r->back && (!r->page || r->back[0] != '/' || circle)) {
        return "leads back and is no page, or to itself";
    }
    if (r->success == 303 && (!r->location || r->location[0] != '/')) {
        return "leads elsewhere and does not say where (.location)";
    }
    return NULL;
}

static const char *shape_fault(const struct route *r)
{
    bool rows = r->shape == SHAPE_ONE || r->shape == SHAPE_PAGE;
    if (!r->summary || !r->summary[0]) {
        return "has no summary";
    }
    if (r->cost < COST_FAST || r->cost > COST_AUTH) {
        return "has no cost class";
    }
    if (r->shape < SHAPE_NONE || r->shape > SHAPE_RAW) {
        return "has no shape";
    }
    if (rows != (r->columns != NULL) && r->shape != SHAPE_RAW) {
        return rows ? "shows rows and has no columns" : "has columns and shows no rows";
    }
    bool elsewhere = r->success == 303 && r->shape == SHAPE_RAW && !method_is_safe(r->method);
    bool success = r->success >= 200 && r->success <= 204;
    if (!elsewhere && (!success || (r->success == 204) != (r->shape == SHAPE_NONE))) {
        return "needs a success status: 204 without a body, 200 to 203 with one, 303 of a raw form";
    }
    return page_fault(r);
}

static const char *work_fault(const struct route *r)
{
    if (!r->sql == !r->handler) {
        return "needs either .sql or .handler";
    }
    if (r->sql && (r->stmts || r->shape == SHAPE_RAW)) {
        return "runs its .sql by itself: no stmts, no raw shape";
    }
    if (r->probe && !r->sql) {
        return "has a probe but no sql";
    }
    if (r->sorts && (r->shape != SHAPE_PAGE || !r->sql)) {
        return "has sorts but is no list made by .sql";
    }
    if (r->open && (r->step_up || r->enrolment)) {
        return "is open: nobody has proved anything there";
    }
    if (r->if_match && r->any_version) {
        return "asks for If-Match and says that it does not";
    }
    if (needs_version(r) && !r->if_match && !r->any_version) {
        return "changes something without If-Match: say .if_match or .any_version";
    }
    if (r->vars && !r->handler) {
        return "has vars but no handler to set them";
    }
    if (strlen(r->path) >= ROUTE_PATTERN_MAX || r->path[0] != '/') {
        return "has a path that is too long or not absolute";
    }
    return NULL;
}

/* Whether what the row runs says whose rows it is about: its own statements all of them, a handler's at least one. */
static bool is_scoped(const struct route *r)
{
    bool scoped = r->sql && scope_marked(r->sql) && (!r->probe || scope_marked(r->probe));
    for (size_t i = 0; r->stmts && r->stmts[i] && !scoped; i++) {
        scoped = scope_marked(r->stmts[i]->sql);
    }
    return scoped;
}

static const char *scope_fault(const struct route *r)
{
    if (r->need == PERM_GUEST || r->by_link) {
        return NULL; /* the link says what is theirs; statements shared with staff may have marks */
    }
    if (perms_reaches(r->need) && !r->unowned && !is_scoped(r)) {
        return "needs a permission with a reach, and its statements have no :scope()";
    }
    if (!perms_reaches(r->need) && is_scoped(r)) {
        return "has a :scope(), and its permission has no reach";
    }
    if (r->cost == COST_AUTH && r->need > PERM_SELF) {
        return "is an auth slot's, which knows no practice's roles: open or PERM_SELF";
    }
    return NULL;
}

static const char *row_fault(const struct route *r)
{
    const char *fault = access_fault(r);
    fault = fault ? fault : scope_fault(r);
    fault = fault ? fault : shape_fault(r);
    return fault ? fault : work_fault(r);
}

static enum err map_add(struct routes *out, const struct route *r, struct sbuf *why)
{
    struct route_map *map = &out->map;
    if (map->count == ROUTE_MAP_MAX) {
        sbuf_fmt(why, "there are more than %d routes", ROUTE_MAP_MAX);
        return E_CONFIG;
    }
    for (size_t i = 0; i < map->count; i++) {
        if (map->rows[i].method == r->method && strcmp(map->rows[i].pattern, r->path) == 0) {
            sbuf_text(why, "is declared twice");
            return E_CONFIG;
        }
    }
    struct route_entry *e = &map->rows[map->count++];
    bool body = method_has_body(r->method);
    for (const struct param *p = r->params; p && p->name; p++) {
        body |= p->in == IN_BODY;
    }
    e->method = r->method;
    e->kind = routes_kind(r->cost);
    e->open = r->open;
    e->by_link = r->by_link;
    e->form = r->form;
    e->page = r->page;
    e->max_body = r->max_body ? r->max_body : body ? ROUTES_BODY_DEFAULT : 0;
    memcpy(e->pattern, r->path, strlen(r->path) + 1);
    return OK;
}

static enum err compile_named(const char *sql, const char *name, const struct stmt_scope *scope,
                              struct stmt_plan *out, uint64_t *used, struct sbuf *why)
{
    out->name = name;
    struct sbuf reason;
    sbuf_init(&reason);
    enum err e = stmt_compile(sql, scope, out, used, &reason);
    if (e != OK) {
        sbuf_fmt(why, "statement \"%s\": %.*s", name, (int)reason.len, reason.data);
    }
    sbuf_fini(&reason);
    return e;
}

static enum err compile_page(struct route_plan *p, const struct stmt_scope *scope, uint64_t *used,
                             struct sbuf *why)
{
    size_t sorts = 0;
    while (p->row->sorts && p->row->sorts[sorts].name) {
        sorts++;
    }
    size_t count = sorts ? 2 * sorts : 1;
    if (sorts > PAGE_SORTS_MAX || !(p->sql = calloc(count, sizeof(*p->sql)))) {
        sbuf_fmt(why, "has more than %d sorts", PAGE_SORTS_MAX);
        return E_CONFIG;
    }
    p->sql_count = count;
    for (size_t i = 0; i < count; i++) {
        struct sbuf text;
        sbuf_init(&text);
        enum err e = page_sql(p->row->sql, sorts ? &p->row->sorts[i / 2] : NULL, i % 2 == 1, &text,
                              why);
        sbuf_char(&text, '\0');
        if (e == OK) {
            e = sbuf_failed(&text) ? E_NOMEM
                                   : compile_named(text.data, "sql", scope, &p->sql[i], used, why);
        }
        sbuf_fini(&text);
        TRY(e);
    }
    return OK;
}

static enum err compile_sql(struct route_plan *p, const struct stmt_scope *scope, uint64_t *used,
                            struct sbuf *why)
{
    const struct route *r = p->row;
    if (r->sql && r->shape == SHAPE_PAGE) {
        TRY(compile_page(p, scope, used, why));
    } else if (r->sql) {
        p->sql = calloc(1, sizeof(*p->sql));
        p->sql_count = p->sql != NULL;
        TRY(p->sql ? compile_named(r->sql, "sql", scope, p->sql, used, why) : E_NOMEM);
    }
    if (r->probe) {
        p->probe = calloc(1, sizeof(*p->probe));
        TRY(p->probe ? compile_named(r->probe, "probe", scope, p->probe, used, why) : E_NOMEM);
    }
    size_t n = 0;
    while (r->stmts && r->stmts[n]) {
        n++;
    }
    p->stmts = n ? calloc(n, sizeof(*p->stmts)) : NULL;
    for (; n && p->stmts && p->stmt_count < n; p->stmt_count++) {
        const struct stmt *s = r->stmts[p->stmt_count];
        TRY(compile_named(s->sql, s->name, scope, &p->stmts[p->stmt_count], used, why));
    }
    return n && !p->stmts ? E_NOMEM : OK;
}

/* A row's own statement is all that can use its parameters: one it does not mention is a mistake. */
static enum err check_used(const struct route_plan *p, uint64_t used, struct sbuf *why)
{
    for (size_t i = 0; p->row->sql && i < p->params.count; i++) {
        bool built_in = p->paged && i >= p->page_at;
        if (!built_in && !(used >> i & 1)) {
            sbuf_fmt(why, "parameter \"%s\" is in no statement", p->params.rows[i].name);
            return E_CONFIG;
        }
    }
    return OK;
}

static enum err compile_columns(struct route_plan *p, struct sbuf *why)
{
    const struct route *r = p->row;
    if (r->columns) {
        TRY(render_compile(r->columns, &p->render, why));
    }
    if (r->etag && p->render.version < 0 && r->columns && r->shape != SHAPE_RAW) {
        sbuf_text(why, "has an etag but no column \"version\"");
        return E_CONFIG;
    }
    if (r->location && r->success != 303 && (p->render.id < 0 || !strstr(r->location, "{id}"))) {
        sbuf_text(why, "has a location that needs {id} and a column \"id\"");
        return E_CONFIG;
    }
    return OK;
}

static unsigned builtins_of(const struct stmt_plan *list, size_t n)
{
    unsigned mask = 0;
    for (size_t i = 0; i < n; i++) {
        for (int j = 0; j < list[i].count; j++) {
            if (list[i].from[j].source == FROM_BUILTIN) {
                mask |= 1u << list[i].from[j].index;
            }
        }
        mask |= list[i].narrow ? builtins_of(list[i].narrow, 1) : 0;
    }
    return mask;
}

/* A handler may ask for any of them by name. */
static void collect_builtins(struct route_plan *p)
{
    p->builtins = builtins_of(p->sql, p->sql_count) | builtins_of(p->stmts, p->stmt_count) |
                  (p->probe ? builtins_of(p->probe, 1) : 0);
    if (p->row->handler) {
        p->builtins = (1u << BUILTIN_COUNT) - 1;
    }
}

static enum err compile_vars(struct route_plan *p, struct sbuf *why)
{
    const struct param *vars = p->row->vars;
    for (; vars && vars[p->var_count].name; p->var_count++) {
        for (size_t i = 0; i < p->params.count; i++) {
            if (strcmp(p->params.rows[i].name, vars[p->var_count].name) == 0) {
                sbuf_fmt(why, "var \"%s\" is a parameter as well", vars[p->var_count].name);
                return E_CONFIG;
            }
        }
        if (p->var_count == ROUTE_VARS_LIMIT) {
            sbuf_text(why, "has too many vars");
            return E_CONFIG;
        }
    }
    return OK;
}

static enum err compile_plan(struct route_plan *p, struct sbuf *why)
{
    const struct param *builtin = page_params(p->row, why);
    TRY(params_compile(p->row, builtin, &p->params, why));
    p->paged = builtin != NULL;
    if (p->paged) {
        p->page_at = p->params.count - (p->row->sorts[1].name ? 3 : 2);
    }
    TRY(compile_vars(p, why));
    TRY(compile_columns(p, why));
    const struct stmt_scope scope = { .params = p->params.rows, .vars = p->row->vars };
    uint64_t used = 0;
    TRY(compile_sql(p, &scope, &used, why));
    collect_builtins(p);
    return check_used(p, used, why);
}

static enum err compile_row(struct routes *out, const struct route *r, struct sbuf *why)
{
    struct sbuf reason;
    sbuf_init(&reason);
    const char *fault = row_fault(r);
    enum err e = fault ? E_CONFIG : map_add(out, r, &reason);
    if (fault) {
        sbuf_text(&reason, fault);
    }
    if (e == OK) {
        struct route_plan *p = &out->plans[out->count];
        p->row = r;
        p->index = (uint16_t)out->count++;
        p->kind = routes_kind(r->cost);
        p->by_slug = route_map_by_slug(&out->map.rows[out->map.count - 1]);
        e = compile_plan(p, &reason);
    }
    if (e != OK) {
        sbuf_fmt(why, "route %s %s: %.*s", method_name(r->method), r->path, (int)reason.len,
                 reason.data ? reason.data : "");
    }
    sbuf_fini(&reason);
    return e;
}

enum err routes_compile(const struct route *const *tables, struct routes *out, struct sbuf *why)
{
    size_t n = 0;
    for (const struct route *const *t = tables; *t; t++) {
        for (const struct route *r = *t; r->path; r++) {
            n++;
        }
    }
    out->count = 0;
    out->map.count = 0;
    out->plans = calloc(n ? n : 1, sizeof(*out->plans));
    if (!out->plans) {
        sbuf_text(why, "out of memory");
        return E_NOMEM;
    }
    for (const struct route *const *t = tables; *t; t++) {
        for (const struct route *r = *t; r->path; r++) {
            TRY(compile_row(out, r, why));
        }
    }
    route_map_index(&out->map);
    return OK;
}

static void free_stmts(struct stmt_plan *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++) {
        stmt_free(&list[i]);
    }
    free(list);
}

void routes_free(struct routes *r)
{
    for (size_t i = 0; r->plans && i < r->count; i++) {
        struct route_plan *p = &r->plans[i];
        free_stmts(p->sql, p->sql_count);
        free_stmts(p->probe, 1);
        free_stmts(p->stmts, p->stmt_count);
        render_free(&p->render);
        if (p->paged && p->row->sorts[1].name) {
            free((char *)p->params.rows[p->page_at + 2].choices);
        }
    }
    free(r->plans);
    r->plans = NULL;
    r->count = 0;
}
