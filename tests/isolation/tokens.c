/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Tokens nobody issued: forged, altered, mixed, expired, signed with another key or none, with claims of the wrong
 * type. None is accepted, and no answer tells why beyond "unauthenticated" or "expired". */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/str.h"
#include "tests/support/api.h"
#include "tests/support/forge.h"
#include "tests/support/stack.h"

#define PROBE "/api/v1/clients?limit=1"

/* A genuine token's parts and the keys to sign variants with. */
struct mint {
    struct api owner;
    char *header, *claims;
    EVP_PKEY *real, *other;
    char kid[80];
};

static struct mint mint_open(void)
{
    struct mint m = { .owner = api_login(OWNER_A) };
    m.header = forge_part(m.owner.token, 0);
    m.claims = forge_part(m.owner.token, 1);
    m.real = forge_real_key(m.kid);
    m.other = forge_other_key();
    return m;
}

static void mint_close(struct mint *m)
{
    api_close(&m->owner);
    api_release();
    free(m->header);
    free(m->claims);
    EVP_PKEY_free(m->real);
    EVP_PKEY_free(m->other);
}

/* JSON with one member replaced by raw JSON (NULL: removed); malloc. */
static char *with_member(const char *json, const char *name, const char *value)
{
    struct json_object *o = json_tokener_parse(json);
    if (value) {
        json_object_object_add(o, name, json_tokener_parse(value));
    } else {
        json_object_object_del(o, name);
    }
    char *out = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    return out;
}

static struct answer *probe(const char *token, const char *path)
{
    struct api a = api_anonymous();
    char *field = api_text("Authorization: Bearer %s\r\n", token);
    struct answer *r = api_send(&a, "GET", path, NULL, field);
    api_close(&a);
    return r;
}

static void expect_refused(const char *what, const char *token)
{
    struct answer *r = probe(token, PROBE);
    const char *code = answer_code(r);
    cr_expect_eq(r->status, 401, "%s: %d %s", what, r->status, r->http.body ? r->http.body : "");
    cr_expect(strcmp(code, "unauthenticated") == 0 || strcmp(code, "token_expired") == 0,
              "%s: code %s", what, code);
}

Test(tokens, own_signature_is_accepted)
{
    struct mint m = mint_open();
    char *again = forge_es256(m.real, m.header, m.claims);
    cr_assert_eq(probe(again, PROBE)->status, 200, "the forge itself is broken");
    free(again);
    mint_close(&m);
}

struct change {
    const char *name, *value;
};

Test(tokens, altered_claims_are_refused_even_with_the_real_key)
{
    static const struct change changes[] = {
        { "exp", NULL },
        { "exp", "1" },
        { "exp", "\"9999999999\"" },
        { "exp", "9999999999.5" },
        { "exp", "null" },
        { "exp", "true" },
        { "exp", "-1" },
        { "exp", "[]" },
        { "nbf", "9999999999" },
        { "nbf", "\"0\"" },
        { "iat", NULL },
        { "iat", "9999999999" },
        { "iat", "\"1\"" },
        { "iss", NULL },
        { "iss", "\"other\"" },
        { "iss", "[\"gremio\"]" },
        { "iss", "\"Gremio\"" },
        { "aud", NULL },
        { "aud", "\"other\"" },
        { "aud", "1" },
        { "sub", NULL },
        { "sub", "\"\"" },
        { "sub", "\"owner-a@example.com\"" },
        { "sub", "7" },
        { "tenant", NULL },
        { "tenant", "\"\"" },
        { "tenant", "\"practice-a\"" },
        { "tenant", "null" },
        { "tenant", "{}" },
        { "tenant", "\"00000000-0000-0000-0000-000000000000\"" },
        { "member", NULL },
        { "member", "\"x\"" },
        { "session", NULL },
        { "session", "1" },
        { "role", NULL },
        { "role", "1" },
        { "role", "\"\"" },
        { "epoch", NULL },
        { "epoch", "\"0\"" },
        { "epoch", "-1" },
        { "epoch", "1.5" },
        { "token_use", NULL },
        { "token_use", "\"refresh\"" },
        { "token_use", "\"Access\"" },
    };
    struct mint m = mint_open();
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        char *claims = with_member(m.claims, changes[i].name, changes[i].value);
        char *token = forge_es256(m.real, m.header, claims);
        char what[120];
        snprintf(what, sizeof what, "%s = %s", changes[i].name,
                 changes[i].value ? changes[i].value : "(absent)");
        expect_refused(what, token);
        free(token);
        free(claims);
    }
    printf("tokens: %zu altered claims\n", ARRAY_LEN(changes));
    mint_close(&m);
}

