/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The API's own description, for the documentation page and for programs. */
#include "worker/openapi.h"
#include "worker/call.h"
#include "worker/slot_env.h"

static enum err openapi_read(struct call *c)
{
    struct slice etag, document = openapi_text(c->env->routes, &etag);
    return document.n ? call_answer_lasting(c, CONTENT_JSON, document, etag) : E_NOMEM;
}

const struct route openapi_routes[] = {
    {
        .method = M_GET,
        .path = "/api/openapi.json",
        .summary = "This description (OpenAPI 3.1)",
        .open = true,
        .cost = COST_FAST,
        .handler = openapi_read,
        .shape = SHAPE_RAW,
        .etag = true,
        .success = 200,
    },
    { 0 },
};
