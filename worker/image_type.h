/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What kind of picture bytes are, by their first ones, whatever they are said to be. No picture is decoded here. Pure. */
#ifndef GREMIO_IMAGE_TYPE_H
#define GREMIO_IMAGE_TYPE_H

#include "common/base.h"

/* "image/png" (ISO/IEC 15948), "image/jpeg" (ISO/IEC 10918-1), "image/webp" (RFC 9649); NULL for anything else, SVG among it: it may hold scripts. */
const char *image_type_of(struct slice bytes);

#endif
