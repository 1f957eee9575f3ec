/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What strangers may do (public_read.c shows, public_book.c books): people without an account or a link, who know a practice's public name. A practice that
 * does not let them in answers as if it were not there. Nothing here reads a client; what a stranger says becomes a client of its own. */
#ifndef GREMIO_PUBLIC_H
#define GREMIO_PUBLIC_H

#include "worker/api/appointment.h"
#include "worker/api/openings.h"

#define PUBLIC_GRID        30   /* minutes, of a service that says none */
#define PUBLIC_ADDRESS_DAY "20" /* bookings from one address within 24 hours */
#define PUBLIC_CONTACT_DAY "10" /* of one e-mail or phone */

#define PUBLIC_SLUG_PARAM                                         \
    {                                                             \
        .name = "slug", .in = IN_PATH, .type = T_TEXT, .max = 64, \
        .doc = "The practice's public name"                       \
    }
#define PUBLIC_PROOF_PARAMS                                                                 \
    { .name = "challenge",                                                                  \
      .in = IN_BODY,                                                                        \
      .type = T_TEXT,                                                                       \
      .max = 200,                                                                           \
      .doc = "One of .../challenge, used once" },                                           \
    {                                                                                       \
        .name = "nonce", .in = IN_BODY, .type = T_TEXT, .max = 40,                          \
        .doc = "SHA-256 of the challenge with this behind it begins with so many zero bits" \
    }
#define PUBLIC_PROOF_VAR                \
    {                                   \
        .name = "proof", .type = T_TEXT \
    }

/* The first of all statements. */
extern const struct stmt public_door;
/* The service :w_service, if strangers may know it: id, questions. */
extern const struct stmt public_service;
/* Of a proof that is used. */
extern const struct stmt public_spend;

/* E_NOT_FOUND unless the practice lets strangers in. Needs public_door. */
MUST_USE enum err public_enter(struct call *c);
/* The body's proof of work is good, and used with what this request does: a refusal leaves it as it was. Needs PUBLIC_PROOF_PARAMS, PUBLIC_PROOF_VAR and
 * public_spend. E_INVALID. */
MUST_USE enum err public_prove(struct call *c);
/* A place for the service at that time (a T_TIME), with staff or, where that is NULL, with anybody: takes the locks and sets what a hold or a booking needs
 * of it. E_SLOT_TAKEN, whatever it is that is in the way. Needs APPOINTMENT_PLACE_VARS, OPENINGS_VARS and their statements. */
MUST_USE enum err public_place(struct call *c, const char *service, const char *staff,
                               const char *time);

#endif
