/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Keys for integrations. A key is shown once and stored as a hash; POST /auth/token gives a short access token for it (RFC 6749 4.4 in JSON), so
 * that the router goes on verifying every request without a database. Its permissions are a role of its own: whoever ends the key takes the
 * role away, and what is left of its tokens may nothing. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/secret.h"
#include "common/str.h"
#include "worker/api/auth_grant.h"
#include "worker/perms.h"
#include "worker/role_cache.h"

#define KEYS_MAX   "50" /* in one practice, not revoked */
#define KEY_PREFIX "gmk_"
enum { SECRET_BYTES = 32, KEY_TEXT = 4 + 43 + 1, MS = 1000 };

#define KEY_OUT                                                                                  \
    "k.id, k.name, coalesce(r.permissions, '') AS permissions, k.created_by, k.created_at,"      \
    " k.expires_at, k.last_used_at, k.revoked_at, k.revoked_at IS NULL AND k.expires_at > now()" \
    " AND EXISTS (SELECT FROM staff s WHERE s.id = k.created_by AND s.archived_at IS NULL"       \
    " AND s.suspended_at IS NULL) AS good"

#define KEY_COLUMNS                                                                             \
    { "id", T_UUID, NULL }, { "name", T_TEXT, NULL },                                           \
        { "permissions", T_TEXT, "Words, each reaching everything; empty once it is revoked" }, \
        { "created_by", T_UUID, "Staff member" }, { "created_at", T_INSTANT, NULL },            \
        { "expires_at", T_INSTANT, NULL },                                                      \
        { "last_used_at", T_INSTANT, "When a token was last asked for, to the minute" },        \
        { "revoked_at", T_INSTANT, NULL },                                                      \
    {                                                                                           \
        "good", T_BOOL, "It gives tokens: not revoked, not expired, and its maker works here"   \
    }

static const struct column key_columns[] = { KEY_COLUMNS, { 0 } };
static const struct column key_made_columns[] = {
    KEY_COLUMNS, { "key", T_ADDED, "The key itself: shown this once" }, { 0 }
};

static const struct column key_token_columns[] = {
    { "access_token", T_TEXT, "Bearer token for every other request (JWT, ES256)" },
    { "token_type", T_TEXT, "Bearer" },
    { "expires_in", T_INT, "Seconds the access token lives; ask again then" },
    { 0 },
};

static const struct param key_create_params[] = {
    { .name = "name", .in = IN_BODY, .type = T_TEXT, .min = 1, .max = 60, .required = true },
    { .name = "permissions",
      .in = IN_BODY,
      .type = T_TEXT,
      .min = 1,
      .max = PERMS_TEXT_MAX,
      .required = true,
      .doc = "Words as in \"client.read appointment.read\"; at most what the caller may do" },
    { .name = "expires_in_days",
      .in = IN_BODY,
      .type = T_INT,
      .min = 1,
      .max = 1095,
      .fallback = "365" },
    { 0 },
};

static const struct param key_one_params[] = {
    { .name = "id", .in = IN_PATH, .type = T_UUID },
    { 0 },
};

static const struct param key_token_params[] = {
    { .name = "api_key", .in = IN_BODY, .type = T_TEXT, .max = 100, .required = true },
    { 0 },
};

static const struct param key_create_vars[] = {
    { .name = "role", .type = T_TEXT },
    { .name = "words", .type = T_TEXT },
    { .name = "hash", .type = T_TEXT },
    { 0 },
};

static const struct param key_end_vars[] = { { .name = "role", .type = T_TEXT }, { 0 } };

static const struct param key_token_vars[] = {
    { .name = "hash", .type = T_TEXT },
    { .name = "kid", .type = T_TEXT },
    { 0 },
};

/* ---- statements ---- */

static const struct stmt key_role = {
    "role",
    "INSERT INTO role(code, kind, name, permissions) SELECT :role, 'key', :name, :words"
    " WHERE (SELECT count(*) FROM role WHERE kind = 'key') < " KEYS_MAX " RETURNING code",
};

static const struct stmt key_make = {
    "make",
    "SELECT ext.api_key_make(:new_id, :name, :role, :hash::bytea, :me_member,"
    " now() + :expires_in_days * interval '1 day')",
};

