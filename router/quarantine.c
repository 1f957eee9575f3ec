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

static struct quarantine_cell *find(const struct quarantine *q, const uint8_t *digest,
                                    int64_t now_us)
{
    for (size_t i = 0; i < QUARANTINE_MAX; i++) {
        const struct quarantine_cell *c = &q->cells[i];
        if (c->until_us > now_us && memcmp(c->digest, digest, sizeof(c->digest)) == 0) {
            return (struct quarantine_cell *)(uintptr_t)c;
        }
    }
    return NULL;
}

static void set(struct quarantine *q, struct quarantine_cell *c, enum verdict verdict,
                int64_t now_us)
{
    c->verdict = verdict;
    c->until_us = now_us + QUARANTINE_SECONDS * INT64_C(1000000);
    q->last_until_us = c->until_us;
}

static struct quarantine_cell *add(struct quarantine *q, const uint8_t *digest)
{
    struct quarantine_cell *c = &q->cells[q->next];
    q->next = (q->next + 1) % QUARANTINE_MAX;
    memcpy(c->digest, digest, sizeof(c->digest));
    return c;
}

void quarantine_suspect(struct quarantine *q, const struct exchange *x, int64_t now_us)
{
    uint8_t digest[32];
    if (digest_of(x, digest) && !find(q, digest, now_us)) {
        set(q, add(q, digest), VERDICT_SUSPECT, now_us);
    }
}

void quarantine_convict(struct quarantine *q, const struct exchange *x, int64_t now_us)
{
    uint8_t digest[32];
    if (!digest_of(x, digest)) {
        return;
    }
    struct quarantine_cell *c = find(q, digest, now_us);
    if (!c || c->verdict != VERDICT_CLEARED) {
        set(q, c ? c : add(q, digest), VERDICT_CONVICTED, now_us);
    }
}

void quarantine_clear(struct quarantine *q, const struct exchange *x, int64_t now_us)
{
    uint8_t digest[32];
    if (now_us >= q->last_until_us || !digest_of(x, digest)) {
        return;
    }
    struct quarantine_cell *c = find(q, digest, now_us);
    if (c && c->verdict == VERDICT_SUSPECT) {
        set(q, c, VERDICT_CLEARED, now_us);
    }
}

bool quarantine_has(const struct quarantine *q, const struct exchange *x, int64_t now_us)
{
    uint8_t digest[32];
    if (now_us >= q->last_until_us || !digest_of(x, digest)) {
        return false;
    }
    const struct quarantine_cell *c = find(q, digest, now_us);
    return c && c->verdict == VERDICT_CONVICTED;
}
