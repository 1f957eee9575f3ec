/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Logging in, staying in, logging out. Runs in auth slots as gremio_auth, on the shared tables only. A refresh
 * token is a counter of its session signed with the session's key: nothing is stored per token, and a token
 * used twice shows. */
#include <sodium.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/str.h"
#include "worker/auth_keys.h"
#include "worker/call.h"

enum { MS = 1000, AGENT_MAX = 200 };

/* What a pair of tokens is made from. */
struct grant {
    struct uuid account, tenant, member, session;
    const char *role, *epoch;
    const char *kid; /* the key that signs now */
    uint64_t counter;
    uint8_t key[AUTH_KEY_BYTES];
};

/* ---- rows ---- */

static const struct column auth_token_columns[] = {
    { "access_token", T_TEXT, "Bearer token for every other request (JWT, ES256)" },
    { "refresh_token", T_TEXT, "Good for one refresh; the answer holds the next one" },
    { "token_type", T_TEXT, "Bearer" },
    { "expires_in", T_INT, "Seconds the access token lives" },
    { 0 },
};

static const struct param auth_login_params[] = {
    { .name = "email", .in = IN_BODY, .type = T_EMAIL, .required = true },
    { .name = "password", .in = IN_BODY, .type = T_PASSWORD, .required = true },
    { .name = "tenant",
      .in = IN_BODY,
      .type = T_TEXT,
      .min = 3,
      .max = 40,
      .doc = "Slug of the practice; needed when the account belongs to several (409 names them)" },
    { 0 },
};

static const struct param auth_login_vars[] = {
    { .name = "account", .type = T_UUID },
    { .name = "practice", .type = T_UUID },
    { .name = "session", .type = T_UUID },
    { .name = "key", .type = T_TEXT },
    { .name = "idle_ms", .type = T_INT },
    { .name = "limit_ms", .type = T_INT },
    { .name = "user_agent", .type = T_TEXT },
    { .name = "peer", .type = T_TEXT },
    { .name = "hash", .type = T_TEXT },
    { .name = "kid", .type = T_TEXT },
    { 0 },
};

static const struct param auth_refresh_params[] = {
    { .name = "refresh_token", .in = IN_BODY, .type = T_TEXT, .max = 200, .required = true },
    { 0 },
};

static const struct param auth_refresh_vars[] = {
    { .name = "session", .type = T_UUID },
    { .name = "grace_ms", .type = T_INT },
    { .name = "idle_ms", .type = T_INT },
    { .name = "kid", .type = T_TEXT },
    { 0 },
};

#define ACTIVE_KEY "(SELECT k.kid FROM public.signing_key k WHERE k.state = 'active') AS kid"

/* No row: no such account. Without a practice its columns are null. */
static const struct stmt auth_account = {
    "account",
    "SELECT a.id AS account_id, a.password_hash, m.tenant_id, m.staff_id, m.role, m.epoch,"
    " m.slug, m.name, m.state FROM public.account a"
    " LEFT JOIN (SELECT n.account_id, n.tenant_id, n.staff_id, n.role, n.epoch, t.slug, t.name,"
    " t.state FROM public.membership n JOIN public.tenant t ON t.id = n.tenant_id"
    " WHERE n.revoked_at IS NULL AND t.state NOT IN ('provisioning', 'closing')"
    " AND (:tenant::text IS NULL OR t.slug = :tenant)) m ON m.account_id = a.id"
    " WHERE a.email = :email ORDER BY m.slug LIMIT 100",
};

static const struct stmt auth_rehash = {
    "rehash",
    "UPDATE public.account SET password_hash = :hash WHERE id = :account",
};

static const struct stmt auth_open = {
    "open",
    "INSERT INTO public.session(id, account_id, tenant_id, refresh_key, idle_deadline,"
    " hard_deadline, user_agent, peer)"
    " VALUES (:session, :account, :practice, :key::bytea,"
    " now() + least(:idle_ms, :limit_ms) * interval '1 millisecond',"
    " now() + :limit_ms * interval '1 millisecond', :user_agent, :peer)"
    " RETURNING " ACTIVE_KEY,
};

/* Asked once the session is there: role and membership may have changed while the password was checked. */
static const struct stmt auth_standing = {
    "standing",
    "SELECT m.account_id, m.tenant_id, m.staff_id, m.role, m.epoch FROM public.membership m"
    " WHERE m.account_id = :account AND m.tenant_id = :practice AND m.revoked_at IS NULL",
};

static const struct stmt auth_secret = {
    "secret",
    "SELECT private_sealed FROM public.signing_secret WHERE kid = :kid",
};

