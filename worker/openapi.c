/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One walk over the routes per section: paths, then the schemas their answers point to. What every route shares
 * (problems, headers, the bearer scheme) is fixed text below. */
#include "worker/openapi.h"

#include <ctype.h>
#include <sodium.h>

#include "common/str.h"
#include "worker/openapi_schema.h"
#include "worker/perms.h"

#define ETAG_BYTES 16

/* The first of the path's words: what the operation is filed under. */
static void tag_of(const struct route *r, char out[OPENAPI_NAME_MAX])
{
    char words[OPENAPI_NAME_MAX];
    openapi_schema_words(r->path, words);
    size_t n = strcspn(words, "_");
    memcpy(out, words, n);
    out[n] = '\0';
}

/* ---- requests ---- */

static void write_parameter(struct sbuf *b, const struct param *p)
{
    sbuf_text(b, "{\"name\":");
    sbuf_json(b, slice_of(p->name));
    sbuf_fmt(b, ",\"in\":\"%s\",\"required\":%s", p->in == IN_PATH ? "path" : "query",
             p->in == IN_PATH || p->required ? "true" : "false");
    if (p->doc) {
        openapi_schema_text(b, "description", p->doc);
    }
    sbuf_text(b, ",\"schema\":");
    openapi_schema_param(b, p);
    sbuf_char(b, '}');
}

static void write_header_refs(struct sbuf *b, const struct route *r)
{
    static const char ref[] = "%s{\"$ref\":\"#/components/parameters/%s\"}";
    const char *comma = b->data[b->len - 1] == '[' ? "" : ",";
    if (r->if_match) {
        sbuf_fmt(b, ref, comma, "IfMatch");
        comma = ",";
    }
    if (r->etag && r->method == M_GET) {
        sbuf_fmt(b, ref, comma, "IfNoneMatch");
        comma = ",";
    }
    if (r->method == M_POST && !r->open && r->cost != COST_AUTH) {
        sbuf_fmt(b, ref, comma, "IdempotencyKey");
    }
}

static void write_parameters(struct sbuf *b, const struct route_plan *plan)
{
    bool first = true;
    sbuf_text(b, ",\"parameters\":[");
    for (size_t i = 0; i < plan->params.count; i++) {
        if (plan->params.rows[i].in != IN_BODY) {
            sbuf_text(b, first ? "" : ",");
            write_parameter(b, &plan->params.rows[i]);
            first = false;
        }
    }
    if (!sbuf_failed(b)) {
        write_header_refs(b, plan->row);
    }
    sbuf_char(b, ']');
}

static void write_request_body(struct sbuf *b, const struct route_plan *plan)
{
    bool required = false;
    if (!plan->params.has_body) {
        return;
    }
    for (size_t i = 0; i < plan->params.count; i++) {
        required |= plan->params.rows[i].in == IN_BODY && plan->params.rows[i].required;
    }
    sbuf_fmt(b, ",\"requestBody\":{\"required\":%s,\"content\":{\"application/json\":{\"schema\":",
             required ? "true" : "false");
    openapi_schema_body(b, plan);
    sbuf_text(b, "}}}");
}

/* ---- answers ---- */

/* The name of an answer's schema: of the first route that has these columns. */
static const struct route_plan *schema_owner(const struct routes *all, const struct route *r)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->plans[i].row->columns == r->columns) {
            return &all->plans[i];
        }
    }
    return NULL;
}

/* Whether other's answer would have the name of owner's path, too. */
static bool shares_name(const struct routes *all, const struct route *other,
                        const struct route *owner, const char *name)
{
    char its[OPENAPI_NAME_MAX];
    if (!other->columns || strcmp(other->path, owner->path) == 0) {
        return other->columns != NULL;
    }
    openapi_schema_words(other->path, its);
    return strcmp(its, name) == 0 && schema_owner(all, other)->row == other;
}

