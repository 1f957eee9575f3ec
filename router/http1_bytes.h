/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Which byte may stand where in a request: one table for the files of http1. */
#ifndef GREMIO_HTTP1_BYTES_H
#define GREMIO_HTTP1_BYTES_H

#include "common/base.h"

enum {
    HTTP1_TOKEN = 1, /* RFC 9110 5.6.2 tchar */
    HTTP1_VALUE = 2, /* RFC 9110 5.5: HTAB, SP, visible, obs-text */
    HTTP1_PATH = 4,  /* RFC 3986 pchar, '%' and '/' */
    HTTP1_QUERY = 8, /* the same with '?' and what browsers leave bare: [ ] { } | ^ ` */
    HTTP1_HOST = 16, /* letters, digits, '-', '.', '_' */
    HTTP1_IPV6 = 32, /* hex digits, ':' and '.' */
    HTTP1_HEX = 64,  /* hex digits */
};

/* Bit set of the above for every byte. */
extern const uint8_t http1_bytes[256];

static inline bool http1_is(unsigned char byte, unsigned set)
{
    return (http1_bytes[byte] & set) != 0;
}

#endif
