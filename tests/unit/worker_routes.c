/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The table of the product compiles; rows that cannot work are named and refused. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "worker/routes.h"

static const struct column columns[] = { { "id", T_UUID, "" }, { "version", T_INT, "" }, { 0 } };
static const struct param id_param[] = { { .name = "id", .in = IN_PATH, .type = T_UUID }, { 0 } };

static enum err handle(struct call *c)
{
    UNUSED(c);
    return OK;
}

/* A row that works; tests spoil one thing each. */
static struct route good(void)
{
    return (struct route){ .method = M_GET,
                           .path = "/x/{id}",
                           .summary = "Read x",
                           .need = PERM_SERVICE_READ,
                           .cost = COST_FAST,
                           .params = id_param,
                           .sql = "SELECT id, version FROM x WHERE id = :id",
                           .columns = columns,
                           .shape = SHAPE_ONE,
                           .success = 200 };
}

static enum err compile(struct route *rows, char **why_text)
{
    static struct routes out;
    const struct route *const tables[] = { rows, NULL };
    struct sbuf why;
    sbuf_init(&why);
    enum err e = routes_compile(tables, &out, &why);
    sbuf_char(&why, '\0');
    *why_text = strdup(why.data);
    routes_free(&out);
    sbuf_fini(&why);
    return e;
}

static void refused(struct route r, const char *part)
{
    struct route rows[2] = { r, { 0 } };
    char *why;
    cr_expect_eq(compile(rows, &why), E_CONFIG, "expected: %s", part);
    cr_expect(strstr(why, part) && strstr(why, "route ") && strstr(why, "x/{id}"), "%s: %s", part,
              why);
    free(why);
}

Test(routes, a_good_row)
{
    struct route rows[2] = { good(), { 0 } };
    char *why;
    cr_assert_eq(compile(rows, &why), OK, "%s", why);
    free(why);
}

Test(routes, a_second_permission)
{
    struct route r = good();
    struct route rows[2] = { { 0 }, { 0 } };
    char *why;
    r.also = PERM_BUSINESS_WRITE;
    rows[0] = r;
    cr_assert_eq(compile(rows, &why), OK, "%s", why);
    free(why);
    r.also = PERM_CLIENT_READ;
    refused(r, "second permission");
    r.also = PERM_COUNT;
    refused(r, "second permission");
}

Test(routes, reach)
{
    struct route r = good(), scoped;
    struct route rows[2] = { { 0 }, { 0 } };
    char *why;
    r.need = PERM_CLIENT_READ;
    refused(r, "no :scope()");
    r.unowned = true;
    rows[0] = r;
    cr_assert_eq(compile(rows, &why), OK, "%s", why);
    free(why);
    scoped = r;
    scoped.unowned = false;
    scoped.sql = "SELECT id, version FROM client WHERE id = :id AND :scope(client client)";
    rows[0] = scoped;
    cr_assert_eq(compile(rows, &why), OK, "%s", why);
    free(why);
    scoped.probe = "SELECT 1 FROM client WHERE id = :id";
    refused(scoped, "no :scope()");
    scoped.probe = NULL;
    scoped.need = PERM_SERVICE_READ;
    refused(scoped, "its permission has no reach");
    r = good();
    r.cost = COST_AUTH;
    refused(r, "auth slot");
}

Test(routes, the_product_table)
{
    static struct routes out;
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(routes_compile(route_tables, &out, &why), OK, "%s", why.data);
    cr_assert_gt(out.count, 15);
    for (size_t i = 0; i < out.count; i++) {
        const struct route_entry *e = &out.map.rows[i];
        cr_assert_eq(out.plans[i].index, i);
        cr_assert_eq(e->kind, routes_kind(out.plans[i].row->cost));
        cr_assert_eq(e->open, out.plans[i].row->open);
        cr_assert(e->max_body > 0 || !out.plans[i].params.has_body);
    }
    routes_free(&out);
    sbuf_fini(&why);
}

#define SPOIL(change, part)      \
    do {                         \
        struct route r = good(); \
        change;                  \
        refused(r, part);        \
    } while (0)

