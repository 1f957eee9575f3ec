/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Attacks on access tokens: every forged, mixed, cut or mistyped one is refused, and good ones are not. Keys are made
 * here, tokens are signed here with OpenSSL, never with the library under test. */
#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/str.h"
#include "router/token_cache.h"

#define NOW     INT64_C(1800000000)
#define SUB     "01890000-0000-7000-8000-000000000001"
#define TENANT  "01890000-0000-7000-8000-000000000002"
#define MEMBER  "01890000-0000-7000-8000-000000000003"
#define SESSION "01890000-0000-7000-8000-000000000004"
#define HEADER  "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"}"
#define TAIL                                                                     \
    "\"tenant\":\"" TENANT "\",\"member\":\"" MEMBER "\",\"session\":\"" SESSION \
    "\",\"role\":\"owner\",\"epoch\":3,\"auth_time\":1799999990}"
#define TIMES   "\"exp\":1800000600,\"nbf\":1800000000,\"iat\":1800000000,"
#define START   "{\"iss\":\"gremio\",\"aud\":\"gremio-api\",\"sub\":\"" SUB "\","
#define USE     "\"jti\":\"j1\",\"token_use\":\"access\","
#define PAYLOAD START TIMES USE TAIL

static EVP_PKEY *key, *other;
static struct token_keys keys;
static char pem[TOKEN_PEM_MAX];
static struct token_rules rules = { .issuer = "gremio", .audience = "gremio-api", .keys = &keys };

static void to_pem(EVP_PKEY *k, char *out, size_t cap)
{
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, k);
    long n = BIO_get_mem_data(bio, &text);
    cr_assert_lt((size_t)n, cap);
    memcpy(out, text, (size_t)n);
    out[n] = '\0';
    BIO_free(bio);
}

static void setup(void)
{
    key = EVP_EC_gen("P-256");
    other = EVP_EC_gen("P-256");
    to_pem(key, pem, sizeof(pem));
    keys.count = 2;
    strcpy(keys.rows[0].kid, "k1");
    strcpy(keys.rows[0].pem, pem);
    strcpy(keys.rows[1].kid, "k2");
    to_pem(other, keys.rows[1].pem, sizeof(keys.rows[1].pem));
}

static void teardown(void)
{
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

TestSuite(router_token, .init = setup, .fini = teardown);

/* R and S of an ES256 signature over text, 64 bytes. */
static void sign_es256(EVP_PKEY *k, const char *text, uint8_t out[64])
{
    uint8_t der[128];
    size_t len = sizeof(der);
    const uint8_t *at = der;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    cr_assert_eq(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, k), 1);
    cr_assert_eq(EVP_DigestSign(md, der, &len, (const uint8_t *)text, strlen(text)), 1);
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
    cr_assert_not_null(sig);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32);
    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(md);
}

static void encode_parts(struct slice header, struct slice payload, char out[8192])
{
    size_t n = str_base64url(header.p, header.n, out);
    out[n++] = '.';
    str_base64url(payload.p, payload.n, out + n);
}

static void add_signature(char *token, const void *raw, size_t n)
{
    char text[1024];
    str_base64url(raw, n, text);
    strcat(token, ".");
    strcat(token, text);
}

static void make(struct slice header, struct slice payload, EVP_PKEY *k, char out[8192])
{
    uint8_t raw[64];
    encode_parts(header, payload, out);
    sign_es256(k, out, raw);
    add_signature(out, raw, sizeof(raw));
}

static enum err verify(const char *token)
{
    struct token_claims claims;
    return token_verify(&rules, slice_of(token), NOW + 10, &claims);
}

static enum err verify_made(const char *header, const char *payload)
{
    char token[8192];
    make(slice_of(header), slice_of(payload), key, token);
    return verify(token);
}

