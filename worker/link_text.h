/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What is sent along with an access link, in Spanish and English, ready for any messenger: plain text, and WhatsApp's own link with it. Pure. */
#ifndef GREMIO_LINK_TEXT_H
#define GREMIO_LINK_TEXT_H

#include "common/err.h"
#include "common/sbuf.h"

/* What a text names. */
struct link_words {
    const char *given_name, *practice, *url;
    const char *service,
        *local_start; /* of the one visit it opens, PostgreSQL's local timestamp; NULL: all of them */
};

/* "lunes 2 de marzo de 2026, 10:00", "Monday 2 March 2026, 10:00"; nothing when it is no PostgreSQL timestamp. */
void link_text_time(struct sbuf *out, enum lang lang, const char *local);
void link_text_write(struct sbuf *out, enum lang lang, const struct link_words *w);
/* https://wa.me/DIGITS?text=...; without a phone (E.164, or NULL) WhatsApp asks whom to send it to. */
void link_text_whatsapp(struct sbuf *out, const char *phone, struct slice text);

#endif
