/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Few round trips: facts, directory row, roles and schema (the server works while the password is hashed here),
 * people in one statement, commit. */
#include "provisioning/practice.h"

#include <stdio.h>

#include "common/secret.h"
#include "common/str.h"
#include "provisioning/db.h"
#include "provisioning/roles.h"

/* State of one creation. */
struct making {
    PGconn *db;
    const struct practice_spec *spec;
    const struct practice_how *how;
    struct practice_made *made;
    struct sbuf *why;
    bool pool_exists;
    bool has_password; /* the account exists and keeps its own */
    char account_id[UUID_TEXT];
    char hash[ACCOUNT_HASH_MAX];
    enum err hashed;
};

static bool in_range(char c, char low, char high)
{
    return c >= low && c <= high;
}

/* pattern: 'A' an upper-case letter, 'a' a lower-case one, anything else itself. */
static bool shaped(const char *text, const char *pattern)
{
    for (; *pattern; pattern++, text++) {
        bool fits = *pattern == 'A'   ? in_range(*text, 'A', 'Z')
                    : *pattern == 'a' ? in_range(*text, 'a', 'z')
                                      : *text == *pattern;
        if (!fits) {
            return false;
        }
    }
    return *text == '\0';
}

static bool name_valid(const char *text)
{
    struct slice s = slice_of(text);
    if (!str_utf8_valid(s) || str_utf8_len(s) < 1 || str_utf8_len(s) > 120 ||
        str_trim(s).n != s.n) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool sector_valid(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        bool fits = in_range(text[i], 'a', 'z') ||
                    (i > 0 && (in_range(text[i], '0', '9') || text[i] == '_' || text[i] == '-'));
        if (!fits) {
            return false;
        }
    }
    return n >= 2 && n <= 40;
}

/* "UTC" or an IANA "Area/Place". Digits only in Etc/GMT+5: PostgreSQL would read "Abc/Def5" as an offset of its own. */
static bool zone_valid(const char *text)
{
    struct slice rest = slice_of(text);
    bool etc = str_starts(rest, SLICE("Etc/GMT"));
    size_t parts = 0;
    if (rest.n == 0 || rest.n > 60) {
        return false;
    }
    while (rest.n > 0) {
        struct slice part = str_cut(&rest, '/');
        if (part.n == 0 || !in_range(part.p[0], 'A', 'Z')) {
            return false;
        }
        for (size_t i = 1; i < part.n; i++) {
            char c = part.p[i];
            bool letter = in_range(c, 'a', 'z') || in_range(c, 'A', 'Z') || c == '_' || c == '-';
            if (!letter && !(etc && (in_range(c, '0', '9') || c == '+'))) {
                return false;
            }
        }
        parts++;
    }
    return text[strlen(text) - 1] != '/' && (parts >= 2 || strcmp(text, "UTC") == 0);
}

static enum err wrong(struct sbuf *why, const char *option, const char *text, const char *rule)
{
    sbuf_fmt(why, "%s \"%.80s\" %s.", option, text, rule);
    return E_INVALID;
}

enum err practice_check(const struct practice_spec *s, struct sbuf *why)
{
    char email[ACCOUNT_EMAIL_MAX];
    if (!tenant_slug_valid(slice_of(s->slug))) {
        return wrong(why, "The slug", s->slug,
                     "must have 3 to 40 of a-z, 0-9 and single '-' inside, and be no reserved"
                     " word");
    }
    if (!name_valid(s->name)) {
        return wrong(why, "--name", s->name,
                     "must have 1 to 120 characters without blanks around it");
    }
    if (account_email(s->owner_email, email) != OK) {
        return wrong(why, "--owner-email", s->owner_email, "is not an e-mail address");
    }
    if (s->owner_name && !name_valid(s->owner_name)) {
        return wrong(why, "--owner-name", s->owner_name,
                     "must have 1 to 120 characters without blanks around it");
    }
    if (!sector_valid(s->sector)) {
        return wrong(why, "--sector", s->sector, "must be a word like dentist or barber");
    }
    if (!shaped(s->country, "AA")) {
        return wrong(why, "--country", s->country, "must be an ISO 3166 code like MX");
    }
    if (!zone_valid(s->time_zone)) {
        return wrong(why, "--time-zone", s->time_zone, "must be a name like America/Mexico_City");
    }
    if (!shaped(s->locale, "aa-AA") && !shaped(s->locale, "aaa-AA")) {
        return wrong(why, "--locale", s->locale, "must be a tag like es-MX");
    }
    if (!shaped(s->currency, "AAA")) {
        return wrong(why, "--currency", s->currency, "must be an ISO 4217 code like MXN");
    }
    return OK;
}

