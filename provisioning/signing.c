/* SPDX-License-Identifier: LicenseRef-Gremio */
/* P-256 through OpenSSL's EVP interface; JWK as RFC 7517 and 7518 6.2 write it. */
#include "provisioning/signing.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/secret.h"
#include "common/str.h"
#include "provisioning/db.h"

/* A fresh key in the forms the database holds. */
struct key {
    char kid[SIGNING_KID_MAX];
    struct sbuf public_pem, private_pem, jwk;
};

static void key_init(struct key *k)
{
    *k = (struct key){ 0 };
    sbuf_init(&k->public_pem);
    sbuf_init(&k->private_pem);
    sbuf_init(&k->jwk);
}

static void key_fini(struct key *k)
{
    if (k->private_pem.data) {
        OPENSSL_cleanse(k->private_pem.data, k->private_pem.cap);
    }
    sbuf_fini(&k->public_pem);
    sbuf_fini(&k->private_pem);
    sbuf_fini(&k->jwk);
}

static enum err pem_of(EVP_PKEY *pkey, bool private, struct sbuf *out)
{
    BIO *bio = BIO_new(private ? BIO_s_secmem() : BIO_s_mem());
    if (!bio) {
        return E_NOMEM;
    }
    int good = private ? PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)
                       : PEM_write_bio_PUBKEY(bio, pkey);
    char *data = NULL;
    long n = good == 1 ? BIO_get_mem_data(bio, &data) : 0;
    if (n > 0) {
        sbuf_add(out, (struct slice){ data, (size_t)n });
    }
    BIO_free(bio);
    return n > 0 && !sbuf_failed(out) ? OK : E_INTERNAL;
}

/* First 16 hex digits of SHA-256 over the DER of the public key (SubjectPublicKeyInfo). */
static enum err kid_of(EVP_PKEY *pkey, char kid[SIGNING_KID_MAX])
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(pkey, &der);
    if (n <= 0) {
        return E_INTERNAL;
    }
    uint8_t digest[32];
    secret_digest((struct slice){ (const char *)der, (size_t)n }, digest);
    str_hex(digest, (SIGNING_KID_MAX - 1) / 2, kid);
    OPENSSL_free(der);
    return OK;
}

/* One coordinate as 32 big-endian bytes in base64url. */
static enum err coordinate(EVP_PKEY *pkey, const char *name, char out[STR_BASE64_SIZE(32)])
{
    BIGNUM *n = NULL;
    unsigned char bytes[32];
    bool good = EVP_PKEY_get_bn_param(pkey, name, &n) == 1 &&
                BN_bn2binpad(n, bytes, sizeof(bytes)) == (int)sizeof(bytes);
    BN_free(n);
    if (good) {
        str_base64url(bytes, sizeof(bytes), out);
    }
    return good ? OK : E_INTERNAL;
}

static enum err jwk_of(EVP_PKEY *pkey, const char *kid, struct sbuf *out)
{
    char x[STR_BASE64_SIZE(32)];
    char y[STR_BASE64_SIZE(32)];
    TRY(coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_X, x));
    TRY(coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, y));
    sbuf_fmt(out,
             "{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"%s\","
             "\"x\":\"%s\",\"y\":\"%s\"}",
             kid, x, y);
    sbuf_char(out, '\0');
    return sbuf_failed(out) ? E_NOMEM : OK;
}

static enum err key_make(struct key *k)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    enum err e = pkey ? kid_of(pkey, k->kid) : E_INTERNAL;
    if (e == OK) {
        e = pem_of(pkey, false, &k->public_pem);
    }
    if (e == OK) {
        e = pem_of(pkey, true, &k->private_pem);
    }
    if (e == OK) {
        e = jwk_of(pkey, k->kid, &k->jwk);
    }
    EVP_PKEY_free(pkey);
    return e;
}

static enum err sealing_key(const struct settings *s, char out[SECRET_KEY_TEXT + 64],
                            struct sbuf *why)
{
    char path[512];
    TRY(settings_secret_path(s, "sealing.key", path, sizeof(path)));
    return conf_secret(path, out, SECRET_KEY_TEXT + 64, why);
}