/* Rightly signed and whole, only old: refused with its own code, so that clients refresh instead of asking again. */
Test(tokens, expired_tokens_are_refused)
{
    struct mint m = mint_open();
    time_t now = time(NULL);
    static const int ages[] = { 120, 600, 86400 };
    for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
        char *end = api_text("%lld", (long long)now - ages[i]);
        char *start = api_text("%lld", (long long)now - ages[i] - 600);
        char *exp = with_member(m.claims, "exp", end), *iat = with_member(exp, "iat", start);
        char *nbf = with_member(iat, "nbf", start), *token = forge_es256(m.real, m.header, nbf);
        struct answer *r = probe(token, PROBE);
        cr_expect_eq(r->status, 401, "expired %d s ago: %d", ages[i], r->status);
        cr_expect_str_eq(answer_code(r), "token_expired");
        free(token);
        free(nbf);
        free(iat);
        free(exp);
    }
    mint_close(&m);
}

Test(tokens, altered_headers_are_refused)
{
    static const struct change changes[] = {
        { "alg", NULL },
        { "alg", "\"none\"" },
        { "alg", "\"None\"" },
        { "alg", "\"es256\"" },
        { "alg", "\"ES384\"" },
        { "alg", "\"HS256\"" },
        { "alg", "[\"ES256\"]" },
        { "kid", NULL },
        { "kid", "\"\"" },
        { "kid", "\"unknown\"" },
        { "kid", "1" },
        { "kid", "\"../../key\"" },
        { "crit", "[\"b64\"]" },
        { "b64", "false" },
        { "jku", "\"http://127.0.0.1/k\"" },
        { "jwk", "{}" },
        { "x5u", "\"http://127.0.0.1/k\"" },
        { "typ", "\"JWE\"" },
    };
    struct mint m = mint_open();
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        char *header = with_member(m.header, changes[i].name, changes[i].value);
        char *token = forge_es256(m.real, header, m.claims);
        char what[120];
        snprintf(what, sizeof what, "header %s = %s", changes[i].name,
                 changes[i].value ? changes[i].value : "(absent)");
        expect_refused(what, token);
        free(token);
        free(header);
    }
    mint_close(&m);
}

Test(tokens, other_keys_and_algorithms_are_refused)
{
    struct mint m = mint_open();
    struct api b = api_login(OWNER_B);
    char *claims_b = forge_part(b.token, 1), *pem = forge_public_pem();
    char *hs = with_member(m.header, "alg", "\"HS256\""),
         *none = with_member(m.header, "alg", "\"none\"");
    struct {
        const char *what;
        char *token;
    } all[] = {
        { "another key", forge_es256(m.other, m.header, m.claims) },
        { "b's claims with another key", forge_es256(m.other, m.header, claims_b) },
        { "HS256 with the public key", forge_hs256(slice_of(pem), hs, m.claims) },
        { "HS256 with no key", forge_hs256(SLICE(""), hs, m.claims) },
        { "alg none, no signature", forge_unsigned(none, m.claims) },
        { "ES256, no signature", forge_unsigned(m.header, m.claims) },
        { "array of claims", forge_es256(m.real, m.header, "[]") },
        { "no JSON", forge_es256(m.real, m.header, "not json") },
        { "empty claims", forge_es256(m.real, m.header, "") },
        { "header no object", forge_es256(m.real, "[\"ES256\"]", m.claims) },
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        expect_refused(all[i].what, all[i].token);
        free(all[i].token);
    }
    free(hs);
    free(none);
    free(pem);
    free(claims_b);
    api_close(&b);
    mint_close(&m);
}