/* Two answers of one name: the second one's says its method. */
static void schema_name(const struct routes *all, const struct route *r, char out[OPENAPI_NAME_MAX])
{
    const struct route *owner = schema_owner(all, r)->row;
    openapi_schema_words(owner->path, out);
    for (size_t i = 0; all->plans[i].row != owner; i++) {
        size_t n = strlen(out);
        if (shares_name(all, all->plans[i].row, owner, out)) {
            snprintf(out + n, OPENAPI_NAME_MAX - n, "_%s", method_name(owner->method));
            return;
        }
    }
}

static void write_answer_schema(struct sbuf *b, const struct routes *all, const struct route *r)
{
    char name[OPENAPI_NAME_MAX];
    if (!r->columns) {
        sbuf_text(b, "{\"type\":\"object\"}");
        return;
    }
    schema_name(all, r, name);
    if (r->shape == SHAPE_PAGE) {
        sbuf_fmt(b,
                 "{\"type\":\"object\",\"required\":[\"data\",\"next_cursor\"],\"properties\":{"
                 "\"data\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/%s\"}},"
                 "\"next_cursor\":{\"type\":[\"string\",\"null\"],"
                 "\"description\":\"null on the last page\"}}}",
                 name);
    } else {
        sbuf_fmt(b, "{\"$ref\":\"#/components/schemas/%s\"}", name);
    }
}

static void write_success(struct sbuf *b, const struct routes *all, const struct route *r)
{
    sbuf_fmt(b, "\"%d\":{\"description\":\"%s\"", r->success,
             r->success == 201   ? "Created"
             : r->success == 204 ? "Done"
                                 : "OK");
    if (r->etag || r->location) {
        sbuf_fmt(b, ",\"headers\":{%s%s%s}",
                 r->etag ? "\"ETag\":{\"$ref\":\"#/components/headers/ETag\"}" : "",
                 r->etag && r->location ? "," : "",
                 r->location ? "\"Location\":{\"$ref\":\"#/components/headers/Location\"}" : "");
    }
    if (r->shape != SHAPE_NONE) {
        sbuf_text(b, ",\"content\":{\"application/json\":{\"schema\":");
        write_answer_schema(b, all, r);
        sbuf_text(b, "}}");
    }
    sbuf_char(b, '}');
    if (r->etag && r->method == M_GET) {
        sbuf_text(b, ",\"304\":{\"description\":\"Not changed since the ETag of If-None-Match\"}");
    }
}

/* The refusals a route can give by what its row says; all the rest is "default". */
static void write_refusals(struct sbuf *b, const struct route_plan *plan)
{
    const struct route *r = plan->row;
    const bool in_path = strchr(r->path, '{') != NULL;
    const struct {
        bool applies;
        const char *status;
    } refusals[] = {
        { plan->params.reads_body, "400" },
        { !r->open || r->cost == COST_AUTH, "401" },
        { !r->open || r->cost == COST_AUTH, "403" },
        { in_path, "404" },
        { r->handler && !method_is_safe(r->method), "409" },
        { r->if_match, "412" },
        { plan->params.reads_body || plan->params.has_query, "422" },
        { r->if_match, "428" },
    };
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (refusals[i].applies) {
            sbuf_fmt(b, ",\"%s\":{\"$ref\":\"#/components/responses/Problem\"}",
                     refusals[i].status);
        }
    }
    sbuf_text(b, ",\"default\":{\"$ref\":\"#/components/responses/Problem\"}");
}

/* ---- operations ---- */

