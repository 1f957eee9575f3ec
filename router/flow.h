/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A request's way through the router: route, token, tenant, admission, dispatch, answer, log. Borrows every module it
 * joins; owns nothing but the order of the steps. */
#ifndef GREMIO_FLOW_H
#define GREMIO_FLOW_H

#include "router/access_log.h"
#include "router/admit.h"
#include "router/directory.h"
#include "router/dispatch.h"
#include "router/health.h"
#include "router/http.h"
#include "router/metrics.h"
#include "router/rate.h"
#include "router/routes.h"
#include "router/settings.h"
#include "router/token_cache.h"

struct flow {
    const struct settings *settings; /* swapped whole by a reload */
    struct routes *routes;
    struct directory *directory;
    struct token_cache *tokens;
    struct rate *rate;
    struct rate *
        link_rate; /* of addresses that come by links or by a practice's public name, and of those names */
    struct admit *admit;
    struct dispatch *dispatch;
    struct access_log *access_log;
    struct metrics metrics;
    void (*get_health)(struct health *out, void *arg);
    void *health_arg;
};

/* The callbacks of the API's http server; arg is the flow. */
struct http_callbacks flow_callbacks(struct flow *f);
/* dispatch's done; arg is the flow. */
void flow_on_done(struct exchange *x, enum err status, const struct frame_reply *reply, void *arg);

#endif
