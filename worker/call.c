/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What handlers call. A name the route does not declare is a mistake of the row, found by the first request of its
 * test: it ends the process rather than run a statement with the wrong value. */
#include "worker/call.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/secret.h"
#include "common/str.h"
#include "common/uuid.h"
#include "worker/answer.h"
#include "worker/unit.h"

static int find_name(const struct param *rows, const char *name)
{
    for (int i = 0; rows && rows[i].name; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

enum err call_retry(struct call *c)
{
    c->unit->retry = true;
    return E_AGAIN;
}

_Noreturn static void undeclared(const struct call *c, const char *name)
{
    log_event(LOG_LEVEL_ERROR, "undeclared_name", "route", c->route->path, "name", name, NULL);
    abort();
}

const struct value *call_get(const struct call *c, const char *name)
{
    int i = find_name(c->plan->params.rows, name);
    if (i >= 0) {
        return &c->params[i];
    }
    i = find_name(c->route->vars, name);
    if (i >= 0) {
        return &c->vars[i];
    }
    for (i = 0; i < BUILTIN_COUNT; i++) {
        if (strcmp(stmt_builtin_name((enum stmt_builtin)i), name) == 0) {
            return &c->builtins[i];
        }
    }
    undeclared(c, name);
}

void call_set(struct call *c, const char *name, const char *text)
{
    int i = find_name(c->route->vars, name);
    if (i < 0) {
        undeclared(c, name);
    }
    c->vars[i] = (struct value){ .present = true, .null = text == NULL };
    if (text) {
        c->vars[i].text = arena_text(c->arena, slice_of(text));
        c->vars[i].null = c->vars[i].text == NULL;
    }
    if (text && !c->vars[i].text) {
        c->unit->err = E_NOMEM; /* a value that got lost must not reach a statement as null */
    }
}

void call_set_int(struct call *c, const char *name, int64_t v)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)v);
    call_set(c, name, text);
    c->vars[find_name(c->route->vars, name)].number = v;
}

enum err call_renew_id(struct call *c)
{
    struct uuid id = uuid_v7();
    char text[UUID_TEXT];
    uuid_format(&id, text);
    struct value *v = &c->builtins[BUILTIN_NEW_ID];
    v->text = arena_text(c->arena, slice_of(text));
    return v->text ? OK : E_NOMEM;
}

void call_set_digest(struct call *c, const char *name, struct slice secret)
{
    uint8_t digest[32];
    char text[2 + 2 * sizeof(digest) + 1] = "\\x";
    secret_digest(secret, digest);
    str_hex(digest, sizeof(digest), text + 2);
    call_set(c, name, text);
}

void call_act_as_client(struct call *c, const char *id)
{
    c->builtins[BUILTIN_ME_MEMBER] = (struct value){ .present = true,
                                                     .text = arena_text(c->arena, slice_of(id)) };
    c->builtins[BUILTIN_ME_ROLE] = (struct value){ .present = true, .text = "guest" };
    if (!c->builtins[BUILTIN_ME_MEMBER].text) {
        c->unit->err = E_NOMEM;
    }
}

static const struct stmt_plan *plan_of(const struct call *c, const struct stmt *s)
{
    const struct stmt_plan *plan = routes_stmt(c->plan, s);
    if (!plan) {
        undeclared(c, s->name);
    }
    return stmt_for(plan, c);
}

static enum err note(struct call *c, enum err e)
{
    if (e != OK && c->problem.err == OK) {
        c->problem.err = e;
    }
    return e;
}

enum err call_query(struct call *c, const struct stmt *s, PGresult **rows)
{
    return note(c, unit_query(c->unit, plan_of(c, s), rows));
}

enum err call_post(struct call *c, const struct stmt *s)
{
    return note(c, unit_post(c->unit, plan_of(c, s)));
}

enum err call_post_unversioned(struct call *c, const struct stmt *s)
{
    struct value *v = &c->builtins[BUILTIN_IF_VERSION], kept = *v;
    *v = (struct value){ .null = true };
    enum err e = call_post(c, s);
    *v = kept;
    return e;
}

