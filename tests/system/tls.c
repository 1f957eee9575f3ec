/* SPDX-License-Identifier: LicenseRef-Gremio */
/* TLS from outside: a client that trusts one certificate only, old versions, renewal by SIGHUP, broken files that must
 * change nothing, and clients that speak something else. */
#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sbuf.h"
#include "tests/support/api.h"
#include "tests/support/stack.h"
#include "tests/support/wait.h"

#define NAME "gremio.test"
/* With two router processes, so many connections in a row do not all go to the same one. */
#define IN_A_ROW 24

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

/* The router under test, and the files it was given; of this test's process alone. */
static struct {
    pid_t pid;
    int port;
    char certificate[200], key[200], conf[40], log[40];
} router;

static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
}

TestSuite(tls, .init = set_up, .timeout = 180);

/* ---- certificates ---- */

/* A self-signed certificate for NAME. */
static struct identity identity_new(EVP_PKEY *key)
{
    struct identity i = { .key = key, .certificate = X509_new() };
    X509 *c = i.certificate;
    X509_set_version(c, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
    X509_gmtime_adj(X509_getm_notBefore(c), -60);
    X509_gmtime_adj(X509_getm_notAfter(c), 3600);
    X509_set_pubkey(c, key);
    X509_NAME *subject = X509_get_subject_name(c);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)NAME, -1, -1, 0);
    X509_set_issuer_name(c, subject);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" NAME);
    cr_assert(names && X509_add_ext(c, names, -1) == 1);
    X509_EXTENSION_free(names);
    cr_assert(X509_sign(c, key, EVP_sha256()) > 0);
    return i;
}

static void identity_free(struct identity *i)
{
    X509_free(i->certificate);
    EVP_PKEY_free(i->key);
}

/* Puts a file in place of another in one step, as a renewal does. */
static void install(const char *path, const void *bytes, size_t n)
{
    char *fresh = api_text("%s.new", path);
    FILE *f = fopen(fresh, "we");
    cr_assert(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    cr_assert_eq(chmod(fresh, 0600), 0);
    cr_assert_eq(rename(fresh, path), 0);
}

static void install_bio(const char *path, BIO *pem)
{
    char *bytes;
    long n = BIO_get_mem_data(pem, &bytes);
    install(path, bytes, (size_t)n);
    BIO_free(pem);
}

static void install_certificate(const struct identity *i)
{
    BIO *pem = BIO_new(BIO_s_mem());
    cr_assert_eq(PEM_write_bio_X509(pem, i->certificate), 1);
    install_bio(router.certificate, pem);
}

static void install_key(const struct identity *i)
{
    BIO *pem = BIO_new(BIO_s_mem());
    cr_assert_eq(PEM_write_bio_PrivateKey(pem, i->key, NULL, NULL, 0, NULL, NULL), 1);
    install_bio(router.key, pem);
}

/* Behind a passphrase. */
static void install_locked_key(const struct identity *i)
{
    BIO *pem = BIO_new(BIO_s_mem());
    cr_assert_eq(PEM_write_bio_PrivateKey(pem, i->key, EVP_aes_128_cbc(),
                                          (const unsigned char *)"secret", 6, NULL, NULL),
                 1);
    install_bio(router.key, pem);
}

static void install_identity(const struct identity *i)
{
    install_certificate(i);
    install_key(i);
}

/* ---- client ---- */

/* Trusts that one certificate, for NAME. */
static SSL_CTX *client_new(const struct identity *trusted)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    cr_assert_eq(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), trusted->certificate), 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(ctx), NAME, 0);
    return ctx;
}

/* A connection to the router under test; false when the handshake fails, why is in OpenSSL's queue. */
static bool dial(struct http_client *c, SSL_CTX *ctx)
{
    ERR_clear_error();
    cr_assert(http_client_open(c, stack_host(), router.port));
    if (http_client_tls(c, ctx)) {
        return true;
    }
    http_client_close(c);
    return false;
}