static void write_roles(struct sbuf *b, const struct route *r)
{
    if (r->open) {
        sbuf_text(b, ",\"security\":[]");
        return;
    }
    sbuf_fmt(b, ",\"description\":\"Needs `%s`", perms_name(r->need));
    if (r->also) {
        sbuf_fmt(b, " and `%s`", perms_name(r->also));
    }
    sbuf_char(b, ':');
    bool first = true;
    for (size_t i = 0; perms_ready_code(i); i++) {
        const struct perm_set *set = perms_ready(perms_ready_code(i));
        if (set->reach[r->need] != REACH_NONE && (!r->also || set->reach[r->also] != REACH_NONE)) {
            sbuf_fmt(b, "%s %s", first ? "" : ",", perms_ready_code(i));
            first = false;
        }
    }
    sbuf_text(b, r->step_up ? ". Dangerous: 403 step_up_required unless password or code was given"
                              " lately (POST /api/v1/auth/step-up).\""
                            : ".\"");
}

static void write_operation(struct sbuf *b, const struct routes *all, const struct route_plan *plan)
{
    const struct route *r = plan->row;
    char method[16] = "", words[OPENAPI_NAME_MAX], tag[OPENAPI_NAME_MAX];
    for (size_t i = 0; method_name(r->method)[i] && i < sizeof(method) - 1; i++) {
        method[i] = (char)tolower((unsigned char)method_name(r->method)[i]);
    }
    openapi_schema_words(r->path, words);
    tag_of(r, tag);
    sbuf_fmt(b, "\"%s\":{\"operationId\":\"%s_%s%s\",\"tags\":[\"%s\"]", method, method, words,
             strchr(r->path, '{') ? "_one" : "", tag);
    openapi_schema_text(b, "summary", r->summary);
    write_roles(b, r);
    write_parameters(b, plan);
    write_request_body(b, plan);
    sbuf_text(b, ",\"responses\":{");
    write_success(b, all, r);
    write_refusals(b, plan);
    sbuf_text(b, "}}");
}

static bool path_seen(const struct routes *all, size_t before, const char *path)
{
    for (size_t i = 0; i < before; i++) {
        if (!all->plans[i].row->page && strcmp(all->plans[i].row->path, path) == 0) {
            return true;
        }
    }
    return false;
}

static void write_paths(struct sbuf *b, const struct routes *all)
{
    bool first = true;
    for (size_t i = 0; i < all->count; i++) {
        const char *path = all->plans[i].row->path;
        if (all->plans[i].row->page || path_seen(all, i, path)) {
            continue; /* pages are for people */
        }
        sbuf_text(b, first ? "" : ",");
        openapi_schema_key(b, path);
        sbuf_char(b, '{');
        for (size_t j = i; j < all->count; j++) {
            if (!all->plans[j].row->page && strcmp(all->plans[j].row->path, path) == 0) {
                sbuf_text(b, j == i ? "" : ",");
                write_operation(b, all, &all->plans[j]);
            }
        }
        sbuf_char(b, '}');
        first = false;
    }
}

/* ---- schemas ---- */

static void write_schemas(struct sbuf *b, const struct routes *all)
{
    char name[OPENAPI_NAME_MAX];
    for (size_t i = 0; i < all->count; i++) {
        const struct route *r = all->plans[i].row;
        if (r->columns && schema_owner(all, r) == &all->plans[i]) {
            sbuf_char(b, ',');
            schema_name(all, r, name);
            openapi_schema_key(b, name);
            openapi_schema_columns(b, r->columns);
        }
    }
}

/* ---- what all share ---- */

static const char head[] =
    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Gremio API\",\"version\":\"" GREMIO_VERSION "\","
    "\"description\":\"Agenda, clients, services and staff of a practice. Log in with "
    "`POST /api/v1/auth/login` and send the access token as `Authorization: Bearer`. Errors are "
    "RFC 9457 problem documents with a stable `code`, in Spanish or English by `Accept-Language`. "
    "Times are RFC 3339; money is in minor units.\"},"
    "\"servers\":[{\"url\":\"/\"}],\"security\":[{\"bearer\":[]}],\"paths\":{";

