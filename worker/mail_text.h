/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What the messages say, in Spanish and English: one row a topic. Adding a message means adding a row. Pure. */
#ifndef GREMIO_MAIL_TEXT_H
#define GREMIO_MAIL_TEXT_H

#include "common/err.h"
#include "common/sbuf.h"

enum mail_topic {
    MAIL_RESET,      /* link to choose a new password */
    MAIL_VERIFY,     /* link that proves an address */
    MAIL_CHANGE,     /* the same for an account's next address */
    MAIL_CHANGED,    /* to the address before: value is the new one */
    MAIL_INVITATION, /* to work in a practice */
    MAIL_LINK_CODE,  /* code that opens a client's link */
    MAIL_OFFER, /* time that is offered to who waited: value says which, code is in the link's path */
    MAIL_BOOKED, /* to who booked without an account: the same of their link */
    MAIL_TOPIC_COUNT,
};

/* What a text may name; NULL: its topic does not. */
struct mail_values {
    const char *public_url; /* without a slash at the end */
    const char *code;       /* the one-time token */
    const char *value;      /* an address */
    const char *practice;
};

const char *mail_text_name(enum mail_topic t);
/* Spanish for "es", "es-MX"; English for any other locale; Spanish for NULL. */
enum lang mail_text_lang(const char *locale);
/* Appends the subject, a newline and the text. Nothing of a value is looked at for further names. */
void mail_text_write(struct sbuf *out, enum mail_topic t, enum lang lang,
                     const struct mail_values *v);

#endif
