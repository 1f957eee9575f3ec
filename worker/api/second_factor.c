/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The second factor of an account: set up with the password, in force once a code was given, removed with both. It belongs to the
 * account, in whatever practice. Runs in auth slots as gremio_auth. */
#include <sodium.h>

#include "common/clock.h"
#include "common/str.h"
#include "worker/api/proof.h"
#include "worker/qr.h"

#define ISSUER      "Gremio"
#define CONFIRM_FOR "15 minutes" /* so long may setting it up take */
#define URI_MAX     1000

/* ---- rows ---- */

static const struct column state_columns[] = {
    { "enabled", T_BOOL, "Whether logins need a code" },
    { "confirmed_at", T_INSTANT, NULL },
    { "backup_codes", T_INT, "Backup codes that are left" },
    { "required", T_BOOL, "Whether the practice requires it" },
    { 0 },
};

static const struct column enrol_columns[] = {
    { "secret", T_TEXT, "Base32, for typing into the authenticator" },
    { "uri", T_TEXT, "otpauth://totp/..., for opening the authenticator" },
    { "qr_svg", T_TEXT, "The same as a QR code (SVG)" },
    { 0 },
};

static const struct column codes_columns[] = {
    { "backup_codes", T_JSON, "Ten codes, each good for one login; shown only now" },
    { 0 },
};

static const struct param enrol_params[] = {
    { .name = "password", .in = IN_BODY, .type = T_PASSWORD, .required = true },
    { 0 },
};

static const struct param confirm_params[] = {
    { .name = "code",
      .in = IN_BODY,
      .type = T_TEXT,
      .min = TOTP_DIGITS,
      .max = TOTP_DIGITS,
      .required = true,
      .doc = "What the authenticator shows" },
    { 0 },
};

static const struct param both_params[] = {
    { .name = "password", .in = IN_BODY, .type = T_PASSWORD, .required = true },
    { FACTOR_CODE_PARAM, .required = true },
    { 0 },
};

static const struct param enrol_vars[] = {
    PROOF_VARS,
    { .name = "sealed", .type = T_TEXT },
    { 0 },
};

static const struct param codes_vars[] = {
    PROOF_VARS,
    FACTOR_VARS,
    { .name = "hashes", .type = T_TEXT },
    { 0 },
};

/* ---- statements ---- */

/* Begun anew as often as one likes, as long as none is in force. */
static const struct stmt factor_store = {
    "store",
    "INSERT INTO public.second_factor AS f(account_id, secret_sealed) VALUES (:account,"
    " :sealed::bytea) ON CONFLICT (account_id) DO UPDATE SET secret_sealed = :sealed::bytea,"
    " last_step = 0, created_at = now() WHERE f.confirmed_at IS NULL RETURNING f.account_id",
};

static const struct stmt factor_begun = {
    "begun",
    "SELECT f.secret_sealed FROM public.second_factor f WHERE f.account_id = :account"
    " AND f.confirmed_at IS NULL AND f.created_at > now() - interval '" CONFIRM_FOR "'",
};

static const struct stmt factor_confirm = {
    "confirm",
    "UPDATE public.second_factor SET confirmed_at = now(), last_step = :step"
    " WHERE account_id = :account AND confirmed_at IS NULL",
};

static const struct stmt factor_forget_codes = {
    "forget_codes",
    "DELETE FROM public.backup_code WHERE account_id = :account",
};

static const struct stmt factor_store_codes = {
    "store_codes",
    "INSERT INTO public.backup_code(account_id, code_hash)"
    " SELECT :account, decode(h, 'hex') FROM unnest(string_to_array(:hashes, ' ')) h",
};

/* What was opened without a code ends; this session has just given one. */
static const struct stmt factor_end_others = {
    "end_others",
    "UPDATE public.session SET revoked_at = now(), revoke_reason = 'second_factor'"
    " WHERE account_id = :account AND id <> :me_session AND revoked_at IS NULL",
};

static const struct stmt factor_proved = {
    "proved",
    "UPDATE public.session SET proved_at = now(), second_factor = true WHERE id = :me_session",
};

static const struct stmt factor_remove = {
    "remove",
    "DELETE FROM public.second_factor WHERE account_id = :account",
};

/* Where a second factor is required, the next token says that there is none. */
static const struct stmt factor_missed = {
    "missed",
    "UPDATE public.membership m SET epoch = m.epoch + 1 FROM public.tenant t"
    " WHERE m.account_id = :account AND t.id = m.tenant_id AND t.second_factor_required",
};