Test(tokens, duplicate_claims_are_refused)
{
    struct mint m = mint_open();
    char *claims = NULL;
    cr_assert(asprintf(&claims, "{\"role\":\"owner\",%s", m.claims + 1) > 0);
    char *token = forge_es256(m.real, m.header, claims);
    expect_refused("role twice", token);
    free(token);
    free(claims);
    mint_close(&m);
}

/* a's signature over b's claims, b's signature over a's claims. */
Test(tokens, parts_of_two_tokens_do_not_mix)
{
    struct mint m = mint_open();
    struct api b = api_login(OWNER_B);
    const char *sig_a = strrchr(m.owner.token, '.'), *sig_b = strrchr(b.token, '.');
    expect_refused("b's claims, a's signature",
                   api_text("%.*s%s", (int)(sig_b - b.token), b.token, sig_a));
    expect_refused("a's claims, b's signature",
                   api_text("%.*s%s", (int)(sig_a - m.owner.token), m.owner.token, sig_b));
    api_close(&b);
    mint_close(&m);
}

/* Every single character changed: none of the variants is taken, also when the original was just used (cache). */
Test(tokens, no_changed_character_is_accepted)
{
    struct mint m = mint_open();
    cr_assert_eq(api_get(&m.owner, PROBE)->status, 200);
    size_t n = strlen(m.owner.token);
    struct api a = api_anonymous();
    char *changed = strdup(m.owner.token);
    for (size_t i = 0; i < n; i++) {
        char was = changed[i];
        changed[i] = was == 'A' ? 'B' : 'A';
        struct answer *r = api_send(&a, "GET", PROBE, NULL,
                                    api_text("Authorization: Bearer %s\r\n", changed));
        cr_expect_eq(r->status, 401, "character %zu changed: %d", i, r->status);
        changed[i] = was;
    }
    /* The last character of a 64-byte signature carries four unused bits: only zero is canonical. */
    for (const char *c = "BCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"; *c;
         c++) {
        if (*c == m.owner.token[n - 1]) {
            continue;
        }
        changed[n - 1] = *c;
        struct answer *r = api_send(&a, "GET", PROBE, NULL,
                                    api_text("Authorization: Bearer %s\r\n", changed));
        cr_expect_eq(r->status, 401, "last character %c: %d", *c, r->status);
    }
    printf("tokens: %zu changed characters\n", n);
    free(changed);
    api_close(&a);
    mint_close(&m);
}

Test(tokens, shapes_of_the_field)
{
    struct mint m = mint_open();
    const char *t = m.owner.token;
    char *long_token = malloc(9001);
    memset(long_token, 'A', 9000);
    long_token[9000] = '\0';
    const char *const fields[] = {
        "",
        "Authorization:\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Basic b3duZXI6eA==\r\n",
        api_text("Authorization: %s\r\n", t),
        api_text("Authorization: Basic %s\r\n", t),
        api_text("Authorization: Bearer %s.\r\n", t),
        api_text("Authorization: Bearer .%s\r\n", t),
        api_text("Authorization: Bearer %s=\r\n", t),
        api_text("Authorization: Bearer %s%s\r\n", t, t),
        api_text("Authorization: Bearer %s\r\n", m.owner.refresh),
        api_text("Authorization: Bearer %s\r\n", long_token),
        "Authorization: Bearer ..\r\n",
        "Authorization: Bearer a.b.c\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct api a = api_anonymous();
        struct answer *r = api_send(&a, "GET", PROBE, NULL, fields[i]);
        cr_expect_eq(r->status, 401, "field %zu: %d", i, r->status);
        cr_expect(answer_header(r, "www-authenticate") != NULL, "field %zu: no WWW-Authenticate",
                  i);
        api_close(&a);
    }
    struct api twice = api_anonymous();
    struct answer *r = api_send(
        &twice, "GET", PROBE, NULL,
        api_text("Authorization: Bearer %s\r\nAuthorization: Bearer %s\r\n", t, t));
    cr_expect(r->status == 400 || r->status == 401, "two fields: %d", r->status);
    api_close(&twice);
    free(long_token);
    mint_close(&m);
}

