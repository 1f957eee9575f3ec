/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One message as RFC 5322 text with MIME (RFC 2045, 2047): headers nothing can be smuggled into, a body of plain UTF-8 text. The same
 * message gives the same bytes every time. Pure. */
#ifndef GREMIO_MAIL_MESSAGE_H
#define GREMIO_MAIL_MESSAGE_H

#include "common/err.h"
#include "common/sbuf.h"

#define MAIL_ADDRESS_MAX 254
#define MAIL_SUBJECT_MAX 400 /* bytes; what is longer is cut between characters */

struct mail {
    const char *from, *to;      /* addresses: user@domain */
    const char *id;             /* unique; before the @ of Message-ID */
    struct slice subject, text; /* UTF-8; controls of the subject become blanks */
    const char *language;       /* "es" */
    int64_t date_s;             /* seconds since 1970 */
};

/* Appends the message. E_BAD_REQUEST, and nothing is appended: an address that is none, an id that is not of [A-Za-z0-9-], a language that
 * is no word, or text that is not UTF-8. E_NOMEM. */
MUST_USE enum err mail_message_write(struct sbuf *out, const struct mail *m);
/* user@domain of printable ASCII without anything that needs quoting; at most MAIL_ADDRESS_MAX. */
bool mail_message_address_valid(struct slice address);

#endif
