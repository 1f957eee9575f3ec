/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The worker's settings: one row each in settings.c, one field each here. Files named by a setting are read
 * by settings_secrets, before any slot is forked; settings themselves hold paths, never secrets. */
#ifndef GREMIO_SETTINGS_H
#define GREMIO_SETTINGS_H

#include "common/conf.h"
#include "common/log.h"
#include "common/secret.h"

struct worker_settings {
    char log_level[CONF_TEXT_MAX]; /* debug, info, warn, error */
    char db_host[CONF_TEXT_MAX];
    char db_port[CONF_TEXT_MAX];
    char db_name[CONF_TEXT_MAX];
    char slots_dir[CONF_TEXT_MAX];
    bool slots_shared; /* the router is another user of the worker's group */
    char pool_key_file[CONF_TEXT_MAX];
    char auth_password_file[CONF_TEXT_MAX];
    char sealing_key_file[CONF_TEXT_MAX];
    char jobs_password_file[CONF_TEXT_MAX];
    int64_t api_slots, slow_slots, auth_slots, jobs_slots;
    int64_t proof_bits; /* of work_proof.h */
    int64_t batch_max;
    int64_t statements_max;         /* prepared statements of one connection */
    int64_t connection_memory;      /* bytes of a backend beyond which its connection is replaced */
    int64_t connection_lifetime;    /* ms */
    int64_t statement_timeout;      /* ms; api and auth slots */
    int64_t slow_statement_timeout; /* ms; slow and jobs slots */
    int64_t lock_timeout;           /* ms */
    int64_t drain_timeout;          /* ms a slot has to finish what it was sent */
    char issuer[CONF_TEXT_MAX];
    char audience[CONF_TEXT_MAX];
    int64_t access_ttl;      /* ms */
    int64_t session_idle;    /* ms */
    int64_t session_limit;   /* ms */
    int64_t refresh_grace;   /* ms */
    int64_t step_up_within;  /* ms */
    int64_t password_memory; /* bytes of argon2id */
    int64_t password_ops;
    char public_url[CONF_TEXT_MAX]; /* where people reach Gremio, without a slash at the end */
    char mail_from[CONF_TEXT_MAX];
    char mail_dir[CONF_TEXT_MAX]; /* empty: messages stay queued */
    char sandbox[CONF_TEXT_MAX];  /* off, on, strict */
};

/* What the secret files held. A slot wipes what its kind has no use for right after the fork. */
struct worker_secrets {
    char pool_key[SECRET_KEY_TEXT];
    char sealing_key[SECRET_KEY_TEXT];
    char auth_password[SECRET_PASSWORD_MAX];
    char jobs_password[SECRET_PASSWORD_MAX];
    char mail_key[SECRET_KEY_TEXT]; /* derived from the pool key; seals what waits in outboxes */
    char proof_key
        [SECRET_KEY_TEXT]; /* derived too; signs challenges of work_proof.h, hides addresses */
};

extern const struct conf_row settings_rows[];

/* What no single row can say (a path's length, timeouts that contradict each other). E_CONFIG with a sentence. */
MUST_USE enum err settings_check(const struct worker_settings *s, struct sbuf *why);
/* Reads the files of the kinds that will run. E_CONFIG or E_IO with a sentence, *out wiped then. */
MUST_USE enum err settings_secrets(const struct worker_settings *s, struct worker_secrets *out,
                                   struct sbuf *why);
enum log_level settings_log_level(const struct worker_settings *s);

#endif
