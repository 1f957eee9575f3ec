/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The router's settings rows and the checks that join several of them. */
#include "router/settings.h"

#include <stdio.h>
#include <unistd.h>

#include "common/sandbox.h"

#define AT(field)    offsetof(struct settings, field)
#define LIMIT(field) offsetof(struct settings, limits.field)
#define SECOND       INT64_C(1000)
#define MINUTE       (60 * SECOND)
#define HOUR         (60 * MINUTE)
#define KB           INT64_C(1024)
#define MB           (1024 * KB)

const struct conf_row settings_rows[] = {
    { .name = "log_level",
      .type = CONF_TEXT,
      .offset = AT(log_level),
      .fallback = "info",
      .reload = true,
      .doc = "debug, info, warn or error" },
    { .name = "access_log",
      .type = CONF_BOOL,
      .offset = AT(access_log),
      .fallback = "yes",
      .reload = true,
      .doc = "one line of JSON per request on standard error" },
    { .name = "db_host",
      .env = "DB_HOST",
      .type = CONF_TEXT,
      .offset = AT(db_host),
      .fallback = "var/run/pg",
      .doc = "folder of PostgreSQL's Unix socket, address or host name" },
    { .name = "db_port",
      .env = "DB_PORT",
      .type = CONF_TEXT,
      .offset = AT(db_port),
      .fallback = "5432",
      .doc = "port of PostgreSQL" },
    { .name = "db_name",
      .env = "DB_NAME",
      .type = CONF_TEXT,
      .offset = AT(db_name),
      .fallback = "gremio",
      .doc = "database" },
    { .name = "db_password_file",
      .type = CONF_TEXT,
      .offset = AT(db_password_file),
      .reload = false,
      .fallback = "var/secrets/router.password",
      .doc = "file with the password of the login gremio_router" },
    { .name = "listen",
      .type = CONF_TEXT,
      .offset = AT(listen),
      .fallback = "127.0.0.1:8000",
      .doc = "HOST:PORT of the API" },
    { .name = "metrics_listen",
      .type = CONF_TEXT,
      .offset = AT(metrics_listen),
      .fallback = "127.0.0.1:8001",
      .doc = "HOST:PORT of /metrics; process n (from 0) listens on PORT + n; empty: none" },
    { .name = "processes",
      .type = CONF_INT,
      .offset = AT(processes),
      .min = 1,
      .max = 64,
      .fallback = "1",
      .doc = "processes that share the port" },
    { .name = "slots_dir",
      .type = CONF_TEXT,
      .offset = AT(slots_dir),
      .fallback = "var/run/slots",
      .doc = "folder of the worker's sockets" },
    { .name = "issuer",
      .type = CONF_TEXT,
      .offset = AT(issuer),
      .fallback = "gremio",
      .doc = "required iss of access tokens" },
    { .name = "audience",
      .type = CONF_TEXT,
      .offset = AT(audience),
      .fallback = "gremio-api",
      .doc = "required aud of access tokens" },
    { .name = "tls_certificate",
      .type = CONF_TEXT,
      .offset = AT(tls_certificate),
      .fallback = "",
      .reload = true,
      .doc = "PEM file with the certificate chain; empty: plain HTTP; read again on SIGHUP" },
    { .name = "tls_key",
      .type = CONF_TEXT,
      .offset = AT(tls_key),
      .fallback = "",
      .reload = true,
      .doc = "PEM file with its private key" },
    { .name = "static_dir",
      .type = CONF_TEXT,
      .offset = AT(static_dir),
      .fallback = "",
      .doc = "folder of static files (/api/docs/ is its docs/); empty: none" },
    { .name = "public_url",
      .type = CONF_TEXT,
      .offset = AT(public_url),
      .fallback = "",
      .reload = true,
      .doc = "where people reach Gremio, when something stands in front that speaks TLS: forms are "
             "taken from its pages, and https makes a guest's cookie Secure; empty: from this "
             "host's" },
    { .name = "request_line_max",
      .type = CONF_SIZE,
      .offset = LIMIT(request_line_max),
      .min = 512,
      .max = 64 * KB,
      .fallback = "8k",
      .reload = true,
      .doc = "bytes of a request line (414 beyond)" },
    { .name = "header_bytes_max",
      .type = CONF_SIZE,
      .offset = LIMIT(header_bytes_max),
      .min = KB,
      .max = 256 * KB,
      .fallback = "16k",
      .reload = true,
      .doc = "bytes of all header fields (431 beyond)" },
    { .name = "header_fields_max",
      .type = CONF_INT,
      .offset = LIMIT(header_fields_max),
      .min = 8,
      .max = 256,
      .fallback = "64",
      .reload = true,
      .doc = "header fields (431 beyond)" },
    { .name = "body_max",
      .type = CONF_SIZE,
      .offset = LIMIT(body_max),
      .min = 0,
      .max = 16 * MB,
      .fallback = "1m",
      .reload = true,
      .doc = "bytes of a body, whatever a route allows (413 beyond)" },
    { .name = "header_timeout",
      .type = CONF_TIME,
      .offset = LIMIT(header_timeout),
      .min = 100,
      .max = 5 * MINUTE,
      .fallback = "10s",
      .reload = true,
      .doc = "for the whole head of a request" },
    { .name = "body_timeout",
      .type = CONF_TIME,
      .offset = LIMIT(body_timeout),
      .min = 100,
      .max = HOUR,
      .fallback = "60s",
      .reload = true,
      .doc = "for the whole body of a request" },
    { .name = "body_min_rate",
      .type = CONF_SIZE,
      .offset = LIMIT(body_min_rate),
      .min = 0,
      .max = MB,
      .fallback = "1k",
      .reload = true,
      .doc = "bytes a second a body must keep after body_grace" },
    { .name = "body_grace",
      .type = CONF_TIME,
      .offset = LIMIT(body_grace),
      .min = 100,
      .max = 5 * MINUTE,
      .fallback = "5s",
      .reload = true,
      .doc = "before body_min_rate counts" },
    { .name = "idle_timeout",
      .type = CONF_TIME,
      .offset = LIMIT(idle_timeout),
      .min = 100,
      .max = HOUR,
      .fallback = "60s",
      .reload = true,
      .doc = "between two requests of a connection" },
    { .name = "write_timeout",
      .type = CONF_TIME,
      .offset = LIMIT(write_timeout),
      .min = 100,
      .max = HOUR,
      .fallback = "30s",
      .reload = true,
      .doc = "while a client takes its answer slower than body_min_rate" },
    { .name = "rest_max",
      .type = CONF_TIME,
      .offset = LIMIT(rest_max),
      .min = 0,
      .max = MINUTE,
      .fallback = "4s",
      .reload = true,
      .doc = "longest Retry-After of who is refused for load again and again; its connection is "
             "not read before; 0: never rests" },
    { .name = "unsent_max",
      .type = CONF_SIZE,
      .offset = LIMIT(unsent_max),
      .min = 32 * MB, /* the largest answer fits */
      .max = 1024 * MB,
      .fallback = "32m",
      .reload = true,
      .doc = "bytes of answers waiting in one process; beyond, the slowest clients are cut" },
    { .name = "requests_per_connection",
      .type = CONF_INT,
      .offset = LIMIT(requests_per_connection),
      .min = 1,
      .max = 1000000,
      .fallback = "1000",
      .reload = true,
      .doc = "then the connection is closed" },
    { .name = "connections_max",
      .type = CONF_INT,
      .offset = LIMIT(connections_max),
      .min = 1,
      .max = 200000,
      .fallback = "10000",
      .reload = true,
      .doc = "open connections of one process" },
    { .name = "connections_per_address",
      .type = CONF_INT,
      .offset = LIMIT(connections_per_address),
      .min = 1,
      .max = 200000,
      .fallback = "1000",
      .reload = true,
      .doc = "open connections of one client address" },
    { .name = "inflight_max",
      .type = CONF_INT,
      .offset = AT(inflight_max),
      .min = 1,
      .max = 30000,
      .fallback = "2000",
      .doc = "requests in flight in one process (503 beyond)" },
    { .name = "inflight_per_tenant",
      .type = CONF_INT,
      .offset = AT(inflight_per_tenant),
      .min = 1,
      .max = 30000,
      .fallback = "200",
      .reload = true,
      .doc = "requests in flight of one tenant, or one address without token, in one process (429 "
             "beyond)" },
    { .name = "tenant_rate",
      .type = CONF_INT,
      .offset = AT(tenant_rate),
      .min = 0,
      .max = 1000000,
      .fallback = "1000",
      .reload = true,
      .doc = "requests a second of one tenant, or one address without token, in one process (429 "
             "beyond); 0: any" },
    { .name = "tenant_burst",
      .type = CONF_INT,
      .offset = AT(tenant_burst),
      .min = 1,
      .max = 1000000,
      .fallback = "10000",
      .reload = true,
      .doc = "requests beyond tenant_rate after a pause" },
    { .name = "link_rate",
      .type = CONF_INT,
      .offset = AT(link_rate),
      .min = 0,
      .max = 1000000,
      .fallback = "50",
      .reload = true,
      .doc = "requests a second of one address by access links or public names, in one process, "
             "within the share of their practice (429 beyond); 0: any" },
    { .name = "link_burst",
      .type = CONF_INT,
      .offset = AT(link_burst),
      .min = 1,
      .max = 1000000,
      .fallback = "500",
      .reload = true,
      .doc = "requests beyond link_rate after a pause" },
    { .name = "public_rate",
      .type = CONF_INT,
      .offset = AT(public_rate),
      .min = 0,
      .max = 1000000,
      .fallback = "200",
      .reload = true,
      .doc = "requests a second by one practice's public name, of all addresses, in one process, "
             "within its share (429 beyond); 0: any" },
    { .name = "public_burst",
      .type = CONF_INT,
      .offset = AT(public_burst),
      .min = 1,
      .max = 1000000,
      .fallback = "2000",
      .reload = true,
      .doc = "requests beyond public_rate after a pause" },
    { .name = "queue_max",
      .type = CONF_INT,
      .offset = AT(queue_max),
      .min = 0,
      .max = 30000,
      .fallback = "1000",
      .reload = true,
      .doc = "requests waiting for a slot of one kind (503 beyond)" },
    { .name = "queue_wait",
      .type = CONF_TIME,
      .offset = AT(queue_wait),
      .min = 1,
      .max = MINUTE,
      .fallback = "100ms",
      .reload = true,
      .doc = "expected wait for an api slot, measured by how fast they answer (503 beyond)" },
    { .name = "slow_queue_wait",
      .type = CONF_TIME,
      .offset = AT(slow_queue_wait),
      .min = 1,
      .max = 10 * MINUTE,
      .fallback = "3s",
      .reload = true,
      .doc = "expected wait for an auth, slow or jobs slot (503 beyond)" },
    { .name = "request_timeout",
      .type = CONF_TIME,
      .offset = AT(request_timeout),
      .min = 100,
      .max = HOUR,
      .fallback = "10s",
      .reload = true,
      .doc = "for an answer of an api, auth or jobs slot (504 beyond)" },
    { .name = "slow_timeout",
      .type = CONF_TIME,
      .offset = AT(slow_timeout),
      .min = 100,
      .max = HOUR,
      .fallback = "65s",
      .reload = true,
      .doc = "for an answer of a slow slot (504 beyond)" },
    { .name = "drain_timeout",
      .type = CONF_TIME,
      .offset = AT(drain_timeout),
      .min = 100,
      .max = HOUR,
      .fallback = "30s",
      .reload = true,
      .doc = "SIGTERM waits this long for requests in flight" },
    { .name = "token_cache",
      .type = CONF_INT,
      .offset = AT(token_cache),
      .min = 16,
      .max = 1000000,
      .fallback = "10000",
      .doc = "verified tokens remembered" },
    { .name = "sandbox",
      .type = CONF_TEXT,
      .offset = AT(sandbox),
      .fallback = "on",
      .doc = SANDBOX_DOC },
    { 0 },
};

