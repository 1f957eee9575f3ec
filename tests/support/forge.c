/* SPDX-License-Identifier: LicenseRef-Gremio */
/* JWS compact serialisation (RFC 7515) straight over OpenSSL, so that no library of the product judges itself. */
#include "tests/support/forge.h"

#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/conf.h"
#include "common/sbuf.h"
#include "common/secret.h"
#include "common/str.h"
#include "tests/support/db.h"
#include "tests/support/stack.h"

static void sealing_key(char key[SECRET_KEY_TEXT])
{
    char path[300];
    struct sbuf why;
    sbuf_init(&why);
    snprintf(path, sizeof path, "%s/secrets/sealing.key", stack_env("GREMIO_STATE"));
    cr_assert(conf_secret(path, key, SECRET_KEY_TEXT, &why) == OK, "%s", why.data ? why.data : "?");
    sbuf_fini(&why);
}

EVP_PKEY *forge_real_key(char kid[80])
{
    PGconn *super = db_super();
    char *name = db_value(super, "SELECT kid FROM public.signing_key WHERE state = 'active'", NULL);
    char *hex = db_value(
        super,
        "SELECT encode(private_sealed, 'hex') FROM public.signing_secret WHERE kid "
        "= $1",
        name, NULL);
    snprintf(kid, 80, "%s", name);
    size_t n = strlen(hex) / 2;
    char *sealed = malloc(n + 1), key[SECRET_KEY_TEXT];
    struct sbuf pem;
    sbuf_init(&pem);
    sealing_key(key);
    cr_assert(secret_init() == OK);
    cr_assert(str_unhex(slice_of(hex), sealed, n) == OK);
    cr_assert(secret_open(key, (struct slice){ .p = sealed, .n = n }, &pem) == OK);
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *out = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    cr_assert(out != NULL, "the sealed key is no PEM");
    BIO_free(bio);
    sbuf_fini(&pem);
    free(sealed);
    free(hex);
    free(name);
    PQfinish(super);
    return out;
}

char *forge_public_pem(void)
{
    PGconn *super = db_super();
    char *pem = db_value(super, "SELECT public_pem FROM public.signing_key WHERE state = 'active'",
                         NULL);
    PQfinish(super);
    return pem;
}

EVP_PKEY *forge_other_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    cr_assert(key != NULL);
    return key;
}

static void add_base64(struct sbuf *out, const void *data, size_t n)
{
    char *text = malloc(STR_BASE64_SIZE(n));
    sbuf_add(out, (struct slice){ .p = text, .n = str_base64url(data, n, text) });
    free(text);
}

static void add_signed_part(struct sbuf *out, const char *header, const char *payload)
{
    sbuf_init(out);
    add_base64(out, header, strlen(header));
    sbuf_char(out, '.');
    add_base64(out, payload, strlen(payload));
}

/* The buffer's text as the caller's own. */
static char *taken(struct sbuf *b)
{
    char *out = strndup(b->data, b->len);
    sbuf_fini(b);
    return out;
}

char *forge_es256(EVP_PKEY *key, const char *header, const char *payload)
{
    struct sbuf out;
    add_signed_part(&out, header, payload);
    unsigned char der[128], raw[64];
    size_t len = sizeof der;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    cr_assert(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) == 1);
    cr_assert(EVP_DigestSign(md, der, &len, (const unsigned char *)out.data, out.len) == 1);
    EVP_MD_CTX_free(md);
    const unsigned char *p = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
    ECDSA_SIG_free(sig);
    sbuf_char(&out, '.');
    add_base64(&out, raw, sizeof raw);
    return taken(&out);
}

char *forge_hs256(struct slice secret, const char *header, const char *payload)
{
    struct sbuf out;
    add_signed_part(&out, header, payload);
    unsigned char mac[32];
    HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)out.data, out.len, mac,
         NULL);
    sbuf_char(&out, '.');
    add_base64(&out, mac, sizeof mac);
    return taken(&out);
}

char *forge_unsigned(const char *header, const char *payload)
{
    struct sbuf out;
    add_signed_part(&out, header, payload);
    sbuf_char(&out, '.');
    return taken(&out);
}

char *forge_part(const char *token, int part)
{
    struct slice rest = slice_of(token), piece = { 0 };
    for (int i = 0; i <= part; i++) {
        piece = str_cut(&rest, '.');
    }
    char *out = calloc(1, piece.n + 1);
    size_t len = 0;
    cr_assert(str_base64url_decode(piece, out, piece.n, &len) == OK, "token part %d", part);
    out[len] = '\0';
    return out;
}
