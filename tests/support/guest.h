/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Clients who come by a link: making one as staff, opening it, and days on which the practice is open. */
#ifndef GREMIO_TEST_GUEST_H
#define GREMIO_TEST_GUEST_H

#include "tests/support/api.h"

/* A link that was made; texts are freed by api_release. */
struct guest_link {
    const char *id, *token;
    struct answer *made;
};

/* To "clients/ID" or "appointments/ID"; members of the body, or "". The test fails when it is refused. */
struct guest_link guest_link_to(struct api *who, const char *what, const char *members);
/* Opens it with further members of the body (",\"code\":\"123456\"" or ""); the answer is the caller's to judge. */
struct answer *guest_open(const char *token, const char *members);
/* From an address of this machine. */
struct answer *guest_open_from(const char *from, const char *token, const char *members);
/* Opens it; the test fails when that is refused. */
struct api guest_enter(const char *token);
/* A link and its guest at once. */
struct api guest_of(struct api *who, const char *what, const char *members);

#define GUEST_ALL_SCOPES "\"scopes\":[\"see\",\"confirm\",\"cancel\",\"reschedule\",\"profile\"]"

/* What the guest of a client proposes; its id, as the practice sees it. */
const char *guest_proposal(struct api *who, struct api *guest, const char *client,
                           const char *given_name);

/* The first Monday that is at least so many days ahead, "2026-03-02"; guest_day: so many days after it. */
const char *guest_monday(int ahead);
const char *guest_day(int ahead, int after);

#endif
