/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Builds the server context; every refusal names the file and OpenSSL's own reason. */
#include "router/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>

/* One sentence, and an empty error queue: bufferevents would take a stale entry for theirs. The oldest entry is the
 * cause; those after it only tell which part of the library passed it on. */
static enum err refuse(struct sbuf *why, const char *what, const char *file)
{
    unsigned long e = ERR_get_error();
    const char *text = ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e))
                                           : ERR_reason_error_string(e);
    sbuf_fmt(why, "%s %s: %s", what, file, text != NULL ? text : "unknown reason");
    ERR_clear_error();
    return E_CONFIG;
}

/* Nobody is there to type one: OpenSSL would ask on the terminal and wait. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    UNUSED(out);
    UNUSED(size);
    UNUSED(writing);
    UNUSED(arg);
    ERR_raise(ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ);
    return -1;
}

static void set_policy(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* TLS 1.2: forward secrecy and authenticated encryption only; TLS 1.3 has nothing else. */
    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"gremio", 6);
}

/* The only protocol spoken here; a client that offers others but not this one goes on without. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned int in_len, void *arg)
{
    static const unsigned char http11[] = "\x08http/1.1";
    (void)ssl;
    (void)arg;
    unsigned char *chosen = NULL;
    int found = SSL_select_next_proto(&chosen, out_len, http11, sizeof(http11) - 1, in, in_len);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

enum err tls_new(const char *certificate, const char *key, SSL_CTX **out, struct sbuf *why)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    enum err e = OK;
    if (ctx == NULL) {
        return refuse(why, "cannot start", "TLS");
    }
    set_policy(ctx);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1) {
        e = refuse(why, "cannot use the TLS certificate", certificate);
    } else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        e = refuse(why, "cannot use the TLS key", key);
    } else if (SSL_CTX_check_private_key(ctx) != 1) {
        e = refuse(why, "the TLS certificate does not belong to the key", key);
    }
    if (e != OK) {
        SSL_CTX_free(ctx);
        return e;
    }
    *out = ctx;
    return OK;
}

void tls_free(SSL_CTX *ctx)
{
    SSL_CTX_free(ctx);
}
