/* SPDX-License-Identifier: LicenseRef-Gremio */
/* Every operation the API declares in /api/openapi.json, so that tests cover routes nobody has written yet. */
#ifndef GREMIO_TEST_CATALOG_H
#define GREMIO_TEST_CATALOG_H

#include <json-c/json.h>

#include "tests/support/api.h"

struct operation {
    const char *method; /* "GET" */
    const char *path;   /* "/api/v1/clients/{id}" */
    struct json_object *doc;
};

/* The ids a request is filled with. */
struct ids {
    const char *client, *service, *staff, *appointment;
    const char *invitation, *link, *proposal, *role, *key; /* NULL: one that is nowhere */
    const char *schedule, *exception, *asset, *entry, *series, *block;
    const char *hold, *feed, *offer; /* their tokens; catalog_tokens' */
    const char *slug;                /* of a practice that strangers may book at; catalog_tokens' */
};

#define CATALOG_MAX 200

/* One of everything, called name, made by an owner; staff: whose appointment it is, NULL for somebody new. */
struct ids catalog_things(struct api *owner, const char *name, const char *staff,
                          const char *starts_at);

/* Holds the next time that their staff has for their service. */
void catalog_hold(struct api *owner, struct ids *ids);
/* That, a calendar of the owner's, what is offered to somebody who waits, and lets strangers book the service. */
void catalog_tokens(struct api *owner, struct ids *ids);

/* All operations; the document stays in memory until the process ends. The test fails when there is no document. */
size_t catalog_read(struct api *a, struct operation out[CATALOG_MAX]);
/* The path with {id} replaced by the id of its resource; freed by api_release. */
char *catalog_path(const struct operation *op, const struct ids *ids);
/* The same with the query parameters that are required. */
char *catalog_target(const struct operation *op, const struct ids *ids);
/* A body that fits the operation's schema, every member filled, references from ids; NULL when it takes none. */
char *catalog_body(const struct operation *op, const struct ids *ids);
/* False for operations that anybody may call. */
bool catalog_needs_token(const struct operation *op);
/* True for operations of guests, who come by a link: nobody of the practice may call them. */
bool catalog_for_guests(const struct operation *op);
/* True for operations of strangers: whatever is public is anybody's, also another practice's. */
bool catalog_for_strangers(const struct operation *op);
/* The operation's query parameters: name of the nth, NULL behind the last. */
const char *catalog_query(const struct operation *op, size_t n);

#endif