Test(router_token, a_good_one_is_read)
{
    char token[8192], text[UUID_TEXT];
    struct token_claims claims;
    make(SLICE(HEADER), SLICE(PAYLOAD), key, token);
    cr_assert_eq(token_verify(&rules, slice_of(token), NOW, &claims), OK);
    cr_assert_eq(claims.exp, NOW + 600);
    cr_assert(claims.principal.present);
    cr_assert_str_eq(claims.principal.role, "owner");
    cr_assert_eq(claims.principal.epoch, 3);
    cr_assert_eq(claims.principal.proved_s, 1799999990u);
    cr_assert_not(claims.principal.enrol);
    uuid_format(&claims.principal.session, text);
    cr_assert_str_eq(text, SESSION);
    uuid_format(&claims.principal.tenant, text);
    cr_assert_str_eq(text, TENANT);
    make(SLICE("{\"typ\":\"JWT\",\"kid\":\"k2\",\"alg\":\"ES256\"}"), SLICE(PAYLOAD), other, token);
    cr_assert_eq(verify(token), OK, "the second key verifies too");
}

Test(router_token, headers_refused)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"None\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"es256\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES384\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":256,\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":[\"ES256\"],\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k3\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":null,\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":1,\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"../../dev/null\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1' or '1'='1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\"}",
        "{\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"al\\u0067\":\"none\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\",\"b64\":false}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\",\"jku\":\"https://evil.example/k\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\",\"jwk\":{}}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\",\"x5u\":\"https://evil.example/c\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\",\"zip\":\"DEF\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"crit\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":[\"JWT\"]}",
        "[\"ES256\",\"k1\",\"JWT\"]",
        "\"ES256\"",
        "null",
        "{}",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"",
        "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"} {}",
        "{'alg':'ES256','kid':'k1','typ':'JWT'}",
        "{\"alg\":\"ES256\",\"kid\":\"k\xc0\xb1\",\"typ\":\"JWT\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        cr_assert_eq(verify_made(headers[i], PAYLOAD), E_UNAUTHENTICATED, "accepted header %s",
                     headers[i]);
    }
}

/* PAYLOAD with the member name set to value (raw JSON), or left out when value is NULL. */
static void edit(const char *name, const char *value, char out[4096])
{
    char member[64];
    snprintf(member, sizeof(member), "\"%s\":", name);
    const char *at = strstr(PAYLOAD, member);
    cr_assert_not_null(at);
    const char *end = at + strcspn(at, ",}");
    const char *before = at;
    if (!value) {
        before = at[-1] == ',' ? at - 1 : at;
        end = before == at && *end == ',' ? end + 1 : end;
    }
    snprintf(out, 4096, "%.*s%s%s%s", (int)(before - PAYLOAD), PAYLOAD, value ? member : "",
             value ? value : "", end);
}

Test(router_token, every_claim_is_required)
{
    static const char *const names[] = { "iss",       "aud",  "sub",    "exp",      "nbf",
                                         "iat",       "jti",  "tenant", "member",   "session",
                                         "token_use", "role", "epoch",  "auth_time" };
    char payload[4096];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        edit(names[i], NULL, payload);
        cr_assert_null(strstr(payload, names[i]));
        cr_assert_eq(verify_made(HEADER, payload), E_UNAUTHENTICATED, "accepted without %s",
                     names[i]);
        edit(names[i], "null", payload);
        cr_assert_eq(verify_made(HEADER, payload), E_UNAUTHENTICATED, "accepted null %s", names[i]);
    }
}

/* Absent it is false; present it limits, whatever it says. */
Test(router_token, enrol_is_read)
{
    static const char *const values[] = { "1799999990,\"enrol\":true",
                                          "1799999990,\"enrol\":false" };
    char payload[4096], token[8192];
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct token_claims claims;
        edit("auth_time", values[i], payload);
        make(SLICE(HEADER), slice_of(payload), key, token);
        cr_assert_eq(token_verify(&rules, slice_of(token), NOW, &claims), OK);
        cr_expect(claims.principal.enrol);
    }
}