static const struct stmt key_made = {
    "made",
    "SELECT " KEY_OUT " FROM ext.api_keys() k LEFT JOIN role r ON r.code = k.role"
    " WHERE k.id = :new_id",
};

static const struct stmt key_end = { "end", "SELECT ext.api_key_end(:id) AS role" };
static const struct stmt key_forget = { "forget", "DELETE FROM role WHERE code = :role" };
static const struct stmt key_tell = { "tell", "SELECT ext.roles_changed()" };

/* When it was last used is written once a minute. */
static const struct stmt key_find = {
    "find",
    "WITH k AS (SELECT k.* FROM public.api_key k WHERE k.secret_hash = :hash::bytea"
    " AND k.revoked_at IS NULL AND k.expires_at > now() AND EXISTS (SELECT"
    " FROM public.membership m WHERE m.tenant_id = k.tenant_id AND m.staff_id = k.created_by"
    " AND m.revoked_at IS NULL)),"
    " used AS (UPDATE public.api_key a SET last_used_at = now() FROM k WHERE a.id = k.id"
    " AND (a.last_used_at IS NULL OR a.last_used_at < now() - interval '1 minute'))"
    " SELECT k.id AS account_id, k.tenant_id, k.id AS staff_id, k.role, 0 AS epoch, t.state,"
    " ceil(extract(epoch FROM k.expires_at - now()))::bigint AS ttl_s, " AUTH_GRANT_KID
    " FROM k JOIN public.tenant t ON t.id = k.tenant_id",
};

static const struct stmt *const key_create_stmts[] = { &key_role, &key_make, &key_made, NULL };
static const struct stmt *const key_end_stmts[] = { &key_end, &key_forget, &key_tell, NULL };
static const struct stmt *const key_token_stmts[] = { &key_find, &auth_grant_secret_stmt, NULL };

/* ---- the key's text ---- */

/* Sets :hash and :role. */
static void make_key(struct call *c, char text[KEY_TEXT + 1])
{
    uint8_t secret[SECRET_BYTES];
    char role[ROLE_CODE_MAX] = ROLE_CACHE_KEY_PREFIX;
    memcpy(text, KEY_PREFIX, sizeof(KEY_PREFIX));
    randombytes_buf(secret, sizeof(secret));
    str_base64url(secret, sizeof(secret), text + strlen(KEY_PREFIX));
    call_set_digest(c, "hash", (struct slice){ (const char *)secret, sizeof(secret) });
    randombytes_buf(secret, sizeof(secret));
    str_hex(secret, (ROLE_CODE_MAX - 1 - strlen(role)) / 2, role + strlen(role));
    call_set(c, "role", role);
    sodium_memzero(secret, sizeof(secret));
}

/* Sets :hash; false: it is no key's text. */
static bool read_key(struct call *c)
{
    uint8_t secret[SECRET_BYTES];
    size_t n = 0, prefix = strlen(KEY_PREFIX);
    struct slice text = slice_of(call_get(c, "api_key")->text);
    if (!str_starts(text, SLICE(KEY_PREFIX))) {
        return false;
    }
    struct slice rest = { text.p + prefix, text.n - prefix };
    if (str_base64url_decode(rest, (char *)secret, sizeof(secret), &n) != OK ||
        n != sizeof(secret)) {
        return false;
    }
    call_set_digest(c, "hash", (struct slice){ (const char *)secret, sizeof(secret) });
    sodium_memzero(secret, sizeof(secret));
    return true;
}

/* ---- handlers ---- */

/* Sets :words. A key is nobody: "own" would be nothing. */
static enum err take_words(struct call *c)
{
    struct perm_set set;
    struct slice bad;
    struct sbuf words;
    if (perms_parse(slice_of(call_get(c, "permissions")->text), &set, &bad) != OK ||
        !perms_whole(&set)) {
        return call_refuse_field(c, "/permissions", "not_a_permission",
                                 "Hay una palabra que no es un permiso o que no alcanza todo",
                                 "A word is no permission or does not reach everything");
    }
    if (!perms_cover(&c->perms, &set)) {
        return call_refuse(c, E_FORBIDDEN, "No puede dar permisos que usted no tiene",
                           "You cannot give permissions that you do not have");
    }
    sbuf_init(&words);
    perms_write(&set, &words);
    const char *text = sbuf_failed(&words) ? NULL : arena_text(c->arena, sbuf_slice(&words));
    sbuf_fini(&words);
    call_set(c, "words", text);
    return text ? OK : E_NOMEM;
}

