/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The rows of the worker's settings and what they must agree on. */
#include "worker/settings.h"

#include <stdlib.h>

#include "common/sandbox.h"
#include "common/str.h"
#include "worker/mail_message.h"
#include "worker/work_proof.h"

#define AT(field) offsetof(struct worker_settings, field)
#define SECOND    INT64_C(1000)
#define MINUTE    (60 * SECOND)
#define HOUR      (60 * MINUTE)
#define MB        (INT64_C(1) << 20)

#define TEXT(id, value, text)                                                            \
    {                                                                                    \
        .name = #id, .type = CONF_TEXT, .offset = AT(id), .fallback = value, .doc = text \
    }
#define NUMBER(id, kind, least, most, value, text)                                                 \
    {                                                                                              \
        .name = #id, .type = kind, .offset = AT(id), .min = least, .max = most, .fallback = value, \
        .reload = true, .doc = text                                                                \
    }
#define FIXED(id, least, most, value, text)                                         \
    {                                                                               \
        .name = #id, .type = CONF_INT, .offset = AT(id), .min = least, .max = most, \
        .fallback = value, .doc = text                                              \
    }
/* clang-format off */
const struct conf_row settings_rows[] = {
    { .name = "log_level", .type = CONF_TEXT, .offset = AT(log_level), .fallback = "info",
      .reload = true, .doc = "debug, info, warn or error" },
    { .name = "db_host", .env = "DB_HOST", .type = CONF_TEXT, .offset = AT(db_host),
      .fallback = "var/run/pg", .doc = "folder of PostgreSQL's Unix socket, address or host name" },
    { .name = "db_port", .env = "DB_PORT", .type = CONF_TEXT, .offset = AT(db_port),
      .fallback = "5432", .doc = "port of PostgreSQL" },
    { .name = "db_name", .env = "DB_NAME", .type = CONF_TEXT, .offset = AT(db_name),
      .fallback = "gremio", .doc = "database" },
    TEXT(slots_dir, "var/run/slots", "folder of the slots' sockets"),
    { .name = "slots_shared", .type = CONF_BOOL, .offset = AT(slots_shared), .fallback = "no",
      .doc = "whether other users of the worker's group, such as the router, may connect to them" },
    TEXT(pool_key_file, "var/secrets/pool.key", "file with the key of the pool logins' passwords"),
    TEXT(auth_password_file, "var/secrets/auth.password", "file with the password of gremio_auth"),
    TEXT(sealing_key_file, "var/secrets/sealing.key", "file with the key that seals signing keys"),
    TEXT(jobs_password_file, "var/secrets/jobs.password", "file with the password of gremio_jobs"),
    NUMBER(proof_bits, CONF_INT, 0, WORK_PROOF_BITS_MAX, "18",
           "work that a stranger does before a booking, each doubles it; 0: none"),
    FIXED(api_slots, 0, 64, "0", "processes for fast requests; 0: as many as cores"),
    FIXED(slow_slots, 0, 64, "1", "processes for reports and exports"),
    FIXED(auth_slots, 0, 64, "1", "processes for logins: as many argon2id at once"),
    FIXED(jobs_slots, 0, 64, "0", "processes for background work, such as delivering mail"),
    NUMBER(batch_max, CONF_INT, 1, 64, "16", "requests sent to the database at once by one slot"),
    NUMBER(statements_max, CONF_INT, 16, 100000, "5000", "prepared statements of one connection"),
    NUMBER(connection_memory, CONF_SIZE, MB, 65536 * MB, "512m",
           "a backend's own memory beyond which its connection is replaced, where it can be seen"),
    NUMBER(connection_lifetime, CONF_TIME, MINUTE, 24 * HOUR, "1h", "age of a connection"),
    NUMBER(statement_timeout, CONF_TIME, 100, 10 * MINUTE, "5s", "one statement of api and auth slots"),
    NUMBER(slow_statement_timeout, CONF_TIME, 100, HOUR, "60s", "one statement of slow and jobs slots"),
    NUMBER(lock_timeout, CONF_TIME, 10, 10 * MINUTE, "2s", "waiting for one lock"),
    NUMBER(drain_timeout, CONF_TIME, SECOND, 10 * MINUTE, "30s", "a slot's time to finish its requests"),
    TEXT(issuer, "gremio", "iss of access tokens"),
    TEXT(audience, "gremio-api", "aud of access tokens"),
    NUMBER(access_ttl, CONF_TIME, MINUTE, HOUR, "10m", "life of an access token"),
    NUMBER(session_idle, CONF_TIME, MINUTE, 8760 * HOUR, "720h", "session without refresh"),
    NUMBER(session_limit, CONF_TIME, MINUTE, 8760 * HOUR, "2160h", "session in all"),
    NUMBER(refresh_grace, CONF_TIME, 0, 5 * MINUTE, "10s",
           "time in which the refresh token before is still taken"),
    NUMBER(step_up_within, CONF_TIME, SECOND, 24 * HOUR, "10m",
           "how long after a password or code dangerous actions are open to a session"),
    NUMBER(password_memory, CONF_SIZE, 8 * MB, 1024 * MB, "46m", "memory of argon2id"),
    NUMBER(password_ops, CONF_INT, 1, 16, "1", "passes of argon2id"),
    { .name = "public_url", .type = CONF_TEXT, .offset = AT(public_url), .reload = true,
      .fallback = "http://127.0.0.1:8000", .doc = "where people reach Gremio: links in messages begin with it" },
    { .name = "mail_from", .type = CONF_TEXT, .offset = AT(mail_from), .reload = true,
      .fallback = "no-reply@localhost", .doc = "sender of messages" },
    { .name = "mail_dir", .type = CONF_TEXT, .offset = AT(mail_dir), .reload = true, .fallback = "",
      .doc = "folder where the jobs slot writes each message as a file; empty: messages wait" },
    TEXT(sandbox, "on", SANDBOX_DOC),
    { 0 },
};
/* clang-format on */

