/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One row per setting: default, bounds and help text come from here. */
#include "provisioning/settings.h"

#include <stdio.h>

#define AT(field) offsetof(struct settings, field)

const struct conf_row settings_rows[] = {
    { .name = "log_level",
      .type = CONF_TEXT,
      .offset = AT(log_level),
      .fallback = "warn",
      .doc = "debug, info, warn or error" },
    { .name = "db_host",
      .env = "DB_HOST",
      .type = CONF_TEXT,
      .offset = AT(db_host),
      .fallback = "var/run/pg",
      .doc = "Folder of PostgreSQL's Unix socket, or a host name" },
    { .name = "db_port",
      .env = "DB_PORT",
      .type = CONF_INT,
      .offset = AT(db_port),
      .min = 1,
      .max = 65535,
      .fallback = "5432",
      .doc = "PostgreSQL's port" },
    { .name = "db_name",
      .env = "DB_NAME",
      .type = CONF_TEXT,
      .offset = AT(db_name),
      .fallback = "gremio",
      .doc = "Database; init creates it when it is missing" },
    { .name = "db_user",
      .env = "DB_USER",
      .type = CONF_TEXT,
      .offset = AT(db_user),
      .fallback = "postgres",
      .doc = "Superuser of the server; used by init only" },
    { .name = "db_password",
      .env = "DB_PASSWORD",
      .type = CONF_TEXT,
      .offset = AT(db_password),
      .fallback = "",
      .secret = true,
      .doc = "Password of db_user; empty for peer authentication" },
    { .name = "secrets_dir",
      .type = CONF_TEXT,
      .offset = AT(secrets_dir),
      .fallback = "var/secrets",
      .doc = "Folder of passwords and keys; init creates it" },
    { .name = "sql_dir",
      .type = CONF_TEXT,
      .offset = AT(sql_dir),
      .fallback = "sql",
      .doc = "Folder that holds public/ and tenant_template/" },
    { .name = "lock_timeout",
      .type = CONF_TIME,
      .offset = AT(lock_timeout),
      .min = 10,
      .max = 600000,
      .fallback = "2s",
      .doc = "Longest wait for a lock that the service holds" },
    { .name = "public_url",
      .type = CONF_TEXT,
      .offset = AT(public_url),
      .fallback = "http://127.0.0.1:8000",
      .doc = "Where people reach Gremio, as the worker has it: the owner's link begins with it" },
    { 0 },
};

enum log_level settings_log_level(const struct settings *s)
{
    static const char *const names[] = {
        [LOG_LEVEL_DEBUG] = "debug",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_WARN] = "warn",
        [LOG_LEVEL_ERROR] = "error",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], s->log_level) == 0) {
            return (enum log_level)i;
        }
    }
    return LOG_LEVEL_WARN;
}

enum err settings_secret_path(const struct settings *s, const char *name, char *out, size_t cap)
{
    int n = snprintf(out, cap, "%s/%s", s->secrets_dir, name);
    return n > 0 && (size_t)n < cap ? OK : E_CONFIG;
}