/* The private half leaves this process only sealed. */
static enum err store(PGconn *c, const struct key *k, const char *state, const char *sealing,
                      struct sbuf *why)
{
    struct sbuf sealed, hex;
    sbuf_init(&sealed);
    sbuf_init(&hex);
    enum err e = secret_seal(sealing, sbuf_slice(&k->private_pem), &sealed);
    char *room = e == OK ? sbuf_room(&hex, sealed.len * 2 + 3) : NULL;
    if (e == OK && !room) {
        e = E_NOMEM;
    }
    if (e == OK) {
        memcpy(room, "\\x", 2);
        str_hex(sealed.data, sealed.len, room + 2);
        char pem[1024];
        e = str_copy(sbuf_slice(&k->public_pem), pem, sizeof(pem));
        const char *params[] = { k->kid, pem, k->jwk.data, room, state };
        if (e == OK) {
            e = pg_do(c,
                      "with k as (insert into public.signing_key"
                      " (kid, alg, public_pem, public_jwk, state)"
                      " values ($1, 'ES256', $2, $3::jsonb, $5) returning kid)"
                      " insert into public.signing_secret(kid, private_sealed)"
                      " select kid, $4::bytea from k",
                      5, params, why);
        }
    }
    sbuf_fini(&sealed);
    sbuf_fini(&hex);
    return e;
}

/* OK when the sealed text ("\x..." of bytea) opens with this installation's key. */
static enum err opens(const char *sealing, const char *text)
{
    struct sbuf sealed, plain;
    sbuf_init(&sealed);
    sbuf_init(&plain);
    size_t n = (strlen(text) - 2) / 2;
    char *room = sbuf_room(&sealed, n + 1);
    enum err e = room ? str_unhex(slice_of(text + 2), room, n) : E_NOMEM;
    if (e == OK) {
        e = secret_open(sealing, (struct slice){ room, n }, &plain);
    }
    if (plain.data) {
        OPENSSL_cleanse(plain.data, plain.cap);
    }
    sbuf_fini(&sealed);
    sbuf_fini(&plain);
    return e;
}

static enum err retire_active(PGconn *c, struct sbuf *why)
{
    return pg_do(c,
                 "update public.signing_key set state = 'retiring', changed_at = now()"
                 " where state = 'active'",
                 0, NULL, why);
}

/* Is there an active key that auth slots can open? Retires one that they cannot. */
static enum err look(PGconn *c, const char *sealing, char kid[SIGNING_KID_MAX], struct sbuf *why)
{
    PGresult *r;
    TRY(pg_ask(c,
               "select k.kid, s.private_sealed from public.signing_key k"
               " join public.signing_secret s using (kid) where k.state = 'active'",
               0, NULL, &r, why));
    enum err e = E_NOT_FOUND;
    if (PQntuples(r) == 1 && opens(sealing, PQgetvalue(r, 0, 1)) == OK) {
        e = str_copy(slice_of(PQgetvalue(r, 0, 0)), kid, SIGNING_KID_MAX);
    }
    PQclear(r);
    if (e == E_NOT_FOUND) {
        TRY(retire_active(c, why));
    }
    return e;
}

/* A fresh key of this state. */
static enum err make(PGconn *c, const char *state, const char *sealing, char kid[SIGNING_KID_MAX],
                     struct sbuf *why)
{
    struct key k;
    key_init(&k);
    enum err e = key_make(&k);
    if (e == OK) {
        e = store(c, &k, state, sealing, why);
    } else {
        sbuf_text(why, "OpenSSL could not make a P-256 key.");
    }
    if (e == OK) {
        memcpy(kid, k.kid, sizeof(k.kid));
    }
    key_fini(&k);
    return e;
}

/* A key that auth slots cannot open will never sign: sealing.key is another one. */
static enum err drop(PGconn *c, const char *kid, struct sbuf *why)
{
    return pg_do(c,
                 "with secret as (delete from public.signing_secret where kid = $1)"
                 " delete from public.signing_key where kid = $1",
                 1, &kid, why);
}