enum err call_refuse(struct call *c, enum err e, const char *detail_es, const char *detail_en)
{
    c->problem.err = e;
    c->problem.detail[LANG_ES] = detail_es;
    c->problem.detail[LANG_EN] = detail_en;
    return e;
}

enum err call_refuse_field(struct call *c, const char *pointer, const char *code, const char *es,
                           const char *en)
{
    problem_add(&c->problem, pointer, code, es, en);
    return c->problem.err;
}

enum err call_answer(struct call *c, const PGresult *rows)
{
    return note(c, answer_rows(c, rows));
}

enum err call_answer_once(struct call *c, struct slice members)
{
    c->kept = c->body->len - 1;
    c->body->len--; /* the brace that ends the object */
    sbuf_char(c->body, ',');
    sbuf_add(c->body, members);
    sbuf_char(c->body, '}');
    c->reply.no_store = true;
    c->reply.body = sbuf_slice(c->body);
    return note(c, sbuf_failed(c->body) ? E_NOMEM : OK);
}

enum err call_answer_none(struct call *c)
{
    return note(c, answer_rows(c, NULL));
}

enum err call_answer_raw(struct call *c, enum frame_content content, struct slice body)
{
    sbuf_reset(c->body, SIZE_MAX);
    sbuf_add(c->body, body);
    if (sbuf_failed(c->body)) {
        return note(c, E_NOMEM);
    }
    answer_body(c, content, sbuf_slice(c->body));
    return OK;
}

enum err call_answer_lasting(struct call *c, enum frame_content content, struct slice body,
                             struct slice etag)
{
    c->reply.etag = etag;
    if (!answer_unchanged(c)) {
        answer_body(c, content, body);
    }
    return OK;
}

enum err call_answer_digested(struct call *c, enum frame_content content, struct slice body)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char text[STR_BASE64_SIZE(sizeof(hash))], quoted[sizeof(text) + 2];
    crypto_hash_sha256(hash, (const unsigned char *)body.p, body.n);
    str_base64url(hash, sizeof(hash), text);
    int n = snprintf(quoted, sizeof(quoted), "\"%s\"", text);
    const char *etag = arena_text(c->arena, (struct slice){ quoted, (size_t)n });
    if (!etag) {
        return note(c, E_NOMEM);
    }
    c->reply.etag = slice_of(etag);
    return answer_unchanged(c) ? OK : call_answer_raw(c, content, body);
}

enum err call_answer_page(struct call *c, int status, struct slice style)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    size_t size = sodium_base64_ENCODED_LEN(sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
    char *text = arena_take(c->arena, size);
    if (!text || sbuf_failed(c->body)) {
        return note(c, E_NOMEM);
    }
    crypto_hash_sha256(hash, (const unsigned char *)style.p, style.n);
    sodium_bin2base64(text, size, hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
    answer_body(c, CONTENT_HTML, sbuf_slice(c->body));
    c->reply.status = (uint16_t)status;
    c->reply.style = slice_of(text);
    c->reply.lang = c->req->lang;
    return OK;
}

enum err call_set_cookie(struct call *c, struct slice token, int64_t age_s)
{
    const char *text = arena_text(c->arena, token);
    c->reply.sets_cookie = text != NULL;
    c->reply.cookie = slice_of(text);
    c->reply.cookie_age_s = (uint32_t)age_s;
    return text ? OK : note(c, E_NOMEM);
}

const char *call_cell(const PGresult *rows, int row, const char *column)
{
    int field = PQfnumber(rows, column);
    bool there = field >= 0 && row < PQntuples(rows) && !PQgetisnull(rows, row, field);
    return there ? PQgetvalue(rows, row, field) : NULL;
}

bool call_true(const PGresult *rows, int row, const char *column)
{
    const char *text = call_cell(rows, row, column);
    return text && text[0] == 't';
}
