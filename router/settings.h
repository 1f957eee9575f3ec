/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every setting of the router, declared once as a row. The struct is swapped whole by a reload: modules borrow it and
 * read it anew each time. */
#ifndef GREMIO_SETTINGS_H
#define GREMIO_SETTINGS_H

#include "common/conf.h"
#include "common/log.h"
#include "router/http.h"

struct settings {
    char log_level[CONF_TEXT_MAX];
    bool access_log;
    char db_host[CONF_TEXT_MAX]; /* directory of the Unix socket, address or host name */
    char db_port[CONF_TEXT_MAX];
    char db_name[CONF_TEXT_MAX];
    char db_password_file[CONF_TEXT_MAX];
    char listen[CONF_TEXT_MAX];
    char metrics_listen[CONF_TEXT_MAX]; /* empty: no metrics */
    int64_t processes;
    char slots_dir[CONF_TEXT_MAX];
    char issuer[CONF_TEXT_MAX];
    char audience[CONF_TEXT_MAX];
    char tls_certificate[CONF_TEXT_MAX]; /* empty: plain HTTP */
    char tls_key[CONF_TEXT_MAX];
    char static_dir[CONF_TEXT_MAX]; /* empty: no static files */
    char public_url[CONF_TEXT_MAX]; /* where people reach Gremio; empty: as they say themselves */
    struct http_limits limits;
    int64_t inflight_max;              /* requests, per process */
    int64_t inflight_per_tenant;       /* requests, per process */
    int64_t tenant_rate, tenant_burst; /* requests a second and at once, per process; rate 0: any */
    int64_t link_rate,
        link_burst; /* the same of one address that comes by links, or as a stranger */
    int64_t public_rate, public_burst;   /* of all strangers of one practice */
    int64_t queue_max;                   /* requests per slot kind */
    int64_t queue_wait, slow_queue_wait; /* ms: of api, of the other kinds */
    int64_t request_timeout;             /* ms */
    int64_t slow_timeout;                /* ms */
    int64_t drain_timeout;               /* ms */
    int64_t token_cache;                 /* tokens */
    char sandbox[CONF_TEXT_MAX];         /* off, on, strict */

    char db_password[128]; /* read from db_password_file by settings_check, never a row */
};

extern const struct conf_row settings_rows[];

/* Fills *out from file, environment and overrides, and checks what rows cannot say (both TLS files or none, readable
 * password). E_CONFIG with one sentence in why; *out is untouched then. */
MUST_USE enum err settings_load(const struct conf_source *src, struct settings *out,
                                struct sbuf *why);
/* As settings_load over the values in use: all or nothing, and only settings that may change while running. */
MUST_USE enum err settings_reload(const struct conf_source *src, struct settings *inout,
                                  struct sbuf *why);
enum log_level settings_log_level(const struct settings *s);

#endif