Test(router_token, claims_refused)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        { "iss", "\"gremiO\"" },
        { "iss", "\"gremio \"" },
        { "iss", "[\"gremio\"]" },
        { "aud", "\"other-api\"" },
        { "aud", "[\"gremio-api\"]" },
        { "aud", "{}" },
        { "sub", "\"not-a-uuid\"" },
        { "sub", "1" },
        { "sub", "\"00000000-0000-0000-0000-000000000000\"" },
        { "tenant", "\"\"" },
        { "tenant", "\"01890000-0000-7000-8000-00000000000g\"" },
        { "tenant", "\"01890000-0000-7000-8000-000000000002 \"" },
        { "member", "true" },
        { "session", "[]" },
        { "session", "\"" SESSION "0\"" },
        { "exp", "\"1800000600\"" },
        { "exp", "1800000600.0" },
        { "exp", "1.8e9" },
        { "exp", "-1" },
        { "exp", "true" },
        { "exp", "99999999999999" },
        { "exp", "1800000000" },
        { "exp", "1800100000" },
        { "nbf", "\"1800000000\"" },
        { "nbf", "1800000041" },
        { "iat", "1800000041" },
        { "iat", "1800000000.5" },
        { "iat", "1700000000" },
        { "jti", "\"\"" },
        { "jti", "7" },
        { "token_use", "\"refresh\"" },
        { "token_use", "\"Access\"" },
        { "token_use", "true" },
        { "role", "\"\"" },
        { "role", "[\"owner\"]" },
        { "role", "\"a-role-whose-code-is-longer-than-32-bytes\"" },
        { "role", "\"own\\u0000er\"" },
        { "auth_time", "\"1799999990\"" },
        { "auth_time", "-1" },
        { "auth_time", "1799999990.5" },
        { "auth_time", "1799999990,\"enrol\":\"true\"" },
        { "auth_time", "1799999990,\"enrol\":null" },
        { "epoch", "\"3\"" },
        { "epoch", "-1" },
        { "epoch", "4294967296" },
        { "epoch", "3.0" },
        { "epoch", "3,\"epoch\":3" },
        { "exp", "1800000600,\"exp\":1900000000" },
        { "tenant", "\"" MEMBER "\",\"t\\u0065nant\":\"" TENANT "\"" },
    };
    char payload[4096];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        edit(rows[i].name, rows[i].value, payload);
        cr_assert_eq(verify_made(HEADER, payload), E_UNAUTHENTICATED, "accepted %s: %s",
                     rows[i].name, rows[i].value);
    }
}

Test(router_token, payloads_refused)
{
    static const char nul[] = PAYLOAD "\0garbage";
    static const char *const payloads[] = {
        "[" PAYLOAD "]", "\"x\"", "null", "{}", PAYLOAD "x", PAYLOAD PAYLOAD, "{" PAYLOAD, "",
    };
    char token[8192];
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
        cr_assert_eq(verify_made(HEADER, payloads[i]), E_UNAUTHENTICATED, "accepted payload %s",
                     payloads[i]);
    }
    make(SLICE(HEADER), (struct slice){ nul, sizeof(nul) - 1 }, key, token);
    cr_assert_eq(verify(token), E_UNAUTHENTICATED, "NUL and garbage behind the payload");
}

Test(router_token, time_is_kept_with_thirty_seconds_of_skew)
{
    char token[8192];
    struct token_claims claims;
    make(SLICE(HEADER), SLICE(PAYLOAD), key, token);
    static const struct {
        int64_t now;
        enum err want;
    } rows[] = {
        { NOW - 31, E_UNAUTHENTICATED },
        { NOW - 30, OK },
        { NOW + 599, OK },
        { NOW + 629, OK },
        { NOW + 630, E_TOKEN_EXPIRED },
        { NOW * 2, E_TOKEN_EXPIRED },
        { 0, E_UNAUTHENTICATED },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_assert_eq(token_verify(&rules, slice_of(token), rows[i].now, &claims), rows[i].want,
                     "at %lld", (long long)rows[i].now);
    }
}

