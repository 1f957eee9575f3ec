/* SPDX-License-Identifier: LicenseRef-Gremio */
/* INSERT ... ON CONFLICT DO NOTHING waits for another transaction that holds the same key until it ends, at most
 * lock_timeout; whoever then finds the key taken reads what was stored. */
#include "worker/exact.h"

#include <sodium.h>
#include <stdio.h>

#include "common/str.h"
#include "worker/routes.h"

enum { OID_BYTEA = 17, OID_INT4 = 23, OID_TEXT = 25, OID_UUID = 2950 };

#define PURGE_EVERY 64 /* keyed requests of one slot between two sweeps of old keys */

static const struct stmt_plan key_take = {
    .id = STMT_ID_KEY_TAKE,
    .name = "key_take",
    .text = (char *)"INSERT INTO idempotency(actor, key, route, request_hash)"
                    " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    .count = 4,
    .types = { OID_UUID, OID_TEXT, OID_TEXT, OID_BYTEA },
};

static const struct stmt_plan key_read = {
    .id = STMT_ID_KEY_READ,
    .name = "key_read",
    .text = (char *)"SELECT request_hash = $3 AND route = $4, status, content, etag, location, body"
                    " FROM idempotency WHERE actor = $1 AND key = $2",
    .count = 4,
    .types = { OID_UUID, OID_TEXT, OID_BYTEA, OID_TEXT },
};

/* A guest's actor is the link: once that is over, nothing is shown again either. */
static const struct stmt_plan key_read_guest = {
    .id = STMT_ID_KEY_READ_GUEST,
    .name = "key_read_guest",
    .text = (char *)"SELECT request_hash = $3 AND route = $4, status, content, etag, location, body"
                    " FROM idempotency WHERE actor = $1 AND key = $2 AND EXISTS (SELECT"
                    " FROM access_link l JOIN client c ON c.id = l.client_id WHERE l.id = $1"
                    " AND l.revoked_at IS NULL AND l.expires_at > now() AND c.archived_at IS NULL)",
    .count = 4,
    .types = { OID_UUID, OID_TEXT, OID_BYTEA, OID_TEXT },
};

static const struct stmt_plan key_store = {
    .id = STMT_ID_KEY_STORE,
    .name = "key_store",
    .text = (char *)"UPDATE idempotency SET status = $3, content = $4, etag = $5, location = $6,"
                    " body = $7 WHERE actor = $1 AND key = $2",
    .count = 7,
    .types = { OID_UUID, OID_TEXT, OID_INT4, OID_TEXT, OID_TEXT, OID_TEXT, OID_TEXT },
};

/* Keys are kept for three days; a sweep takes a bounded bite and never waits. */
static const struct stmt_plan key_purge = {
    .id = STMT_ID_KEY_PURGE,
    .name = "key_purge",
    .text =
        (char *)"DELETE FROM idempotency WHERE (actor, key) IN (SELECT actor, key FROM idempotency"
                " WHERE created_at < now() - interval '72 hours' ORDER BY created_at LIMIT 200"
                " FOR UPDATE SKIP LOCKED)",
    .count = 0,
};

enum err exact_key(struct slice header, struct slice *key)
{
    struct slice k = str_trim(header);
    if (k.n >= 2 && k.p[0] == '"' && k.p[k.n - 1] == '"') {
        k.p++;
        k.n -= 2;
    }
    if (k.n == 0 || k.n > 255) {
        return E_BAD_PARAM;
    }
    for (size_t i = 0; i < k.n; i++) {
        if (k.p[i] <= ' ' || k.p[i] > '~' || k.p[i] == '"' || k.p[i] == '\\') {
            return E_BAD_PARAM;
        }
    }
    *key = k;
    return OK;
}

bool exact_wanted(const struct call *c)
{
    return c->req->idempotency_key.n > 0 && !method_is_safe(c->req->method) && c->req->has_tenant &&
           (c->req->principal.present || c->plan->by_slug) && c->plan->kind != KIND_AUTH;
}

/* What makes two requests the same: method, path, query, body. */
static char *request_hash(struct call *c)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state s;
    const char *method = method_name(c->req->method);
    const struct slice parts[] = { slice_of(method), c->req->path, c->req->query, c->req->body };
    crypto_hash_sha256_init(&s);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        uint64_t n = parts[i].n; /* lengths keep "a" + "bc" apart from "ab" + "c" */
        crypto_hash_sha256_update(&s, (const unsigned char *)&n, sizeof(n));
        crypto_hash_sha256_update(&s, (const unsigned char *)parts[i].p, parts[i].n);
    }
    crypto_hash_sha256_final(&s, hash);
    char *text = arena_take(c->arena, 2 + 2 * sizeof(hash) + 1);
    if (text) {
        memcpy(text, "\\x", 2);
        str_hex(hash, sizeof(hash), text + 2);
    }
    return text;
}

