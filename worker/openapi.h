/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The API's description (OpenAPI 3.1), written from the same rows that validate and answer: it cannot drift. */
#ifndef GREMIO_OPENAPI_H
#define GREMIO_OPENAPI_H

#include "worker/routes.h"

/* Appends the document for every compiled route. Out of memory shows in sbuf_failed. */
void openapi_write(const struct routes *routes, struct sbuf *out);
/* The same, made at the first call and kept as long as the process lives, with its ETag (quotes included); empty when out of
 * memory. */
struct slice openapi_text(const struct routes *routes, struct slice *etag);

#endif
