/* SPDX-License-Identifier: LicenseRef-Gremio */
/* People without an account, who book at a practice's public name: letting them in, and the work that they do. */
#ifndef GREMIO_TEST_STRANGER_H
#define GREMIO_TEST_STRANGER_H

#include <libpq-fe.h>

#include "tests/support/api.h"

/* Switches public booking on, with further members of the policy (",\"notice_min\":0" or ""). The test fails when that is refused. */
void stranger_let_in(struct api *owner, const char *members);
/* Changes the policy by members ("\"public_booking\":false"). */
void stranger_policy(struct api *owner, const char *members);
/* Sets who may book a service: public, link, staff. */
void stranger_show(struct api *owner, const char *service, const char *visibility);

/* An address no other call returns. */
const char *stranger_email(void);
/* "/api/v1/public/SLUG" and what follows. */
const char *stranger_path(const char *slug, const char *rest);
/* A challenge of the practice that is solved, as members of a body: "\"challenge\":\"...\",\"nonce\":\"...\"". */
const char *stranger_work(struct api *a, const char *slug);
/* One free start of a service, the nth of the first days that have any. */
const char *stranger_start(struct api *a, const char *slug, const char *service, int nth);
/* POSTs to .../book with work that is done; the answer is the caller's to judge. */
struct answer *stranger_book(struct api *a, const char *slug, const char *members);

/* Practice a, open to strangers and else by the rules that every practice begins with, with a public service of half an hour that one person offers. */
struct lobby {
    struct api owner, stranger;
    PGconn *db; /* its schema, as superuser */
    const char *service, *staff;
};

/* members: further ones of the policy, or "". */
struct lobby lobby_open(const char *members);
/* Strangers are no longer let in, and their holds are gone. */
void lobby_close(struct lobby *l);
/* The nth start that the service has free. */
const char *lobby_start(struct lobby *l, int nth);
/* Books it as that person would (members "" or ",\"notes\":\"...\""); the answer is the caller's to judge. */
struct answer *lobby_book(struct lobby *l, const char *start, const char *email,
                          const char *members);
/* Holds it. */
struct answer *lobby_hold(struct lobby *l, const char *start);

#endif