/* Two refreshes of one session wait for each other here. */
static const struct stmt auth_session = {
    "session",
    "SELECT s.account_id, s.tenant_id, s.refresh_key, s.refresh_counter,"
    " s.revoked_at IS NULL AND now() < s.idle_deadline AND now() < s.hard_deadline AS live,"
    " now() - s.refreshed_at <= :grace_ms * interval '1 millisecond' AS in_grace,"
    " m.staff_id, m.role, m.epoch, t.state, " ACTIVE_KEY " FROM public.session s"
    " JOIN public.tenant t ON t.id = s.tenant_id"
    " LEFT JOIN public.membership m ON m.account_id = s.account_id AND m.tenant_id = s.tenant_id"
    " AND m.revoked_at IS NULL"
    " WHERE s.id = :session FOR UPDATE OF s",
};

static const struct stmt auth_rotate = {
    "rotate",
    "UPDATE public.session SET refresh_counter = refresh_counter + 1, refreshed_at = now(),"
    " idle_deadline = least(now() + :idle_ms * interval '1 millisecond', hard_deadline)"
    " WHERE id = :session",
};

static const struct stmt auth_revoke = {
    "revoke",
    "UPDATE public.session SET revoked_at = now(), revoke_reason = 'reuse' WHERE id = :session",
};

static const struct stmt *const auth_login_stmts[] = {
    &auth_account, &auth_rehash, &auth_open, &auth_standing, &auth_secret, NULL,
};
static const struct stmt *const auth_refresh_stmts[] = { &auth_session, &auth_rotate, &auth_revoke,
                                                         &auth_secret, NULL };

/* ---- both ---- */

/* "\x00ff..." as bytea comes out; E_INTERNAL on anything else or over cap. */
static enum err read_bytes(const char *text, uint8_t *out, size_t cap, size_t *n)
{
    *n = text && strlen(text) >= 2 ? (strlen(text) - 2) / 2 : 0;
    if (*n == 0 || *n > cap || str_unhex(slice_of(text + 2), out, *n) != OK) {
        return E_INTERNAL;
    }
    return OK;
}

/* The signer of the key that is active now; a key that changed since the last token is fetched. */
static enum err auth_signer(struct call *c, const char *kid, const struct token_signer **out)
{
    if (!kid) {
        log_seldom(LOG_LEVEL_ERROR, "no_active_signing_key", "run gremioctl init");
        return call_refuse(c, E_UNAVAILABLE, NULL, NULL);
    }
    *out = auth_keys_signer(kid);
    if (*out) {
        return OK;
    }
    PGresult *rows;
    uint8_t sealed[4096];
    size_t n;
    call_set(c, "kid", kid);
    TRY(call_query(c, &auth_secret, &rows));
    TRY(read_bytes(call_cell(rows, 0, "private_sealed"), sealed, sizeof(sealed), &n));
    return auth_keys_load(c->env, kid, (struct slice){ (const char *)sealed, n }, out);
}

/* The four members, into one raw answer. */
static enum err auth_answer(struct call *c, const struct grant *g)
{
    const struct worker_settings *s = c->env->settings;
    const struct token_signer *signer;
    TRY(auth_signer(c, g->kid, &signer));
    const struct token_claims claims = {
        .issuer = s->issuer,
        .audience = s->audience,
        .account = g->account,
        .tenant = g->tenant,
        .member = g->member,
        .session = g->session,
        .role = g->role,
        .epoch = strtoll(g->epoch, NULL, 10),
        .issued_s = clock_wall_s(),
        .ttl_s = s->access_ttl / MS,
    };
    char refresh[REFRESH_TEXT_MAX];
    auth_keys_refresh(&g->session, g->counter, g->key, refresh);
    struct sbuf body;
    sbuf_init(&body);
    sbuf_text(&body, "{\"access_token\":\"");
    enum err e = token_sign_make(signer, &claims, &body);
    if (e == OK) {
        sbuf_fmt(&body,
                 "\",\"refresh_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%lld}",
                 refresh, (long long)claims.ttl_s);
        c->reply.no_store = true;
        e = sbuf_failed(&body) ? E_NOMEM : call_answer_raw(c, CONTENT_JSON, sbuf_slice(&body));
    }
    sbuf_fini(&body);
    return e;
}