static const char shared[] =
    "},\"components\":{"
    "\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":"
    "\"JWT\"}},"
    "\"parameters\":{"
    "\"IfMatch\":{\"name\":\"If-Match\",\"in\":\"header\",\"required\":true,"
    "\"description\":\"ETag of the version that was read: 412 when somebody changed it since, 428 "
    "when missing\",\"schema\":{\"type\":\"string\",\"examples\":[\"\\\"3\\\"\"]}},"
    "\"IfNoneMatch\":{\"name\":\"If-None-Match\",\"in\":\"header\",\"required\":false,"
    "\"description\":\"ETag already at hand: 304 while it is "
    "current\",\"schema\":{\"type\":\"string\"}},"
    "\"IdempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"required\":false,"
    "\"description\":\"The same key with the same request gives the same answer again and no "
    "second "
    "effect; with another request "
    "422\",\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}}},"
    "\"headers\":{"
    "\"ETag\":{\"description\":\"Version of the answer, for "
    "If-Match\",\"schema\":{\"type\":\"string\"}},"
    "\"Location\":{\"description\":\"Path of what was created\",\"schema\":{\"type\":\"string\"}}},"
    "\"responses\":{\"Problem\":{\"description\":\"Refused: see code\",\"content\":"
    "{\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/problem\"}}}}},"
    "\"schemas\":{"
    "\"problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"code\"],"
    "\"properties\":{"
    "\"type\":{\"type\":\"string\",\"examples\":[\"urn:gremio:problem:slot_taken\"]},"
    "\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":"
    "\"string\"},"
    "\"code\":{\"type\":\"string\",\"description\":\"Stable; what programs look at\",\"enum\":[";

static const char problem_rest[] =
    "]},\"request_id\":{\"type\":\"string\"},"
    "\"errors\":{\"type\":\"array\",\"description\":\"What to correct, field by field\",\"items\":"
    "{\"type\":\"object\",\"properties\":{\"pointer\":{\"type\":\"string\",\"description\":"
    "\"JSON pointer into the body, or a parameter's name\"},\"code\":{\"type\":\"string\"},"
    "\"detail\":{\"type\":\"string\"}}}},"
    "\"tenants\":{\"type\":\"array\",\"description\":\"With code tenant_choice: the practices to "
    "choose from\",\"items\":{\"type\":\"object\",\"properties\":{\"slug\":{\"type\":\"string\"},"
    "\"name\":{\"type\":\"string\"}}}}}}";

/* Those a client can see stand before E_AGAIN in the table. */
static void write_codes(struct sbuf *b)
{
    for (int e = OK + 1; e < E_AGAIN; e++) {
        sbuf_fmt(b, "%s\"%s\"", e == OK + 1 ? "" : ",", err_info((enum err)e)->code);
    }
}

void openapi_write(const struct routes *routes, struct sbuf *out)
{
    sbuf_text(out, head);
    write_paths(out, routes);
    sbuf_text(out, shared);
    write_codes(out);
    sbuf_text(out, problem_rest);
    write_schemas(out, routes);
    sbuf_text(out, "}}}");
}

/* Of the text alone, so that every slot and every release with the same rows says the same. */
static void make_etag(struct slice text, char out[ETAG_BYTES * 2 + 3])
{
    unsigned char hash[ETAG_BYTES];
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)text.p, text.n, NULL, 0);
    out[0] = '"';
    str_hex(hash, sizeof(hash), out + 1);
    out[ETAG_BYTES * 2 + 1] = '"';
}

struct slice openapi_text(const struct routes *routes, struct slice *etag)
{
    static struct sbuf document;
    static char tag[ETAG_BYTES * 2 + 3];
    if (document.len == 0 || sbuf_failed(&document)) {
        sbuf_fini(&document);
        sbuf_init(&document);
        openapi_write(routes, &document);
    }
    if (sbuf_failed(&document)) {
        return (struct slice){ 0 };
    }
    if (!tag[0]) {
        make_etag(sbuf_slice(&document), tag);
    }
    *etag = (struct slice){ .p = tag, .n = ETAG_BYTES * 2 + 2 };
    return sbuf_slice(&document);
}
