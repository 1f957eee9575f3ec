/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Pieces of the API's description: names made from paths, JSON Schema made from parameter and column rows. Only
 * openapi.c uses them. */
#ifndef GREMIO_OPENAPI_SCHEMA_H
#define GREMIO_OPENAPI_SCHEMA_H

#include "worker/routes.h"

#define OPENAPI_NAME_MAX ROUTE_PATTERN_MAX

/* "name": and ,"name":"value". */
void openapi_schema_key(struct sbuf *b, const char *name);
void openapi_schema_text(struct sbuf *b, const char *name, const char *value);
/* The path's words without "api", the version and {names}: "appointments_history". */
void openapi_schema_words(const char *path, char out[OPENAPI_NAME_MAX]);

/* One parameter's schema. */
void openapi_schema_param(struct sbuf *b, const struct param *p);
/* The schema of all body members of a plan. */
void openapi_schema_body(struct sbuf *b, const struct route_plan *plan);
/* The object that columns make, dotted names nested. */
void openapi_schema_columns(struct sbuf *b, const struct column *columns);

#endif