static bool is_guest(const struct call *c)
{
    return c->route->need == PERM_GUEST;
}

static enum err take_key(struct call *c, struct slice *k)
{
    if (exact_key(c->req->idempotency_key, k) != OK) {
        problem_add(&c->problem, "Idempotency-Key", "invalid_key",
                    "Debe tener de 1 a 255 caracteres ASCII visibles",
                    "It must have 1 to 255 visible ASCII characters");
        return E_BAD_PARAM;
    }
    return OK;
}

enum err exact_check(struct call *c)
{
    struct slice k;
    bool keyed = c->req->idempotency_key.n > 0 && !method_is_safe(c->req->method);
    return keyed ? take_key(c, &k) : OK;
}

/* actor and key as statement values, in arena. A stranger's actor is nobody. */
static enum err who_and_key(struct call *c, const char **actor, const char **key)
{
    struct slice k;
    TRY(take_key(c, &k));
    char *id = arena_take(c->arena, UUID_TEXT);
    *key = arena_text(c->arena, k);
    if (!id || !*key) {
        return E_NOMEM;
    }
    uuid_format(is_guest(c) ? &c->req->principal.session : &c->req->principal.member, id);
    *actor = id;
    return OK;
}

static struct slice cell_copy(struct call *c, const PGresult *r, int field)
{
    struct slice s = { .p = PQgetvalue(r, 0, field), .n = (size_t)PQgetlength(r, 0, field) };
    char *text = arena_text(c->arena, s);
    return text ? (struct slice){ .p = text, .n = s.n } : (struct slice){ 0 };
}

static enum err replay(struct call *c, const PGresult *r)
{
    int64_t status = 0;
    if (PQntuples(r) == 0) { /* its holder rolled back just now, or the link is over */
        return is_guest(c) ? E_LINK_EXPIRED : E_IDEMPOTENCY_BUSY;
    }
    if (PQgetvalue(r, 0, 0)[0] != 't') {
        return E_IDEMPOTENCY_MISMATCH;
    }
    if (str_int(slice_of(PQgetvalue(r, 0, 1)), 200, 599, &status) != OK) {
        return E_IDEMPOTENCY_BUSY;
    }
    bool json = strcmp(PQgetvalue(r, 0, 2), "json") == 0;
    c->reply = (struct frame_reply){
        .status = (uint16_t)status,
        .content = json ? CONTENT_JSON : CONTENT_NONE,
        .replayed = true,
        .etag = cell_copy(c, r, 3),
        .location = cell_copy(c, r, 4),
    };
    sbuf_reset(c->body, SIZE_MAX);
    sbuf_add(c->body,
             (struct slice){ .p = PQgetvalue(r, 0, 5), .n = (size_t)PQgetlength(r, 0, 5) });
    c->reply.body = sbuf_slice(c->body);
    return sbuf_failed(c->body) ? E_NOMEM : OK;
}

enum err exact_begin(struct call *c, bool *replayed)
{
    static unsigned since_purge;
    const char *actor, *key;
    const char *hash = request_hash(c);
    *replayed = false;
    TRY(hash ? who_and_key(c, &actor, &key) : E_NOMEM);
    const char *take[] = { actor, key, c->route->path, hash };
    PGresult *rows;
    enum err e = unit_ask(c->unit, &key_take, take, &rows);
    if (e == E_BUSY) {
        return c->unit->err = E_IDEMPOTENCY_BUSY; /* 55P03: still waiting for its holder */
    }
    TRY(e);
    if (unit_changed(rows)) {
        if (++since_purge % PURGE_EVERY == 0) {
            TRY(unit_ask(c->unit, &key_purge, NULL, &rows));
        }
        return OK;
    }
    const char *read[] = { actor, key, hash, c->route->path };
    TRY(unit_ask(c->unit, is_guest(c) ? &key_read_guest : &key_read, read, &rows));
    TRY(replay(c, rows));
    *replayed = true;
    return OK;
}

/* What is shown once is not written down. */
static const char *kept_part(struct call *c)
{
    char *text = arena_text(c->arena, (struct slice){ c->reply.body.p, c->kept + 1 });
    if (text) {
        text[c->kept] = '}';
    }
    return text;
}

enum err exact_store(struct call *c)
{
    const char *actor, *key;
    TRY(who_and_key(c, &actor, &key));
    char status[8];
    snprintf(status, sizeof(status), "%u", c->reply.status);
    const char *etag = arena_text(c->arena, c->reply.etag);
    const char *location = arena_text(c->arena, c->reply.location);
    const char *body = c->kept ? kept_part(c) : arena_text(c->arena, c->reply.body);
    if (!etag || !location || !body) {
        return E_NOMEM;
    }
    const char *values[] = {
        actor, key, status, c->reply.content == CONTENT_JSON ? "json" : "none", etag, location, body
    };
    return unit_tell(c->unit, &key_store, values); /* travels with the end of the transaction */
}
