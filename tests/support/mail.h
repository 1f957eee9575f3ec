/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The messages that the stack's jobs slot has written: waiting for one, and reading it as a person would. */
#ifndef GREMIO_TEST_MAIL_H
#define GREMIO_TEST_MAIL_H

#include "common/base.h"

/* A message that was read; texts live until mail_free. */
struct mail_read {
    char *raw;     /* the file */
    char *subject; /* decoded */
    char *text;    /* decoded, newlines alone */
    char *path;
    char link[300], code[60]; /* "" when there is none */
};

/* Waits until the n-th message (1: the first) to the address is there, in the order in which they were made; the test fails without. */
struct mail_read mail_wait(const char *to, int n);
/* Messages to the address that are there now. */
int mail_count(const char *to);
/* Waits until no outbox, the accounts' and the practices', has a message waiting. */
void mail_settle(void);
void mail_free(struct mail_read *m);
/* Where they are. */
const char *mail_folder(void);

#endif
