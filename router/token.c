/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Access tokens: form, header, signature, claims, time, in that order; the first doubt refuses. */
#include "router/token.h"

#include <json-c/json.h>
#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/json.h"
#include "common/str.h"

#define TOKEN_ALG       "ES256"
#define SIGNATURE_BYTES 64 /* R and S of P-256, RFC 7518 3.4 */
#define SCRATCH_MAX     (64u << 10)
#define PART_BYTES_MAX  (TOKEN_MAX / 4 * 3 + 3)
#define SECONDS_MAX     INT64_C(253402300799) /* the end of year 9999 */

struct token_parts {
    struct slice header, payload, signature; /* base64url, borrowed */
};

enum err token_bearer(struct slice authorization, struct slice *token)
{
    struct slice rest = str_trim(authorization);
    struct slice scheme = str_cut(&rest, ' ');
    rest = str_trim(rest);
    if (!str_ieq(scheme, SLICE("Bearer")) || rest.n == 0 || rest.n > TOKEN_MAX) {
        return E_UNAUTHENTICATED;
    }
    *token = rest;
    return OK;
}

/* Exactly two dots and nothing empty. */
static enum err split(struct slice token, struct token_parts *out)
{
    struct slice rest = token;
    out->header = str_cut(&rest, '.');
    out->payload = str_cut(&rest, '.');
    out->signature = rest;
    bool whole = out->header.n > 0 && out->payload.n > 0 && out->signature.n > 0;
    if (!whole || memchr(rest.p, '.', rest.n)) {
        return E_UNAUTHENTICATED;
    }
    return OK;
}

/* Decodes one part and reads it as a JSON object; *out is json_object_put by the caller. */
static enum err read_part(struct slice part, struct arena *scratch, struct json_object **out)
{
    size_t len = 0;
    char *text = arena_take(scratch, PART_BYTES_MAX);
    struct json_fault fault;
    if (!text || str_base64url_decode(part, text, PART_BYTES_MAX, &len) != OK ||
        json_read((struct slice){ text, len }, scratch, &fault, out) != OK) {
        return E_UNAUTHENTICATED;
    }
    if (!json_object_is_type(*out, json_type_object)) {
        json_object_put(*out);
        return E_UNAUTHENTICATED;
    }
    return OK;
}

static bool text_is(struct json_object *o, const char *name, const char *want)
{
    struct slice got;
    return json_get_text(o, name, &got) == OK && slice_eq(got, slice_of(want));
}

static const struct token_key *find_key(const struct token_keys *keys, struct slice kid)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct token_key *key = &keys->rows[i];
        if (key->kid[0] != '\0' && key->pem[0] != '\0' && slice_eq(slice_of(key->kid), kid)) {
            return key;
        }
    }
    return NULL;
}

/* alg, kid and typ, nothing more (so no crit, b64, jku, jwk, x5u) and nothing less. */
static enum err check_header(const struct token_rules *rules, struct slice part,
                             struct arena *scratch, const struct token_key **key)
{
    struct json_object *header;
    struct slice kid;
    TRY(read_part(part, scratch, &header));
    bool good = json_object_object_length(header) == 3 && text_is(header, "alg", TOKEN_ALG) &&
                text_is(header, "typ", "JWT") && json_get_text(header, "kid", &kid) == OK;
    *key = good ? find_key(rules->keys, kid) : NULL;
    json_object_put(header);
    return *key ? OK : E_UNAUTHENTICATED;
}

/* libjwt's only call. It would take "no key" as "no signature wanted" and allocates the token on the stack: the key
 * is never empty and the token never over TOKEN_MAX here. */
static enum err check_signature(const struct token_key *key, struct slice token,
                                struct slice signature)
{
    uint8_t raw[SIGNATURE_BYTES];
    char text[TOKEN_MAX + 1];
    size_t len = 0;
    jwt_t *jwt = NULL;
    size_t key_len = strlen(key->pem);
    if (str_base64url_decode(signature, raw, sizeof(raw), &len) != OK || len != sizeof(raw) ||
        str_copy(token, text, sizeof(text)) != OK || key_len == 0) {
        return E_UNAUTHENTICATED;
    }
    int failed = jwt_decode(&jwt, text, (const unsigned char *)key->pem, (int)key_len);
    bool good = failed == 0 && jwt && jwt_get_alg(jwt) == JWT_ALG_ES256;
    jwt_free(jwt);
    ERR_clear_error();
    return good ? OK : E_UNAUTHENTICATED;
}

