/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The types of bodies that are taken. Pure. */
#ifndef GREMIO_MEDIA_H
#define GREMIO_MEDIA_H

#include "common/base.h"

#define MEDIA_JSON SLICE("application/json")
#define MEDIA_FORM SLICE("application/x-www-form-urlencoded")

/* Is a Content-Type (RFC 9110 8.3.1) that type, with nothing but charset=utf-8 behind it? */
bool media_is(struct slice type, struct slice name);

#endif
