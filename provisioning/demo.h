/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Two practices with believable data, as rows: demo_dentist.c, demo_barber.c, demo_people.c. Fills a fresh schema
 * inside the transaction that creates it; the same day gives the same agenda. */
#ifndef GREMIO_DEMO_H
#define GREMIO_DEMO_H

#include "provisioning/practice.h"

struct demo_service {
    const char *name, *category, *description, *color;
    int duration_min, buffer_after_min;
    int price; /* whole currency units */
};

struct demo_staff {
    const char *name, *email, *phone, *title, *color;
};

struct demo_practice {
    struct practice_spec spec; /* password is filled in when it is used */
    const char *legal_name, *phone, *address;
    const struct demo_staff *staff; /* the first is the owner; ends with a row without name */
    const struct demo_service *services;
    int opens_min, closes_min;        /* minutes after midnight */
    int lunch_from_min, lunch_to_min; /* nobody is booked in between */
    int saturday_closes_min;          /* Sundays are closed */
    const char *color;                /* #rrggbb, of its pages for clients */
    const char *cutoff_min;           /* so long before a visit clients may cancel and move it */
    int first_client;                 /* where this practice begins in the list of people */
};

#define DEMO_CLIENTS 60

struct demo_client {
    char given[64], family[96], email[128], phone[48], birth[48];
};

extern const struct demo_practice demo_dentist;
extern const struct demo_practice demo_barber;

/* The n-th person of the list, always the same for the same n. */
void demo_people_client(int n, struct demo_client *out);

/* A practice_fill_fn; context is a const struct demo_practice. */
enum err demo_fill(PGconn *c, const struct practice_made *made, void *context, struct sbuf *why);

#endif