static enum err insert_key(struct call *c, const char *key)
{
    char member[KEY_TEXT + 16];
    PGresult *rows;
    TRY(call_query(c, &key_role, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_STATE_CONFLICT, "Ya hay " KEYS_MAX " llaves: revoque una antes",
                           "There are " KEYS_MAX " keys already: revoke one first");
    }
    TRY(call_post(c, &key_make));
    TRY(call_query(c, &key_made, &rows));
    TRY(call_answer(c, rows));
    int n = snprintf(member, sizeof(member), "\"key\":\"%s\"", key);
    enum err e = call_answer_once(c, (struct slice){ member, (size_t)n });
    sodium_memzero(member, sizeof(member));
    return e;
}

static enum err create(struct call *c)
{
    char key[KEY_TEXT + 1];
    TRY(take_words(c));
    make_key(c, key);
    enum err e = insert_key(c, key);
    sodium_memzero(key, sizeof(key));
    return e;
}

static enum err end(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &key_end, &rows));
    const char *role = call_cell(rows, 0, "role");
    if (!role) {
        return call_refuse(c, E_NOT_FOUND, NULL, NULL);
    }
    call_set(c, "role", role);
    TRY(call_post(c, &key_forget));
    TRY(call_post(c, &key_tell));
    return call_answer_none(c);
}

static enum err give_token(struct call *c)
{
    struct grant grant = { 0 }; /* it has proved nothing: what is dangerous stays closed */
    PGresult *rows = NULL;
    if (read_key(c)) {
        TRY(call_query(c, &key_find, &rows));
    }
    if (!rows || PQntuples(rows) == 0) {
        return call_refuse(c, E_BAD_CREDENTIALS, "La llave no existe, venció o fue revocada",
                           "The key does not exist, has expired or was revoked");
    }
    TRY(auth_grant_practice(c, call_cell(rows, 0, "state")));
    TRY(auth_grant_take(rows, &grant));
    grant.session = grant.account;
    grant.ttl_s = strtoll(call_cell(rows, 0, "ttl_s"), NULL, 10);
    grant.kid = call_cell(rows, 0, "kid");
    return auth_grant_answer_access(c, &grant);
}

const struct route api_key_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/api-keys",
        .summary =
            "List keys for integrations: those that are good, then the revoked ones, newest first",
        .need = PERM_KEY_WRITE,
        .cost = COST_FAST,
        .columns = key_columns,
        .sql = "SELECT " KEY_OUT " FROM ext.api_keys() k LEFT JOIN role r ON r.code = k.role"
               " ORDER BY k.revoked_at IS NOT NULL, k.created_at DESC, k.id",
        .shape = SHAPE_PAGE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/api-keys",
        .summary = "Make a key for an integration; it is shown once",
        .need = PERM_KEY_WRITE,
        .step_up = true,
        .cost = COST_FAST,
        .params = key_create_params,
        .vars = key_create_vars,
        .columns = key_made_columns,
        .stmts = key_create_stmts,
        .handler = create,
        .shape = SHAPE_ONE,
        .success = 201,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/api-keys/{id}",
        .summary = "Revoke a key: it and its tokens stop working at once",
        .need = PERM_KEY_WRITE,
        .cost = COST_FAST,
        .any_version = true,
        .params = key_one_params,
        .vars = key_end_vars,
        .stmts = key_end_stmts,
        .handler = end,
        .shape = SHAPE_NONE,
        .success = 204,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/token",
        .summary = "Get an access token for a key of an integration",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = key_token_params,
        .vars = key_token_vars,
        .columns = key_token_columns,
        .stmts = key_token_stmts,
        .handler = give_token,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    { 0 },
};