/* A receptionist reads and books, but does not run the practice. */
Test(tokens, a_receptionist_may_not_do_what_owners_do)
{
    struct mint m = mint_open();
    char *claims = with_member(m.claims, "role", "\"receptionist\"");
    char *token = forge_es256(m.real, m.header, claims);
    struct api staff = api_anonymous();
    snprintf(staff.token, sizeof staff.token, "%s", token);
    cr_expect_eq(api_get(&staff, "/api/v1/clients")->status, 200);
    struct answer *business = api_get(&staff, "/api/v1/business");
    cr_expect_eq(business->status, 200);
    int version = (int)answer_int(business, "version");
    cr_expect_eq(api_patch(&staff, "/api/v1/business", version, "{\"name\":\"Mine\"}")->status,
                 403);
    cr_expect_eq(api_post(&staff, "/api/v1/staff", "{\"name\":\"X\",\"role\":\"owner\"}")->status,
                 403);
    cr_expect_eq(
        api_post(&staff, "/api/v1/services", "{\"name\":\"X\",\"duration_min\":30}")->status, 403);
    free(claims);
    char *strange = with_member(m.claims, "role", "\"superuser\"");
    free(token);
    token = forge_es256(m.real, m.header, strange);
    int status = probe(token, PROBE)->status;
    cr_expect(status == 401 || status == 403, "an unknown role got %d", status);
    free(strange);
    free(token);
    api_close(&staff);
    mint_close(&m);
}

/* A token of a practice that does not exist (yet rightly signed) is no key to anything. */
Test(tokens, unknown_practice_is_refused)
{
    struct mint m = mint_open();
    char *claims = with_member(m.claims, "tenant", "\"01900000-0000-7000-8000-000000000000\"");
    char *token = forge_es256(m.real, m.header, claims);
    int status = probe(token, PROBE)->status;
    cr_expect(status == 401 || status == 403, "an unknown practice got %d", status);
    free(token);
    free(claims);
    mint_close(&m);
}

/* A token of exactly that many bytes: a further claim, which nobody reads, fills it up. malloc; NULL when base64 has
 * no such length. */
static char *sized_token(struct mint *m, size_t want)
{
    size_t fixed = (strlen(m->header) * 4 + 2) / 3 + 1 + 1 + 86;
    size_t least = strlen(m->claims) + strlen(",\"fill\":\"\"");
    for (size_t n = least; fixed + (n * 4 + 2) / 3 <= want; n++) {
        if (fixed + (n * 4 + 2) / 3 == want) {
            const char *fill = api_text("\"%*s\"", (int)(n - least), "");
            char *claims = with_member(m->claims, "fill", fill);
            char *token = forge_es256(m->real, m->header, claims);
            free(claims);
            return token;
        }
    }
    return NULL;
}

/* Status of the answer to a token of so many bytes, which comes before all of it is sent. */
static int send_huge(size_t n)
{
    struct http_client c;
    struct http_response r;
    char *token = malloc(n);
    memset(token, 'A', n);
    cr_assert(http_client_open(&c, "127.0.0.1", (int)strtol(getenv("GREMIO_PORT"), NULL, 10)));
    http_client_send_text(&c, "GET " PROBE " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ");
    (void)http_client_send(&c, token, n); /* the rest is not taken any more */
    int status = http_client_read(&c, false, &r) ? r.status : 0;
    http_response_free(&r);
    http_client_close(&c);
    free(token);
    return status;
}

/* 4,096 bytes and not one more; what is no header field at all any more is refused by the parser. */
Test(tokens, length_is_bounded)
{
    struct mint m = mint_open();
    static const struct {
        size_t bytes;
        int status;
    } rows[] = { { 4095, 200 }, { 4096, 200 }, { 4097, 401 }, { 4098, 401 }, { 9000, 401 } };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *token = sized_token(&m, rows[i].bytes);
        if (!token) { /* base64 has no such length */
            continue;
        }
        cr_assert_eq(strlen(token), rows[i].bytes);
        int status = probe(token, PROBE)->status;
        cr_expect_eq(status, rows[i].status, "%zu bytes: %d", rows[i].bytes, status);
        free(token);
    }
    cr_expect_eq(send_huge((size_t)12 << 20), 431);
    cr_expect_eq(api_get(&m.owner, PROBE)->status, 200, "the router is gone");
    mint_close(&m);
}

