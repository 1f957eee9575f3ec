/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The session is written first and its right to be there asked after: who takes that right away ends the sessions that are
 * there, so neither order lets one slip through. */
#include "worker/api/auth_grant.h"

#include <sodium.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/str.h"

enum { MS = 1000, AGENT_MAX = 200 };

const struct column auth_grant_columns[] = {
    { "access_token", T_TEXT, "Bearer token for every other request (JWT, ES256)" },
    { "refresh_token", T_TEXT, "Good for one refresh; the answer holds the next one" },
    { "token_type", T_TEXT, "Bearer" },
    { "expires_in", T_INT, "Seconds the access token lives" },
    { 0 },
};

/* A session that asks (o) gives its end and its proof; least() leaves NULL out. */
const struct stmt auth_grant_open_stmt = {
    "open",
    "INSERT INTO public.session(id, account_id, tenant_id, refresh_key, idle_deadline,"
    " hard_deadline, user_agent, peer, origin, proved_at, second_factor)"
    " SELECT :session, :account, :practice, :key::bytea,"
    " least(now() + least(:idle_ms, :limit_ms) * interval '1 millisecond', o.hard_deadline),"
    " least(now() + :limit_ms * interval '1 millisecond', o.hard_deadline), :user_agent, :peer,"
    " coalesce(o.origin, o.id), coalesce(o.proved_at, now()), coalesce(o.second_factor, :coded)"
    " FROM (SELECT) asked LEFT JOIN public.session o ON o.id = :me_session"
    " RETURNING " AUTH_GRANT_KID,
};

/* Asked once the session is there: role, membership and password may have changed meanwhile, and who changes them ends the
 * sessions that are there. */
const struct stmt auth_grant_standing_stmt = {
    "standing",
    "SELECT m.account_id, m.tenant_id, m.staff_id, m.role, m.epoch,"
    " :hash::text IS NULL OR a.password_hash = :hash AS proved, " AUTH_GRANT_PROOF
    " FROM public.membership m JOIN public.account a ON a.id = m.account_id"
    " JOIN public.tenant t ON t.id = m.tenant_id JOIN public.session s ON s.id = :session"
    " WHERE m.account_id = :account AND m.tenant_id = :practice AND m.revoked_at IS NULL",
};

const struct stmt auth_grant_secret_stmt = {
    "secret",
    "SELECT private_sealed FROM public.signing_secret WHERE kid = :kid",
};

enum err auth_grant_bytes(const char *text, uint8_t *out, size_t cap, size_t *n)
{
    *n = text && strlen(text) >= 2 ? (strlen(text) - 2) / 2 : 0;
    if (*n == 0 || *n > cap || str_unhex(slice_of(text + 2), out, *n) != OK) {
        return E_INTERNAL;
    }
    return OK;
}

/* The signer of the key that is active now; a key that changed since the last token is fetched. */
static enum err get_signer(struct call *c, const char *kid, const struct token_signer **out)
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
    TRY(call_query(c, &auth_grant_secret_stmt, &rows));
    TRY(auth_grant_bytes(call_cell(rows, 0, "private_sealed"), sealed, sizeof(sealed), &n));
    return auth_keys_load(c->env, kid, (struct slice){ (const char *)sealed, n }, out);
}

enum err auth_grant_access(struct call *c, const struct grant *g, int64_t ttl_s, struct sbuf *out)
{
    const struct worker_settings *s = c->env->settings;
    const struct token_signer *signer;
    TRY(get_signer(c, g->kid, &signer));
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
        .ttl_s = ttl_s,
        .proved_s = g->proved_s,
        .enrol = g->enrol,
    };
    return token_sign_make(signer, &claims, out);
}

/* rest: members before those that every answer has. */
static enum err answer_tokens(struct call *c, const struct grant *g, const char *rest)
{
    struct sbuf body;
    int64_t ttl_s = c->env->settings->access_ttl / MS;
    sbuf_init(&body);
    sbuf_text(&body, "{\"access_token\":\"");
    enum err e = auth_grant_access(c, g, ttl_s, &body);
    if (e == OK) {
        sbuf_fmt(&body, "\",%s\"token_type\":\"Bearer\",\"expires_in\":%lld}", rest,
                 (long long)ttl_s);
        c->reply.no_store = true;
        e = sbuf_failed(&body) ? E_NOMEM : call_answer_raw(c, CONTENT_JSON, sbuf_slice(&body));
    }
    sbuf_fini(&body);
    return e;
}

enum err auth_grant_answer_access(struct call *c, const struct grant *g)
{
    return answer_tokens(c, g, "");
}

enum err auth_grant_answer(struct call *c, const struct grant *g)
{
    char refresh[REFRESH_TEXT_MAX];
    auth_keys_refresh(&g->session, g->counter, g->key, refresh);
    char member[REFRESH_TEXT_MAX + 24];
    snprintf(member, sizeof(member), "\"refresh_token\":\"%s\",", refresh);
    return answer_tokens(c, g, member);
}

enum err auth_grant_practice(struct call *c, const char *state_name)
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

enum err auth_grant_take(const PGresult *rows, struct grant *out)
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

enum err auth_grant_proof(const PGresult *rows, struct grant *out)
{
    const char *proved = call_cell(rows, 0, "proved_s"), *factor = call_cell(rows, 0, "factor"),
               *required = call_cell(rows, 0, "required");
    if (!proved || !factor || !required) {
        return E_INTERNAL;
    }
    out->proved_s = strtoll(proved, NULL, 10);
    out->enrol = required[0] == 't' && factor[0] != 't';
    return OK;
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

/* g gets the session's id, its key and the name of the signing key. */
static enum err insert_session(struct call *c, struct grant *g)
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
    call_set(c, "coded", g->factor ? "true" : "false");
    call_set_int(c, "idle_ms", s->session_idle);
    call_set_int(c, "limit_ms", s->session_limit);
    call_set(c, "peer", arena_text(c->arena, c->req->peer));
    set_user_agent(c);
    PGresult *rows;
    TRY(call_query(c, &auth_grant_open_stmt, &rows));
    g->kid = call_cell(rows, 0, "kid");
    return OK;
}

enum err auth_grant_stranger(struct call *c)
{
    return call_refuse(c, E_FORBIDDEN, "La cuenta no pertenece a esa práctica o a ninguna",
                       "The account does not belong to that practice, or to any");
}

enum err auth_grant_open(struct call *c, struct grant *g)
{
    PGresult *rows;
    TRY(insert_session(c, g));
    TRY(call_query(c, &auth_grant_standing_stmt, &rows));
    if (PQntuples(rows) == 0) {
        return auth_grant_stranger(c);
    }
    const char *proved = call_cell(rows, 0, "proved");
    if (!proved || proved[0] != 't') {
        return call_retry(c); /* changed, or hashed anew by another login */
    }
    /* Confirmed while the password was looked at: the session that asks was there before, or it waits. */
    bool vouched = g->factor || c->req->principal.present;
    if (call_cell(rows, 0, "factor")[0] == 't' && !vouched) {
        return call_refuse(c, E_SECOND_FACTOR, NULL, NULL);
    }
    TRY(auth_grant_proof(rows, g));
    return auth_grant_take(rows, g);
}
