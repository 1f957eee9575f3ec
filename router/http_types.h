/* SPDX-License-Identifier: LicenseRef-Gremio */
/* What a server is given and gives back: limits, callbacks, answers. Rows of data only. */
#ifndef GREMIO_HTTP_TYPES_H
#define GREMIO_HTTP_TYPES_H

#include "router/exchange.h"

/* Borrowed by the server until http_free; a reload may swap the pointed-to values between two events. */
struct http_limits {
    int64_t request_line_max, header_bytes_max, header_fields_max, body_max;
    int64_t header_timeout, body_timeout, body_min_rate, body_grace, idle_timeout,
        write_timeout;  /* ms; rate in bytes/s */
    int64_t unsent_max; /* bytes of all answers that clients have not taken */
    int64_t rest_max;   /* ms; 0: who is refused for load may come again at once */
    int64_t requests_per_connection, connections_max, connections_per_address;
};

struct http_callbacks {
    /* The head is complete. Either answers (http_reply) or names the body limit by http_accept_body. */
    void (*on_head)(struct exchange *x, void *arg);
    /* The body is complete (x->body) and within the limit. Answers now or later, exactly once. */
    void (*on_request)(struct exchange *x, void *arg);
    /* The client left while flow or dispatch held x (from on_request on, or after an on_head that did neither of the
     * above). x->conn NULL: for good; x stays valid until http_drop(x). x->conn set: it closed its sending side and may
     * still read, so an answer, now or later, is sent; should the connection break meanwhile, on_gone comes again.
     * One whose body never came whole just ends (on_end). */
    void (*on_gone)(struct exchange *x, void *arg);
    /* The last word on every exchange (also parser errors: they have no target), before it is freed: access log and
     * metrics. status 499: the client left before the answer. May be NULL. */
    void (*on_end)(const struct exchange *x, int status, size_t bytes, void *arg);
    void *arg;
};

/* An answer; slices are copied before http_reply returns. */
struct http_answer {
    int status;
    struct slice content_type; /* empty: no body */
    struct slice body;
    struct slice etag, location, allow, cache_control, csp; /* empty: no field */
    struct slice set_cookie, referrer_policy, robots, language;
    struct slice www_authenticate;            /* with 401; empty: Bearer */
    struct slice ratelimit, ratelimit_policy; /* with 429 */
    int retry_after;                          /* seconds, 0: no field */
    bool
        rest; /* refused for load: the connection is not read before Retry-After, which http sets */
    bool replayed;
};

#endif