static enum err claim_uuid(struct json_object *o, const char *name, struct uuid *out)
{
    struct slice text;
    if (json_get_text(o, name, &text) != OK || uuid_parse(text, out) != OK || uuid_is_nil(out)) {
        return E_UNAUTHENTICATED;
    }
    return OK;
}

static enum err claim_seconds(struct json_object *o, const char *name, int64_t *out)
{
    if (json_get_int(o, name, out) != OK || *out < 0 || *out > SECONDS_MAX) {
        return E_UNAUTHENTICATED;
    }
    return OK;
}

static enum err claim_role(struct json_object *o, struct principal *p)
{
    struct slice role;
    int64_t epoch;
    if (json_get_text(o, "role", &role) != OK || role.n == 0 ||
        str_copy(role, p->role, sizeof(p->role)) != OK || json_get_int(o, "epoch", &epoch) != OK ||
        epoch < 0 || epoch > UINT32_MAX) {
        return E_UNAUTHENTICATED;
    }
    p->epoch = (uint32_t)epoch;
    return OK;
}

/* How the session proved itself. auth_time is required, so that no step is taken for a proof that is not there. */
static enum err claim_proof(struct json_object *o, struct principal *p)
{
    int64_t proved_s;
    struct json_object *enrol;
    TRY(claim_seconds(o, "auth_time", &proved_s));
    p->proved_s = (uint64_t)proved_s;
    p->enrol = json_object_object_get_ex(o, "enrol", &enrol);
    return !p->enrol || json_object_is_type(enrol, json_type_boolean) ? OK : E_UNAUTHENTICATED;
}

static enum err check_time(struct json_object *o, int64_t now_s, struct token_claims *out)
{
    int64_t nbf;
    TRY(claim_seconds(o, "exp", &out->exp));
    TRY(claim_seconds(o, "nbf", &nbf));
    TRY(claim_seconds(o, "iat", &out->iat));
    if (nbf > now_s + TOKEN_SKEW_S || out->iat > now_s + TOKEN_SKEW_S || out->exp <= out->iat ||
        out->exp - out->iat > TOKEN_LIFETIME_MAX_S) {
        return E_UNAUTHENTICATED;
    }
    return now_s >= out->exp + TOKEN_SKEW_S ? E_TOKEN_EXPIRED : OK;
}

static enum err check_claims(const struct token_rules *rules, struct json_object *o, int64_t now_s,
                             struct token_claims *out)
{
    struct slice jti;
    struct principal *p = &out->principal;
    if (!text_is(o, "iss", rules->issuer) || !text_is(o, "aud", rules->audience) ||
        !text_is(o, "token_use", "access") || json_get_text(o, "jti", &jti) != OK || jti.n == 0) {
        return E_UNAUTHENTICATED;
    }
    TRY(claim_uuid(o, "sub", &p->account));
    TRY(claim_uuid(o, "tenant", &p->tenant));
    TRY(claim_uuid(o, "member", &p->member));
    TRY(claim_uuid(o, "session", &p->session));
    TRY(claim_role(o, p));
    TRY(claim_proof(o, p));
    p->present = true;
    return check_time(o, now_s, out);
}

static enum err verify_parts(const struct token_rules *rules, struct slice token, int64_t now_s,
                             struct arena *scratch, struct token_claims *out)
{
    struct token_parts parts;
    const struct token_key *key;
    struct json_object *payload;
    TRY(split(token, &parts));
    TRY(check_header(rules, parts.header, scratch, &key));
    TRY(check_signature(key, token, parts.signature));
    TRY(read_part(parts.payload, scratch, &payload));
    enum err e = check_claims(rules, payload, now_s, out);
    json_object_put(payload);
    return e;
}

enum err token_verify(const struct token_rules *rules, struct slice token, int64_t now_s,
                      struct token_claims *out)
{
    if (token.n == 0 || token.n > TOKEN_MAX) {
        return E_UNAUTHENTICATED;
    }
    struct arena scratch;
    struct token_claims claims = { 0 };
    arena_init(&scratch, SCRATCH_MAX);
    enum err e = verify_parts(rules, token, now_s, &scratch, &claims);
    arena_fini(&scratch);
    if (e == OK) {
        *out = claims;
    }
    return e;
}

bool token_key_usable(const char *pem)
{
    char group[32] = "";
    size_t len = strlen(pem);
    BIO *bio = len > 0 && len < TOKEN_PEM_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    bool good = key && EVP_PKEY_is_a(key, "EC") &&
                EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
                strcmp(group, "prime256v1") == 0;
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_clear_error();
    return good;
}
