/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Creates one practice: directory row, roles, schema, owner, all in ONE transaction; a failure leaves nothing. */
#ifndef GREMIO_PRACTICE_H
#define GREMIO_PRACTICE_H

#include "common/pg.h"
#include "common/tenant.h"
#include "provisioning/account.h"
#include "provisioning/apply.h"
#include "provisioning/settings.h"

#define PRACTICE_CODE_MAX 44 /* 43 characters and a NUL */

/* As an operator typed it; borrowed. */
struct practice_spec {
    const char *slug, *name, *sector, *country, *time_zone, *locale, *currency;
    const char *owner_email;
    const char *owner_name; /* NULL: the part of the e-mail before '@' */
    const char *password;   /* NULL: a random one, unless the account has one already */
    bool invite;            /* none is made: the owner chooses one by a code (made->code) */
};

struct practice_made {
    struct apply_target target;
    const char *slug; /* the specification's */
    int schema_version;
    char owner_id[UUID_TEXT]; /* staff and resource row */
    char owner_email[ACCOUNT_EMAIL_MAX];
    char password[ACCOUNT_PASSWORD_MAX]; /* "" when the account kept its own, or there is none */
    char code[PRACTICE_CODE_MAX]; /* to choose the first password with; "" when there is one */
};

/* Further rows in the same transaction: path and role are the new schema's owner. */
typedef enum err (*practice_fill_fn)(PGconn *c, const struct practice_made *made, void *context,
                                     struct sbuf *why);

struct practice_how {
    const struct settings *settings; /* for the password of a new pool login */
    const struct migrations *files;  /* of tenant_template, already in the ledger */
    practice_fill_fn fill;           /* may be NULL */
    void *context;
};

/* E_INVALID with a sentence naming the option that is wrong. Needs no database. */
MUST_USE enum err practice_check(const struct practice_spec *spec, struct sbuf *why);
/* practice_check, then creates. E_ALREADY_EXISTS: the slug is taken. */
MUST_USE enum err practice_create(PGconn *c, const struct practice_spec *spec,
                                  const struct practice_how *how, struct practice_made *made,
                                  struct sbuf *why);

#endif
