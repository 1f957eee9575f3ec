/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A message as it waits in an outbox: subject and text sealed with the installation's mail key, since they hold links. The key is derived from
 * the pool key when the worker starts; every slot may write, the jobs slot reads. */
#ifndef GREMIO_MAIL_SEAL_H
#define GREMIO_MAIL_SEAL_H

#include "worker/mail_text.h"

/* Appends "\x..", as a bytea goes to PostgreSQL. */
MUST_USE enum err mail_seal(const char *mail_key, enum mail_topic t, enum lang lang,
                            const struct mail_values *v, struct sbuf *out);
/* hex: the sealed bytes in hexadecimal. Appends to *text; subject and body point into it. E_BAD_REQUEST: it was not sealed with this key. */
MUST_USE enum err mail_unseal(const char *mail_key, struct slice hex, struct sbuf *text,
                              struct slice *subject, struct slice *body);

#endif