static const struct stmt *const enrol_stmts[] = { PROOF_STMTS, &factor_store, NULL };
static const struct stmt *const confirm_stmts[] = {
    PROOF_STMTS,         &factor_begun,      &factor_confirm, &factor_forget_codes,
    &factor_store_codes, &factor_end_others, &factor_proved,  NULL,
};
static const struct stmt *const codes_stmts[] = {
    PROOF_STMTS, FACTOR_STMTS, &factor_forget_codes, &factor_store_codes, NULL,
};
static const struct stmt *const remove_stmts[] = {
    PROOF_STMTS, FACTOR_STMTS, &factor_remove, &factor_missed, NULL,
};

/* ---- set up ---- */

/* The key URI format that authenticator apps read. */
static void write_uri(struct sbuf *out, const char *email, const char *secret)
{
    sbuf_text(out, "otpauth://totp/" ISSUER ":");
    sbuf_percent(out, slice_of(email));
    sbuf_fmt(out, "?secret=%s&issuer=" ISSUER "&algorithm=SHA1&digits=%d&period=%d", secret,
             TOTP_DIGITS, TOTP_PERIOD_S);
    sbuf_char(out, '\0');
}

static void add_member(struct sbuf *out, const char *name, struct slice text)
{
    sbuf_fmt(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
    sbuf_json(out, text);
}

static void wipe(struct sbuf *b)
{
    if (b->data) {
        sodium_memzero(b->data, b->len);
    }
    sbuf_fini(b);
}

static enum err answer_secret(struct call *c, const uint8_t raw[TOTP_SECRET_BYTES])
{
    struct sbuf uri, svg, body;
    char secret[STR_BASE32_SIZE(TOTP_SECRET_BYTES)];
    sbuf_init(&uri);
    sbuf_init(&svg);
    sbuf_init(&body);
    str_base32(raw, TOTP_SECRET_BYTES, secret);
    write_uri(&uri, call_get(c, "email")->text, secret);
    enum err e = sbuf_failed(&uri) ? E_NOMEM : qr_svg(uri.data, "QR", &svg);
    if (e == OK) {
        sbuf_char(&body, '{');
        add_member(&body, "secret", slice_of(secret));
        add_member(&body, "uri", slice_of(uri.data));
        add_member(&body, "qr_svg", sbuf_slice(&svg));
        sbuf_char(&body, '}');
        c->reply.no_store = true;
        e = sbuf_failed(&body) ? E_NOMEM : call_answer_raw(c, CONTENT_JSON, sbuf_slice(&body));
    }
    wipe(&uri);
    wipe(&svg);
    wipe(&body);
    sodium_memzero(secret, sizeof(secret));
    return e;
}

static enum err begin_factor(struct call *c)
{
    uint8_t secret[TOTP_SECRET_BYTES];
    const char *sealed;
    PGresult *rows;
    TRY(proof_check(c, PROOF_PASSWORD));
    TRY(factor_make(c, secret, &sealed));
    call_set(c, "sealed", sealed);
    TRY(call_query(c, &factor_store, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_STATE_CONFLICT, "La cuenta ya tiene segundo factor; quítelo antes",
                           "The account has a second factor already; remove it first");
    }
    enum err e = answer_secret(c, secret);
    sodium_memzero(secret, sizeof(secret));
    return e;
}

/* ---- backup codes ---- */

/* Stores ten fresh codes instead of those before and answers with them. */
static enum err answer_codes(struct call *c)
{
    char code[FACTOR_CODE_TEXT], hash[65];
    struct sbuf body, hashes;
    enum err e = OK;
    sbuf_init(&body);
    sbuf_init(&hashes);
    sbuf_text(&body, "{\"backup_codes\":[");
    for (int i = 0; i < FACTOR_BACKUP_CODES && e == OK; i++) {
        e = factor_backup_code(c, code, hash);
        sbuf_fmt(&body, "%s\"%s\"", i ? "," : "", code);
        sbuf_fmt(&hashes, "%s%s", i ? " " : "", hash);
    }
    sbuf_text(&body, "]}");
    sbuf_char(&hashes, '\0');
    if (e == OK && (sbuf_failed(&body) || sbuf_failed(&hashes))) {
        e = E_NOMEM;
    }
    if (e == OK) {
        call_set(c, "hashes", hashes.data);
        c->reply.no_store = true;
        e = call_answer_raw(c, CONTENT_JSON, sbuf_slice(&body));
    }
    wipe(&body);
    sbuf_fini(&hashes);
    TRY(e);
    TRY(call_post(c, &factor_forget_codes));
    return call_post(c, &factor_store_codes);
}

static enum err renew_codes(struct call *c)
{
    TRY(proof_check(c, PROOF_PASSWORD | PROOF_CODE));
    return answer_codes(c);
}

/* ---- confirm, remove ---- */

/* *step is what the code is of; E_INVALID when it is of none. */
static enum err check_begun(struct call *c, const PGresult *rows, int64_t *step)
{
    uint8_t secret[TOTP_SECRET_BYTES];
    TRY(factor_open(c, call_cell(rows, 0, "secret_sealed"), secret));
    *step = totp_find((struct slice){ (const char *)secret, sizeof(secret) }, clock_wall_s(),
                      slice_of(call_get(c, "code")->text));
    sodium_memzero(secret, sizeof(secret));
    if (*step >= 0) {
        return OK;
    }
    TRY(login_guard_fail(c));
    return call_refuse_field(c, "/code", "wrong_code",
                             "El código es incorrecto; revise la hora del dispositivo",
                             "The code is wrong; check the device's clock");
}

static enum err confirm_factor(struct call *c)
{
    PGresult *rows;
    int64_t step;
    TRY(proof_check(c, 0));
    TRY(call_query(c, &factor_begun, &rows));
    if (PQntuples(rows) == 0) {
        return call_refuse(c, E_STATE_CONFLICT, "No hay un segundo factor por confirmar",
                           "There is no second factor to confirm");
    }
    TRY(check_begun(c, rows, &step));
    call_set_int(c, "step", step);
    TRY(call_post(c, &factor_confirm));
    TRY(call_post(c, &factor_end_others));
    TRY(call_post(c, &factor_proved));
    return answer_codes(c);
}

static enum err remove_factor(struct call *c)
{
    TRY(proof_check(c, PROOF_PASSWORD | PROOF_CODE));
    TRY(call_post(c, &factor_remove));
    TRY(call_post(c, &factor_missed));
    return call_answer_none(c);
}

const struct route second_factor_routes[] = {
    {
        .method = M_GET,
        .path = "/api/v1/auth/second-factor",
        .summary = "Whether this account has a second factor, and whether it must",
        .need = PERM_SELF,
        .enrolment = true,
        .cost = COST_AUTH,
        .columns = state_columns,
        .sql = "SELECT f.confirmed_at IS NOT NULL AS enabled, f.confirmed_at,"
               " (SELECT count(*) FROM public.backup_code b WHERE b.account_id = a.id"
               " AND b.used_at IS NULL) AS backup_codes,"
               " coalesce((SELECT t.second_factor_required FROM public.tenant t"
               " WHERE t.id = :tenant_id), false) AS required"
               " FROM public.account a LEFT JOIN public.second_factor f ON f.account_id = a.id"
               " WHERE a.id = :me_account",
        .shape = SHAPE_ONE,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/second-factor",
        .summary = "Begin to set up a second factor: its secret, to be confirmed by a code within "
                   "15 minutes",
        .need = PERM_SELF,
        .enrolment = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = enrol_params,
        .vars = enrol_vars,
        .columns = enrol_columns,
        .stmts = enrol_stmts,
        .handler = begin_factor,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/second-factor/confirm",
        .summary = "Put the second factor in force with its first code; all other sessions of the "
                   "account end",
        .need = PERM_SELF,
        .enrolment = true,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = confirm_params,
        .vars = codes_vars,
        .columns = codes_columns,
        .stmts = confirm_stmts,
        .handler = confirm_factor,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        .method = M_POST,
        .path = "/api/v1/auth/second-factor/backup-codes",
        .summary = "Ten new backup codes instead of those before",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .max_body = 4096,
        .params = both_params,
        .vars = codes_vars,
        .columns = codes_columns,
        .stmts = codes_stmts,
        .handler = renew_codes,
        .shape = SHAPE_RAW,
        .success = 200,
    },
    {
        .method = M_DELETE,
        .path = "/api/v1/auth/second-factor",
        .summary = "Remove the second factor",
        .need = PERM_SELF,
        .cost = COST_AUTH,
        .max_body = 4096,
        .any_version = true,
        .params = both_params,
        .vars = codes_vars,
        .stmts = remove_stmts,
        .handler = remove_factor,
        .shape = SHAPE_NONE,
        .success = 204,
    },
    { 0 },
};
