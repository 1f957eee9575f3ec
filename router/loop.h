/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Which libevent the program runs with, whatever it was built with. */
#ifndef GREMIO_LOOP_H
#define GREMIO_LOOP_H

#include "common/err.h"
#include "common/sbuf.h"

/* Refuses a libevent older than 2.1.12, and a 2.1.12 without Debian's fixes of deb12u1. A revision cannot be asked for, so one
 * of the fixes is tried. E_CONFIG with one sentence. */
MUST_USE enum err loop_floor(struct sbuf *why);

#endif