Test(router_token, an_expired_forgery_is_not_called_expired)
{
    char token[8192];
    struct token_claims claims;
    make(SLICE(HEADER), SLICE(PAYLOAD), other, token);
    cr_assert_eq(token_verify(&rules, slice_of(token), NOW * 2, &claims), E_UNAUTHENTICATED);
}

Test(router_token, signatures_refused)
{
    char token[8192], bad[8192];
    uint8_t raw[64], der[80] = { 0 };
    encode_parts(SLICE(HEADER), SLICE(PAYLOAD), token);
    sign_es256(key, token, raw);
    size_t body = strlen(token);
    for (size_t cut = 0; cut < 64; cut += 7) {
        memcpy(bad, token, body + 1);
        add_signature(bad, raw, cut);
        cr_assert_eq(verify(bad), E_UNAUTHENTICATED, "%zu bytes of signature", cut);
    }
    for (size_t i = 0; i < 64; i++) {
        memcpy(bad, token, body + 1);
        raw[i] ^= 1;
        add_signature(bad, raw, 64);
        raw[i] ^= 1;
        cr_assert_eq(verify(bad), E_UNAUTHENTICATED, "byte %zu altered", i);
    }
    memcpy(der, raw, 64);
    memcpy(bad, token, body + 1);
    add_signature(bad, der, 72);
    cr_assert_eq(verify(bad), E_UNAUTHENTICATED, "bytes behind the signature");
    memset(der, 0, sizeof(der));
    memcpy(bad, token, body + 1);
    add_signature(bad, der, 64);
    cr_assert_eq(verify(bad), E_UNAUTHENTICATED, "R = S = 0");
    make(SLICE(HEADER), SLICE(PAYLOAD), other, bad);
    cr_assert_eq(verify(bad), E_UNAUTHENTICATED, "signed with another key");
}

/* The classic: the public key's text as an HMAC secret. */
Test(router_token, hmac_with_the_public_key_is_refused)
{
    static const char *const headers[] = {
        "{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
        HEADER,
    };
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        char token[8192];
        uint8_t mac[32];
        unsigned len = 0;
        encode_parts(slice_of(headers[i]), SLICE(PAYLOAD), token);
        HMAC(EVP_sha256(), pem, (int)strlen(pem), (const uint8_t *)token, strlen(token), mac, &len);
        add_signature(token, mac, len);
        cr_assert_eq(verify(token), E_UNAUTHENTICATED);
    }
}

Test(router_token, forms_refused)
{
    char token[8192], bad[8300];
    make(SLICE(HEADER), SLICE(PAYLOAD), key, token);
    static const char *const texts[] = {
        "", ".", "..", "...", "a.b.c", "a.b", "null", "{}", "eyJhbGciOiJub25lIn0.e30.",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        cr_assert_eq(verify(texts[i]), E_UNAUTHENTICATED, "accepted \"%s\"", texts[i]);
    }
    static const char *const behind[] = { ".", ".x", "=", "==", " ", "\n", "A", "%00" };
    for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
        snprintf(bad, sizeof(bad), "%s%s", token, behind[i]);
        cr_assert_eq(verify(bad), E_UNAUTHENTICATED, "accepted with \"%s\" behind", behind[i]);
        snprintf(bad, sizeof(bad), "%s%s", behind[i], token);
        cr_assert_eq(verify(bad), E_UNAUTHENTICATED, "accepted with \"%s\" before", behind[i]);
    }
    cr_assert_eq(token_verify(&rules, (struct slice){ token, strlen(token) + 1 }, NOW,
                              &(struct token_claims){ 0 }),
                 E_UNAUTHENTICATED, "a NUL behind");
    cr_assert_eq(verify(strchr(token, '.')), E_UNAUTHENTICATED, "no header");
    char *dot = strrchr(token, '.');
    dot[1] = '\0';
    cr_assert_eq(verify(token), E_UNAUTHENTICATED, "empty signature");
    *dot = '\0';
    cr_assert_eq(verify(token), E_UNAUTHENTICATED, "no signature");
}