/* Signatures made of numbers that no signature may hold (r, s of 0, 1, n, p, 2^256 - 1), of DER, of other lengths. */
Test(tokens, psychic_signatures_are_refused)
{
    static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const char one[] = "0000000000000000000000000000000000000000000000000000000000000001";
    static const char n[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    static const char p[] = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    static const char top[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    const char *const halves[] = { zero, one, n, p, top };
    static const char *const whole[] = {
        "3006020100020100", "3006020101020101", "00", "30", "", "3080020100020100",
    };
    struct mint m = mint_open();
    size_t signed_n = (size_t)(strrchr(m.owner.token, '.') - m.owner.token);
    char text[200];
    for (size_t i = 0; i < ARRAY_LEN(halves) * ARRAY_LEN(halves) + ARRAY_LEN(whole); i++) {
        size_t pair = i - ARRAY_LEN(whole);
        const char *hex = i < ARRAY_LEN(whole) ? whole[i]
                                               : api_text("%s%s", halves[pair / ARRAY_LEN(halves)],
                                                          halves[pair % ARRAY_LEN(halves)]);
        unsigned char raw[64];
        size_t bytes = strlen(hex) / 2;
        cr_assert(str_unhex(slice_of(hex), raw, bytes) == OK);
        text[str_base64url(raw, bytes, text)] = '\0';
        expect_refused(hex, api_text("%.*s.%s", (int)signed_n, m.owner.token, text));
    }
    mint_close(&m);
}

/* What jwt_tool tries: each spelling of none, the public key as a secret, files and SQL as key names, keys brought
 * along in the header and really used. */
Test(tokens, playbook_of_known_tools)
{
    static const char *const nones[] = { "none", "None", "NONE", "nOnE", "none ", "", "null" };
    static const char *const kids[] = {
        "/dev/null",
        "../../../../../../dev/null",
        "x' UNION SELECT '1",
        "x|/bin/sleep 9",
        "http://127.0.0.1/k",
        "\\u0000",
        " ",
        "k1' OR kid IS NOT NULL ORDER BY 1",
        "%00",
    };
    static const char *const brought[] = {
        "\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        "\"jku\":\"http://127.0.0.1/jwks.json\"",
        "\"x5u\":\"http://127.0.0.1/cert.pem\"",
        "\"x5c\":[\"MIIB\"]",
        "\"crit\":[\"exp\"]",
        "\"crit\":[]",
        "\"zip\":\"DEF\"",
        "\"cty\":\"JWT\"",
    };
    struct mint m = mint_open();
    char *pem = forge_public_pem();
    for (size_t i = 0; i < ARRAY_LEN(nones); i++) {
        char *header = with_member(m.header, "alg", api_text("\"%s\"", nones[i]));
        char *bare = forge_unsigned(header, m.claims),
             *made = forge_es256(m.real, header, m.claims);
        expect_refused(nones[i], bare);
        expect_refused(nones[i], made);
        bare[strlen(bare) - 1] = '\0'; /* without its last dot */
        expect_refused(nones[i], bare);
        free(made);
        free(bare);
        free(header);
    }
    for (size_t i = 0; i < ARRAY_LEN(kids); i++) {
        char *named = with_member(m.header, "kid", api_text("\"%s\"", kids[i]));
        char *hs = with_member(named, "alg", "\"HS256\"");
        const struct slice secrets[] = { SLICE(""), SLICE("1"), slice_of(pem) };
        for (size_t k = 0; k < ARRAY_LEN(secrets); k++) {
            char *token = forge_hs256(secrets[k], hs, m.claims);
            expect_refused(kids[i], token);
            free(token);
        }
        char *token = forge_es256(m.real, named, m.claims);
        expect_refused(kids[i], token);
        free(token);
        free(hs);
        free(named);
    }
    for (size_t i = 0; i < ARRAY_LEN(brought); i++) {
        const char *header = api_text("{%s,%s", brought[i], m.header + 1);
        char *own = forge_es256(m.other, header, m.claims);
        char *real = forge_es256(m.real, header, m.claims);
        expect_refused(brought[i], own);
        expect_refused(brought[i], real);
        free(own);
        free(real);
    }
    free(pem);
    mint_close(&m);
}