static enum err check_zone(struct making *k)
{
    struct sbuf ignored;
    sbuf_init(&ignored);
    enum err e = pg_do(k->db, "select now() at time zone $1", 1, &k->spec->time_zone, &ignored);
    sbuf_fini(&ignored);
    if (e == OK || e == E_DB_UNAVAILABLE) {
        return e;
    }
    return wrong(k->why, "--time-zone", k->spec->time_zone, "is unknown to PostgreSQL");
}

/* Whether slug and e-mail are known, and the first pool with room. generate_series gives its numbers in order, so the
 * first row is the lowest pool. Two creations at once may both take the last place: the bound serves speed, not
 * safety, and a few tenants above it cost nothing. */
static enum err look(struct making *k)
{
    static const char sql[] =
        "select exists(select from public.tenant where slug = $1),"
        " exists(select from public.account where email = $2 and password_hash is not null),"
        " p.pool, exists(select from pg_catalog.pg_roles"
        "  where rolname = 'gremio_pool_' || lpad(p.pool::text, greatest(2, length(p.pool::text)),"
        "   '0'))"
        " from generate_series(0, $4::int) p(pool) where (select count(*) from"
        "  (select from public.tenant t where t.pool = p.pool limit $3) x) < $3::int limit 1";
    char capacity[16], last[16];
    snprintf(capacity, sizeof(capacity), "%d", TENANT_POOL_CAPACITY);
    snprintf(last, sizeof(last), "%d", TENANT_POOLS_MAX - 1);
    const char *params[] = { k->spec->slug, k->made->owner_email, capacity, last };
    PGresult *r;
    TRY(pg_ask(k->db, sql, 4, params, &r, k->why));
    enum err e = OK;
    int64_t pool = 0;
    if (PQntuples(r) != 1 ||
        str_int(slice_of(PQgetvalue(r, 0, 2)), 0, TENANT_POOLS_MAX - 1, &pool) != OK) {
        sbuf_text(k->why, "Every pool is full.");
        e = E_STATE_CONFLICT;
    } else if (PQgetvalue(r, 0, 0)[0] == 't') {
        sbuf_fmt(k->why, "A practice with the slug %s exists already.", k->spec->slug);
        e = E_ALREADY_EXISTS;
    } else {
        k->has_password = PQgetvalue(r, 0, 1)[0] == 't';
        k->pool_exists = PQgetvalue(r, 0, 3)[0] == 't';
        k->made->target.pool = (unsigned)pool;
    }
    PQclear(r);
    return e;
}

/* The next pool's login, once: whoever comes second waits here, and then finds it. */
static enum err ensure_pool(struct making *k)
{
    char login[24], found[DB_VALUE_MAX];
    if (k->pool_exists) {
        return OK;
    }
    TRY(tenant_pool_login(k->made->target.pool, login));
    TRY(pg_do(k->db, "select pg_advisory_xact_lock(hashtextextended('gremio pool login', 0))", 0,
              NULL, k->why));
    enum err e = db_value(k->db, "select 'yes' from pg_catalog.pg_roles where rolname = $1", login,
                          found, k->why);
    if (e != E_NOT_FOUND) {
        return e;
    }
    return roles_pool(k->db, k->how->settings, k->made->target.pool, k->why);
}

static enum err enter_directory(struct making *k)
{
    char pool[16], version[16];
    snprintf(pool, sizeof(pool), "%u", k->made->target.pool);
    snprintf(version, sizeof(version), "%d", k->made->schema_version);
    const struct practice_spec *s = k->spec;
    const char *params[] = { k->made->target.id,
                             k->made->target.code,
                             s->slug,
                             s->name,
                             s->sector,
                             s->country,
                             s->time_zone,
                             s->locale,
                             s->currency,
                             pool,
                             version };
    enum err e = pg_do(k->db,
                       "insert into public.tenant(id, code, slug, name, sector, country,"
                       " time_zone, locale, currency, state, pool, schema_version)"
                       " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'active', $10, $11)",
                       11, params, k->why);
    return e;
}

static void hash_password(void *context)
{
    struct making *k = context;
    if (!k->has_password && !k->spec->invite) {
        k->hashed = account_hash(k->made->password, k->hash);
    }
}