/* The 64 bytes leave four spare bits in the last character: only the canonical one is accepted. */
Test(router_token, non_canonical_base64_is_refused)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char token[8192];
    make(SLICE(HEADER), SLICE(PAYLOAD), key, token);
    size_t last = strlen(token) - 1;
    char good = token[last];
    for (size_t i = 0; i < 64; i++) {
        token[last] = alphabet[i];
        cr_assert_eq(verify(token), token[last] == good ? OK : E_UNAUTHENTICATED);
    }
}

Test(router_token, size_is_limited)
{
    char payload[5000], token[8192];
    size_t huge_len = 12u << 20;
    snprintf(payload, sizeof(payload), START TIMES USE "\"pad\":\"%0*d\"," TAIL, 3000, 0);
    make(SLICE(HEADER), slice_of(payload), key, token);
    cr_assert_gt(strlen(token), TOKEN_MAX);
    cr_assert_eq(verify(token), E_UNAUTHENTICATED);
    snprintf(payload, sizeof(payload), START TIMES USE "\"pad\":\"%0*d\"," TAIL, 2300, 0);
    make(SLICE(HEADER), slice_of(payload), key, token);
    cr_assert_leq(strlen(token), TOKEN_MAX);
    cr_assert_eq(verify(token), OK, "unknown claims do no harm");
    char *huge = malloc(huge_len);
    memset(huge, 'A', huge_len);
    cr_assert_eq(
        token_verify(&rules, (struct slice){ huge, huge_len }, NOW, &(struct token_claims){ 0 }),
        E_UNAUTHENTICATED);
    free(huge);
}

Test(router_token, without_a_key_nothing_is_accepted)
{
    char token[8192];
    struct token_keys none = { 0 }, empty = keys;
    struct token_rules no_keys = rules, empty_key = rules;
    no_keys.keys = &none;
    empty.rows[0].pem[0] = '\0';
    empty_key.keys = &empty;
    make(SLICE(HEADER), SLICE(PAYLOAD), key, token);
    struct token_claims claims;
    cr_assert_eq(token_verify(&no_keys, slice_of(token), NOW, &claims), E_UNAUTHENTICATED);
    cr_assert_eq(token_verify(&empty_key, slice_of(token), NOW, &claims), E_UNAUTHENTICATED);
}

Test(router_token, keys_of_other_kinds_are_not_usable)
{
    char text[4096];
    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    cr_assert(token_key_usable(pem));
    to_pem(p384, text, sizeof(text));
    cr_assert_not(token_key_usable(text));
    cr_assert_not(token_key_usable(""));
    cr_assert_not(token_key_usable("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"));
    EVP_PKEY_free(p384);
}

Test(router_token, bearer)
{
    struct slice t;
    cr_assert_eq(token_bearer(SLICE("Bearer abc"), &t), OK);
    cr_assert(slice_eq(t, SLICE("abc")));
    cr_assert_eq(token_bearer(SLICE("bearer   abc "), &t), OK);
    cr_assert(slice_eq(t, SLICE("abc")));
    static const char *const bad[] = { "", "Bearer", "Bearer ", "Basic abc", "Bearerabc", "abc" };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_assert_eq(token_bearer(slice_of(bad[i]), &t), E_UNAUTHENTICATED, "%s", bad[i]);
    }
}

/* ---- the cache ---- */

/* A token that is good now, for the given session. */
static void make_now(unsigned session, char token[8192])
{
    char payload[4096];
    long long now = clock_wall_s();
    snprintf(payload, sizeof(payload),
             START
             "\"exp\":%lld,\"nbf\":%lld,\"iat\":%lld," USE "\"tenant\":\"" TENANT
             "\",\"member\":\"" MEMBER
             "\",\"session\":\"01890000-0000-7000-8000-%012u\",\"role\":\"owner\",\"epoch\":0,"
             "\"auth_time\":0}",
             now + 600, now, now, session);
    make(SLICE(HEADER), slice_of(payload), key, token);
}

