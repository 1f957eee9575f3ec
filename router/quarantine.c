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

bool quarantine_key_of(const struct exchange *x, struct quarantine_key *out)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t method = (uint8_t)x->method;
    struct slice tenant = { (const char *)x->tenant.id.b, x->has_tenant ? 16 : 0 };
    bool good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && add_field(md, tenant) &&
                EVP_DigestUpdate(md, &method, sizeof(method)) == 1 && add_field(md, x->path) &&
                add_field(md, x->query) && add_field(md, x->body) &&
                EVP_DigestFinal_ex(md, out->digest, NULL) == 1;
    EVP_MD_CTX_free(md);
    return good;
}

static struct quarantine_cell *find(const struct quarantine *q, const struct quarantine_key *key,
                                    int64_t now_us)
{
    for (size_t i = 0; i < QUARANTINE_MAX; i++) {
        const struct quarantine_cell *c = &q->cells[i];
        if (c->until_us > now_us && memcmp(&c->key, key, sizeof(*key)) == 0) {
            return (struct quarantine_cell *)(uintptr_t)c;
        }
    }
    return NULL;
}

static struct quarantine_cell *find_like(const struct quarantine *q, const struct exchange *x,
                                         int64_t now_us)
{
    struct quarantine_key key;
    bool quiet = now_us >= q->last_until_us;
    return quiet || !quarantine_key_of(x, &key) ? NULL : find(q, &key, now_us);
}

static struct quarantine_cell *add(struct quarantine *q, const struct quarantine_key *key)
{
    struct quarantine_cell *c = &q->cells[q->next];
    q->next = (q->next + 1) % QUARANTINE_MAX;
    *c = (struct quarantine_cell){ .key = *key, .verdict = VERDICT_SUSPECT };
    return c;
}

enum verdict quarantine_blame(struct quarantine *q, const struct quarantine_key *key, bool alone,
                              int64_t now_us)
{
    struct quarantine_cell *c = find(q, key, now_us);
    if (!c) {
        c = add(q, key);
    } else if (alone) {
        c->verdict = VERDICT_CONVICTED;
    }
    c->until_us = now_us + QUARANTINE_SECONDS * INT64_C(1000000);
    q->last_until_us = c->until_us;
    return c->verdict;
}

void quarantine_clear(struct quarantine *q, const struct exchange *x, int64_t now_us)
{
    struct quarantine_cell *c = find_like(q, x, now_us);
    if (c && c->verdict == VERDICT_SUSPECT) {
        c->until_us = 0;
    }
}

enum verdict quarantine_look(const struct quarantine *q, const struct exchange *x, int64_t now_us)
{
    const struct quarantine_cell *c = find_like(q, x, now_us);
    return c ? c->verdict : VERDICT_NONE;
}
