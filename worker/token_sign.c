/* SPDX-License-Identifier: LicenseRef-Gremio */
/* ES256 with OpenSSL. The key is parsed once; a JWS wants r and s as two 32-byte numbers where OpenSSL gives DER. */
#include "worker/token_sign.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "common/str.h"

enum { NUMBER_BYTES = 32, SIGNATURE_BYTES = 2 * NUMBER_BYTES, DER_MAX = 80 };

struct token_signer {
    char kid[TOKEN_KID_MAX];
    EVP_PKEY *key;
};

static bool is_p256(EVP_PKEY *key)
{
    char group[32];
    size_t n;
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
           (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

static EVP_PKEY *read_key(struct slice pem)
{
    BIO *bio = pem.n < 1 << 16 ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    if (!bio) {
        return NULL;
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
    BIO_free(bio);
    return key;
}

enum err token_sign_open(struct token_signer **out, const char *kid, struct slice pem,
                         struct sbuf *why)
{
    struct token_signer *s = calloc(1, sizeof(*s));
    if (!s || str_copy(slice_of(kid), s->kid, sizeof(s->kid)) != OK) {
        sbuf_text(why, "the signing key's name is too long");
        goto fail;
    }
    s->key = read_key(pem);
    if (!s->key) {
        sbuf_fmt(why, "signing key %s is not a private key in PEM", kid);
        goto fail;
    }
    if (!is_p256(s->key)) {
        sbuf_fmt(why, "signing key %s is not on the curve P-256", kid);
        goto fail;
    }
    *out = s;
    return OK;
fail:
    token_sign_close(s);
    return E_CONFIG;
}

void token_sign_close(struct token_signer *s)
{
    if (s) {
        EVP_PKEY_free(s->key);
        free(s);
    }
}

const char *token_sign_kid(const struct token_signer *s)
{
    return s->kid;
}

static void add_base64url(struct sbuf *out, struct slice data)
{
    char *room = sbuf_room(out, STR_BASE64_SIZE(data.n));
    if (room) {
        sbuf_added(out, str_base64url(data.p, data.n, room));
    }
}

static void add_text(struct sbuf *b, const char *name, const char *value)
{
    sbuf_fmt(b, ",\"%s\":", name);
    sbuf_json(b, slice_of(value));
}

static void add_uuid(struct sbuf *b, const char *name, const struct uuid *id)
{
    char text[UUID_TEXT];
    uuid_format(id, text);
    add_text(b, name, text);
}

static void add_int(struct sbuf *b, const char *name, int64_t v)
{
    sbuf_fmt(b, ",\"%s\":", name);
    sbuf_int(b, v);
}

static void write_claims(struct sbuf *b, const struct token_claims *c)
{
    struct uuid jti = uuid_v7();
    sbuf_text(b, "{\"token_use\":\"access\"");
    add_text(b, "iss", c->issuer);
    add_text(b, "aud", c->audience);
    add_uuid(b, "sub", &c->account);
    add_int(b, "iat", c->issued_s);
    add_int(b, "nbf", c->issued_s);
    add_int(b, "exp", c->issued_s + c->ttl_s);
    add_uuid(b, "jti", &jti);
    add_uuid(b, "tenant", &c->tenant);
    add_uuid(b, "member", &c->member);
    add_uuid(b, "session", &c->session);
    add_text(b, "role", c->role);
    add_int(b, "epoch", c->epoch);
    add_int(b, "auth_time", c->proved_s);
    if (c->enrol) {
        sbuf_text(b, ",\"enrol\":true");
    }
    sbuf_char(b, '}');
}

/* DER to r || s, both padded to 32 bytes. */
static enum err flatten(const unsigned char *der, size_t n, unsigned char out[SIGNATURE_BYTES])
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool good = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, NUMBER_BYTES) == NUMBER_BYTES &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + NUMBER_BYTES, NUMBER_BYTES) ==
                    NUMBER_BYTES;
    ECDSA_SIG_free(pair);
    return good ? OK : E_INTERNAL;
}

static enum err sign(EVP_PKEY *key, struct slice text, unsigned char out[SIGNATURE_BYTES])
{
    unsigned char der[DER_MAX];
    size_t n = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(ctx, der, &n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? flatten(der, n, out) : E_INTERNAL;
}

enum err token_sign_make(const struct token_signer *s, const struct token_claims *claims,
                         struct sbuf *out)
{
    size_t start = out->len;
    struct sbuf json;
    sbuf_init(&json);
    sbuf_text(&json, "{\"alg\":\"ES256\",\"typ\":\"JWT\"");
    add_text(&json, "kid", s->kid);
    sbuf_char(&json, '}');
    add_base64url(out, sbuf_slice(&json));
    sbuf_char(out, '.');
    bool failed = sbuf_failed(&json);
    sbuf_reset(&json, SIZE_MAX);
    write_claims(&json, claims);
    add_base64url(out, sbuf_slice(&json));
    failed = failed || sbuf_failed(&json) || sbuf_failed(out);
    sbuf_fini(&json);
    if (failed) {
        return E_NOMEM;
    }
    unsigned char signature[SIGNATURE_BYTES];
    TRY(sign(s->key, (struct slice){ out->data + start, out->len - start }, signature));
    sbuf_char(out, '.');
    add_base64url(out, (struct slice){ (const char *)signature, sizeof(signature) });
    return sbuf_failed(out) ? E_NOMEM : OK;
}