static struct uuid session_id(unsigned session)
{
    char text[UUID_TEXT];
    struct uuid id;
    snprintf(text, sizeof(text), "01890000-0000-7000-8000-%012u", session);
    cr_assert_eq(uuid_parse(slice_of(text), &id), OK);
    return id;
}

Test(router_token, cache_verifies_once_and_stays_bounded)
{
    struct token_cache *c;
    struct revoked *r;
    struct principal p;
    char token[8192];
    cr_assert_eq(revoked_new(8, &r), OK);
    cr_assert_eq(token_cache_new(16, r, &c), OK);
    for (unsigned i = 1; i <= 40; i++) {
        make_now(i, token);
        for (unsigned k = 0; k < 3; k++) {
            cr_assert_eq(token_cache_verify(c, &rules, slice_of(token), &p), OK);
            struct uuid want = session_id(i);
            cr_assert(uuid_eq(&p.session, &want));
        }
    }
    struct token_cache_stats s = token_cache_stats(c);
    cr_assert_eq(s.hits, 80);
    cr_assert_eq(s.misses, 40);
    cr_assert_eq(s.entries, 16);
    token[20] ^= 1;
    cr_assert_eq(token_cache_verify(c, &rules, slice_of(token), &p), E_UNAUTHENTICATED);
    cr_assert_eq(token_cache_stats(c).refused, 1);
    token_cache_clear(c);
    cr_assert_eq(token_cache_stats(c).entries, 0);
    token_cache_free(c);
    revoked_free(r);
}

Test(router_token, cache_forgets_revoked_sessions)
{
    struct token_cache *c;
    struct revoked *r;
    struct principal p;
    char one[8192], two[8192];
    cr_assert_eq(revoked_new(8, &r), OK);
    cr_assert_eq(token_cache_new(16, r, &c), OK);
    make_now(1, one);
    make_now(2, two);
    cr_assert_eq(token_cache_verify(c, &rules, slice_of(one), &p), OK);
    struct uuid id1 = session_id(1), id2 = session_id(2);
    revoked_add(r, &id1, clock_wall_s());
    revoked_add(r, &id2, clock_wall_s());
    cr_assert_eq(token_cache_verify(c, &rules, slice_of(one), &p), E_UNAUTHENTICATED, "cached");
    cr_assert_eq(token_cache_verify(c, &rules, slice_of(two), &p), E_UNAUTHENTICATED, "new");
    cr_assert_eq(token_cache_stats(c).entries, 0);
    token_cache_free(c);
    revoked_free(r);
}

Test(router_token, revoked_forgets_in_time_and_never_lets_one_in)
{
    struct revoked *r;
    cr_assert_eq(revoked_new(4, &r), OK);
    for (unsigned i = 0; i < 4; i++) {
        struct uuid id = session_id(i + 1);
        revoked_add(r, &id, 1000 + i);
        revoked_add(r, &id, 2000);
    }
    cr_assert_eq(revoked_count(r), 4);
    cr_assert_eq(revoked_floor_s(r), 0);
    struct uuid first = session_id(1), second = session_id(2), fifth = session_id(5);
    revoked_add(r, &fifth, 1010);
    cr_assert_eq(revoked_count(r), 4);
    cr_assert_not(revoked_has(r, &first));
    cr_assert_eq(revoked_floor_s(r), 1000, "tokens as old as the forgotten session are refused");
    cr_assert(revoked_has(r, &second));
    revoked_expire(r, 1003 + TOKEN_LIFETIME_MAX_S + 2 * TOKEN_SKEW_S + 1);
    cr_assert_eq(revoked_count(r), 1);
    cr_assert(revoked_has(r, &fifth));
    cr_assert_not(revoked_has(r, &second));
    cr_assert_eq(revoked_floor_s(r), 1003, "a clock that comes back revives no token");
    revoked_free(r);
}
