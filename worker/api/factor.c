/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A code is used up by one conditional UPDATE: of two who come with the same one, the second finds nothing to change. */
#include "worker/api/factor.h"

#include <sodium.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/str.h"
#include "worker/api/auth_grant.h"

enum {
    ID_BYTES = 16,
    PLAIN_BYTES = ID_BYTES + TOTP_SECRET_BYTES,
    SEALED_MAX = 128,
    BACKUP_DIGITS = 10, /* of 5 bits: 50 bits, and nobody can check a guess without the key */
};

const struct stmt factor_find_stmt = {
    "factor",
    "SELECT f.secret_sealed FROM public.second_factor f"
    " WHERE f.account_id = :account AND f.confirmed_at IS NOT NULL",
};

const struct stmt factor_take_stmt = {
    "take",
    "UPDATE public.second_factor SET last_step = :step, failures = 0 WHERE account_id = :account"
    " AND confirmed_at IS NOT NULL AND last_step < :step AND failures < " FACTOR_FAILURES
    " RETURNING last_step",
};

const struct stmt factor_forgive_stmt = {
    "forgive",
    "UPDATE public.second_factor SET failures = 0 WHERE account_id = :account AND failures > 0",
};

const struct stmt factor_miss_stmt = {
    "miss",
    "UPDATE public.second_factor SET failures = least(failures + 1, " FACTOR_FAILURES
    ") WHERE account_id = :account",
};

const struct stmt factor_spend_stmt = {
    "spend",
    "UPDATE public.backup_code SET used_at = now() WHERE account_id = :account"
    " AND code_hash = :code_hash::bytea AND used_at IS NULL RETURNING used_at",
};

enum err factor_find(struct call *c, PGresult **rows)
{
    return call_query(c, &factor_find_stmt, rows);
}

static enum err account_of(const struct call *c, struct uuid *id)
{
    return uuid_parse(slice_of(call_get(c, "account")->text), id);
}

/* ---- the secret ---- */

enum err factor_make(struct call *c, uint8_t secret[TOTP_SECRET_BYTES], const char **sealed)
{
    uint8_t plain[PLAIN_BYTES];
    struct uuid id;
    struct sbuf box;
    TRY(account_of(c, &id));
    randombytes_buf(secret, TOTP_SECRET_BYTES);
    memcpy(plain, id.b, ID_BYTES);
    memcpy(plain + ID_BYTES, secret, TOTP_SECRET_BYTES);
    sbuf_init(&box);
    enum err e = secret_seal(c->env->secrets->sealing_key,
                             (struct slice){ (const char *)plain, sizeof(plain) }, &box);
    char *text = e == OK ? arena_take(c->arena, 2 * box.len + 3) : NULL;
    if (text) {
        memcpy(text, "\\x", 2);
        str_hex(box.data, box.len, text + 2);
        *sealed = text;
    }
    sodium_memzero(plain, sizeof(plain));
    sbuf_fini(&box);
    return text ? OK : E_NOMEM;
}

enum err factor_open(const struct call *c, const char *sealed, uint8_t secret[TOTP_SECRET_BYTES])
{
    uint8_t box[SEALED_MAX];
    size_t n;
    struct uuid id;
    struct sbuf plain;
    TRY(account_of(c, &id));
    TRY(auth_grant_bytes(sealed, box, sizeof(box), &n));
    sbuf_init(&plain);
    enum err e = secret_open(c->env->secrets->sealing_key, (struct slice){ (const char *)box, n },
                             &plain);
    bool good = e == OK && plain.len == PLAIN_BYTES && memcmp(plain.data, id.b, ID_BYTES) == 0;
    if (good) {
        memcpy(secret, plain.data + ID_BYTES, TOTP_SECRET_BYTES);
    } else {
        log_seldom(LOG_LEVEL_ERROR, "second_factor_unusable",
                   "it was not sealed with this installation's sealing key for this account");
    }
    if (plain.data) {
        sodium_memzero(plain.data, plain.len);
    }
    sbuf_fini(&plain);
    return good ? OK : E_CONFIG;
}

/* ---- backup codes ---- */

static enum err hash_code(const struct call *c, const char digits[BACKUP_DIGITS], char out[65])
{
    char text[80];
    uint8_t mac[32];
    int n = snprintf(text, sizeof(text), "backup code %s %.*s", call_get(c, "account")->text,
                     BACKUP_DIGITS, digits);
    TRY(secret_mac(c->env->secrets->sealing_key, (struct slice){ text, (size_t)n }, mac));
    str_hex(mac, sizeof(mac), out);
    return OK;
}

enum err factor_backup_code(const struct call *c, char code[FACTOR_CODE_TEXT], char hash_hex[65])
{
    uint8_t random[7]; /* 56 bits; the last digits are not shown */
    char digits[STR_BASE32_SIZE(sizeof(random))];
    randombytes_buf(random, sizeof(random));
    str_base32(random, sizeof(random), digits);
    for (int i = 0; i < BACKUP_DIGITS; i++) {
        digits[i] = (char)(digits[i] >= 'A' ? digits[i] | 0x20 : digits[i]);
    }
    snprintf(code, FACTOR_CODE_TEXT, "%.5s-%.5s", digits, digits + 5);
    return hash_code(c, digits, hash_hex);
}

/* What people type: with or without the dash and blanks, in capitals or not. */
static bool read_backup_code(const char *text, char digits[BACKUP_DIGITS])
{
    size_t n = 0;
    for (; *text; text++) {
        if (*text == '-' || *text == ' ') {
            continue;
        }
        if (n == BACKUP_DIGITS) {
            return false;
        }
        digits[n++] = (char)(*text >= 'A' && *text <= 'Z' ? *text | 0x20 : *text);
    }
    return n == BACKUP_DIGITS;
}

static enum err use_backup_code(struct call *c, const char *text, bool *good)
{
    char digits[BACKUP_DIGITS], hash[2 + 65] = "\\x";
    PGresult *rows;
    if (!read_backup_code(text, digits)) {
        return OK;
    }
    TRY(hash_code(c, digits, hash + 2));
    call_set(c, "code_hash", hash);
    TRY(call_query(c, &factor_spend_stmt, &rows));
    *good = PQntuples(rows) > 0;
    return *good ? call_post(c, &factor_forgive_stmt) : OK;
}

static enum err use_timed_code(struct call *c, const PGresult *rows, const char *code, bool *good)
{
    uint8_t secret[TOTP_SECRET_BYTES];
    PGresult *taken;
    TRY(factor_open(c, call_cell(rows, 0, "secret_sealed"), secret));
    int64_t step = totp_find((struct slice){ (const char *)secret, sizeof(secret) }, clock_wall_s(),
                             slice_of(code));
    sodium_memzero(secret, sizeof(secret));
    if (step < 0) {
        return OK;
    }
    call_set_int(c, "step", step);
    TRY(call_query(c, &factor_take_stmt, &taken));
    *good = PQntuples(taken) > 0;
    return OK;
}

enum err factor_use(struct call *c, const PGresult *rows, bool *good)
{
    const char *code = call_get(c, "code")->text;
    *good = false;
    if (!code) {
        return OK;
    }
    TRY(strlen(code) == TOTP_DIGITS ? use_timed_code(c, rows, code, good)
                                    : use_backup_code(c, code, good));
    return *good ? OK : call_post(c, &factor_miss_stmt);
}