/* Status of a GET on a connection of its own; 0 when the certificate is not trusted. */
static int status_of(SSL_CTX *ctx, const char *path)
{
    struct http_client c;
    struct http_response r = { 0 };
    if (!dial(&c, ctx)) {
        return 0;
    }
    http_client_send_text(&c, api_text("GET %s HTTP/1.1\r\nHost: " NAME "\r\n\r\n", path));
    cr_expect(http_client_read(&c, false, &r), "no answer to GET %s", path);
    int status = r.status;
    http_response_free(&r);
    http_client_close(&c);
    return status;
}

static bool is_ready(void *ctx)
{
    return status_of(ctx, "/readyz") == 200;
}

/* Every process of the router serves what ctx trusts. */
static bool serves(void *ctx)
{
    int good = 0;
    while (good < IN_A_ROW && status_of(ctx, "/healthz") == 200) {
        good++;
    }
    return good == IN_A_ROW;
}

/* ---- router ---- */

/* The stack's configuration with lines added, as the router's own. */
static void write_conf(const char *more)
{
    struct sbuf text;
    char piece[4096];
    sbuf_init(&text);
    FILE *f = fopen(api_text("%s/conf/router.conf", stack_env("GREMIO_STATE")), "re");
    cr_assert(f);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) {
        sbuf_add(&text, (struct slice){ piece, n });
    }
    fclose(f);
    sbuf_text(&text, more);
    install(api_text("%s/conf/%s", stack_env("GREMIO_STATE"), router.conf), text.data, text.len);
    sbuf_fini(&text);
}

/* Two processes that serve the identity; setting: one more, or NULL. */
static void router_start(const char *name, const struct identity *i, const char *setting)
{
    char *dir = api_text("%s/%s", stack_env("GREMIO_STATE"), name);
    cr_assert_eq(mkdir(dir, 0700), 0);
    snprintf(router.certificate, sizeof router.certificate, "%s/router.crt", dir);
    snprintf(router.key, sizeof router.key, "%s/router.key", dir);
    snprintf(router.conf, sizeof router.conf, "%s.conf", name);
    install_identity(i);
    write_conf("");
    const char *const overrides[] = { api_text("tls_certificate=%s", router.certificate),
                                      api_text("tls_key=%s", router.key), "processes=2", setting,
                                      NULL };
    router.pid = stack_spawn_router(router.conf, overrides, &router.port);
    snprintf(router.log, sizeof router.log, "router-%d.log", router.port);
}

static bool listens(void *arg)
{
    UNUSED(arg);
    struct http_client c;
    bool open = http_client_open(&c, stack_host(), router.port);
    http_client_close(&c);
    return open;
}

static void router_wait(SSL_CTX *ctx)
{
    cr_assert(wait_until(listens, NULL, WAIT_LONG_MS), "the router does not listen");
    cr_assert(wait_until(is_ready, ctx, WAIT_LONG_MS), "the router does not become ready");
}

static void router_end(void)
{
    cr_expect_eq(stack_stop(router.pid, SIGTERM), 0, "exit code of the router");
    api_release();
}

/* The sum names the set well enough: a process that died is replaced by one with a higher number. */
static long processes(void)
{
    pid_t found[4];
    cr_expect_eq(stack_children(router.pid, "", found, ARRAY_LEN(found)), 2);
    return (long)found[0] + found[1];
}

static bool all_processes_run(void *arg)
{
    UNUSED(arg);
    pid_t found[4];
    return stack_children(router.pid, "", found, ARRAY_LEN(found)) == 2;
}

static pid_t one_process(void)
{
    pid_t found[4] = { 0 };
    cr_assert_geq(stack_children(router.pid, "", found, ARRAY_LEN(found)), 1);
    return found[0];
}

/* ---- tests ---- */

