/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One request and its answer on its way through the router. Made and freed by http.c; every other file borrows it
 * between http's callbacks and http_reply. */
#ifndef GREMIO_EXCHANGE_H
#define GREMIO_EXCHANGE_H

#include "common/arena.h"
#include "common/frame.h"

struct http_conn;

/* Where the request is. Changed by exchange_set_state only. */
enum exchange_state {
    X_HEAD,    /* header fields are known, body may be missing */
    X_BODY,    /* body is being read */
    X_READY,   /* whole; flow decides */
    X_QUEUED,  /* waits in dispatch, not sent to any slot */
    X_SENT,    /* in a slot's socket */
    X_STARTED, /* the slot said it is about to change something */
    X_DONE,    /* answered or given up; http owns the rest */
};

struct exchange {
    struct http_conn *conn; /* NULL once the client is gone */
    struct arena arena;     /* all slices below live here until the exchange is freed */
    enum exchange_state state;
    int64_t start_us; /* first byte of the request */
    int64_t deadline_us;
    enum method method;
    enum lang lang;
    bool close_after; /* the connection ends with this answer */
    struct slice method_text;
    struct slice target; /* raw, as it came */
    struct slice path;   /* percent-decoded, dot segments refused, no NUL */
    struct slice query;  /* raw, without '?' */
    struct slice peer;   /* client address without port */
    char request_id[FRAME_ID_MAX + 1];

    /* header fields of interest, empty when absent */
    struct slice authorization, content_type, user_agent, accept_encoding;
    struct slice if_match, if_none_match, idempotency_key, traceparent;
    struct slice host, accept, cookie, origin, fetch_site; /* the last: Sec-Fetch-Site */
    bool has_body;                                         /* Content-Length > 0 or chunked */
    uint64_t content_length;                               /* 0 when chunked */
    bool chunked;
    struct slice body;

    /* filled by flow */
    struct principal principal;
    bool by_link;     /* the path holds a link's token: it is logged as its route's pattern */
    bool by_slug;     /* the path names the practice, and nobody says who asks */
    struct uuid name; /* by_slug: a digest of that name, whether it is a practice's or nobody's */
    bool page;        /* a person reads the answer: refusals are pages */
    bool has_cookie;  /* the principal comes from the guest's cookie */
    bool has_tenant;
    struct tenant tenant; /* copy of the directory's row at admission */
    struct uuid
        source; /* whose share it takes: the tenant's id, without one the client's address */
    enum slot_kind kind;
    bool admitted;  /* counted by admit; released exactly once */
    bool shed;      /* refused because too much is asked */
    const char *by; /* ... by whose rate: "tenant", "address", "public" */

    /* filled by dispatch */
    void *pending; /* dispatch's own entry while X_QUEUED .. X_STARTED */
    uint64_t id;
    uint8_t harm; /* of the slots' deaths it was in: dispatch_death.c */
    bool moved;   /* was sent to a second slot because the first stood still */

    /* for the access log */
    char route[ROUTE_PATTERN_MAX];
    char code[40]; /* problem code */
    uint32_t queue_us, db_us;
};

/* The one place that moves an exchange between states; a step that the life of a request does not have is a bug and
 * aborts the process (the master starts another). */
void exchange_set_state(struct exchange *x, enum exchange_state next);

#endif
