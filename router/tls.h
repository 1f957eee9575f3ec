/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The server's TLS context (OpenSSL): TLS 1.2 and 1.3, certificate and key from PEM files. */
#ifndef GREMIO_TLS_H
#define GREMIO_TLS_H

#include <openssl/ssl.h>

#include "common/err.h"
#include "common/sbuf.h"

/* A context with the certificate chain and its private key, which must fit each other. On E_CONFIG *out is untouched and
 * why holds one sentence. The caller owns *out (tls_free); http_new and http_set_tls take a reference of their own. */
MUST_USE enum err tls_new(const char *certificate, const char *key, SSL_CTX **out,
                          struct sbuf *why);
void tls_free(SSL_CTX *ctx);

#endif
