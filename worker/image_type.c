/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Signatures at fixed places. */
#include "worker/image_type.h"

static bool has(struct slice bytes, size_t at, struct slice part)
{
    return bytes.n >= at + part.n && memcmp(bytes.p + at, part.p, part.n) == 0;
}

const char *image_type_of(struct slice bytes)
{
    if (has(bytes, 0, SLICE("\x89PNG\r\n\x1a\n"))) {
        return "image/png";
    }
    if (has(bytes, 0, SLICE("\xff\xd8\xff"))) {
        return "image/jpeg";
    }
    if (has(bytes, 0, SLICE("RIFF")) && has(bytes, 8, SLICE("WEBP"))) {
        return "image/webp";
    }
    return NULL;
}