/* Whether a practice in this state lets its people in. */
static enum err check_practice(struct call *c, const char *state_name)
{
    enum tenant_state state;
    TRY(tenant_state_parse(slice_of(state_name), &state));
    switch (state) {
    case TENANT_ACTIVE:
    case TENANT_READ_ONLY:
    case TENANT_MIGRATING: /* the next request will say so */
        return OK;
    case TENANT_SUSPENDED:
    case TENANT_CLOSING:
        return call_refuse(c, E_TENANT_SUSPENDED, NULL, NULL);
    case TENANT_PROVISIONING:
    case TENANT_STATE_COUNT:
        break;
    }
    return call_refuse(c, E_UNAVAILABLE, NULL, NULL);
}

/* Who and where: row of a statement that has account_id, tenant_id, staff_id, role and epoch. */
static enum err take_grant(const PGresult *rows, struct grant *out)
{
    if (uuid_parse(slice_of(call_cell(rows, 0, "account_id")), &out->account) != OK ||
        uuid_parse(slice_of(call_cell(rows, 0, "tenant_id")), &out->tenant) != OK ||
        uuid_parse(slice_of(call_cell(rows, 0, "staff_id")), &out->member) != OK) {
        return E_INTERNAL;
    }
    out->role = call_cell(rows, 0, "role");
    out->epoch = call_cell(rows, 0, "epoch");
    return OK;
}

/* ---- login ---- */

/* The same work whether the account exists or not; a hash of an older cost is replaced while the password is here. */
static enum err check_password(struct call *c, const PGresult *rows)
{
    const struct password_policy *policy;
    struct slice text = slice_of(call_get(c, "password")->text);
    const char *hash = call_cell(rows, 0, "password_hash");
    enum err e = auth_keys_password(c->env, &policy);
    if (e == OK) {
        e = password_check(policy, hash, text);
    }
    if (e == OK && password_is_stale(policy, hash)) {
        char fresh[PASSWORD_HASH_MAX];
        e = password_hash(policy, text, fresh);
        if (e == OK) {
            call_set(c, "account", call_cell(rows, 0, "account_id"));
            call_set(c, "hash", fresh);
            e = call_post(c, &auth_rehash);
        }
    }
    return e == OK ? OK : call_refuse(c, e == E_NOMEM ? E_OVERLOADED : e, NULL, NULL);
}

/* 409 with the practices to choose from. */
static enum err refuse_choice(struct call *c, const PGresult *rows)
{
    struct sbuf list;
    sbuf_init(&list);
    sbuf_text(&list, "\"tenants\":[");
    for (int i = 0; i < PQntuples(rows); i++) {
        sbuf_text(&list, i ? ",{\"slug\":" : "{\"slug\":");
        sbuf_json(&list, slice_of(call_cell(rows, i, "slug")));
        sbuf_text(&list, ",\"name\":");
        sbuf_json(&list, slice_of(call_cell(rows, i, "name")));
        sbuf_char(&list, '}');
    }
    sbuf_char(&list, ']');
    c->problem.extra = slice_of(arena_text(c->arena, sbuf_slice(&list)));
    sbuf_fini(&list);
    return call_refuse(c, E_TENANT_CHOICE, NULL, NULL);
}

static enum err refuse_stranger(struct call *c)
{
    return call_refuse(c, E_FORBIDDEN, "La cuenta no pertenece a esa práctica o a ninguna",
                       "The account does not belong to that practice, or to any");
}

static enum err choose_practice(struct call *c, const PGresult *rows)
{
    if (!call_cell(rows, 0, "tenant_id")) {
        return refuse_stranger(c);
    }
    if (PQntuples(rows) > 1) {
        return refuse_choice(c, rows);
    }
    return check_practice(c, call_cell(rows, 0, "state"));
}

/* What the client calls itself, as far as it is text: at most AGENT_MAX bytes. */
static void set_user_agent(struct call *c)
{
    struct slice agent = c->req->user_agent;
    agent.n = size_min(agent.n, AGENT_MAX);
    while (agent.n > 0 && !str_utf8_valid(agent)) {
        agent.n--;
    }
    call_set(c, "user_agent", agent.n ? arena_text(c->arena, agent) : NULL);
}

/* A new session; g gets its id, key and the name of the signing key. */
static enum err open_session(struct call *c, struct grant *g)
{
    const struct worker_settings *s = c->env->settings;
    char id[UUID_TEXT], tenant[UUID_TEXT], account[UUID_TEXT], key[2 * AUTH_KEY_BYTES + 3] = "\\x";
    g->session = uuid_v7();
    randombytes_buf(g->key, sizeof(g->key));
    str_hex(g->key, sizeof(g->key), key + 2);
    uuid_format(&g->session, id);
    uuid_format(&g->tenant, tenant);
    uuid_format(&g->account, account);
    call_set(c, "session", id);
    call_set(c, "account", account);
    call_set(c, "practice", tenant);
    call_set(c, "key", key);
    call_set_int(c, "idle_ms", s->session_idle);
    call_set_int(c, "limit_ms", s->session_limit);
    call_set(c, "peer", arena_text(c->arena, c->req->peer));
    set_user_agent(c);
    PGresult *rows;
    TRY(call_query(c, &auth_open, &rows));
    g->kid = call_cell(rows, 0, "kid");
    return OK;
}

