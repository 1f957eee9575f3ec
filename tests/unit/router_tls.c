/* SPDX-License-Identifier: LicenseRef-Gremio */
/* TLS: a certificate made here, a client that checks it, reload, and clear refusals of unusable files. */
#include "router/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/log.h"
#include "http_rig.h"

static char cert_path[64], key_path[64];

static void write_pem(const char *path, X509 *cert, EVP_PKEY *key)
{
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    cr_assert(cert != NULL ? PEM_write_X509(f, cert)
                           : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
}

/* A self-signed certificate for name, and its key, into the two files. */
static void make_certificate(const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME *subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, subject);
    cr_assert(X509_sign(cert, key, EVP_sha256()) > 0);
    write_pem(cert_path, cert, NULL);
    write_pem(key_path, NULL, key);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void set_up(void)
{
    snprintf(cert_path, sizeof(cert_path), "/tmp/gremio-tls-%d.crt", (int)getpid());
    snprintf(key_path, sizeof(key_path), "/tmp/gremio-tls-%d.key", (int)getpid());
}

static void tear_down(void)
{
    unlink(cert_path);
    unlink(key_path);
}

TestSuite(tls, .init = set_up, .fini = tear_down);

static SSL_CTX *load(void)
{
    struct sbuf why;
    sbuf_init(&why);
    SSL_CTX *ctx = NULL;
    cr_assert_eq(tls_new(cert_path, key_path, &ctx, &why), OK, "%s", why.data);
    sbuf_fini(&why);
    return ctx;
}

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static struct client dial(struct rig *r, int max_version)
{
    struct client c = { .ctx = SSL_CTX_new(TLS_client_method()), .fd = rig_connect(r) };
    SSL_CTX_set_max_proto_version(c.ctx, max_version);
    c.ssl = SSL_new(c.ctx);
    SSL_set_fd(c.ssl, c.fd);
    return c;
}

static void hang_up(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
}

static bool waits(SSL *ssl, int result)
{
    int e = SSL_get_error(ssl, result);
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static bool shake(struct rig *r, struct client *c)
{
    int result = -1;
    RIG_UNTIL(r, (result = SSL_connect(c->ssl), result == 1 || !waits(c->ssl, result)));
    ERR_clear_error();
    return result == 1;
}

/* One request and its answer; total is how many bytes to expect at least. */
static size_t ask(struct rig *r, struct client *c, const char *text, char *out, size_t cap,
                  size_t total)
{
    size_t n = 0;
    cr_assert_eq(SSL_write(c->ssl, text, (int)strlen(text)), (int)strlen(text));
    RIG_UNTIL(r, ({
                  int got = SSL_read(c->ssl, out + n, (int)(cap - n - 1));
                  n += got > 0 ? (size_t)got : 0;
                  n >= total;
              }));
    out[n] = '\0';
    return n;
}

static void expect_name(struct client *c, const char *name)
{
    char got[64];
    X509 *cert = SSL_get1_peer_certificate(c->ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, got, sizeof(got));
    cr_expect_str_eq(got, name);
    X509_free(cert);
}

Test(tls, serves_and_reloads)
{
    static char text[RIG_BIG + 4096];
    struct rig r;
    rig_init(&r);
    make_certificate("first");
    SSL_CTX *ctx = load();
    rig_start(&r, ctx);
    tls_free(ctx);
    struct client one = dial(&r, TLS1_3_VERSION);
    cr_assert(shake(&r, &one));
    expect_name(&one, "first");
    ask(&r, &one, RIG_GET, text, sizeof(text), 60);
    cr_expect_eq(strncmp(text, "HTTP/1.1 200 OK", 15), 0);
    make_certificate("second");
    ctx = load();
    http_set_tls(r.server, ctx);
    tls_free(ctx);
    struct client two = dial(&r, TLS1_2_VERSION);
    cr_assert(shake(&r, &two));
    expect_name(&two, "second");
    ask(&r, &two, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n", text, sizeof(text), RIG_BIG + 100);
    ask(&r, &one, RIG_GET, text, sizeof(text), 60);
    hang_up(&one);
    hang_up(&two);
    RIG_UNTIL(&r, http_connections(r.server) == 0);
    rig_stop(&r);
}

Test(tls, errors_arrive_before_the_close)
{
    static char text[4096];
    struct rig r;
    rig_init(&r);
    make_certificate("a");
    SSL_CTX *ctx = load();
    rig_start(&r, ctx);
    tls_free(ctx);
    struct client c = dial(&r, TLS1_3_VERSION);
    cr_assert(shake(&r, &c));
    ask(&r, &c, "BAD\r\n\r\n", text, sizeof(text), 200);
    cr_expect_eq(strncmp(text, "HTTP/1.1 400", 12), 0);
    RIG_UNTIL(&r, (SSL_read(c.ssl, text, 1) <= 0 && SSL_get_shutdown(c.ssl) != 0));
    hang_up(&c);
    RIG_UNTIL(&r, http_connections(r.server) == 0);
    rig_stop(&r);
}

Test(tls, old_versions_and_silent_clients_are_dropped)
{
    struct rig r;
    rig_init(&r);
    r.limits.header_timeout = 300;
    make_certificate("a");
    SSL_CTX *ctx = load();
    rig_start(&r, ctx);
    tls_free(ctx);
    struct client old = dial(&r, TLS1_1_VERSION);
    cr_expect_not(shake(&r, &old));
    hang_up(&old);
    struct rig_in *plain = rig_ask(&r, SLICE(RIG_GET));
    struct rig_in *silent = rig_ask(&r, SLICE(""));
    RIG_UNTIL(&r, (rig_poll(plain), rig_poll(silent), plain->closed && silent->closed));
    cr_expect_eq(r.heads, 0);
    rig_hang_up(plain);
    rig_hang_up(silent);
    RIG_UNTIL(&r, http_connections(r.server) == 0);
    rig_stop(&r);
}

Test(tls, unusable_files_are_named)
{
    struct sbuf why;
    sbuf_init(&why);
    SSL_CTX *ctx = NULL;
    cr_expect_eq(tls_new("/nowhere.crt", key_path, &ctx, &why), E_CONFIG);
    cr_expect_not_null(strstr(why.data, "/nowhere.crt"), "%s", why.data);
    make_certificate("a");
    sbuf_fini(&why);
    cr_expect_eq(tls_new(cert_path, "/nowhere.key", &ctx, &why), E_CONFIG);
    cr_expect_not_null(strstr(why.data, "/nowhere.key"));
    EVP_PKEY *other = EVP_EC_gen("P-256");
    write_pem(key_path, NULL, other);
    EVP_PKEY_free(other);
    sbuf_fini(&why);
    cr_expect_eq(tls_new(cert_path, key_path, &ctx, &why), E_CONFIG);
    cr_expect_not_null(strstr(why.data, key_path), "%s", why.data);
    cr_expect_eq(ERR_peek_error(), 0);
    cr_expect_null(ctx);
    sbuf_fini(&why);
}