static const char *const settings_levels[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};

enum log_level settings_log_level(const struct settings *s)
{
    for (size_t i = 0; i < ARRAY_LEN(settings_levels); i++) {
        if (strcmp(s->log_level, settings_levels[i]) == 0) {
            return (enum log_level)i;
        }
    }
    return LOG_LEVEL_INFO;
}

static enum err check_level(const struct settings *s, struct sbuf *why)
{
    for (size_t i = 0; i < ARRAY_LEN(settings_levels); i++) {
        if (strcmp(s->log_level, settings_levels[i]) == 0) {
            return OK;
        }
    }
    sbuf_fmt(why, "log_level must be debug, info, warn or error, not \"%s\"", s->log_level);
    return E_CONFIG;
}

/* libpq takes a host for a folder only when it starts with '/'. */
static enum err absolute_host(struct settings *s, struct sbuf *why)
{
    char here[CONF_TEXT_MAX], whole[2 * CONF_TEXT_MAX + 1];
    if (!strchr(s->db_host, '/') || s->db_host[0] == '/') {
        return OK;
    }
    if (!getcwd(here, sizeof(here)) ||
        (size_t)snprintf(whole, sizeof(whole), "%s/%s", here, s->db_host) >= sizeof(s->db_host)) {
        sbuf_text(why, "db_host: the path of the folder is too long");
        return E_CONFIG;
    }
    memcpy(s->db_host, whole, strlen(whole) + 1);
    return OK;
}

