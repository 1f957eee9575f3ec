/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The settings of gremioctl: where the database, the secrets and the SQL files are. */
#ifndef GREMIO_SETTINGS_H
#define GREMIO_SETTINGS_H

#include "common/conf.h"
#include "common/log.h"

struct settings {
    char log_level[CONF_TEXT_MAX];
    char db_host[CONF_TEXT_MAX]; /* folder of the Unix socket, or a host name */
    int64_t db_port;
    char db_name[CONF_TEXT_MAX];
    char db_user[CONF_TEXT_MAX];     /* a superuser; init only */
    char db_password[CONF_TEXT_MAX]; /* empty: peer or trust */
    char secrets_dir[CONF_TEXT_MAX];
    char sql_dir[CONF_TEXT_MAX]; /* holds public/ and tenant_template/ */
    int64_t lock_timeout;        /* milliseconds */
    char public_url[CONF_TEXT_MAX];
};

/* Rows for conf_load, conf_help and conf_print; offsets are those of struct settings. */
extern const struct conf_row settings_rows[];

/* The level log_level names; LOG_LEVEL_WARN for a name that is none. */
enum log_level settings_log_level(const struct settings *s);
/* secrets_dir/name into out[cap]; E_CONFIG when it does not fit. */
MUST_USE enum err settings_secret_path(const struct settings *s, const char *name, char *out,
                                       size_t cap);

#endif