static const char *const levels[] = { "debug", "info", "warn", "error" };

enum log_level settings_log_level(const struct worker_settings *s)
{
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (strcmp(levels[i], s->log_level) == 0) {
            return (enum log_level)i;
        }
    }
    return LOG_LEVEL_INFO;
}

/* http or https, a host, no slash at the end; of characters that stand in a link as they are. */
static bool is_public_url(const char *text)
{
    struct slice s = slice_of(text);
    bool secure = str_starts(s, SLICE("https://")), plain = str_starts(s, SLICE("http://"));
    size_t scheme = secure ? 8 : 7;
    if ((!secure && !plain) || s.n <= scheme || s.p[s.n - 1] == '/') {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("<>\"#?", s.p[i])) {
            return false;
        }
    }
    return true;
}

enum err settings_check(const struct worker_settings *s, struct sbuf *why)
{
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        known |= strcmp(levels[i], s->log_level) == 0;
    }
    int64_t port;
    enum sandbox_mode mode;
    if (!known) {
        sbuf_text(why, "log_level must be debug, info, warn or error");
    } else if (s->slots_dir[0] == '\0' || strlen(s->slots_dir) > 80) {
        sbuf_text(why, "slots_dir must be a path of at most 80 bytes");
    } else if (!sandbox_mode_parse(s->sandbox, &mode)) {
        sbuf_text(why, "sandbox must be on, strict or off");
    } else if (str_int(slice_of(s->db_port), 1, 65535, &port) != OK) {
        sbuf_text(why, "db_port must be a number from 1 to 65535");
    } else if (strlen(s->db_name) == 0 || strlen(s->db_name) > 63) {
        sbuf_text(why, "db_name must have 1 to 63 bytes");
    } else if (s->lock_timeout >= s->statement_timeout) {
        sbuf_text(why, "lock_timeout must be shorter than statement_timeout");
    } else if (!is_public_url(s->public_url)) {
        sbuf_text(why,
                  "public_url must be http:// or https:// and a host, without a slash at the end");
    } else if (!mail_message_address_valid(slice_of(s->mail_from))) {
        sbuf_text(why, "mail_from must be an e-mail address");
    } else if (s->session_idle > s->session_limit) {
        sbuf_text(why, "session_idle must not be longer than session_limit");
    } else {
        return OK;
    }
    return E_CONFIG;
}

enum err settings_secrets(const struct worker_settings *s, struct worker_secrets *out,
                          struct sbuf *why)
{
    memset(out, 0, sizeof(*out));
    enum err e = conf_secret(s->pool_key_file, out->pool_key, sizeof(out->pool_key), why);
    if (e == OK && s->auth_slots) {
        e = conf_secret(s->auth_password_file, out->auth_password, sizeof(out->auth_password), why);
    }
    if (e == OK && s->auth_slots) {
        e = conf_secret(s->sealing_key_file, out->sealing_key, sizeof(out->sealing_key), why);
    }
    if (e == OK && s->jobs_slots) {
        e = conf_secret(s->jobs_password_file, out->jobs_password, sizeof(out->jobs_password), why);
    }
    if (e == OK) {
        e = secret_login_password(out->pool_key, "mail", out->mail_key);
    }
    if (e == OK) {
        e = secret_login_password(out->pool_key, "proof", out->proof_key);
    }
    if (e != OK) {
        explicit_bzero(out, sizeof(*out));
    }
    return e;
}