/* What needs more than one row, and the password. */
static enum err check(struct settings *s, struct sbuf *why)
{
    enum sandbox_mode mode;
    TRY(check_level(s, why));
    if ((s->tls_certificate[0] == '\0') != (s->tls_key[0] == '\0')) {
        sbuf_text(why, "tls_certificate and tls_key must be given together");
        return E_CONFIG;
    }
    if (s->issuer[0] == '\0' || s->audience[0] == '\0') {
        sbuf_text(why, "issuer and audience must not be empty");
        return E_CONFIG;
    }
    if (s->slots_dir[0] == '\0' || strlen(s->slots_dir) > 80) {
        sbuf_text(why, "slots_dir must be a path of at most 80 bytes");
        return E_CONFIG;
    }
    if (!sandbox_mode_parse(s->sandbox, &mode)) {
        sbuf_text(why, "sandbox must be on, strict or off");
        return E_CONFIG;
    }
    TRY(absolute_host(s, why));
    return conf_secret(s->db_password_file, s->db_password, sizeof(s->db_password), why);
}

enum err settings_load(const struct conf_source *src, struct settings *out, struct sbuf *why)
{
    struct settings next = { 0 };
    TRY(conf_load(settings_rows, src, &next, sizeof(next), why));
    TRY(check(&next, why));
    *out = next;
    return OK;
}

enum err settings_reload(const struct conf_source *src, struct settings *inout, struct sbuf *why)
{
    struct settings next = *inout;
    TRY(conf_reload(settings_rows, src, &next, sizeof(next), why));
    TRY(check(&next, why));
    *inout = next;
    return OK;
}
