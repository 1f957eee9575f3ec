/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Delivery of messages into a folder, one file each. The one place that knows where mail goes. */
#ifndef GREMIO_MAIL_FILE_H
#define GREMIO_MAIL_FILE_H

#include "worker/mail_message.h"

/* Writes ID.eml (mode 0600) whole or not at all, and on disk once this is OK; one that is there already is replaced. E_BAD_REQUEST: no such
 * message can be written, E_IO: try again later (errno says why). */
MUST_USE enum err mail_file_deliver(const char *folder, const struct mail *m);

#endif
