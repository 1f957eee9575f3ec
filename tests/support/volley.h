/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Many requests at the same moment: each from a thread and a connection of its own, all released at once. */
#ifndef GREMIO_TEST_VOLLEY_H
#define GREMIO_TEST_VOLLEY_H

#include "common/base.h"

struct shot {
    const char *token, *method, *path, *body; /* borrowed; body NULL: none */
    const char *headers;                      /* further field lines or NULL */
    const char *from;                         /* address it comes from; NULL: any */
    int status;                               /* of the answer; 0: none came */
    char code[40];                            /* problem code, or "" */
    char id[40];                              /* id member, or "" */
    bool replayed;                            /* Idempotency-Replayed: true */
    uint64_t body_hash;                       /* of its bytes */
    int64_t took_ms;
};

#define VOLLEY_MAX 256

/* Fires all shots together and waits for every answer. At most VOLLEY_MAX. */
void volley_fire(struct shot *shots, size_t n);
/* Shots that ended with the status, and the code unless it is NULL. */
size_t volley_count(const struct shot *shots, size_t n, int status, const char *code);
/* Prints "12 x 409 slot_taken" for each outcome, one line per volley. */
void volley_print(const char *what, const struct shot *shots, size_t n);

#endif
