/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Makes tokens the product never would: with the real signing key (opened as the installation's administrator could)
 * or with any other, over any header and claims. */
#ifndef GREMIO_TEST_FORGE_H
#define GREMIO_TEST_FORGE_H

#include <openssl/evp.h>

#include "common/base.h"

/* The active signing key, unsealed with the state folder's sealing key; its kid in kid. EVP_PKEY_free is the
 * caller's. The test fails when it cannot be had. */
EVP_PKEY *forge_real_key(char kid[80]);
/* Public half of the active key as stored for the router (PEM); malloc. */
char *forge_public_pem(void);
/* A fresh P-256 key that nobody knows. */
EVP_PKEY *forge_other_key(void);

/* header.payload.signature with ES256; malloc. */
char *forge_es256(EVP_PKEY *key, const char *header, const char *payload);
/* The same with HMAC-SHA-256 over secret. */
char *forge_hs256(struct slice secret, const char *header, const char *payload);
/* header.payload. with an empty signature. */
char *forge_unsigned(const char *header, const char *payload);
/* JSON of part 0 (header) or 1 (claims) of a token; malloc. */
char *forge_part(const char *token, int part);

#endif
