/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Which page made a request, as the browser says: what keeps other sites from using a guest's cookie. Pure. */
#ifndef GREMIO_ORIGIN_H
#define GREMIO_ORIGIN_H

#include "router/exchange.h"

enum origin {
    ORIGIN_OWN,
    ORIGIN_FOREIGN,
    ORIGIN_UNKNOWN, /* the browser is old, or it is none */
};

/* By Origin (RFC 6454 7), which must be this host's, over TLS when browsers reach us so, or that of public_url (empty: none). Where Origin is missing or says "null"
 * (as it does for forms of a page with Referrer-Policy: no-referrer), by Sec-Fetch-Site (W3C Fetch Metadata). */
enum origin origin_of(const struct exchange *x, bool secure, struct slice public_url);

#endif
