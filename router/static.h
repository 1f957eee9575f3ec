/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Files of one folder over GET and HEAD, with ETag and, for pages, a strict Content-Security-Policy and no Referer: what pages
 * are made of is kept for an hour, so they name it with a version. Never leaves the folder, follows no symbolic link, shows no
 * dot file. Reads a file (at most 8 MiB) at each request. */
#ifndef GREMIO_STATIC_H
#define GREMIO_STATIC_H

#include "router/exchange.h"

#define STATIC_FILE_MAX (8u << 20)

/* Answers x with the file of x->path under dir ("/api/docs/..." is dir/docs/..., everything else dir/...; a folder is its
 * index.html) and returns true. false, with x untouched: not GET or HEAD, or no such file. dir "" serves nothing. */
MUST_USE bool static_serve(struct exchange *x, const char *dir);

#endif
