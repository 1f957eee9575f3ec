/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One-time tokens and the messages that carry them: made, superseded, proved and consumed on the shared tables, in auth slots as gremio_auth. A
 * token is 256 random bits; the database has its hash. One lives for each kind and account, and one conditional UPDATE consumes it. */
#ifndef GREMIO_ONE_TIME_H
#define GREMIO_ONE_TIME_H

#include "worker/call.h"
#include "worker/mail_text.h"

#define ONE_TIME_TEXT 44 /* 43 characters and a NUL */

/* For the .vars of a route that uses any of this. */
#define ONE_TIME_VARS                                                                 \
    { .name = "kind", .type = T_TEXT }, { .name = "secret_hash", .type = T_TEXT },    \
        { .name = "owner", .type = T_UUID }, { .name = "recipient", .type = T_TEXT }, \
        { .name = "ttl_s", .type = T_INT }, { .name = "topic", .type = T_TEXT },      \
        { .name = "language", .type = T_TEXT }, { .name = "sealed", .type = T_TEXT }, \
        { .name = "message", .type = T_UUID }, { .name = "wanted", .type = T_BOOL },  \
    {                                                                                 \
        .name = "peer", .type = T_TEXT                                                \
    }

#define ONE_TIME_SEND_STMTS                                                             \
    &one_time_asked, &one_time_dead, &one_time_make, &one_time_purge, &one_time_forget, \
        &one_time_mail
#define ONE_TIME_USE_STMTS &one_time_consume, &one_time_dead_all
extern const struct stmt one_time_asked, one_time_dead, one_time_make, one_time_purge,
    one_time_forget, one_time_mail, one_time_consume, one_time_dead_all;

/* Of public.one_time_token t. */
#define ONE_TIME_ALIVE "t.consumed_at IS NULL AND t.superseded_at IS NULL AND t.expires_at > now()"

/* What is asked for: a mail to recipient. */
struct one_time {
    const char *kind;
    enum mail_topic topic;
    const char *account; /* NULL: there is none; the same work, and no mail */
    const char *recipient, *locale;
    bool wanted; /* false: as for no account */
    int64_t ttl_s;
};

/* Counts the request by recipient and address. E_TOO_MANY_ATTEMPTS: the address asks too often. *enough: the recipient has had enough mail,
 * nothing is to be sent and nothing is to be said of it. */
MUST_USE enum err one_time_limit(struct call *c, const char *recipient, bool *enough);
/* The message alone, in :message, :topic, :language and :sealed. */
MUST_USE enum err one_time_compose(struct call *c, enum mail_topic topic, enum lang lang,
                                   const struct mail_values *v);
/* A new token's :secret_hash, and the message that carries it in :message, :topic, :language and :sealed. practice: as the topic's text
 * names it, or NULL. */
MUST_USE enum err one_time_link(struct call *c, enum mail_topic topic, const char *locale,
                                const char *practice);
/* A new token, which supersedes the one before, and the message that carries it. */
MUST_USE enum err one_time_send(struct call *c, const struct one_time *what);
/* A message about an account without a token. value: what the topic's text names. */
MUST_USE enum err one_time_tell(struct call *c, enum mail_topic topic, const char *recipient,
                                const char *locale, const char *value);

/* Sets :secret_hash from the token of the request (parameter "token"). E_LINK_EXPIRED: it is none. */
MUST_USE enum err one_time_read(struct call *c);
/* Consumes it; who comes second gets E_LINK_EXPIRED. */
MUST_USE enum err one_time_use(struct call *c);
/* 410: unknown, expired, used and superseded look the same. */
enum err one_time_over(struct call *c);

/* 202 with {"status":"accepted"}, whatever happened. */
MUST_USE enum err one_time_accepted(struct call *c);
extern const struct column one_time_accepted_columns[];

#endif