/* Kid and age in seconds of the key that is to sign next; kid "" when there is none. */
static enum err find_next(PGconn *c, const char *sealing, char kid[SIGNING_KID_MAX], long *age_s,
                          struct sbuf *why)
{
    PGresult *r;
    TRY(pg_ask(c,
               "select k.kid, extract(epoch from now() - k.changed_at)::bigint, s.private_sealed"
               " from public.signing_key k join public.signing_secret s using (kid)"
               " where k.state = 'next' order by k.changed_at limit 1",
               0, NULL, &r, why));
    bool found = PQntuples(r) == 1, good = found && opens(sealing, PQgetvalue(r, 0, 2)) == OK;
    enum err e = str_copy(slice_of(found ? PQgetvalue(r, 0, 0) : ""), kid, SIGNING_KID_MAX);
    *age_s = found ? strtol(PQgetvalue(r, 0, 1), NULL, 10) : 0;
    PQclear(r);
    if (e == OK && found && !good) {
        e = drop(c, kid, why);
        kid[0] = '\0';
    }
    return e;
}

static enum err ensure_next(PGconn *c, const char *sealing, char kid[SIGNING_KID_MAX],
                            struct sbuf *why)
{
    long age;
    TRY(find_next(c, sealing, kid, &age, why));
    return kid[0] ? OK : make(c, "next", sealing, kid, why);
}

enum err signing_ensure(PGconn *c, const struct settings *s, char kid[SIGNING_KID_MAX], bool *made,
                        struct sbuf *why)
{
    char sealing[SECRET_KEY_TEXT + 64], next[SIGNING_KID_MAX];
    TRY(sealing_key(s, sealing, why));
    enum err e = look(c, sealing, kid, why);
    *made = e == E_NOT_FOUND;
    if (*made) {
        e = make(c, "active", sealing, kid, why);
    }
    return e == OK ? ensure_next(c, sealing, next, why) : e;
}

/* ---- rotation ---- */

/* One at a time; and what nobody can need any more goes. */
static enum err begin_change(PGconn *c, struct sbuf *why)
{
    TRY(pg_do(c, "lock table public.signing_key in share row exclusive mode", 0, NULL, why));
    return pg_do(
        c,
        "with old as (select kid from public.signing_key"
        "  where state in ('retiring', 'revoked') and changed_at < now() - interval '" SIGNING_KEPT
        "'), secrets as (delete from public.signing_secret using old"
        "  where signing_secret.kid = old.kid)"
        " delete from public.signing_key using old where signing_key.kid = old.kid",
        0, NULL, why);
}

static enum err activate(PGconn *c, const char *kid, struct sbuf *why)
{
    TRY(retire_active(c, why));
    return pg_do(
        c, "update public.signing_key set state = 'active', changed_at = now() where kid = $1", 1,
        &kid, why);
}

enum err signing_rotate(PGconn *c, const struct settings *s, struct signing_rotation *out,
                        struct sbuf *why)
{
    char sealing[SECRET_KEY_TEXT + 64];
    long age = 0;
    *out = (struct signing_rotation){ 0 };
    TRY(sealing_key(s, sealing, why));
    TRY(begin_change(c, why));
    TRY(find_next(c, sealing, out->active, &age, why));
    if (out->active[0] && age < SIGNING_MEET_S) {
        sbuf_fmt(why,
                 "Key %s was published %ld s ago and some routers may not know it yet. Run this "
                 "again in %ld s.",
                 out->active, age, SIGNING_MEET_S - age);
        return E_STATE_CONFLICT;
    }
    if (out->active[0]) {
        TRY(activate(c, out->active, why));
    }
    return ensure_next(c, sealing, out->next, why);
}

enum err signing_revoke(PGconn *c, const struct settings *s, const char *kid,
                        struct signing_rotation *out, struct sbuf *why)
{
    char sealing[SECRET_KEY_TEXT + 64], state[DB_VALUE_MAX];
    *out = (struct signing_rotation){ 0 };
    TRY(sealing_key(s, sealing, why));
    TRY(begin_change(c, why));
    enum err e = db_value(
        c, "select state from public.signing_key where kid = $1 and state <> 'revoked'", kid, state,
        why);
    if (e == E_NOT_FOUND) {
        sbuf_fmt(why, "There is no key \"%.40s\" that is not revoked; see keys list.", kid);
    }
    TRY(e);
    TRY(pg_do(c,
              "with gone as (delete from public.signing_secret where kid = $1)"
              " update public.signing_key set state = 'revoked', changed_at = now() where kid = $1",
              1, &kid, why));
    if (strcmp(state, "active") == 0) {
        TRY(ensure_next(c, sealing, out->active, why));
        TRY(activate(c, out->active, why));
    }
    return ensure_next(c, sealing, out->next, why);
}
