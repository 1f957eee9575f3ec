/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A small ring of SHA-256 digests. Fields are length-prefixed, so no two requests share a digest's input. */
#include "router/quarantine.h"

#include <openssl/evp.h>

static bool add_field(EVP_MD_CTX *md, struct slice s)
{
    uint64_t n = s.n;
    return EVP_DigestUpdate(md, &n, sizeof(n)) == 1 &&
           (s.n == 0 || EVP_DigestUpdate(md, s.p, s.n) == 1);
}

static bool digest_of(const struct exchange *x, uint8_t out[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t method = (uint8_t)x->method;
    struct slice tenant = { (const char *)x->tenant.id.b, x->has_tenant ? 16 : 0 };
    bool good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && add_field(md, tenant) &&
                EVP_DigestUpdate(md, &method, sizeof(method)) == 1 && add_field(md, x->path) &&
                add_field(md, x->query) && add_field(md, x->body) &&
                EVP_DigestFinal_ex(md, out, NULL) == 1;
    EVP_MD_CTX_free(md);
    return good;
}

void quarantine_add(struct quarantine *q, const struct exchange *x, int64_t until_us)
{
    uint8_t digest[32];
    if (digest_of(x, digest)) {
        memcpy(q->cells[q->next].digest, digest, sizeof(digest));
        q->cells[q->next].until_us = until_us;
        q->last_until_us = until_us;
        q->next = (q->next + 1) % QUARANTINE_MAX;
    }
}

bool quarantine_has(const struct quarantine *q, const struct exchange *x, int64_t now_us)
{
    uint8_t digest[32];
    if (now_us >= q->last_until_us || !digest_of(x, digest)) {
        return false;
    }
    for (size_t i = 0; i < QUARANTINE_MAX; i++) {
        if (q->cells[i].until_us > now_us &&
            memcmp(q->cells[i].digest, digest, sizeof(digest)) == 0) {
            return true;
        }
    }
    return false;
}