/* A handshake with these bounds; the reason it was refused for, 0 when it was not. */
static int refusal(const struct identity *i, int version, const char *ciphers)
{
    SSL_CTX *ctx = client_new(i);
    struct http_client c;
    SSL_CTX_set_security_level(ctx, 0); /* this client would go lower than the server */
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    cr_assert_eq(SSL_CTX_set_cipher_list(ctx, ciphers), 1);
    int reason = dial(&c, ctx) ? 0 : ERR_GET_REASON(ERR_peek_error());
    if (reason == 0) {
        cr_expect_eq(SSL_version(c.ssl), version);
        http_client_close(&c);
    }
    SSL_CTX_free(ctx);
    return reason;
}

Test(tls, only_new_versions_and_good_ciphers)
{
    struct identity i = identity_new(EVP_RSA_gen(2048));
    SSL_CTX *ctx = client_new(&i);
    router_start("tls-versions", &i, NULL);
    router_wait(ctx);
    const char *const any = "ALL:@SECLEVEL=0";
    cr_expect_eq(refusal(&i, TLS1_3_VERSION, any), 0);
    cr_expect_eq(refusal(&i, TLS1_2_VERSION, any), 0);
    cr_expect_eq(refusal(&i, TLS1_1_VERSION, any), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
    cr_expect_eq(refusal(&i, TLS1_VERSION, any), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
    /* No forward secrecy; no authenticated encryption. */
    cr_expect_eq(refusal(&i, TLS1_2_VERSION, "AES128-GCM-SHA256"),
                 SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
    cr_expect_eq(refusal(&i, TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA"),
                 SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
    cr_expect_eq(status_of(ctx, "/healthz"), 200);
    router_end();
    SSL_CTX_free(ctx);
    identity_free(&i);
}

/* Logs in over the connection, which becomes the caller's. */
static struct api login(SSL_CTX *ctx)
{
    struct api a = api_anonymous();
    cr_assert(dial(&a.http, ctx), "no handshake");
    struct answer *r = api_post(&a, "/api/v1/auth/login", "{\"email\":\"%s\",\"password\":\"%s\"}",
                                OWNER_A, stack_password());
    cr_assert_eq(r->status, 200, "%d %s", r->status, r->http.body);
    snprintf(a.token, sizeof a.token, "%s", answer_text(r, "access_token"));
    return a;
}

/* Requests and answers of many records each go through whole. */
Test(tls, serves_the_api)
{
    struct identity i = identity_new(EVP_EC_gen("P-256"));
    SSL_CTX *ctx = client_new(&i);
    router_start("tls-api", &i, NULL);
    router_wait(ctx);
    stack_use_port(router.port);
    struct api a = login(ctx);
    struct answer *r = api_get(&a, "/api/v1/me");
    cr_expect_eq(r->status, 200, "%d", r->status);
    cr_expect(strstr(r->http.body, OWNER_A), "%s", r->http.body);
    char *huge = api_text("{\"given_name\":\"%0*d\"}", 60000, 0);
    r = api_post(&a, "/api/v1/clients", "%s", huge);
    cr_expect_eq(r->status, 422, "%d %s", r->status, r->http.body);
    cr_expect(answer_blames(r, "/given_name"), "%s", r->http.body);
    r = api_get(&a, "/api/openapi.json");
    cr_expect_eq(r->status, 200);
    cr_expect(r->json && r->http.body_len > 32768, "%zu bytes", r->http.body_len);
    cr_expect_eq(a.http.answered, 4, "the connection was not kept");
    /* The end is said inside TLS: nobody can cut an answer short unseen. */
    http_client_send_text(&a.http, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    struct http_response last;
    cr_assert(http_client_read(&a.http, false, &last));
    cr_expect(http_client_at_end(&a.http));
    cr_expect(SSL_get_shutdown(a.http.ssl) & SSL_RECEIVED_SHUTDOWN, "no close_notify");
    http_response_free(&last);
    api_close(&a);
    router_end();
    SSL_CTX_free(ctx);
    identity_free(&i);
}

/* From one kind of key to another, under a connection that stays. */
Test(tls, hup_takes_a_renewed_certificate)
{
    struct identity old = identity_new(EVP_EC_gen("P-256"));
    struct identity renewed = identity_new(EVP_RSA_gen(2048));
    SSL_CTX *trusts_old = client_new(&old), *trusts_renewed = client_new(&renewed);
    router_start("tls-renewal", &old, NULL);
    router_wait(trusts_old);
    stack_use_port(router.port);
    long before = processes();
    struct api a = login(trusts_old);
    cr_expect(serves(trusts_old));
    install_identity(&renewed);
    cr_expect(serves(trusts_old), "files were taken without SIGHUP");
    kill(router.pid, SIGHUP);
    cr_assert(wait_until(serves, trusts_renewed, WAIT_LONG_MS), "SIGHUP changed nothing");
    cr_expect_eq(status_of(trusts_old, "/healthz"), 0, "the old certificate is still served");
    cr_expect_eq(api_get(&a, "/api/v1/me")->status, 200, "an open connection was dropped");
    cr_expect_eq(a.http.answered, 2);
    cr_expect_eq(processes(), before);
    api_close(&a);
    router_end();
    SSL_CTX_free(trusts_old);
    SSL_CTX_free(trusts_renewed);
    identity_free(&old);
    identity_free(&renewed);
}

static const char *expected;

static bool log_says_expected(void *arg)
{
    UNUSED(arg);
    return stack_log_has(router.log, expected);
}

/* SIGHUP with the files as they are now: refused for that reason, and everything is as before. */
static void expect_refused(const char *reason, SSL_CTX *still_trusted)
{
    expected = api_text("cannot use the TLS %s", reason);
    cr_expect_not(log_says_expected(NULL), "the log already says: %s", expected);
    kill(router.pid, SIGHUP);
    cr_expect(wait_until(log_says_expected, NULL, WAIT_LONG_MS), "the log does not say: %s",
              expected);
    cr_expect(serves(still_trusted), "after: %s", expected);
    cr_expect_neq(status_of(still_trusted, api_text("/%01000d", 0)), 414,
                  "half of a bad reload was taken after: %s", expected);
}

/* Each time a setting changes in the same reload: it must not come through alone. */
Test(tls, hup_with_broken_files_changes_nothing)
{
    struct identity old = identity_new(EVP_EC_gen("P-256"));
    struct identity renewed = identity_new(EVP_EC_gen("P-256"));
    SSL_CTX *trusts_old = client_new(&old), *trusts_renewed = client_new(&renewed);
    router_start("tls-broken", &old, NULL);
    router_wait(trusts_old);
    long before = processes();
    struct http_client open;
    cr_assert(dial(&open, trusts_old));
    write_conf("request_line_max = 600\n");
    install(router.certificate, "not a certificate\n", 18);
    expect_refused(api_text("certificate %s: no start line", router.certificate), trusts_old);
    install(router.certificate, "-----BEGIN CERTIFICATE-----\nMIIB", 32);
    expect_refused(api_text("certificate %s: bad end line", router.certificate), trusts_old);
    cr_assert_eq(unlink(router.certificate), 0);
    expect_refused(api_text("certificate %s: No such file", router.certificate), trusts_old);
    install_certificate(&old);
    install(router.key, "not a key\n", 10);
    expect_refused(api_text("key %s: unsupported", router.key), trusts_old);
    install_locked_key(&old);
    expect_refused(api_text("key %s: bad password read", router.key), trusts_old);
    install_key(&old);
    install_certificate(&renewed); /* a renewal that got half-way */
    expect_refused(api_text("key %s: key values mismatch", router.key), trusts_old);
    cr_expect_eq(processes(), before);
    struct http_response r;
    http_client_send_text(&open, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    cr_assert(http_client_read(&open, false, &r), "an open connection was dropped");
    cr_expect_eq(r.status, 200);
    http_response_free(&r);
    http_client_close(&open);
    install_key(&renewed); /* and now the other half */
    kill(router.pid, SIGHUP);
    cr_expect(wait_until(serves, trusts_renewed, WAIT_LONG_MS));
    cr_expect_eq(status_of(trusts_renewed, api_text("/%01000d", 0)), 414);
    router_end();
    SSL_CTX_free(trusts_old);
    SSL_CTX_free(trusts_renewed);
    identity_free(&old);
    identity_free(&renewed);
}

static bool process_was_refused(void *arg)
{
    UNUSED(arg);
    return stack_log_has(router.log, "tls_refused");
}

/* A process that dies while the files are broken cannot come back; the others go on, and it returns with good files. */
Test(tls, a_death_during_a_renewal_stops_nothing)
{
    struct identity i = identity_new(EVP_EC_gen("P-256"));
    SSL_CTX *ctx = client_new(&i);
    router_start("tls-death", &i, NULL);
    router_wait(ctx);
    install(router.certificate, "half a certificate", 18);
    kill(one_process(), SIGKILL);
    cr_assert(wait_until(process_was_refused, NULL, WAIT_LONG_MS));
    cr_expect_eq(kill(router.pid, 0), 0, "the whole router ended");
    install_certificate(&i);
    cr_assert(wait_until(all_processes_run, NULL, WAIT_LONG_MS), "it did not come back");
    cr_expect(serves(ctx));
    router_end();
    SSL_CTX_free(ctx);
    identity_free(&i);
}

/* Bytes that are no handshake: the connection ends without an answer in the clear. */
static void expect_dropped(const char *bytes, size_t n)
{
    struct http_client c;
    struct http_response r;
    cr_assert(http_client_open(&c, stack_host(), router.port));
    int64_t begin = wait_now_ms();
    http_client_send(&c, bytes, n);
    cr_expect_not(http_client_read(&c, false, &r), "answered in the clear");
    cr_expect_lt(wait_now_ms() - begin, c.timeout_ms, "%zu bytes are left hanging", n);
    cr_expect_leq(c.len, 7, "more than one alert"); /* a record's 5 bytes and 2 of alert */
    http_client_close(&c);
}

Test(tls, other_protocols_are_dropped)
{
    struct identity i = identity_new(EVP_EC_gen("P-256"));
    SSL_CTX *ctx = client_new(&i);
    router_start("tls-plain", &i, "header_timeout=2s");
    router_wait(ctx);
    long before = processes();
    static const char plain[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char post[] = "POST /api/v1/auth/login HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
    static const char http2[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const char half_hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    char *flood = api_text("GET /%0*d", 200000, 0);
    for (int round = 0; round < IN_A_ROW; round++) {
        expect_dropped(plain, sizeof plain - 1);
        expect_dropped(post, sizeof post - 1);
        expect_dropped(http2, sizeof http2 - 1);
        expect_dropped(flood, strlen(flood));
    }
    expect_dropped("GE", 2); /* too short to tell: dropped by the time-out */
    expect_dropped("", 0);
    expect_dropped(half_hello, sizeof half_hello - 1);
    cr_expect(serves(ctx));
    cr_expect_eq(processes(), before, "a router process died");
    router_end();
    SSL_CTX_free(ctx);
    identity_free(&i);
}

/* What cannot be served is told before anything listens. */
Test(tls, a_start_with_broken_files_says_why)
{
    struct identity i = identity_new(EVP_EC_gen("P-256")),
                    other = identity_new(EVP_EC_gen("P-256"));
    router_start("tls-start", &i, NULL);
    SSL_CTX *ctx = client_new(&i);
    router_wait(ctx);
    router_end();
    install_key(&other);
    const char *const overrides[] = { api_text("tls_certificate=%s", router.certificate),
                                      api_text("tls_key=%s", router.key), NULL };
    pid_t pid = stack_spawn_router(router.conf, overrides, &router.port);
    cr_expect_eq(stack_stop(pid, 0), 2, "exit code");
    cr_expect(stack_log_has(api_text("router-%d.log", router.port),
                            api_text("gremio-router: cannot use the TLS key %s: ", router.key)));
    SSL_CTX_free(ctx);
    identity_free(&i);
    identity_free(&other);
    api_release();
}