Test(routes, access)
{
    SPOIL(r.need = PERM_NONE, "needs a permission");
    SPOIL(r.open = true, "open and asks for a permission");
    SPOIL((r.open = true, r.need = PERM_NONE), "no practice");
    SPOIL(r.by_link = true, "comes by a link");
    SPOIL((r.open = r.by_link = true, r.need = PERM_NONE), "{token} or {slug}");
}

Test(routes, shape)
{
    SPOIL(r.summary = NULL, "no summary");
    SPOIL(r.cost = 0, "cost");
    SPOIL(r.shape = 0, "shape");
    SPOIL(r.columns = NULL, "no columns");
    SPOIL((r.shape = SHAPE_NONE, r.success = 204), "shows no rows");
    SPOIL(r.success = 204, "success status");
    SPOIL(r.success = 500, "success status");
    SPOIL(r.success = 303, "success status");
    SPOIL(r.page = true, "raw");
    SPOIL(r.form = true, "takes a form");
    SPOIL((r.method = M_POST, r.form = true), "no IN_BODY");
    SPOIL(r.back = "/x", "leads back");
}

Test(routes, work)
{
    SPOIL(r.sql = NULL, "either .sql or .handler");
    SPOIL(r.handler = handle, "either .sql or .handler");
    SPOIL((r.probe = "SELECT 1", r.sql = NULL, r.handler = handle), "probe but no sql");
    SPOIL(r.method = M_PATCH, "without If-Match");
    SPOIL((r.method = M_PATCH, r.if_match = true, r.any_version = true), "says that it does not");
    SPOIL(r.path = "x/{id}", "not absolute");
}

Test(routes, statements)
{
    SPOIL(r.sql = "SELECT * FROM x WHERE id = :id", "select *");
    SPOIL(r.sql = "SELECT id, version FROM x WHERE id = :other", ":other");
    SPOIL(r.sql = "SELECT id, version FROM x", "\"id\" is in no statement");
    SPOIL(r.probe = "SELECT :nobody", "\"probe\"");
}

Test(routes, columns)
{
    static const struct column no_version[] = { { "id", T_UUID, "" }, { 0 } };
    static const struct column no_id[] = { { "version", T_INT, "" }, { 0 } };
    SPOIL((r.columns = no_version, r.etag = true), "version");
    SPOIL((r.columns = no_id, r.location = "/x/{id}"), "location");
    SPOIL(r.location = "/x", "location");
}

Test(routes, twice)
{
    struct route rows[3] = { good(), good(), { 0 } };
    char *why;
    cr_assert_eq(compile(rows, &why), E_CONFIG);
    cr_assert_not_null(strstr(why, "declared twice"));
    free(why);
}

Test(routes, a_list_has_its_parameters_built_in)
{
    static const struct sort sorts[] = {
        { .name = "name", .key = "name", .type = "text" },
        { .name = "-name", .key = "name", .type = "text", .desc = true },
        { 0 },
    };
    static struct routes out;
    struct route rows[2] = { good(), { 0 } };
    rows[0].path = "/x";
    rows[0].params = NULL;
    rows[0].sql = "SELECT id, version, name FROM x";
    rows[0].shape = SHAPE_PAGE;
    rows[0].sorts = sorts;
    const struct route *const tables[] = { rows, NULL };
    struct sbuf why;
    sbuf_init(&why);
    cr_assert_eq(routes_compile(tables, &out, &why), OK, "%s", why.data);
    const struct route_plan *p = &out.plans[0];
    cr_assert(p->paged);
    cr_assert_eq(p->page_at, 0);
    cr_assert_eq(p->params.count, 3);
    cr_assert_str_eq(p->params.rows[0].name, "limit");
    cr_assert_eq(p->params.fallback[0].number, ROUTE_PAGE_DEFAULT);
    cr_assert_str_eq(p->params.rows[2].choices, "name -name");
    cr_assert_eq(p->sql_count, 4);
    cr_assert_not_null(strstr(p->sql[1].text, "WHERE (page.name, page.id) > ($1::text, $2)"));
    cr_assert_not_null(strstr(p->sql[2].text, "DESC"));
    routes_free(&out);
    sbuf_fini(&why);
}
