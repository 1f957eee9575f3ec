/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Practices made as the operator makes them, by gremioctl: dentists in Mexico City. The test fails when that does. */
#ifndef GREMIO_TEST_PRACTICE_H
#define GREMIO_TEST_PRACTICE_H

#include "common/base.h"

/* Its owner has the stack's password. */
void practice_make(const char *slug, const char *name, const char *owner_email);
/* So that it can be booked at any time. */
void practice_open_always(const char *slug);
/* Its owner has none yet: the link with which to choose one, as gremioctl prints it; freed by api_release. */
const char *practice_invite(const char *slug, const char *name, const char *owner_email);

#endif