static enum err auth_login(struct call *c)
{
    PGresult *rows;
    struct grant grant = { .counter = 0 };
    TRY(call_query(c, &auth_account, &rows));
    TRY(check_password(c, rows));
    TRY(choose_practice(c, rows));
    TRY(take_grant(rows, &grant));
    TRY(open_session(c, &grant));
    TRY(call_query(c, &auth_standing, &rows));
    if (PQntuples(rows) == 0) {
        return refuse_stranger(c);
    }
    TRY(take_grant(rows, &grant));
    return auth_answer(c, &grant);
}

/* ---- refresh ---- */

static enum err refuse_refresh(struct call *c)
{
    return call_refuse(c, E_UNAUTHENTICATED, "La sesión terminó; inicie sesión de nuevo",
                       "The session is over; log in again");
}

/* Somebody used a token again after its successor was handed out: whoever holds either one is out. */
static enum err revoke_reused(struct call *c)
{
    TRY(call_post(c, &auth_revoke));
    c->keep = true;
    log_event(LOG_LEVEL_WARN, "refresh_reuse", "session", call_get(c, "session")->text, NULL);
    return refuse_refresh(c);
}

/* Sets the counter of the next token. One step behind and just now is a racing tab or a lost answer: it gets the token
 * that is current. */
static enum err rotate(struct call *c, const PGresult *rows, uint64_t asked, uint64_t *next)
{
    uint64_t current = strtoull(call_cell(rows, 0, "refresh_counter"), NULL, 10);
    bool in_grace = call_cell(rows, 0, "in_grace")[0] == 't';
    *next = current;
    if (asked == current) {
        *next = current + 1;
        return call_post(c, &auth_rotate);
    }
    if (asked < current && current - asked == 1 && in_grace) {
        return OK;
    }
    return asked < current ? revoke_reused(c) : refuse_refresh(c);
}

static enum err auth_refresh(struct call *c)
{
    struct refresh_claim claim;
    char id[UUID_TEXT];
    PGresult *rows;
    struct grant grant;
    size_t n;
    if (auth_keys_read(slice_of(call_get(c, "refresh_token")->text), &claim) != OK) {
        return refuse_refresh(c);
    }
    uuid_format(&claim.session, id);
    call_set(c, "session", id);
    call_set_int(c, "grace_ms", c->env->settings->refresh_grace);
    call_set_int(c, "idle_ms", c->env->settings->session_idle);
    TRY(call_query(c, &auth_session, &rows));
    if (PQntuples(rows) == 0) {
        return refuse_refresh(c);
    }
    TRY(read_bytes(call_cell(rows, 0, "refresh_key"), grant.key, sizeof(grant.key), &n));
    if (n != sizeof(grant.key) || !auth_keys_proves(&claim, grant.key) ||
        call_cell(rows, 0, "live")[0] != 't' || !call_cell(rows, 0, "staff_id")) {
        return refuse_refresh(c);
    }
    TRY(check_practice(c, call_cell(rows, 0, "state")));
    TRY(rotate(c, rows, claim.counter, &grant.counter));
    TRY(take_grant(rows, &grant));
    grant.session = claim.session;
    grant.kid = call_cell(rows, 0, "kid");
    return auth_answer(c, &grant);
}

const struct route auth_routes[] = {
    {
        .method = M_POST,
        .path = "/api/v1/auth/login",
        .summary = "Log in with e-mail and password",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = auth_login_params,
        .vars = auth_login_vars,
        .columns = auth_token_columns,
        .stmts = auth_login_stmts,
        .handler = auth_login,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/refresh",
        .summary = "Exchange a refresh token for new tokens",
        .open = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = auth_refresh_params,
        .vars = auth_refresh_vars,
        .columns = auth_token_columns,
        .stmts = auth_refresh_stmts,
        .handler = auth_refresh,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/logout",
        .summary = "End this session; its tokens stop working",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .sql = "UPDATE public.session SET revoked_at = coalesce(revoked_at, now()),"
               " revoke_reason = coalesce(revoke_reason, 'logout')"
               " WHERE id = :me_session RETURNING id",
        .shape = SHAPE_NONE,
        .success = 204,
    },
    { 0 },
};