/* Account (an existing one is used again and keeps its password), membership, and the practice's first rows. */
static enum err enter_people(struct making *k)
{
    static const char sql[] =
        "with account as (insert into public.account(id, email, password_hash)"
        "  values ($1, $2, $3) on conflict (email) do update set"
        "   password_hash = coalesce(public.account.password_hash, excluded.password_hash)"
        "  returning id, password_hash is not distinct from $3 as ours),"
        " member as (insert into public.membership(account_id, tenant_id, staff_id, role)"
        "  select id, $4, $5, 'owner' from account),"
        " resource as (insert into resource(id, kind) values ($5, 'staff')),"
        " staff as (insert into staff(id, account_id, role, name, email)"
        "  select $5, id, 'owner', $6, $2 from account),"
        " business as (insert into business(name, sector, country, time_zone, locale, currency,"
        "  email) values ($7, $8, $9, $10, $11, $12, $2)),"
        " stamp as (insert into schema_meta(tenant_id) values ($4))"
        " select ours from account";
    char local[ACCOUNT_EMAIL_MAX];
    const struct practice_spec *s = k->spec;
    snprintf(local, sizeof(local), "%.*s", (int)strcspn(k->made->owner_email, "@"),
             k->made->owner_email);
    const char *params[] = { k->account_id,
                             k->made->owner_email,
                             k->has_password || k->spec->invite ? NULL : k->hash,
                             k->made->target.id,
                             k->made->owner_id,
                             s->owner_name ? s->owner_name : local,
                             s->name,
                             s->sector,
                             s->country,
                             s->time_zone,
                             s->locale,
                             s->currency };
    PGresult *r;
    TRY(pg_ask(k->db, sql, 12, params, &r, k->why));
    if (k->has_password || PQgetvalue(r, 0, 0)[0] != 't') {
        sodium_memzero(k->made->password, sizeof(k->made->password));
    }
    PQclear(r);
    return OK;
}

/* The code with which the owner chooses the first password is a link to reset it that lives for a week: whoever has it reads the owner's mail, or was
 * given it by the operator. */
static enum err invite_owner(struct making *k)
{
    static const char *const sql[] = {
        "update public.one_time_token t set superseded_at = now() from public.account a"
        " where a.email = $1 and t.account_id = a.id and t.kind = 'reset'"
        " and t.consumed_at is null and t.superseded_at is null",
        "insert into public.one_time_token(id, kind, secret_hash, account_id, bound_email, "
        "expires_at)"
        " select gen_random_uuid(), 'reset', decode($2, 'hex'), a.id, a.email,"
        " now() + interval '7 days' from public.account a where a.email = $1",
    };
    uint8_t secret[32], digest[32];
    char hex[65];
    _Static_assert(STR_BASE64_SIZE(sizeof(secret)) <= PRACTICE_CODE_MAX + 1, "fits");
    randombytes_buf(secret, sizeof(secret));
    secret_digest((struct slice){ (const char *)secret, sizeof(secret) }, digest);
    str_hex(digest, sizeof(digest), hex);
    str_base64url(secret, sizeof(secret), k->made->code);
    sodium_memzero(secret, sizeof(secret));
    const char *params[] = { k->made->owner_email, hex };
    TRY(pg_do(k->db, sql[0], 1, params, k->why));
    return pg_do(k->db, sql[1], 2, params, k->why);
}

static enum err create_inside(struct making *k)
{
    TRY(look(k));
    TRY(ensure_pool(k));
    TRY(enter_directory(k));
    const struct apply_beside hashing = { hash_password, k };
    TRY(apply_create(k->db, &k->made->target, k->how->files, &hashing, k->why));
    if (k->hashed != OK) {
        sbuf_text(k->why, "There is not enough memory to hash the password (46 MiB).");
        return k->hashed;
    }
    TRY(enter_people(k));
    if (k->spec->invite && !k->has_password) {
        TRY(invite_owner(k));
    }
    if (k->how->fill) {
        TRY(k->how->fill(k->db, k->made, k->how->context, k->why));
    }
    return pg_do(k->db, "commit", 0, NULL, k->why);
}

static void prepare(struct making *k)
{
    struct uuid tenant = uuid_v7(), owner = uuid_v7(), account = uuid_v7();
    uuid_format(&tenant, k->made->target.id);
    uuid_format(&owner, k->made->owner_id);
    uuid_format(&account, k->account_id);
    tenant_code_make(k->made->target.code);
    k->made->slug = k->spec->slug;
    k->made->schema_version = migrations_latest(k->how->files);
    if (k->spec->password) {
        snprintf(k->made->password, sizeof(k->made->password), "%s", k->spec->password);
    } else if (!k->spec->invite) {
        account_password_make(k->made->password);
    }
}

enum err practice_create(PGconn *c, const struct practice_spec *spec,
                         const struct practice_how *how, struct practice_made *made,
                         struct sbuf *why)
{
    *made = (struct practice_made){ 0 };
    struct making k = { .db = c, .spec = spec, .how = how, .made = made, .why = why };
    TRY(practice_check(spec, why));
    TRY(account_email(spec->owner_email, made->owner_email));
    TRY(check_zone(&k));
    prepare(&k);
    TRY(pg_do(c, "begin", 0, NULL, why));
    enum err e = create_inside(&k);
    if (e != OK) {
        db_rollback(c);
        sodium_memzero(made, sizeof(*made));
    }
    sodium_memzero(k.hash, sizeof(k.hash));
    return e;
}
