/* SPDX-License-Identifier: LicenseRef-Gremio */
/* From somebody who is let in to a session and its pair of tokens: what login, refresh and switch have in common. Runs in auth
 * slots as gremio_auth, on the shared tables only. */
#ifndef GREMIO_AUTH_GRANT_H
#define GREMIO_AUTH_GRANT_H

#include "worker/auth_keys.h"
#include "worker/call.h"

/* What a pair of tokens is made from; texts live as long as the request. */
struct grant {
    struct uuid account, tenant, member, session;
    const char *role, *epoch;
    const char *kid; /* the key that signs now */
    uint64_t counter;
    uint8_t key[AUTH_KEY_BYTES];
    bool factor;      /* a code of the second factor was given; set before auth_grant_open */
    bool enrol;       /* the practice requires a second factor and the account has none */
    int64_t proved_s; /* seconds since 1970 of the session's last proof */
};

/* The answer's members (SHAPE_RAW). */
extern const struct column auth_grant_columns[];

/* In a statement's output: the name of the key that signs now. */
#define AUTH_GRANT_KID "(SELECT k.kid FROM public.signing_key k WHERE k.state = 'active') AS kid"

/* In a statement's output, of session s, membership m and tenant t: what auth_grant_proof reads. */
#define AUTH_GRANT_PROOF                                                         \
    "floor(extract(epoch FROM s.proved_at))::bigint AS proved_s, EXISTS (SELECT" \
    " FROM public.second_factor f WHERE f.account_id = m.account_id"             \
    " AND f.confirmed_at IS NOT NULL) AS factor, t.second_factor_required AS required"

/* For the .vars and .stmts of a route that opens sessions; :hash is the password's that was proved, NULL: none was. */
#define AUTH_GRANT_VARS                                                               \
    { .name = "account", .type = T_UUID }, { .name = "practice", .type = T_UUID },    \
        { .name = "session", .type = T_UUID }, { .name = "key", .type = T_TEXT },     \
        { .name = "idle_ms", .type = T_INT }, { .name = "limit_ms", .type = T_INT },  \
        { .name = "user_agent", .type = T_TEXT }, { .name = "peer", .type = T_TEXT }, \
        { .name = "hash", .type = T_TEXT }, { .name = "coded", .type = T_BOOL },      \
    {                                                                                 \
        .name = "kid", .type = T_TEXT                                                 \
    }
#define AUTH_GRANT_STMTS &auth_grant_open_stmt, &auth_grant_standing_stmt, &auth_grant_secret_stmt
extern const struct stmt auth_grant_open_stmt, auth_grant_standing_stmt, auth_grant_secret_stmt;

/* Who and where: the first row of a statement that has account_id, tenant_id, staff_id, role and epoch. */
MUST_USE enum err auth_grant_take(const PGresult *rows, struct grant *out);
/* How it proved itself, and whether it may do more than enrol: of a row with AUTH_GRANT_PROOF. */
MUST_USE enum err auth_grant_proof(const PGresult *rows, struct grant *out);
/* Whether a practice in this state lets its people in. */
MUST_USE enum err auth_grant_practice(struct call *c, const char *state_name);
/* A new session of g's account in g's practice, which ends with the one that asks, if any. g becomes what is true once the
 * session is there: E_FORBIDDEN when the member left meanwhile, E_AGAIN (call_retry) when the password changed, E_SECOND_FACTOR
 * when the account has a second factor and neither g->factor nor the session that asks has proved it. */
MUST_USE enum err auth_grant_open(struct call *c, struct grant *g);
/* Appends an access token of g's session that lives so many seconds: at most the router's hour. Needs auth_grant_secret_stmt and its
 * var "kid". */
MUST_USE enum err auth_grant_access(struct call *c, const struct grant *g, int64_t ttl_s,
                                    struct sbuf *out);
/* Answers with an access token alone. */
MUST_USE enum err auth_grant_answer_access(struct call *c, const struct grant *g);
/* Answers with the pair of tokens. */
MUST_USE enum err auth_grant_answer(struct call *c, const struct grant *g);
/* 403: no practice of theirs. */
enum err auth_grant_stranger(struct call *c);
/* "\x00ff..." as bytea comes out; E_INTERNAL on anything else or over cap. */
MUST_USE enum err auth_grant_bytes(const char *text, uint8_t *out, size_t cap, size_t *n);

#endif
